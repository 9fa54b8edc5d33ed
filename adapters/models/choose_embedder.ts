/**
 * Which embedder a deployment uses, from its plain settings. A setting that is missing or wrong is named; its value,
 * which may be a secret, is not.
 */
import { z } from "zod";
import { fail, invalid, ok, type Result } from "../../core/errors.ts";
import { VECTOR_DIMENSIONS_MAX } from "../../core/limits.ts";
import type { Embedder, KernelBuilder } from "../../core/ports.ts";
import { invalidFields } from "../../core/schema/field_errors.ts";
import { embeddedEmbedder } from "./embedded.ts";
import { openAiEmbedder } from "./openai_compatible.ts";
import { type AiBinding, WORKERS_AI_MODEL_DEFAULT, workersAiEmbedder } from "./workers_ai.ts";

/**
 * EMBEDDER                     embedded (default) | none | workers-ai | openai
 * WORKERS_AI_MODEL             default @cf/baai/bge-m3; needs the `AI` binding
 * OPENAI_BASE_URL              default https://api.openai.com/v1
 * OPENAI_API_KEY               needed by `openai`
 * OPENAI_EMBEDDING_MODEL       needed by `openai`
 * OPENAI_EMBEDDING_DIMENSIONS  default: the model's own
 * OPENAI_EMBEDDING_ENCODING    float (default) | base64
 */
export type EmbedderSettings = Readonly<Partial<Record<EmbedderSetting, string>>>;
type EmbedderSetting =
  | "EMBEDDER"
  | "WORKERS_AI_MODEL"
  | "OPENAI_BASE_URL"
  | "OPENAI_API_KEY"
  | "OPENAI_EMBEDDING_MODEL"
  | "OPENAI_EMBEDDING_DIMENSIONS"
  | "OPENAI_EMBEDDING_ENCODING";

const embedderSchema = z.enum(["embedded", "none", "workers-ai", "openai"], {
  error: "must be one of embedded, none, workers-ai, openai",
});

const needed = (why: string) => z.string({ error: `is not set; ${why}` }).min(1, `is empty; ${why}`);

const openAiSchema = z.object({
  OPENAI_BASE_URL: z
    .url({ protocol: /^https?$/, error: "must be an http or https address" })
    .default("https://api.openai.com/v1"),
  OPENAI_API_KEY: needed("EMBEDDER=openai needs it (any text for a server without keys)"),
  OPENAI_EMBEDDING_MODEL: needed("EMBEDDER=openai needs the model's name"),
  OPENAI_EMBEDDING_DIMENSIONS: z.coerce
    .number({ error: "must be a whole number" })
    .int("must be a whole number")
    .min(1, "must be at least 1")
    .max(VECTOR_DIMENSIONS_MAX, `must be at most ${VECTOR_DIMENSIONS_MAX}`)
    .optional(),
  OPENAI_EMBEDDING_ENCODING: z.enum(["float", "base64"], { error: "must be float or base64" }).default("float"),
});

export interface EmbedderParts {
  /** Of the kernel: what the embedded default counts. */
  readonly analyze: KernelBuilder["analyze"];
  /** The `AI` binding, when the deployment has one. */
  readonly ai: AiBinding | null;
}

/** null: no embedder; vectors come from callers only. */
export function chooseEmbedder(settings: EmbedderSettings, parts: EmbedderParts): Result<Embedder | null> {
  const chosen = embedderSchema.safeParse(settings.EMBEDDER ?? "embedded");
  if (!chosen.success) return fail(invalid("EMBEDDER", firstMessage(chosen.error)));
  if (chosen.data === "none") return ok(null);
  if (chosen.data === "embedded") return ok(embeddedEmbedder(parts.analyze));
  return chosen.data === "workers-ai" ? workersAiOf(settings, parts.ai) : openAiOf(settings);
}

function workersAiOf(settings: EmbedderSettings, ai: AiBinding | null): Result<Embedder> {
  if (ai === null) return fail(invalid("AI", "is not bound; EMBEDDER=workers-ai needs the AI binding"));
  return ok(workersAiEmbedder(ai, settings.WORKERS_AI_MODEL ?? WORKERS_AI_MODEL_DEFAULT));
}

function openAiOf(settings: EmbedderSettings): Result<Embedder> {
  const parsed = openAiSchema.safeParse(settings);
  if (!parsed.success) return fail(invalidFields(parsed.error));
  return ok(
    openAiEmbedder({
      baseUrl: parsed.data.OPENAI_BASE_URL,
      apiKey: parsed.data.OPENAI_API_KEY,
      model: parsed.data.OPENAI_EMBEDDING_MODEL,
      dimensions: parsed.data.OPENAI_EMBEDDING_DIMENSIONS ?? null,
      encoding: parsed.data.OPENAI_EMBEDDING_ENCODING,
    }),
  );
}

function firstMessage(error: z.ZodError): string {
  return error.issues[0]?.message ?? "is not valid";
}
