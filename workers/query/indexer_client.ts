/**
 * The indexer's internal operations over its service binding: JSON over HTTP, failures as `{failure}`.
 */
import { z } from "zod";
import { type Failure, fail, ok, type Result } from "../../core/errors.ts";
import { type Json, jsonSchema } from "../../core/schema/scalar.ts";
import type { IndexerClient } from "./services.ts";

/** Failures are ours on both sides; the shape of the members is the sender's affair. */
const failureSchema = z.object({
  failure: z.custom<Failure>((value) => typeof value === "object" && value !== null && "reason" in value),
});

export function indexerClient(binding: Pick<Fetcher, "fetch">): IndexerClient {
  async function post(path: string, body: Json): Promise<Result<Json>> {
    const headers = { "Content-Type": "application/json" };
    const response = await binding.fetch(`http://indexer${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    const answer: unknown = await response.json();
    const refused = failureSchema.safeParse(answer);
    if (refused.success) return fail(refused.data.failure);
    const parsed = jsonSchema.safeParse(answer);
    return response.ok && parsed.success ? ok(parsed.data) : fail({ reason: "internal" });
  }

  return {
    run: (tenant, type, body) => post(`/tenants/${encodeURIComponent(tenant)}/${type}`, body),
    cancel: (tenant, job) => post(`/tenants/${encodeURIComponent(tenant)}/jobs/${encodeURIComponent(job)}/cancel`, {}),
    replay: (tenant, id) =>
      post(`/tenants/${encodeURIComponent(tenant)}/dead-letters/${encodeURIComponent(id)}/replay`, {}),
  };
}
