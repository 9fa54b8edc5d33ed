/**
 * A tenant's settings on the wire. What cannot be honoured yet is refused by name rather than kept and ignored.
 */
import { type Failure, unprocessable } from "../errors.ts";
import { type Settings, settingsSchema } from "./stored.ts";

/** `PUT` replaces the whole: an absent field goes back to the deployment's default. */
export const settingsBodySchema = settingsSchema;

/** null when every field can be honoured. */
export function unavailableSetting(settings: Settings): Failure | null {
  for (const field of ["analyzer", "metric", "embedder"] as const) {
    if (settings[field] !== undefined) return unprocessable(field, "is the deployment's and cannot be set per tenant");
  }
  if (settings.tenant_index === undefined || settings.tenant_index === "off") return null;
  return unprocessable("tenant_index", "only off is available");
}
