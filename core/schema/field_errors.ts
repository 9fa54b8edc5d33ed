/**
 * Zod's issues as the wire's field errors: dotted paths, and one error for each unknown key.
 */
import type { z } from "zod";
import type { Failure, FieldError } from "../errors.ts";
import { FIELD_ERRORS_MAX } from "../limits.ts";

type Issue = z.core.$ZodIssue;

/** `under` is put before every path: `entity`, `query`. */
export function invalidFields(error: z.ZodError, under: readonly PropertyKey[] = []): Failure {
  const errors = error.issues.flatMap((issue) => errorsOf(issue, under));
  return { reason: "invalid", errors: errors.slice(0, FIELD_ERRORS_MAX) };
}

function errorsOf(issue: Issue, under: readonly PropertyKey[]): readonly FieldError[] {
  const path = [...under, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: dotted([...path, key]), message: "is not a known field" }));
  }
  return [{ path: dotted(path), message: issue.message }];
}

function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).join(".");
}
