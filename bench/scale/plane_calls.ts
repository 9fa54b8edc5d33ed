/**
 * Single calls of the public HTTP API and how long each took, for measurements that wait for a plane under full load: what
 * is refused for now is sent again for as long as it takes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { PlaneEvent } from "../eval/plane_client.ts";

const BUSY_STATUSES: ReadonlySet<number> = new Set([429, 503]);
/** A refusal without end is a fault, not a wait. */
const BUSY_ATTEMPTS_MAX = 600;
const INDEX_POLL_MS = 1_000;

const searchAnswer = z.object({
  hits: z.array(z.object({ id: z.string() })),
  performance: z.object({ plan: z.string(), cache: z.string() }).loose(),
});
const entityAnswer = z.object({
  unindexed_events: z.number(),
  shards: z.array(z.unknown()),
  sealed: z.object({ error: z.string() }).loose().optional(),
});
const listAnswer = z.object({ entities: z.array(z.unknown()), next_cursor: z.string().nullable() });
const bulkAnswer = z.object({ results: z.array(z.object({ entity: z.string(), error: z.unknown().optional() })) });

export interface PlaneCalls {
  append(entity: string, events: readonly PlaneEvent[]): Promise<void>;
  appendBulk(events: readonly (PlaneEvent & { readonly entity: string })[]): Promise<void>;
  /** Ids of the hits, best first. */
  search(entity: string, body: object): Promise<readonly string[]>;
  status(entity: string): Promise<{ readonly unindexed: number; readonly shards: number }>;
  /** How many entities a page has, and where the next begins. */
  list(cursor: string | null): Promise<{ readonly entities: number; readonly next: string | null }>;
  untilIndexed(entity: string): Promise<void>;
}

export function planeCalls(url: string, key: string): PlaneCalls {
  const headers = { authorization: `Bearer ${key}` };
  const get = (path: string): Promise<unknown> => answered(url + path, { headers });
  const post = (path: string, body: string, type: string): Promise<unknown> =>
    answered(url + path, { method: "POST", headers: { ...headers, "content-type": type }, body });
  const pathOf = (entity: string): string => `/v1/entities/${encodeURIComponent(entity)}`;
  const status = async (entity: string) => {
    const { unindexed_events, shards, sealed } = entityAnswer.parse(await get(pathOf(entity)));
    if (sealed !== undefined) throw new Error(`${entity}: its index work was sealed: ${sealed.error}`);
    return { unindexed: unindexed_events, shards: shards.length };
  };
  return {
    async append(entity, events) {
      await post(`${pathOf(entity)}/events`, linesOf(events), "application/x-ndjson");
    },
    async appendBulk(events) {
      const { results } = bulkAnswer.parse(await post("/v1/events", linesOf(events), "application/x-ndjson"));
      const failed = results.find(({ error }) => error !== undefined && error !== null);
      if (failed !== undefined) throw new Error(`${failed.entity}: ${JSON.stringify(failed.error)}`);
    },
    async search(entity, body) {
      const answer = await post(`${pathOf(entity)}/search`, JSON.stringify(body), "application/json");
      return searchAnswer.parse(answer).hits.map(({ id }) => id);
    },
    status,
    async list(cursor) {
      const query = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const { entities, next_cursor } = listAnswer.parse(await get(`/v1/entities?limit=100${query}`));
      return { entities: entities.length, next: next_cursor };
    },
    async untilIndexed(entity) {
      while ((await status(entity)).unindexed > 0) await sleep(INDEX_POLL_MS);
    },
  };
}

function linesOf(events: readonly object[]): string {
  return events.map((event) => JSON.stringify(event)).join("\n");
}

async function answered(url: string, init: RequestInit): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(url, init);
    if (response.ok) return response.json();
    const detail = (await response.text()).slice(0, 500);
    if (!BUSY_STATUSES.has(response.status) || attempt === BUSY_ATTEMPTS_MAX)
      throw new Error(`${url} answered ${response.status}: ${detail}`);
    await sleep(1000 * Number(response.headers.get("retry-after") ?? 1));
  }
}
