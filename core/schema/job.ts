/**
 * Jobs: work that outlives its request.
 */
import { z } from "zod";
import { ENTITY_BYTES_MAX, REQUEST_ENTITIES_MAX } from "../limits.ts";
import { boundedText, entitySchema, jsonSchema } from "./scalar.ts";

/** The entities a job is about, by name in ascending order, or by prefix. */
export const jobSelectionSchema = z.union([
  z.strictObject({ entities: z.array(entitySchema).max(REQUEST_ENTITIES_MAX) }),
  z.strictObject({ prefix: boundedText(ENTITY_BYTES_MAX) }),
]);

export const jobSchema = z.object({
  id: z.string(),
  type: z.string(),
  status: z.enum(["queued", "running", "done", "failed", "cancelled"]),
  created_at: z.string(),
  waits_until: z.string().optional().describe("when the maintenance window opens that it waits for"),
  progress: z
    .object({ done: z.number(), total: z.number() })
    .readonly()
    .describe("entities; commits of a job about one; files of an import, which are checked and then imported"),
  result: jsonSchema.optional(),
  error: z.string().optional(),
});

export const jobPageSchema = z.object({
  jobs: z.array(jobSchema.readonly()).readonly(),
  next_cursor: z.string().nullable(),
});

/** The id to ask `/v1/jobs/{id}` with. */
export const jobStartedSchema = z.object({ job: z.string() });
