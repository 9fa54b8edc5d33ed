import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { memoryOf } from "../../bench/eval/process_memory.ts";
import { chartOf } from "../../bench/scale/chart.ts";
import { SCALE_DIMENSIONS, scaleCorpus } from "../../bench/scale/corpus.ts";
import { latencyOf, type ScaleReport, scaleReportSchema } from "../../bench/scale/report.ts";

const CHECKOUT = join(import.meta.dirname, "..", "..");
const RUN_MS_MAX = 300_000;

test("the corpus is the same in every run, and its events differ", () => {
  const [a, b] = [scaleCorpus(1), scaleCorpus(1)];
  expect(a.event(123)).toEqual(b.event(123));
  expect(a.question(7)).toEqual(b.question(7));
  expect(a.event(123).text).not.toBe(a.event(124).text);
  expect(a.event(5).vector).toHaveLength(SCALE_DIMENSIONS);
});

test("a latency is the middle of all times and the one that a hundredth exceed", () => {
  const times = Array.from({ length: 200 }, (_, index) => 200 - index);
  expect(latencyOf(times)).toEqual({ p50_ms: 100, p99_ms: 198, requests: 200 });
  expect(latencyOf([7])).toEqual({ p50_ms: 7, p99_ms: 7, requests: 1 });
});

test("the chart draws every kind at every size, and what is not known not at all", () => {
  const latency = (p50_ms: number) => ({ p50_ms, p99_ms: 2 * p50_ms, requests: 1 });
  const row = (size: number, known: boolean) => ({
    ingest_seconds: 1,
    events_per_second: size,
    latencies: { text: latency(size / 1000), vector: latency(size / 2000) },
    memory: { resident_bytes: known ? size * 1000 : null, peak_bytes: null },
  });
  const report: ScaleReport = {
    machine: "a machine",
    dimensions: SCALE_DIMENSIONS,
    chunks: [10_000, 100_000].map((chunks, index) => ({ chunks, shards: index + 1, ...row(chunks, true) })),
    entities: [{ entities: 10, ...row(10, false) }],
  };
  const chart = chartOf(report);
  expect(chart.match(/<circle/g)).toHaveLength(4 + 2 + 2);
  expect(chart).not.toContain("NaN");
  expect(chart).not.toContain("Infinity");
});

test(
  "a small run measures every kind at its sizes through the whole plane",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "context-plane-scale-test-"));
    try {
      const out = join(folder, "scale.json");
      const sizes = ["--chunks", "300", "--entities", "20", "--requests", "2"];
      await promisify(execFile)(process.execPath, ["scripts/scale.ts", ...sizes, "--out", out], { cwd: CHECKOUT });
      const { chunks, entities } = scaleReportSchema.parse(JSON.parse(await readFile(out, "utf8")));
      expect(chunks.map((row) => [row.chunks, Object.keys(row.latencies)])).toEqual([
        [300, ["vector", "vector_exact", "text", "hybrid", "filtered", "recent"]],
      ]);
      expect(entities.map((row) => [row.entities, Object.keys(row.latencies)])).toEqual([
        [20, ["search", "status", "list"]],
      ]);
      if (memoryOf(process.pid).peakBytes !== null) expect(chunks[0]?.memory.peak_bytes).toBeGreaterThan(0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  RUN_MS_MAX,
);
