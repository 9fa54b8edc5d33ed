/**
 * Refuses a path whose percent sequences are not UTF-8: such a name could be stored under no name at all.
 */
import type { MiddlewareHandler } from "hono";
import { invalid } from "../../../core/errors.ts";
import type { AppEnv } from "./context.ts";
import { problemResponse } from "./problem_response.ts";

export function wellFormedPath(): MiddlewareHandler<AppEnv> {
  return async function wellFormedPathMiddleware(c, next) {
    if (isWellFormed(c.req.path)) return next();
    return problemResponse(c, invalid("path", "has a malformed percent sequence"));
  };
}

function isWellFormed(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
