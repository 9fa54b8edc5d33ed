/** What the indexer is built from. */
import type {
  Checksum,
  Clock,
  Compression,
  Digest,
  Embedder,
  KernelBuilder,
  ObjectStore,
  Summarizer,
} from "../../core/ports.ts";
import type { EntityIndexApi, EntityScope, IngestApi, JobOrder, TenantIndexApi } from "../../core/rpc.ts";
import type { ScopeIndexApi } from "../../core/scope/scope_rpc.ts";

/** What a build needs. */
export interface BuildPorts {
  readonly compression: Compression;
  readonly digest: Digest;
  readonly checksum: Checksum;
  readonly store: ObjectStore;
  readonly builder: KernelBuilder;
  readonly embedder: Embedder | null;
  readonly entity: (scope: EntityScope) => Pick<EntityIndexApi, "stands">;
}

/** What a build of a tenant's index needs. */
export interface ScopeBuildPorts extends BuildPorts {
  readonly summarizer: Summarizer;
  readonly entity: (scope: EntityScope) => Pick<EntityIndexApi, "stands" | "summarySources">;
}

export interface IndexerPorts extends ScopeBuildPorts {
  readonly clock: Clock;
  readonly entity: (scope: EntityScope) => EntityIndexApi;
  readonly scope: (tenant: string) => ScopeIndexApi;
  readonly tenant: (tenant: string) => TenantIndexApi;
  readonly ingest: Pick<IngestApi, "importStretch">;
  readonly drivers: JobDrivers;
}

/** Instances of the workflow that drives jobs (job_drivers.ts). */
export interface JobDrivers {
  /** Starts the one instance of this name; one that is there already is left alone. */
  start(order: JobOrder): Promise<void>;
  /** Ends an instance, if there is one. */
  end(order: JobOrder): Promise<void>;
}
