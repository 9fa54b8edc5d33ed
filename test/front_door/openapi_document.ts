/**
 * The document that the table's own route answers, parsed as far as tests look into it.
 */
import { z } from "zod";
import { openapiDocument } from "../../core/schema/openapi.ts";
import type { Route } from "../../workers/query/route.ts";

const operationSchema = z.looseObject({
  operationId: z.string(),
  requestBody: z
    .looseObject({ content: z.record(z.string(), z.looseObject({ schema: z.unknown().optional() })) })
    .optional(),
  responses: z.record(z.string(), z.unknown()),
});

export const documentSchema = z.looseObject({
  openapi: z.literal("3.1.0"),
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
});

export function documentOf(routes: readonly Route[]): z.infer<typeof documentSchema> {
  return documentSchema.parse(
    openapiDocument(
      routes.map(({ description }) => description),
      "1.0.0",
    ),
  );
}
