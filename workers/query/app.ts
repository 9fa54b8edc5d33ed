/**
 * The HTTP application: middlewares around the route table.
 */

import { Hono, type MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { logFault } from "../../adapters/platform/fault_log.ts";
import { CORS_MAX_AGE_SECONDS, MISCONFIGURED_RETRY_SECONDS } from "../../core/limits.ts";
import type { Clock, Timer } from "../../core/ports.ts";
import { authentication } from "./http/authentication.ts";
import { wholeBody } from "./http/body.ts";
import type { AppEnv } from "./http/context.ts";
import { failureOfFault } from "./http/fault.ts";
import { problemResponse } from "./http/problem_response.ts";
import { requestId } from "./http/request_id.ts";
import { requestLog } from "./http/request_log.ts";
import { responseHeaders } from "./http/response_headers.ts";
import { serverTiming } from "./http/server_timing.ts";
import { wellFormedPath } from "./http/well_formed_path.ts";
import { HEALTH_PATH, HEALTHY } from "./public/routes.ts";
import type { Route } from "./route.ts";
import type { Services } from "./services.ts";

export type App = Pick<Hono<AppEnv>, "fetch">;

/** What every answer needs, even a refusal. */
export interface Outer {
  readonly clock: Clock;
  readonly timer: Pick<Timer, "sleep">;
  readonly corsOrigins: readonly string[];
  makeRequestId(): string;
}

export function createApp(services: Services, outer: Outer, routes: readonly Route[]): App {
  const app = outerApp(outer);
  for (const route of routes) {
    const { method, path, access } = route.description;
    app.on(method, honoPath(path), named(path), authentication(services, access), (c) => route.respond(services, c));
  }
  for (const [path, allowed] of allowedMethods(routes)) {
    app.all(honoPath(path), named(path), (c) => {
      return problemResponse(c, { reason: "method_not_allowed", method: c.req.method, allowed });
    });
  }
  return app;
}

/** Of a deployment that cannot serve: it is alive, and says what it lacks. */
export function createRefusingApp(missing: readonly string[], outer: Outer): App {
  const app = outerApp(outer);
  app.get(HEALTH_PATH, (c) => c.json(HEALTHY));
  app.all("*", (c) => {
    const what = missing.join(" ");
    return problemResponse(c, { reason: "unavailable", what, retryAfterSeconds: MISCONFIGURED_RETRY_SECONDS });
  });
  return app;
}

/** What surrounds every answer, whichever it is. */
function outerApp(outer: Outer): Hono<AppEnv> {
  // The path as it was sent: each parameter is decoded once, by itself, so that an encoded slash stays in it.
  const app = new Hono<AppEnv>({ getPath: (request) => new URL(request.url).pathname });
  app.use(
    wholeBody(),
    requestId(outer.makeRequestId),
    serverTiming(outer.clock),
    requestLog(outer.timer),
    responseHeaders(),
  );
  if (outer.corsOrigins.length > 0) {
    app.use(
      cors({
        origin: [...outer.corsOrigins],
        allowMethods: ["GET", "HEAD", "PUT", "POST", "DELETE"],
        allowHeaders: ["Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key", "X-Request-Id"],
        exposeHeaders: ["X-Request-Id", "Server-Timing", "Retry-After"],
        maxAge: CORS_MAX_AGE_SECONDS,
      }),
    );
  }
  app.use(wellFormedPath());
  app.notFound((c) => problemResponse(c, { reason: "not_found", what: "This path" }));
  app.onError((error, c) => {
    logFault("fault", error, { request_id: c.get("requestId"), method: c.req.method, route: c.req.routePath });
    return problemResponse(c, failureOfFault(error));
  });
  return app;
}

/** Tells the log which route it is. */
function named(path: string): MiddlewareHandler<AppEnv> {
  return async function namedMiddleware(c, next) {
    c.set("route", path);
    await next();
  };
}

function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}

/** HEAD is answered wherever GET is. */
export function allowedMethods(routes: readonly Route[]): ReadonlyMap<string, readonly string[]> {
  const allowed = new Map<string, readonly string[]>();
  for (const { description } of routes) {
    const more = description.method === "GET" ? ["GET", "HEAD"] : [description.method];
    allowed.set(description.path, [...(allowed.get(description.path) ?? []), ...more]);
  }
  return allowed;
}
