/**
 * Who is asking, and whether that is enough. The tenant of a request is its principal's and comes from nowhere else.
 * `authorize` is one pure gate over (principal, requirement, entity): closed when in doubt.
 */
import { fail, ok, type Result } from "../errors.ts";
import { type Scope, type Tier, tierSchema } from "../schema/stored.ts";

/** What a credential may do for its tenant. */
export interface Grant {
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  readonly tier: Tier;
  /** Entities it may name start with this; null for all. */
  readonly entityPrefix: string | null;
}

export interface TenantPrincipal extends Grant {
  readonly kind: "tenant";
}

/** The operator of the deployment: makes tenants and keys, and sees nothing of a tenant's data. */
export interface DeploymentPrincipal {
  readonly kind: "deployment";
}

export type Principal = TenantPrincipal | DeploymentPrincipal;

/**
 * What an operation reaches: `entity` the one it names, `listed` whatever of the tenant the credential may see,
 * `tenant` the whole tenant, which a credential confined to a prefix may not touch.
 */
export type Reach = "entity" | "listed" | "tenant";

export interface TenantRequirement {
  readonly credential: "tenant";
  readonly scope: Scope;
  readonly tier: Tier;
  readonly reach: Reach;
}

export type Requirement = TenantRequirement | { readonly credential: "deployment" } | { readonly credential: "none" };

/** `admin` implies the others; `write` does not imply `read`. */
export function hasScope(held: readonly Scope[], needed: Scope): boolean {
  return held.includes(needed) || held.includes("admin");
}

/** Tiers ascend: a credential's is a ceiling, an operation's a floor. */
export function reachesTier(ceiling: Tier, floor: Tier): boolean {
  const ascending = tierSchema.options;
  return ascending.indexOf(ceiling) >= ascending.indexOf(floor);
}

export function mayName(grant: Grant, entity: string): boolean {
  return grant.entityPrefix === null || entity.startsWith(grant.entityPrefix);
}

/** Scope, tier and reach. Entities that the request names are asked about one by one with `authorizeEntity`. */
export function authorizeTenant(principal: Principal, requirement: TenantRequirement): Result<TenantPrincipal> {
  if (principal.kind !== "tenant") return fail({ reason: "forbidden", needs: "a tenant" });
  if (!hasScope(principal.scopes, requirement.scope)) {
    return fail({ reason: "forbidden", needs: `the scope ${requirement.scope}` });
  }
  if (!reachesTier(principal.tier, requirement.tier)) {
    return fail({ reason: "forbidden", needs: `the tier ${requirement.tier}` });
  }
  if (requirement.reach === "tenant" && principal.entityPrefix !== null) {
    return fail({ reason: "forbidden", needs: "access to the whole tenant" });
  }
  return ok(principal);
}

export function authorizeDeployment(principal: Principal): Result<DeploymentPrincipal> {
  if (principal.kind === "deployment") return ok(principal);
  return fail({ reason: "forbidden", needs: "administration of the deployment" });
}

export function authorizeEntity(grant: Grant, entity: string): Result<string> {
  return mayName(grant, entity) ? ok(entity) : fail({ reason: "forbidden", needs: "access to this entity" });
}

/** The prefix a list runs over: what was asked for, within what is allowed. null when the two have nothing in common. */
export function visiblePrefix(grant: Grant, asked: string): string | null {
  const allowed = grant.entityPrefix ?? "";
  if (asked.startsWith(allowed)) return asked;
  return allowed.startsWith(asked) ? allowed : null;
}
