/**
 * The rows as a picture: a bar from nothing to the p50 and a line on to the p99, on a logarithmic scale, the floor in grey
 * above each. SVG by hand: a chart of bars needs no library.
 */
import type { HttpRow } from "./report.ts";

const WIDTH = 900;
const LABELS = 300;
const RIGHT = 110;
const BAR = 12;
const ROW = 40;
const TOP = 60;
const LEAST_MS = 0.1;
const GREATEST_MS = 1_000;
const COLOURS = { ours: "#d9480f", floor: "#868e96", grid: "#dee2e6", text: "#212529" };

export function httpChart(rows: readonly HttpRow[]): string {
  const drawn = rows.filter(({ p50_ms, p99_ms }) => p50_ms !== null && p99_ms !== null);
  const height = TOP + drawn.length * ROW + 20;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    text(8, 20, "Latency through HTTP: p50 (bar) to p99 (line), logarithmic; a plain Worker's in grey", "start", 14),
    ...gridOf(height),
    ...drawn.flatMap(rowOf),
    "</svg>",
    "",
  ].join("\n");
}

function rowOf(row: HttpRow, index: number): readonly string[] {
  const y = TOP + index * ROW;
  const name = row.harness === "production" ? `${row.scenario}, harness:production` : row.scenario;
  return [
    text(LABELS - 8, y + BAR + 8, name, "end"),
    ...bar(row.floor_p50_ms, row.floor_p99_ms, y, COLOURS.floor),
    ...bar(row.p50_ms, row.p99_ms, y + BAR + 2, COLOURS.ours),
    text(
      xOf(row.p99_ms ?? LEAST_MS) + 6,
      y + 2 * BAR,
      `${row.p50_ms?.toFixed(1)} / ${row.p99_ms?.toFixed(1)} ms`,
      "start",
    ),
  ];
}

function bar(p50: number | null, p99: number | null, y: number, colour: string): readonly string[] {
  if (p50 === null || p99 === null) return [];
  const from = xOf(LEAST_MS);
  const middle = y + BAR / 2;
  return [
    `<rect x="${from}" y="${y}" width="${Math.max(1, xOf(p50) - from).toFixed(1)}" height="${BAR}" fill="${colour}"/>`,
    `<line x1="${xOf(p50).toFixed(1)}" y1="${middle}" x2="${xOf(p99).toFixed(1)}" y2="${middle}" stroke="${colour}" stroke-width="2"/>`,
  ];
}

function gridOf(height: number): readonly string[] {
  const powers = Array.from({ length: 1 + Math.log10(GREATEST_MS / LEAST_MS) }, (_, i) => LEAST_MS * 10 ** i);
  return powers.map((ms) => {
    const x = xOf(ms).toFixed(1);
    return `<line x1="${x}" y1="40" x2="${x}" y2="${height - 12}" stroke="${COLOURS.grid}"/>${text(Number(x), 36, `${ms} ms`, "middle")}`;
  });
}

function xOf(ms: number): number {
  const share = Math.log(Math.min(Math.max(ms, LEAST_MS), GREATEST_MS) / LEAST_MS) / Math.log(GREATEST_MS / LEAST_MS);
  return LABELS + share * (WIDTH - LABELS - RIGHT);
}

function text(x: number, y: number, words: string, anchor: "start" | "middle" | "end", size = 11): string {
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}" font-size="${size}" fill="${COLOURS.text}">${words.replaceAll("&", "&amp;")}</text>`;
}
