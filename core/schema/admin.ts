/**
 * Administration: tenants and keys with the deployment's token, operations with a tenant's `admin` scope.
 */
import { z } from "zod";
import { entitySchema, tenantSchema, timeSchema } from "./scalar.ts";
import { coverageSchema } from "./search_answer.ts";
import { scopeSchema, tierSchema } from "./stored.ts";

export const tenantBodySchema = z.strictObject({ tenant: tenantSchema });
export const tenantAnswerSchema = z.object({ tenant: z.string(), created_at: z.string() });
export const tenantPageSchema = z.object({
  tenants: z.array(z.object({ tenant: z.string() }).readonly()).readonly(),
  next_cursor: z.string().nullable(),
});

export const keyBodySchema = z.strictObject({
  scopes: z
    .array(scopeSchema)
    .min(1)
    .refine((scopes) => new Set(scopes).size === scopes.length, "names a scope twice"),
  tier: tierSchema,
  entity_prefix: entitySchema.nullish(),
  expires_at: timeSchema.nullish(),
});

export const keySchema = z.object({
  id: z.string(),
  scopes: z.array(scopeSchema).readonly(),
  tier: tierSchema,
  entity_prefix: z.string().nullable(),
  created_at: z.string(),
  expires_at: z.string().nullable(),
});
export const keyIssuedSchema = keySchema.extend({ key: z.string().describe("shown this once") });
export const keyPageSchema = z.object({
  keys: z.array(keySchema.readonly()).readonly(),
  next_cursor: z.string().nullable(),
});

/** Without an entity: everything the tenant has. */
export const operationBodySchema = z.strictObject({ entity: entitySchema.optional() });
export const rebuildBodySchema = operationBodySchema.extend({ re_embed: z.boolean().optional() });

export const deadLetterPageSchema = z.object({
  dead_letters: z
    .array(z.object({ id: z.string(), entity: z.string(), at: z.string(), error: z.string() }).readonly())
    .readonly(),
  next_cursor: z.string().nullable(),
});
export const replayedSchema = z.object({ replayed: z.string() });

const countSchema = z.number().int();
const lastRunSchema = z.string().nullable();

export const tenantStatusSchema = z.object({
  entities: countSchema,
  waiting: z
    .array(z.object({ entity: z.string(), unindexed_events: countSchema, since: z.string() }).readonly())
    .readonly()
    .describe("entities that wait to be indexed, longest first"),
  waiting_entities: countSchema,
  unindexed_events: countSchema,
  unindexed_bytes: countSchema,
  failed: countSchema.describe("dead letters: index work that was given up"),
  refused: countSchema.describe("entities whose index work is sealed, or that take no appends until it is done"),
  refused_entities: z
    .array(z.object({ entity: z.string(), why: z.enum(["sealed", "full"]) }).readonly())
    .readonly()
    .describe("the first of them: sealed until it is replayed or rebuilt, full until it is indexed"),
  drift: z
    .number()
    .nullable()
    .describe("of stored facts against freshly distilled ones; null until something was distilled twice"),
  jobs: z
    .object({
      queued: countSchema,
      running: countSchema,
      done: countSchema,
      failed: countSchema,
      cancelled: countSchema,
    })
    .readonly(),
  maintenance: z
    .object({ waiting_jobs: countSchema, opens_at: z.string().nullable() })
    .readonly()
    .describe("jobs that wait for the maintenance window, and when it opens for them"),
  last_runs: z.object({ sweep: lastRunSchema, reconcile: lastRunSchema }).readonly(),
  tenant_index: z
    .object({
      mode: z.enum(["off", "summaries", "full"]),
      coverage: coverageSchema.nullable(),
      shards: z.object({ events: z.number().int(), summaries: z.number().int() }),
      pending_commits: z.number().int().describe("taken in, and in no shard yet"),
      last_committed_at: z.string().nullable(),
      error: z.string().nullable().describe("why its work failed last, unless it has succeeded since"),
      unreadable_segments: z.array(z.string()).readonly().describe("left out: what they hold is not found by it"),
    })
    .describe("what searches over the whole tenant run on"),
});

export const healthSchema = z.object({ status: z.literal("ok") });
