/**
 * Tenants and their keys, as they lie under `system/`. Reached from authentication and administration only.
 *
 *   tenants/{tenant}.json        the tenant
 *   keys/{id}.json               a key, without its secret
 *   tenant_keys/{tenant}/{id}    empty: lets a tenant's keys be listed
 *
 * A stored record that is not what was written lets nobody in, and is told of by name.
 */
import { fail, ok, type Result } from "../errors.ts";
import { KEYS_PER_TENANT_MAX, STORE_CONCURRENCY_MAX } from "../limits.ts";
import {
  accessKeyKey,
  parseTenantKeyMarkerKey,
  SYSTEM_TENANTS_PREFIX,
  tenantKey,
  tenantKeyMarkerKey,
  tenantKeysPrefix,
} from "../log/keys.ts";
import type { ObjectPage, TenantStore } from "../ports.ts";
import {
  type KeyRecord,
  keyRecordSchema,
  readStored,
  storedBytes,
  storedKeyRecord,
  storedTenantRecord,
  type TenantRecord,
  tenantRecordSchema,
} from "../schema/stored.ts";

export interface Directory {
  /** 409 when there is one of that name. */
  createTenant(tenant: string, nowMs: number): Promise<Result<TenantRecord>>;
  /** null: there is none. */
  tenant(tenant: string): Promise<Result<TenantRecord | null>>;
  tenants(cursor: string | null): Promise<{ readonly tenants: readonly string[]; readonly nextCursor: string | null }>;
  /** 404 without the tenant; 409 when it has KEYS_PER_TENANT_MAX already. */
  addKey(record: KeyRecord): Promise<Result<KeyRecord>>;
  /** null: there is none. */
  key(id: string): Promise<Result<KeyRecord | null>>;
  /** Every key of a tenant, ascending by id. */
  keysOf(tenant: string): Promise<Result<readonly KeyRecord[]>>;
  /** 404 unless the key is this tenant's; its record need not be whole. Caches of it die within KEY_CACHE_MS. */
  removeKey(tenant: string, id: string): Promise<Result<null>>;
}

export function createDirectory(store: TenantStore): Directory {
  const directory: Directory = {
    async createTenant(tenant, nowMs) {
      const record: TenantRecord = { tenant, createdAt: nowMs };
      const created = await store.create(tenantKey(tenant), storedBytes(storedTenantRecord(record)));
      return created ? ok(record) : fail({ reason: "conflict", detail: `The tenant ${tenant} exists already.` });
    },

    async tenant(tenant) {
      const key = tenantKey(tenant);
      const found = await store.get(key);
      return found === null ? ok(null) : readStored(tenantRecordSchema, found.bytes, store.fullKey(key));
    },

    async tenants(cursor) {
      const page = await store.list(SYSTEM_TENANTS_PREFIX, cursor);
      const names = page.objects.map((object) => object.key.slice(SYSTEM_TENANTS_PREFIX.length, -".json".length));
      return { tenants: names, nextCursor: page.cursor };
    },

    async addKey(record) {
      const tenant = await existing(directory, record.tenant);
      if (!tenant.ok) return tenant;
      const ids = await keyIds(store, record.tenant);
      if (ids.length >= KEYS_PER_TENANT_MAX) {
        return fail({
          reason: "conflict",
          detail: `A tenant has at most ${KEYS_PER_TENANT_MAX} keys; delete one first.`,
        });
      }
      // The marker first: a key that works is always one that can be listed and deleted.
      await store.put(tenantKeyMarkerKey(record.tenant, record.id), new Uint8Array(0));
      const created = await store.create(accessKeyKey(record.id), storedBytes(storedKeyRecord(record)));
      return created ? ok(record) : fail({ reason: "conflict", detail: "The key id is taken; try again." });
    },

    async key(id) {
      const key = accessKeyKey(id);
      const found = await store.get(key);
      return found === null ? ok(null) : readStored(keyRecordSchema, found.bytes, store.fullKey(key));
    },

    async keysOf(tenant) {
      const known = await existing(directory, tenant);
      if (!known.ok) return known;
      const ids = await keyIds(store, tenant);
      const records: KeyRecord[] = [];
      for (let i = 0; i < ids.length; i += STORE_CONCURRENCY_MAX) {
        const some = await Promise.all(ids.slice(i, i + STORE_CONCURRENCY_MAX).map((id) => directory.key(id)));
        for (const record of some) {
          if (!record.ok) return record;
          if (record.value?.tenant === tenant) records.push(record.value);
        }
      }
      return ok(records);
    },

    async removeKey(tenant, id) {
      const record = await directory.key(id);
      const isOwn = record.ok ? record.value?.tenant === tenant : await isMarked(store, tenant, id);
      if (!isOwn) return fail({ reason: "not_found", what: "The key" });
      await store.delete([accessKeyKey(id)]);
      await store.delete([tenantKeyMarkerKey(tenant, id)]);
      return ok(null);
    },
  };
  return directory;
}

async function keyIds(store: TenantStore, tenant: string): Promise<readonly string[]> {
  const prefix = tenantKeysPrefix(tenant);
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const page: ObjectPage = await store.list(prefix, cursor);
    for (const { key } of page.objects) {
      const id = parseTenantKeyMarkerKey(tenant, key);
      if (id !== null) ids.push(id);
    }
    cursor = page.cursor;
  } while (cursor !== null && ids.length <= KEYS_PER_TENANT_MAX);
  return ids;
}

async function existing(directory: Directory, tenant: string): Promise<Result<TenantRecord>> {
  const found = await directory.tenant(tenant);
  if (!found.ok) return found;
  return found.value === null ? fail({ reason: "not_found", what: `The tenant ${tenant}` }) : ok(found.value);
}

async function isMarked(store: TenantStore, tenant: string, id: string): Promise<boolean> {
  return (await store.get(tenantKeyMarkerKey(tenant, id))) !== null;
}
