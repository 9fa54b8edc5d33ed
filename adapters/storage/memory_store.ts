/** An object store in memory: for tests and simulations. Keeps to the whole contract, paging and copies included. */
import type { ObjectStore, StoredObject, TenantStore } from "../../core/ports.ts";
import { pageOfFolders, pageOfKeys } from "./paging.ts";
import { checkMetadata, checkRange, fullFolder, fullKey, fullPrefix, storeByPrefix } from "./tenant_prefix.ts";

export function memoryStore(): ObjectStore {
  const objects = new Map<string, StoredObject>();
  return storeByPrefix((tenant, prefix) => tenantStore(objects, tenant, prefix));
}

function tenantStore(objects: Map<string, StoredObject>, tenant: string, prefix: string): TenantStore {
  const write = (full: string, bytes: Uint8Array, metadata: Readonly<Record<string, string>>) => {
    checkMetadata(metadata);
    objects.set(full, { bytes: bytes.slice(), metadata: { ...metadata } });
  };
  return {
    tenant,
    fullKey: (key) => fullKey(prefix, key),

    async get(key) {
      const object = objects.get(fullKey(prefix, key));
      return object === undefined ? null : { bytes: object.bytes.slice(), metadata: { ...object.metadata } };
    },

    async getRange(key, offset, length) {
      checkRange(offset, length);
      const object = objects.get(fullKey(prefix, key));
      if (object === undefined) return null;
      if (offset >= object.bytes.length) throw new RangeError(`offset ${offset} is beyond the object's end`);
      return object.bytes.slice(offset, offset + length);
    },

    async put(key, bytes, metadata = {}) {
      write(fullKey(prefix, key), bytes, metadata);
    },

    async create(key, bytes, metadata = {}) {
      const full = fullKey(prefix, key);
      if (objects.has(full)) return false;
      write(full, bytes, metadata);
      return true;
    },

    async list(listed, cursor = null) {
      const page = pageOfKeys(objects.keys(), fullPrefix(prefix, listed), cursor);
      const found = page.names.map((key) => ({
        key: key.slice(prefix.length),
        bytes: objects.get(key)?.bytes.length ?? 0,
      }));
      return { objects: found, cursor: page.cursor };
    },

    async folders(folder, cursor = null) {
      return pageOfFolders(objects.keys(), fullFolder(prefix, folder), cursor);
    },

    async delete(keys) {
      for (const full of keys.map((key) => fullKey(prefix, key))) objects.delete(full);
    },
  };
}
