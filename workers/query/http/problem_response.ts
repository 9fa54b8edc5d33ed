/**
 * A `Failure` as a response: the one place where the front door writes an error.
 */
import { type Failure, problemOf } from "../../../core/errors.ts";
import { PROBLEM_MEDIA_TYPE, problemBody } from "../../../core/schema/problem.ts";
import type { AppContext } from "./context.ts";

export function problemResponse(c: AppContext, failure: Failure): Response {
  const requestId = c.get("requestId");
  const { status, retryAfterSeconds } = problemOf(failure);
  const headers = new Headers({ "Content-Type": PROBLEM_MEDIA_TYPE });
  if (retryAfterSeconds !== undefined) headers.set("Retry-After", String(retryAfterSeconds));
  if (failure.reason === "unauthorized") headers.set("WWW-Authenticate", "Bearer");
  if (failure.reason === "method_not_allowed") headers.set("Allow", failure.allowed.join(", "));
  return new Response(JSON.stringify(problemBody(failure, requestId)), { status, headers });
}
