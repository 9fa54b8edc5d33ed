/**
 * The bindings of the front door, as wrangler.toml names them. Only `worker.ts` sees an `Env`.
 */
import type { EmbedderSettings } from "../../adapters/models/choose_embedder.ts";
import type { AiBinding } from "../../adapters/models/workers_ai.ts";
import type { ObjectNamespace } from "../../adapters/platform/object_namespace.ts";
import type { StoreSettings } from "../../adapters/storage/choose_store.ts";
import type { EntityApi, IngestApi, TenantApi } from "../../core/rpc.ts";
import type { ScopeApi } from "../../core/scope/scope_rpc.ts";

export interface Env extends StoreSettings, EmbedderSettings {
  readonly INGEST: IngestApi;
  readonly INDEXER: Fetcher;
  readonly ENTITY: ObjectNamespace<EntityApi>;
  readonly TENANT: ObjectNamespace<TenantApi>;
  readonly SCOPE: ObjectNamespace<ScopeApi>;
  /** Not needed when objects lie in another store. */
  readonly BUCKET?: R2Bucket;
  readonly RATE_LIMITER: RateLimit;
  /** Present when the deployment has Workers AI. */
  readonly AI?: AiBinding;
  readonly API_KEY_PEPPER?: string;
  readonly ADMIN_TOKEN?: string;
  readonly CORS_ORIGINS?: string;
  readonly JWT_ISSUER?: string;
  readonly JWT_AUDIENCE?: string;
  readonly JWT_JWKS_URL?: string;
  readonly MAINTENANCE_WINDOW_UTC?: string;
}
