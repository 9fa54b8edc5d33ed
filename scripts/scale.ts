/**
 * `npm run scale [-- --chunks 1000000] [--entities 100000] [--requests 40] [--state folder] [--out file.json]`
 *
 * How cost grows with size, through the public HTTP API of the four scripts in the local runtime: one scope that grows
 * to `--chunks` chunks of 128 dimensions, then one tenant that grows to `--entities` entities (0 leaves either out), with
 * latency and memory at every power of ten and three times it on the way. Prints a line a size; at the default sizes it
 * writes bench/results/scale.json and scale.svg, else only `--out`.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chartOf } from "../bench/scale/chart.ts";
import { SCALE_DIMENSIONS, scaleCorpus } from "../bench/scale/corpus.ts";
import { growScope, growTenant, type Measured } from "../bench/scale/measure.ts";
import { planeCalls } from "../bench/scale/plane_calls.ts";
import { type ChunkRow, type EntityRow, lineOf, type ScaleReport } from "../bench/scale/report.ts";
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
  const stateDir = await mkdtemp(join(tmpdir(), "context-plane-scale-"));
  const runtime = await bootRuntime({ port: 0, stateDir, quiet: true });
  try {
    const measured: Measured = {
      calls: planeCalls(runtime.url, DEVELOPMENT_KEY),
      corpus: scaleCorpus(SEED),
      pid: runtime.workerdPid(),
      requests: countOf("requests", values.requests),
    };
    const chunkRows: ChunkRow[] = [];
    const entityRows: EntityRow[] = [];
    await growScope(measured, "kb:scale", sizesTo(chunks), (row) => {
      chunkRows.push(row);
      console.log(lineOf(`${row.chunks} chunks, ${row.shards} shards`, row));
    });
    await growTenant(measured, sizesTo(entities), (row) => {
      entityRows.push(row);
      console.log(lineOf(`${row.entities} entities`, row));
    });
    const report: ScaleReport = {
      machine: `${cpus()[0]?.model.trim() ?? "unknown"}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
      dimensions: SCALE_DIMENSIONS,
      chunks: chunkRows,
      entities: entityRows,
    };
    if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(report, null, 1)}\n`);
    if (chunks === CHUNKS && entities === ENTITIES) await record(report);
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
export function sizesTo(most: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = LEAST_SIZE; size < most; size *= 10) sizes.push(...[size, 3 * size].filter((each) => each < most));
  return most === 0 ? [] : [...sizes, most];
}

async function record(report: ScaleReport): Promise<void> {
  await writeFile(join(RESULTS, "scale.json"), `${JSON.stringify(report, null, 1)}\n`);
  await writeFile(join(RESULTS, "scale.svg"), chartOf(report));
}

await main();
