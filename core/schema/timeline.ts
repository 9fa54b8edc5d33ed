/**
 * Reading events back: the list's parameters, its page, and one event with its citation.
 */
import { z } from "zod";
import { kindSchema } from "./event.ts";
import { cursorParameterSchema, limitParameterSchema, timeParameterSchema } from "./query_parameter.ts";
import { jsonSchema, nameSchema } from "./scalar.ts";

export const timelineParametersSchema = z.strictObject({
  from: timeParameterSchema.optional(),
  to: timeParameterSchema.optional(),
  kind: kindSchema.optional(),
  session: nameSchema.optional(),
  order: z.enum(["asc", "desc"]).default("asc").describe("by time of the event, then position"),
  limit: limitParameterSchema,
  cursor: cursorParameterSchema.optional(),
});

export const citationSchema = z
  .object({ segment: z.string(), line: z.number().int().min(1) })
  .readonly()
  .describe("the object in R2, and the line in it, that this was read from");

const attributeValuesSchema = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.array(z.string()).readonly()]),
);

/** An event as it is stored. Parsed on the way in, so here it is only described. */
export const eventSchema = z.object({
  id: z.string(),
  ts: z.string(),
  kind: z.string(),
  text: z.string().optional(),
  body: jsonSchema.optional(),
  attributes: attributeValuesSchema.readonly().optional(),
  session: z.string().optional(),
  actor: z.string().optional(),
  agent: z.string().optional(),
  source: z.string().optional(),
  vector: z.array(z.number()).readonly().optional(),
  relations: z
    .array(z.object({ type: z.string(), target: z.string() }).readonly())
    .readonly()
    .optional(),
});

export const eventPageSchema = z.object({
  events: z.array(eventSchema.readonly()).readonly(),
  next_cursor: z.string().nullable(),
});

export const citedEventSchema = eventSchema.extend({ citation: citationSchema });
