/**
 * The platform's durable execution, as jobs use it: an instance of the workflow in worker.ts drives one generation of
 * one job.
 *
 * Names of instances follow from the job, so that starting one twice starts it once. The platform refuses a name that
 * it knows, also that of an instance which has ended; whoever starts another driver takes the next generation.
 */
import type { WorkflowStep } from "cloudflare:workers";
import { instanceName } from "../../core/lifecycle/job_pace.ts";
import type { JobOrder } from "../../core/rpc.ts";
import type { DurableSteps } from "./drive_job.ts";
import type { JobDrivers } from "./ports.ts";

/** A look that failed is tried again this often before the instance fails; the sweep then starts another. */
const STEP = {
  retries: { limit: 5, delay: "2 seconds", backoff: "exponential" },
  timeout: "10 minutes",
} as const;
const KNOWN = /already[_ ]exists/i;
const UNKNOWN = /not[_ ]found/i;

export function durableSteps(step: WorkflowStep): DurableSteps {
  return {
    do: (name, work) => step.do(name, STEP, work),
    sleep: (name, ms) => step.sleep(name, ms),
  };
}

export function jobDrivers(workflow: Pick<Workflow<JobOrder>, "create" | "get">): JobDrivers {
  return {
    async start(order) {
      try {
        await workflow.create({ id: nameOf(order), params: order });
      } catch (cause) {
        if (!KNOWN.test(String(cause))) throw cause;
      }
    },
    async end(order) {
      try {
        const instance = await workflow.get(nameOf(order));
        const { status } = await instance.status();
        if (status === "running" || status === "queued" || status === "waiting") await instance.terminate();
      } catch (cause) {
        if (!UNKNOWN.test(String(cause))) throw cause;
      }
    },
  };
}

function nameOf({ tenant, job, generation }: JobOrder): string {
  return instanceName(tenant, job, generation);
}
