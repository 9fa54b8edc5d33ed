/**
 * Bursts per tenant. The binding counts per location and is permissive: it protects, it does not account.
 */
import type { Principal } from "../../../core/access/principal.ts";
import { fail, ok, type Result } from "../../../core/errors.ts";
import { RATE_LIMIT_PERIOD_SECONDS } from "../../../core/limits.ts";
import type { RateLimiter } from "../services.ts";

export async function withinRate(limiter: RateLimiter, principal: Principal): Promise<Result<null>> {
  // No tenant's name can hold a colon, so the deployment's own counter is nobody else's.
  const name = principal.kind === "tenant" ? principal.tenant : "deployment:";
  if (await limiter.allow(name)) return ok(null);
  return fail({ reason: "rate_limited", retryAfterSeconds: RATE_LIMIT_PERIOD_SECONDS });
}
