/**
 * `npm run scale [-- --chunks 1000000] [--entities 100000] [--requests 40] [--out file.json]`
 *
 * How cost grows with size, through the public HTTP API of the four scripts in the local runtime: one scope that grows
 * to `--chunks` chunks of 128 dimensions, then one tenant that grows to `--entities` entities (0 leaves either out), with
 * latency and memory at every power of ten and three times it on the way. Prints a line a size; at the default sizes it
 * writes bench/results/scale.json and scale.svg, and at any `--out`.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chartOf } from "../bench/scale/chart.ts";
import { SCALE_DIMENSIONS, scaleCorpus } from "../bench/scale/corpus.ts";
import { growScope, growTenant, type Measured } from "../bench/scale/measure.ts";
import { planeCalls } from "../bench/scale/plane_calls.ts";
import { lineOf, type ScaleReport } from "../bench/scale/report.ts";
import { bootRuntime } from "./runtime.ts";

const RESULTS = join(import.meta.dirname, "..", "bench", "results");
const DEVELOPMENT_KEY = "ck_dev_contextplane";
const SEED = 41;
const CHUNKS = 1_000_000;
const ENTITIES = 100_000;
const LEAST_SIZE = 10_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      chunks: { type: "string", default: String(CHUNKS) },
      entities: { type: "string", default: String(ENTITIES) },
      requests: { type: "string", default: "40" },
      out: { type: "string" },
    },
  });
  const chunks = countOf("chunks", values.chunks);
  const entities = countOf("entities", values.entities);
  const requests = countOf("requests", values.requests);
  const report: ScaleReport = {
    machine: `${cpus()[0]?.model.trim() ?? "unknown"}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    dimensions: SCALE_DIMENSIONS,
    chunks: [],
    entities: [],
  };
  const keep = async (): Promise<void> => {
    if (values.out !== undefined) await writeFile(values.out, jsonOf(report));
  };
  if (chunks > 0)
    await inFreshPlane(requests, (measured) =>
      growScope(measured, "kb:scale", sizesTo(chunks), async (row) => {
        report.chunks.push(row);
        console.log(lineOf(`${row.chunks} chunks, ${row.shards} shards`, row));
        await keep();
      }),
    );
  if (entities > 0)
    await inFreshPlane(requests, (measured) =>
      growTenant(measured, sizesTo(entities), async (row) => {
        report.entities.push(row);
        console.log(lineOf(`${row.entities} entities`, row));
        await keep();
      }),
    );
  if (chunks === CHUNKS && entities === ENTITIES) await record(report);
}

/** A process of its own, so that its memory is that of one measurement. */
async function inFreshPlane(requests: number, measure: (measured: Measured) => Promise<void>): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), "context-plane-scale-"));
  const runtime = await bootRuntime({ port: 0, stateDir, quiet: true });
  try {
    const calls = planeCalls(runtime.url, DEVELOPMENT_KEY);
    await measure({ calls, corpus: scaleCorpus(SEED), pid: runtime.workerdPid(), requests });
  } finally {
    await runtime.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}

function countOf(name: string, text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 0) throw new Error(`--${name} takes a count, not ${text}`);
  return count;
}

/** 10,000, 30,000, 100,000, … and `most` itself; nothing for 0. */
function sizesTo(most: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = LEAST_SIZE; size < most; size *= 10) sizes.push(...[size, 3 * size].filter((each) => each < most));
  return most === 0 ? [] : [...sizes, most];
}

function jsonOf(report: ScaleReport): string {
  return `${JSON.stringify(report, null, 1)}\n`;
}

async function record(report: ScaleReport): Promise<void> {
  await writeFile(join(RESULTS, "scale.json"), jsonOf(report));
  await writeFile(join(RESULTS, "scale.svg"), chartOf(report));
}

await main();
