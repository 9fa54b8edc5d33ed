/**
 * What our searches of vectors cost a unit of work, worked out from the rows of one run: the figures that the planner's
 * table (core/retrieval/plan.ts) is made of, so that it can be held against a recorded benchmark.
 *
 * Every cost is the slope or the intercept of a straight line through rows, by least squares. Scans and walks are those
 * of the greatest corpora that have equally many vectors:
 *
 *   a scan     ns a vector scanned           over dimensions: scan_byte_ns · dimensions + scan_vector_ns
 *   a walk     ns a vector visited           over dimensions: visit_byte_ns · dimensions + visit_vector_ns
 *   a filter   ns a question                 over matches:    gathered_vector_ns · matches + filter_ns
 *
 * Two rows make a line, of which noise may turn a small intercept negative; fewer make none.
 */
import { z } from "zod";
import { HNSW_BEAM_DEFAULT } from "../../core/limits.ts";
import { OURS, OURS_HNSW } from "./contender.ts";
import { FILTERS } from "./plan.ts";

/** Above it, a filtered scan skips few blocks, and what is left of one is not gathered vector by vector. */
const GATHERED_SHARE_MAX = 0.01;
const NS_PER_US = 1_000;

const cost = z.number().nullable();
export const unitCostsSchema = z.object({
  runtime: z.enum(["node", "workerd"]),
  /** In turns with peers, caches are cold; in a row they are warm. */
  timing: z.enum(["in turns", "in a row"]),
  scan_byte_ns: cost,
  scan_vector_ns: cost,
  visit_byte_ns: cost,
  visit_vector_ns: cost,
  /** Vectors visited for each place in the beam. */
  visits_per_beam: cost,
  gathered_vector_ns: cost,
  /** Of a question with a filter, before any vector is compared: its bitset. */
  filter_ns: cost,
});
export type UnitCosts = z.infer<typeof unitCostsSchema>;

/** Of a row, what costs are worked out from. */
export interface CostRow {
  readonly row: string;
  readonly system: string;
  readonly runtime: UnitCosts["runtime"];
  readonly documents: number;
  readonly dimensions: number | null;
  readonly p50_us: number | null;
  readonly p50_in_a_row_us: number | null;
  readonly visited: number | null;
}

/** For each runtime and timing that there are rows of. */
export function unitCosts(rows: readonly CostRow[]): readonly UnitCosts[] {
  const timings = [
    { timing: "in turns", usOf: ({ p50_us }: CostRow) => p50_us },
    { timing: "in a row", usOf: ({ p50_in_a_row_us }: CostRow) => p50_in_a_row_us },
  ] as const;
  return (["node", "workerd"] as const).flatMap((runtime) =>
    timings.flatMap(({ timing, usOf }) => {
      const timed = rows.flatMap((row) => {
        const us = row.runtime === runtime ? usOf(row) : null;
        return us === null ? [] : [{ ...row, ns: us * NS_PER_US }];
      });
      const costs = costsOf(timed);
      return Object.values(costs).every((value) => value === null) ? [] : [{ runtime, timing, ...costs }];
    }),
  );
}

type TimedRow = CostRow & { readonly ns: number };

function costsOf(rows: readonly TimedRow[]): Omit<UnitCosts, "runtime" | "timing"> {
  const plain = rows.filter(({ row }) => row.startsWith("vector-"));
  const great = greatestOf(plain);
  const scan = lineThrough(
    great
      .filter(({ system }) => system === OURS)
      .map(({ dimensions, ns, documents }) => ({ x: dimensions ?? 0, y: ns / documents })),
  );
  const walked = great.flatMap(({ system, dimensions, ns, visited }) =>
    system === OURS_HNSW && visited !== null ? [{ x: dimensions ?? 0, y: ns / visited, visited }] : [],
  );
  const walk = lineThrough(walked);
  const filter = lineThrough(rows.filter(({ system }) => system === OURS).flatMap(gatheringOf));
  const visits = walked.reduce((sum, { visited }) => sum + visited, 0) / walked.length / HNSW_BEAM_DEFAULT;
  return {
    scan_byte_ns: rounded(scan?.slope),
    scan_vector_ns: rounded(scan?.intercept),
    visit_byte_ns: rounded(walk?.slope),
    visit_vector_ns: rounded(walk?.intercept),
    visits_per_beam: walked.length === 0 ? null : rounded(visits),
    gathered_vector_ns: rounded(filter?.slope),
    filter_ns: rounded(filter?.intercept),
  };
}

/** Of the rows over equally many vectors of at least two lengths, those over most. */
function greatestOf(rows: readonly TimedRow[]): readonly TimedRow[] {
  const alike = Map.groupBy(rows, ({ documents }) => documents);
  const lines = [...alike].filter(([, of]) => new Set(of.map(({ dimensions }) => dimensions)).size > 1);
  return lines.toSorted(([a], [b]) => b - a)[0]?.[1] ?? [];
}

function gatheringOf({ row, documents, ns }: TimedRow): readonly Point[] {
  const kind = FILTERS.find((filter) => filter.row === row)?.kind;
  if (typeof kind !== "object" || kind.share > GATHERED_SHARE_MAX) return [];
  return [{ x: kind.share * documents, y: ns }];
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** null through less than two places. */
function lineThrough(points: readonly Point[]): { readonly slope: number; readonly intercept: number } | null {
  if (new Set(points.map(({ x }) => x)).size < 2) return null;
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)];
  const slope = mean(({ x, y }) => (x - meanX) * (y - meanY)) / mean(({ x }) => (x - meanX) ** 2);
  return { slope, intercept: meanY - slope * meanX };
}

function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Number(value.toPrecision(3));
}

/** To be read; empty of none. */
export function unitCostLines(costs: readonly UnitCosts[]): readonly string[] {
  if (costs.length === 0) return [];
  const lines = costs.map(({ runtime, timing, ...figures }) => {
    const known = Object.entries(figures).flatMap(([name, value]) => (value === null ? [] : [`${name} ${value}`]));
    return `- ${runtime}, ${timing}: ${known.join(", ")}`;
  });
  return ["Unit costs of our searches of vectors, for core/retrieval/plan.ts:", "", ...lines, ""];
}
