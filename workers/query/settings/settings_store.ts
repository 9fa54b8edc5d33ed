/**
 * Settings as they are stored, one object a tenant and one an entity, and what a search goes by: an entity's field over
 * its tenant's over the deployment's default.
 *
 * Searches read through a cache, so another isolate may go by what was replaced for SETTINGS_CACHE_MS; reading them back
 * never does.
 */
import { ExpiringCache } from "../../../core/access/expiring_cache.ts";
import { ok, type Result } from "../../../core/errors.ts";
import { SETTINGS_CACHE_ENTRIES_MAX, SETTINGS_CACHE_MS } from "../../../core/limits.ts";
import { entitySettingsKey, SETTINGS_KEY } from "../../../core/log/keys.ts";
import type { Clock, ObjectStore } from "../../../core/ports.ts";
import type { SearchCommand } from "../../../core/rpc.ts";
import {
  readStored,
  type Settings,
  storedBytes,
  storedSettings,
  storedSettingsSchema,
} from "../../../core/schema/stored.ts";

/** Whose settings. */
export interface SettingsScope {
  readonly tenant: string;
  /** null: the tenant's own. */
  readonly entity: string | null;
}

export interface SettingsStore {
  /** null: nothing was ever set. */
  read(scope: SettingsScope): Promise<Result<Settings | null>>;
  replace(scope: SettingsScope, settings: Settings): Promise<void>;
  /** What searches of an entity, or of its whole tenant, are scored by; null: the deployment's default. */
  bm25(scope: SettingsScope): Promise<Result<SearchCommand["bm25"]>>;
}

export function createSettingsStore(store: ObjectStore, clock: Clock): SettingsStore {
  const cache = new ExpiringCache<Settings>(clock, SETTINGS_CACHE_MS, SETTINGS_CACHE_ENTRIES_MAX);

  async function read({ tenant, entity }: SettingsScope): Promise<Result<Settings | null>> {
    const objects = store.forTenant(tenant);
    const key = entity === null ? SETTINGS_KEY : entitySettingsKey(entity);
    const stored = await objects.get(key);
    return stored === null ? ok(null) : readStored(storedSettingsSchema, stored.bytes, objects.fullKey(key));
  }

  async function cached(scope: SettingsScope): Promise<Result<Settings>> {
    const known = cache.get(cacheName(scope));
    if (known !== undefined) return ok(known);
    const found = await read(scope);
    if (!found.ok) return found;
    const settings = found.value ?? {};
    cache.set(cacheName(scope), settings);
    return ok(settings);
  }

  return {
    read,

    async replace(scope, settings) {
      const key = scope.entity === null ? SETTINGS_KEY : entitySettingsKey(scope.entity);
      await store.forTenant(scope.tenant).put(key, storedBytes(storedSettings(settings)));
      cache.drop(cacheName(scope));
    },

    async bm25({ tenant, entity }) {
      const tenantsOwn = cached({ tenant, entity: null });
      const [own, tenants] = await Promise.all([entity === null ? tenantsOwn : cached({ tenant, entity }), tenantsOwn]);
      if (!own.ok) return own;
      if (!tenants.ok) return tenants;
      return ok(own.value.bm25 ?? tenants.value.bm25 ?? null);
    },
  };
}

/** No tenant's name holds a slash. */
function cacheName({ tenant, entity }: SettingsScope): string {
  return entity === null ? tenant : `${tenant}/${entity}`;
}
