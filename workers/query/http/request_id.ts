/**
 * Names every request. A caller's own id is taken when it is well-formed, so that one id can be followed through.
 */
import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./context.ts";

const WELL_FORMED = /^[A-Za-z0-9_.:-]{1,128}$/;

export function requestId(make: () => string): MiddlewareHandler<AppEnv> {
  return async function requestIdMiddleware(c, next) {
    const given = c.req.header("X-Request-Id") ?? "";
    const id = WELL_FORMED.test(given) ? given : make();
    c.set("requestId", id);
    await next();
    c.res.headers.set("X-Request-Id", id);
  };
}
