/**
 * The two passes over the parts of a view: statistics of all live documents, then each leg's best documents.
 *
 * Documents of all parts laid end to end have one ordinal each, in position order, so every leg is ordered by score
 * descending, then ordinal ascending; the text leg and exact plans are the same however the log is cut into parts.
 */
import { ok, type Result } from "../errors.ts";
import type { Part, PartVectors, VectorSpace } from "../index/part.ts";
import type { Bits, LoadedPart, Ranked, TextParameters, TextStatistics } from "../ports.ts";
import { addStatistics, NO_STATISTICS } from "./bm25.ts";
import { columnOrderOf, filterRows, type NamedRows } from "./matches.ts";
import type { OpenedPart } from "./paged_parts.ts";
import { PagedVectorLeg, type ScoredOrdinal } from "./paged_vectors.ts";
import { planVectors, type VectorPlan, type VectorShape, withoutGraph } from "./plan.ts";
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
    const opened = access.openText(part);
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
  names: NamedRows,
  limit: number,
): Result<Legs> {
  const bounds = intersect(search.window, timeBounds(search.filter));
  const text: Portion[] = [];
  const vector: Portion[] = [];
  const vectorPlans: VectorPlan[] = [];
  const paged = access.resident ? null : pagedLeg(access, search, limit);
  let candidates = 0;
  for (const part of seen) {
    if (!mayHold(part.part, bounds)) continue;
    const opened = access.open(part.part);
    if (!opened.ok) return opened;
    const { loaded } = opened.value;
    const rows = matchingRows(access, loaded, part, search, names);
    const documents = access.slab.documentsOf(loaded, rows);
    candidates += access.slab.countDocuments(loaded, documents);
    if (parameters !== null) {
      text.push({ base: part.base, ranked: access.slab.searchText(loaded, parameters, documents, limit) });
    }
    const asked = vectorsAsked(access, opened.value, part, search, rows, limit);
    if (asked === null) continue;
    vectorPlans.push(
      paged === null ? searchWhole(access, asked, part.base, limit, vector) : searchPaged(paged, asked, part.base),
    );
  }
  return ok({
    candidates,
    vectorPlans,
    text: search.mode === "vector" ? null : merge(text, limit),
    vector: search.mode === "text" ? null : paged === null ? merge(vector, limit) : ordinalsOf(paged.best()),
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
  names: NamedRows,
): Bits {
  const { slab } = access;
  let rows = liveRows(access, loaded, seen.live);
  if (restrictsTime(search.window)) {
    rows = slab.and(loaded, rows, slab.rowsInTime(loaded, search.window.from, search.window.to));
  }
  if (search.filter.type === "and" && search.filter.filters.length === 0) return rows;
  const { part } = seen;
  const matches = filterRows(search.filter, { part, columnOrder: columnOrderOf(part), slab, loaded, ...names });
  return slab.and(loaded, rows, matches);
}

function restrictsTime(window: TimeWindow): boolean {
  return window.from !== Number.NEGATIVE_INFINITY || window.to !== Number.POSITIVE_INFINITY;
}

function pagedLeg({ slab }: PartAccess, search: ResolvedSearch, limit: number): PagedVectorLeg | null {
  return search.vector === null ? null : new PagedVectorLeg(slab, search.metric, search.vector, limit);
}

/** The vectors of a part that a search compares. */
interface AskedVectors {
  readonly loaded: LoadedPart;
  readonly vectors: PartVectors;
  readonly query: Float32Array;
  readonly documents: Bits;
  readonly shape: VectorShape;
  readonly plan: VectorPlan;
}

/** null when the part has no vector that this search may see. */
function vectorsAsked(
  { slab }: PartAccess,
  { loaded: rowsAt, vectors: loaded }: OpenedPart,
  { part, live, vectorRowEnd }: SeenPart,
  search: ResolvedSearch,
  rows: Bits,
  limit: number,
): AskedVectors | null {
  if (search.vector === null || search.mode === "text" || vectorRowEnd === 0) return null;
  const vectors = vectorsIn(part, search.vectorSpace);
  if (vectors === null || loaded === null) return null;
  const seen = vectorRowEnd >= live.rowEnd ? rows : slab.and(rowsAt, rows, slab.rowsBefore(rowsAt, vectorRowEnd));
  const matching = slab.documentsOf(rowsAt, seen);
  const { count, hasGraph } = slab.vectorsOf(loaded);
  const shape = {
    vectors: count,
    dimensions: search.vector.length,
    hasGraph,
    matches: slab.countDocuments(rowsAt, matching),
    documents: part.documents,
  };
  const plan = planVectors(shape, limit, search.exactOnly);
  const documents = loaded === rowsAt ? matching : slab.carry(rowsAt, matching, loaded);
  return { loaded, vectors, query: search.vector, documents, shape, plan };
}

/** Vectors that are in the slab whole. Answers how they were searched. */
function searchWhole(
  { slab }: PartAccess,
  { loaded, query, documents, plan, shape }: AskedVectors,
  base: number,
  limit: number,
  found: Portion[],
): VectorPlan {
  const ranked = slab.searchVectors(loaded, query, documents, limit, plan.beam);
  found.push({ base, ranked });
  return ranked.visited === 0 ? withoutGraph(plan, shape) : plan;
}

function searchPaged(
  leg: PagedVectorLeg,
  { loaded, vectors, documents, plan }: AskedVectors,
  base: number,
): VectorPlan {
  leg.search(loaded, vectors, documents, base);
  return plan;
}

interface Portion {
  readonly base: number;
  readonly ranked: Ranked;
}

/** Exact: each portion holds its own best `limit`. */
function merge(portions: readonly Portion[], limit: number): Ordinals {
  const all: ScoredOrdinal[] = [];
  for (const { base, ranked } of portions) {
    ranked.documents.forEach((document, index) => {
      all.push({ ordinal: base + document, score: ranked.scores[index] ?? 0 });
    });
  }
  all.sort((a, b) => b.score - a.score || a.ordinal - b.ordinal);
  return ordinalsOf(all.slice(0, limit));
}

function ordinalsOf(best: readonly ScoredOrdinal[]): Ordinals {
  return {
    ordinals: Uint32Array.from(best, (item) => item.ordinal),
    scores: Float32Array.from(best, (item) => item.score),
  };
}
