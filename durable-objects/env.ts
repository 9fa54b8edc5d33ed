/**
 * The bindings of the objects' script, as wrangler.toml names them.
 */

import type { EmbedderSettings } from "../adapters/models/choose_embedder.ts";
import type { AiBinding } from "../adapters/models/workers_ai.ts";
import type { ObjectNamespace } from "../adapters/platform/object_namespace.ts";
import type { StoreSettings } from "../adapters/storage/choose_store.ts";
import type { EntityIndexApi, IndexNudge, TenantIndexApi } from "../core/rpc.ts";
import type { EntityStepsApi, ScopeIndexApi, ScopeNudge } from "../core/scope/scope_rpc.ts";
import type { SettingName } from "./settings.ts";

export type Env = Readonly<Partial<Record<SettingName | "ENVIRONMENT", string>>> &
  EmbedderSettings &
  StoreSettings & {
    /** Not needed when objects lie in another store. */
    readonly BUCKET?: R2Bucket;
    readonly INDEX_QUEUE: Queue<IndexNudge | ScopeNudge>;
    readonly ENTITY: ObjectNamespace<EntityIndexApi & EntityStepsApi>;
    readonly TENANT: ObjectNamespace<TenantIndexApi>;
    readonly SCOPE: ObjectNamespace<ScopeIndexApi>;
    /** Present when the deployment has Workers AI. */
    readonly AI?: AiBinding;
  };
