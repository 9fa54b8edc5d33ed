/** The table that a run prints, and the file it leaves. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export interface EvalRow {
  readonly set: string;
  readonly mode: string;
  readonly metric: string;
  readonly value: number;
  /** What the value is compared with; null when it only informs. */
  readonly reference: number | null;
  readonly queries: number;
}

/** References are published with three decimals, so that is how far they bind. */
export function reachesReference(row: EvalRow): boolean {
  return row.reference === null || Math.round(row.value * 1000) >= Math.round(row.reference * 1000);
}

export function formatTable(rows: readonly EvalRow[]): string {
  const cells = rows.map((row) => [
    row.set,
    row.mode,
    row.metric,
    formatNumber(row.value),
    row.reference === null ? "" : formatNumber(row.reference),
    String(row.queries),
    reachesReference(row) ? "" : "below",
  ]);
  const all = [["set", "mode", "metric", "value", "reference", "queries", ""], ...cells];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0))) ?? [];
  const isNumber = (column: number): boolean => column >= 3 && column <= 5;
  return all
    .map((line) =>
      line
        .map((cell, column) =>
          isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function writeRows(path: string, rows: readonly EvalRow[]): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify({ rows }, null, 2)}\n`);
}

function formatNumber(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(4);
}
