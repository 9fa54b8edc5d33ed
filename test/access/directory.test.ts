import { describe, expect, it } from "vitest";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { createDirectory } from "../../core/access/directory.ts";
import { ok } from "../../core/errors.ts";
import { KEYS_PER_TENANT_MAX } from "../../core/limits.ts";
import { accessKeyKey, tenantKey } from "../../core/log/keys.ts";
import type { KeyRecord } from "../../core/schema/stored.ts";

function keyOf(tenant: string, index: number): KeyRecord {
  return {
    id: index.toString(16).padStart(16, "0"),
    tenant,
    hmac: "0".repeat(64),
    scopes: ["read"],
    tier: "T1",
    entityPrefix: null,
    expiresAt: null,
    createdAt: 0,
  };
}

async function withTenants() {
  const directory = createDirectory(memoryStore().system());
  await directory.createTenant("a", 1);
  await directory.createTenant("b", 2);
  return directory;
}

describe("the directory", () => {
  it("makes a tenant once", async () => {
    const directory = await withTenants();
    const again = await directory.createTenant("a", 9);
    expect(again).toMatchObject({ ok: false, failure: { reason: "conflict" } });
    expect(await directory.tenant("a")).toEqual(ok({ tenant: "a", createdAt: 1 }));
  });

  it("lists tenants, and nothing else that lies there", async () => {
    const directory = await withTenants();
    await directory.addKey(keyOf("a", 1));
    expect(await directory.tenants(null)).toEqual({ tenants: ["a", "b"], nextCursor: null });
  });

  it("gives keys to tenants that exist", async () => {
    const directory = await withTenants();
    expect(await directory.addKey(keyOf("c", 1))).toMatchObject({ ok: false, failure: { reason: "not_found" } });
    expect(await directory.key(keyOf("c", 1).id)).toEqual(ok(null));
  });

  it("lists and deletes a tenant's keys through that tenant only", async () => {
    const directory = await withTenants();
    await directory.addKey(keyOf("a", 1));
    await directory.addKey(keyOf("b", 2));
    expect(await directory.keysOf("a")).toEqual({ ok: true, value: [keyOf("a", 1)] });
    const foreign = await directory.removeKey("a", keyOf("b", 2).id);
    expect(foreign).toMatchObject({ ok: false, failure: { reason: "not_found" } });
    expect(await directory.key(keyOf("b", 2).id)).toEqual(ok(keyOf("b", 2)));
    await directory.removeKey("b", keyOf("b", 2).id);
    expect(await directory.keysOf("b")).toEqual({ ok: true, value: [] });
  });

  it("names a record that is not what was written, and removes a key whose record is not", async () => {
    const store = memoryStore().system();
    const directory = createDirectory(store);
    await directory.createTenant("a", 1);
    await directory.createTenant("b", 1);
    await directory.addKey(keyOf("a", 1));
    const { id } = keyOf("a", 1);
    await store.put(accessKeyKey(id), new Uint8Array([0]));
    const corrupt = { ok: false, failure: { reason: "corrupt", what: store.fullKey(accessKeyKey(id)) } };
    expect(await directory.key(id)).toEqual(corrupt);
    expect(await directory.keysOf("a")).toEqual(corrupt);
    expect(await directory.removeKey("b", id)).toMatchObject({ ok: false, failure: { reason: "not_found" } });
    expect(await directory.removeKey("a", id)).toEqual(ok(null));
    expect(await directory.keysOf("a")).toEqual(ok([]));
    await store.put(tenantKey("a"), new Uint8Array([0]));
    expect(await directory.addKey(keyOf("a", 2))).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
  });

  it("refuses one key more than a tenant may have", async () => {
    const directory = await withTenants();
    for (let i = 0; i < KEYS_PER_TENANT_MAX; i++) await directory.addKey(keyOf("a", i));
    const more = await directory.addKey(keyOf("a", KEYS_PER_TENANT_MAX));
    expect(more).toMatchObject({ ok: false, failure: { reason: "conflict" } });
    expect((await directory.addKey(keyOf("b", KEYS_PER_TENANT_MAX))).ok).toBe(true);
  });
});
