/**
 * A tenant's settings: one object in its store.
 */
import { fail, ok, type Result } from "../../../core/errors.ts";
import { SETTINGS_KEY } from "../../../core/log/keys.ts";
import type { TenantStore } from "../../../core/ports.ts";
import { noParametersSchema } from "../../../core/schema/query_parameter.ts";
import { settingsBodySchema, unavailableSetting } from "../../../core/schema/settings.ts";
import {
  readStored,
  type Settings,
  settingsSchema,
  storedBytes,
  storedSettings,
  storedSettingsSchema,
} from "../../../core/schema/stored.ts";
import { ADMIN_TENANT, READ_LISTED } from "../access_levels.ts";
import { jsonBody, noBody } from "../http/body_spec.ts";
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
  ({ services, tenant }) => readSettings(services.store.forTenant(tenant)),
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
    await services.store.forTenant(tenant).put(SETTINGS_KEY, storedBytes(storedSettings(body)));
    return ok(body);
  },
);

async function readSettings(store: TenantStore): Promise<Result<Settings>> {
  const stored = await store.get(SETTINGS_KEY);
  return stored === null ? ok({}) : readStored(storedSettingsSchema, stored.bytes, store.fullKey(SETTINGS_KEY));
}

export const settingsRoutes: readonly Route[] = [getSettings, putSettings];
