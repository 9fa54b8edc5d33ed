/**
 * Lets one scope, then one tenant, grow to given sizes through the public API, and measures at each what a request takes
 * and what memory the process has. One request after another: a load generator beside the plane on the same processor
 * would measure itself.
 */
import { type Memory, memoryOf } from "../eval/process_memory.ts";
import { GROUPS, type ScaleCorpus, timeOf } from "./corpus.ts";
import type { PlaneCalls } from "./plane_calls.ts";
import { type ChunkRow, type EntityRow, type Latency, latencyOf } from "./report.ts";

/** Some 2 MB of JSON: far below what one request may hold. */
const APPEND_EVENTS = 2_000;
const BULK_ENTITIES = 1_000;
/** Requests under way at once while a scope or tenant is filled. */
const APPENDS_IN_FLIGHT = 2;
const WARM_REQUESTS = 3;
const TOP_K = 10;

export interface Measured {
  readonly calls: PlaneCalls;
  readonly corpus: ScaleCorpus;
  /** Of the process that runs the scripts. */
  readonly pid: number | null;
  /** Timed requests of each kind. */
  readonly requests: number;
}

export async function growScope(
  measured: Measured,
  entity: string,
  sizes: readonly number[],
  done: (row: ChunkRow) => Promise<void>,
): Promise<void> {
  let from = 0;
  for (const size of sizes) {
    const ingest_seconds = await secondsOf(async () => {
      await inBatches(from, size, APPEND_EVENTS, (first, end) =>
        measured.calls.append(entity, eventsOf(measured.corpus, first, end)),
      );
      await measured.calls.untilIndexed(entity);
    });
    const { shards } = await measured.calls.status(entity);
    const latencies = await searchLatencies(measured, entity, size);
    const events_per_second = (size - from) / ingest_seconds;
    await done({ chunks: size, shards, ingest_seconds, events_per_second, latencies, memory: memoryRow(measured) });
    from = size;
  }
}

function eventsOf(corpus: ScaleCorpus, from: number, end: number) {
  return Array.from({ length: end - from }, (_, index) => corpus.event(from + index));
}

/** Questions by kind: what makes one costly at size differs. */
async function searchLatencies(
  measured: Measured,
  entity: string,
  size: number,
): Promise<Readonly<Record<string, Latency>>> {
  const { corpus, calls } = measured;
  const kinds: Readonly<Record<string, (index: number) => object>> = {
    vector: (index) => ({ mode: "vector", vector: corpus.question(index).vector }),
    vector_exact: (index) => ({ mode: "vector", vector: corpus.question(index).vector, exact: true }),
    text: (index) => ({ mode: "text", text: corpus.question(index).text }),
    hybrid: (index) => ({ mode: "hybrid", ...corpus.question(index) }),
    filtered: (index) => ({
      mode: "hybrid",
      ...corpus.question(index),
      filter: { "attributes.group": { $in: groupsFrom(index) } },
    }),
    recent: (index) => ({ mode: "hybrid", ...corpus.question(index), from: timeOf(Math.floor(size * 0.95)) }),
  };
  const latencies: Record<string, Latency> = {};
  for (const [kind, bodyOf] of Object.entries(kinds)) {
    latencies[kind] = await timed(measured.requests, async (index) => {
      const hits = await calls.search(entity, { ...bodyOf(index), top_k: TOP_K });
      if (hits.length === 0 && kind.startsWith("vector")) throw new Error(`${kind}: a vector search without hits`);
    });
  }
  return latencies;
}

/** A twentieth of all groups. */
function groupsFrom(index: number): readonly number[] {
  return Array.from({ length: GROUPS / 20 }, (_, step) => (index + step * 20) % GROUPS);
}

export async function growTenant(
  measured: Measured,
  sizes: readonly number[],
  done: (row: EntityRow) => Promise<void>,
): Promise<void> {
  const { calls, corpus } = measured;
  let from = 0;
  for (const size of sizes) {
    const ingest_seconds = await secondsOf(() =>
      inBatches(from, size, BULK_ENTITIES, (first, end) =>
        calls.appendBulk(
          eventsOf(corpus, first, end).map((event, index) => ({ ...event, entity: entityAt(first + index) })),
        ),
      ),
    );
    const latencies = await tenantLatencies(measured, size);
    const events_per_second = (size - from) / ingest_seconds;
    await done({ entities: size, ingest_seconds, events_per_second, latencies, memory: memoryRow(measured) });
    from = size;
  }
}

function entityAt(index: number): string {
  return `user:${index}`;
}

async function tenantLatencies(measured: Measured, size: number): Promise<Readonly<Record<string, Latency>>> {
  const { calls, corpus, requests } = measured;
  const some = (index: number): number => Math.floor(((index * 0.618_033_988_7) % 1) * size);
  let cursor: string | null = null;
  return {
    search: await timed(requests, async (index) => {
      const { id, text } = corpus.event(some(index));
      const hits = await calls.search(entityAt(some(index)), { mode: "text", text, top_k: TOP_K });
      if (hits[0] !== id) throw new Error(`${entityAt(some(index))}: its event was not found`);
    }),
    status: await timed(requests, async (index) => {
      await calls.status(entityAt(some(index)));
    }),
    list: await timed(requests, async () => {
      const page = await calls.list(cursor);
      if (page.entities === 0) throw new Error("an empty page of entities");
      cursor = page.next;
    }),
  };
}

async function timed(requests: number, request: (index: number) => Promise<void>): Promise<Latency> {
  for (let index = 0; index < WARM_REQUESTS; index++) await request(requests + index);
  const times: number[] = [];
  for (let index = 0; index < requests; index++) {
    const begin = performance.now();
    await request(index);
    times.push(performance.now() - begin);
  }
  return latencyOf(times);
}

async function inBatches(
  from: number,
  end: number,
  batch: number,
  send: (from: number, end: number) => Promise<void>,
): Promise<void> {
  let next = from;
  const work = async (): Promise<void> => {
    while (next < end) {
      const first = next;
      next = Math.min(first + batch, end);
      await send(first, Math.min(first + batch, end));
    }
  };
  await Promise.all(Array.from({ length: APPENDS_IN_FLIGHT }, work));
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

function memoryRow({ pid }: Measured): ChunkRow["memory"] {
  const { residentBytes, peakBytes }: Memory = memoryOf(pid);
  return { resident_bytes: residentBytes, peak_bytes: peakBytes };
}
