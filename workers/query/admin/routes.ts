/**
 * Administration of the deployment: tenants and their keys.
 */
import { KEY_ID_PATTERN } from "../../../core/access/credential.ts";
import { issueKey } from "../../../core/access/issue_key.ts";
import { fail, ok } from "../../../core/errors.ts";
import {
  keyBodySchema,
  keyIssuedSchema,
  keyPageSchema,
  keySchema,
  tenantAnswerSchema,
  tenantBodySchema,
  tenantPageSchema,
} from "../../../core/schema/admin.ts";
import {
  cursorParametersSchema,
  noParametersSchema,
  pageParametersSchema,
} from "../../../core/schema/query_parameter.ts";
import { nameSchema, tenantSchema } from "../../../core/schema/scalar.ts";
import { jsonBody, noBody } from "../http/body_spec.ts";
import { mapped } from "../mapped.ts";
import { pageOf } from "../page.ts";
import { deploymentRoute, jsonAnswer, ownAnswer, type Route } from "../route.ts";
import { keyWire, tenantWire } from "./wire.ts";

const createTenant = deploymentRoute(
  {
    operation: "createTenant",
    summary: "Make a tenant",
    method: "POST",
    path: "/v1/admin/tenants",
    params: {},
    query: noParametersSchema,
    body: jsonBody(tenantBodySchema),
    answer: jsonAnswer(201, "the tenant", tenantAnswerSchema),
  },
  async ({ services, body }) =>
    mapped(await services.directory.createTenant(body.tenant, services.clock.now()), tenantWire),
);

const listTenants = deploymentRoute(
  {
    operation: "listTenants",
    summary: "The deployment's tenants, by name",
    method: "GET",
    path: "/v1/admin/tenants",
    params: {},
    query: cursorParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "a page of tenants", tenantPageSchema),
  },
  async ({ services, query }) => {
    const page = await services.directory.tenants(query.cursor ?? null);
    return ok({ tenants: page.tenants.map((tenant) => ({ tenant })), next_cursor: page.nextCursor });
  },
);

const createKey = deploymentRoute(
  {
    operation: "createKey",
    summary: "Issue a key of a tenant",
    method: "POST",
    path: "/v1/admin/tenants/{tenant}/keys",
    params: { tenant: tenantSchema },
    query: noParametersSchema,
    body: jsonBody(keyBodySchema),
    answer: jsonAnswer(201, "the key, shown this once", keyIssuedSchema),
  },
  async ({ services, params, body }) => {
    const { scopes, tier, entity_prefix, expires_at } = body;
    const grant = { tenant: params.tenant, scopes, tier, entityPrefix: entity_prefix ?? null };
    const issued = await issueKey(services, grant, expires_at ?? null);
    return mapped(issued, ({ key, record }) => ({ ...keyWire(record), key }));
  },
);

const listKeys = deploymentRoute(
  {
    operation: "listKeys",
    summary: "A tenant's keys, without their secrets",
    method: "GET",
    path: "/v1/admin/tenants/{tenant}/keys",
    params: { tenant: tenantSchema },
    query: pageParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "a page of keys, by id", keyPageSchema),
  },
  async ({ services, params, query }) => {
    const records = await services.directory.keysOf(params.tenant);
    return mapped(records, (all) => {
      const { items, nextCursor } = pageOf(all.map(keyWire), query.limit, query.cursor);
      return { keys: items, next_cursor: nextCursor };
    });
  },
);

const keyParams = { tenant: tenantSchema, id: nameSchema };

const getKey = deploymentRoute(
  {
    operation: "getKey",
    summary: "A key, without its secret",
    method: "GET",
    path: "/v1/admin/tenants/{tenant}/keys/{id}",
    params: keyParams,
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "the key", keySchema),
  },
  async ({ services, params: { tenant, id } }) => {
    const found = KEY_ID_PATTERN.test(id) ? await services.directory.key(id) : ok(null);
    if (!found.ok) return found;
    const record = found.value;
    return record?.tenant === tenant ? ok(keyWire(record)) : fail({ reason: "not_found", what: "The key" });
  },
);

const deleteKey = deploymentRoute(
  {
    operation: "deleteKey",
    summary: "Revoke a key; caches of it die within a minute",
    method: "DELETE",
    path: "/v1/admin/tenants/{tenant}/keys/{id}",
    params: keyParams,
    query: noParametersSchema,
    body: noBody,
    answer: ownAnswer(204, "revoked", {}),
  },
  async ({ services, params: { tenant, id } }) => {
    if (!KEY_ID_PATTERN.test(id)) return fail({ reason: "not_found", what: "The key" });
    return mapped(await services.directory.removeKey(tenant, id), () => new Response(null, { status: 204 }));
  },
);

export const adminRoutes: readonly Route[] = [createTenant, listTenants, createKey, listKeys, getKey, deleteKey];
