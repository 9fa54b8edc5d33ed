/**
 * What a tenant's scope is built from. The classes here see ports only.
 */
import type { Result } from "../../core/errors.ts";
import type { Revision } from "../../core/index/part.ts";
import type {
  Checksum,
  Clock,
  Compression,
  Digest,
  Embedder,
  KernelBuilder,
  SlabPool,
  TenantStore,
} from "../../core/ports.ts";
import type { SlabResidency } from "../../core/retrieval/residency.ts";
import type { EntityScope, IndexedPage, LogCommit } from "../../core/rpc.ts";
import type { EntityStepsApi, ScopeNudge } from "../../core/scope/scope_rpc.ts";
import type { PartCache } from "../part_cache.ts";
import type { Alarm } from "../sql.ts";
import type { ScopeTables } from "./scope_tables.ts";

/** What a search over a list of entities needs. */
export interface FanOutPorts {
  readonly tenant: string;
  readonly digest: Digest;
  readonly builder: KernelBuilder;
  readonly slabs: SlabPool;
  readonly embedder: Embedder | null;
  readonly revision: Revision;
  readonly entityOf: (scope: EntityScope) => EntityStepsApi;
}

export interface TakenEntity extends EntityStepsApi {
  commits(scope: EntityScope, incarnation: number, from: number, to: number): Promise<Result<readonly LogCommit[]>>;
}

/** The tenant's registry, as its index sees it. */
export interface IndexedFeed {
  indexed(tenant: string, epoch: number, after: number): Promise<Result<IndexedPage>>;
  follow(tenant: string, on: boolean): Promise<Result<null>>;
}

export interface ScopePorts extends FanOutPorts {
  readonly tables: ScopeTables;
  readonly alarm: Alarm;
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly compression: Compression;
  readonly checksum: Checksum;
  readonly residency: SlabResidency;
  readonly cache: PartCache;
  readonly registry: IndexedFeed;
  readonly queue: { send(nudge: ScopeNudge): Promise<void> };
  readonly entityOf: (scope: EntityScope) => TakenEntity;
  readonly logFault: (event: string, cause: unknown) => void;
}
