/** An object store in memory: for tests and simulations. Keeps to the whole contract, paging and copies included. */
import { STORE_LIST_MAX } from "../../core/limits.ts";
import type { ObjectStore, StoredObject, TenantStore } from "../../core/ports.ts";
import {
  checkMetadata,
  checkRange,
  fullFolder,
  fullKey,
  fullPrefix,
  SYSTEM_PREFIX,
  tenantPrefix,
} from "./tenant_prefix.ts";

export function memoryStore(): ObjectStore {
  const objects = new Map<string, StoredObject>();
  return {
    forTenant: (tenant) => tenantStore(objects, tenant, tenantPrefix(tenant)),
    system: () => tenantStore(objects, "system", SYSTEM_PREFIX),
  };
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

    /** The cursor is the last key of the page before. */
    async list(listed, cursor = null) {
      const full = fullPrefix(prefix, listed);
      const keys = [...objects.keys()]
        .filter((key) => key.startsWith(full) && (cursor === null || key > prefix + cursor))
        .sort();
      const page = keys.slice(0, STORE_LIST_MAX).map((key) => ({
        key: key.slice(prefix.length),
        bytes: objects.get(key)?.bytes.length ?? 0,
      }));
      return { objects: page, cursor: keys.length > page.length ? (page.at(-1)?.key ?? null) : null };
    },

    /** The cursor is the last name of the page before. */
    async folders(folder, cursor = null) {
      const full = fullFolder(prefix, folder);
      const below = [...objects.keys()].filter((key) => key.startsWith(full) && key.includes("/", full.length));
      const all = [...new Set(below.map((key) => key.slice(full.length, key.indexOf("/", full.length))))].sort();
      const left = all.filter((name) => cursor === null || name > cursor);
      const names = left.slice(0, STORE_LIST_MAX);
      return { names, cursor: left.length > names.length ? (names.at(-1) ?? null) : null };
    },

    async delete(keys) {
      for (const full of keys.map((key) => fullKey(prefix, key))) objects.delete(full);
    },
  };
}
