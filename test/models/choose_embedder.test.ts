import { describe, expect, test } from "vitest";
import { chooseEmbedder, type EmbedderSettings } from "../../adapters/models/choose_embedder.ts";
import type { AiBinding } from "../../adapters/models/workers_ai.ts";
import { plainAnalyze } from "./plain_analyzer.ts";

const ai: AiBinding = { run: () => Promise.resolve({ data: [] }) };
const choose = (settings: EmbedderSettings, binding: AiBinding | null = null) =>
  chooseEmbedder(settings, { analyze: plainAnalyze, ai: binding });

const OPENAI = { EMBEDDER: "openai", OPENAI_API_KEY: "sk-secret", OPENAI_EMBEDDING_MODEL: "m" };

describe("choosing an embedder", () => {
  test.each<{ settings: EmbedderSettings; id: string; binding?: AiBinding }>([
    { settings: {}, id: "embedded-v1" },
    { settings: { EMBEDDER: "embedded" }, id: "embedded-v1" },
    { settings: { EMBEDDER: "workers-ai" }, id: "workers-ai/@cf/baai/bge-m3", binding: ai },
    { settings: { EMBEDDER: "workers-ai", WORKERS_AI_MODEL: "@cf/a/b" }, id: "workers-ai/@cf/a/b", binding: ai },
    { settings: OPENAI, id: "openai/m" },
    { settings: { ...OPENAI, OPENAI_EMBEDDING_DIMENSIONS: "256" }, id: "openai/m/256" },
  ])("$settings.EMBEDDER → $id", ({ settings, id, binding }) => {
    const chosen = choose(settings, binding);
    expect(chosen.ok && chosen.value?.id).toBe(id);
  });

  test("none means none", () => {
    expect(choose({ EMBEDDER: "none" })).toEqual({ ok: true, value: null });
  });

  test.each<{ settings: EmbedderSettings; path: string }>([
    { settings: { EMBEDDER: "opanai" }, path: "EMBEDDER" },
    { settings: { EMBEDDER: "" }, path: "EMBEDDER" },
    { settings: { EMBEDDER: "workers-ai" }, path: "AI" },
    { settings: { EMBEDDER: "openai", OPENAI_EMBEDDING_MODEL: "m" }, path: "OPENAI_API_KEY" },
    { settings: { ...OPENAI, OPENAI_API_KEY: "" }, path: "OPENAI_API_KEY" },
    { settings: { EMBEDDER: "openai", OPENAI_API_KEY: "sk-secret" }, path: "OPENAI_EMBEDDING_MODEL" },
    { settings: { ...OPENAI, OPENAI_BASE_URL: "ftp://models" }, path: "OPENAI_BASE_URL" },
    { settings: { ...OPENAI, OPENAI_EMBEDDING_DIMENSIONS: "0" }, path: "OPENAI_EMBEDDING_DIMENSIONS" },
    { settings: { ...OPENAI, OPENAI_EMBEDDING_DIMENSIONS: "many" }, path: "OPENAI_EMBEDDING_DIMENSIONS" },
    { settings: { ...OPENAI, OPENAI_EMBEDDING_ENCODING: "f16" }, path: "OPENAI_EMBEDDING_ENCODING" },
  ])("$settings names $path as what is missing or wrong, and no secret", ({ settings, path }) => {
    const chosen = choose(settings);
    expect(chosen).toMatchObject({ ok: false, failure: { reason: "invalid", errors: [{ path }] } });
    expect(JSON.stringify(chosen)).not.toContain("sk-secret");
  });
});
