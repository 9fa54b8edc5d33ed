/**
 * A search request with every default filled in: what remains is a pure function of a snapshot.
 *
 *   resolveSearch → (the caller embeds the query, if `embedText` is set) → withQueryVector → searchView
 *
 * Modes. `text` needs text. `vector` needs a vector or a way to embed. `hybrid` runs the legs it can and names in
 * `degraded` the one it cannot; not asked for a mode, a search takes the sides it has. Text of white space is none.
 * Whether the snapshot happens to hold vectors changes no mode: a hybrid search among none ranks by its text leg, so a
 * score means the same before and after the first vector.
 *
 * Weights. Text counts 1. A vector leg over supplied or remotely embedded vectors counts 1; over a local embedder's,
 * that embedder's `queryWeight`. A local embedder knows no more of an identifier than the words do, so when the query
 * has one, its default weight stays below 1/(k + 2): rank 1 of the text leg is worth 1/(k+1), rank 2 with the best
 * vector 1/(k+2) + w/(k+1), which is less exactly when w < 1/(k+2). Weights that the caller sends are taken as sent,
 * rounded to the 2^-16 that the kernel counts in.
 */
import { fail, invalid, ok, type Result, unprocessable } from "../errors.ts";
import type { VectorSpace } from "../index/part.ts";
import { QUERY_TERMS_MAX } from "../limits.ts";
import type { KernelBuilder, Metric, QueryTerm } from "../ports.ts";
import type { Json } from "../schema/scalar.ts";
import type { SearchRequest } from "../schema/search.ts";
import { BM25_B_DEFAULT, BM25_K1_DEFAULT, type Bm25Parameters, isIdentifier } from "./bm25.ts";
import { type Filter, MATCH_ALL, parseFilter } from "./filter.ts";
import { intersect, type TimeWindow } from "./prune.ts";
import { verbatimOf } from "./verbatim.ts";

export type SearchMode = "hybrid" | "text" | "vector";

export interface ResolveContext {
  /** The snapshot's vectors (`spaceOfView`); null when it has none. */
  readonly vectorSpace: VectorSpace | null;
  readonly metric: Metric;
  /** The scope's embedder; null when it has none. */
  readonly embedder: { readonly kind: "local" | "remote"; readonly id: string; readonly queryWeight: number } | null;
  readonly analyze: KernelBuilder["analyze"];
  readonly bm25?: Bm25Parameters;
}

export interface ResolvedSearch {
  /** The legs that run. */
  readonly mode: SearchMode;
  readonly terms: readonly QueryTerm[];
  /** Every word of the query is part of a whole token of it. */
  readonly identifiersOnly: boolean;
  /** The identifier that is looked up as written; null when the query is prose. */
  readonly verbatim: string | null;
  readonly bm25: Bm25Parameters;
  readonly vector: Float32Array | null;
  readonly vectorSpace: VectorSpace | null;
  readonly metric: Metric;
  readonly fusionK: number;
  readonly weights: { readonly text: number; readonly vector: number };
  readonly topK: number;
  readonly filter: Filter;
  /** `from` to `to`, both inclusive, and not after `valid_at`: an event is valid from its time on. */
  readonly window: TimeWindow;
  /** No plan but an exact one will do. */
  readonly exactOnly: boolean;
  /** The request restricts by filter or time. */
  readonly restricted: boolean;
  readonly include: { readonly text: boolean; readonly attributes: boolean };
  readonly explain: boolean;
  /** Text to embed before the search can run; null when there is nothing to embed. */
  readonly embedText: string | null;
  readonly degraded: readonly string[];
}

export function resolveSearch(request: SearchRequest, context: ResolveContext): Result<ResolvedSearch> {
  const filter = request.filter === null ? ok(MATCH_ALL) : parseFilter(request.filter);
  if (!filter.ok) return filter;
  const legs = chooseLegs(request, context);
  if (!legs.ok) return legs;
  const { mode, embedText, degraded } = legs.value;
  const terms = mode === "vector" || request.text === null ? [] : context.analyze(request.text);
  if (terms.length > QUERY_TERMS_MAX) {
    return fail(invalid("text", `has ${terms.length} distinct terms; at most ${QUERY_TERMS_MAX} are taken`));
  }
  const textWeight = request.weights.text ?? 1;
  return ok({
    mode,
    terms,
    identifiersOnly: hasOnlyIdentifiers(terms, context.analyze),
    verbatim: verbatimOf(request.text),
    bm25: context.bm25 ?? { k1: BM25_K1_DEFAULT, b: BM25_B_DEFAULT },
    vector: mode !== "text" && request.vector !== null ? Float32Array.from(request.vector) : null,
    vectorSpace: context.vectorSpace,
    metric: context.metric,
    fusionK: request.fusionK,
    weights: {
      text: inKernelUnits(textWeight),
      vector: inKernelUnits(request.weights.vector ?? vectorWeight(terms, textWeight, request.fusionK, context)),
    },
    topK: request.topK,
    filter: filter.value,
    window: windowOf(request),
    exactOnly: request.exact,
    restricted: isRestricted(request, filter.value),
    include: { text: request.include.includes("text"), attributes: request.include.includes("attributes") },
    explain: request.explain,
    embedText,
    degraded,
  });
}

/**
 * Puts the embedded query in, or says why there is none: then a hybrid search is its text leg, and a vector search
 * fails. `null` is an embedder that found nothing to embed, which finds nothing.
 */
export function withQueryVector(search: ResolvedSearch, embedded: Result<Float32Array | null>): Result<ResolvedSearch> {
  if (search.embedText === null) return ok(search);
  if (embedded.ok && embedded.value !== null) {
    const expected = search.vectorSpace?.dimensions ?? embedded.value.length;
    if (embedded.value.length === expected) return ok({ ...search, vector: embedded.value, embedText: null });
  }
  if (!embedded.ok && search.mode === "vector") return embedded;
  const reason = embedded.ok ? "the embedder made no fitting vector of the query" : "the embedder did not answer";
  const mode = search.mode === "vector" ? "vector" : "text";
  return ok({ ...search, mode, embedText: null, degraded: [...search.degraded, `vector: ${reason}`] });
}

/** The defaults that were filled in, for the answer. */
export function describeResolved(search: ResolvedSearch): Json {
  return {
    mode: search.mode,
    top_k: search.topK,
    bm25: search.mode === "vector" ? null : { k1: search.bm25.k1, b: search.bm25.b },
    fusion:
      search.mode === "hybrid"
        ? { method: "rrf", k: search.fusionK, weights: { text: search.weights.text, vector: search.weights.vector } }
        : null,
    vector:
      search.mode === "text" || search.vectorSpace === null
        ? null
        : { model: search.vectorSpace.model, dimensions: search.vectorSpace.dimensions, metric: search.metric },
  };
}

// --- Legs -----------------------------------------------------------------------------------

interface Legs {
  readonly mode: SearchMode;
  readonly embedText: string | null;
  readonly degraded: readonly string[];
}

function chooseLegs(request: SearchRequest, context: ResolveContext): Result<Legs> {
  const text = request.text !== null && request.text.trim() !== "" ? request.text : null;
  if (text === null && request.vector === null) return fail(invalid("text", "a search needs text or a vector"));
  if (request.mode === "text") {
    return text === null ? fail(invalid("text", "is needed by the mode text")) : ok(legs("text"));
  }
  const obstacle = vectorObstacle(request, context);
  // A vector that was sent and does not fit is a mistake; one that cannot be made is a leg that does not run.
  if (obstacle !== null && (request.vector !== null || request.mode === "vector")) {
    return fail(unprocessable("vector", obstacle));
  }
  // Where there are no vectors to compare with, none is made of the query.
  const embedText = request.vector === null && context.vectorSpace !== null ? text : null;
  if (request.mode === "vector") return ok(legs("vector", embedText));
  if (text === null) return ok(legs("vector", null, request.mode === "hybrid" ? ["text: the query has no text"] : []));
  if (obstacle === null) return ok(legs("hybrid", embedText));
  return ok(legs("text", null, request.mode === "hybrid" ? [`vector: ${obstacle}`] : []));
}

function legs(mode: SearchMode, embedText: string | null = null, degraded: readonly string[] = []): Legs {
  return { mode, embedText, degraded };
}

/** Why there is no vector to search with; null when there is one, or can be. */
function vectorObstacle(request: SearchRequest, { vectorSpace, embedder }: ResolveContext): string | null {
  if (request.vector !== null) {
    if (vectorSpace === null || vectorSpace.dimensions === request.vector.length) return null;
    return `has ${request.vector.length} dimensions; this entity's vectors have ${vectorSpace.dimensions}`;
  }
  if (embedder === null) return "is needed: there is no embedder that could make one of the text";
  if (vectorSpace !== null && vectorSpace.model !== embedder.id) {
    return `is needed: this entity's vectors are ${vectorSpace.model}, which the embedder ${embedder.id} does not make`;
  }
  return null;
}

// --- Weights --------------------------------------------------------------------------------

function vectorWeight(
  terms: readonly QueryTerm[],
  textWeight: number,
  fusionK: number,
  { vectorSpace, embedder, analyze }: ResolveContext,
): number {
  if (embedder === null || embedder.kind === "remote" || vectorSpace?.model !== embedder.id) return 1;
  const hasIdentifier = terms.some(isIdentifier) || hasOnlyIdentifiers(terms, analyze);
  return hasIdentifier
    ? Math.min(embedder.queryWeight, textWeight * identifierSafeWeight(fusionK))
    : embedder.queryWeight;
}

/** Of weights, and of reciprocal ranks: floor(2^32 / (k + rank)). */
export const FUSION_WEIGHT_UNITS = 2 ** 16;
export const FUSION_RANK_UNITS = 2 ** 32;

/** The largest weight with which a vector leg cannot take rank 1 from a text leg of weight 1. */
export function identifierSafeWeight(fusionK: number): number {
  const first = Math.floor(FUSION_RANK_UNITS / (fusionK + 1));
  const second = Math.floor(FUSION_RANK_UNITS / (fusionK + 2));
  const bound = (FUSION_WEIGHT_UNITS * (first - second)) / first;
  return (Math.ceil(bound) - 1) / FUSION_WEIGHT_UNITS;
}

function inKernelUnits(weight: number): number {
  return Math.round(weight * FUSION_WEIGHT_UNITS) / FUSION_WEIGHT_UNITS;
}

function hasOnlyIdentifiers(terms: readonly QueryTerm[], analyze: KernelBuilder["analyze"]): boolean {
  const covered = new Set<string>();
  for (const { field, term } of terms) {
    if (field !== "whole") continue;
    for (const part of analyze(term)) if (part.field === "word") covered.add(part.term);
  }
  return terms.length > 0 && terms.every(({ field, term }) => field === "whole" || covered.has(term));
}

// --- Time -----------------------------------------------------------------------------------

function windowOf(request: SearchRequest): TimeWindow {
  const given = { from: request.from ?? Number.NEGATIVE_INFINITY, to: request.to ?? Number.POSITIVE_INFINITY };
  return intersect(given, { from: Number.NEGATIVE_INFINITY, to: request.validAt ?? Number.POSITIVE_INFINITY });
}

function isRestricted(request: SearchRequest, filter: Filter): boolean {
  const timed = request.from !== null || request.to !== null || request.validAt !== null;
  return timed || filter.type !== "and" || filter.filters.length > 0;
}
