/**
 * Internal operations, reached by service binding only: JSON in, JSON out, failures as `{failure}`.
 */

import { Router } from "itty-router";
import { z } from "zod";
import { logFault } from "../../adapters/platform/fault_log.ts";
import { fail, invalid, ok, problemOf, type Result } from "../../core/errors.ts";
import { SYSTEM_TENANTS_PREFIX } from "../../core/log/keys.ts";
import type { JobType } from "../../core/rpc.ts";
import { entitySchema, tenantSchema } from "../../core/schema/scalar.ts";
import type { IndexerPorts } from "./ports.ts";

/** The tenant of local development needs no record. */
const DEVELOPMENT_TENANT = "dev";
const bodySchema = z.strictObject({ entity: entitySchema.optional() });
const jobTypeSchema = z.enum(["rebuild", "compact", "reconcile", "erase"]);

export function operationsRouter(ports: IndexerPorts) {
  const router = Router();
  router.post("/sweep", async () => reply(ok({ nudged: await sweep(ports) })));
  router.post("/tenants/:tenant/dead-letters/:id/replay", async ({ params }) => {
    const tenant = tenantSchema.safeParse(params.tenant);
    if (!tenant.success) return reply(fail(invalid("tenant", "is not a tenant")));
    return reply(await ports.tenant(tenant.data).replay(tenant.data, decodeURIComponent(params.id ?? "")));
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
  return start(ports, tenant.data, type.data, body.data.entity ?? null);
}

async function start(
  ports: IndexerPorts,
  tenant: string,
  type: JobType,
  entity: string | null,
): Promise<Result<{ readonly job: string }>> {
  if (entity === null && type === "erase") return fail(invalid("entity", "is missing"));
  return ports.tenant(tenant).startJob(tenant, type, entity);
}

/** Every tenant's dirty entities are nudged: what alarms and queues may have lost. */
export async function sweep(ports: IndexerPorts): Promise<number> {
  const tenants = new Set([DEVELOPMENT_TENANT]);
  let cursor: string | null = null;
  do {
    const page = await ports.store.system().list(SYSTEM_TENANTS_PREFIX, cursor);
    for (const { key } of page.objects) tenants.add(key.slice(SYSTEM_TENANTS_PREFIX.length).replace(/\.json$/, ""));
    cursor = page.cursor;
  } while (cursor !== null);
  let nudged = 0;
  for (const tenant of tenants) nudged += await sweepTenant(ports, tenant);
  return nudged;
}

/** A tenant whose object fails does not hold up the others. */
async function sweepTenant(ports: IndexerPorts, tenant: string): Promise<number> {
  try {
    const swept = await ports.tenant(tenant).sweep(tenant);
    return swept.ok ? swept.value.nudged : 0;
  } catch (cause) {
    logFault("sweep_failed", cause, { tenant });
    return 0;
  }
}

function reply(result: Result<unknown>): Response {
  if (result.ok) return Response.json(result.value);
  return Response.json({ failure: result.failure }, { status: problemOf(result.failure).status });
}
