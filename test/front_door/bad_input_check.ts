/**
 * Sends one bad input to a deployment and compares what comes back with what is documented.
 */
import { expect } from "vitest";
import { problemSchema } from "../../core/schema/problem.ts";
import type { BadInput } from "./bad_input_cases.ts";

export async function checkBadInput(base: URL, input: BadInput): Promise<void> {
  const response = await fetch(base.origin + input.path, {
    method: input.method,
    headers: input.headers,
    body: input.body,
  });
  const text = await response.text();
  expect([response.status, text]).toEqual([input.status, expect.stringContaining(`"code":"${input.code}"`)]);
  const problem = problemSchema.parse(JSON.parse(text));
  expect(response.headers.get("Content-Type")).toBe("application/problem+json");
  expect(problem.status).toBe(input.status);
  expect(problem.request_id).toBe(response.headers.get("X-Request-Id"));
  expect(response.headers.get("Server-Timing")).toContain("total;dur=");
  expect(response.headers.has("Allow")).toBe(input.code === "method_not_allowed");
  expect(text).not.toMatch(/\bat .*\.[jt]s:\d|worker\.js/);
}
