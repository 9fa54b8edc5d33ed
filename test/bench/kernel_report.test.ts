import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { chartOf } from "../../bench/kernel/chart.ts";
import {
  type BenchRow,
  formatTable,
  limitKey,
  peerWins,
  readmeSection,
  reportSchema,
  winLines,
  withRatios,
  withSection,
} from "../../bench/kernel/report.ts";

const ROOT = new URL("../../", import.meta.url);

const plain = (row: string, system: string, figures: Partial<BenchRow>): BenchRow => ({
  row,
  system,
  runtime: "node",
  ours: system.startsWith("context-plane"),
  documents: 10,
  dimensions: null,
  questions: 5,
  questions_planned: 5,
  p50_us: 10,
  p99_us: 20,
  p50_in_a_row_us: null,
  recall: 1,
  build_ms: 5,
  bytes: 100,
  resident_bytes: null,
  cold_load_ms: null,
  visited: null,
  ratio_to_best_peer: null,
  ratio_to_limit: null,
  ratio_to_unfiltered_p99: null,
  mb_per_s: null,
  p50_us_by_words: null,
  settings: "",
  method: "",
  note: null,
  ...figures,
});

describe("ratios", () => {
  const rows = withRatios(
    [
      plain("vector-a", "context-plane", { p50_us: 20 }),
      plain("vector-a", "wrong", { p50_us: 1, recall: 0.5 }),
      plain("vector-a", "right", { p50_us: 40, recall: 0.95 }),
      plain("vector-a", "elsewhere", { p50_us: 2, runtime: "workerd" }),
      plain("text-a", "context-plane", { p50_us: 20 }),
      plain("text-a", "otherwise", { p50_us: 10, recall: 0.2 }),
      plain("hnsw-build-a", "context-plane, hnsw", { p50_us: null, build_ms: 9 }),
      plain("hnsw-build-a", "builder", { p50_us: null, build_ms: 6 }),
    ],
    new Map([[limitKey({ row: "vector-a", runtime: "node" }), 16]]),
  );
  const of = (row: string): BenchRow | undefined => rows.find((each) => each.row === row && each.ours);

  it("of vectors are to the fastest peer of the runtime that finds what is there", () => {
    expect(of("vector-a")?.ratio_to_best_peer).toBe(0.5);
    expect(of("vector-a")?.ratio_to_limit).toBe(1.25);
  });

  it("are to no limit that the clock could not time", () => {
    const limits = new Map([[limitKey({ row: "vector-a", runtime: "workerd" }), 0]]);
    const [row] = withRatios([plain("vector-a", "context-plane", { p50_us: 20, runtime: "workerd" })], limits);
    expect(row?.ratio_to_limit).toBeNull();
  });

  it("of text are to the fastest peer, which ranks otherwise", () => {
    expect(of("text-a")?.ratio_to_best_peer).toBe(2);
    expect(of("text-a")?.ratio_to_limit).toBeNull();
  });

  it("of filters are to our scan without the filter, too", () => {
    const filtered = withRatios(
      [
        plain("filter-a", "context-plane", { p99_us: 30 }),
        plain("filter-a", "context-plane, unfiltered", { p99_us: 24 }),
      ],
      new Map(),
    );
    expect(filtered.map((row) => row.ratio_to_unfiltered_p99)).toEqual([1.25, 1]);
  });

  it("of builds are of build times", () => {
    expect(of("hnsw-build-a")?.ratio_to_best_peer).toBe(1.5);
  });
});

describe("where a peer wins", () => {
  it("is every figure in which one is better than all of ours, whatever its recall", () => {
    const wins = peerWins([
      plain("vector-a", "context-plane", { p50_us: 20, recall: 0.99 }),
      plain("vector-a", "context-plane, hnsw", { p50_us: 9, recall: 0.97 }),
      plain("vector-a", "careless", { p50_us: 8, recall: 0.5, build_ms: 50, bytes: 50 }),
      plain("vector-a", "slow", { p50_us: 80, p99_us: 90, recall: 1, build_ms: 6 }),
    ]);
    expect(wins).toEqual([
      "vector-a in node, median: careless 8.00 µs, recall 0.500; ours 9.00 µs",
      "vector-a in node, recall: slow 1.00; ours 0.990",
      "vector-a in node, index: careless 50.0 bytes, recall 0.500; ours 100 bytes",
    ]);
  });

  it("is not hidden by what ours takes without the filter", () => {
    const wins = peerWins([
      plain("filter-a", "context-plane", { p50_us: 20 }),
      plain("filter-a", "context-plane, unfiltered", { p50_us: 5 }),
      plain("filter-a", "filtering", { p50_us: 9 }),
    ]);
    expect(wins).toEqual(["filter-a in node, median: filtering 9.00 µs, recall 1.000; ours 20.0 µs"]);
  });

  it("is not said when no peer was there", () => {
    expect(winLines([plain("text-a", "context-plane", {})])).toEqual(["No peer was measured."]);
    expect(winLines([plain("text-a", "context-plane", {}), plain("text-a", "equal", {})])).toEqual([
      "No peer wins in any row.",
    ]);
  });

  it("is nowhere when none is", () => {
    expect(peerWins([plain("text-a", "context-plane", {}), plain("text-a", "equal", {})])).toEqual([]);
  });
});

describe("a report", () => {
  const rows = [plain("vector-a", "context-plane", {}), plain("vector-a", "peer <&>", { p50_us: 3_000, p99_us: 9e6 })];

  it("is a table of a line a row", () => {
    expect(formatTable(rows).split("\n")).toHaveLength(3);
  });

  it("is a chart with a bar for every system, in well-formed SVG", () => {
    const chart = chartOf(rows);
    expect(chart.match(/<rect /g)).toHaveLength(1 + rows.length);
    expect(chart).toContain("peer &lt;&amp;>");
    expect(chart.match(/<text /g)?.length).toBe(chart.match(/<\/text>/g)?.length);
    expect(chart).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("stands in the README as it was recorded", () => {
    const recorded = new URL("bench/results/kernel.json", ROOT);
    const report = existsSync(recorded) ? reportSchema.parse(JSON.parse(readFileSync(recorded, "utf8"))) : null;
    const readme = readFileSync(new URL("README.md", ROOT), "utf8");
    expect(withSection(readme, readmeSection(report))).toBe(readme);
  });
});
