/** The objects' script: it has no route; the classes are all it offers. */
import { EntityObject } from "./entity_object.ts";
import { ScopeObject } from "./scope_object.ts";
import { TenantObject } from "./tenant_object.ts";

export default {
  fetch: () => new Response(null, { status: 404 }),
} satisfies ExportedHandler;

export { EntityObject, ScopeObject, TenantObject };
