/**
 * Entities: the tenant's list, the state of one, and warming.
 */
import { z } from "zod";
import { ENTITY_BYTES_MAX, REDACT_IDS_MAX, REQUEST_ENTITIES_MAX } from "../limits.ts";
import { eventIdSchema } from "./event.ts";
import { cursorParameterSchema, limitParameterSchema } from "./query_parameter.ts";
import { boundedText, entitySchema } from "./scalar.ts";

const time = z.string().nullable();

/** Empty: every entity. */
const prefixSchema = boundedText(ENTITY_BYTES_MAX);

export const entityListParametersSchema = z.strictObject({
  prefix: prefixSchema.optional(),
  limit: limitParameterSchema,
  cursor: cursorParameterSchema.optional(),
});

export const entityPageSchema = z.object({
  entities: z.array(z.object({ entity: z.string(), events: z.number().int(), last_ts: time }).readonly()).readonly(),
  next_cursor: z.string().nullable(),
});

export const entityStatusSchema = z.object({
  entity: z.string(),
  snapshot: z.string(),
  events: z.number().int(),
  commits: z.number().int(),
  segments: z.number().int(),
  shards: z
    .array(
      z
        .object({
          id: z.string(),
          bytes: z.number().int(),
          chunks: z.number().int(),
          from: z.number().int(),
          to: z.number().int(),
          min_ts: time,
          max_ts: time,
        })
        .readonly(),
    )
    .readonly(),
  unindexed_events: z.number().int(),
  last_indexed_at: time,
  vector: z.object({ dimensions: z.number().int(), model: z.string() }).readonly().nullable(),
  cache: z.object({ tier: z.enum(["memory", "ssd", "cold"]), bytes: z.number().int() }).readonly(),
  sealed: z
    .object({ from: z.number().int(), to: z.number().int(), error: z.string() })
    .readonly()
    .optional()
    .describe("commits whose index work failed too often to be tried again by itself"),
  collected: z.number().int().describe("shards, heads and other derived objects that were replaced and then deleted"),
});

export const redactBodySchema = z.strictObject({
  ids: z
    .array(eventIdSchema)
    .min(1)
    .max(REDACT_IDS_MAX)
    .refine((ids) => new Set(ids).size === ids.length, "must be distinct"),
  dry_run: z.boolean().default(false).describe("only say which lines would go"),
});

export const redactedSchema = z.object({
  redacted: z.array(z.string()).readonly().describe("the ids that were asked for"),
  lines: z
    .array(z.object({ id: z.string(), citation: z.object({ segment: z.string(), line: z.number().int() }) }))
    .readonly()
    .describe("the lines that said something; none for what was redacted before"),
  token: z.string().optional().describe("of the commit that records the redaction; absent from a dry run"),
});

export const warmBodySchema = z
  .strictObject({
    entities: z.array(entitySchema).min(1).max(REQUEST_ENTITIES_MAX).optional(),
    prefix: prefixSchema.optional(),
  })
  .refine((body) => (body.entities === undefined) !== (body.prefix === undefined), "send `entities` or `prefix`");

export const warmOneSchema = z.object({ entity: z.string(), bytes: z.number().int() });
