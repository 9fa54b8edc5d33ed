/**
 * The search request. Parsed once at the edge; below it a `SearchRequest` has no unknown fields and no aliases.
 */
import { z } from "zod";
import {
  FILTER_IN_VALUES_MAX,
  FUSION_K_MAX,
  FUSION_WEIGHT_MAX,
  QUERY_TEXT_BYTES_MAX,
  STRONG_ENTITIES_MAX,
  TOP_K_DEFAULT,
  TOP_K_MAX,
} from "../limits.ts";
import { vectorSchema } from "./event.ts";
import { boundedText, entitySchema, type Json, jsonSchema, timeSchema } from "./scalar.ts";

export const FUSION_K_DEFAULT = 60;

const weightSchema = z.number().min(0).max(FUSION_WEIGHT_MAX);

const searchShape = {
  text: boundedText(QUERY_TEXT_BYTES_MAX).nullish(),
  vector: vectorSchema.nullish(),
  mode: z.enum(["hybrid", "text", "vector"]).nullish(),
  top_k: z.number().int().min(1).max(TOP_K_MAX).nullish(),
  limit: z.number().int().min(1).max(TOP_K_MAX).nullish(),
  /** Its grammar is checked by `parseFilter`. */
  filter: jsonSchema.nullish(),
  from: timeSchema.nullish(),
  to: timeSchema.nullish(),
  valid_at: timeSchema.nullish(),
  as_of: timeSchema.nullish(),
  fusion: z
    .strictObject({
      method: z.literal("rrf").optional(),
      k: z.number().int().min(1).max(FUSION_K_MAX).optional(),
      weights: z.strictObject({ text: weightSchema.optional(), vector: weightSchema.optional() }).optional(),
    })
    .nullish(),
  consistency: z.enum(["strong", "eventual"]).nullish(),
  at_least: z.string().nullish(),
  snapshot: z.string().nullish(),
  exact: z.boolean().nullish().describe("compare every vector that matches; never walk a graph"),
  include: z.array(z.enum(["text", "attributes"])).nullish(),
  explain: z.boolean().nullish(),
};

type SearchBody = z.infer<z.ZodObject<typeof searchShape>>;

const ONE_LIMIT = { message: "`limit` is an alias of `top_k`; send one of them", path: ["limit"] };
const A_SIDE = { message: "a search needs `text` or `vector`" };

function hasOneLimit(body: SearchBody): boolean {
  return (body.top_k ?? null) === null || (body.limit ?? null) === null;
}

function hasSide(body: SearchBody): boolean {
  return typeof body.text === "string" || Array.isArray(body.vector);
}

function searchRequest(body: SearchBody, consistency: SearchRequest["consistency"]): SearchRequest {
  return {
    text: body.text ?? null,
    vector: body.vector ?? null,
    mode: body.mode ?? null,
    topK: body.top_k ?? body.limit ?? TOP_K_DEFAULT,
    filter: body.filter ?? null,
    from: body.from ?? null,
    to: body.to ?? null,
    validAt: body.valid_at ?? null,
    asOf: body.as_of ?? null,
    fusionK: body.fusion?.k ?? FUSION_K_DEFAULT,
    weights: { text: body.fusion?.weights?.text ?? null, vector: body.fusion?.weights?.vector ?? null },
    consistency: body.consistency ?? consistency,
    atLeast: body.at_least ?? null,
    snapshot: body.snapshot ?? null,
    exact: body.exact ?? false,
    include: body.include ?? ["text", "attributes"],
    explain: body.explain ?? false,
  };
}

export const searchBodySchema = z
  .strictObject(searchShape)
  .refine(hasOneLimit, ONE_LIMIT)
  .refine(hasSide, A_SIDE)
  .transform((body): SearchRequest => searchRequest(body, "strong"));

/** A search over the tenant: eventual, unless it lists the few entities that it is to be strong about. */
export const tenantSearchBodySchema = z
  .strictObject({
    ...searchShape,
    entities: z
      .array(entitySchema)
      .min(1)
      .max(FILTER_IN_VALUES_MAX)
      .nullish()
      .describe(`hits of these only; with \`consistency: "strong"\` at most ${STRONG_ENTITIES_MAX}`),
    group_by: z.literal("entity").nullish().describe("the best hit of each entity"),
    prefilter: z.literal("l0").nullish().describe("search the summaries first, then the entities that they name"),
  })
  .refine(hasOneLimit, ONE_LIMIT)
  .refine(hasSide, A_SIDE)
  .refine(({ consistency, entities }) => consistency !== "strong" || (entities ?? null) !== null, {
    message: "a strong search lists its `entities`",
    path: ["entities"],
  })
  .refine(({ consistency, entities }) => consistency !== "strong" || (entities?.length ?? 0) <= STRONG_ENTITIES_MAX, {
    message: `a strong search takes at most ${STRONG_ENTITIES_MAX} entities`,
    path: ["entities"],
  })
  .refine(({ consistency, prefilter }) => consistency !== "strong" || (prefilter ?? null) === null, {
    message: "summaries are searched by an eventual search only",
    path: ["prefilter"],
  })
  .transform(
    ({ entities, group_by, prefilter, ...body }): TenantSearchRequest => ({
      request: searchRequest(body, "eventual"),
      entities: entities == null ? null : [...new Set(entities)],
      oneAnEntity: group_by === "entity",
      prefilter: prefilter === "l0",
    }),
  );

export interface TenantSearchRequest {
  readonly request: SearchRequest;
  /** Each once, in the order given; null: all. */
  readonly entities: readonly string[] | null;
  readonly oneAnEntity: boolean;
  readonly prefilter: boolean;
}

/** Times in epoch milliseconds. null means not given. */
export interface SearchRequest {
  readonly text: string | null;
  readonly vector: readonly number[] | null;
  readonly mode: "hybrid" | "text" | "vector" | null;
  readonly topK: number;
  readonly filter: Json;
  readonly from: number | null;
  readonly to: number | null;
  readonly validAt: number | null;
  readonly asOf: number | null;
  readonly fusionK: number;
  readonly weights: { readonly text: number | null; readonly vector: number | null };
  readonly consistency: "strong" | "eventual";
  readonly atLeast: string | null;
  readonly snapshot: string | null;
  readonly exact: boolean;
  readonly include: readonly ("text" | "attributes")[];
  readonly explain: boolean;
}
