/**
 * The object store over an R2 bucket: the only truth there is. R2 reads its own writes and lists them at once.
 * A create-only put answers null when the key exists. Faults reject: callers decide what to do about them.
 */
import { STORE_LIST_MAX } from "../../core/limits.ts";
import type { ObjectStore, TenantStore } from "../../core/ports.ts";
import { checkMetadata, checkRange, fullFolder, fullKey, fullPrefix, storeByPrefix } from "./tenant_prefix.ts";

/** What is used of a bucket. */
export type Bucket = Pick<R2Bucket, "get" | "put" | "list" | "delete">;

export function r2Store(bucket: Bucket): ObjectStore {
  return storeByPrefix((tenant, prefix) => tenantStore(bucket, tenant, prefix));
}

function tenantStore(bucket: Bucket, tenant: string, prefix: string): TenantStore {
  return {
    tenant,
    fullKey: (key) => fullKey(prefix, key),

    async get(key) {
      const object = await bucket.get(fullKey(prefix, key));
      return object === null
        ? null
        : { bytes: new Uint8Array(await object.arrayBuffer()), metadata: object.customMetadata ?? {} };
    },

    async getRange(key, offset, length) {
      checkRange(offset, length);
      const object = await bucket.get(fullKey(prefix, key), { range: { offset, length } });
      return object === null ? null : new Uint8Array(await object.arrayBuffer());
    },

    async put(key, bytes, metadata = {}) {
      checkMetadata(metadata);
      await bucket.put(fullKey(prefix, key), bytes, { customMetadata: { ...metadata } });
    },

    async create(key, bytes, metadata = {}) {
      checkMetadata(metadata);
      const created = await bucket.put(fullKey(prefix, key), bytes, {
        customMetadata: { ...metadata },
        onlyIf: new Headers({ "If-None-Match": "*" }),
      });
      return created !== null;
    },

    async list(listed, cursor = null) {
      const page = await bucket.list({
        prefix: fullPrefix(prefix, listed),
        limit: STORE_LIST_MAX,
        ...(cursor === null ? {} : { cursor }),
      });
      return {
        objects: page.objects.map((object) => ({ key: object.key.slice(prefix.length), bytes: object.size })),
        cursor: page.truncated ? page.cursor : null,
      };
    },

    async folders(folder, cursor = null) {
      const full = fullFolder(prefix, folder);
      const page = await bucket.list({
        prefix: full,
        delimiter: "/",
        limit: STORE_LIST_MAX,
        ...(cursor === null ? {} : { cursor }),
      });
      return {
        names: page.delimitedPrefixes.map((name) => name.slice(full.length, -1)),
        cursor: page.truncated ? page.cursor : null,
      };
    },

    async delete(keys) {
      const full = keys.map((key) => fullKey(prefix, key));
      for (let from = 0; from < full.length; from += STORE_LIST_MAX) {
        await bucket.delete(full.slice(from, from + STORE_LIST_MAX));
      }
    },
  };
}
