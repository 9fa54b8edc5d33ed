/**
 * The few calls of the HTTP API that the demo makes. What comes back is checked against the API's own schemas.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { bulkResultSchema } from "../../core/schema/append.ts";
import { entityStatusSchema } from "../../core/schema/entity.ts";
import type { EventInput } from "../../core/schema/event.ts";
import type { Json } from "../../core/schema/scalar.ts";
import { searchAnswerSchema } from "../../core/schema/search_answer.ts";

export type BulkResult = z.infer<typeof bulkResultSchema>;
export type EntityStatus = z.infer<typeof entityStatusSchema>;
export type SearchAnswer = z.infer<typeof searchAnswerSchema>;
export type EntityEvent = EventInput & { readonly entity: string };

const ATTEMPTS_MAX = 60;
const RETRY_MS = 250;
const RETRY_MS_MAX = 5_000;
const RETRIED: ReadonlySet<number> = new Set([429, 503]);

export interface Plane {
  readonly url: string;
  readonly key: string;
  append(events: readonly EntityEvent[]): Promise<BulkResult>;
  status(entity: string): Promise<EntityStatus>;
  search(entity: string, body: Readonly<Record<string, Json>>): Promise<SearchAnswer>;
  searchUrl(entity: string): string;
}

export function connect(url: string, key: string): Plane {
  const call = async (method: string, path: string, body: unknown): Promise<unknown> => {
    const request = {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    };
    const answer = await retried(() => fetch(`${url}${path}`, request));
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return JSON.parse(text);
  };
  const entityPath = (entity: string): string => `/v1/entities/${encodeURIComponent(entity)}`;
  return {
    url,
    key,
    append: async (events) => bulkResultSchema.parse(await call("POST", "/v1/events", { events })),
    status: async (entity) => entityStatusSchema.parse(await call("GET", entityPath(entity), undefined)),
    search: async (entity, body) => searchAnswerSchema.parse(await call("POST", `${entityPath(entity)}/search`, body)),
    searchUrl: (entity) => `${url}${entityPath(entity)}/search`,
  };
}

/** Appends may be sent again: an event that is there already counts as a duplicate. */
async function retried(send: () => Promise<Response>): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await send().catch((error: unknown) => {
      if (attempt === ATTEMPTS_MAX) throw error;
      return null;
    });
    if (answer !== null && (!RETRIED.has(answer.status) || attempt === ATTEMPTS_MAX)) return answer;
    await answer?.body?.cancel();
    const asked = Number(answer?.headers.get("retry-after") ?? 0) * 1000;
    await sleep(Math.min(RETRY_MS_MAX, Math.max(asked, RETRY_MS * attempt)));
  }
}
