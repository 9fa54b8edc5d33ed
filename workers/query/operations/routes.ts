/**
 * Operation of a tenant: jobs, repair, dead letters, status, metrics.
 */
import { authorizeEntity, mayName, type TenantPrincipal } from "../../../core/access/principal.ts";
import { fail, ok, type Result, unprocessable } from "../../../core/errors.ts";
import type { JobType } from "../../../core/rpc.ts";
import {
  deadLetterPageSchema,
  operationBodySchema,
  rebuildBodySchema,
  replayedSchema,
  tenantStatusSchema,
} from "../../../core/schema/admin.ts";
import { jobPageSchema, jobSchema, jobStartedSchema } from "../../../core/schema/job.ts";
import { noParametersSchema, pageParametersSchema } from "../../../core/schema/query_parameter.ts";
import { nameSchema } from "../../../core/schema/scalar.ts";
import { ADMIN_LISTED, ADMIN_TENANT, READ_LISTED, READ_TENANT } from "../access_levels.ts";
import { noBody, optionalJsonBody } from "../http/body_spec.ts";
import { mapped } from "../mapped.ts";
import { jsonAnswer, ownAnswer, type Route, tenantRoute } from "../route.ts";
import { startJob } from "../start_job.ts";
import { METRICS_MEDIA_TYPE, metricsText } from "./metrics.ts";
import { deadLetterPageWire, jobPageWire, jobWire, tenantStatusWire } from "./wire.ts";

const listJobs = tenantRoute(
  READ_TENANT,
  {
    operation: "listJobs",
    summary: "The tenant's jobs",
    method: "GET",
    path: "/v1/jobs",
    params: {},
    query: pageParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "a page of jobs", jobPageSchema),
  },
  async ({ services, tenant, query }) => {
    return mapped(await services.tenant(tenant).jobs(tenant, query.limit, query.cursor ?? null), jobPageWire);
  },
);

const getJob = tenantRoute(
  READ_LISTED,
  {
    operation: "getJob",
    summary: "A job's progress",
    method: "GET",
    path: "/v1/jobs/{id}",
    params: { id: nameSchema },
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "the job", jobSchema),
  },
  async ({ services, tenant, params }) => mapped(await services.tenant(tenant).job(tenant, params.id), jobWire),
);

const cancelJob = tenantRoute(
  ADMIN_TENANT,
  {
    operation: "cancelJob",
    summary: "Cancel a job where it can be",
    method: "DELETE",
    path: "/v1/jobs/{id}",
    params: { id: nameSchema },
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "the job as it stands", jobSchema),
  },
  async ({ services, tenant, params }) => {
    const cancelled = await services.indexer.cancel(tenant, params.id);
    return cancelled.ok ? mapped(await services.tenant(tenant).job(tenant, params.id), jobWire) : cancelled;
  },
);

const reconcile = tenantRoute(
  ADMIN_TENANT,
  {
    operation: "reconcile",
    summary: "Compare what is derived with the log, and repair it",
    method: "POST",
    path: "/v1/admin/reconcile",
    params: {},
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(202, "the job", jobStartedSchema),
  },
  ({ services, tenant }) => startJob(services.indexer, tenant, "reconcile", {}),
);

const rebuild = rangeOperation("rebuild", "Build every shard anew from the log");
const compact = rangeOperation("compact", "Merge neighbouring shards");

/** For one entity, or for all; the latter needs a credential for all. */
function rangeOperation(operation: Extract<JobType, "rebuild" | "compact">, summary: string): Route {
  return tenantRoute(
    ADMIN_LISTED,
    {
      operation,
      summary,
      method: "POST",
      path: `/v1/admin/${operation}`,
      params: {},
      query: noParametersSchema,
      body: optionalJsonBody(operation === "rebuild" ? rebuildBodySchema : operationBodySchema),
      answer: jsonAnswer(202, "the job", jobStartedSchema),
    },
    async ({ services, tenant, principal, body }) => {
      if ("re_embed" in body && body.re_embed === true) {
        return fail(unprocessable("re_embed", "recorded vectors cannot be made anew yet; set another embedder"));
      }
      const allowed = mayOperate(principal, body.entity);
      return allowed.ok
        ? startJob(services.indexer, tenant, operation, body.entity === undefined ? {} : { entity: body.entity })
        : allowed;
    },
  );
}

function mayOperate(principal: TenantPrincipal, entity: string | undefined): Result<unknown> {
  if (entity !== undefined) return authorizeEntity(principal, entity);
  if (principal.entityPrefix === null) return ok(null);
  return fail({ reason: "forbidden", needs: "access to the whole tenant" });
}

const listDeadLetters = tenantRoute(
  ADMIN_LISTED,
  {
    operation: "listDeadLetters",
    summary: "Index work that was given up, and why",
    method: "GET",
    path: "/v1/admin/dead-letters",
    params: {},
    query: pageParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "a page of dead letters, by id", deadLetterPageSchema),
  },
  async ({ services, tenant, principal, query }) => {
    const letters = await services.tenant(tenant).deadLetters(tenant);
    return mapped(letters, (all) => {
      const visible = all.filter(({ entity }) => mayName(principal, entity));
      return deadLetterPageWire(visible, query.limit, query.cursor);
    });
  },
);

const replayDeadLetter = tenantRoute(
  ADMIN_TENANT,
  {
    operation: "replayDeadLetter",
    summary: "Try a dead letter again",
    method: "POST",
    path: "/v1/admin/dead-letters/{id}/replay",
    params: { id: nameSchema },
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(202, "it waits to be indexed again", replayedSchema),
  },
  async ({ services, tenant, params }) => {
    return mapped(await services.indexer.replay(tenant, params.id), () => ({ replayed: params.id }));
  },
);

const getStatus = tenantRoute(
  ADMIN_TENANT,
  {
    operation: "getStatus",
    summary: "What waits, what failed, what ran last",
    method: "GET",
    path: "/v1/status",
    params: {},
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "the tenant's status", tenantStatusSchema),
  },
  async ({ services, tenant }) => {
    const index = await services.scope(tenant).scopeStatus(tenant);
    if (!index.ok) return index;
    return mapped(await services.tenant(tenant).tenantStatus(tenant), (status) =>
      tenantStatusWire(status, index.value),
    );
  },
);

const getMetrics = tenantRoute(
  ADMIN_TENANT,
  {
    operation: "getMetrics",
    summary: "The tenant's figures for Prometheus",
    method: "GET",
    path: "/metrics",
    params: {},
    query: noParametersSchema,
    body: noBody,
    answer: ownAnswer(200, "Prometheus text format", { "text/plain": null }),
  },
  async ({ services, tenant }) => {
    const headers = { "Content-Type": METRICS_MEDIA_TYPE };
    return mapped(
      await services.tenant(tenant).tenantStatus(tenant),
      (status) => new Response(metricsText(status, services.clock.now()), { headers }),
    );
  },
);

export const operationRoutes: readonly Route[] = [
  listJobs,
  getJob,
  cancelJob,
  reconcile,
  rebuild,
  compact,
  listDeadLetters,
  replayDeadLetter,
  getStatus,
  getMetrics,
];
