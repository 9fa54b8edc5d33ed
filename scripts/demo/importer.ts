/**
 * Sends a connector's items in bulk, then waits until they are indexed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectorItem } from "../../adapters/connectors/item.ts";
import type { EntityEvent, Plane } from "./plane.ts";

/** Large requests make few commits, small ones keep the bar moving. */
const BATCH_EVENTS = 1_000;
const BATCH_CHARACTERS = 2_000_000;
const REQUESTS_IN_FLIGHT = 3;
/** Per entity of one request: an object that answered 503 is asked again. */
const ENTITY_ATTEMPTS_MAX = 10;
const RETRIED: ReadonlySet<number> = new Set([429, 503]);
const REFUSALS_SHOWN = 5;

const STATUS_IN_FLIGHT = 6;
const POLL_MS = 200;
/** Nothing was indexed for so long: what is left is a tail below the index threshold, or something is wrong. */
const STALLED_MS = 20_000;

export interface ImportReport {
  readonly events: number;
  readonly accepted: number;
  readonly duplicates: number;
  /** Bytes of the events as JSON. */
  readonly bytes: number;
  readonly entities: readonly string[];
  readonly refused: number;
  /** The first few, with their place. */
  readonly refusals: readonly string[];
  readonly ms: number;
}

interface Tally {
  events: number;
  accepted: number;
  duplicates: number;
  bytes: number;
  refused: number;
  readonly entities: Set<string>;
  readonly refusals: string[];
}

/** `seen` is told each item that is about to be sent, `progress` the events that were acknowledged. */
export async function importItems(
  plane: Plane,
  items: AsyncIterable<ConnectorItem>,
  seen: (item: Extract<ConnectorItem, { ok: true }>) => void,
  progress: (events: number) => void,
): Promise<ImportReport> {
  const startedMs = performance.now();
  const tally: Tally = {
    events: 0,
    accepted: 0,
    duplicates: 0,
    bytes: 0,
    refused: 0,
    entities: new Set(),
    refusals: [],
  };
  const inFlight = new Set<Promise<void>>();
  const send = async (batch: readonly EntityEvent[]): Promise<void> => {
    await appendAll(plane, batch, tally);
    progress(tally.accepted + tally.duplicates);
  };
  for await (const batch of batches(items, tally, seen)) {
    const sent = send(batch).finally(() => inFlight.delete(sent));
    inFlight.add(sent);
    if (inFlight.size >= REQUESTS_IN_FLIGHT) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
  return { ...tally, entities: [...tally.entities], ms: performance.now() - startedMs };
}

async function* batches(
  items: AsyncIterable<ConnectorItem>,
  tally: Tally,
  seen: (item: Extract<ConnectorItem, { ok: true }>) => void,
): AsyncGenerator<readonly EntityEvent[]> {
  let batch: EntityEvent[] = [];
  let characters = 0;
  for await (const item of items) {
    if (!item.ok) {
      refuse(tally, 1, `${item.where}: ${item.reason}`);
      continue;
    }
    seen(item);
    const event = { entity: item.entity, ...item.event };
    const json = JSON.stringify(event);
    tally.events += 1;
    tally.bytes += Buffer.byteLength(json);
    if (batch.length === BATCH_EVENTS || characters + json.length > BATCH_CHARACTERS) {
      if (batch.length > 0) yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(event);
    characters += json.length;
  }
  if (batch.length > 0) yield batch;
}

/** Entities that could not take their events now get them again; the others are not asked twice. */
async function appendAll(plane: Plane, batch: readonly EntityEvent[], tally: Tally): Promise<void> {
  let waiting = batch;
  for (let attempt = 1; waiting.length > 0; attempt += 1) {
    const { results } = await plane.append(waiting);
    const again = new Set<string>();
    for (const { entity, accepted = 0, duplicates = 0, error } of results) {
      tally.accepted += accepted;
      tally.duplicates += duplicates;
      if (error === undefined) tally.entities.add(entity);
      else if (RETRIED.has(error.status) && attempt < ENTITY_ATTEMPTS_MAX) again.add(entity);
      else refuse(tally, waiting.filter((event) => event.entity === entity).length, `${entity}: ${error.detail}`);
    }
    waiting = waiting.filter((event) => again.has(event.entity));
    if (waiting.length > 0) await sleep(POLL_MS * attempt);
  }
}

function refuse(tally: Tally, count: number, reason: string): void {
  tally.refused += count;
  if (tally.refusals.length < REFUSALS_SHOWN) tally.refusals.push(reason);
}

export interface IndexReport {
  /** Events that are searched from the tail, because they are not in a shard. */
  readonly unindexed: number;
  readonly unindexedEntities: number;
  readonly events: number;
  readonly commits: number;
  readonly shards: number;
  readonly shardBytes: number;
  readonly ms: number;
}

/** Resolves when nothing waits, or when nothing has moved for STALLED_MS. `progress` gets the indexed events. */
export async function waitUntilIndexed(
  plane: Plane,
  entities: readonly string[],
  progress: (indexed: number, events: number) => void,
): Promise<IndexReport> {
  const startedMs = performance.now();
  const known = new Map<string, Awaited<ReturnType<Plane["status"]>>>();
  let waiting = entities;
  let unindexed = Number.POSITIVE_INFINITY;
  let movedMs = startedMs;
  for (;;) {
    await eachBounded(waiting, async (entity) => {
      known.set(entity, await plane.status(entity));
    });
    const all = [...known.values()];
    const events = sum(all.map((status) => status.events));
    const left = sum(all.map((status) => status.unindexed_events));
    progress(events - left, events);
    if (left < unindexed) movedMs = performance.now();
    unindexed = left;
    waiting = [...known].filter(([, status]) => status.unindexed_events > 0).map(([entity]) => entity);
    if (waiting.length === 0 || performance.now() - movedMs > STALLED_MS) {
      const shards = all.flatMap((status) => status.shards);
      return {
        unindexed,
        unindexedEntities: waiting.length,
        events,
        commits: sum(all.map((status) => status.commits)),
        shards: shards.length,
        shardBytes: sum(shards.map(({ bytes }) => bytes)),
        ms: performance.now() - startedMs,
      };
    }
    await sleep(POLL_MS);
  }
}

async function eachBounded(entities: readonly string[], act: (entity: string) => Promise<void>): Promise<void> {
  const queue = entities.values();
  const worker = async (): Promise<void> => {
    for (const entity of queue) await act(entity);
  };
  await Promise.all(Array.from({ length: STATUS_IN_FLIGHT }, worker));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
