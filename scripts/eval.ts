/**
 * `npm run eval [-- --only scifact,cranfield,cisi,locomo,minilm,ingest,identifiers]`
 *
 * Measures relevance on open sets through the public HTTP API: boots the local runtime on fresh state, or uses the
 * deployment that CONTEXT_PLANE_URL (and CONTEXT_PLANE_KEY) name. The sets lie in ../shared/data, or where
 * CONTEXT_PLANE_DATA says; what is absent is skipped, aloud. Prints a table and writes bench/results/eval.json.
 * Exits 1 when a value is below its reference.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { dataFolder, readCranfieldVectors, readCrm, readRetrievalSet, readSlack } from "../bench/eval/datasets.ts";
import { type PlaneClient, planeClient } from "../bench/eval/plane_client.ts";
import { peakMemoryBytes } from "../bench/eval/process_memory.ts";
import { type EvalRow, formatTable, reachesReference, writeRows } from "../bench/eval/report.ts";
import { givenVectorRows, ingestSet, NDCG, RECALL, retrievalRows } from "../bench/eval/retrieval_rows.ts";
import {
  crmTimeline,
  identifierRow,
  ingestTimelines,
  slackTimeline,
  type Timeline,
} from "../bench/eval/timeline_rows.ts";
import { bootRuntime } from "./runtime.ts";

const CHECKOUT = join(import.meta.dirname, "..");
const RESULTS = join(CHECKOUT, "bench", "results", "eval.json");
const DEVELOPMENT_KEY = "ck_dev_contextplane";
const MIB = 2 ** 20;

const PARTS = ["scifact", "cranfield", "cisi", "locomo", "minilm", "ingest", "identifiers"] as const;
type Part = (typeof PARTS)[number];

/** Published for these sets with this metric; the others are computed by the naive BM25. */
const PUBLISHED = { cranfield: 0.403, cisi: 0.362, locomo: 0.614, minilmHybrid: 0.44 };

interface Bench {
  readonly client: PlaneClient;
  readonly data: string;
  /** Keeps the entities of one run apart from those of another. */
  readonly run: string;
  /** Of the process that runs the scripts; null when it runs elsewhere. */
  pid(): number | null;
}

async function main(): Promise<number> {
  const parts = chosenParts();
  const data = dataFolder(process.env, CHECKOUT);
  const run = Date.now().toString(36);
  const given = process.env.CONTEXT_PLANE_URL;
  const key = process.env.CONTEXT_PLANE_KEY ?? DEVELOPMENT_KEY;
  const stateDir = await mkdtemp(join(tmpdir(), "context-plane-eval-"));
  const runtime = given === undefined ? await bootRuntime({ port: 0, stateDir, quiet: true }) : null;
  try {
    const client = planeClient((given ?? runtime?.url ?? "").replace(/\/$/, ""), key);
    const rows = await measure({ client, data, run, pid: () => runtime?.workerdPid() ?? null }, parts);
    say(`\n${formatTable(rows)}`);
    if (parts.size === PARTS.length) writeRows(RESULTS, rows);
    else say("\nOnly some parts ran: bench/results/eval.json is left as it was.");
    const below = rows.filter((row) => !reachesReference(row));
    say(
      below.length === 0
        ? "\nEvery value reaches its reference."
        : `\n${below.length} values are below their reference.`,
    );
    return rows.length > 0 && below.length === 0 ? 0 : 1;
  } finally {
    await runtime?.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}

function chosenParts(): ReadonlySet<Part> {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  if (values.only === undefined) return new Set(PARTS);
  const names = values.only.split(",").map((name) => name.trim());
  return new Set(
    names.map((name) => {
      const part = PARTS.find((known) => known === name);
      if (part === undefined) throw new Error(`--only takes ${PARTS.join(", ")}; not ${name}`);
      return part;
    }),
  );
}

async function measure(bench: Bench, parts: ReadonlySet<Part>): Promise<EvalRow[]> {
  const rows: EvalRow[] = [];
  if (parts.has("scifact")) rows.push(...(await judgedSet(bench, "ir_scifact_train", null)));
  if (parts.has("cranfield")) rows.push(...(await judgedSet(bench, "ir_cranfield", PUBLISHED.cranfield)));
  if (parts.has("cisi")) rows.push(...(await judgedSet(bench, "ir_cisi", PUBLISHED.cisi)));
  if (parts.has("locomo")) rows.push(...(await locomo(bench)));
  if (parts.has("minilm")) rows.push(...(await cranfieldWithVectors(bench)));
  if (parts.has("ingest") || parts.has("identifiers"))
    rows.push(...(await wholeTimelines(bench, parts.has("identifiers"))));
  return rows;
}

async function judgedSet({ client, data, run }: Bench, folder: string, reference: number | null): Promise<EvalRow[]> {
  const set = readRetrievalSet(data, folder);
  if (set === null) return skipped(data, folder);
  say(`${folder}: ${set.documents.length} documents, ${set.queries.length} queries`);
  await ingestSet(client, set, run);
  return retrievalRows(client, set, run, NDCG, [{ name: folder, qrels: set.qrels, reference }]);
}

async function locomo({ client, data, run }: Bench): Promise<EvalRow[]> {
  const folder = "mem_locomo_a";
  const set = readRetrievalSet(data, folder);
  const audited = readRetrievalSet(data, folder, "qrels_audited.tsv");
  if (set === null || audited === null) return skipped(data, folder);
  say(`${folder}: ${set.documents.length} turns, ${set.queries.length} questions`);
  await ingestSet(client, set, run);
  return retrievalRows(client, set, run, RECALL, [
    { name: folder, qrels: set.qrels, reference: PUBLISHED.locomo },
    { name: `${folder} (audited)`, qrels: audited.qrels, reference: null },
  ]);
}

async function cranfieldWithVectors({ client, data, run }: Bench): Promise<EvalRow[]> {
  const set = readRetrievalSet(data, "ir_cranfield");
  const vectors = readCranfieldVectors(data);
  if (set === null || vectors === null) return skipped(data, "cranfield_minilm");
  say("cranfield_minilm: the same documents, with given vectors");
  const own = `${run}-minilm`;
  await ingestSet(client, set, own, vectors);
  return givenVectorRows(client, set, own, vectors, PUBLISHED.minilmHybrid);
}

async function wholeTimelines({ client, data, run, pid }: Bench, withIdentifiers: boolean): Promise<EvalRow[]> {
  const timelines: Timeline[] = [];
  const [slack, crm] = [readSlack(data), readCrm(data)];
  if (slack === null) skipped(data, "tl_slack_racket");
  else timelines.push(slackTimeline(slack, run));
  if (crm === null) skipped(data, "tl_crm");
  else timelines.push(crmTimeline(crm, run));
  if (timelines.length === 0) return [];

  const figures = await ingestTimelines(client, timelines);
  const name = timelines.map((timeline) => timeline.name).join(" + ");
  const ingest = { set: name, mode: "ingest", reference: null, queries: 0 };
  const rows: EvalRow[] = [
    { ...ingest, metric: "events/s", value: figures.events / figures.ingestSeconds },
    { ...ingest, metric: "events/s until indexed", value: figures.events / figures.indexedSeconds },
  ];
  say(
    `${name}: ${figures.events} events of ${figures.entities} entities; acknowledged in ` +
      `${figures.ingestSeconds.toFixed(1)} s, all indexed after ${figures.indexedSeconds.toFixed(1)} s`,
  );
  sayPeak("after ingest and indexing", pid());
  for (const timeline of withIdentifiers ? timelines : []) {
    rows.push(
      await identifierRow(client, timeline, ({ entity, identifier }, first) =>
        say(`  not at rank 1: ${identifier} in ${entity}; there instead: ${first?.slice(0, 120) ?? "nothing"}`),
      ),
    );
  }
  if (withIdentifiers) sayPeak("after the searches too", pid());
  const peak = peakMemoryBytes(pid());
  return peak === null ? rows : [...rows, { ...ingest, metric: "peak MiB", value: peak / MIB }];
}

/** Of the whole run so far, as the operating system counts it. */
function sayPeak(when: string, pid: number | null): void {
  const peak = peakMemoryBytes(pid);
  const figure =
    peak === null ? "not measured (it runs elsewhere, or there is no /proc)" : `${Math.round(peak / MIB)} MiB`;
  say(`peak memory of the runtime process ${when}: ${figure}`);
}

function skipped(data: string, folder: string): EvalRow[] {
  say(`${folder}: skipped, it is not in ${data} (set CONTEXT_PLANE_DATA to where the open sets lie)`);
  return [];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main();
