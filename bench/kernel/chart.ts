/**
 * The rows as a picture: a group a row and runtime, a bar a system from its p50 to its p99 on a logarithmic scale, ours
 * in colour. SVG by hand: a chart of bars needs no library.
 */
import type { BenchRow } from "./report.ts";

const WIDTH = 980;
const LABELS = 330;
const RIGHT = 120;
const BAR = 14;
const GAP = 4;
const GROUP_GAP = 26;
const TOP = 64;
const COLOURS = { ours: "#d9480f", peer: "#868e96", grid: "#dee2e6", text: "#212529", quiet: "#495057" };

export function chartOf(rows: readonly BenchRow[]): string {
  const drawn = rows.filter((row) => row.p50_us !== null && row.p99_us !== null);
  const scale = logScale(drawn);
  const body: string[] = [];
  let y = TOP;
  let group = "";
  for (const row of drawn) {
    const name = `${row.row}, ${row.runtime}`;
    if (name !== group) {
      y += group === "" ? 0 : GROUP_GAP;
      group = name;
      body.push(text(8, y - 6, name, { weight: "bold" }));
    }
    body.push(bar(row, y, scale));
    y += BAR + GAP;
  }
  const height = y + 24;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    text(8, 20, "Time of one question: p50 (bar) to p99 (line), logarithmic; recall at the right", {
      size: 14,
      weight: "bold",
    }),
    ...gridOf(scale, height),
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

interface LogScale {
  readonly least: number;
  readonly greatest: number;
  x(us: number): number;
}

/** From the power of ten below the least value to the one above the greatest. */
function logScale(rows: readonly BenchRow[]): LogScale {
  const exponents = rows.flatMap(({ p50_us, p99_us }) =>
    [p50_us, p99_us].map((us) => Math.log10(Math.max(us ?? 1, 0.1))),
  );
  const least = Math.floor(Math.min(0, ...exponents));
  const greatest = Math.ceil(Math.max(1, ...exponents));
  const width = WIDTH - LABELS - RIGHT;
  return {
    least,
    greatest,
    x: (us) => LABELS + ((Math.log10(Math.max(us, 10 ** least)) - least) / (greatest - least)) * width,
  };
}

function gridOf({ least, greatest, x }: LogScale, height: number): readonly string[] {
  return Array.from({ length: greatest - least + 1 }, (_, i) => {
    const us = 10 ** (least + i);
    const at = x(us).toFixed(1);
    const label = us >= 1_000_000 ? `${us / 1_000_000} s` : us >= 1_000 ? `${us / 1_000} ms` : `${us} µs`;
    return `<line x1="${at}" y1="38" x2="${at}" y2="${height - 12}" stroke="${COLOURS.grid}"/>${text(Number(at), 34, label, { anchor: "middle" })}`;
  });
}

function bar(row: BenchRow, y: number, { x, least }: LogScale): string {
  const colour = row.ours ? COLOURS.ours : COLOURS.peer;
  const from = x(10 ** least);
  const p50 = x(row.p50_us ?? 0);
  const p99 = x(row.p99_us ?? 0);
  const middle = y + BAR / 2;
  const figures = `${rounded(row.p50_us)} µs${row.recall === null ? "" : ` · ${row.recall.toFixed(3)}`}`;
  return [
    text(LABELS - 8, y + BAR - 3, row.system, { anchor: "end", weight: row.ours ? "bold" : "normal" }),
    `<rect x="${from.toFixed(1)}" y="${y}" width="${Math.max(1, p50 - from).toFixed(1)}" height="${BAR}" fill="${colour}"/>`,
    `<line x1="${p50.toFixed(1)}" y1="${middle}" x2="${p99.toFixed(1)}" y2="${middle}" stroke="${colour}" stroke-width="2"/>`,
    text(Math.max(p50, p99) + 6, y + BAR - 3, figures, { colour: COLOURS.quiet }),
  ].join("");
}

function rounded(us: number | null): string {
  return us === null ? "" : us >= 100 ? us.toFixed(0) : us.toFixed(1);
}

interface TextStyle {
  readonly anchor?: "start" | "middle" | "end";
  readonly weight?: "normal" | "bold";
  readonly size?: number;
  readonly colour?: string;
}

function text(
  x: number,
  y: number,
  words: string,
  { anchor = "start", weight = "normal", size = 11, colour = COLOURS.text }: TextStyle,
): string {
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}" font-weight="${weight}" font-size="${size}" fill="${colour}">${escaped}</text>`;
}
