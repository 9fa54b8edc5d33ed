/**
 * How cost grows, as a picture: latency (p50) over size and memory over size, both axes logarithmic, for one scope that
 * grows and for one tenant that grows. SVG by hand: a chart of lines needs no library.
 */
import type { ScaleReport } from "./report.ts";

const PANEL = { width: 440, height: 300, left: 64, top: 48, right: 110, bottom: 40 };
const COLOURS = ["#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8590c", "#495057"];
const GRID = "#dee2e6";
const MIB = 2 ** 20;

interface Line {
  readonly name: string;
  readonly points: readonly { readonly size: number; readonly value: number }[];
}

interface Panel {
  readonly title: string;
  readonly sizes: string;
  readonly unit: string;
  readonly lines: readonly Line[];
}

export function chartOf({ chunks, entities }: ScaleReport): string {
  const panels = [
    ...panelsOf(
      chunks.map((row) => ({ ...row, size: row.chunks })),
      "chunks in one scope",
    ),
    ...panelsOf(
      entities.map((row) => ({ ...row, size: row.entities })),
      "entities in one tenant",
    ),
  ].filter(({ lines }) => lines.some(({ points }) => points.length > 0));
  const width = 2 * PANEL.width;
  const height = Math.ceil(panels.length / 2) * PANEL.height;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...panels.map((panel, index) => drawn(panel, (index % 2) * PANEL.width, Math.floor(index / 2) * PANEL.height)),
    "</svg>",
    "",
  ].join("\n");
}

type SizedRow = Pick<ScaleReport["chunks"][number], "latencies" | "memory"> & { readonly size: number };

function panelsOf(rows: readonly SizedRow[], sizes: string): readonly Panel[] {
  const kinds = [...new Set(rows.flatMap(({ latencies }) => Object.keys(latencies)))];
  const memory = (name: "resident_bytes" | "peak_bytes"): Line["points"] =>
    rows.flatMap(({ size, memory: measured }) => {
      const bytes = measured[name];
      return bytes === null ? [] : [{ size, value: bytes / MIB }];
    });
  return [
    {
      title: `Latency, p50, over ${sizes}`,
      sizes,
      unit: "ms",
      lines: kinds.map((name) => ({
        name,
        points: rows.flatMap(({ size, latencies }) => {
          const latency = latencies[name];
          return latency === undefined ? [] : [{ size, value: latency.p50_ms }];
        }),
      })),
    },
    {
      title: `Memory of the process over ${sizes}`,
      sizes,
      unit: "MiB",
      lines: [
        { name: "resident", points: memory("resident_bytes") },
        { name: "peak", points: memory("peak_bytes") },
      ],
    },
  ];
}

function drawn({ title, unit, lines }: Panel, left: number, top: number): string {
  const points = lines.flatMap((line) => line.points);
  const x = scaleOf(
    points.map(({ size }) => size),
    left + PANEL.left,
    left + PANEL.width - PANEL.right,
  );
  const y = scaleOf(
    points.map(({ value }) => value),
    top + PANEL.height - PANEL.bottom,
    top + PANEL.top,
  );
  return [
    text(left + 12, top + 22, title, { weight: "bold", size: 13 }),
    ...x.ticks.map((size) =>
      [
        segment(x.at(size), y.low, x.at(size), y.high, GRID),
        text(x.at(size), y.low + 16, grouped(size), { anchor: "middle" }),
      ].join(""),
    ),
    ...y.ticks.map((value) =>
      [
        segment(x.low, y.at(value), x.high, y.at(value), GRID),
        text(x.low - 6, y.at(value) + 4, `${grouped(value)} ${unit}`, { anchor: "end" }),
      ].join(""),
    ),
    ...lines.map((line, index) => lineOf(line, COLOURS[index % COLOURS.length] ?? "black", x, y)),
    ...labelsOf(lines, y, x.high + 8),
  ].join("\n");
}

interface Scale {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** Whole powers of ten around the values, from `low` to `high` on the picture. */
function scaleOf(values: readonly number[], low: number, high: number): Scale {
  const exponents = values.map((value) => Math.log10(Math.max(value, 0.01)));
  const least = Math.floor(Math.min(...exponents));
  const greatest = Math.max(least + 1, Math.ceil(Math.max(...exponents)));
  return {
    low,
    high,
    ticks: Array.from({ length: greatest - least + 1 }, (_, step) => 10 ** (least + step)),
    at: (value) => low + ((Math.log10(Math.max(value, 0.01)) - least) / (greatest - least)) * (high - low),
  };
}

function lineOf({ points }: Line, colour: string, x: Scale, y: Scale): string {
  const places = points.map(({ size, value }) => ({ x: x.at(size), y: y.at(value) }));
  const path = places.map((place) => `${place.x.toFixed(1)},${place.y.toFixed(1)}`).join(" ");
  const dots = places.map(
    (place) => `<circle cx="${place.x.toFixed(1)}" cy="${place.y.toFixed(1)}" r="2.5" fill="${colour}"/>`,
  );
  return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>${dots.join("")}`;
}

/** Beside the last point of each line, none over another. */
function labelsOf(lines: readonly Line[], y: Scale, left: number): readonly string[] {
  const wanted = lines.flatMap(({ name, points }, index) => {
    const last = points.at(-1);
    return last === undefined
      ? []
      : [{ name, at: y.at(last.value), colour: COLOURS[index % COLOURS.length] ?? "black" }];
  });
  let free = Number.NEGATIVE_INFINITY;
  return [...wanted]
    .sort((a, b) => a.at - b.at)
    .map(({ name, at, colour }) => {
      const placed = Math.max(at, free);
      free = placed + 12;
      return text(left, placed + 4, name.replaceAll("_", " "), { colour });
    });
}

function segment(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  return `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${colour}"/>`;
}

function grouped(value: number): string {
  return value >= 1 ? value.toLocaleString("en-US") : String(value);
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
  { anchor = "start", weight = "normal", size = 11, colour = "#212529" }: TextStyle,
): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-weight="${weight}" font-size="${size}" fill="${colour}">${words}</text>`;
}
