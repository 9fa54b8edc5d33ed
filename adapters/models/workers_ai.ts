/**
 * Embeddings from Workers AI. Its binding throws errors whose message opens with an internal code; only that number is
 * read. Source of the codes: developers.cloudflare.com/workers-ai/platform/errors.
 */
import { z } from "zod";
import { VECTOR_DIMENSIONS_MAX } from "../../core/limits.ts";
import type { RemoteEmbedder } from "../../core/ports.ts";
import { type CallOutcome, checkedVectors, embedWithModel, type Pacing, REAL_PACING } from "./model_calls.ts";

/** What is used of an `[ai]` binding. */
export interface AiBinding {
  run(model: string, inputs: { readonly text: string[] }): Promise<unknown>;
}

export const WORKERS_AI_MODEL_DEFAULT = "@cf/baai/bge-m3";

const responseSchema = z.object({ data: z.array(z.array(z.number()).max(VECTOR_DIMENSIONS_MAX)) });

/** Invalid data, bad input, request too large. */
const REFUSAL_CODES: ReadonlySet<number> = new Set([3006, 5004, 5006]);
/** Account, agreement, allocation, or a model that does not exist: asking again changes nothing. */
const BROKEN_CODES: ReadonlySet<number> = new Set([3003, 3023, 3036, 3041, 3042, 5005, 5007, 5016, 5018, 5019]);

export function workersAiEmbedder(ai: AiBinding, model: string, pacing: Pacing = REAL_PACING): RemoteEmbedder {
  const id = `workers-ai/${model}`;
  return {
    kind: "remote",
    id,
    queryWeight: 1,
    // bge-m3 wants no instruction before a query, so both uses are one.
    embed: (texts) => embedWithModel(texts, { name: id, pacing, call: (batch) => callOnce(batch, ai, model, pacing) }),
  };
}

async function callOnce(texts: readonly string[], ai: AiBinding, model: string, pacing: Pacing): Promise<CallOutcome> {
  try {
    const answer = await withDeadline(ai.run(model, { text: [...texts] }), pacing.timeoutMs);
    if (answer === "late") return { kind: "again", why: "it did not answer in time", afterMs: null };
    const parsed = responseSchema.safeParse(answer.value);
    const vectors = parsed.success ? checkedVectors(parsed.data.data, texts.length) : null;
    if (vectors === null) return { kind: "again", why: "its answer is not what was asked for", afterMs: null };
    return { kind: "vectors", vectors };
  } catch (error) {
    return outcomeOfCode(codeOf(error));
  }
}

function outcomeOfCode(code: number | null): CallOutcome {
  if (code === null) return { kind: "again", why: "it could not be reached", afterMs: null };
  if (REFUSAL_CODES.has(code)) return { kind: "refused" };
  const why = `it failed with code ${code}`;
  return BROKEN_CODES.has(code) ? { kind: "broken", why } : { kind: "again", why, afterMs: null };
}

/** The four digits before the first colon that follows any, as in `AiError: 5007: …`. */
function codeOf(error: unknown): number | null {
  const match = error instanceof Error ? /(?:^|\s)(\d{4}):/.exec(error.message) : null;
  return match === null ? null : Number(match[1]);
}

/** The binding cannot be told to stop, so a late answer is dropped when it comes. */
async function withDeadline(run: Promise<unknown>, timeoutMs: number): Promise<{ readonly value: unknown } | "late"> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), timeoutMs);
  });
  try {
    return await Promise.race([run.then((value) => ({ value })), late]);
  } finally {
    clearTimeout(timer);
  }
}
