/**
 * Errors on the wire: RFC 9457 problem details with our stable `code`.
 */
import { z } from "zod";
import { type ErrorCode, type Failure, problemOf } from "../errors.ts";

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.custom<ErrorCode>((code) => typeof code === "string").meta({ type: "string" }),
  request_id: z.string(),
  errors: z
    .array(z.object({ path: z.string(), message: z.string() }).readonly())
    .readonly()
    .optional(),
});
export type ProblemBody = z.infer<typeof problemSchema>;

export const PROBLEM_MEDIA_TYPE = "application/problem+json";

export function problemBody(failure: Failure, requestId: string): ProblemBody {
  const problem = problemOf(failure);
  return {
    type: `urn:context-plane:problem:${problem.code}`,
    title: problem.title,
    status: problem.status,
    detail: problem.detail,
    code: problem.code,
    request_id: requestId,
    ...(problem.errors === undefined ? {} : { errors: problem.errors }),
  };
}
