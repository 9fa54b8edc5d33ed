/**
 * What writing events answers.
 */
import { z } from "zod";
import { IDEMPOTENCY_KEY_BYTES_MAX } from "../limits.ts";
import { jobStartedSchema } from "./job.ts";
import { problemSchema } from "./problem.ts";

/** Printable ASCII, as a header carries it unchanged. */
export const idempotencyKeySchema = z
  .string()
  .regex(/^[ -~]+$/, "must be printable ASCII")
  .max(IDEMPOTENCY_KEY_BYTES_MAX, `is longer than ${IDEMPOTENCY_KEY_BYTES_MAX} bytes`);

export const appendResultSchema = z.object({
  commit: z.number().int(),
  segment: z.string(),
  accepted: z.number().int(),
  duplicates: z.number().int(),
  conflicts: z.array(z.string()).readonly().describe("ids whose first event has other content"),
  event_ids: z.array(z.string()).readonly(),
  token: z.string().describe("write token: pass it as `at_least` to a later read"),
});

export const bulkResultSchema = z.object({
  results: z
    .array(
      z
        .object({ entity: z.string(), ...appendResultSchema.partial().shape, error: problemSchema.optional() })
        .readonly(),
    )
    .readonly(),
  accepted: z.number().int(),
  duplicates: z.number().int(),
});

export const documentResultSchema = appendResultSchema.extend({
  searchable: z.boolean().describe("false: the bytes are kept and listed, but hold no text that we can read"),
});

const importResultSchema = z.object({
  accepted: z.number().int(),
  duplicates: z.number().int(),
  conflicts: z.array(z.string()).readonly(),
  token: z.string().nullable(),
});
/** Of a small archive what was done, of a large one who does it. */
export const importAnswerSchema = z.union([importResultSchema, jobStartedSchema]);

export const writeTokenSchema = z.object({ token: z.string() });
