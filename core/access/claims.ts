/**
 * The claims of a verified token that make it a principal. Other claims are the issuer's business and are left alone,
 * but one of ours that is malformed refuses the whole token.
 */
import { z } from "zod";
import { fail, ok, type Result } from "../errors.ts";
import { entitySchema, tenantSchema } from "../schema/scalar.ts";
import { scopeSchema, tierSchema } from "../schema/stored.ts";
import type { TenantPrincipal } from "./principal.ts";

const claimsSchema = z.object({
  tenant: tenantSchema,
  scopes: z.array(scopeSchema).min(1),
  tier: tierSchema,
  entity_prefix: entitySchema.optional(),
});

export function principalOfClaims(claims: Readonly<Record<string, unknown>>): Result<TenantPrincipal> {
  const parsed = claimsSchema.safeParse(claims);
  if (!parsed.success) return fail({ reason: "unauthorized" });
  const { tenant, scopes, tier, entity_prefix } = parsed.data;
  return ok({ kind: "tenant", tenant, scopes, tier, entityPrefix: entity_prefix ?? null });
}
