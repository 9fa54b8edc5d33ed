/**
 * The bindings of the front door, as wrangler.toml names them. Only `worker.ts` sees an `Env`.
 */
import type { ObjectNamespace } from "../../adapters/platform/object_namespace.ts";
import type { EntityApi, IngestApi, TenantApi } from "../../core/rpc.ts";

export interface Env {
  readonly INGEST: IngestApi;
  readonly INDEXER: Fetcher;
  readonly ENTITY: ObjectNamespace<EntityApi>;
  readonly TENANT: ObjectNamespace<TenantApi>;
  readonly BUCKET: R2Bucket;
  readonly RATE_LIMITER: RateLimit;
  readonly ENVIRONMENT?: string;
  readonly API_KEY_PEPPER?: string;
  readonly ADMIN_TOKEN?: string;
  readonly CORS_ORIGINS?: string;
  readonly JWT_ISSUER?: string;
  readonly JWT_AUDIENCE?: string;
  readonly JWT_JWKS_URL?: string;
}
