/**
 * What handlers are made of. Built once by `worker.ts`; nothing below this sees a binding.
 */
import type { Authenticator } from "../../core/access/authenticate.ts";
import type { Directory } from "../../core/access/directory.ts";
import type { Secrets } from "../../core/access/secrets.ts";
import type { Result } from "../../core/errors.ts";
import type { Clock, Compression, Digest, ObjectStore, Random, Timer } from "../../core/ports.ts";
import type { EntityApi, EntityScope, IngestApi, JobType, TenantApi } from "../../core/rpc.ts";
import type { Json } from "../../core/schema/scalar.ts";
import type { ScopeApi } from "../../core/scope/scope_rpc.ts";
import type { EventualReader } from "./eventual/eventual_reader.ts";
import type { RateLimit } from "./http/rate_limit.ts";
import type { SettingsStore } from "./settings/settings_store.ts";

export interface IndexerClient {
  /** Starts a job. */
  run(tenant: string, type: JobType, body: Json): Promise<Result<Json>>;
  cancel(tenant: string, job: string): Promise<Result<Json>>;
  replay(tenant: string, deadLetter: string): Promise<Result<Json>>;
}

export interface Services {
  readonly ingest: IngestApi;
  readonly indexer: IndexerClient;
  readonly store: ObjectStore;
  readonly settings: SettingsStore;
  readonly directory: Directory;
  readonly secrets: Secrets;
  readonly authenticator: Authenticator;
  readonly rateLimit: RateLimit;
  readonly eventual: EventualReader;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly random: Random;
  readonly compression: Compression;
  readonly digest: Digest;
  entity(scope: EntityScope): EntityApi;
  tenant(tenant: string): TenantApi;
  scope(tenant: string): ScopeApi;
}
