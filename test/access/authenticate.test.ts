import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEVELOPMENT_ADMIN_TOKEN, DEVELOPMENT_KEY } from "../../core/access/authenticate.ts";
import { issueKey } from "../../core/access/issue_key.ts";
import type { Grant } from "../../core/access/principal.ts";
import { fail, ok } from "../../core/errors.ts";
import { KEY_CACHE_MS } from "../../core/limits.ts";
import { ADMIN_TOKEN, accessFixture } from "./access_fixture.ts";

const grant: Grant = { tenant: "acme", scopes: ["read", "write"], tier: "T2", entityPrefix: "account:" };
const unauthorized = fail({ reason: "unauthorized" });
const everything = {
  kind: "tenant",
  tenant: "dev",
  scopes: ["read", "write", "admin"],
  tier: "T3",
  entityPrefix: null,
};

async function withKey(expiresAt: number | null = null) {
  const fixture = accessFixture();
  await fixture.directory.createTenant(grant.tenant, fixture.clock.now());
  const issued = await issueKey(fixture, grant, expiresAt);
  if (!issued.ok) throw new Error("no key was issued");
  const { clock, directory, bearer, keyReads } = fixture;
  return { clock, directory, bearer, keyReads, key: issued.value.key, record: issued.value.record };
}

describe("an issued key", () => {
  it("makes the principal that was granted", async () => {
    const { bearer, key } = await withKey();
    expect(await bearer(key)).toEqual(ok({ kind: "tenant", ...grant }));
  });

  it("is not found in what is stored", async () => {
    const { key, record, directory } = await withKey();
    const secret = key.slice(-43);
    expect(JSON.stringify([record, await directory.key(record.id)])).not.toContain(secret);
  });

  it("is refused with any other secret", async () => {
    const { bearer, key, record } = await withKey();
    const secret = fc.string({ minLength: 43, maxLength: 43, unit: fc.constantFrom(..."abcXYZ019-_") });
    await fc.assert(
      fc.asyncProperty(secret, async (other) => {
        const forged = `ck_${record.id}_${other}`;
        fc.pre(forged !== key);
        expect(await bearer(forged)).toEqual(unauthorized);
      }),
    );
  });

  it("is refused from the millisecond it expires at", async () => {
    const { bearer, key, clock } = await withKey(2_000_000);
    clock.ms = 1_999_999;
    expect((await bearer(key)).ok).toBe(true);
    clock.ms = 2_000_000;
    expect(await bearer(key)).toEqual(unauthorized);
  });

  it("is read from the store once in the life of the cache", async () => {
    const { bearer, key, clock, keyReads } = await withKey();
    await bearer(key);
    clock.ms += KEY_CACHE_MS - 1;
    await bearer(key);
    expect(keyReads()).toBe(1);
    clock.ms += 1;
    await bearer(key);
    expect(keyReads()).toBe(2);
  });

  it("is refused once it was deleted and caches of it have died", async () => {
    const { bearer, key, record, clock, directory } = await withKey();
    await bearer(key);
    await directory.removeKey(grant.tenant, record.id);
    clock.ms += KEY_CACHE_MS;
    expect(await bearer(key)).toEqual(unauthorized);
  });
});

describe("a key that is not there yet", () => {
  it("works as soon as it is", async () => {
    const { bearer, key, record, directory } = await withKey();
    await directory.removeKey(grant.tenant, record.id);
    expect(await bearer(key)).toEqual(unauthorized);
    await directory.addKey(record);
    expect((await bearer(key)).ok).toBe(true);
  });
});

describe("the deployment's token", () => {
  it("makes the deployment's principal, and one letter off makes nobody", async () => {
    const { bearer } = accessFixture();
    expect(await bearer(ADMIN_TOKEN)).toEqual(ok({ kind: "deployment" }));
    expect(await bearer(`${ADMIN_TOKEN}x`)).toEqual(unauthorized);
  });
});

describe("the development key", () => {
  it("is an administrator of its tenant in development, and nobody elsewhere", async () => {
    expect(await accessFixture({ development: true }).bearer(DEVELOPMENT_KEY)).toEqual(ok(everything));
    expect(await accessFixture().bearer(DEVELOPMENT_KEY)).toEqual(unauthorized);
    expect(await accessFixture().bearer(DEVELOPMENT_ADMIN_TOKEN)).toEqual(unauthorized);
  });
});

describe("a verified token", () => {
  const claims = { tenant: "acme", scopes: ["read"], tier: "T1", entity_prefix: "user:", iss: "someone" };
  const withClaims = async (given: Record<string, unknown>) => {
    const fixture = accessFixture({ verifier: { verify: async () => ok(given) } });
    await fixture.directory.createTenant("acme", 0);
    return fixture.bearer("a.b.c");
  };

  it("makes the principal that its claims name", async () => {
    const principal = { kind: "tenant", tenant: "acme", scopes: ["read"], tier: "T1", entityPrefix: "user:" };
    expect(await withClaims(claims)).toEqual(ok(principal));
  });

  it.each([
    ["names a tenant that is not there", { ...claims, tenant: "other" }],
    ["names no tenant", { ...claims, tenant: undefined }],
    ["names a tenant that can not be", { ...claims, tenant: "../acme" }],
    ["names no scope", { ...claims, scopes: [] }],
    ["names an unknown scope", { ...claims, scopes: ["root"] }],
    ["names its scopes as a string", { ...claims, scopes: "read" }],
    ["names an unknown tier", { ...claims, tier: "T9" }],
    ["names an empty prefix", { ...claims, entity_prefix: "" }],
  ])("is refused when it %s", async (_, given) => {
    expect(await withClaims(given)).toEqual(unauthorized);
  });

  it("is refused where there is no issuer, and unavailable while the issuer is", async () => {
    const down = fail({ reason: "unavailable", what: "The issuer did not answer.", retryAfterSeconds: 1 });
    expect(await accessFixture().bearer("a.b.c")).toEqual(unauthorized);
    expect(await accessFixture({ verifier: { verify: async () => down } }).bearer("a.b.c")).toEqual(down);
  });
});
