/**
 * Search over a view: a pure function of the snapshot and the resolved request, and of the layout only where a graph is
 * walked (plan.ts).
 *
 *   live rows ─ statistics, summed over all parts ─ idf, weights ┐
 *   filter, time ─ matching documents ───────────────────────────┴─ text leg ┐
 *                                    └───────────────────────────── vector leg ┴─ fusion ─ hits
 */
import { ok, type Result } from "../errors.ts";
import { LEG_CANDIDATES_MIN } from "../limits.ts";
import type { KernelSlab, TextParameters } from "../ports.ts";
import type { Plan, SearchHit } from "../rpc.ts";
import { type RatedTerm, rateTerms, textParameters } from "./bm25.ts";
import { type ExplainSource, explainHit } from "./explain.ts";
import { createTextReader, type Finding, type HitSource, hydrate } from "./hit.ts";
import { gatherStatistics, type Legs, type Ordinals, runLegs, type SeenPart, seenParts } from "./legs.ts";
import type { SearchNeeds } from "./paged_parts.ts";
import { describePlans, overallPlan } from "./plan.ts";
import type { PartAccess, SlabResidency } from "./residency.ts";
import type { ResolvedSearch } from "./resolve.ts";
import { findVerbatim, verbatimWeight } from "./verbatim.ts";
import type { LiveRows, View } from "./view.ts";

export interface SearchContext {
  readonly entity: string;
  /** Whose slab: the tenant, a `/`, and what is unique within the tenant. */
  readonly scope: string;
  readonly residency: SlabResidency;
  /** The full key of a segment, for citations. */
  readonly segmentKey: HitSource["segmentKey"];
}

export interface SearchOutcome {
  readonly hits: readonly SearchHit[];
  readonly plan: Plan;
  readonly planReason: string;
  /** Documents that were eligible. */
  readonly candidates: number;
  /** All parts stayed in one slab; else they were streamed through the window. */
  readonly resident: boolean;
}

/** `live[i]` is of `view.parts[i]`. The request's vector has been put in: `embedText` is null. */
export function searchView(
  view: View,
  search: ResolvedSearch,
  live: readonly LiveRows[],
  context: SearchContext,
): Result<SearchOutcome> {
  if (search.embedText !== null) throw new Error("the query was not embedded");
  const seen = seenParts(view, live, search.vectorSpace);
  const access = context.residency.access(
    context.scope,
    seen.map(({ part }) => part),
    search.vectorSpace,
    needsOf(search),
  );
  if (!access.ok) return access;
  try {
    return searchParts(seen, access.value, search, context);
  } finally {
    access.value.close();
  }
}

function needsOf({ mode, vectorSpace, terms, restricted }: ResolvedSearch): SearchNeeds {
  return { space: mode === "text" ? null : vectorSpace, terms, restricted };
}

function searchParts(
  seen: readonly SeenPart[],
  access: PartAccess,
  search: ResolvedSearch,
  context: SearchContext,
): Result<SearchOutcome> {
  const query = prepareText(seen, access, search);
  if (!query.ok) return query;
  const limit = search.mode === "hybrid" ? Math.max(LEG_CANDIDATES_MIN, 5 * search.topK) : search.topK;
  const legs = runLegs(seen, access, search, query.value.parameters, context.entity, limit);
  if (!legs.ok) return legs;
  const lookedUp = search.mode === "hybrid" ? search.verbatim : null;
  const verbatim = lookedUp === null ? null : findVerbatim(legs.value, lookedUp, textReader(seen));
  const ranking = rank(legs.value, verbatim, search, access.slab);
  const findings = findAll(ranking, legs.value, verbatim, seen, access, search, query.value);
  if (!findings.ok) return findings;
  return ok({
    hits: hydrate(findings.value, { ...context, include: search.include }),
    ...planOf(search, legs.value),
    candidates: legs.value.candidates,
    resident: access.resident,
  });
}

interface PreparedText {
  readonly terms: readonly RatedTerm[];
  /** null when no term of the query occurs in the snapshot. */
  readonly parameters: TextParameters | null;
}

function prepareText(seen: readonly SeenPart[], access: PartAccess, search: ResolvedSearch): Result<PreparedText> {
  if (search.mode === "vector" || search.terms.length === 0) return ok({ terms: [], parameters: null });
  const statistics = gatherStatistics(seen, access, search);
  if (!statistics.ok) return statistics;
  const idf = (documents: number, df: number): number => access.slab.idf(documents, df);
  const terms = rateTerms(search.terms, statistics.value, idf, search.bm25, search.identifiersOnly);
  const parameters = terms.length === 0 ? null : textParameters(terms, statistics.value, search.bm25);
  return ok({ terms, parameters });
}

/** Best first. */
interface Ranking {
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array | Float64Array;
}

function rank(legs: Legs, verbatim: number | null, search: ResolvedSearch, slab: KernelSlab): Ranking {
  const { text, vector } = legs;
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
    search.topK,
  );
  return { ordinals: fused.keys, scores: fused.scores };
}

/** In order of rank; explained part by part, so that a streamed part is loaded once more at most. */
function findAll(
  ranking: Ranking,
  legs: Legs,
  verbatim: number | null,
  seen: readonly SeenPart[],
  access: PartAccess,
  search: ResolvedSearch,
  query: PreparedText,
): Result<readonly Finding[]> {
  const inText = placesOf(legs.text);
  const inVector = placesOf(legs.vector);
  const source: ExplainSource = { access, search, terms: query.terms, parameters: query.parameters };
  const byPosition = [...ranking.ordinals.entries()].sort(([, a], [, b]) => a - b);
  const findings: Finding[] = [];
  for (const [index, ordinal] of byPosition) {
    const { part, base } = partOfOrdinal(seen, ordinal);
    const document = ordinal - base;
    const text = inText.get(ordinal);
    const vector = inVector.get(ordinal);
    const scores = { ...(text === undefined ? {} : { text }), ...(vector === undefined ? {} : { vector }) };
    const explain = search.explain ? explainHit(part, document, scores, ordinal === verbatim, source) : ok(null);
    if (!explain.ok) return explain;
    findings[index] = { part, document, score: ranking.scores[index] ?? 0, scores, explain: explain.value };
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
