/**
 * How long a search may go by settings that were replaced. Two stores over one bucket stand for two isolates.
 */
import { describe, expect, it } from "vitest";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { SETTINGS_CACHE_MS } from "../../core/limits.ts";
import { entitySettingsKey } from "../../core/log/keys.ts";
import { createSettingsStore } from "../../workers/query/settings/settings_store.ts";

const scope = { tenant: "dev", entity: "account:a" };
const ofTenant = { tenant: "dev", entity: null };
const OLD = { k1: 1, b: 0.1 };
const NEW = { k1: 2, b: 0.2 };

function isolates() {
  const clock = { ms: 0, now: () => clock.ms };
  const store = memoryStore();
  return { clock, store, here: createSettingsStore(store, clock), there: createSettingsStore(store, clock) };
}

describe("replaced settings", () => {
  it.each([["an entity's", scope] as const, ["a tenant's", ofTenant] as const])(
    "of %s count at once where they were replaced, and elsewhere once the cache has died",
    async (_, replaced) => {
      const { clock, here, there } = isolates();
      await here.replace(replaced, { bm25: OLD });
      for (const isolate of [here, there]) expect(await isolate.bm25(scope)).toEqual({ ok: true, value: OLD });
      await here.replace(replaced, { bm25: NEW });
      expect(await here.bm25(scope)).toEqual({ ok: true, value: NEW });
      clock.ms = SETTINGS_CACHE_MS - 1;
      expect(await there.bm25(scope)).toEqual({ ok: true, value: OLD });
      expect(await there.read(replaced)).toEqual({ ok: true, value: { bm25: NEW } });
      clock.ms = SETTINGS_CACHE_MS;
      expect(await there.bm25(scope)).toEqual({ ok: true, value: NEW });
    },
  );

  it("of one tenant are no other's, nor an entity's its tenant's", async () => {
    const { here } = isolates();
    await here.replace(scope, { bm25: NEW });
    await here.replace(ofTenant, { bm25: OLD });
    expect(await here.bm25(scope)).toEqual({ ok: true, value: NEW });
    expect(await here.bm25({ tenant: "dev", entity: "account:b" })).toEqual({ ok: true, value: OLD });
    expect(await here.bm25({ tenant: "dev2", entity: "account:a" })).toEqual({ ok: true, value: null });
    expect(await here.read({ tenant: "dev2", entity: null })).toEqual({ ok: true, value: null });
  });
});

describe("damaged settings", () => {
  it("stop a search, named, rather than score it by something else", async () => {
    const { store, here } = isolates();
    const key = entitySettingsKey(scope.entity);
    await store.forTenant(scope.tenant).put(key, new TextEncoder().encode('{"format":1,"bm25":'));
    const failed = { ok: false, failure: { reason: "corrupt", what: store.forTenant(scope.tenant).fullKey(key) } };
    expect(await here.bm25(scope)).toEqual(failed);
    expect(await here.read(scope)).toEqual(failed);
  });
});
