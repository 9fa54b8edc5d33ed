/** What ingest's use cases are built from. */
import type { Clock, Compression, Digest, ObjectStore } from "../../core/ports.ts";
import type { EntityApi, EntityScope } from "../../core/rpc.ts";

export interface IngestPorts {
  readonly clock: Clock;
  readonly compression: Compression;
  readonly digest: Digest;
  readonly store: ObjectStore;
  readonly entity: (scope: EntityScope) => EntityApi;
}
