/**
 * What anyone may ask: whether we serve, and what.
 */
import { ok } from "../../../core/errors.ts";
import { healthSchema } from "../../../core/schema/admin.ts";
import type { OperationDescription } from "../../../core/schema/openapi.ts";
import { openapiDocument } from "../../../core/schema/openapi.ts";
import { jsonSchema } from "../../../core/schema/scalar.ts";
import { noBody } from "../http/body_spec.ts";
import { jsonAnswer, openRoute, type Route } from "../route.ts";

const API_VERSION = "1.0.0";

export const HEALTH_PATH = "/healthz";
export const HEALTHY = { status: "ok" } as const;

export const healthRoute = openRoute(
  {
    operation: "getHealth",
    summary: "Whether the front door answers",
    method: "GET",
    path: HEALTH_PATH,
    body: noBody,
    answer: jsonAnswer(200, "it does", healthSchema),
  },
  async () => ok(HEALTHY),
);

/** Describes `others`, `/healthz` and itself. Made at the first request for it: most isolates never need it. */
export function openapiRoute(others: readonly Route[]): Route {
  let document: ReturnType<typeof openapiDocument> | null = null;
  const route: Route = openRoute(
    {
      operation: "getOpenapi",
      summary: "This document",
      method: "GET",
      path: "/openapi.json",
      body: noBody,
      answer: jsonAnswer(200, "OpenAPI 3.1", jsonSchema),
    },
    async () => {
      const operations: readonly OperationDescription[] = [...others, route].map(({ description }) => description);
      document ??= openapiDocument(operations, API_VERSION);
      return ok(document);
    },
  );
  return route;
}
