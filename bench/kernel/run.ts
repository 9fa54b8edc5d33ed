/**
 * A run: corpus by corpus, in each runtime, every system that can, in a process that ends with the corpus, and the exact
 * answers to hold them against. Data and exact answers are made here, once for both runtimes.
 */
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileReader } from "./bandwidth.ts";
import { LIMIT } from "./bandwidth_limit.ts";
import { OURS_UNFILTERED } from "./contender.ts";
import type { Corpus, QuestionSet } from "./corpus.ts";
import { type Analyze, exactAnswers, naiveText } from "./exact.ts";
import { nodeRuntime } from "./node_runtime.ts";
import { compiled, ourKernel } from "./our_kernel.ts";
import { BUILD_ROWS, type PlannedCorpus, planOf, type Scale } from "./plan.ts";
import { type Absence, type BenchRow, limitKey, type PlainRow, withRatios } from "./report.ts";
import type { OpenReport, Runtime, Session } from "./session.ts";
import { meanOf, percentile, recallOf } from "./statistics.ts";
import { type CorpusResult, type MeasuredRow, measureAll } from "./survive.ts";
import { QUERY_WORDS_MAX } from "./text_data.ts";
import { workerdRuntime } from "./workerd_runtime.ts";

const CHECKOUT = join(import.meta.dirname, "..", "..");
const KERNEL = join(CHECKOUT, "wasm", "build", "kernel.wasm");
const IN_NODE = join(import.meta.dirname, "in_node.ts");
const BYTES_PER_MB = 1_000_000;

export type RuntimeName = BenchRow["runtime"];
export const RUNTIMES: readonly RuntimeName[] = ["node", "workerd"];

export interface RunOptions {
  readonly scale: Scale;
  readonly dataFolder: string;
  readonly runtimes: readonly RuntimeName[];
  /** Whether a row is asked for. */
  wants(row: string): boolean;
  say(line: string): void;
}

export interface RunResult {
  readonly rows: readonly BenchRow[];
  readonly absent: readonly Absence[];
}

/** What a run gathers. */
interface Gathered {
  readonly rows: PlainRow[];
  readonly absent: Absence[];
  /** p50 of one read of the codes, by `limitKey`. */
  readonly limits: Map<string, number>;
}

export async function runBench(options: RunOptions): Promise<RunResult> {
  const { scale, dataFolder, wants } = options;
  const gathered: Gathered = { rows: [], absent: [], limits: new Map() };
  const systems = await loadSystems(options);
  for (const planned of planOf(scale, dataFolder)) {
    const builds = BUILD_ROWS.filter(({ of, row }) => planned.rows.includes(of) && wants(row));
    if (builds.length > 0 || planned.rows.some(wants)) await measureCorpus(planned, options, systems, gathered);
  }
  return { rows: withRatios(gathered.rows, gathered.limits), absent: gathered.absent };
}

interface Systems {
  readonly analyze: Analyze;
  readonly runtimes: ReadonlyMap<RuntimeName, Runtime>;
}

async function loadSystems({ runtimes }: RunOptions): Promise<Systems> {
  const binaries = { kernel: Uint8Array.from(readFileSync(KERNEL)), reader: await compileReader() };
  const started = new Map<RuntimeName, Runtime>();
  if (runtimes.includes("node")) started.set("node", nodeRuntime(IN_NODE, binaries));
  if (runtimes.includes("workerd")) started.set("workerd", await workerdRuntime(binaries));
  return { analyze: ourKernel(compiled(binaries.kernel)).analyze, runtimes: started };
}

// --- One corpus -----------------------------------------------------------------------------

async function measureCorpus(
  planned: PlannedCorpus,
  options: RunOptions,
  systems: Systems,
  gathered: Gathered,
): Promise<void> {
  const { runtimes, say, scale, wants } = options;
  const from = performance.now();
  const made = planned.make();
  if (made === null) {
    const reason = "its data are not there";
    say(`SKIPPED: ${planned.name}: ${reason}: ${options.dataFolder}`);
    for (const runtime of runtimes) gathered.absent.push({ row: planned.name, system: "all", runtime, reason });
    return;
  }
  const { corpus } = made;
  const sets = made.sets.filter(({ row }) => wants(row));
  const oracle = corpus.texts === null ? null : naiveText(corpus.texts, systems.analyze);
  const exact = new Map(sets.map((set) => [set.row, exactAnswers(corpus, set, oracle)]));
  say(`${planned.name}: ${corpus.documents} documents and exact answers in ${secondsSince(from)}`);
  for (const [name, runtime] of systems.runtimes) {
    say(`${planned.name} in ${name}`);
    const start = (): Promise<Session> => runtime.start(corpus, scale.budgets);
    const measuredFrom = performance.now();
    const result = await measureAll({ corpus: planned.name, sets, start, say });
    gather(result, name, corpus, exact, options, gathered);
    say(`${planned.name} in ${name}: ${secondsSince(measuredFrom)}`);
  }
}

function gather(
  { opened, rows, refused, absent }: CorpusResult,
  runtime: RuntimeName,
  corpus: Corpus,
  exact: ReadonlyMap<string, readonly (readonly number[])[]>,
  options: RunOptions,
  gathered: Gathered,
): void {
  for (const { row, system, reason } of refused) tell(gathered, { row, system, runtime, reason: reason ?? "" });
  // Of every corpus the same.
  for (const { system, reason } of absent) tell(gathered, { row: "all", system, runtime, reason: reason ?? "" });
  buildRows(runtime, corpus, opened, options, gathered);
  for (const measured of rows) {
    const { row } = measured.set;
    if (measured.open.system === LIMIT)
      gathered.limits.set(limitKey({ row, runtime }), percentile(measured.measured.us, 0.5));
    else gathered.rows.push(rowOf(measured, exact.get(row) ?? [], runtime, corpus));
  }
}

function tell({ absent }: Gathered, absence: Absence): void {
  const { row, system, runtime } = absence;
  if (absent.some((known) => known.row === row && known.system === system && known.runtime === runtime)) return;
  absent.push({ ...absence, reason: withoutFolders(absence.reason) });
}

function rowOf(
  { set, open, measured, coldLoadMs, visited }: MeasuredRow,
  exact: readonly (readonly number[])[],
  runtime: RuntimeName,
  corpus: Corpus,
): PlainRow {
  const { system, ours, settings, buildMs, bytes, residentBytes } = open;
  const { us, rowUs, found, turnQuestions } = measured;
  const recalls = found.map((documents, question) => recallOf(documents, exact[question] ?? []));
  return {
    row: set.row,
    system,
    runtime,
    ours,
    documents: corpus.documents,
    dimensions: corpus.vectors?.dimensions ?? null,
    questions: found.length,
    questions_planned: set.questions.length - set.warmUp,
    p50_us: rounded(percentile(us, 0.5)),
    p99_us: rounded(percentile(us, 0.99)),
    p50_in_a_row_us: rowUs.length === 0 ? null : rounded(percentile(rowUs, 0.5)),
    recall: system === OURS_UNFILTERED ? null : meanOf(recalls),
    build_ms: rounded(buildMs),
    bytes,
    resident_bytes: residentBytes,
    cold_load_ms: coldLoadMs === null ? null : rounded(coldLoadMs),
    visited: visited === null || visited === 0 ? null : rounded(visited),
    mb_per_s: null,
    p50_us_by_words: set.leg === "text" && turnQuestions === 1 ? medianByWords(us) : null,
    settings,
    method:
      turnQuestions === 1 ? "percentiles of single questions" : `percentiles of means over ${turnQuestions} questions`,
    note: noteOf(set, ours),
  };
}

function noteOf({ leg }: QuestionSet, ours: boolean): string | null {
  return ours || leg === "vector" ? null : "recall is what its ranking shares with exact BM25 and exact neighbours";
}

/** Question i has 1 + i mod QUERY_WORDS_MAX words, warm-ups included: they are a multiple of it. */
function medianByWords(us: readonly number[]): number[] {
  return Array.from({ length: QUERY_WORDS_MAX }, (_, words) =>
    rounded(
      percentile(
        us.filter((_, question) => question % QUERY_WORDS_MAX === words),
        0.5,
      ),
    ),
  );
}

/** Builds are measured when a corpus is opened; their rows say nothing else. */
function buildRows(
  runtime: RuntimeName,
  corpus: Corpus,
  opened: readonly OpenReport[],
  { wants }: RunOptions,
  gathered: Gathered,
): void {
  const rawBytes = (corpus.texts ?? []).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  for (const { row } of BUILD_ROWS.filter(({ of, row: name }) => of === corpus.name && wants(name))) {
    for (const { system, ours, settings, buildMs, bytes, residentBytes } of opened) {
      const isGraph = row.startsWith("hnsw");
      if (system === LIMIT || (isGraph && !/hnsw|usearch|edgevec/.test(system))) continue;
      gathered.rows.push({
        row,
        system,
        runtime,
        ours,
        documents: corpus.documents,
        dimensions: corpus.vectors?.dimensions ?? null,
        questions: 0,
        questions_planned: 0,
        p50_us: null,
        p99_us: null,
        p50_in_a_row_us: null,
        recall: null,
        build_ms: rounded(buildMs),
        bytes,
        resident_bytes: residentBytes,
        cold_load_ms: null,
        visited: null,
        mb_per_s: isGraph ? null : rounded(rawBytes / BYTES_PER_MB / (buildMs / 1_000)),
        p50_us_by_words: null,
        settings,
        method: "once",
        note: isGraph ? null : `${rawBytes} bytes of text`,
      });
    }
  }
}

/** What is recorded names no folder of the machine; messages of libraries may. */
function withoutFolders(reason: string): string {
  return reason.replaceAll(CHECKOUT, ".").replaceAll(tmpdir(), "…");
}

function rounded(value: number): number {
  return Number(value.toPrecision(5));
}

function secondsSince(ms: number): string {
  return `${((performance.now() - ms) / 1_000).toFixed(1)} s`;
}
