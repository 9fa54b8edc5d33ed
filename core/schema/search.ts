/**
 * The search request. Parsed once at the edge; below it a `SearchRequest` has no unknown fields and no aliases.
 */
import { z } from "zod";
import { FUSION_K_MAX, FUSION_WEIGHT_MAX, QUERY_TEXT_BYTES_MAX, TOP_K_DEFAULT, TOP_K_MAX } from "../limits.ts";
import { vectorSchema } from "./event.ts";
import { boundedText, type Json, jsonSchema, timeSchema } from "./scalar.ts";

export const FUSION_K_DEFAULT = 60;

const weightSchema = z.number().min(0).max(FUSION_WEIGHT_MAX);

export const searchBodySchema = z
  .strictObject({
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
  })
  .refine((body) => (body.top_k ?? null) === null || (body.limit ?? null) === null, {
    message: "`limit` is an alias of `top_k`; send one of them",
    path: ["limit"],
  })
  .refine((body) => typeof body.text === "string" || Array.isArray(body.vector), {
    message: "a search needs `text` or `vector`",
  })
  .transform(
    (body): SearchRequest => ({
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
      consistency: body.consistency ?? "strong",
      atLeast: body.at_least ?? null,
      snapshot: body.snapshot ?? null,
      exact: body.exact ?? false,
      include: body.include ?? ["text", "attributes"],
      explain: body.explain ?? false,
    }),
  );

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
