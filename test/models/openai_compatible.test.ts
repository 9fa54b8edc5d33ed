import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type OpenAiSettings, openAiEmbedder } from "../../adapters/models/openai_compatible.ts";
import { EMBED_RETRY_WAIT_MS_MAX } from "../../core/limits.ts";
import { embed, type RemoteOptions, remoteEmbedderContract } from "./embedder_contract.ts";
import { MODEL_KEY, type ModelServer, SERVER_DIMENSIONS, startModelServer, vectorOf } from "./model_server.ts";

function settingsFor(server: ModelServer, changes: Partial<OpenAiSettings> = {}): OpenAiSettings {
  const base = { baseUrl: `${server.origin}/v1`, apiKey: MODEL_KEY, model: "test-embed", dimensions: null };
  return { ...base, encoding: "float", ...changes };
}

remoteEmbedderContract("openai, floats", (server, options) => openAiEmbedder(settingsFor(server), options));
remoteEmbedderContract("openai, base64", (server, options) =>
  openAiEmbedder(settingsFor(server, { encoding: "base64", dimensions: SERVER_DIMENSIONS }), options),
);

describe("openai-compatible servers", () => {
  let server: ModelServer;
  const waits: number[] = [];
  const options: RemoteOptions = {
    timeoutMs: 60_000,
    wait: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
  };
  beforeEach(async () => {
    server = await startModelServer();
    waits.length = 0;
  });
  afterEach(() => server.close());

  test("Retry-After is waited for", async () => {
    server.next.push({ kind: "status", status: 429, code: 3040, retryAfter: "2" });
    expect(await embed(openAiEmbedder(settingsFor(server), options), ["one"])).toEqual({
      ok: true,
      value: [vectorOf("one")],
    });
    expect(waits).toEqual([2000]);
  });

  test("a Retry-After beyond the limit is handed to the caller instead", async () => {
    const seconds = EMBED_RETRY_WAIT_MS_MAX / 1000 + 1;
    server.always = { kind: "status", status: 429, code: 3040, retryAfter: String(seconds) };
    const answer = await embed(openAiEmbedder(settingsFor(server), options), ["one"]);
    expect(answer).toMatchObject({ ok: false, failure: { reason: "unavailable", retryAfterSeconds: seconds } });
    expect(waits).toEqual([]);
  });

  test("a wrong key is a failure that does not repeat it", async () => {
    const answer = await embed(openAiEmbedder(settingsFor(server, { apiKey: "sk-wrong" }), options), ["one"]);
    expect(answer).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
    expect(JSON.stringify(answer)).not.toContain("sk-wrong");
    expect(waits).toEqual([]);
  });

  test("a redirect is not followed", async () => {
    server.always = { kind: "status", status: 307, code: 0 };
    expect(await embed(openAiEmbedder(settingsFor(server), options), ["one"])).toMatchObject({ ok: false });
    expect(server.batches).toHaveLength(1);
  });

  test("an answer without end is cut off", async () => {
    server.always = { kind: "endless" };
    expect(await embed(openAiEmbedder(settingsFor(server), options), ["one"])).toMatchObject({ ok: false });
  });

  test("vectors of another dimension than asked for are refused", async () => {
    const embedder = openAiEmbedder(settingsFor(server, { dimensions: SERVER_DIMENSIONS + 1 }), options);
    expect(await embed(embedder, ["one"])).toMatchObject({ ok: false });
  });

  test("a trailing slash of the base address does no harm", async () => {
    const embedder = openAiEmbedder(settingsFor(server, { baseUrl: `${server.origin}/v1/` }), options);
    expect(await embed(embedder, ["one"])).toMatchObject({ ok: true });
  });

  test("the id tells models and dimensions apart", () => {
    const ids = [
      openAiEmbedder(settingsFor(server)).id,
      openAiEmbedder(settingsFor(server, { dimensions: 256 })).id,
      openAiEmbedder(settingsFor(server, { model: "other" })).id,
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});
