/**
 * `Server-Timing`: milliseconds of each stage of a request.
 */
import type { MiddlewareHandler } from "hono";
import type { Clock } from "../../../core/ports.ts";
import type { AppEnv } from "./context.ts";
import { createStages } from "./stages.ts";

export function serverTiming(clock: Clock): MiddlewareHandler<AppEnv> {
  return async function serverTimingMiddleware(c, next) {
    const stages = createStages(clock);
    c.set("stages", stages);
    await next();
    c.res.headers.set("Server-Timing", stages.header());
  };
}
