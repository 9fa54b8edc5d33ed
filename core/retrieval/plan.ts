/**
 * How the vectors of one part are searched: the cheapest of the ways that are open, by one table of measured costs.
 *
 *   exact           every vector's code is scanned; the best are scored exactly
 *   filtered_exact  the same, but blocks of vectors without a match are skipped
 *   hnsw            the part's graph is walked; a filter only keeps what does not match out of the answer, so the walk is
 *                   longer the fewer match
 *
 * Only where a graph is, and only when the request allows approximate plans, is there anything to choose.
 */
import { HNSW_BEAM_DEFAULT, HNSW_BEAM_MAX, HNSW_VECTORS_MIN, TOP_K_DEFAULT } from "../limits.ts";
import type { Plan } from "../rpc.ts";

/**
 * Nanoseconds: the `unit_costs` that `npm run bench` recorded in Node for questions in a row (bench/results/kernel.json).
 * Only their ratios matter: a machine twice as fast chooses the same.
 */
const COST_NS = {
  /** Scanning a byte of codes, from memory in order. */
  scanByte: 0.0336,
  /** Comparing a scanned vector. */
  scanVector: 0.183,
  /** Coming to a vector of a graph, which may lie anywhere in memory. */
  visitVector: 32.3,
  /** Reading a byte of its code. */
  visitByte: 0.292,
} as const;

/** Vectors that a walk visits, for each place in its beam. */
const VISITS_PER_BEAM = 12;
/** Places in the beam for each vector that is asked for. */
const BEAM_PER_ASKED = 2;
/**
 * The kernel gives a filtered walk up when it has cost as much of a scan as one in so many
 * (wasm/assembly/graph_search.ts).
 */
const FILTERED_SCAN_PARTS = 5;
/** Vectors of a block: a scan looks at all or none of them. */
const BLOCK_VECTORS = 16;

/** What is known of a part's vectors before they are searched. */
export interface VectorShape {
  readonly vectors: number;
  readonly dimensions: number;
  readonly hasGraph: boolean;
  /** Documents that may be found, of `documents`. */
  readonly matches: number;
  readonly documents: number;
}

export interface VectorPlan {
  readonly plan: Plan;
  /** Of the walk; null when the search is exact. */
  readonly beam: number | null;
  /** null where there was nothing to choose. */
  readonly reason: string | null;
}

/** @param limit how many vectors are asked for */
export function planVectors(shape: VectorShape, limit: number, exactOnly: boolean): VectorPlan {
  const scan = scanMicros(shape);
  const plan = exactPlanOf(shape);
  if (!shape.hasGraph) return { plan, beam: null, reason: null };
  if (exactOnly) return { plan, beam: null, reason: "an exact plan is called for" };
  if (limit > HNSW_BEAM_MAX) return { plan, beam: null, reason: `${limit} are more than a walk keeps` };
  const beam = Math.min(Math.max(HNSW_BEAM_DEFAULT, BEAM_PER_ASKED * limit), HNSW_BEAM_MAX);
  const walk = walkMicros(shape, beam);
  const compared = `a scan takes ${said(scan)}, its graph ${said(walk)}`;
  const worth = plan === "exact" ? scan : scan / FILTERED_SCAN_PARTS;
  return walk < worth ? { plan: "hnsw", beam, reason: compared } : { plan, beam: null, reason: compared };
}

/** Whether a graph over a part's vectors would be walked, at least by a search without a filter. */
export function isWorthGraph(vectors: number, dimensions: number): boolean {
  const shape = { vectors, dimensions, hasGraph: true, matches: vectors, documents: vectors };
  return vectors >= HNSW_VECTORS_MIN && planVectors(shape, TOP_K_DEFAULT, false).plan === "hnsw";
}

/** What became of the plan when the kernel scanned after all: the walk cost too much, or its beam is more than it keeps. */
export function withoutGraph(plan: VectorPlan, shape: VectorShape): VectorPlan {
  if (plan.beam === null) return plan;
  return { plan: exactPlanOf(shape), beam: null, reason: `${plan.reason}, which was given up` };
}

function exactPlanOf({ matches, documents }: VectorShape): Plan {
  return matches < documents ? "filtered_exact" : "exact";
}

function shareOf({ matches, documents }: VectorShape): number {
  return documents === 0 ? 0 : matches / documents;
}

function scanMicros(shape: VectorShape): number {
  const { vectors, dimensions } = shape;
  const share = shareOf(shape);
  const visited = vectors * (1 - (1 - share) ** BLOCK_VECTORS);
  return (visited * (COST_NS.scanByte * dimensions + COST_NS.scanVector)) / 1000;
}

function walkMicros(shape: VectorShape, beam: number): number {
  const { vectors, dimensions } = shape;
  const share = shareOf(shape);
  if (share === 0) return Number.POSITIVE_INFINITY;
  const visited = Math.min(vectors, (beam * VISITS_PER_BEAM) / share);
  return (visited * (COST_NS.visitByte * dimensions + COST_NS.visitVector)) / 1000;
}

function said(micros: number): string {
  return Number.isFinite(micros) ? `~${Math.max(1, Math.round(micros))} µs` : "never";
}

/** What a search over several parts is called: by its least exact part. */
export function overallPlan(plans: readonly VectorPlan[], restricted: boolean): Plan {
  if (plans.some(({ plan }) => plan === "hnsw")) return "hnsw";
  return restricted ? "filtered_exact" : "exact";
}

/**
 * One clause for each way that vectors were searched and why; empty when nothing could be chosen, since what is then
 * exact anyway must not tell the layout.
 */
export function describePlans(plans: readonly VectorPlan[]): string {
  const counts = new Map<string, number>();
  for (const { beam, reason } of plans) {
    if (reason === null) continue;
    const clause = beam === null ? `by a scan: ${reason}` : `by its graph with a beam of ${beam}: ${reason}`;
    counts.set(clause, (counts.get(clause) ?? 0) + 1);
  }
  return [...counts].map(([clause, count]) => `${count === 1 ? "1 part" : `${count} parts`} ${clause}`).join("; ");
}
