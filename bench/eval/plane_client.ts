/**
 * The product as an outside caller sees it: its public HTTP API, nothing else. Answers are parsed, so that a contract
 * that changed is an error here and not a strange figure.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

export interface PlaneEvent {
  readonly id: string;
  readonly text: string;
  readonly kind?: string;
  readonly ts?: string;
  readonly session?: string;
  readonly actor?: string;
  readonly source?: string;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  readonly vector?: readonly number[];
}

export interface SearchBody {
  readonly text?: string;
  readonly vector?: readonly number[];
  readonly mode: "hybrid" | "text" | "vector";
  readonly top_k: number;
}

export interface PlaneHit {
  readonly id: string;
  readonly text: string;
}

export interface PlaneClient {
  /** Events of one entity, in requests of bounded size. */
  append(entity: string, events: readonly PlaneEvent[]): Promise<void>;
  /** Events of many entities. */
  appendBulk(events: readonly (PlaneEvent & { readonly entity: string })[]): Promise<void>;
  search(entity: string, body: SearchBody): Promise<readonly PlaneHit[]>;
  /** Waits until no event of the entities is left outside the shards. */
  untilIndexed(entities: readonly string[]): Promise<void>;
}

/** Well below what one request may hold: vectors make events large. */
const APPEND_EVENTS_MAX = 250;
const BULK_EVENTS_MAX = 5_000;
const BULK_ENTITIES_MAX = 1_000;
const ATTEMPTS_MAX = 8;
const INDEX_WAIT_MS_MAX = 900_000;
const INDEX_POLL_MS = 500;
export const REQUESTS_IN_FLIGHT_MAX = 8;

const appendAnswer = z.object({ accepted: z.number(), duplicates: z.number() });
const bulkAnswer = z.object({
  results: z.array(z.object({ entity: z.string(), error: z.unknown().optional() })),
  accepted: z.number(),
});
const searchAnswer = z.object({ hits: z.array(z.object({ id: z.string(), text: z.string().default("") })) });
const entityAnswer = z.object({ unindexed_events: z.number() });

export function planeClient(url: string, key: string): PlaneClient {
  const post = (path: string, body: unknown): Promise<unknown> => request(url + path, key, JSON.stringify(body));
  const entityPath = (entity: string): string => `/v1/entities/${encodeURIComponent(entity)}`;
  return {
    async append(entity, events) {
      for (let from = 0; from < events.length; from += APPEND_EVENTS_MAX) {
        const batch = events.slice(from, from + APPEND_EVENTS_MAX);
        const answer = appendAnswer.parse(await post(`${entityPath(entity)}/events`, { events: batch }));
        if (answer.accepted + answer.duplicates !== batch.length)
          throw new Error(`${entity}: some events were not taken`);
      }
    },
    async appendBulk(events) {
      for (const batch of bulkBatches(events)) {
        const answer = bulkAnswer.parse(await post("/v1/events", { events: batch }));
        const failed = answer.results.find((result) => result.error !== undefined && result.error !== null);
        if (failed !== undefined) throw new Error(`${failed.entity}: ${JSON.stringify(failed.error)}`);
      }
    },
    async search(entity, body) {
      return searchAnswer.parse(await post(`${entityPath(entity)}/search`, body)).hits;
    },
    async untilIndexed(entities) {
      const deadline = Date.now() + INDEX_WAIT_MS_MAX;
      let waiting = [...entities];
      while (waiting.length > 0) {
        const left = await inFlight(waiting, async (entity) => {
          const answer = entityAnswer.parse(await request(url + entityPath(entity), key, null));
          return answer.unindexed_events > 0 ? [entity] : [];
        });
        waiting = left.flat();
        if (waiting.length > 0 && Date.now() > deadline)
          throw new Error(`${waiting.length} entities were not indexed in time`);
        if (waiting.length > 0) await sleep(INDEX_POLL_MS);
      }
    },
  };
}

/** Runs `task` over all items, a few at a time; results in the items' order. */
export async function inFlight<Item, Value>(
  items: readonly Item[],
  task: (item: Item) => Promise<Value>,
): Promise<Value[]> {
  const results: Value[] = [];
  const entries = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of entries) results[index] = await task(item);
  };
  await Promise.all(Array.from({ length: Math.min(REQUESTS_IN_FLIGHT_MAX, items.length) }, worker));
  return results;
}

/** Order is kept; an entity may span requests. */
function* bulkBatches<Event extends { readonly entity: string }>(
  events: readonly Event[],
): Generator<readonly Event[]> {
  let batch: Event[] = [];
  let entities = new Set<string>();
  for (const event of events) {
    const full =
      batch.length === BULK_EVENTS_MAX || (entities.size === BULK_ENTITIES_MAX && !entities.has(event.entity));
    if (full) {
      yield batch;
      batch = [];
      entities = new Set();
    }
    batch.push(event);
    entities.add(event.entity);
  }
  if (batch.length > 0) yield batch;
}

/** 429 and 503 are safe to retry by contract; event ids make it harmless. `body` null is a GET. */
async function request(url: string, key: string, body: string | null): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(url, {
      method: body === null ? "GET" : "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body === null ? {} : { body }),
    });
    if (response.ok) return response.json();
    const detail = await response.text();
    const again = response.status === 429 || response.status === 503;
    if (!again || attempt === ATTEMPTS_MAX)
      throw new Error(`${url} answered ${response.status}: ${detail.slice(0, 500)}`);
    await sleep(1000 * Number(response.headers.get("retry-after") ?? 1));
  }
}
