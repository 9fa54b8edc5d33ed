/**
 * Settings on the wire, of a tenant or of an entity. What cannot be honoured yet is refused by name rather than kept
 * and ignored.
 */
import { type Failure, unprocessable } from "../errors.ts";
import { type Settings, settingsSchema } from "./stored.ts";

/** `PUT` replaces the whole: an absent field of an entity is its tenant's, and of a tenant the deployment's default. */
export const settingsBodySchema = settingsSchema;

/** null when every field can be honoured. */
export function unavailableSetting(settings: Settings): Failure | null {
  for (const field of ["analyzer", "metric", "embedder"] as const) {
    if (settings[field] !== undefined)
      return unprocessable(field, "is the deployment's and cannot be set per tenant or entity");
  }
  return null;
}

/** What an entity cannot have of its own besides. */
export function unavailableEntitySetting(settings: Settings): Failure | null {
  if (settings.tenant_index === undefined) return unavailableSetting(settings);
  return unprocessable("tenant_index", "is the tenant's and cannot be set per entity");
}
