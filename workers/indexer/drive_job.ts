/**
 * Drives a job: look, rest, look, until it has ended. The record is the tenant's object; each look asks it to take the
 * job one bounded stretch further. A driver that ends in the middle is replaced by the sweep, and one that comes near
 * the steps an instance may have hands over to a successor.
 */
import { logFault } from "../../adapters/platform/fault_log.ts";
import { type Failure, problemOf, type Result } from "../../core/errors.ts";
import { LOOKS_PER_INSTANCE_MAX, restMs } from "../../core/lifecycle/job_pace.ts";
import type { ImportStretch, JobLook, JobOrder } from "../../core/rpc.ts";
import type { IndexerPorts } from "./ports.ts";

/** The durable steps of an instance: what `work` answered is kept, and is not worked again when the instance goes on. */
export interface DurableSteps {
  do(name: string, work: () => Promise<Rest>): Promise<Rest>;
  sleep(name: string, ms: number): Promise<void>;
}

/** Milliseconds until the next look; null: there is none. */
export interface Rest {
  readonly restMs: number | null;
}

type DriverPorts = Pick<IndexerPorts, "tenant" | "ingest" | "drivers">;

export async function driveJob(ports: DriverPorts, steps: DurableSteps, order: JobOrder): Promise<void> {
  for (let look = 1; look <= LOOKS_PER_INSTANCE_MAX; look += 1) {
    const seen = await steps.do(`look ${look}`, () => lookAt(ports, order));
    if (seen.restMs === null) return;
    if (seen.restMs > 0) await steps.sleep(`rest ${look}`, seen.restMs);
  }
  await steps.do("hand over", () => handOver(ports, order));
}

/** A driver that could not be started is called again by the sweep; until then the alarm of the tenant's object drives. */
export async function callDriver({ drivers }: Pick<DriverPorts, "drivers">, order: JobOrder): Promise<void> {
  try {
    await drivers.start(order);
  } catch (cause) {
    logFault("job_driver_not_started", cause, { tenant: order.tenant, job: order.job });
  }
}

async function lookAt(ports: DriverPorts, { tenant, job, generation }: JobOrder): Promise<Rest> {
  const look = await ports.tenant(tenant).lookAtJob(tenant, job, generation);
  if (!look.ok) return retried(look.failure);
  switch (look.value.next) {
    case "end":
      return { restMs: null };
    case "rest":
      return { restMs: look.value.restMs };
    case "import":
      return importNext(ports, { tenant, job, generation }, look.value);
  }
}

async function importNext(
  ports: DriverPorts,
  { tenant, job }: JobOrder,
  { stretch, mayStillArrive }: Extract<JobLook, { next: "import" }>,
): Promise<Rest> {
  const done = await ports.ingest.importStretch(tenant, stretch);
  if (!done.ok) return importFailed(ports, { tenant, job }, stretch, done.failure, mayStillArrive);
  return settled(await ports.tenant(tenant).recordImport(tenant, job, stretch, done.value));
}

/** What is only unavailable, or has to be indexed first, is tried again; an archive that is wrong stays wrong. */
async function importFailed(
  ports: DriverPorts,
  { tenant, job }: Pick<JobOrder, "tenant" | "job">,
  { phase, from }: ImportStretch,
  failure: Failure,
  mayStillArrive: boolean,
): Promise<Rest> {
  const { retryAfterSeconds, detail } = problemOf(failure);
  if (retryAfterSeconds !== undefined) return { restMs: retryAfterSeconds * 1_000 };
  const isExpected = failure.reason === "not_found" && phase === "check" && from === 0 && mayStillArrive;
  if (isExpected) return { restMs: restMs(0) };
  return settled(await ports.tenant(tenant).failJob(tenant, job, detail));
}

/** The next look says whether the job has ended. */
function settled(recorded: Result<unknown>): Rest {
  return recorded.ok ? { restMs: 0 } : retried(recorded.failure);
}

/** Thrown, so that the step is tried again by the platform. */
function retried(failure: Failure): never {
  throw new Error(`the tenant's object answered: ${failure.reason}`);
}

async function handOver(ports: DriverPorts, { tenant, job, generation }: JobOrder): Promise<Rest> {
  const next = await ports.tenant(tenant).handOverJob(tenant, job, generation);
  if (!next.ok) return retried(next.failure);
  if (next.value !== null) await ports.drivers.start({ tenant, job, generation: next.value });
  return { restMs: null };
}
