/**
 * The OpenAPI 3.1 document, derived from the operations that are served. The front door routes by the same table, so
 * the document cannot name an operation that is not there, nor leave one out.
 */
import { z } from "zod";
import type { Requirement } from "../access/principal.ts";
import { PROBLEM_MEDIA_TYPE, problemSchema } from "./problem.ts";
import type { Json } from "./scalar.ts";

export type Method = "GET" | "PUT" | "POST" | "DELETE";

/** null: bytes of any form. */
export type BodySchema = z.ZodType | null;

export interface OperationDescription {
  /** Stable name: what a generated client calls it. */
  readonly operation: string;
  readonly summary: string;
  readonly method: Method;
  /** As OpenAPI writes it: `/v1/entities/{entity}`. */
  readonly path: string;
  readonly access: Requirement;
  /** One schema for each name in `path`. */
  readonly params: Readonly<Record<string, z.ZodType>>;
  readonly query: z.ZodObject;
  /** Request headers with a meaning of their own. */
  readonly headers: Readonly<Record<string, { readonly schema: z.ZodType; readonly description: string }>>;
  readonly body: { readonly required: boolean; readonly media: Readonly<Record<string, BodySchema>> } | null;
  readonly responses: Readonly<
    Record<number, { readonly description: string; readonly media: Readonly<Record<string, BodySchema>> }>
  >;
}

/** Every answer carries these. */
const COMMON_HEADERS: Json = {
  "X-Request-Id": { schema: { type: "string" }, description: "names this request in logs and problems" },
  "Server-Timing": { schema: { type: "string" }, description: "milliseconds of each stage" },
};

export function openapiDocument(operations: readonly OperationDescription[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of operations) {
    const path = paths[operation.path] ?? {};
    path[operation.method.toLowerCase()] = operationObject(operation);
    paths[operation.path] = path;
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Context Plane",
      version,
      summary: "The right context, for the right entity, at the right time, from one call.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      securitySchemes: {
        tenant: {
          type: "http",
          scheme: "bearer",
          description: "a tenant's key `ck_<id>_<secret>`, or a token of the issuer",
        },
        deployment: { type: "http", scheme: "bearer", description: "the deployment's ADMIN_TOKEN" },
      },
      schemas: { Problem: jsonSchemaOf(problemSchema, "output") },
      responses: {
        Problem: {
          description: "what was wrong: RFC 9457 problem details",
          headers: COMMON_HEADERS,
          content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: "#/components/schemas/Problem" } } },
        },
      },
    },
  };
}

function operationObject(operation: OperationDescription): Json {
  const { access, body } = operation;
  const responses: Record<string, Json> = {};
  for (const [status, response] of Object.entries(operation.responses)) {
    responses[status] = {
      description: response.description,
      headers: COMMON_HEADERS,
      ...(Object.keys(response.media).length === 0 ? {} : { content: mediaObject(response.media, "output") }),
    };
  }
  return {
    operationId: operation.operation,
    summary: operation.summary,
    description: accessSentence(access),
    security: access.credential === "none" ? [] : [{ [access.credential]: [] }],
    parameters: [...pathParameters(operation), ...queryParameters(operation), ...headerParameters(operation)],
    ...(body === null ? {} : { requestBody: { required: body.required, content: mediaObject(body.media, "input") } }),
    responses: { ...responses, default: { $ref: "#/components/responses/Problem" } },
  };
}

function accessSentence(access: Requirement): string {
  if (access.credential === "none") return "Needs no credential.";
  if (access.credential === "deployment") return "Needs the deployment's ADMIN_TOKEN.";
  const whole = access.reach === "tenant" ? " that is not confined to an entity prefix" : "";
  return `Needs a credential with the scope \`${access.scope}\` and the tier ${access.tier}${whole}.`;
}

function pathParameters(operation: OperationDescription): readonly Json[] {
  return Object.entries(operation.params).map(([name, schema]) => ({
    name,
    in: "path",
    required: true,
    schema: jsonSchemaOf(schema, "input"),
  }));
}

function queryParameters(operation: OperationDescription): readonly Json[] {
  return Object.entries(operation.query.shape).map(([name, schema]) => ({
    name,
    in: "query",
    required: false,
    schema: jsonSchemaOf(schema, "input"),
  }));
}

function headerParameters(operation: OperationDescription): readonly Json[] {
  return Object.entries(operation.headers).map(([name, header]) => ({
    name,
    in: "header",
    required: false,
    description: header.description,
    schema: jsonSchemaOf(header.schema, "input"),
  }));
}

function mediaObject(media: Readonly<Record<string, BodySchema>>, io: "input" | "output"): Json {
  return Object.fromEntries(
    Object.entries(media).map(([type, schema]) => [type, schema === null ? {} : { schema: jsonSchemaOf(schema, io) }]),
  );
}

/**
 * What zod cannot say in JSON Schema (a refinement, a transform) is left open rather than described wrongly.
 * The one recursive schema we have is "any JSON", which JSON Schema writes as an empty one.
 */
function jsonSchemaOf(schema: z.core.$ZodType, io: "input" | "output"): Json {
  const { $schema: _, $defs: __, "~standard": ___, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return JSON.parse(JSON.stringify(rest), (_name, value) => (isRecursion(value) ? {} : value));
}

function isRecursion(value: unknown): boolean {
  return typeof value === "object" && value !== null && "$ref" in value && String(value.$ref).startsWith("#/$defs/");
}
