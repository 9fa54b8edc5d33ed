/**
 * Expected failures are values. A `Failure` says what was wrong with the numbers that matter;
 * `problemOf` is the only place that turns one into the wire's code, status and sentence.
 */

export type ErrorCode =
  | "invalid_request"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "method_not_allowed"
  | "conflict"
  | "snapshot_expired"
  | "snapshot_erased"
  | "too_large"
  | "unsupported_media_type"
  | "unprocessable"
  | "rate_limited"
  | "corrupt"
  | "internal"
  | "unavailable";

/** One field that was wrong. `path` is a JSON pointer-like dotted path, e.g. `events.3.ts`. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

export type Failure =
  | { readonly reason: "invalid"; readonly errors: readonly FieldError[] }
  | { readonly reason: "unauthorized" }
  | { readonly reason: "forbidden"; readonly needs: string }
  | { readonly reason: "not_found"; readonly what: string }
  | { readonly reason: "method_not_allowed"; readonly method: string; readonly allowed: readonly string[] }
  | { readonly reason: "conflict"; readonly detail: string }
  | { readonly reason: "snapshot_expired"; readonly detail: string }
  | { readonly reason: "snapshot_erased"; readonly detail: string }
  | {
      readonly reason: "too_large";
      readonly what: string;
      readonly size: number;
      readonly max: number;
      readonly unit: string;
    }
  | { readonly reason: "unsupported_media_type"; readonly got: string; readonly supported: readonly string[] }
  | { readonly reason: "unprocessable"; readonly errors: readonly FieldError[] }
  /** `what` has to get less first; without it, the caller's requests. */
  | { readonly reason: "rate_limited"; readonly retryAfterSeconds: number; readonly what?: string }
  | { readonly reason: "unavailable"; readonly what: string; readonly retryAfterSeconds: number }
  /** A stored object is not what was written. `what` names the object, never its content. */
  | { readonly reason: "corrupt"; readonly what: string }
  | { readonly reason: "internal" };

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

/**
 * A store that cannot hold a log, whatever is tried. The message is a sentence for whoever set it up: it has nothing of
 * a request or a secret in it, so it may be answered and logged.
 */
export class UnfitStore extends Error {
  /** Faults are logged by name alone. */
  override readonly name: string;

  constructor(lacks: string, sentence: string) {
    super(sentence);
    this.name = `UnfitStore: ${lacks}`;
  }
}

export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function fail<T = never>(failure: Failure): Result<T> {
  return { ok: false, failure };
}

/** A single-field 400. */
export function invalid(path: string, message: string): Failure {
  return { reason: "invalid", errors: [{ path, message }] };
}

/** A single-field 422. */
export function unprocessable(path: string, message: string): Failure {
  return { reason: "unprocessable", errors: [{ path, message }] };
}

/** RFC 9457 members that do not depend on the request. */
export interface Problem {
  readonly status: number;
  readonly code: ErrorCode;
  readonly title: string;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  readonly retryAfterSeconds?: number;
}

export function problemOf(failure: Failure): Problem {
  switch (failure.reason) {
    case "invalid":
      return {
        status: 400,
        code: "invalid_request",
        title: "Invalid request",
        detail: sentence(failure.errors),
        errors: failure.errors,
      };
    case "unauthorized":
      return {
        status: 401,
        code: "unauthorized",
        title: "Unauthorized",
        detail: "A valid bearer credential is required.",
      };
    case "forbidden":
      return { status: 403, code: "forbidden", title: "Forbidden", detail: `The credential lacks ${failure.needs}.` };
    case "not_found":
      return { status: 404, code: "not_found", title: "Not found", detail: `${failure.what} was not found.` };
    case "method_not_allowed":
      return {
        status: 405,
        code: "method_not_allowed",
        title: "Method not allowed",
        detail: `${failure.method} is not allowed here; ${failure.allowed.join(", ")} is.`,
      };
    case "conflict":
      return { status: 409, code: "conflict", title: "Conflict", detail: failure.detail };
    case "snapshot_expired":
      return { status: 409, code: "snapshot_expired", title: "Snapshot expired", detail: failure.detail };
    case "snapshot_erased":
      return { status: 409, code: "snapshot_erased", title: "Snapshot erased", detail: failure.detail };
    case "too_large":
      return {
        status: 413,
        code: "too_large",
        title: "Too large",
        detail: `${failure.what}: ${failure.size} ${failure.unit}; at most ${failure.max} are taken.`,
      };
    case "unsupported_media_type":
      return {
        status: 415,
        code: "unsupported_media_type",
        title: "Unsupported media type",
        detail: `Got ${failure.got}; supported: ${failure.supported.join(", ")}.`,
      };
    case "unprocessable":
      return {
        status: 422,
        code: "unprocessable",
        title: "Unprocessable",
        detail: sentence(failure.errors),
        errors: failure.errors,
      };
    case "rate_limited":
      return {
        status: 429,
        code: "rate_limited",
        title: "Rate limited",
        detail: `${failure.what ?? "Too many requests"}; try again in ${failure.retryAfterSeconds} s.`,
        retryAfterSeconds: failure.retryAfterSeconds,
      };
    case "unavailable":
      return {
        status: 503,
        code: "unavailable",
        title: "Unavailable",
        detail: `${failure.what} The outcome is unknown; the request is safe to retry.`,
        retryAfterSeconds: failure.retryAfterSeconds,
      };
    case "corrupt":
      return {
        status: 500,
        code: "corrupt",
        title: "Corrupt object",
        detail: `A stored object is not what was written: ${failure.what}.`,
      };
    case "internal":
      return { status: 500, code: "internal", title: "Internal error", detail: "Something went wrong on our side." };
  }
}

function sentence(errors: readonly FieldError[]): string {
  const first = errors[0];
  if (first === undefined) return "The request is not valid.";
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  return first.path === "" ? `${first.message}${more}` : `${first.path}: ${first.message}${more}`;
}
