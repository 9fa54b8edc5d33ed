/**
 * Runs the rows one after another: fills the entities that a row is about, puts it under load, and says what came out.
 * Rows of one harness share a boot; the state of the plane outlives it.
 */
import { percentile } from "../kernel/statistics.ts";
import { type Corpus, makeCorpus } from "./corpus.ts";
import { generateLoad } from "./generator.ts";
import type { Ask, LoadReport } from "./load.ts";
import { bootPlane, FLOOR_PATH, ingest, KEY, type Plane, settled } from "./plane.ts";
import { profiled } from "./profile.ts";
import type { HttpRow } from "./report.ts";
import { type CorpusName, corpusPlan, entitiesOf, type Scale, type Scenario } from "./scenarios.ts";

export interface RunOptions {
  readonly scale: Scale;
  readonly scenarios: readonly Scenario[];
  readonly stateDir: string;
  /** Of the code that is measured; rows name it. */
  readonly commit: string;
  /** Where the isolates are profiled while a row is under load; null: they are not. */
  readonly inspectorPort: number | null;
  say(line: string): void;
  /** Each row as it ends. */
  record(row: HttpRow): void;
}

const MIB = 1_048_576;
const MEMORY_SAMPLES = 100;
/** Of every load, so that connections, code and caches are there. */
const WARM_ROUNDS = 3;

export async function runHttpBench(options: RunOptions): Promise<void> {
  const corpora = new Map<CorpusName, Corpus>();
  for (const harness of ["loopback", "production"] as const) {
    const wanted = options.scenarios.filter((scenario) => scenario.harness === harness);
    if (wanted.length === 0) continue;
    const plane = await bootPlane(options.stateDir, harness, options.inspectorPort ?? undefined);
    try {
      for (const scenario of wanted) options.record(await rowOf(scenario, plane, corpora, options));
    } finally {
      await plane.stop();
    }
  }
}

async function rowOf(
  scenario: Scenario,
  plane: Plane,
  corpora: Map<CorpusName, Corpus>,
  options: RunOptions,
): Promise<HttpRow> {
  const { corpus: name } = scenario.holds;
  options.say(`${scenario.name}, ${scenario.harness}`);
  // One at a time: the largest fills most of a gigabyte.
  if (!corpora.has(name)) corpora.clear();
  const corpus = corpora.get(name) ?? makeCorpus(corpusPlan(name, options.scale));
  corpora.set(name, corpus);
  if (scenario.load === null) return bulkRow(scenario, plane, corpus, options);
  const entities = entitiesOf(scenario.holds);
  const filled = await ingest(plane, corpus, entities);
  if (filled > 0) options.say(`  filled ${entities.length} entities in ${filled.toFixed(1)} s`);
  await settled(plane, entities);
  const asks = scenario.load.asks(corpus, entities);
  await warmUp(plane, asks);
  return loadRow(scenario, plane, asks, options);
}

async function warmUp(plane: Plane, asks: readonly Ask[]): Promise<void> {
  const searches = asks.filter(({ after, status }) => after === null && status === 200).slice(0, 100);
  for (let round = 0; round < WARM_ROUNDS; round++) {
    for (const { method, path, body } of searches) await plane.call(method, path, body ?? undefined);
  }
}

async function bulkRow(scenario: Scenario, plane: Plane, corpus: Corpus, { commit }: RunOptions): Promise<HttpRow> {
  // Others than before, when the state is an earlier run's.
  const run = Date.now().toString(36);
  const entities = Array.from({ length: scenario.holds.count }, (_, index) => `bulk:${run}:${index}`);
  const seconds = await ingest(plane, corpus, entities);
  const events = entities.length * corpus.plan.events;
  return { ...emptyRow(scenario, commit), seconds, events_per_s: events / seconds };
}

async function loadRow(
  scenario: Scenario,
  plane: Plane,
  asks: readonly Ask[],
  { scale, commit, inspectorPort, say }: RunOptions,
): Promise<HttpRow> {
  const { load } = scenario;
  if (load === null) throw new Error("a row without a load is not put under one");
  const { rate, requests } = load;
  const floor = load.hasFloor ? floorLike(asks[0]) : null;
  const plan = { url: plane.url, key: KEY, rate, requests, warmup: scale.warmup, asks, floor };
  const memory = sampleMemory(plane, requests / rate);
  const generated = () => generateLoad(plan);
  const report = await (inspectorPort === null ? generated() : profiled(inspectorPort, generated, say));
  const samples = memory.stop();
  return {
    ...emptyRow(scenario, commit),
    ...figuresOf(report),
    distinct_queries: new Set(asks.map(({ body }) => body)).size,
    rate_per_s: rate,
    memory: scenario.goal.growth === null ? null : memoryFigures(samples, plane.memory().peak),
  };
}

/** Of the same size on the way there. */
function floorLike(ask: Ask | undefined): Ask {
  return { method: "POST", path: FLOOR_PATH, body: ask?.body ?? "{}", status: 200, tier: null, after: null };
}

function figuresOf(report: LoadReport) {
  const { latenciesMs, floorLatenciesMs, lateMs, errors, errorSamples, seconds } = report;
  const hasFloor = floorLatenciesMs.length > 0;
  return {
    p50_ms: rounded(percentile(latenciesMs, 0.5)),
    p99_ms: rounded(percentile(latenciesMs, 0.99)),
    floor_p50_ms: hasFloor ? rounded(percentile(floorLatenciesMs, 0.5)) : null,
    floor_p99_ms: hasFloor ? rounded(percentile(floorLatenciesMs, 0.99)) : null,
    late_p99_ms: rounded(percentile(lateMs, 0.99)),
    requests: latenciesMs.length,
    errors,
    error_samples: [...errorSamples],
    seconds: rounded(seconds),
  };
}

function emptyRow({ name, harness, goal }: Scenario, commit: string): HttpRow {
  return {
    scenario: name,
    harness,
    commit,
    p50_ms: null,
    p99_ms: null,
    floor_p50_ms: null,
    floor_p99_ms: null,
    requests: 0,
    errors: 0,
    error_samples: [],
    distinct_queries: 0,
    rate_per_s: null,
    seconds: 0,
    late_p99_ms: null,
    events_per_s: null,
    memory: null,
    goal,
  };
}

function sampleMemory(plane: Plane, seconds: number): { stop(): readonly number[] } {
  const samples: number[] = [];
  const interval = setInterval(() => samples.push(plane.memory().resident), (seconds * 1_000) / MEMORY_SAMPLES);
  return {
    stop() {
      clearInterval(interval);
      return samples;
    },
  };
}

function memoryFigures(samples: readonly number[], peak: number): HttpRow["memory"] {
  const quarter = (n: number): number =>
    percentile(samples.slice(Math.floor((n * samples.length) / 4), Math.ceil(((n + 1) * samples.length) / 4)), 0.5);
  return {
    resident_mib: samples.map((bytes) => Math.round(bytes / MIB)),
    peak_mib: Math.round(peak / MIB),
    growth: rounded(quarter(3) / quarter(1)),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
