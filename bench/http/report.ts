/**
 * What a run of the HTTP benchmark says: bench/results/http.json, and a table for people that holds every figure against
 * its goal.
 */
import { z } from "zod";

/** A bound on a figure: of itself, or of what it takes beyond the floor's. Milliseconds. */
const boundSchema = z.union([z.strictObject({ max: z.number() }), z.strictObject({ over_floor: z.number() })]);
export type Bound = z.infer<typeof boundSchema>;

const memorySchema = z.strictObject({
  /** Resident memory of the scripts' process, sampled at even intervals; MiB. */
  resident_mib: z.array(z.number()),
  peak_mib: z.number(),
  /** The median of the last quarter against that of the second; 1 is flat. */
  growth: z.number(),
});

const rowSchema = z.strictObject({
  scenario: z.string(),
  harness: z.enum(["loopback", "production"]),
  /** What the row was taken at: rows may be taken one at a time. */
  commit: z.string(),
  p50_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
  floor_p50_ms: z.number().nullable(),
  floor_p99_ms: z.number().nullable(),
  requests: z.number(),
  errors: z.number(),
  error_samples: z.array(z.string()),
  distinct_queries: z.number(),
  rate_per_s: z.number().nullable(),
  seconds: z.number(),
  /** How late the generator itself was in sending; p99. */
  late_p99_ms: z.number().nullable(),
  events_per_s: z.number().nullable(),
  memory: memorySchema.nullable(),
  goal: z.strictObject({
    p50: boundSchema.nullable(),
    p99: boundSchema.nullable(),
    events_per_s: z.number().nullable(),
    growth: z.number().nullable(),
  }),
});
export type HttpRow = z.infer<typeof rowSchema>;

export const httpReportSchema = z.strictObject({
  quick: z.boolean(),
  machine: z.record(z.string(), z.union([z.string(), z.number()])),
  rows: z.array(rowSchema),
});
export type HttpReport = z.infer<typeof httpReportSchema>;

/** What a figure may be at most; null without a goal, or without the floor that it is held against. */
function limitOf(bound: Bound | null, floorMs: number | null): number | null {
  if (bound === null) return null;
  if ("max" in bound) return bound.max;
  return floorMs === null ? null : floorMs + bound.over_floor;
}

/** Names of the figures of a row that miss their goals. */
export function missesOf(row: HttpRow): readonly string[] {
  const p50 = limitOf(row.goal.p50, row.floor_p50_ms);
  const p99 = limitOf(row.goal.p99, row.floor_p99_ms);
  const misses: string[] = [];
  if (p50 !== null && (row.p50_ms === null || row.p50_ms > p50)) misses.push("p50");
  if (p99 !== null && (row.p99_ms === null || row.p99_ms > p99)) misses.push("p99");
  if (row.goal.events_per_s !== null && (row.events_per_s ?? 0) < row.goal.events_per_s) misses.push("events/s");
  if (row.goal.growth !== null && (row.memory?.growth ?? Number.POSITIVE_INFINITY) > row.goal.growth)
    misses.push("memory");
  if (row.errors > 0) misses.push("errors");
  return misses;
}

const HEADINGS = ["scenario", "p50 ms", "wanted", "p99 ms", "wanted", "floor p50/p99", "requests", "errors", "missed"];

export function formatHttpTable(rows: readonly HttpRow[]): string {
  const lines = [HEADINGS, ...rows.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function cellsOf(row: HttpRow): readonly string[] {
  const name = row.harness === "production" ? `${row.scenario}, harness:production` : row.scenario;
  return [
    row.seconds === 0
      ? name
      : `${name} (${row.rate_per_s === null ? "" : `${row.rate_per_s}/s, `}${Math.round(row.seconds)} s)`,
    row.events_per_s === null ? milliseconds(row.p50_ms) : `${Math.round(row.events_per_s)} events/s`,
    row.goal.events_per_s === null ? wanted(row.goal.p50, row.floor_p50_ms) : `≥ ${row.goal.events_per_s}`,
    row.memory === null
      ? milliseconds(row.p99_ms)
      : `${milliseconds(row.p99_ms)}, memory ×${row.memory.growth.toFixed(2)}, peak ${Math.round(row.memory.peak_mib)} MiB`,
    row.goal.growth === null ? wanted(row.goal.p99, row.floor_p99_ms) : `memory ≤ ×${row.goal.growth}`,
    row.floor_p50_ms === null ? "" : `${milliseconds(row.floor_p50_ms)} / ${milliseconds(row.floor_p99_ms)}`,
    String(row.requests),
    String(row.errors),
    missesOf(row).join(", "),
  ];
}

function wanted(bound: Bound | null, floorMs: number | null): string {
  const limit = limitOf(bound, floorMs);
  return limit === null ? "" : `≤ ${milliseconds(limit)}`;
}

function milliseconds(ms: number | null): string {
  return ms === null ? "" : ms.toFixed(2);
}
