/**
 * The list of entities, one entity's state, warming, erasure.
 */
import type { z } from "zod";
import { authorizeEntity, type TenantPrincipal, visiblePrefix } from "../../../core/access/principal.ts";
import { ok, type Result } from "../../../core/errors.ts";
import {
  entityListParametersSchema,
  entityPageSchema,
  entityStatusSchema,
  redactBodySchema,
  redactedSchema,
  warmBodySchema,
  warmOneSchema,
} from "../../../core/schema/entity.ts";
import { jobStartedSchema } from "../../../core/schema/job.ts";
import { noParametersSchema } from "../../../core/schema/query_parameter.ts";
import { entitySchema } from "../../../core/schema/scalar.ts";
import { ERASE_ENTITY, READ_ENTITY, READ_LISTED } from "../access_levels.ts";
import { jsonBody, noBody } from "../http/body_spec.ts";
import { mapped } from "../mapped.ts";
import { jsonAnswer, type Route, tenantRoute } from "../route.ts";
import { startJob } from "../start_job.ts";
import { parseEntityCursor } from "./cursor.ts";
import { entityPageWire, entityStatusWire, redactedWire } from "./wire.ts";

const NOTHING = { entities: [], nextCursor: null };

const listEntities = tenantRoute(
  READ_LISTED,
  {
    operation: "listEntities",
    summary: "The tenant's entities, by name",
    method: "GET",
    path: "/v1/entities",
    params: {},
    query: entityListParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "a page of entities", entityPageSchema),
  },
  async ({ services, tenant, principal, query }) => {
    const after = query.cursor === undefined ? ok(null) : parseEntityCursor(query.cursor);
    if (!after.ok) return after;
    const prefix = visiblePrefix(principal, query.prefix ?? "");
    if (prefix === null) return ok(entityPageWire(NOTHING));
    const page = await services.tenant(tenant).entities(tenant, prefix, query.limit, after.value);
    return mapped(page, entityPageWire);
  },
);

const getEntity = tenantRoute(
  READ_ENTITY,
  {
    operation: "getEntity",
    summary: "The state of one entity: log, shards, cache",
    method: "GET",
    path: "/v1/entities/{entity}",
    params: { entity: entitySchema },
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "the state at its last commit", entityStatusSchema),
  },
  async ({ services, tenant, params: { entity } }) => {
    const status = await services.entity({ tenant, entity }).status({ tenant, entity });
    return mapped(status, (value) => entityStatusWire(entity, value));
  },
);

const warmEntity = tenantRoute(
  READ_ENTITY,
  {
    operation: "warmEntity",
    summary: "Load an entity's index near the caller",
    method: "POST",
    path: "/v1/entities/{entity}/warm",
    params: { entity: entitySchema },
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(202, "what is resident now", warmOneSchema),
  },
  async ({ services, tenant, params: { entity } }) => {
    const warm = await services.entity({ tenant, entity }).warm({ tenant, entity });
    return mapped(warm, ({ bytes }) => ({ entity, bytes }));
  },
);

const warmEntities = tenantRoute(
  READ_LISTED,
  {
    operation: "warmEntities",
    summary: "Load many entities' indexes; the job names those that could not be",
    method: "POST",
    path: "/v1/warm",
    params: {},
    query: noParametersSchema,
    body: jsonBody(warmBodySchema),
    answer: jsonAnswer(202, "the job that loads them", jobStartedSchema),
  },
  async ({ services, tenant, principal, body }) => {
    const selection = selectionOf(principal, body);
    return selection.ok ? startJob(services.indexer, tenant, "warm", { selection: selection.value }) : selection;
  },
);

/** Every entity that was named must be the credential's; a prefix covers those of its entities that are. */
function selectionOf(
  principal: TenantPrincipal,
  body: z.output<typeof warmBodySchema>,
): Result<{ entities: string[] } | { prefix: string }> {
  if (body.entities === undefined) {
    const prefix = visiblePrefix(principal, body.prefix ?? "");
    return ok(prefix === null ? { entities: [] } : { prefix });
  }
  for (const entity of body.entities) {
    const allowed = authorizeEntity(principal, entity);
    if (!allowed.ok) return allowed;
  }
  return ok({ entities: [...new Set(body.entities)].sort() });
}

const eraseEntity = tenantRoute(
  ERASE_ENTITY,
  {
    operation: "eraseEntity",
    summary: "Erase an entity: its truth and all that was derived from it",
    method: "DELETE",
    path: "/v1/entities/{entity}",
    params: { entity: entitySchema },
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(202, "the job that erases it", jobStartedSchema),
  },
  ({ services, tenant, params }) => startJob(services.indexer, tenant, "erase", { entity: params.entity }),
);

const redactEvents = tenantRoute(
  ERASE_ENTITY,
  {
    operation: "redactEvents",
    summary: "Take what events say out of the log and of everything derived of it",
    method: "POST",
    path: "/v1/entities/{entity}/redact",
    params: { entity: entitySchema },
    query: noParametersSchema,
    body: jsonBody(redactBodySchema),
    answer: jsonAnswer(200, "what is gone; of a dry run, what would go", redactedSchema),
  },
  async ({ services, tenant, params: { entity }, body }) => {
    const redacted = await services.entity({ tenant, entity }).redact({ tenant, entity }, body.ids, body.dry_run);
    if (!redacted.ok) return redacted;
    const hidden = body.dry_run ? ok(null) : await services.scope(tenant).redactEntity(tenant, entity);
    return hidden.ok ? mapped(redacted, redactedWire) : hidden;
  },
);

export const entityRoutes: readonly Route[] = [
  listEntities,
  getEntity,
  warmEntity,
  warmEntities,
  eraseEntity,
  redactEvents,
];
