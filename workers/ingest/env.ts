/** The bindings of the ingest script, as its wrangler.toml names them. */
import type { ObjectNamespace } from "../../adapters/platform/object_namespace.ts";
import type { EntityApi } from "../../core/rpc.ts";

export interface Env {
  readonly ENTITY: ObjectNamespace<EntityApi>;
  readonly BUCKET: R2Bucket;
}
