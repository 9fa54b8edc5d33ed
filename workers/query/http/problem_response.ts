/**
 * A `Failure` as a response: the one place where the front door writes an error.
 */
import { type Failure, problemOf } from "../../../core/errors.ts";
import { PROBLEM_MEDIA_TYPE, problemBody } from "../../../core/schema/problem.ts";
import type { AppContext } from "./context.ts";

export function problemResponse(c: AppContext, failure: Failure): Response {
  const requestId = c.get("requestId");
  const { status, code, retryAfterSeconds } = problemOf(failure);
  if (status >= 500) logFailure({ requestId, status, code, reason: failure.reason });
  const headers = new Headers({ "Content-Type": PROBLEM_MEDIA_TYPE });
  if (retryAfterSeconds !== undefined) headers.set("Retry-After", String(retryAfterSeconds));
  if (failure.reason === "unauthorized") headers.set("WWW-Authenticate", "Bearer");
  if (failure.reason === "method_not_allowed") headers.set("Allow", failure.allowed.join(", "));
  return new Response(JSON.stringify(problemBody(failure, requestId)), { status, headers });
}

/** Names of objects are left out: they hold names of entities. */
function logFailure(failed: {
  readonly requestId: string;
  readonly status: number;
  readonly code: string;
  readonly reason: string;
}): void {
  const { requestId, ...rest } = failed;
  console.error(JSON.stringify({ level: "error", event: "failure", request_id: requestId, ...rest }));
}
