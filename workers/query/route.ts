/**
 * A route: its description, which is data, and its handler. The table of all routes drives routing, the 405s and
 * `/openapi.json`.
 *
 * A request passes authenticate → parse → one call → map. A handler gets what was authenticated and parsed, and answers
 * a wire value (written as JSON with the route's status), or a `Response` of its own where the answer is not JSON.
 */
import { z } from "zod";
import {
  authorizeEntity,
  type Principal,
  type Requirement,
  type TenantPrincipal,
  type TenantRequirement,
} from "../../core/access/principal.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import { invalidFields } from "../../core/schema/field_errors.ts";
import type { BodySchema, Method, OperationDescription } from "../../core/schema/openapi.ts";
import { noParametersSchema } from "../../core/schema/query_parameter.ts";
import type { BodySpec } from "./http/body_spec.ts";
import type { AppContext } from "./http/context.ts";
import { problemResponse } from "./http/problem_response.ts";
import type { Stages } from "./http/stages.ts";
import type { Services } from "./services.ts";

type ParamShape = Readonly<Record<string, z.ZodType>>;
type ParamsOf<Shape extends ParamShape> = { readonly [Name in keyof Shape]: z.output<Shape[Name]> };

export interface Call<Params, Query, Body> {
  readonly services: Services;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly headers: Headers;
  readonly requestId: string;
  /** Of this request: what is measured goes into its `Server-Timing`. */
  readonly stages: Pick<Stages, "measure" | "add" | "elapsedMs">;
}

export interface TenantCall<Params, Query, Body> extends Call<Params, Query, Body> {
  readonly principal: TenantPrincipal;
  readonly tenant: string;
}

interface Definition<Shape extends ParamShape, Query extends z.ZodObject, Body, Wire> {
  readonly operation: string;
  readonly summary: string;
  readonly method: Method;
  readonly path: string;
  readonly params: Shape;
  readonly query: Query;
  readonly body: BodySpec<Body>;
  readonly headers?: OperationDescription["headers"];
  readonly answer: Answer<Wire>;
}

export interface Answer<Wire> {
  readonly status: number;
  readonly description: string;
  readonly media: Readonly<Record<string, BodySchema>>;
  /** A second status that the value itself calls for. */
  readonly also?: { readonly status: number; readonly description: string; when(wire: Wire): boolean };
}

export function jsonAnswer<Wire>(
  status: number,
  description: string,
  schema: z.ZodType<Wire>,
  also?: Answer<Wire>["also"],
): Answer<Wire> {
  return { status, description, media: { "application/json": schema }, ...(also === undefined ? {} : { also }) };
}

/** The handler answers a `Response`. */
export function ownAnswer(status: number, description: string, media: Answer<Response>["media"]): Answer<Response> {
  return { status, description, media };
}

export interface Route {
  readonly description: OperationDescription;
  respond(services: Services, c: AppContext): Promise<Response>;
}

export function tenantRoute<Shape extends ParamShape, Query extends z.ZodObject, Body, Wire>(
  access: Omit<TenantRequirement, "credential">,
  definition: Definition<Shape, Query, Body, Wire>,
  handle: (call: TenantCall<ParamsOf<Shape>, z.output<Query>, Body>) => Promise<Result<NoInfer<Wire>>>,
): Route {
  return makeRoute({ credential: "tenant", ...access }, definition, (call, principal) => {
    if (principal?.kind !== "tenant") throw new Error("a tenant's route was reached without a tenant");
    return handle({ ...call, principal, tenant: principal.tenant });
  });
}

export function deploymentRoute<Shape extends ParamShape, Query extends z.ZodObject, Body, Wire>(
  definition: Definition<Shape, Query, Body, Wire>,
  handle: (call: Call<ParamsOf<Shape>, z.output<Query>, Body>) => Promise<Result<NoInfer<Wire>>>,
): Route {
  return makeRoute({ credential: "deployment" }, definition, handle);
}

export function openRoute<Body, Wire>(
  definition: Omit<Definition<Record<never, never>, typeof noParametersSchema, Body, Wire>, "params" | "query">,
  handle: (call: Call<unknown, unknown, Body>) => Promise<Result<NoInfer<Wire>>>,
): Route {
  return makeRoute({ credential: "none" }, { ...definition, params: {}, query: noParametersSchema }, handle);
}

function makeRoute<Shape extends ParamShape, Query extends z.ZodObject, Body, Wire>(
  access: Requirement,
  definition: Definition<Shape, Query, Body, Wire>,
  handle: (
    call: Call<ParamsOf<Shape>, z.output<Query>, Body>,
    principal: Principal | null,
  ) => Promise<Result<NoInfer<Wire>>>,
): Route {
  // Once: making a schema takes longer than parsing by it.
  const paramsSchema = z.object(definition.params);
  return {
    description: describe(access, definition),
    async respond(services, c) {
      const stages = c.get("stages");
      const principal = c.get("principal");
      const parsed = await stages.measure("parse", () => parse(definition, paramsSchema, principal, c));
      if (!parsed.ok) return problemResponse(c, parsed.failure);
      const call = {
        ...parsed.value,
        services,
        headers: c.req.raw.headers,
        requestId: c.get("requestId"),
        stages,
      };
      const answered = await stages.measure("call", () => handle(call, principal));
      return answered.ok ? write(definition.answer, answered.value) : problemResponse(c, answered.failure);
    },
  };
}

function describe<Shape extends ParamShape, Query extends z.ZodObject, Body, Wire>(
  access: Requirement,
  definition: Definition<Shape, Query, Body, Wire>,
): OperationDescription {
  const { operation, summary, method, path, params, query, body, answer } = definition;
  const { also, ...main } = answer;
  return {
    operation,
    summary,
    method,
    path,
    access,
    params,
    query,
    headers: definition.headers ?? {},
    body: Object.keys(body.media).length === 0 ? null : { required: body.required, media: body.media },
    responses: {
      [answer.status]: main,
      ...(also === undefined ? {} : { [also.status]: { description: also.description, media: main.media } }),
    },
  };
}

async function parse<Shape extends ParamShape, Query extends z.ZodObject, Body, Wire>(
  definition: Definition<Shape, Query, Body, Wire>,
  paramsSchema: z.ZodObject<Shape>,
  principal: Principal | null,
  c: AppContext,
): Promise<Result<{ params: ParamsOf<Shape>; query: z.output<Query>; body: Body }>> {
  const params = paramsSchema.safeParse(c.req.param());
  if (!params.success) return fail(invalidFields(params.error));
  const entity = Reflect.get(params.data, "entity");
  if (principal?.kind === "tenant" && typeof entity === "string") {
    const allowed = authorizeEntity(principal, entity);
    if (!allowed.ok) return allowed;
  }
  const given = queryOf(c.req.raw.url);
  if (!given.ok) return given;
  const query = definition.query.safeParse(given.value);
  if (!query.success) return fail(invalidFields(query.error));
  const body = await definition.body.read(c.req.raw);
  if (!body.ok) return body;
  return ok({ params: params.data as ParamsOf<Shape>, query: query.data, body: body.value });
}

/** A parameter given twice is an error: one of the two would pass silently. */
function queryOf(url: string): Result<Readonly<Record<string, string>>> {
  const values = new Map<string, string>();
  for (const [name, value] of new URL(url).searchParams) {
    if (values.has(name)) return fail({ reason: "invalid", errors: [{ path: name, message: "is given twice" }] });
    values.set(name, value);
  }
  return ok(Object.fromEntries(values));
}

function write<Wire>(answer: Answer<Wire>, wire: Wire): Response {
  if (wire instanceof Response) return wire;
  const status = answer.also?.when(wire) === true ? answer.also.status : answer.status;
  return Response.json(wire, { status });
}
