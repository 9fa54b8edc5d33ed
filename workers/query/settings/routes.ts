/**
 * Settings of a tenant, and of an entity over its tenant's.
 *
 * An entity's can be set before its first append, so that its first answers go by them already. Reading them is 404
 * only when there is neither a setting nor an event of that name.
 */
import { fail, ok } from "../../../core/errors.ts";
import { noParametersSchema } from "../../../core/schema/query_parameter.ts";
import { entitySchema } from "../../../core/schema/scalar.ts";
import { settingsBodySchema, unavailableEntitySetting, unavailableSetting } from "../../../core/schema/settings.ts";
import { settingsSchema } from "../../../core/schema/stored.ts";
import { ADMIN_ENTITY, ADMIN_TENANT, READ_ENTITY, READ_LISTED } from "../access_levels.ts";
import { jsonBody, noBody } from "../http/body_spec.ts";
import { mapped } from "../mapped.ts";
import { jsonAnswer, type Route, tenantRoute } from "../route.ts";

const getSettings = tenantRoute(
  READ_LISTED,
  {
    operation: "getSettings",
    summary: "The tenant's settings",
    method: "GET",
    path: "/v1/settings",
    params: {},
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "what was set; an absent field is the deployment's default", settingsSchema),
  },
  async ({ services, tenant }) => {
    return mapped(await services.settings.read({ tenant, entity: null }), (settings) => settings ?? {});
  },
);

const putSettings = tenantRoute(
  ADMIN_TENANT,
  {
    operation: "putSettings",
    summary: "Replace the tenant's settings",
    method: "PUT",
    path: "/v1/settings",
    params: {},
    query: noParametersSchema,
    body: jsonBody(settingsBodySchema),
    answer: jsonAnswer(200, "what is set now", settingsSchema),
  },
  async ({ services, tenant, body }) => {
    const refused = unavailableSetting(body);
    if (refused !== null) return fail(refused);
    await services.settings.replace({ tenant, entity: null }, body);
    return mapped(await services.scope(tenant).configure(tenant), () => body);
  },
);

const getEntitySettings = tenantRoute(
  READ_ENTITY,
  {
    operation: "getEntitySettings",
    summary: "An entity's own settings",
    method: "GET",
    path: "/v1/entities/{entity}/settings",
    params: { entity: entitySchema },
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "what was set; an absent field is the tenant's", settingsSchema),
  },
  async ({ services, tenant, params: { entity } }) => {
    const settings = await services.settings.read({ tenant, entity });
    if (!settings.ok) return settings;
    if (settings.value !== null) return ok(settings.value);
    return mapped(await services.entity({ tenant, entity }).status({ tenant, entity }), () => ({}));
  },
);

const putEntitySettings = tenantRoute(
  ADMIN_ENTITY,
  {
    operation: "putEntitySettings",
    summary: "Replace an entity's own settings, before its first append or after",
    method: "PUT",
    path: "/v1/entities/{entity}/settings",
    params: { entity: entitySchema },
    query: noParametersSchema,
    body: jsonBody(settingsBodySchema),
    answer: jsonAnswer(200, "what is set now", settingsSchema),
  },
  async ({ services, tenant, params: { entity }, body }) => {
    const refused = unavailableEntitySetting(body);
    if (refused !== null) return fail(refused);
    await services.settings.replace({ tenant, entity }, body);
    return ok(body);
  },
);

export const settingsRoutes: readonly Route[] = [getSettings, putSettings, getEntitySettings, putEntitySettings];
