/**
 * Search over a view: a pure function of the snapshot and the resolved request, and of the layout only where a graph is
 * walked (plan.ts).
 *
 *   live rows ─ statistics, summed over all parts ─ idf, weights ┐
 *   filter, time ─ matching documents ───────────────────────────┴─ text leg ┐
 *                                    └───────────────────────────── vector leg ┴─ fusion ─ hits
 */
import { ok, type Result } from "../errors.ts";
import type { Part } from "../index/part.ts";
import { LEG_CANDIDATES_MIN, TOP_K_MAX } from "../limits.ts";
import type { KernelSlab, TextParameters, TextStatistics } from "../ports.ts";
import type { Plan, SearchHit } from "../rpc.ts";
import { NO_STATISTICS, type RatedTerm, rateTerms, textParameters } from "./bm25.ts";
import { type ExplainSource, explainHit } from "./explain.ts";
import { fieldsOf } from "./filter.ts";
import { createTextReader, type Finding, type HitSource, hydrate, namesOf, type RowNames } from "./hit.ts";
import { gatherStatistics, type Legs, type Ordinals, runLegs, type SeenPart, seenParts } from "./legs.ts";
import type { SearchNeeds } from "./paged_parts.ts";
import { describePlans, overallPlan } from "./plan.ts";
import type { PartAccess, SlabResidency } from "./residency.ts";
import type { ResolvedSearch } from "./resolve.ts";
import { findVerbatim, type VerbatimPlaces, verbatimIn, verbatimWeight } from "./verbatim.ts";
import type { LiveRows, View } from "./view.ts";

export interface SearchContext {
  readonly entity: string;
  /** Whose slab: the tenant, a `/`, and what is unique within the tenant. */
  readonly scope: string;
  readonly residency: SlabResidency;
  /** The full key of a segment, for citations. */
  readonly segmentKey: HitSource["segmentKey"];
  /** Of a view over many entities: whose each row is. Absent: all are `entity`'s. */
  readonly names?: RowNames;
  /** The best hit of each entity only: of the TOP_K_MAX best hits. */
  readonly oneAnEntity?: boolean;
}

export interface SearchOutcome {
  readonly hits: readonly SearchHit[];
  readonly plan: Plan;
  readonly planReason: string;
  /** Documents that were eligible. */
  readonly candidates: number;
  /** All parts stayed in one slab; else they were streamed through the window. */
  readonly resident: boolean;
  /** Parts that were not in the slab when the search began. */
  readonly brought: readonly Part[];
  /** `oneAnEntity` found fewer than were asked for among TOP_K_MAX hits: there may be more. */
  readonly cut: boolean;
}

/** `live[i]` is of `view.parts[i]`. The request's vector has been put in: `embedText` is null. */
export function searchView(
  view: View,
  search: ResolvedSearch,
  live: readonly LiveRows[],
  context: SearchContext,
): Result<SearchOutcome> {
  return withView(view, search, live, context, (opened) => {
    const statistics = survey(opened, search);
    if (!statistics.ok) return statistics;
    const ranked = rankLegs(opened, search, statistics.value, context);
    if (!ranked.ok) return ranked;
    const { legs, verbatim } = ranked.value;
    const lookedUp = findVerbatim(legs, verbatim);
    const all = placeHits(legs, lookedUp, search, opened.access.slab, rankedMax(search, context));
    const placed = context.oneAnEntity === true ? bestOfEach(all, opened.seen, search.topK, context) : all;
    const hits = hydratePlaced(opened, search, statistics.value, placed, context);
    if (!hits.ok) return hits;
    return ok({
      hits: hits.value,
      ...planOf(search, legs),
      candidates: legs.candidates,
      resident: opened.access.resident,
      brought: opened.access.brought,
      cut: placed.length < search.topK && all.length === TOP_K_MAX,
    });
  });
}

// --- The same in steps, for what is merged from several scopes ------------------------------

/** The statistics of the view's live documents for the terms of the search. */
export function surveyView(
  view: View,
  search: ResolvedSearch,
  live: readonly LiveRows[],
  context: SearchContext,
): Result<TextStatistics> {
  return withView(view, search, live, context, (opened) => survey(opened, search));
}

export interface RankedView extends Pick<SearchOutcome, "plan" | "planReason"> {
  readonly legs: Legs;
  readonly verbatim: VerbatimPlaces;
  /** Ordinals are below this. */
  readonly documents: number;
}

/** The best documents of each leg, scored by statistics that may be of more than this view. */
export function rankView(
  view: View,
  search: ResolvedSearch,
  statistics: TextStatistics,
  live: readonly LiveRows[],
  context: SearchContext,
): Result<RankedView> {
  return withView(view, search, live, context, (opened) => {
    // Which leg's counts is known when all legs are merged.
    const ranked = rankLegs(opened, search, statistics, context, true);
    if (!ranked.ok) return ranked;
    const documents = view.parts.reduce((sum, part) => sum + part.documents, 0);
    return ok({ ...ranked.value, documents, ...planOf(search, ranked.value.legs) });
  });
}

/** The hits that `placed` names, in its order. */
export function hydrateView(
  view: View,
  search: ResolvedSearch,
  statistics: TextStatistics,
  placed: readonly Placed[],
  live: readonly LiveRows[],
  context: SearchContext,
): Result<readonly SearchHit[]> {
  return withView(view, search, live, context, (opened) => {
    return hydratePlaced(opened, search, statistics, placed, context);
  });
}

// --- Steps ----------------------------------------------------------------------------------

interface OpenedView {
  readonly seen: readonly SeenPart[];
  readonly access: PartAccess;
}

function withView<T>(
  view: View,
  search: ResolvedSearch,
  live: readonly LiveRows[],
  { residency, scope }: SearchContext,
  body: (opened: OpenedView) => Result<T>,
): Result<T> {
  if (search.embedText !== null) throw new Error("the query was not embedded");
  const seen = seenParts(view, live, search.vectorSpace);
  const parts = seen.map(({ part }) => part);
  const access = residency.access(scope, parts, search.vectorSpace, needsOf(search));
  if (!access.ok) return access;
  try {
    return body({ seen, access: access.value });
  } finally {
    access.value.close();
  }
}

function needsOf({ mode, vectorSpace, terms, restricted, filter }: ResolvedSearch): SearchNeeds {
  return { space: mode === "text" ? null : vectorSpace, terms, restricted, fields: fieldsOf(filter) };
}

function survey({ seen, access }: OpenedView, search: ResolvedSearch): Result<TextStatistics> {
  const hasText = search.mode !== "vector" && search.terms.length > 0;
  return hasText ? gatherStatistics(seen, access, search) : ok(NO_STATISTICS);
}

interface RankedLegs {
  readonly legs: Legs;
  readonly verbatim: VerbatimPlaces;
}

function rankLegs(
  { seen, access }: OpenedView,
  search: ResolvedSearch,
  statistics: TextStatistics,
  context: SearchContext,
  bothPlaces = false,
): Result<RankedLegs> {
  const { parameters } = prepareText(statistics, access.slab, search);
  const legs = runLegs(seen, access, search, parameters, context, legLimit(search, rankedMax(search, context)));
  if (!legs.ok) return legs;
  const lookedUp = search.mode === "hybrid" ? search.verbatim : null;
  return ok({ legs: legs.value, verbatim: verbatimIn(legs.value, lookedUp, textReader(seen), bothPlaces) });
}

function rankedMax({ topK }: ResolvedSearch, { oneAnEntity }: SearchContext): number {
  return oneAnEntity === true ? TOP_K_MAX : topK;
}

/** Documents that each leg gives. */
export function legLimit({ mode }: ResolvedSearch, topK: number): number {
  return mode === "hybrid" ? Math.max(LEG_CANDIDATES_MIN, 5 * topK) : topK;
}

interface PreparedText {
  readonly terms: readonly RatedTerm[];
  /** null when no term of the query occurs in the snapshot. */
  readonly parameters: TextParameters | null;
}

function prepareText(statistics: TextStatistics, slab: KernelSlab, search: ResolvedSearch): PreparedText {
  if (search.mode === "vector" || search.terms.length === 0) return { terms: [], parameters: null };
  const idf = (documents: number, df: number): number => slab.idf(documents, df);
  const terms = rateTerms(search.terms, statistics, idf, search.bm25, search.identifiersOnly);
  return { terms, parameters: terms.length === 0 ? null : textParameters(terms, statistics, search.bm25) };
}

/** A document that is in the answer, and what ranked it. */
export interface Placed {
  readonly ordinal: number;
  readonly score: number;
  readonly scores: SearchHit["scores"];
  /** It was looked up as written. */
  readonly verbatim: boolean;
}

/** The answer's documents, best first: the legs fused, or the one that ran. */
export function placeHits(
  legs: Pick<Legs, "text" | "vector">,
  verbatim: number | null,
  search: ResolvedSearch,
  slab: KernelSlab,
  limit: number,
): readonly Placed[] {
  const { ordinals, scores: fused } = rank(legs, verbatim, search, slab, limit);
  const inText = placesOf(legs.text);
  const inVector = placesOf(legs.vector);
  return Array.from(ordinals.subarray(0, limit), (ordinal, index) => {
    const text = inText.get(ordinal);
    const vector = inVector.get(ordinal);
    const scores = { ...(text === undefined ? {} : { text }), ...(vector === undefined ? {} : { vector }) };
    return { ordinal, score: fused[index] ?? 0, scores, verbatim: ordinal === verbatim };
  });
}

/** Best first. */
interface Ranking {
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array | Float64Array;
}

function rank(
  { text, vector }: Pick<Legs, "text" | "vector">,
  verbatim: number | null,
  search: ResolvedSearch,
  slab: KernelSlab,
  limit: number,
): Ranking {
  if (text === null || vector === null)
    return text ?? vector ?? { ordinals: new Uint32Array(0), scores: new Float32Array(0) };
  slab.reset();
  const fused = slab.fuse(
    [
      { keys: text.ordinals, weight: search.weights.text },
      { keys: vector.ordinals, weight: search.weights.vector },
      ...(verbatim === null ? [] : [{ keys: Uint32Array.of(verbatim), weight: verbatimWeight(search.weights) }]),
    ],
    search.fusionK,
    limit,
  );
  return { ordinals: fused.keys, scores: fused.scores };
}

/** The first of each entity. */
function bestOfEach(
  placed: readonly Placed[],
  seen: readonly SeenPart[],
  limit: number,
  { names, entity }: SearchContext,
): readonly Placed[] {
  const { entityOf } = names ?? namesOf(entity);
  const met = new Set<string>();
  return placed
    .filter(({ ordinal }) => {
      const { part, base } = partOfOrdinal(seen, ordinal);
      const name = entityOf(part, part.rowOfDocument[ordinal - base] ?? 0);
      return !met.has(name) && met.add(name);
    })
    .slice(0, limit);
}

function hydratePlaced(
  { seen, access }: OpenedView,
  search: ResolvedSearch,
  statistics: TextStatistics,
  placed: readonly Placed[],
  context: SearchContext,
): Result<readonly SearchHit[]> {
  const source = { access, search, ...prepareText(statistics, access.slab, search) };
  const findings = findAll(placed, seen, source);
  return findings.ok ? ok(hydrate(findings.value, { ...context, include: search.include })) : findings;
}

/** In order of rank; explained part by part, so that a streamed part is loaded once more at most. */
function findAll(
  placed: readonly Placed[],
  seen: readonly SeenPart[],
  source: ExplainSource,
): Result<readonly Finding[]> {
  const byPosition = [...placed.entries()].sort(([, a], [, b]) => a.ordinal - b.ordinal);
  const findings: Finding[] = [];
  for (const [index, { ordinal, score, scores, verbatim }] of byPosition) {
    const { part, base } = partOfOrdinal(seen, ordinal);
    const document = ordinal - base;
    const explain = source.search.explain ? explainHit(part, document, scores, verbatim, source) : ok(null);
    if (!explain.ok) return explain;
    findings[index] = { part, document, score, scores, explain: explain.value };
  }
  return ok(findings);
}

function textReader(seen: readonly SeenPart[]): (ordinal: number) => string | null {
  const textOf = createTextReader();
  return (ordinal) => {
    const { part, base } = partOfOrdinal(seen, ordinal);
    return textOf(part, ordinal - base);
  };
}

interface Place {
  readonly score: number;
  /** From 1. */
  readonly rank: number;
}

function placesOf(leg: Ordinals | null): ReadonlyMap<number, Place> {
  const places = new Map<number, Place>();
  leg?.ordinals.forEach((ordinal, index) => {
    places.set(ordinal, { score: leg.scores[index] ?? 0, rank: index + 1 });
  });
  return places;
}

function partOfOrdinal(seen: readonly SeenPart[], ordinal: number): SeenPart {
  const found = seen.findLast(({ base, part }) => base <= ordinal && ordinal < base + part.documents);
  if (found === undefined) throw new RangeError(`document ${ordinal} is in no part`);
  return found;
}

function planOf(search: ResolvedSearch, legs: Legs): Pick<SearchOutcome, "plan" | "planReason"> {
  const documents = legs.candidates === 1 ? "1 live document" : `${legs.candidates} live documents`;
  const eligible = search.restricted ? `${documents} match the filter` : `${documents} in all`;
  const plans = describePlans(legs.vectorPlans);
  return {
    plan: overallPlan(legs.vectorPlans, search.restricted),
    planReason: plans === "" ? `${eligible}, each of them scored.` : `${eligible}. Vectors of ${plans}.`,
  };
}
