/**
 * What a thrown error becomes. An object that was restarted, moved or overloaded is a 503 that is safe to retry, and so
 * is a store that cannot be used until somebody sets up another; all else is a bug and a 500.
 */
import { type Failure, UnfitStore } from "../../../core/errors.ts";
import { MISCONFIGURED_RETRY_SECONDS, UNAVAILABLE_RETRY_SECONDS } from "../../../core/limits.ts";

export function failureOfFault(error: unknown): Failure {
  if (error instanceof UnfitStore) {
    return { reason: "unavailable", what: error.message, retryAfterSeconds: MISCONFIGURED_RETRY_SECONDS };
  }
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
