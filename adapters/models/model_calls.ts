/**
 * How every remote embedder asks its model: batches, deadlines, retries, and the search for the one text that a model
 * refuses. A provider supplies only `call`; what comes out is one vector or null for each text, or a failure.
 *
 * Invariants: null is recorded only for a text that the model refused by itself, and only once the model has taken
 * some other text of the same request or a harmless probe, so that a misconfigured model never reads as "all refused".
 * No failure carries a text, a key or what the model said: only the model's name and a reason of ours.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import {
  EMBED_BACKOFF_MS,
  EMBED_BATCH_MAX,
  EMBED_RETRIES_MAX,
  EMBED_RETRY_WAIT_MS_MAX,
  EMBED_TIMEOUT_MS,
} from "../../core/limits.ts";

/** What one call came to. */
export type CallOutcome =
  | { readonly kind: "vectors"; readonly vectors: readonly Float32Array[] }
  /** The model judged the input: some text of the batch is at fault. */
  | { readonly kind: "refused" }
  /** Another try may succeed; `afterMs` is what the model asked for. */
  | { readonly kind: "again"; readonly why: string; readonly afterMs: number | null }
  /** No retry will help: credentials, an unknown model, a bad address. */
  | { readonly kind: "broken"; readonly why: string };

export interface Pacing {
  readonly timeoutMs: number;
  wait(ms: number): Promise<void>;
}

export const REAL_PACING: Pacing = {
  timeoutMs: EMBED_TIMEOUT_MS,
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

export interface ModelCalls {
  /** For failures; never holds a secret. */
  readonly name: string;
  readonly pacing: Pacing;
  /** One request with 1 to EMBED_BATCH_MAX texts. Expected faults are outcomes; it does not throw. */
  call(texts: readonly string[]): Promise<CallOutcome>;
}

/** A text that any embedding model takes. */
const PROBE = "hello";
const RETRY_AFTER_SECONDS = 30;

type Vectors = readonly (Float32Array | null)[];

/** Blank texts are never asked about: there is nothing to embed, and they are null. */
export async function embedWithModel(texts: readonly string[], calls: ModelCalls): Promise<Result<Vectors>> {
  const asked = texts.flatMap((text, index) => (text.trim() === "" ? [] : [{ text, index }]));
  const vectors: (Float32Array | null)[] = texts.map(() => null);
  const trust = { taken: false };
  for (let from = 0; from < asked.length; from += EMBED_BATCH_MAX) {
    const batch = asked.slice(from, from + EMBED_BATCH_MAX);
    const answer = await embedBatch(
      batch.map((entry) => entry.text),
      calls,
      trust,
    );
    if (!answer.ok) return answer;
    batch.forEach((entry, index) => {
      vectors[entry.index] = answer.value[index] ?? null;
    });
  }
  return hasOneDimension(vectors) ? ok(vectors) : unavailable(calls, "its vectors differ in dimension");
}

/** Whether the model has taken any text of this request, the probe included. */
interface Trust {
  taken: boolean;
}

async function embedBatch(texts: readonly string[], calls: ModelCalls, trust: Trust): Promise<Result<Vectors>> {
  const outcome = await callWithRetries(texts, calls);
  if (!outcome.ok) return outcome;
  if (outcome.value !== "refused") {
    trust.taken = true;
    return ok(outcome.value.map((vector) => (hasDirection(vector) ? vector : null)));
  }
  if (texts.length === 1) return recordRefusal(calls, trust);
  const middle = Math.ceil(texts.length / 2);
  const left = await embedBatch(texts.slice(0, middle), calls, trust);
  if (!left.ok) return left;
  const right = await embedBatch(texts.slice(middle), calls, trust);
  return right.ok ? ok([...left.value, ...right.value]) : right;
}

async function recordRefusal(calls: ModelCalls, trust: Trust): Promise<Result<Vectors>> {
  if (!trust.taken) {
    const probe = await callWithRetries([PROBE], calls);
    if (!probe.ok) return probe;
    if (probe.value === "refused")
      return unavailable(calls, "it refuses every input; check the model and its settings");
    trust.taken = true;
  }
  return ok([null]);
}

async function callWithRetries(
  texts: readonly string[],
  calls: ModelCalls,
): Promise<Result<readonly Float32Array[] | "refused">> {
  for (let attempt = 0; ; attempt++) {
    const outcome = await calls.call(texts);
    switch (outcome.kind) {
      case "vectors":
        return ok(outcome.vectors);
      case "refused":
        return ok("refused");
      case "broken":
        return unavailable(calls, outcome.why);
      case "again": {
        const waitMs = outcome.afterMs ?? EMBED_BACKOFF_MS * 2 ** attempt;
        if (attempt === EMBED_RETRIES_MAX || waitMs > EMBED_RETRY_WAIT_MS_MAX) {
          return unavailable(calls, outcome.why, outcome.afterMs);
        }
        await calls.pacing.wait(waitMs);
      }
    }
  }
}

function unavailable(calls: ModelCalls, why: string, afterMs: number | null = null): Result<never> {
  const retryAfterSeconds = afterMs === null ? RETRY_AFTER_SECONDS : Math.ceil(afterMs / 1000);
  return fail({
    reason: "unavailable",
    what: `The embedding model ${calls.name} gave no vectors: ${why}.`,
    retryAfterSeconds,
  });
}

/** A zero vector is like nothing: the same as none. */
function hasDirection(vector: Float32Array): boolean {
  return vector.some((component) => component !== 0);
}

function hasOneDimension(vectors: Vectors): boolean {
  const lengths = new Set(vectors.flatMap((vector) => (vector === null ? [] : [vector.length])));
  return lengths.size <= 1;
}

/** The vectors of a batch as checked f32: as many as were asked for, of one dimension, finite; else null. */
export function checkedVectors(rows: readonly ArrayLike<number>[], expected: number): readonly Float32Array[] | null {
  if (rows.length !== expected) return null;
  const vectors = rows.map((row) => Float32Array.from(row));
  const whole = vectors.every((vector) => vector.length > 0 && vector.every((component) => Number.isFinite(component)));
  return whole && hasOneDimension(vectors) ? vectors : null;
}
