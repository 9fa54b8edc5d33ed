/**
 * The list of entities, one entity's state, warming, erasure.
 */
import { authorizeEntity, type TenantPrincipal, visiblePrefix } from "../../../core/access/principal.ts";
import { ok, type Result } from "../../../core/errors.ts";
import { REQUEST_ENTITIES_MAX } from "../../../core/limits.ts";
import type { TenantApi } from "../../../core/rpc.ts";
import {
  entityListParametersSchema,
  entityPageSchema,
  entityStatusSchema,
  warmBodySchema,
  warmManySchema,
  warmOneSchema,
} from "../../../core/schema/entity.ts";
import { jobStartedSchema } from "../../../core/schema/job.ts";
import { problemBody } from "../../../core/schema/problem.ts";
import { noParametersSchema } from "../../../core/schema/query_parameter.ts";
import { entitySchema } from "../../../core/schema/scalar.ts";
import { ERASE_ENTITY, READ_ENTITY, READ_LISTED } from "../access_levels.ts";
import { jsonBody, noBody } from "../http/body_spec.ts";
import { mapped } from "../mapped.ts";
import { jsonAnswer, type Route, tenantRoute } from "../route.ts";
import { startJob } from "../start_job.ts";
import { parseEntityCursor } from "./cursor.ts";
import { warmMany } from "./warm_many.ts";
import { entityPageWire, entityStatusWire } from "./wire.ts";

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
    summary: "Load many entities' indexes",
    method: "POST",
    path: "/v1/warm",
    params: {},
    query: noParametersSchema,
    body: jsonBody(warmBodySchema),
    answer: jsonAnswer(202, "what is resident now, or why not", warmManySchema),
  },
  async ({ services, tenant, principal, body, requestId }) => {
    const named = await namedEntities(services.tenant(tenant), principal, body);
    if (!named.ok) return named;
    const warmed = await warmMany(named.value, (entity) =>
      services.entity({ tenant, entity }).warm({ tenant, entity }),
    );
    const results = warmed.map(({ entity, result }) =>
      result.ok ? { entity, bytes: result.value.bytes } : { entity, error: problemBody(result.failure, requestId) },
    );
    return ok({ results });
  },
);

/** Every entity that was named must be the credential's; a prefix covers those of its entities that are. */
async function namedEntities(
  directory: TenantApi,
  principal: TenantPrincipal,
  body: { readonly entities?: readonly string[] | undefined; readonly prefix?: string | undefined },
): Promise<Result<readonly string[]>> {
  if (body.entities !== undefined) {
    for (const entity of body.entities) {
      const allowed = authorizeEntity(principal, entity);
      if (!allowed.ok) return allowed;
    }
    return ok([...new Set(body.entities)]);
  }
  const prefix = visiblePrefix(principal, body.prefix ?? "");
  if (prefix === null) return ok([]);
  const page = await directory.entities(principal.tenant, prefix, REQUEST_ENTITIES_MAX, null);
  return mapped(page, ({ entities }) => entities.map(({ entity }) => entity));
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

export const entityRoutes: readonly Route[] = [listEntities, getEntity, warmEntity, warmEntities, eraseEntity];
