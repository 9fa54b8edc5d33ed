/** `npm run bench -- --quick` as a caller runs it: every row, in both runtimes, beside the peers that are installed. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OURS, OURS_UNFILTERED } from "../../bench/kernel/contender.ts";
import { type BenchReport, reportSchema } from "../../bench/kernel/report.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const QUICK_MS_MAX = 240_000;

const ROWS: readonly { readonly row: string; readonly system: string }[] = [
  ...["vector-10k-64", "vector-100k-100", "vector-100k-384"].map((row) => ({ row, system: OURS })),
  ...["50%", "10%", "1%", "0.1%", "entities-time"].flatMap((filter) => [
    { row: `filter-${filter}-100k-100`, system: OURS },
    { row: `filter-${filter}-100k-100`, system: OURS_UNFILTERED },
  ]),
  ...["text-10k", "text-100k", "hybrid-10k-64", "hybrid-100k-64"].map((row) => ({ row, system: OURS })),
  { row: "shard-open-10k-64", system: `${OURS}, shard from bytes` },
];
const CASES = (["node", "workerd"] as const).flatMap((runtime) => ROWS.map((each) => ({ ...each, runtime })));

let report: BenchReport;
let printed = "";

describe("a quick benchmark", () => {
  const folder = mkdtempSync(join(tmpdir(), "context-plane-bench-"));

  beforeAll(async () => {
    const out = join(folder, "quick.json");
    const parameters = ["--no-warnings", "scripts/bench.ts", "--quick", "--out", out];
    const { stdout } = await promisify(execFile)(process.execPath, parameters, { cwd: ROOT, maxBuffer: 2 ** 24 });
    printed = stdout;
    report = reportSchema.parse(JSON.parse(readFileSync(out, "utf8")));
  }, QUICK_MS_MAX);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(CASES)("has $row of $system in $runtime, exact", ({ row, system, runtime }) => {
    const found = report.rows.filter((each) => each.row === row && each.system === system && each.runtime === runtime);
    expect(found).toHaveLength(1);
    for (const { p50_us, p99_us, recall, questions, questions_planned, bytes, build_ms } of found) {
      expect(questions).toBeGreaterThan(0);
      expect(questions).toBe(questions_planned);
      expect(p99_us).toBeGreaterThanOrEqual(p50_us ?? Number.POSITIVE_INFINITY);
      expect(bytes).toBeGreaterThan(0);
      expect(build_ms).toBeGreaterThanOrEqual(0);
      if (system === OURS_UNFILTERED) expect(recall).toBeNull();
      else expect(recall).toBeGreaterThanOrEqual(0.999);
    }
  });

  it("builds text in both runtimes, and says how fast", () => {
    const builds = report.rows.filter(({ row, ours }) => ours && row.startsWith("text-build-"));
    expect(builds.map(({ row, runtime }) => `${row} ${runtime}`).sort()).toEqual([
      "text-build-100k node",
      "text-build-100k workerd",
      "text-build-10k node",
      "text-build-10k workerd",
    ]);
    for (const { mb_per_s } of builds) expect(mb_per_s).toBeGreaterThan(0);
  });

  it("holds our scans against what the machine can read", () => {
    // In Node, whose clock can time one read; so few vectors are read faster than workerd's clock steps.
    const scans = report.rows.filter(
      ({ system, row, runtime }) => system === OURS && runtime === "node" && row.startsWith("vector-"),
    );
    expect(scans.length).toBeGreaterThanOrEqual(3);
    expect(scans.filter(({ ratio_to_limit }) => ratio_to_limit === null).map(({ row }) => row)).toEqual([]);
  });

  it("works out what our searches of vectors cost a unit of work", () => {
    const costs = report.unit_costs.map(({ runtime, timing }) => `${runtime}, ${timing}`);
    expect(costs).toEqual(["node, in turns", "node, in a row", "workerd, in turns"]);
    for (const each of report.unit_costs) expect(Object.values(each)).not.toContain(null);
  });

  it("names every system that is not in it, and no failure of ours", () => {
    for (const { system, reason } of report.absent) {
      expect(reason).not.toBe("");
      expect(printed).toContain(system);
      if (system.startsWith(OURS)) expect(reason).not.toMatch(/^it failed/);
    }
  });

  it("names no machine", () => {
    const text = JSON.stringify(report);
    expect([tmpdir(), ROOT].filter((folder) => text.includes(folder))).toEqual([]);
  });
});
