/** The bindings of the ingest script, as its wrangler.toml names them. */
import type { EntityApi } from "../../core/rpc.ts";

export interface ObjectNamespace<Api> {
  idFromName(name: string): DurableObjectId;
  get(id: DurableObjectId): Api;
}

export interface Env {
  readonly ENTITY: ObjectNamespace<EntityApi>;
  readonly BUCKET: R2Bucket;
}
