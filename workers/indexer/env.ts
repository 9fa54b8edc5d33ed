/** The bindings of the indexer script, as its wrangler.toml names them. */

import type { EmbedderSettings } from "../../adapters/models/choose_embedder.ts";
import type { AiBinding } from "../../adapters/models/workers_ai.ts";
import type { ObjectNamespace } from "../../adapters/platform/object_namespace.ts";
import type { StoreSettings } from "../../adapters/storage/choose_store.ts";
import type { EntityIndexApi, IngestApi, JobOrder, TenantIndexApi } from "../../core/rpc.ts";
import type { ScopeIndexApi } from "../../core/scope/scope_rpc.ts";

export type Env = EmbedderSettings &
  StoreSettings & {
    /** Not needed when objects lie in another store. */
    readonly BUCKET?: R2Bucket;
    readonly ENTITY: ObjectNamespace<EntityIndexApi>;
    readonly SCOPE: ObjectNamespace<ScopeIndexApi>;
    readonly TENANT: ObjectNamespace<TenantIndexApi>;
    readonly INGEST: Pick<IngestApi, "importStretch">;
    readonly JOBS: Workflow<JobOrder>;
    readonly AI?: AiBinding;
  };
