/**
 * Internal operations, reached by service binding only: JSON in, JSON out, failures as `{failure}`.
 */

import { Router } from "itty-router";
import { z } from "zod";
import { logFault } from "../../adapters/platform/fault_log.ts";
import { fail, invalid, ok, problemOf, type Result } from "../../core/errors.ts";
import { SYSTEM_TENANTS_PREFIX } from "../../core/log/keys.ts";
import type { JobOptions, JobSelection, JobType } from "../../core/rpc.ts";
import { jobSelectionSchema } from "../../core/schema/job.ts";
import { entitySchema, tenantSchema } from "../../core/schema/scalar.ts";
import { callDriver } from "./drive_job.ts";
import type { IndexerPorts } from "./ports.ts";

/** The tenant of local development needs no record. */
const DEVELOPMENT_TENANT = "dev";
const bodySchema = z.strictObject({ entity: entitySchema.optional(), selection: jobSelectionSchema.optional() });
const jobTypeSchema = z.enum(["rebuild", "compact", "reconcile", "erase", "warm", "import"]);
/** Which jobs are about one entity, about some of them, or about one or all. */
const ABOUT: Readonly<Record<JobType, "one" | "some" | "any">> = {
  erase: "one",
  import: "one",
  warm: "some",
  rebuild: "any",
  compact: "any",
  reconcile: "any",
};

export function operationsRouter(ports: IndexerPorts) {
  const router = Router();
  router.post("/reconcile", async () => reply(ok({ started: await reconcileAll(ports) })));
  router.post("/sweep", async () => reply(ok({ nudged: await sweep(ports) })));
  router.post("/tenants/:tenant/dead-letters/:id/replay", async ({ params }) => {
    const tenant = tenantSchema.safeParse(params.tenant);
    if (!tenant.success) return reply(fail(invalid("tenant", "is not a tenant")));
    return reply(await ports.tenant(tenant.data).replay(tenant.data, decodeURIComponent(params.id ?? "")));
  });
  router.post("/tenants/:tenant/jobs/:id/cancel", async ({ params }) => {
    const tenant = tenantSchema.safeParse(params.tenant);
    if (!tenant.success) return reply(fail(invalid("tenant", "is not a tenant")));
    return reply(await cancel(ports, tenant.data, decodeURIComponent(params.id ?? "")));
  });
  router.post("/tenants/:tenant/:operation", async (request) => reply(await startJob(ports, request)));
  router.all("*", () => reply(fail({ reason: "not_found", what: "The operation" })));
  return router;
}

async function startJob(
  ports: IndexerPorts,
  request: Request & { readonly params: Record<string, string | undefined> },
): Promise<Result<{ readonly job: string }>> {
  const tenant = tenantSchema.safeParse(request.params.tenant);
  const type = jobTypeSchema.safeParse(request.params.operation);
  if (!tenant.success || !type.success) return fail({ reason: "not_found", what: "The operation" });
  const body = bodySchema.safeParse(await request.json().catch(() => undefined));
  if (!body.success) return fail(invalid("entity", "is not an entity"));
  return start(ports, tenant.data, type.data, body.data.entity ?? null, body.data.selection);
}

async function start(
  ports: IndexerPorts,
  tenant: string,
  type: JobType,
  entity: string | null,
  selection?: JobSelection,
): Promise<Result<{ readonly job: string }>> {
  if (entity === null && ABOUT[type] === "one") return fail(invalid("entity", "is missing"));
  if ((selection === undefined) === (ABOUT[type] === "some")) return fail(invalid("selection", "does not fit the job"));
  return startAndDrive(ports, tenant, type, entity, selection === undefined ? {} : { selection });
}

async function startAndDrive(
  ports: IndexerPorts,
  tenant: string,
  type: JobType,
  entity: string | null,
  options: JobOptions,
): Promise<Result<{ readonly job: string }>> {
  const started = await ports.tenant(tenant).startJob(tenant, type, entity, options);
  if (started.ok) await callDriver(ports, { tenant, job: started.value.job, generation: 1 });
  return started;
}

/** The record ends first: what its driver still does then changes nothing of it. */
async function cancel(ports: IndexerPorts, tenant: string, job: string): Promise<Result<{ readonly job: string }>> {
  const cancelled = await ports.tenant(tenant).cancelJob(tenant, job);
  if (!cancelled.ok) return cancelled;
  await ports.drivers.end({ tenant, job, generation: cancelled.value.generation });
  return ok({ job });
}

/** Every tenant's dirty entities are nudged, and jobs without a driver get one: what alarms and queues may have lost. */
export async function sweep(ports: IndexerPorts): Promise<number> {
  let nudged = 0;
  for await (const tenant of tenants(ports)) nudged += await sweepTenant(ports, tenant);
  return nudged;
}

/** Every night, in the background: what the sweeps left dirty is looked at once more. */
export async function reconcileAll(ports: IndexerPorts): Promise<number> {
  let started = 0;
  for await (const tenant of tenants(ports)) {
    try {
      const job = await startAndDrive(ports, tenant, "reconcile", null, { background: true });
      started += Number(job.ok);
    } catch (cause) {
      logFault("reconcile_failed", cause, { tenant });
    }
  }
  return started;
}

async function* tenants(ports: IndexerPorts): AsyncGenerator<string> {
  yield DEVELOPMENT_TENANT;
  let cursor: string | null = null;
  do {
    const page = await ports.store.system().list(SYSTEM_TENANTS_PREFIX, cursor);
    for (const { key } of page.objects) {
      const tenant = key.slice(SYSTEM_TENANTS_PREFIX.length).replace(/\.json$/, "");
      if (tenant !== DEVELOPMENT_TENANT) yield tenant;
    }
    cursor = page.cursor;
  } while (cursor !== null);
}

/** A tenant whose object fails does not hold up the others. */
async function sweepTenant(ports: IndexerPorts, tenant: string): Promise<number> {
  try {
    const swept = await ports.tenant(tenant).sweep(tenant);
    if (!swept.ok) return 0;
    for (const order of swept.value.undriven) await callDriver(ports, { tenant, ...order });
    return swept.value.nudged;
  } catch (cause) {
    logFault("sweep_failed", cause, { tenant });
    return 0;
  }
}

function reply(result: Result<unknown>): Response {
  if (result.ok) return Response.json(result.value);
  return Response.json({ failure: result.failure }, { status: problemOf(result.failure).status });
}
