/** What the indexer's use cases are built from. */
import type { Clock, Compression, Digest, Embedder, KernelBuilder, ObjectStore } from "../../core/ports.ts";
import type { EntityIndexApi, EntityScope, IndexNudge, TenantIndexApi } from "../../core/rpc.ts";

export interface IndexerPorts {
  readonly clock: Clock;
  readonly compression: Compression;
  readonly digest: Digest;
  readonly store: ObjectStore;
  readonly builder: KernelBuilder;
  readonly embedder: Embedder | null;
  readonly entity: (scope: EntityScope) => EntityIndexApi;
  readonly tenant: (tenant: string) => TenantIndexApi;
  readonly queue: { send(nudge: IndexNudge): Promise<void> };
}
