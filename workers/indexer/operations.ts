/**
 * Internal operations, reached by service binding only: JSON in, JSON out, failures as `{failure}`.
 */

import { Router } from "itty-router";
import { z } from "zod";
import { logFault } from "../../adapters/platform/fault_log.ts";
import { fail, invalid, ok, problemOf, type Result } from "../../core/errors.ts";
import { SWEEP_TENANTS_MAX } from "../../core/limits.ts";
import { SWEPT_KEY, SYSTEM_TENANTS_PREFIX } from "../../core/log/keys.ts";
import type { JobOptions, JobSelection, JobType } from "../../core/rpc.ts";
import { jobSelectionSchema } from "../../core/schema/job.ts";
import { entitySchema, tenantSchema } from "../../core/schema/scalar.ts";
import { readStored, storedBytes, storedSwept, sweptSchema } from "../../core/schema/stored.ts";
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

/**
 * Tenants' dirty entities are nudged, and jobs without a driver get one: what alarms and queues may have lost. Of more
 * than SWEEP_TENANTS_MAX tenants each has its turn, however many sweeps that takes.
 */
export async function sweep(ports: IndexerPorts): Promise<number> {
  let nudged = await sweepTenant(ports, DEVELOPMENT_TENANT);
  const after = await swept(ports);
  let visited = 0;
  let last: string | null = null;
  for await (const tenant of tenants(ports)) {
    if (after !== null && tenant <= after) continue;
    if (visited === SWEEP_TENANTS_MAX) break;
    visited += 1;
    last = tenant;
    nudged += await sweepTenant(ports, tenant);
  }
  const next = visited === SWEEP_TENANTS_MAX ? last : null;
  if (next !== after) await ports.store.system().put(SWEPT_KEY, storedBytes(storedSwept(next)));
  return nudged;
}

/** A record that cannot be read costs the sweep its place, no more. */
async function swept(ports: IndexerPorts): Promise<string | null> {
  const stored = await ports.store.system().get(SWEPT_KEY);
  const after = stored === null ? ok(null) : readStored(sweptSchema, stored.bytes, SWEPT_KEY);
  return after.ok ? after.value : null;
}

/** Every night, in the background: what the sweeps left dirty is looked at once more. */
export async function reconcileAll(ports: IndexerPorts): Promise<number> {
  let started = await reconcile(ports, DEVELOPMENT_TENANT);
  for await (const tenant of tenants(ports)) started += await reconcile(ports, tenant);
  return started;
}

async function reconcile(ports: IndexerPorts, tenant: string): Promise<number> {
  try {
    return Number((await startAndDrive(ports, tenant, "reconcile", null, { background: true })).ok);
  } catch (cause) {
    logFault("reconcile_failed", cause, { tenant });
    return 0;
  }
}

/** By name; those that were made, which the one of local development was not. */
async function* tenants(ports: IndexerPorts): AsyncGenerator<string> {
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
