/**
 * The calls between the scripts: what the front door, ingest and the indexer ask of each other and of the objects.
 * Every call names its scope, which an object compares with its own name; every answer is a `Result`, because a throw
 * across RPC loses its type.
 */
import type { Result } from "./errors.ts";
import type { Revision } from "./index/part.ts";
import type { TermField } from "./ports.ts";
import type { StoredEvent } from "./schema/event.ts";
import type { Json } from "./schema/scalar.ts";
import type { SearchRequest } from "./schema/search.ts";

export interface EntityScope {
  readonly tenant: string;
  readonly entity: string;
}

// --- Append ---------------------------------------------------------------------------------

export interface PreparedLine {
  readonly id: string;
  /** `ts` was not supplied: it does not count when a duplicate is compared. */
  readonly tsDefaulted: boolean;
  /** Dimensions of the supplied vector, 0 for none. */
  readonly dimensions: number;
  /** Of the vector in the line, 0 for none. */
  readonly vectorBytes: number;
  readonly kind: string;
  readonly tsMs: number;
}

/** Independent zstd frames and the lines they hold, in order. */
export interface PreparedFrames {
  readonly frames: readonly { readonly bytes: Uint8Array; readonly rawBytes: number; readonly lines: number }[];
  readonly lines: readonly PreparedLine[];
}

export interface AppendCommand {
  readonly scope: EntityScope;
  readonly prepared: PreparedFrames;
  readonly idempotency: { readonly key: string; readonly bodyDigest: string } | null;
}

export interface AppendResult {
  readonly commit: number;
  readonly segment: string;
  readonly accepted: number;
  readonly duplicates: number;
  /** Ids whose first event has other content. */
  readonly conflicts: readonly string[];
  readonly eventIds: readonly string[];
  readonly token: string;
  /** Where its time went; no part of the answer. */
  readonly times?: StageTimes;
}

/**
 * Milliseconds of what happens behind the front door: parsing and compressing in ingest; the call of the entity's
 * object, and in it waiting for the commit before, and the put.
 */
export type StageTimes = Readonly<Partial<Record<"ingest" | "object" | "wait" | "put", number>>>;

// --- Reads ----------------------------------------------------------------------------------

export interface Citation {
  readonly segment: string;
  /** 1-based line of the segment. */
  readonly line: number;
}

export interface TextExplanation {
  readonly score: number;
  readonly terms: readonly {
    readonly field: TermField;
    readonly term: string;
    readonly idf: number;
    readonly df: number;
    readonly tf: number;
    readonly norm: number;
    readonly weight: number;
    readonly score: number;
  }[];
}

export interface HitExplanation {
  readonly text: TextExplanation | null;
  readonly vector: { readonly metric: string; readonly score: number; readonly distance: number } | null;
  readonly fusion: {
    readonly method: "rrf";
    readonly k: number;
    readonly legs: readonly {
      readonly leg: "text" | "vector" | "verbatim";
      readonly rank: number;
      readonly weight: number;
      readonly contribution: number;
    }[];
  } | null;
}

export interface SearchHit {
  readonly entity: string;
  readonly id: string;
  readonly chunk: number;
  readonly ts: string;
  readonly kind: string;
  readonly score: number;
  readonly scores: {
    readonly text?: { readonly score: number; readonly rank: number };
    readonly vector?: { readonly score: number; readonly rank: number };
  };
  readonly text?: string;
  readonly attributes?: StoredEvent["attributes"];
  readonly citation: Citation;
  readonly explain?: HitExplanation;
}

export type Plan = "exact" | "filtered_exact" | "hnsw";
export type CacheTier = "memory" | "ssd" | "cold";

export interface SearchAnswer {
  readonly hits: readonly SearchHit[];
  readonly snapshot: string;
  readonly token: string;
  readonly staleMs: number;
  /** null: the answer was made without the entity's object, which alone knows. */
  readonly unindexedEvents: number | null;
  readonly cache: CacheTier;
  readonly plan: Plan;
  readonly planReason: string;
  readonly candidates: number;
  /** Defaults filled in: mode and weights that were used. */
  readonly resolved: Json;
  /** Legs that could not run, and why: e.g. the embedder did not answer. */
  readonly degraded: readonly string[];
}

export interface SearchCommand {
  readonly scope: EntityScope;
  readonly request: SearchRequest;
  /** What the scope's settings say; null: the deployment's default. */
  readonly bm25: { readonly k1: number; readonly b: number } | null;
}

export interface TimelineQuery {
  readonly scope: EntityScope;
  readonly from: number | null;
  readonly to: number | null;
  readonly kind: string | null;
  readonly session: string | null;
  readonly order: "asc" | "desc";
  readonly limit: number;
  readonly cursor: string | null;
}

export interface EventPage {
  readonly events: readonly StoredEvent[];
  readonly nextCursor: string | null;
}

export interface CitedEvent {
  readonly event: StoredEvent;
  readonly citation: Citation;
}

export interface EntityStatus {
  readonly snapshot: string;
  readonly events: number;
  readonly commits: number;
  readonly segments: number;
  readonly shards: readonly {
    readonly id: string;
    readonly bytes: number;
    readonly chunks: number;
    readonly from: number;
    readonly to: number;
    readonly minTs: number | null;
    readonly maxTs: number | null;
  }[];
  readonly unindexedEvents: number;
  readonly lastIndexedAt: number | null;
  readonly vector: { readonly dimensions: number; readonly model: string } | null;
  readonly cache: { readonly tier: CacheTier; readonly bytes: number };
  /** Set when index work on a range has failed WORK_ATTEMPTS_MAX times. */
  readonly sealed: { readonly from: number; readonly to: number; readonly error: string } | null;
  /** Objects of the store that no head named any more and that were deleted. */
  readonly collected: number;
}

// --- Indexing -------------------------------------------------------------------------------

/** A nudge: the body of a queue message. */
export interface IndexNudge {
  readonly tenant: string;
  readonly entity: string;
}

export interface EntityCounters {
  readonly entity: string;
  readonly incarnation: number;
  /** The commit of the last redaction; 0: none. */
  readonly redacted: number;
  readonly events: number;
  readonly lastTs: number | null;
  readonly lastCommit: number;
  readonly indexedCommit: number;
  /** How far a rebuild has come that is under way; null: none is. */
  readonly rebuiltCommit: number | null;
  readonly unindexedEvents: number;
  readonly unindexedBytes: number;
  /** So much waits to be indexed that appends answer 429. */
  readonly full: boolean;
  /** Index work is waiting or under way. Work that was sealed is not. */
  readonly pending: boolean;
  /** Index work was given up on until somebody asks for it again. */
  readonly sealed: boolean;
}

/**
 * What a shard is for: `index` for the end of the head; `rebuild` for what is built anew from segments, to take the
 * place of shards that the head has.
 */
export type WorkPurpose = "index" | "rebuild";

/** Which state of the index work was planned on: a proposal on another is stale. */
export interface PlannedOn {
  readonly purpose: WorkPurpose;
  /** Of the head; for a rebuild, of what is under construction. */
  readonly headVersion: number;
}

/** What an object asks the indexer to build: one shard over commits `from` to `to`. */
export interface IndexWork extends PlannedOn {
  readonly scope: EntityScope;
  readonly incarnation: number;
  readonly revision: Revision;
  readonly from: number;
  readonly to: number;
  /** How many of the trailing shards, of the head or under construction, the new one takes the place of. */
  readonly replaces: number;
  /** Where the lines are: shards first, then segments, both ascending; together they tile the range. */
  readonly shards: readonly { readonly sha256: string; readonly from: number; readonly to: number }[];
  readonly segments: readonly {
    readonly commit: number;
    readonly segment: string;
    readonly sha256: string;
    readonly lines: number;
    readonly arrivalMs: number;
  }[];
}

export interface HeadProposal {
  readonly scope: EntityScope;
  readonly incarnation: number;
  /** Absent: `index`. */
  readonly purpose?: WorkPurpose;
  readonly headVersion: number;
  readonly replaces: number;
  readonly sha256: string;
}

export type HeadOutcome = "committed" | "stale";

/** An event's text, as summaries of its entity are made of it. */
export interface SummarySource {
  readonly text: string;
  readonly ts: number;
  readonly session: string | null;
  /** Of a document's event: the document's id. */
  readonly document: string | null;
  /** `segment` is relative to the tenant. */
  readonly citation: Citation;
}

/** A commit of an entity, as its tenant's index takes it in. */
export interface LogCommit {
  readonly commit: number;
  readonly segment: string;
  readonly arrivalMs: number;
  /** UTF-8 bytes of its events' text. */
  readonly textBytes: number;
  /** It withdraws something. */
  readonly withdraws: boolean;
}

/** EntityObject's calls for the indexer and for its tenant's jobs. */
export interface EntityIndexApi {
  /** null: nothing is due. */
  nextWork(scope: EntityScope): Promise<Result<IndexWork | null>>;
  proposeHead(proposal: HeadProposal): Promise<Result<HeadOutcome>>;
  /**
   * Work that begins at `from` could not be done. `deferred`: it waits for something else, which is not its fault.
   * `smaller`: less is asked for now, at once. `purpose`: `index` unless it is named.
   */
  workFailed(
    scope: EntityScope,
    from: number,
    error: string,
    deferred: boolean,
    purpose?: WorkPurpose,
  ): Promise<Result<{ readonly smaller: boolean }>>;
  /**
   * Whether this incarnation still stands, and what the work was planned on: asked before anything of it is written that
   * only the indexer knows of. Whoever asks is at the work that begins at `from`: its lease begins anew.
   */
  stands(scope: EntityScope, incarnation: number, from: number, plannedOn?: PlannedOn): Promise<Result<boolean>>;
  /** Why index work last failed; null when it has not since it last succeeded. */
  lastFailure(scope: EntityScope): Promise<Result<string | null>>;
  unseal(scope: EntityScope): Promise<Result<null>>;
  counters(scope: EntityScope): Promise<Result<EntityCounters>>;
  /** Commits `from` to `to` of this incarnation: at most SCOPE_TAKEN_COMMITS_MAX; none when it is another one now. */
  commits(scope: EntityScope, incarnation: number, from: number, to: number): Promise<Result<readonly LogCommit[]>>;
  /** The newest text of its live events, of SUMMARY_SOURCE_BYTES_MAX; null when it is another incarnation now. */
  summarySources(scope: EntityScope, incarnation: number): Promise<Result<readonly SummarySource[] | null>>;
  rebuild(scope: EntityScope): Promise<Result<null>>;
  compact(scope: EntityScope): Promise<Result<null>>;
  erase(scope: EntityScope): Promise<Result<null>>;
  erased(scope: EntityScope): Promise<Result<boolean>>;
  warm(scope: EntityScope): Promise<Result<{ readonly bytes: number }>>;
}

// --- Ingest ---------------------------------------------------------------------------------

export interface RawBody {
  readonly bytes: Uint8Array;
  readonly contentType: string;
  readonly gzip: boolean;
}

export interface BulkEntityResult {
  readonly entity: string;
  readonly result: Result<AppendResult>;
}

/** The ingest script's RPC surface. The front door has authenticated; scopes are what the credential allows. */
export interface IngestApi {
  append(scope: EntityScope, body: RawBody, idempotencyKey: string | null): Promise<Result<AppendResult>>;
  /** `entityPrefix` null means the credential may write to every entity. */
  appendBulk(
    tenant: string,
    entityPrefix: string | null,
    body: RawBody,
    idempotencyKey: string | null,
  ): Promise<Result<readonly BulkEntityResult[]>>;
  putDocument(
    scope: EntityScope,
    id: string,
    contentType: string,
    bytes: Uint8Array,
  ): Promise<Result<AppendResult & { readonly searchable: boolean }>>;
  importArchive(
    scope: EntityScope,
    archive: Uint8Array,
  ): Promise<
    Result<{
      readonly accepted: number;
      readonly duplicates: number;
      readonly conflicts: readonly string[];
      readonly token: string | null;
    }>
  >;
  /** A bounded stretch of an archive that lies in the store. Doing one twice changes nothing. */
  importStretch(tenant: string, stretch: ImportStretch): Promise<Result<ImportedStretch>>;
}

// --- Objects --------------------------------------------------------------------------------

/** The newest live version of a document. */
export interface DocumentVersion {
  readonly id: string;
  /** Names this version; a function of its bytes, its media type and the version before it. */
  readonly version: string;
  /** Ids of the events its text was cut into. */
  readonly eventIds: readonly string[];
  /** Live events of earlier versions: those a put that was cut short did not withdraw. */
  readonly olderEventIds: readonly string[];
  /** Key of the raw bytes, relative to the tenant. */
  readonly blob: string;
  readonly sha256: string;
  readonly contentType: string;
  readonly bytes: number;
  readonly searchable: boolean;
}

/** A line that a redaction takes. */
export interface RedactedEvent {
  readonly id: string;
  /** Key of its segment, as it lies in the bucket. */
  readonly segment: string;
  /** 1-based line of the segment. */
  readonly line: number;
}

export interface RedactResult {
  /** The ids that were asked for: those that were redacted before as well. */
  readonly redacted: readonly string[];
  /** The lines that said something, duplicates included. */
  readonly lines: readonly RedactedEvent[];
  /** Of the commit that records the last redaction; null for a dry run. */
  readonly token: string | null;
}

/** EntityObject's public calls. */
export interface EntityApi {
  append(command: AppendCommand): Promise<Result<AppendResult>>;
  /** Appends a tombstone. Withdrawing twice answers the first tombstone's token. */
  withdraw(scope: EntityScope, id: string): Promise<Result<{ readonly token: string }>>;
  /** Takes what events say out of the log and of everything derived of it. A dry run says which lines would go. */
  redact(scope: EntityScope, ids: readonly string[], dryRun: boolean): Promise<Result<RedactResult>>;
  search(command: SearchCommand): Promise<Result<SearchAnswer>>;
  timeline(query: TimelineQuery): Promise<Result<EventPage>>;
  event(scope: EntityScope, id: string): Promise<Result<CitedEvent>>;
  document(scope: EntityScope, id: string): Promise<Result<DocumentVersion>>;
  status(scope: EntityScope): Promise<Result<EntityStatus>>;
  warm(scope: EntityScope): Promise<Result<{ readonly bytes: number }>>;
  /** Keys of all segments in commit order, relative to the tenant, for export. */
  segments(scope: EntityScope): Promise<Result<readonly { readonly commit: number; readonly segment: string }[]>>;
}

export type JobStatus = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Job {
  readonly id: string;
  readonly type: string;
  readonly status: JobStatus;
  readonly createdAt: number;
  /** Entities dealt with; commits, where it is about one; files of an archive, twice: to check and to import. */
  readonly progress: { readonly done: number; readonly total: number };
  /** When the maintenance window opens that it waits for; null when it does not. */
  readonly waitsUntil: number | null;
  readonly result?: Json;
  readonly error?: string;
}

export interface DeadLetter {
  readonly id: string;
  readonly entity: string;
  readonly at: number;
  readonly error: string;
}

export interface TenantStatus {
  readonly entities: number;
  /** Entities that wait to be indexed, longest first; SWEEP_ENTITIES_MAX of them at the most. */
  readonly waiting: readonly { readonly entity: string; readonly unindexedEvents: number; readonly since: number }[];
  readonly waitingEntities: number;
  /** Of all entities that wait. */
  readonly unindexedEvents: number;
  readonly unindexedBytes: number;
  readonly deadLetters: number;
  /** Entities whose index work is sealed. */
  readonly sealed: number;
  /** Entities that refuse appends until what they have is indexed. */
  readonly full: number;
  /** Both of these by name; STATUS_ENTITIES_MAX at the most. */
  readonly refused: readonly { readonly entity: string; readonly why: "sealed" | "full" }[];
  /** Of the jobs that are remembered. */
  readonly jobs: Readonly<Record<JobStatus, number>>;
  /** Jobs that wait for the maintenance window, and when it opens. */
  readonly jobsWaiting: { readonly count: number; readonly until: number | null };
  readonly lastSweepAt: number | null;
  readonly lastReconcileAt: number | null;
}

/** TenantObject's public calls; the object of a tenant knows its own name. */
export interface TenantApi {
  entities(
    tenant: string,
    prefix: string,
    limit: number,
    cursor: string | null,
  ): Promise<
    Result<{
      readonly entities: readonly {
        readonly entity: string;
        readonly events: number;
        readonly lastTs: number | null;
      }[];
      readonly nextCursor: string | null;
    }>
  >;
  tenantStatus(tenant: string): Promise<Result<TenantStatus>>;
  deadLetters(tenant: string): Promise<Result<readonly DeadLetter[]>>;
  jobs(
    tenant: string,
    limit: number,
    cursor: string | null,
  ): Promise<Result<{ readonly jobs: readonly Job[]; readonly nextCursor: string | null }>>;
  job(tenant: string, id: string): Promise<Result<Job>>;
}

export interface TenantSweep {
  readonly nudged: number;
  /** Jobs that nobody drives, under the generation that is to. */
  readonly undriven: readonly { readonly job: string; readonly generation: number }[];
}

/** TenantObject's calls for the indexer and for entities' objects. */
export interface TenantIndexApi {
  knows(tenant: string, entity: string): Promise<Result<{ readonly known: boolean }>>;
  markDirty(tenant: string, entity: string, commit: number): Promise<Result<{ readonly known: boolean }>>;
  report(tenant: string, counters: EntityCounters): Promise<Result<null>>;
  /** `incarnation` was erased, and swept. */
  forget(tenant: string, entity: string, incarnation: number): Promise<Result<null>>;
  /** What was indexed since `after` of that `epoch`; from the beginning when the epoch is another one now. */
  indexed(tenant: string, epoch: number, after: number): Promise<Result<IndexedPage>>;
  /** Whether ScopeObject wants to be told when something was indexed. */
  follow(tenant: string, on: boolean): Promise<Result<null>>;
  sweep(tenant: string): Promise<Result<TenantSweep>>;
  recordDeadLetter(tenant: string, letter: DeadLetter): Promise<Result<null>>;
  replay(tenant: string, id: string): Promise<Result<{ readonly replayed: string }>>;
  startJob(
    tenant: string,
    type: JobType,
    entity: string | null,
    options?: JobOptions,
  ): Promise<Result<{ readonly job: string }>>;
  cancelJob(tenant: string, id: string): Promise<Result<CancelledJob>>;
  /** Takes a job one bounded stretch further, for the driver of this generation. */
  lookAtJob(tenant: string, id: string, generation: number): Promise<Result<JobLook>>;
  /** What the driver did of an import; nothing when it began elsewhere than where the job stands. */
  recordImport(tenant: string, id: string, stretch: ImportStretch, done: ImportedStretch): Promise<Result<null>>;
  /** The driver cannot go on with this job. */
  failJob(tenant: string, id: string, error: string): Promise<Result<null>>;
  /** The generation that drives from now on; null when this one does not drive any more. */
  handOverJob(tenant: string, id: string, generation: number): Promise<Result<number | null>>;
}

/** What entities have indexed, in the order in which their tenant heard of it. */
export interface IndexedPage {
  /** Of the numbering of `next`. */
  readonly epoch: number;
  readonly entities: readonly {
    readonly entity: string;
    readonly incarnation: number;
    readonly indexedCommit: number;
    readonly redacted: number;
  }[];
  /** Pass back as `after`. */
  readonly next: number;
  readonly more: boolean;
  /** Entities with events, and of those that have something that is not indexed: how many, what, since when. */
  readonly known: number;
  readonly waiting: number;
  readonly unindexedEvents: number;
  readonly waitingSinceMs: number | null;
}

export type JobType = "rebuild" | "compact" | "reconcile" | "erase" | "warm" | "import";

/** The entities a job is about, where it is neither about one nor about all. */
export type JobSelection = { readonly entities: readonly string[] } | { readonly prefix: string };

export interface JobOptions {
  readonly selection?: JobSelection;
  /** Nobody asked for it: it waits for the maintenance window. */
  readonly background?: boolean;
}

export interface CancelledJob {
  readonly job: Job;
  readonly generation: number;
}

/** What a look at a job found: it has ended (for this driver), it wants another look, or its driver has work to do. */
export type JobLook =
  | { readonly next: "end" }
  | { readonly next: "rest"; readonly restMs: number }
  | { readonly next: "import"; readonly stretch: ImportStretch; readonly mayStillArrive: boolean };

/** Files of an archive in the store: first all are checked, then all are imported. */
export interface ImportStretch {
  readonly entity: string;
  /** Relative to the tenant. */
  readonly archive: string;
  readonly phase: "check" | "import";
  /** The first file, by the archive's order. */
  readonly from: number;
}

export interface ImportedStretch {
  /** null: the archive has no more files. */
  readonly next: number | null;
  /** Files of the whole archive. */
  readonly files: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly token: string | null;
}

/** A driver of a job: what an instance of a workflow is told. */
export interface JobOrder {
  readonly tenant: string;
  readonly job: string;
  readonly generation: number;
}

/**
 * Internal operations of the indexer, over its service binding, as JSON over HTTP (itty-router):
 *   POST /sweep                                   every tenant's dirty set → nudges
 *   POST /tenants/{tenant}/reconcile              → {job}
 *   POST /tenants/{tenant}/rebuild   {entity?}    → {job}
 *   POST /tenants/{tenant}/compact   {entity?}    → {job}
 *   POST /tenants/{tenant}/erase     {entity}     → {job}
 *   POST /tenants/{tenant}/import    {entity}     → {job}
 *   POST /tenants/{tenant}/warm      {entities} or {prefix} → {job}
 *   POST /tenants/{tenant}/jobs/{id}/cancel       → the job
 *   POST /tenants/{tenant}/dead-letters/{id}/replay → {replayed: id}
 * Failures come back as `{failure}` with the status `problemOf` gives.
 */

/** Names of objects: what `idFromName` takes, and what an object compares a call's scope with. */
export function entityObjectName({ tenant, entity }: EntityScope): string {
  return `${tenant}/${encodeURIComponent(entity)}`;
}
