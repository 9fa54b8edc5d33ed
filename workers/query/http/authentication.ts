/**
 * Who asks, whether that is enough for this operation, and whether they may ask again so soon.
 */
import type { MiddlewareHandler } from "hono";
import { authorizeDeployment, authorizeTenant, type Requirement } from "../../../core/access/principal.ts";
import { ok, type Result } from "../../../core/errors.ts";
import type { Services } from "../services.ts";
import type { AppContext, AppEnv } from "./context.ts";
import { problemResponse } from "./problem_response.ts";
import { withinRate } from "./rate_limit.ts";

export function authentication(services: Services, requirement: Requirement): MiddlewareHandler<AppEnv> {
  return async function authenticationMiddleware(c, next) {
    if (requirement.credential === "none") {
      c.set("principal", null);
      return next();
    }
    const admitted = await c.get("stages").measure("auth", () => admit(services, requirement, c));
    if (!admitted.ok) return problemResponse(c, admitted.failure);
    return next();
  };
}

async function admit(services: Services, requirement: Requirement, c: AppContext): Promise<Result<null>> {
  const authenticated = await services.authenticator.authenticate(c.req.header("Authorization") ?? null);
  if (!authenticated.ok) return authenticated;
  const principal = authenticated.value;
  const allowed =
    requirement.credential === "tenant" ? authorizeTenant(principal, requirement) : authorizeDeployment(principal);
  if (!allowed.ok) return allowed;
  const within = await withinRate(services.rateLimiter, principal);
  if (!within.ok) return within;
  c.set("principal", principal);
  return ok(null);
}
