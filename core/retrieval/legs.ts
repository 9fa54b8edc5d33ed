/**
 * The two passes over the parts of a view: statistics of all live documents, then each leg's best documents.
 *
 * Documents of all parts laid end to end have one ordinal each, in position order, so every leg is ordered by score
 * descending, then ordinal ascending; the text leg and exact plans are the same however the log is cut into parts.
 */
import { ok, type Result } from "../errors.ts";
import type { Part, VectorSpace } from "../index/part.ts";
import type { Bits, LoadedPart, Ranked, TextParameters, TextStatistics } from "../ports.ts";
import { addStatistics, NO_STATISTICS } from "./bm25.ts";
import { columnOrderOf, filterRows } from "./matches.ts";
import { planVectors, type VectorPlan, withoutGraph } from "./plan.ts";
import { intersect, mayHold, type TimeWindow, timeBounds } from "./prune.ts";
import type { PartAccess } from "./residency.ts";
import type { ResolvedSearch } from "./resolve.ts";
import { type LiveRows, rowsThrough, type View, vectorsIn, vectorsThrough } from "./view.ts";

/** A part that the snapshot sees, whole or in part. */
export interface SeenPart {
  readonly part: Part;
  readonly live: LiveRows;
  /** Ordinal of its first document. */
  readonly base: number;
  /** Rows whose vectors are seen. */
  readonly vectorRowEnd: number;
}

export interface Ordinals {
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
}

export interface Legs {
  /** Documents that were eligible. */
  readonly candidates: number;
  readonly text: Ordinals | null;
  readonly vector: Ordinals | null;
  /** How the vectors of each part were searched. */
  readonly vectorPlans: readonly VectorPlan[];
}

/** `space` is the search's. */
export function seenParts(view: View, live: readonly LiveRows[], space: VectorSpace | null): readonly SeenPart[] {
  if (live.length !== view.parts.length)
    throw new RangeError(`live rows of ${live.length} parts, not ${view.parts.length}`);
  const lastCommit = vectorsThrough(view.snapshot, space);
  const seen: SeenPart[] = [];
  let base = 0;
  for (const [index, part] of view.parts.entries()) {
    const rows = live[index];
    if (rows === undefined || rows.rowEnd === 0) continue;
    seen.push({ part, live: rows, base, vectorRowEnd: Math.min(rows.rowEnd, rowsThrough(part, lastCommit)) });
    base += part.documents;
  }
  return seen;
}

/** Sums over every live document of the snapshot, whatever the search restricts itself to. */
export function gatherStatistics(
  seen: readonly SeenPart[],
  access: PartAccess,
  search: ResolvedSearch,
): Result<TextStatistics> {
  let sum = NO_STATISTICS;
  for (const { part, live } of seen) {
    const opened = access.open(part);
    if (!opened.ok) return opened;
    const proved = access.slab.proveTerms(opened.value, search.terms);
    if (!proved.ok) return proved;
    const documents = access.slab.documentsOf(opened.value, liveRows(access, opened.value, live));
    sum = addStatistics(sum, access.slab.statistics(opened.value, search.terms, documents));
  }
  return ok(sum);
}

/** `parameters` is null when no term of the query occurs, or there is no text leg. */
export function runLegs(
  seen: readonly SeenPart[],
  access: PartAccess,
  search: ResolvedSearch,
  parameters: TextParameters | null,
  entity: string,
  limit: number,
): Result<Legs> {
  const bounds = intersect(search.window, timeBounds(search.filter));
  const text: Portion[] = [];
  const vector: Portion[] = [];
  const vectorPlans: VectorPlan[] = [];
  let candidates = 0;
  for (const part of seen) {
    if (!mayHold(part.part, bounds)) continue;
    const opened = access.open(part.part);
    if (!opened.ok) return opened;
    const rows = matchingRows(access, opened.value, part, search, entity);
    const documents = access.slab.documentsOf(opened.value, rows);
    candidates += access.slab.countDocuments(opened.value, documents);
    if (parameters !== null) {
      text.push({ base: part.base, ranked: access.slab.searchText(opened.value, parameters, documents, limit) });
    }
    const found = searchVectors(access, opened.value, part, search, rows, limit);
    if (found === null) continue;
    vector.push({ base: part.base, ranked: found.ranked });
    vectorPlans.push(found.plan);
  }
  return ok({
    candidates,
    vectorPlans,
    text: search.mode === "vector" ? null : merge(text, limit),
    vector: search.mode === "text" ? null : merge(vector, limit),
  });
}

function liveRows({ slab }: PartAccess, loaded: LoadedPart, live: LiveRows): Bits {
  const seen = slab.rowsBefore(loaded, live.rowEnd);
  if (live.deadRows.length === 0) return seen;
  return slab.and(loaded, seen, slab.not(loaded, slab.rowsWhere(loaded, live.deadRows)));
}

function matchingRows(
  access: PartAccess,
  loaded: LoadedPart,
  seen: SeenPart,
  search: ResolvedSearch,
  entity: string,
): Bits {
  const { slab } = access;
  let rows = liveRows(access, loaded, seen.live);
  if (restrictsTime(search.window)) {
    rows = slab.and(loaded, rows, slab.rowsInTime(loaded, search.window.from, search.window.to));
  }
  if (search.filter.type === "and" && search.filter.filters.length === 0) return rows;
  const { part } = seen;
  const matches = filterRows(search.filter, { part, columnOrder: columnOrderOf(part), slab, loaded, entity });
  return slab.and(loaded, rows, matches);
}

function restrictsTime(window: TimeWindow): boolean {
  return window.from !== Number.NEGATIVE_INFINITY || window.to !== Number.POSITIVE_INFINITY;
}

/** null when the part has no vector that this search may see. */
function searchVectors(
  { slab }: PartAccess,
  loaded: LoadedPart,
  { part, live, vectorRowEnd }: SeenPart,
  search: ResolvedSearch,
  rows: Bits,
  limit: number,
): { readonly ranked: Ranked; readonly plan: VectorPlan } | null {
  if (search.vector === null || search.mode === "text" || vectorRowEnd === 0) return null;
  if (vectorsIn(part, search.vectorSpace) === null) return null;
  const seen = vectorRowEnd >= live.rowEnd ? rows : slab.and(loaded, rows, slab.rowsBefore(loaded, vectorRowEnd));
  const documents = slab.documentsOf(loaded, seen);
  const { count, hasGraph } = slab.vectorsOf(loaded);
  const shape = {
    vectors: count,
    dimensions: search.vector.length,
    hasGraph,
    matches: slab.countDocuments(loaded, documents),
    documents: part.documents,
  };
  const plan = planVectors(shape, limit, search.exactOnly);
  const ranked = slab.searchVectors(loaded, search.vector, documents, limit, plan.beam);
  return { ranked, plan: ranked.visited === 0 ? withoutGraph(plan, shape) : plan };
}

interface Portion {
  readonly base: number;
  readonly ranked: Ranked;
}

/** Exact: each portion holds its own best `limit`. */
function merge(portions: readonly Portion[], limit: number): Ordinals {
  const all: { readonly ordinal: number; readonly score: number }[] = [];
  for (const { base, ranked } of portions) {
    ranked.documents.forEach((document, index) => {
      all.push({ ordinal: base + document, score: ranked.scores[index] ?? 0 });
    });
  }
  all.sort((a, b) => b.score - a.score || a.ordinal - b.ordinal);
  const best = all.slice(0, limit);
  return {
    ordinals: Uint32Array.from(best, (item) => item.ordinal),
    scores: Float32Array.from(best, (item) => item.score),
  };
}
