/**
 * Operations of the indexer that run on after the request: they answer a job's id.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import type { JobType } from "../../core/rpc.ts";
import { jobStartedSchema } from "../../core/schema/job.ts";
import type { Json } from "../../core/schema/scalar.ts";
import type { IndexerClient } from "./services.ts";

export async function startJob(
  indexer: IndexerClient,
  tenant: string,
  type: JobType,
  body: Json,
): Promise<Result<{ job: string }>> {
  const answer = await indexer.run(tenant, type, body);
  if (!answer.ok) return answer;
  const started = jobStartedSchema.safeParse(answer.value);
  return started.success ? ok(started.data) : fail({ reason: "internal" });
}
