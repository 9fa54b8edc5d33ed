/**
 * The calls that a search over several entities and a tenant's index are made of. As in `core/rpc.ts`, every call names
 * its scope, and every answer is a `Result`.
 */
import type { Result } from "../errors.ts";
import type { Revision, VectorSpace } from "../index/part.ts";
import type { TextStatistics } from "../ports.ts";
import type { ResolvedSearch } from "../retrieval/resolve.ts";
import type { Placed } from "../retrieval/search.ts";
import type { VerbatimPlaces } from "../retrieval/verbatim.ts";
import type {
  CacheTier,
  EntityScope,
  HeadOutcome,
  LogCommit,
  Plan,
  SearchAnswer,
  SearchCommand,
  SearchHit,
} from "../rpc.ts";
import type { TenantSearchRequest } from "../schema/search.ts";
import type { Erased, LayerName } from "./scope_head.ts";

// --- One search over several entities -------------------------------------------------------

/**
 * A search over listed entities runs in three steps in each of them, over one snapshot: what its live documents say of
 * the terms; its best documents of each leg, by the sums of all; the hits that made it into the answer. Ordinals count
 * the documents of an entity in order of position, however they are laid out.
 */
export interface EntityStepsApi {
  /** Takes the snapshot that the request names or the entity has now. */
  surveySearch(command: SearchCommand): Promise<Result<SearchSurvey>>;
  rankSearch(step: SearchStep): Promise<Result<EntityRanking>>;
  hydrateSearch(step: SearchStep, placed: readonly Placed[]): Promise<Result<readonly SearchHit[]>>;
}

/** A search over a tenant, or over some of its entities. */
export interface ScopeSearchCommand {
  readonly tenant: string;
  readonly search: TenantSearchRequest;
  /** What the credential may see; null: everything of the tenant. */
  readonly entityPrefix: string | null;
  readonly bm25: SearchCommand["bm25"];
}

export interface ScopeSearchAnswer extends SearchAnswer {
  readonly coverage: ScopeCoverage;
}

export interface ScopeCoverage {
  readonly kind: "entities" | "summaries" | "full";
  readonly statistics: "entities" | "tenant";
  /** Entities that the answer was searched for in. */
  readonly entities: number;
  readonly knownEntities: number;
  /** Entities with commits that the answer does not see. */
  readonly waitingEntities: number;
  readonly unindexedEvents: number;
  /** Everything acknowledged before was seen; null when that is not known. */
  readonly asOf: number | null;
}

/** ScopeObject's public calls: what runs over a whole tenant, apart from the object that registers entities. */
export interface ScopeApi {
  searchScope(command: ScopeSearchCommand): Promise<Result<ScopeSearchAnswer>>;
  scopeStatus(tenant: string): Promise<Result<ScopeStatus>>;
  configure(tenant: string): Promise<Result<null>>;
  /** Something of the entity was redacted: from the answer on nothing of it is found. */
  redactEntity(tenant: string, entity: string): Promise<Result<null>>;
}

export interface SearchSurvey {
  readonly snapshot: string;
  /** Of the terms of the request's text; none when it has no text. */
  readonly statistics: TextStatistics;
  readonly space: VectorSpace | null;
  readonly unindexedEvents: number;
  readonly cache: CacheTier;
}

export interface SearchStep {
  readonly scope: EntityScope;
  /** From the survey. */
  readonly snapshot: string;
  readonly search: ResolvedSearch;
  readonly statistics: TextStatistics;
}

export interface RankedOrdinals {
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
}

export interface EntityRanking {
  readonly text: RankedOrdinals | null;
  readonly vector: RankedOrdinals | null;
  readonly verbatim: VerbatimPlaces;
  /** Documents that were eligible, and how many ordinals there are. */
  readonly candidates: number;
  readonly documents: number;
  readonly plan: Plan;
  readonly planReason: string;
}

// --- Tenant-wide index ----------------------------------------------------------------------

/** A nudge of a tenant's index. */
export interface ScopeNudge {
  readonly tenant: string;
  readonly scope: "tenant";
}

/** What ScopeObject asks the indexer to build: one shard of a layer. */
export interface ScopeWork {
  readonly tenant: string;
  readonly layer: LayerName;
  readonly incarnation: number;
  readonly revision: Revision;
  readonly headVersion: number;
  readonly dayMs: number;
  /** Whose place it takes, ascending; then what it newly takes in, of which as much as fits, from its start. */
  readonly shards: readonly { readonly sha256: string; readonly dayMs: number }[];
  readonly commits: readonly Pick<LogCommit, "commit" | "segment" | "arrivalMs">[];
  readonly erased: readonly Erased[];
}

export interface ScopeProposal {
  readonly tenant: string;
  readonly layer: LayerName;
  readonly headVersion: number;
  readonly dayMs: number;
  readonly sha256: string;
  /** Segments that could not be read: their commits are empty in the shard. */
  readonly unreadable: readonly string[];
}

/** ScopeObject's calls for the indexer and for TenantObject. */
export interface ScopeIndexApi {
  /** Reads the tenant's settings anew. */
  configure(tenant: string): Promise<Result<null>>;
  /** Something was indexed. */
  noticed(tenant: string): Promise<Result<null>>;
  /** Holds from the answer on: nothing of the entity before incarnation `below` is searched any more. */
  eraseEntity(tenant: string, entity: string, below: number): Promise<Result<null>>;
  rebuildScope(tenant: string): Promise<Result<null>>;
  nextScopeWork(tenant: string): Promise<Result<ScopeWork | null>>;
  proposeShard(proposal: ScopeProposal): Promise<Result<HeadOutcome>>;
  scopeWorkFailed(tenant: string, error: string, deferred: boolean): Promise<Result<null>>;
}

export interface ScopeStatus {
  readonly mode: "off" | "summaries" | "full";
  readonly coverage: ScopeCoverage | null;
  readonly shards: Readonly<Record<LayerName, number>>;
  /** Commits that were taken in and are in no shard yet. */
  readonly pending: number;
  readonly lastCommittedAt: number | null;
  /** Why work last failed; null when it has not since it last succeeded. */
  readonly error: string | null;
  readonly unreadable: readonly string[];
}
