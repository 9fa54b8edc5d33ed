/**
 * What a thrown error becomes. An object that was restarted, moved or overloaded is a 503 that is safe to retry; all
 * else is a bug and a 500. The log line names where it happened and never what was in the request: messages of parsers
 * quote their input, so only the error's name and the stack's frames are written.
 */
import type { Failure } from "../../../core/errors.ts";
import { UNAVAILABLE_RETRY_SECONDS } from "../../../core/limits.ts";

export function failureOfFault(error: unknown): Failure {
  if (!isTransient(error)) return { reason: "internal" };
  const what = "An object did not answer.";
  return { reason: "unavailable", what, retryAfterSeconds: UNAVAILABLE_RETRY_SECONDS };
}

/** The marks that the runtime puts on errors of object calls. */
function isTransient(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const marked = (name: string) => name in error && Reflect.get(error, name) === true;
  return marked("retryable") || marked("overloaded") || marked("durableObjectReset");
}

export function logFault(
  error: unknown,
  request: { readonly id: string; readonly method: string; readonly route: string },
): void {
  const frames = error instanceof Error ? (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)) : [];
  console.error(
    JSON.stringify({
      level: "error",
      event: "fault",
      request_id: request.id,
      method: request.method,
      route: request.route,
      error: error instanceof Error ? error.name : typeof error,
      frames: frames.map((line) => line.trim()),
    }),
  );
}
