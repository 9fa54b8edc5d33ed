/** `npm run bench:http -- --quick` as a caller runs it: every row, with the answers that it should have. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { httpChart } from "../../bench/http/chart.ts";
import { formatHttpTable, type HttpReport, type HttpRow, httpReportSchema, missesOf } from "../../bench/http/report.ts";
import { FULL, QUICK, scenarios } from "../../bench/http/scenarios.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const QUICK_MS_MAX = 240_000;

describe("a quick run", () => {
  const folder = mkdtempSync(join(tmpdir(), "context-plane-bench-"));
  let report: HttpReport;
  let printed = "";

  beforeAll(async () => {
    const out = join(folder, "quick.json");
    const parameters = ["--no-warnings", "scripts/bench_http.ts", "--quick", "--out", out];
    const { stdout } = await promisify(execFile)(process.execPath, parameters, { cwd: ROOT, maxBuffer: 2 ** 24 });
    printed = stdout;
    report = httpReportSchema.parse(JSON.parse(readFileSync(out, "utf8")));
  }, QUICK_MS_MAX);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(scenarios(QUICK))("has $name under $harness, without an error", ({ name, harness, load }) => {
    const [row, ...more] = report.rows.filter((each) => each.scenario === name && each.harness === harness);
    expect(more).toEqual([]);
    expect(row?.error_samples).toEqual([]);
    expect(row?.errors).toBe(0);
    if (load === null) return expect(row?.events_per_s).toBeGreaterThan(0);
    expect(row?.requests).toBe(load.requests);
    expect(row?.p99_ms).toBeGreaterThanOrEqual(row?.p50_ms ?? Number.POSITIVE_INFINITY);
    expect(row?.floor_p50_ms === null).toBe(!load.hasFloor);
    expect(row?.memory === null).toBe(load.hasFloor);
  });

  it("prints a line a row", () => {
    for (const { name } of scenarios(QUICK)) expect(printed).toContain(name);
  });
});

describe("the rows of a recording", () => {
  it("have the requests and the distinct queries that were promised", () => {
    const timed = scenarios(FULL).flatMap(({ load }) => (load === null ? [] : [load]));
    for (const { requests } of timed) expect(requests).toBeGreaterThanOrEqual(10_000);
    expect(FULL.queries).toBeGreaterThanOrEqual(500);
  });
});

const row: HttpRow = {
  scenario: "a row",
  harness: "loopback",
  commit: "0000000",
  p50_ms: 1.5,
  p99_ms: 4,
  floor_p50_ms: 1,
  floor_p99_ms: 2,
  requests: 10,
  errors: 0,
  error_samples: [],
  distinct_queries: 5,
  rate_per_s: 40,
  seconds: 1,
  late_p99_ms: 0.1,
  events_per_s: null,
  memory: null,
  goal: { p50: { over_floor: 0.5 }, p99: { max: 4 }, events_per_s: null, growth: null },
};

describe("a row against its goal", () => {
  it.each<readonly [string, Partial<HttpRow>, readonly string[]]>([
    ["meets its bounds at their edge", {}, []],
    ["misses what lies over the floor's p50", { p50_ms: 1.51 }, ["p50"]],
    ["misses a bound of its own", { p99_ms: 4.1 }, ["p99"]],
    ["has no bound over a floor that was not asked", { floor_p50_ms: null, p50_ms: 99 }, []],
    ["misses without a figure", { p99_ms: null }, ["p99"]],
    ["misses with an error", { errors: 1 }, ["errors"]],
    ["misses a rate", { events_per_s: 4_999, goal: { ...row.goal, events_per_s: 5_000 } }, ["events/s"]],
    [
      "misses flat memory",
      { memory: { resident_mib: [1, 2], peak_mib: 2, growth: 1.2 }, goal: { ...row.goal, growth: 1.1 } },
      ["memory"],
    ],
  ])("%s", (_, changes, misses) => {
    expect(missesOf({ ...row, ...changes })).toEqual(misses);
  });

  it("is printed beside it, and drawn", () => {
    expect(formatHttpTable([row])).toContain("a row (40/s, 1 s)");
    expect(formatHttpTable([row])).toContain("≤ 1.50");
    expect(httpChart([row])).toContain("1.5 / 4.0 ms");
  });
});
