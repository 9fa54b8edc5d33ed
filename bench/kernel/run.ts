/**
 * A run: corpus by corpus, in each runtime, every system that can, and the exact answers to hold them against. Data and
 * exact answers are made once for both runtimes.
 */
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { nodePeers } from "../peers/node_peers.ts";
import { compileReader } from "./bandwidth.ts";
import { bandwidthLimit, LIMIT } from "./bandwidth_limit.ts";
import { fineClock } from "./clock.ts";
import { type Contender, OURS_UNFILTERED } from "./contender.ts";
import type { Corpus, QuestionSet } from "./corpus.ts";
import { type Analyze, exactAnswers, naiveText } from "./exact.ts";
import type { Measured } from "./interleave.ts";
import { ourKernel } from "./our_kernel.ts";
import { ourShard } from "./our_shard.ts";
import { BUILD_ROWS, type PlannedCorpus, planOf, type Scale } from "./plan.ts";
import { type Absence, type BenchRow, limitKey, type PlainRow, withRatios } from "./report.ts";
import { type AskReport, localSession, type OpenReport, type Refusal, type Session } from "./session.ts";
import { meanOf, percentile, recallOf } from "./statistics.ts";
import { QUERY_WORDS_MAX } from "./text_data.ts";
import { bootWorkerd, type WorkerdRuntime } from "./workerd_runtime.ts";

const CHECKOUT = join(import.meta.dirname, "..", "..");
const KERNEL = join(CHECKOUT, "wasm", "build", "kernel.wasm");
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
  const { scale, dataFolder, runtimes, wants } = options;
  const gathered: Gathered = { rows: [], absent: [], limits: new Map() };
  const systems = await loadSystems(options);
  try {
    for (const planned of planOf(scale, dataFolder)) {
      const builds = BUILD_ROWS.filter(({ of, row }) => planned.rows.includes(of) && wants(row));
      if (builds.length > 0 || planned.rows.some(wants)) await measureCorpus(planned, options, systems, gathered);
    }
  } finally {
    await systems.workerd?.stop();
  }
  const absentFrom = (runtime: RuntimeName, refusals: readonly Refusal[]): void => {
    if (!runtimes.includes(runtime)) return;
    for (const { system, reason } of refusals)
      gathered.absent.push({ row: "all", system, runtime, reason: withoutFolders(reason ?? "") });
  };
  absentFrom("node", systems.absentFromNode);
  absentFrom("workerd", systems.workerd?.absent ?? []);
  return { rows: withRatios(gathered.rows, gathered.limits), absent: gathered.absent };
}

// --- Systems --------------------------------------------------------------------------------

interface Systems {
  readonly analyze: Analyze;
  readonly inNode: readonly Contender[];
  readonly absentFromNode: readonly Refusal[];
  readonly workerd: WorkerdRuntime | null;
}

async function loadSystems({ runtimes, say }: RunOptions): Promise<Systems> {
  const kernel = Uint8Array.from(readFileSync(KERNEL));
  const reader = await compileReader();
  const ours = ourKernel(compiled(kernel));
  const peers = await nodePeers(ours.analyze);
  for (const { system, reason } of peers.absent) say(`NOT MEASURED: ${system}: ${reason}`);
  return {
    analyze: ours.analyze,
    inNode: [...ours.contenders, ourShard(ours), ...peers.contenders, bandwidthLimit(compiled(reader))],
    absentFromNode: peers.absent,
    workerd: runtimes.includes("workerd") ? await bootWorkerd(kernel, reader) : null,
  };
}

function compiled(bytes: Uint8Array): WebAssembly.Module {
  // The types of Workers know no constructor: there a module can only be imported.
  return Reflect.construct(WebAssembly.Module, [bytes]);
}

// --- One corpus -----------------------------------------------------------------------------

async function measureCorpus(
  planned: PlannedCorpus,
  options: RunOptions,
  systems: Systems,
  gathered: Gathered,
): Promise<void> {
  const { runtimes, say, scale } = options;
  const made = planned.make();
  if (made === null) {
    const reason = "its data are not there";
    say(`SKIPPED: ${planned.name}: ${reason}: ${options.dataFolder}`);
    for (const runtime of runtimes) gathered.absent.push({ row: planned.name, system: "all", runtime, reason });
    return;
  }
  const { corpus, sets } = made;
  const oracle = corpus.texts === null ? null : naiveText(corpus.texts, systems.analyze);
  const asked = sets.map((set) => ({ set, exact: exactAnswers(corpus, set, oracle) }));
  for (const runtime of runtimes) {
    say(`${planned.name} in ${runtime}: ${corpus.documents} documents`);
    const session =
      runtime === "node"
        ? localSession(corpus, systems.inNode, fineClock, scale.budgets)
        : await systems.workerd?.session(corpus, scale.budgets);
    if (session !== undefined) await measureSession(session, runtime, corpus, asked, options, gathered);
  }
}

interface AskedSet {
  readonly set: QuestionSet;
  readonly exact: readonly (readonly number[])[];
}

interface Opened extends OpenReport {
  readonly residentBytes: number | null;
}

async function measureSession(
  session: Session,
  runtime: RuntimeName,
  corpus: Corpus,
  asked: readonly AskedSet[],
  options: RunOptions,
  gathered: Gathered,
): Promise<void> {
  const refuse = (row: string, { system, reason }: Refusal): void => {
    if (reason === null) return;
    options.say(`  NOT MEASURED: ${row}: ${system}: ${reason}`);
    gathered.absent.push({ row, system, runtime, reason: withoutFolders(reason) });
  };
  const opened = new Map<string, Opened>();
  for (const system of session.systems) {
    const before = runtime === "node" ? residentBytes() : null;
    const report = await session.open(system);
    if ("reason" in report) refuse(corpus.name, report);
    else
      opened.set(system, { ...report, residentBytes: before === null ? null : Math.max(0, residentBytes() - before) });
  }
  buildRows(runtime, corpus, [...opened.values()], options, gathered);
  for (const each of asked.filter(({ set }) => options.wants(set.row))) {
    const report = await session.ask(each.set);
    for (const refusal of report.refused) refuse(each.set.row, refusal);
    for (const measured of report.measured) {
      const open = opened.get(measured.system);
      if (measured.fault !== null)
        refuse(each.set.row, { system: measured.system, reason: `it failed: ${measured.fault}` });
      else if (measured.system === LIMIT)
        gathered.limits.set(limitKey({ row: each.set.row, runtime }), percentile(measured.us, 0.5));
      else if (open !== undefined) gathered.rows.push(rowOf(open, measured, each, report, runtime, corpus));
    }
  }
  await session.close();
}

function rowOf(
  { system, ours, settings, buildMs, bytes, residentBytes: resident }: Opened,
  { us, rowUs, found, turnQuestions }: Measured,
  { set, exact }: AskedSet,
  { coldLoadMs }: AskReport,
  runtime: RuntimeName,
  corpus: Corpus,
): PlainRow {
  const recalls = found.map((documents, question) => recallOf(documents, exact[question] ?? []));
  return {
    row: set.row,
    system,
    runtime,
    ours,
    documents: corpus.documents,
    questions: found.length,
    p50_us: rounded(percentile(us, 0.5)),
    p99_us: rounded(percentile(us, 0.99)),
    p50_in_a_row_us: rowUs.length === 0 ? null : rounded(percentile(rowUs, 0.5)),
    recall: system === OURS_UNFILTERED ? null : meanOf(recalls),
    build_ms: rounded(buildMs),
    bytes,
    resident_bytes: resident,
    cold_load_ms: coldLoadMs[system] === undefined ? null : rounded(coldLoadMs[system]),
    mb_per_s: null,
    p50_us_by_words: set.leg === "text" && turnQuestions === 1 ? medianByWords(us) : null,
    settings,
    method:
      turnQuestions === 1 ? "percentiles of single questions" : `percentiles of means over ${turnQuestions} questions`,
    note: noteOf(set, ours, found.length),
  };
}

function noteOf(set: QuestionSet, ours: boolean, asked: number): string | null {
  const wanted = set.questions.length - set.warmUp;
  const notes = [
    ...(ours || set.leg === "vector" ? [] : ["recall is what its ranking shares with exact BM25 and exact neighbours"]),
    ...(asked < wanted ? [`asked ${asked} of ${wanted} questions: more would take too long`] : []),
  ];
  return notes.length === 0 ? null : notes.join("; ");
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
  opened: readonly Opened[],
  { wants }: RunOptions,
  gathered: Gathered,
): void {
  const rawBytes = (corpus.texts ?? []).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  for (const { row } of BUILD_ROWS.filter(({ of, row: name }) => of === corpus.name && wants(name))) {
    for (const { system, ours, settings, buildMs, bytes, residentBytes: resident } of opened) {
      const isGraph = row.startsWith("hnsw");
      if (system === LIMIT || (isGraph && !/hnsw|usearch|edgevec/.test(system))) continue;
      gathered.rows.push({
        row,
        system,
        runtime,
        ours,
        documents: corpus.documents,
        questions: 0,
        p50_us: null,
        p99_us: null,
        p50_in_a_row_us: null,
        recall: null,
        build_ms: rounded(buildMs),
        bytes,
        resident_bytes: resident,
        cold_load_ms: null,
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

let collectGarbage: (() => void) | null = null;

/** Of this process, after its garbage is gone. */
function residentBytes(): number {
  if (collectGarbage === null) {
    setFlagsFromString("--expose-gc");
    collectGarbage = runInNewContext("gc") as () => void;
  }
  collectGarbage();
  return process.memoryUsage().rss;
}
