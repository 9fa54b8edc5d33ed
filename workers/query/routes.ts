/**
 * Every route there is.
 */
import { adminRoutes } from "./admin/routes.ts";
import { archiveRoutes } from "./archive/routes.ts";
import { documentRoutes } from "./documents/routes.ts";
import { entityRoutes } from "./entities/routes.ts";
import { eventRoutes } from "./events/routes.ts";
import { operationRoutes } from "./operations/routes.ts";
import { healthRoute, openapiRoute } from "./public/routes.ts";
import type { Route } from "./route.ts";
import { searchRoutes } from "./search/routes.ts";
import { settingsRoutes } from "./settings/routes.ts";

const described: readonly Route[] = [
  ...eventRoutes,
  ...documentRoutes,
  ...archiveRoutes,
  ...entityRoutes,
  ...searchRoutes,
  ...settingsRoutes,
  ...operationRoutes,
  ...adminRoutes,
  healthRoute,
];

export const routes: readonly Route[] = [...described, openapiRoute(described)];
