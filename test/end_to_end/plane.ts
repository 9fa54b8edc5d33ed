/** What end-to-end tests say to a running plane, and what they expect back. */
import { expect } from "vitest";
import type { TestRuntime } from "../runtime/boot.ts";

export type Call = TestRuntime["call"];

export interface Hit {
  readonly id: string;
  readonly chunk: number;
  readonly score: number;
  readonly citation: { readonly segment: string; readonly line: number };
}

export interface SearchBody {
  readonly hits: readonly Hit[];
  readonly snapshot: string;
  readonly token: string;
  readonly stale_ms: number;
  readonly index: { readonly unindexed_events: number };
  readonly performance: { readonly cache: string; readonly plan: string; readonly candidates: number };
}

export interface AppendBody {
  readonly commit: number;
  readonly segment: string;
  readonly accepted: number;
  readonly duplicates: number;
  readonly event_ids: readonly string[];
  readonly token: string;
}

export interface StatusBody {
  readonly events: number;
  readonly commits: number;
  readonly shards: readonly { readonly id: string; readonly from: number; readonly to: number }[];
  readonly unindexed_events: number;
  readonly snapshot: string;
}

export function pathOf(entity: string, rest = ""): string {
  return `/v1/entities/${encodeURIComponent(entity)}${rest}`;
}

/** The JSON of an answer of the expected status. */
export async function json<T>(answer: Promise<Response>, status = 200): Promise<T> {
  const response = await answer;
  const text = await response.text();
  expect({ status: response.status, body: response.status === status ? "" : text }).toEqual({ status, body: "" });
  return JSON.parse(text) as T;
}

export function append(
  call: Call,
  entity: string,
  events: readonly object[],
  headers?: Readonly<Record<string, string>>,
) {
  return json<AppendBody>(call("POST", pathOf(entity, "/events"), { events }, headers), 201);
}

export function search(call: Call, entity: string, body: object) {
  return json<SearchBody>(call("POST", pathOf(entity, "/search"), body));
}

export function status(call: Call, entity: string) {
  return json<StatusBody>(call("GET", pathOf(entity)));
}

const WAIT_MS = 30_000;
const LOOK_MS = 50;

export async function until(what: string, holds: () => Promise<boolean>, waitMs = WAIT_MS): Promise<void> {
  const deadline = Date.now() + waitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${waitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

export function untilIndexed(call: Call, entity: string): Promise<void> {
  return until(`${entity} is indexed`, async () => (await status(call, entity)).unindexed_events === 0);
}

/** Every event id of the timeline, in its order. */
export async function timeline(call: Call, entity: string): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const query = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { events: { id: string }[]; next_cursor: string | null } = await json(
      call("GET", pathOf(entity, `/events?limit=1000${query}`)),
    );
    ids.push(...page.events.map(({ id }) => id));
    cursor = page.next_cursor;
  } while (cursor !== null);
  return ids;
}

/** What an exact answer is made of: no timings, no cache notes. */
export function answerOf({ hits }: SearchBody): unknown {
  return hits;
}
