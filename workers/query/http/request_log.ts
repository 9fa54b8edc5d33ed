/**
 * One line of the log for each request: which route, how it ended, how long it took, and whose it was. Routes are
 * templates: the names in a path, and all else that a caller sent, stay out.
 */
import type { MiddlewareHandler } from "hono";
import type { Timer } from "../../../core/ports.ts";
import { afterAnswer } from "./after_answer.ts";
import type { AppEnv } from "./context.ts";

/** Any other method is a word of the caller's. */
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]);

export function requestLog(timer: Pick<Timer, "sleep">): MiddlewareHandler<AppEnv> {
  return async function requestLogMiddleware(c, next) {
    c.set("principal", null);
    c.set("route", null);
    await next();
    const principal = c.get("principal");
    const line = {
      level: "info",
      event: "request",
      request_id: c.get("requestId"),
      method: METHODS.has(c.req.method) ? c.req.method : "other",
      // None for a path that no route has.
      route: c.get("route"),
      status: c.res.status,
      ms: c.get("stages").elapsedMs(),
      ...(principal?.kind === "tenant" ? { tenant: principal.tenant } : {}),
    };
    c.executionCtx.waitUntil(afterAnswer(timer, () => console.log(JSON.stringify(line))));
  };
}
