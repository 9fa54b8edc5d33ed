/**
 * What every embedder promises, whichever model is behind it. Each adapter's test runs this suite over itself;
 * remote ones also promise what `remoteEmbedderContract` says about faults.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ok, type Result } from "../../core/errors.ts";
import { EMBED_BATCH_MAX, EMBED_RETRIES_MAX } from "../../core/limits.ts";
import type { Embedder } from "../../core/ports.ts";
import { type Fault, MODEL_KEY, type ModelServer, REFUSED_WORD, startModelServer, vectorOf } from "./model_server.ts";

type Vectors = readonly (Float32Array | null)[];

export async function embed(embedder: Embedder, texts: readonly string[]): Promise<Result<Vectors>> {
  return embedder.kind === "local" ? ok(embedder.embed(texts)) : embedder.embed(texts, "document");
}

async function vectorsFrom(embedder: Embedder, texts: readonly string[]): Promise<Vectors> {
  const answer = await embed(embedder, texts);
  if (!answer.ok) throw new Error(`the embedder failed: ${JSON.stringify(answer.failure)}`);
  return answer.value;
}

const UNICODE_TEXTS = [
  "café au lait",
  "naïve Ærøskøbing",
  "東京都の天気予報",
  "Привет, мир",
  "👩‍🚀 rockets",
  "e\u0301tude",
  "\u{2F81A}",
];

export function embedderContract(name: string, open: () => Embedder): void {
  describe(`${name}: what every embedder promises`, () => {
    test("no texts give no vectors", async () => {
      expect(await vectorsFrom(open(), [])).toEqual([]);
    });

    test("each text gets its own vector, in order, whatever stands beside it", async () => {
      const texts = ["renewal risk", "the invoice is late", "renewal risk", ...UNICODE_TEXTS];
      const together = await vectorsFrom(open(), texts);
      const alone = await Promise.all(texts.map((text) => vectorsFrom(open(), [text])));
      expect(together).toEqual(alone.flat());
      expect(together[0]).toEqual(together[2]);
      expect(together[0]).not.toEqual(together[1]);
    });

    test("vectors are finite, not zero, and of one dimension", async () => {
      const vectors = await vectorsFrom(open(), ["a short one", "long ".repeat(20_000), ...UNICODE_TEXTS]);
      const lengths = new Set(vectors.map((vector) => vector?.length));
      expect(lengths.size).toBe(1);
      for (const vector of vectors) {
        expect(vector?.every((component) => Number.isFinite(component))).toBe(true);
        expect(vector?.some((component) => component !== 0)).toBe(true);
      }
    });

    test("more texts than one request may hold come back whole", async () => {
      const texts = Array.from(
        { length: 2 * EMBED_BATCH_MAX + 51 },
        (_, index) => `note number${index} of the account`,
      );
      const vectors = await vectorsFrom(open(), texts);
      expect(vectors).toHaveLength(texts.length);
      expect(vectors[texts.length - 1]).toEqual((await vectorsFrom(open(), texts.slice(-1)))[0]);
    });

    test("a blank text has no vector, and its neighbours keep theirs", async () => {
      const vectors = await vectorsFrom(open(), ["first", "", " \n\t", "last"]);
      expect(vectors.map((vector) => vector === null)).toEqual([false, true, true, false]);
    });
  });
}

export interface RemoteOptions {
  readonly timeoutMs: number;
  /** Takes the place of waiting. */
  wait(ms: number): Promise<void>;
}

/** Long enough that a busy machine never meets it. */
const PATIENT_MS = 60_000;
const HASTY_MS = 50;

export function remoteEmbedderContract(
  name: string,
  open: (server: ModelServer, options: RemoteOptions) => Embedder,
): void {
  describe(`${name}: what a remote embedder promises`, () => {
    let server: ModelServer;
    let waits: number[];
    const opened = (timeoutMs = PATIENT_MS): Embedder =>
      open(server, {
        timeoutMs,
        wait: (ms) => {
          waits.push(ms);
          return Promise.resolve();
        },
      });

    beforeEach(async () => {
      server = await startModelServer();
      waits = [];
    });
    afterEach(() => server.close());

    embedderContract(name, () => opened());

    test("vectors belong to their texts", async () => {
      expect(await vectorsFrom(opened(), ["one", "two", "three"])).toEqual(["one", "two", "three"].map(vectorOf));
    });

    test("a request never holds more texts than the model takes", async () => {
      await vectorsFrom(
        opened(),
        Array.from({ length: 250 }, (_, index) => `text ${index}`),
      );
      expect(server.batches.map((batch) => batch.length)).toEqual([EMBED_BATCH_MAX, EMBED_BATCH_MAX, 50]);
    });

    test.each([0, 1, 6, 63, 99])("only the text that is refused is null (place %i of a hundred)", async (place) => {
      const texts = Array.from({ length: 100 }, (_, index) =>
        index === place ? `an ${REFUSED_WORD} text` : `text ${index}`,
      );
      const vectors = await vectorsFrom(opened(), texts);
      expect(vectors).toEqual(texts.map((text, index) => (index === place ? null : vectorOf(text))));
    });

    test("a lone refused text is null once the model has taken another", async () => {
      expect(await vectorsFrom(opened(), [REFUSED_WORD])).toEqual([null]);
    });

    test("a model that refuses whatever it is asked is a failure, not a list of nulls", async () => {
      server.always = { kind: "refuse_all" };
      expect(await embed(opened(), ["one", "two"])).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
    });

    const passing: readonly Fault[] = [
      { kind: "status", status: 429, code: 3040 },
      { kind: "status", status: 500, code: 3044 },
      { kind: "status", status: 503, code: 3045 },
      { kind: "malformed" },
      { kind: "wrong_count" },
      { kind: "wrong_dimension" },
      { kind: "not_numbers" },
      { kind: "drop" },
    ];
    test.each(passing)("one passing fault is survived: $kind $status", async (fault) => {
      server.next.push(fault);
      expect(await vectorsFrom(opened(), ["one", "two"])).toEqual(["one", "two"].map(vectorOf));
      expect(waits).toHaveLength(1);
    });

    test.each(passing)("a lasting fault is a failure after bounded retries: $kind $status", async (fault) => {
      server.always = fault;
      expect(await embed(opened(), ["one", "two"])).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
      expect(server.batches).toHaveLength(EMBED_RETRIES_MAX + 1);
      expect(waits).toEqual([...waits].sort((a, b) => a - b));
    });

    test("a model that never answers is given up at the deadline", async () => {
      server.always = { kind: "never" };
      expect(await embed(opened(HASTY_MS), ["one"])).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
    });

    test("a model that is not there is a failure", async () => {
      const embedder = opened();
      await server.close();
      expect(await embed(embedder, ["one"])).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
    });

    test("credentials or a model that are wrong are not tried again", async () => {
      server.always = { kind: "status", status: 403, code: 5018 };
      expect(await embed(opened(), ["one"])).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
      expect(server.batches).toHaveLength(1);
    });

    const lasting: readonly Fault[] = [
      { kind: "status", status: 500, code: 3044 },
      { kind: "status", status: 403, code: 5018 },
      { kind: "refuse_all" },
      { kind: "malformed" },
    ];
    test.each(lasting)("a failure says neither text nor key: $kind $status", async (fault) => {
      server.always = fault;
      const answer = JSON.stringify(await embed(opened(), ["the merger is planned for May"]));
      expect(answer).toContain("unavailable");
      expect(answer).not.toContain("merger");
      expect(answer).not.toContain(MODEL_KEY);
      expect(answer).not.toContain(server.origin);
    });
  });
}
