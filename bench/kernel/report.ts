/** What a run found: its rows as they are written, the table, and where a peer wins. Everything is computed here. */
import { z } from "zod";
import { OURS, OURS_UNFILTERED } from "./contender.ts";
import { unitCostsSchema } from "./unit_costs.ts";

const rowSchema = z.object({
  row: z.string(),
  system: z.string(),
  runtime: z.enum(["node", "workerd"]),
  ours: z.boolean(),
  documents: z.number(),
  /** Of its vectors; null without any. */
  dimensions: z.number().nullable(),
  /** Counted questions; all distinct. Fewer than planned for a slow peer, never for ours. */
  questions: z.number(),
  questions_planned: z.number(),
  p50_us: z.number().nullable(),
  p99_us: z.number().nullable(),
  /** Asked in a row, without others between: caches are warm. null in workerd and for slow systems. */
  p50_in_a_row_us: z.number().nullable(),
  /** Of the exact answer's ten, the part that was found. Text systems that rank otherwise find others. */
  recall: z.number().nullable(),
  build_ms: z.number().nullable(),
  /** Of the stored index. */
  bytes: z.number().nullable(),
  /** By how much the process grew when the index was built; null in workerd. */
  resident_bytes: z.number().nullable(),
  /** From stored bytes to the first answer. */
  cold_load_ms: z.number().nullable(),
  /** Vectors scored a question, on average, on the way through our graph; null where none was walked. */
  visited: z.number().nullable(),
  /**
   * This p50 (in build rows: build time) over that of the fastest peer whose answers are good enough; below 1 is
   * faster.
   */
  ratio_to_best_peer: z.number().nullable(),
  /** In filter rows: this p99 over that of our exact scan asked without the filter. */
  ratio_to_unfiltered_p99: z.number().nullable(),
  /** This p50 over one read of the codes on this machine; null where nothing is scanned whole. */
  ratio_to_limit: z.number().nullable(),
  /** Of raw text indexed; build rows of text only. */
  mb_per_s: z.number().nullable(),
  /** Of a text row: p50 by the number of words asked. */
  p50_us_by_words: z.array(z.number()).nullable(),
  settings: z.string(),
  /** How calls were timed. */
  method: z.string(),
  note: z.string().nullable(),
});
export type BenchRow = z.infer<typeof rowSchema>;

const absenceSchema = z.object({
  row: z.string(),
  system: z.string(),
  runtime: z.enum(["node", "workerd"]),
  reason: z.string(),
});
export type Absence = z.infer<typeof absenceSchema>;

export const reportSchema = z.object({
  machine: z.object({
    cpu: z.string(),
    cores: z.number(),
    memory_bytes: z.number(),
    platform: z.string(),
    node: z.string(),
    workerd: z.string(),
  }),
  commit: z.string(),
  rows: z.array(rowSchema),
  /** What the planner's table is held against. */
  unit_costs: z.array(unitCostsSchema),
  /** Systems that are not in a row, and why. */
  absent: z.array(absenceSchema),
});
export type BenchReport = z.infer<typeof reportSchema>;

/** A vector peer with less is not compared with: it answers another question. Text peers rank otherwise on purpose. */
const RECALL_COMPARED_MIN = 0.9;

type Ratios = "ratio_to_best_peer" | "ratio_to_limit" | "ratio_to_unfiltered_p99";
/** A row before it is compared with others. */
export type PlainRow = Omit<BenchRow, Ratios>;

/** `limits` are p50s of a read of the codes, by `limitKey`. */
export function withRatios(rows: readonly PlainRow[], limits: ReadonlyMap<string, number>): BenchRow[] {
  return rows.map((row) => {
    const best = bestPeer(rows, row);
    // Without its filter ours answers another question: it is a measure for the others, not their rival.
    const value = row.system === OURS_UNFILTERED ? null : figureOf(row);
    const limit = limits.get(limitKey(row));
    // 0 where so few codes are read faster than the clock steps: nothing can be held against that.
    const isScan = row.ours && row.system === OURS && limit !== undefined && limit > 0;
    return {
      ...row,
      ratio_to_best_peer: best === null || value === null ? null : value / (figureOf(best) ?? Number.NaN),
      ratio_to_unfiltered_p99: unfilteredRatio(rows, row),
      ratio_to_limit: isScan && row.p50_us !== null ? row.p50_us / limit : null,
    };
  });
}

function unfilteredRatio(rows: readonly PlainRow[], { row, runtime, p99_us }: PlainRow): number | null {
  const scan = rows.find((each) => each.row === row && each.runtime === runtime && each.system === OURS_UNFILTERED);
  return scan === undefined || scan.p99_us === null || p99_us === null ? null : p99_us / scan.p99_us;
}

export function limitKey({ row, runtime }: Pick<BenchRow, "row" | "runtime">): string {
  return `${runtime} ${row}`;
}

type Figures = Pick<BenchRow, "row" | "runtime" | "system" | "ours" | "p50_us" | "build_ms" | "recall">;

/** What rows are compared by. */
function figureOf({ row, p50_us, build_ms }: Pick<Figures, "row" | "p50_us" | "build_ms">): number | null {
  return isBuildRow(row) ? build_ms : p50_us;
}

function isBuildRow(row: string): boolean {
  return row.includes("-build-");
}

function bestPeer<T extends Figures>(rows: readonly T[], of: Pick<Figures, "row" | "runtime">): T | null {
  const peers = rows.filter(
    (peer) =>
      !peer.ours && peer.row === of.row && peer.runtime === of.runtime && figureOf(peer) !== null && isComparable(peer),
  );
  return peers.reduce<T | null>(
    (best, peer) => (best === null || (figureOf(peer) ?? 0) < (figureOf(best) ?? 0) ? peer : best),
    null,
  );
}

function isComparable({ row, recall }: Figures): boolean {
  const isOfVectors = row.startsWith("vector") || row.startsWith("filter");
  return !isOfVectors || (recall ?? 0) >= RECALL_COMPARED_MIN;
}

// --- Where a peer wins ----------------------------------------------------------------------

const COMPARED = [
  { figure: "p50_us", says: "median", unit: "µs", least: true },
  { figure: "p50_in_a_row_us", says: "median in a row", unit: "µs", least: true },
  { figure: "p99_us", says: "p99", unit: "µs", least: true },
  { figure: "recall", says: "recall", unit: "", least: false },
  { figure: "build_ms", says: "build", unit: "ms", least: true },
  { figure: "bytes", says: "index", unit: "bytes", least: true },
  { figure: "cold_load_ms", says: "cold load", unit: "ms", least: true },
] as const;

/** Every row, runtime and figure in which some peer, of whatever recall, is better than all of ours. */
export function peerWins(rows: readonly BenchRow[]): readonly string[] {
  return groups(rows).flatMap((group) =>
    COMPARED.flatMap(({ figure, says, unit, least }) => {
      const better = (a: BenchRow, b: BenchRow): boolean =>
        least ? (a[figure] ?? 0) < (b[figure] ?? 0) : (a[figure] ?? 0) > (b[figure] ?? 0);
      const best = (of: readonly BenchRow[]): BenchRow | null =>
        of
          .filter((row) => row[figure] !== null)
          .reduce<BenchRow | null>((held, row) => (held === null || better(row, held) ? row : held), null);
      const ours = best(group.filter((row) => row.ours && row.system !== OURS_UNFILTERED));
      const peer = best(group.filter((row) => !row.ours));
      if (ours === null || peer === null || !better(peer, ours)) return [];
      const recall = peer.recall === null || figure === "recall" ? "" : `, recall ${peer.recall.toFixed(3)}`;
      const value = (row: BenchRow): string => `${short(row[figure])}${unit === "" ? "" : ` ${unit}`}`;
      return [
        `${peer.row} in ${peer.runtime}, ${says}: ${peer.system} ${value(peer)}${recall}${askedOf(peer)}; ours ${value(ours)}`,
      ];
    }),
  );
}

/** `peerWins` to be read, whether there are any or not. */
export function winLines(rows: readonly BenchRow[]): readonly string[] {
  if (rows.every(({ ours }) => ours)) return ["No peer was measured."];
  const wins = peerWins(rows);
  return wins.length === 0
    ? ["No peer wins in any row."]
    : ["Where a peer wins:", "", ...wins.map((win) => `- ${win}`)];
}

/** Rows of one name and runtime, in order. */
function groups(rows: readonly BenchRow[]): readonly (readonly BenchRow[])[] {
  const byKey = new Map<string, BenchRow[]>();
  for (const row of rows) byKey.set(limitKey(row), [...(byKey.get(limitKey(row)) ?? []), row]);
  return [...byKey.values()];
}

// --- For reading ----------------------------------------------------------------------------

const HEAD = [
  "row",
  "runtime",
  "system",
  "p50 µs",
  "p99 µs",
  "in a row µs",
  "recall",
  "build ms",
  "bytes",
  "load ms",
  "× best peer",
  "× limit",
  "p99 × unfiltered",
  "asked",
];
const WORDS = 3;

export function formatTable(rows: readonly BenchRow[]): string {
  const lines = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string =>
    column < WORDS ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return lines.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
}

function cellsOf(row: BenchRow): readonly string[] {
  return [
    row.row,
    row.runtime,
    row.system,
    short(row.p50_us),
    short(row.p99_us),
    short(row.p50_in_a_row_us),
    row.recall === null ? "" : row.recall.toFixed(4),
    short(row.build_ms),
    row.bytes === null ? "" : String(row.bytes),
    short(row.cold_load_ms),
    short(row.ratio_to_best_peer),
    short(row.ratio_to_limit),
    short(row.ratio_to_unfiltered_p99),
    row.questions === row.questions_planned ? String(row.questions) : `${row.questions} of ${row.questions_planned}`,
  ];
}

/** Three digits that count. */
function short(value: number | null): string {
  if (value === null) return "";
  if (value >= 100 || value === 0) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}

// --- README ---------------------------------------------------------------------------------

export const README_BEGIN = "<!-- bench: begin; written by `npm run bench -- --readme` -->";
export const README_END = "<!-- bench: end -->";

/** What stands between the markers; null when nothing was recorded. */
export function readmeSection(report: BenchReport | null): string {
  if (report === null) return "No run is recorded in `bench/results/kernel.json` yet.";
  const { machine, commit, rows, absent } = report;
  const table = [README_COLUMNS, ...groups(rows).flatMap((group) => readmeCells(group))];
  return [
    `Commit ${commit}; ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, workerd ${machine.workerd}.`,
    "",
    ...markdownTable(table),
    "",
    ...winLines(rows),
    "",
    `Not measured: ${absent.length} of systems, rows and runtimes, each with its reason in \`bench/results/kernel.json\`.`,
  ].join("\n");
}

const README_COLUMNS = [
  "row",
  "runtime",
  "ours: p50 / p99 µs",
  "recall",
  "best peer: p50 µs",
  "recall",
  "ours ÷ peer",
] as const;

/** Columns as wide as their widest cell, as the formatter has them. */
function markdownTable(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const [head = "", ...body] = rows.map((cells) => line(cells.map((cell, column) => cell.padEnd(widths[column] ?? 0))));
  return [head, line(widths.map((width) => "-".repeat(width))), ...body];
}

function readmeCells(group: readonly BenchRow[]): readonly (readonly string[])[] {
  const ours = group.filter((row) => row.ours && figureOf(row) !== null);
  const [first] = ours;
  if (first === undefined) return [];
  const peer = bestPeer(group, first);
  const isBuild = isBuildRow(first.row);
  return ours.map((row) => {
    const name = row.system === OURS ? row.row : `${row.row} (${row.system.slice(OURS.length + 2)})`;
    const figures = isBuild ? `build ${short(row.build_ms)} ms` : `${short(row.p50_us)} / ${short(row.p99_us)}`;
    const theirs =
      peer === null ? "" : `${peer.system}: ${isBuild ? `build ${short(peer.build_ms)} ms` : short(peer.p50_us)}`;
    return [
      name,
      row.runtime,
      figures,
      recallCell(row),
      `${theirs}${peer === null ? "" : askedOf(peer)}`,
      peer === null ? "" : recallCell(peer),
      short(row.ratio_to_best_peer),
    ];
  });
}

/** Only when it was asked fewer questions than planned. */
function askedOf({ questions, questions_planned }: BenchRow): string {
  return questions < questions_planned ? ` (asked ${questions})` : "";
}

function recallCell({ recall }: BenchRow): string {
  return recall === null ? "" : recall.toFixed(3);
}

/** The README with the section put between its markers. */
export function withSection(readme: string, section: string): string {
  const begin = readme.indexOf(README_BEGIN);
  const end = readme.indexOf(README_END);
  if (begin < 0 || end < begin) throw new Error("the README has no place for the benchmarks' table");
  return `${readme.slice(0, begin + README_BEGIN.length)}\n\n${section}\n\n${readme.slice(end)}`;
}
