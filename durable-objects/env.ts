/**
 * The bindings of the objects' script, as wrangler.toml names them. Objects call each other through what they answer,
 * not through the platform's RPC types, which map every nested readonly value.
 */
import type { EmbedderSettings } from "../adapters/models/choose_embedder.ts";
import type { AiBinding } from "../adapters/models/workers_ai.ts";
import type { EntityIndexApi, IndexNudge, TenantIndexApi } from "../core/rpc.ts";
import type { SettingName } from "./settings.ts";

export interface ObjectNamespace<Api> {
  idFromName(name: string): DurableObjectId;
  get(id: DurableObjectId): Api;
}

export type Env = Readonly<Partial<Record<SettingName | "ENVIRONMENT", string>>> &
  EmbedderSettings & {
    readonly BUCKET: R2Bucket;
    readonly INDEX_QUEUE: Queue<IndexNudge>;
    readonly ENTITY: ObjectNamespace<EntityIndexApi>;
    readonly TENANT: ObjectNamespace<TenantIndexApi>;
    /** Present when the deployment has Workers AI. */
    readonly AI?: AiBinding;
  };
