/**
 * JSON that lies in the store, and the metadata of segments. Each record names its `format`, so that an older one can
 * be told from a newer. `…Schema` reads a record into its internal type; the function beside it writes one.
 * Times are RFC 3339 in the store and epoch milliseconds inside.
 */
import { z } from "zod";
import { fail, ok, type Result } from "../errors.ts";
import { MODEL_ID_BYTES_MAX } from "../limits.ts";
import { canonicalJson } from "../log/canonical.ts";
import type { ScopeHead, ScopeShard } from "../scope/scope_head.ts";
import { boundedText, entitySchema, formatTime, type Json, nameSchema, tenantSchema, timeSchema } from "./scalar.ts";

const FORMAT = 1;
const formatSchema = z.literal(FORMAT);
const countSchema = z.number().int().min(0);
const ordinalSchema = z.number().int().min(1);
const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in lower-case hex");

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Parses a stored record; `what` names the object in the failure. */
export function readStored<T>(schema: z.ZodType<T>, bytes: Uint8Array, what: string): Result<T> {
  const parsed = schema.safeParse(jsonOf(bytes));
  return parsed.success ? ok(parsed.data) : fail({ reason: "corrupt", what });
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
}

/** The bytes of a record. */
export function storedBytes(record: Json): Uint8Array {
  return encoder.encode(canonicalJson(record));
}

// --- Segment metadata -----------------------------------------------------------------------

/** Lies beside a segment as string metadata. Times of events are of all its lines. */
export interface SegmentMetadata {
  readonly incarnation: number;
  readonly commit: number;
  /** Of the object's bytes, lower-case hex. */
  readonly sha256: string;
  readonly lines: number;
  readonly rawBytes: number;
  /** Lines with a vector, its dimensions (0: none has one), and the bytes of all digits in `rawBytes`. */
  readonly vectors: number;
  readonly dimensions: number;
  readonly vectorBytes: number;
  readonly minTs: number;
  readonly maxTs: number;
  readonly arrivalMs: number;
}

/** What is known of a segment where it is listed with others. */
export type SegmentFacts = Omit<SegmentMetadata, "incarnation" | "minTs" | "maxTs">;

const digitsSchema = z
  .string()
  .regex(/^(0|-?[1-9]\d{0,15})$/, "must be an integer")
  .transform(Number);
const digitsFrom = (min: number) => digitsSchema.pipe(z.number().int().min(min));

export const segmentMetadataSchema = z
  .object({
    format: z.literal(String(FORMAT)),
    incarnation: digitsFrom(1),
    commit: digitsFrom(1),
    sha256: sha256Schema,
    lines: digitsFrom(1),
    raw_bytes: digitsFrom(1),
    // Of segments that were written before builds were planned by them: their builds are cut when they are too large.
    vectors: digitsFrom(0).default(0),
    dimensions: digitsFrom(0).default(0),
    vector_bytes: digitsFrom(0).default(0),
    min_ts_ms: digitsSchema,
    max_ts_ms: digitsSchema,
    arrival_ms: digitsSchema,
  })
  .transform(
    (stored): SegmentMetadata => ({
      incarnation: stored.incarnation,
      commit: stored.commit,
      sha256: stored.sha256,
      lines: stored.lines,
      rawBytes: stored.raw_bytes,
      vectors: stored.vectors,
      dimensions: stored.dimensions,
      vectorBytes: stored.vector_bytes,
      minTs: stored.min_ts_ms,
      maxTs: stored.max_ts_ms,
      arrivalMs: stored.arrival_ms,
    }),
  );

export function storedSegmentMetadata(metadata: SegmentMetadata): Record<string, string> {
  return {
    format: String(FORMAT),
    incarnation: String(metadata.incarnation),
    commit: String(metadata.commit),
    sha256: metadata.sha256,
    lines: String(metadata.lines),
    raw_bytes: String(metadata.rawBytes),
    vectors: String(metadata.vectors),
    dimensions: String(metadata.dimensions),
    vector_bytes: String(metadata.vectorBytes),
    min_ts_ms: String(metadata.minTs),
    max_ts_ms: String(metadata.maxTs),
    arrival_ms: String(metadata.arrivalMs),
  };
}

// --- Rollups --------------------------------------------------------------------------------

/** A segment in a rollup. */
export interface RolledSegment {
  readonly segment: string;
  /** Of the segment as it is stored. */
  readonly bytes: number;
  readonly facts: SegmentFacts;
}

export const rolledSegmentSchema = z
  .strictObject({
    segment: z.string(),
    bytes: ordinalSchema,
    commit: ordinalSchema,
    sha256: sha256Schema,
    lines: ordinalSchema,
    raw_bytes: ordinalSchema,
    vectors: countSchema,
    dimensions: countSchema,
    vector_bytes: countSchema,
    arrival_ms: z.number().int(),
  })
  .transform(
    ({ segment, bytes, raw_bytes, vector_bytes, arrival_ms, ...facts }): RolledSegment => ({
      segment,
      bytes,
      facts: { ...facts, rawBytes: raw_bytes, vectorBytes: vector_bytes, arrivalMs: arrival_ms },
    }),
  );

export function storedRolledSegment({ segment, bytes, facts }: RolledSegment): Json {
  const { rawBytes, vectorBytes, arrivalMs, commit, sha256, lines, vectors, dimensions } = facts;
  const counts = { commit, sha256, lines, vectors, dimensions };
  return { segment, bytes, ...counts, raw_bytes: rawBytes, vector_bytes: vectorBytes, arrival_ms: arrivalMs };
}

// --- Head -----------------------------------------------------------------------------------

/** A shard as a head lists it. Times are of its events, tombstones apart; null when it has none. */
export interface ShardEntry {
  readonly from: number;
  readonly to: number;
  readonly sha256: string;
  readonly bytes: number;
  /** Of its start, which plans a search: what the first wave of range reads fetches. */
  readonly hotBytes: number;
  /** Of its vectors and graphs. */
  readonly vectorBytes: number;
  /** Rows, and documents cut from them. */
  readonly events: number;
  readonly chunks: number;
  readonly minTs: number | null;
  readonly maxTs: number | null;
}

export interface Head {
  readonly version: number;
  readonly incarnation: number;
  readonly revision: string;
  /** c: the shards tile commits 1..c. */
  readonly covered: number;
  readonly shards: readonly ShardEntry[];
  /** The commit of the last redaction before it; absent: there was none. */
  readonly redacted?: number;
}

const shardEntrySchema = z
  .strictObject({
    from: ordinalSchema,
    to: ordinalSchema,
    sha256: sha256Schema,
    bytes: ordinalSchema,
    hot_bytes: ordinalSchema,
    vector_bytes: countSchema,
    events: countSchema,
    chunks: countSchema,
    min_ts: timeSchema.nullable(),
    max_ts: timeSchema.nullable(),
  })
  .transform(
    ({ hot_bytes, vector_bytes, min_ts, max_ts, ...entry }): ShardEntry => ({
      ...entry,
      hotBytes: hot_bytes,
      vectorBytes: vector_bytes,
      minTs: min_ts,
      maxTs: max_ts,
    }),
  );

export const headSchema = z
  .strictObject({
    format: formatSchema,
    v: ordinalSchema,
    i: ordinalSchema,
    r: nameSchema,
    c: countSchema,
    shards: z.array(shardEntrySchema),
    redacted: ordinalSchema.optional(),
  })
  .refine((head) => tiles(head.shards, head.c), "its shards do not tile commits 1 to c")
  .transform(
    (stored): Head => ({
      version: stored.v,
      incarnation: stored.i,
      revision: stored.r,
      covered: stored.c,
      shards: stored.shards,
      ...(stored.redacted === undefined ? {} : { redacted: stored.redacted }),
    }),
  );

/** Whether the ranges are contiguous, disjoint and in order, from commit 1 to `covered`. */
export function tiles(ranges: readonly { readonly from: number; readonly to: number }[], covered: number): boolean {
  let next = 1;
  for (const { from, to } of ranges) {
    if (from !== next || to < from) return false;
    next = to + 1;
  }
  return next === covered + 1;
}

export function storedHead(head: Head): Json {
  return {
    format: FORMAT,
    v: head.version,
    i: head.incarnation,
    r: head.revision,
    c: head.covered,
    shards: head.shards.map(({ hotBytes, vectorBytes, minTs, maxTs, ...entry }) => ({
      ...entry,
      hot_bytes: hotBytes,
      vector_bytes: vectorBytes,
      min_ts: timeOrNull(minTs),
      max_ts: timeOrNull(maxTs),
    })),
    ...(head.redacted === undefined ? {} : { redacted: head.redacted }),
  };
}

/** `head.json`: where an eventual reader looks first. It may lag behind; it never names a head that is not there. */
export interface HeadHint {
  readonly version: number;
  readonly incarnation: number;
  readonly confirmedAt: number;
}

export const headHintSchema = z
  .strictObject({ format: formatSchema, v: ordinalSchema, i: ordinalSchema, confirmed_at: timeSchema })
  .transform((stored): HeadHint => ({ version: stored.v, incarnation: stored.i, confirmedAt: stored.confirmed_at }));

export function storedHeadHint(hint: HeadHint): Json {
  return { format: FORMAT, v: hint.version, i: hint.incarnation, confirmed_at: formatTime(hint.confirmedAt) };
}

// --- Head of a tenant's index ---------------------------------------------------------------

const scopeShardSchema = z
  .strictObject({
    from: ordinalSchema,
    to: ordinalSchema,
    sha256: sha256Schema,
    bytes: ordinalSchema,
    hot_bytes: ordinalSchema,
    vector_bytes: countSchema,
    events: countSchema,
    chunks: countSchema,
    day: timeSchema,
    stale: z.boolean(),
  })
  .transform(
    ({ hot_bytes, vector_bytes, day, ...shard }): ScopeShard => ({
      ...shard,
      hotBytes: hot_bytes,
      vectorBytes: vector_bytes,
      dayMs: day,
    }),
  );

const scopeShardsSchema = z
  .array(scopeShardSchema)
  .refine((shards) => tiles(shards, shards.at(-1)?.to ?? 0), "its shards do not tile commits from 1 on");

export const scopeHeadSchema = z
  .strictObject({
    format: formatSchema,
    v: ordinalSchema,
    i: ordinalSchema,
    r: nameSchema,
    erasures: countSchema,
    summaries_from: countSchema,
    erased: z.array(z.strictObject({ entity: entitySchema, below: ordinalSchema })),
    layers: z.strictObject({ events: scopeShardsSchema, summaries: scopeShardsSchema }),
  })
  .transform(({ format: _, v, i, r, summaries_from, ...head }): ScopeHead => {
    return { ...head, version: v, incarnation: i, revision: r, summariesFrom: summaries_from };
  });

export function storedScopeHead({ layers, summariesFrom, ...head }: ScopeHead): Json {
  const { events, summaries } = layers;
  return {
    format: FORMAT,
    v: head.version,
    i: head.incarnation,
    r: head.revision,
    erasures: head.erasures,
    summaries_from: summariesFrom,
    erased: head.erased.map(({ entity, below }) => ({ entity, below })),
    layers: { events: events.map(storedScopeShard), summaries: summaries.map(storedScopeShard) },
  };
}

function storedScopeShard({ hotBytes, vectorBytes, dayMs, ...shard }: ScopeShard): Json {
  return { ...shard, hot_bytes: hotBytes, vector_bytes: vectorBytes, day: formatTime(dayMs) };
}

// --- Erasure --------------------------------------------------------------------------------

/** `erased.json`: incarnations up to this one are refused everywhere. */
export interface Erasure {
  readonly incarnation: number;
  readonly erasedAt: number;
}

export const erasedSchema = z
  .strictObject({ format: formatSchema, i: ordinalSchema, erased_at: timeSchema })
  .transform((stored): Erasure => ({ incarnation: stored.i, erasedAt: stored.erased_at }));

export function storedErased(erasure: Erasure): Json {
  return { format: FORMAT, i: erasure.incarnation, erased_at: formatTime(erasure.erasedAt) };
}

// --- Redaction ------------------------------------------------------------------------------

/** 0-based lines of a commit. */
export interface RedactedLines {
  readonly commit: number;
  readonly segment: string;
  readonly lines: readonly number[];
}

/** `redacted.json`: the last redaction of an incarnation, and what of it is still to be done. */
export interface RedactionRecord {
  readonly incarnation: number;
  /** Of the record in the log. */
  readonly commit: number;
  readonly lines: readonly RedactedLines[];
  /** Digests of blobs that go. */
  readonly blobs: readonly string[];
}

export const redactionSchema = z
  .strictObject({
    format: formatSchema,
    i: ordinalSchema,
    c: ordinalSchema,
    lines: z.array(z.strictObject({ commit: ordinalSchema, segment: z.string(), lines: z.array(countSchema) })),
    blobs: z.array(sha256Schema),
  })
  .transform(({ i, c, lines, blobs }): RedactionRecord => ({ incarnation: i, commit: c, lines, blobs }));

export function storedRedaction({ incarnation, commit, lines, blobs }: RedactionRecord): Json {
  const written = lines.map(({ commit: of, segment, lines: which }) => ({ commit: of, segment, lines: [...which] }));
  return { format: FORMAT, i: incarnation, c: commit, lines: written, blobs: [...blobs] };
}

// --- Tenants and keys -----------------------------------------------------------------------

export interface TenantRecord {
  readonly tenant: string;
  readonly createdAt: number;
}

export const tenantRecordSchema = z
  .strictObject({ format: formatSchema, tenant: tenantSchema, created_at: timeSchema })
  .transform((stored): TenantRecord => ({ tenant: stored.tenant, createdAt: stored.created_at }));

export function storedTenantRecord(record: TenantRecord): Json {
  return { format: FORMAT, tenant: record.tenant, created_at: formatTime(record.createdAt) };
}

export const scopeSchema = z.enum(["read", "write", "admin"]);
export type Scope = z.infer<typeof scopeSchema>;
export const tierSchema = z.enum(["T1", "T2", "T3"]);
export type Tier = z.infer<typeof tierSchema>;

/** An access key without its secret: only an HMAC of it is kept. */
export interface KeyRecord {
  readonly id: string;
  readonly tenant: string;
  /** HMAC-SHA-256 of the secret, lower-case hex. */
  readonly hmac: string;
  readonly scopes: readonly Scope[];
  readonly tier: Tier;
  readonly entityPrefix: string | null;
  readonly expiresAt: number | null;
  readonly createdAt: number;
}

export const keyRecordSchema = z
  .strictObject({
    format: formatSchema,
    id: nameSchema,
    tenant: tenantSchema,
    hmac: sha256Schema,
    scopes: z.array(scopeSchema).min(1),
    tier: tierSchema,
    entity_prefix: entitySchema.nullable(),
    expires_at: timeSchema.nullable(),
    created_at: timeSchema,
  })
  .transform(
    (stored): KeyRecord => ({
      id: stored.id,
      tenant: stored.tenant,
      hmac: stored.hmac,
      scopes: stored.scopes,
      tier: stored.tier,
      entityPrefix: stored.entity_prefix,
      expiresAt: stored.expires_at,
      createdAt: stored.created_at,
    }),
  );

export function storedKeyRecord(record: KeyRecord): Json {
  return {
    format: FORMAT,
    id: record.id,
    tenant: record.tenant,
    hmac: record.hmac,
    scopes: record.scopes,
    tier: record.tier,
    entity_prefix: record.entityPrefix,
    expires_at: timeOrNull(record.expiresAt),
    created_at: formatTime(record.createdAt),
  };
}

// --- Sweeps ---------------------------------------------------------------------------------

/** The last tenant that the last sweep visited; null: the next one begins at the first. */
export const sweptSchema = z
  .strictObject({ format: formatSchema, after: tenantSchema.nullable() })
  .transform(({ after }) => after);

export function storedSwept(after: string | null): Json {
  return { format: FORMAT, after };
}

// --- Settings -------------------------------------------------------------------------------

export const BM25_K1_MAX = 100;

/** Of a tenant or of an entity. A field that is absent is the tenant's, and there the deployment's. */
export const settingsSchema = z.strictObject({
  analyzer: nameSchema.optional(),
  bm25: z.strictObject({ k1: z.number().min(0).max(BM25_K1_MAX), b: z.number().min(0).max(1) }).optional(),
  metric: z.enum(["cosine", "dot", "l2"]).optional(),
  /** An embedder's id, or "none". */
  embedder: boundedText(MODEL_ID_BYTES_MAX).optional(),
  tenant_index: z.enum(["off", "summaries", "full"]).optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

export const storedSettingsSchema = settingsSchema
  .extend({ format: formatSchema })
  .transform(({ format: _, ...settings }): Settings => settings);

export function storedSettings(settings: Settings): Json {
  const { analyzer, bm25, metric, embedder, tenant_index } = settings;
  return {
    format: FORMAT,
    ...(analyzer === undefined ? {} : { analyzer }),
    ...(bm25 === undefined ? {} : { bm25 }),
    ...(metric === undefined ? {} : { metric }),
    ...(embedder === undefined ? {} : { embedder }),
    ...(tenant_index === undefined ? {} : { tenant_index }),
  };
}

// --- Queue ----------------------------------------------------------------------------------

/** The body of a queue message: an entity that has something to index. */
export const indexNudgeSchema = z.strictObject({ tenant: tenantSchema, entity: entitySchema });

/** The tenant's index has. */
export const scopeNudgeSchema = z.strictObject({ tenant: tenantSchema, scope: z.literal("tenant") });

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : formatTime(ms);
}
