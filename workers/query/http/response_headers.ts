/**
 * Headers of every answer: nothing is cached on the way, nothing is sniffed, nothing is run.
 * They are set on the answer itself, as in the middlewares beside this one: `c.header` would make another answer of it,
 * and a stream of its body, for each.
 */
import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./context.ts";

const HEADERS: readonly (readonly [string, string])[] = [
  ["Cache-Control", "no-store"],
  ["X-Content-Type-Options", "nosniff"],
  ["Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"],
];

export function responseHeaders(): MiddlewareHandler<AppEnv> {
  return async function responseHeadersMiddleware(c, next) {
    await next();
    for (const [name, value] of HEADERS) c.res.headers.set(name, value);
  };
}
