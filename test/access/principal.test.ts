import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  authorizeDeployment,
  authorizeEntity,
  authorizeTenant,
  mayName,
  type Reach,
  type TenantPrincipal,
  visiblePrefix,
} from "../../core/access/principal.ts";
import { scopeSchema, tierSchema } from "../../core/schema/stored.ts";

const prefix = fc.string({ maxLength: 3, unit: fc.constantFrom("a", "b", ":") });
const principal: fc.Arbitrary<TenantPrincipal> = fc.record({
  kind: fc.constant("tenant" as const),
  tenant: fc.constant("t"),
  scopes: fc.uniqueArray(fc.constantFrom(...scopeSchema.options), { minLength: 1 }),
  tier: fc.constantFrom(...tierSchema.options),
  entityPrefix: fc.option(prefix.filter((text) => text !== "")),
});
const requirement = fc.record({
  credential: fc.constant("tenant" as const),
  scope: fc.constantFrom(...scopeSchema.options),
  tier: fc.constantFrom(...tierSchema.options),
  reach: fc.constantFrom<Reach>("entity", "listed", "tenant"),
});

describe("a tenant's principal", () => {
  it("is admitted exactly when scope, tier and reach all suffice", () => {
    const number = { T1: 1, T2: 2, T3: 3 };
    fc.assert(
      fc.property(principal, requirement, (who, what) => {
        const scope = who.scopes.includes("admin") || who.scopes.includes(what.scope);
        const tier = number[who.tier] >= number[what.tier];
        const reach = what.reach !== "tenant" || who.entityPrefix === null;
        expect(authorizeTenant(who, what).ok).toBe(scope && tier && reach);
      }),
    );
  });

  it("that may write may not therefore read", () => {
    const writer = { kind: "tenant", tenant: "t", scopes: ["write"], tier: "T3", entityPrefix: null } as const;
    const reading = { credential: "tenant", scope: "read", tier: "T1", reach: "entity" } as const;
    expect(authorizeTenant(writer, reading)).toEqual({
      ok: false,
      failure: { reason: "forbidden", needs: "the scope read" },
    });
  });

  it("never administers the deployment, nor the deployment a tenant", () => {
    fc.assert(
      fc.property(principal, requirement, (who, what) => {
        expect(authorizeDeployment(who).ok).toBe(false);
        expect(authorizeTenant({ kind: "deployment" }, what).ok).toBe(false);
      }),
    );
  });
});

describe("an entity prefix", () => {
  const entity = fc.string({ maxLength: 6, unit: fc.constantFrom("a", "b", ":") });

  it("admits the entities that start with it, and no others", () => {
    fc.assert(
      fc.property(principal, entity, (who, name) => {
        const inside = who.entityPrefix === null || name.indexOf(who.entityPrefix) === 0;
        expect(authorizeEntity(who, name).ok).toBe(inside);
      }),
    );
  });

  it("narrows a list to what is both asked for and allowed", () => {
    fc.assert(
      fc.property(principal, prefix, fc.array(entity), (who, asked, names) => {
        const narrowed = visiblePrefix(who, asked);
        const listed = narrowed === null ? [] : names.filter((name) => name.startsWith(narrowed));
        expect(listed).toEqual(names.filter((name) => name.startsWith(asked) && mayName(who, name)));
      }),
    );
  });
});
