/**
 * The event: what callers send (`eventInputSchema`) and what a segment's line holds (`StoredEvent`).
 */
import { z } from "zod";
import {
  ATTRIBUTE_LIST_VALUES_MAX,
  ATTRIBUTE_NAME_BYTES_MAX,
  ATTRIBUTE_VALUE_BYTES_MAX,
  ATTRIBUTES_MAX,
  EVENT_ID_BYTES_MAX,
  RELATIONS_MAX,
  REQUEST_BYTES_MAX,
  REQUEST_EVENTS_MAX,
  VECTOR_DIMENSIONS_MAX,
} from "../limits.ts";
import {
  boundedText,
  entitySchema,
  isAddressable,
  type Json,
  jsonSchema,
  nameSchema,
  timeSchema,
  withoutControls,
} from "./scalar.ts";

export const KIND_PATTERN = /^[a-z][a-z0-9_.-]{0,63}$/;
export const KIND_DEFAULT = "note";
/** Written by their own endpoints only. */
export const RESERVED_KINDS: readonly string[] = ["memory", "pin", "feedback", "tombstone", "approval", "grant"];

export const eventIdSchema = boundedText(EVENT_ID_BYTES_MAX)
  .refine((text) => text.length > 0, "is empty")
  .refine(withoutControls, "has a control character")
  .refine(isAddressable, "cannot be addressed by a path");

export const kindSchema = z.string().regex(KIND_PATTERN, `must match ${KIND_PATTERN.source}`);

export const attributeValueSchema = z.union([
  boundedText(ATTRIBUTE_VALUE_BYTES_MAX),
  z.number(),
  z.boolean(),
  z.array(boundedText(ATTRIBUTE_VALUE_BYTES_MAX)).max(ATTRIBUTE_LIST_VALUES_MAX),
]);
export type AttributeValue = string | number | boolean | readonly string[];

const attributeNameSchema = boundedText(ATTRIBUTE_NAME_BYTES_MAX).refine((text) => text.length > 0, "is empty");

export const attributesSchema = z
  .record(attributeNameSchema, attributeValueSchema)
  .refine((map) => Object.keys(map).length <= ATTRIBUTES_MAX, `has more than ${ATTRIBUTES_MAX} attributes`);

export const vectorSchema = z
  .array(z.number())
  .min(1)
  .max(VECTOR_DIMENSIONS_MAX)
  .refine(
    (vector) => vector.every((x) => Math.abs(x) <= VECTOR_COMPONENT_MAX),
    "has a number too large for 32-bit floats",
  )
  .refine((vector) => vector.some((x) => Math.fround(x) !== 0), "is all zeros and has no direction");

/** The largest magnitude whose square, summed over the most dimensions, is still a finite f32. */
export const VECTOR_COMPONENT_MAX = 1e17;

export const eventInputSchema = z.strictObject({
  id: eventIdSchema.optional(),
  ts: timeSchema.optional(),
  kind: kindSchema.optional(),
  /** EVENT_BYTES_MAX bounds the whole event, as a line. */
  text: boundedText(REQUEST_BYTES_MAX).optional(),
  body: jsonSchema.optional(),
  attributes: attributesSchema.optional(),
  session: nameSchema.optional(),
  actor: nameSchema.optional(),
  agent: nameSchema.optional(),
  source: nameSchema.optional(),
  vector: vectorSchema.optional(),
  relations: z
    .array(z.strictObject({ type: nameSchema, target: nameSchema }))
    .max(RELATIONS_MAX)
    .optional(),
});
export type EventInput = z.infer<typeof eventInputSchema>;

export const appendBodySchema = z.strictObject({
  events: z.array(eventInputSchema).min(1).max(REQUEST_EVENTS_MAX),
});

export const bulkEventSchema = eventInputSchema.extend({ entity: entitySchema });
export const bulkBodySchema = z.strictObject({
  events: z.array(bulkEventSchema).min(1).max(REQUEST_EVENTS_MAX),
});

/** A line of a segment, as parsed JSON: every default filled in, times in RFC 3339. */
export interface StoredEvent {
  readonly id: string;
  readonly ts: string;
  readonly kind: string;
  readonly text?: string;
  readonly body?: Json;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly session?: string;
  readonly actor?: string;
  readonly agent?: string;
  readonly source?: string;
  readonly vector?: readonly number[];
  readonly relations?: readonly { readonly type: string; readonly target: string }[];
}

/** What a part keeps of a vector in a line: its digits stay in the segment. */
export interface KeptVector {
  readonly dimensions: number;
  /** Of the array as the segment has it, lower-case hex. */
  readonly sha256: string;
}

/** A line of a segment or of a part. `entity` is there in parts over many entities only. */
export type KeptEvent = Omit<StoredEvent, "vector"> & {
  readonly entity?: string;
  readonly vector?: readonly number[] | KeptVector;
};
