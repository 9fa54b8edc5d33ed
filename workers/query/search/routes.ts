/**
 * Searching one entity, and searching a tenant.
 */
import { authorizeEntity, type TenantPrincipal } from "../../../core/access/principal.ts";
import { ok, type Result } from "../../../core/errors.ts";
import { noParametersSchema } from "../../../core/schema/query_parameter.ts";
import { entitySchema } from "../../../core/schema/scalar.ts";
import { searchBodySchema, tenantSearchBodySchema } from "../../../core/schema/search.ts";
import {
  recallAnswerSchema,
  recallBodySchema,
  searchAnswerSchema,
  tenantSearchAnswerSchema,
} from "../../../core/schema/search_answer.ts";
import { READ_ENTITY, READ_LISTED } from "../access_levels.ts";
import { jsonBody } from "../http/body_spec.ts";
import { mapped } from "../mapped.ts";
import { jsonAnswer, type Route, tenantRoute } from "../route.ts";
import { measureRecall } from "./recall.ts";
import { searchEventually } from "./search_eventually.ts";
import { searchWire, tenantSearchWire } from "./wire.ts";

const searchEntity = tenantRoute(
  READ_ENTITY,
  {
    operation: "searchEntity",
    summary: "Ranked, cited hits from one entity",
    method: "POST",
    path: "/v1/entities/{entity}/search",
    params: { entity: entitySchema },
    query: noParametersSchema,
    body: jsonBody(searchBodySchema),
    answer: jsonAnswer(200, "hits, and the snapshot they were read from", searchAnswerSchema),
  },
  async ({ services, tenant, params, body, stages }) => {
    const scope = { tenant, entity: params.entity };
    const bm25 = await stages.measure("settings", () => services.settings.bm25(scope));
    if (!bm25.ok) return bm25;
    const command = { scope, request: body, bm25: bm25.value };
    const object = () => stages.measure("object", () => services.entity(scope).search(command));
    const { eventual, timer } = services;
    const answer =
      body.consistency === "eventual" ? await searchEventually(object, eventual, command, timer) : await object();
    return mapped(answer, (value) => searchWire(value, { explain: body.explain, totalMs: stages.elapsedMs() }));
  },
);

const searchTenant = tenantRoute(
  READ_LISTED,
  {
    operation: "searchTenant",
    summary: "Ranked, cited hits from all entities, or from those listed",
    method: "POST",
    path: "/v1/search",
    params: {},
    query: noParametersSchema,
    body: jsonBody(tenantSearchBodySchema),
    answer: jsonAnswer(
      200,
      "hits, what they were read from, and how much of the tenant that is",
      tenantSearchAnswerSchema,
    ),
  },
  async ({ services, tenant, principal, body, stages }) => {
    const allowed = mayReadAll(principal, body.entities ?? []);
    if (!allowed.ok) return allowed;
    const bm25 = await stages.measure("settings", () => services.settings.bm25({ tenant, entity: null }));
    if (!bm25.ok) return bm25;
    const { entityPrefix } = principal;
    const command = { tenant, search: body, entityPrefix, bm25: bm25.value };
    const answer = await stages.measure("object", () => services.scope(tenant).searchScope(command));
    return mapped(answer, (value) => {
      return tenantSearchWire(value, { explain: body.request.explain, totalMs: stages.elapsedMs() });
    });
  },
);

function mayReadAll(principal: TenantPrincipal, entities: readonly string[]): Result<unknown> {
  return entities.map((entity) => authorizeEntity(principal, entity)).find(({ ok: may }) => !may) ?? ok(null);
}

const recallEntity = tenantRoute(
  READ_ENTITY,
  {
    operation: "recallEntity",
    summary: "Measure how much of the exact answer the default plan finds",
    method: "POST",
    path: "/v1/entities/{entity}/recall",
    params: { entity: entitySchema },
    query: noParametersSchema,
    body: jsonBody(recallBodySchema),
    answer: jsonAnswer(200, "the share, and the mean time of each plan", recallAnswerSchema),
  },
  async ({ services, tenant, params, body }) => {
    const scope = { tenant, entity: params.entity };
    const bm25 = await services.settings.bm25(scope);
    if (!bm25.ok) return bm25;
    const asked = { samples: body.samples, topK: body.top_k, bm25: bm25.value };
    const measure = await measureRecall(services.entity(scope), scope, asked, services.clock);
    return mapped(measure, ({ recall, approximateMs, exactMs, samples }) => {
      return { recall, approximate_ms: approximateMs, exact_ms: exactMs, samples };
    });
  },
);

export const searchRoutes: readonly Route[] = [searchEntity, searchTenant, recallEntity];
