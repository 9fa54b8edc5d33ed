/** The bindings of the ingest script, as its wrangler.toml names them. */
import type { ObjectNamespace } from "../../adapters/platform/object_namespace.ts";
import type { StoreSettings } from "../../adapters/storage/choose_store.ts";
import type { EntityApi } from "../../core/rpc.ts";

export interface Env extends StoreSettings {
  readonly ENTITY: ObjectNamespace<EntityApi>;
  /** Not needed when objects lie in another store. */
  readonly BUCKET?: R2Bucket;
}
