/**
 * Who asks, whether that is enough for this operation, and whether they may ask again so soon.
 */
import type { MiddlewareHandler } from "hono";
import {
  authorizeDeployment,
  authorizeTenant,
  type Principal,
  type Requirement,
} from "../../../core/access/principal.ts";
import type { Result } from "../../../core/errors.ts";
import type { Services } from "../services.ts";
import type { AppContext, AppEnv } from "./context.ts";
import { problemResponse } from "./problem_response.ts";

export function authentication(services: Services, requirement: Requirement): MiddlewareHandler<AppEnv> {
  return async function authenticationMiddleware(c, next) {
    if (requirement.credential === "none") {
      c.set("principal", null);
      return next();
    }
    const admitted = await c.get("stages").measure("auth", () => admit(services, requirement, c));
    if (!admitted.ok) return problemResponse(c, admitted.failure);
    await next();
    if (admitted.value.countLater) c.executionCtx.waitUntil(services.rateLimit.count(nameOf(c.get("principal"))));
  };
}

async function admit(
  services: Services,
  requirement: Requirement,
  c: AppContext,
): Promise<Result<{ readonly countLater: boolean }>> {
  const authenticated = await services.authenticator.authenticate(c.req.header("Authorization") ?? null);
  if (!authenticated.ok) return authenticated;
  const principal = authenticated.value;
  const allowed =
    requirement.credential === "tenant" ? authorizeTenant(principal, requirement) : authorizeDeployment(principal);
  if (!allowed.ok) return allowed;
  c.set("principal", principal);
  return services.rateLimit.admit(nameOf(principal));
}

/** No tenant's name can hold a colon, so the deployment's own counter is nobody else's. */
function nameOf(principal: Principal | null): string {
  return principal?.kind === "tenant" ? principal.tenant : "deployment:";
}
