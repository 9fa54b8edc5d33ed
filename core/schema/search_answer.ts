/**
 * What a search answers, and the measurement of its recall.
 */
import { z } from "zod";
import { RECALL_SAMPLES_DEFAULT, RECALL_SAMPLES_MAX, TOP_K_DEFAULT, TOP_K_MAX } from "../limits.ts";
import { jsonSchema } from "./scalar.ts";
import { citationSchema, eventSchema } from "./timeline.ts";

const legSchema = z.object({ score: z.number(), rank: z.number().int().min(1) }).readonly();

const textExplanationSchema = z.object({
  score: z.number(),
  terms: z
    .array(
      z
        .object({
          field: z.enum(["word", "whole", "question"]),
          term: z.string(),
          idf: z.number(),
          df: z.number().int(),
          tf: z.number(),
          norm: z.number(),
          weight: z.number(),
          score: z.number(),
        })
        .readonly(),
    )
    .readonly(),
});

const fusionExplanationSchema = z.object({
  method: z.literal("rrf"),
  k: z.number().int(),
  legs: z
    .array(
      z
        .object({
          leg: z.enum(["text", "vector", "verbatim"]),
          rank: z.number().int(),
          weight: z.number(),
          contribution: z.number(),
        })
        .readonly(),
    )
    .readonly(),
});

export const hitExplanationSchema = z.object({
  text: textExplanationSchema.readonly().nullable(),
  vector: z.object({ metric: z.string(), score: z.number(), distance: z.number() }).readonly().nullable(),
  fusion: fusionExplanationSchema.readonly().nullable(),
});

export const hitSchema = z.object({
  entity: z.string(),
  id: z.string(),
  chunk: z.number().int().min(0),
  ts: z.string(),
  kind: z.string(),
  score: z.number(),
  scores: z.object({ text: legSchema.optional(), vector: legSchema.optional() }).readonly(),
  text: z.string().optional(),
  attributes: eventSchema.shape.attributes,
  citation: citationSchema,
  explain: hitExplanationSchema.readonly().optional(),
});

export const searchAnswerSchema = z.object({
  hits: z.array(hitSchema.readonly()).readonly().describe("by score descending, then position ascending"),
  snapshot: z.string(),
  token: z.string(),
  stale_ms: z.number().describe("how old what was read may be: 0 unless the read is eventual"),
  index: z.object({
    unindexed_events: z
      .number()
      .int()
      .nullable()
      .describe("null when an eventual read was answered without the object"),
  }),
  performance: z.object({
    cache: z.enum(["memory", "ssd", "cold"]),
    plan: z.enum(["exact", "hnsw", "filtered_exact"]),
    plan_reason: z.string().optional(),
    candidates: z.number().int(),
    total_ms: z.number(),
  }),
  resolved: jsonSchema.optional().describe("with `explain`: what was asked, with every default and setting filled in"),
  degraded: z.array(z.string()).readonly().optional().describe("legs that could not run, and why"),
});

export const coverageSchema = z.object({
  kind: z
    .enum(["entities", "summaries", "full"])
    .describe("what was searched: the entities' own logs, one summary an entity, or all events"),
  statistics: z
    .enum(["entities", "tenant"])
    .describe(
      "whose live documents scores are worked out from: those of the listed entities, or all of the tenant's that the credential may see",
    ),
  entities: z.number().int().describe("entities that the answer was searched for in"),
  known_entities: z.number().int().describe("entities that have events"),
  waiting_entities: z.number().int().describe("entities with commits that this answer does not see yet"),
  unindexed_events: z.number().int().describe("of the tenant; 0 for a credential that is confined to a prefix"),
  as_of: z.string().nullable().describe("everything acknowledged before was seen; null when nobody can tell"),
});

/** `snapshot` pins a later search of the same kind. */
export const tenantSearchAnswerSchema = searchAnswerSchema.extend({ coverage: coverageSchema });

export const recallBodySchema = z.strictObject({
  samples: z.number().int().min(1).max(RECALL_SAMPLES_MAX).default(RECALL_SAMPLES_DEFAULT),
  top_k: z.number().int().min(1).max(TOP_K_MAX).default(TOP_K_DEFAULT),
});

export const recallAnswerSchema = z.object({
  recall: z.number().min(0).max(1).describe("share of the exact hits that the default plan found too"),
  approximate_ms: z.number().describe("mean of the default plan"),
  exact_ms: z.number().describe("mean with `exact: true`"),
  samples: z.number().int().describe("queries that were run: fewer than asked when the entity has fewer events"),
});
