/**
 * Jobs: work that outlives its request.
 */
import { z } from "zod";
import { jsonSchema } from "./scalar.ts";

export const jobSchema = z.object({
  id: z.string(),
  type: z.string(),
  status: z.enum(["queued", "running", "done", "failed", "cancelled"]),
  progress: z.object({ done: z.number(), total: z.number() }).readonly(),
  result: jsonSchema.optional(),
  error: z.string().optional(),
});

export const jobPageSchema = z.object({
  jobs: z.array(jobSchema.readonly()).readonly(),
  next_cursor: z.string().nullable(),
});

/** The id to ask `/v1/jobs/{id}` with. */
export const jobStartedSchema = z.object({ job: z.string() });
