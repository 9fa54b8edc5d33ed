/**
 * Two whole timelines in one run: how fast they go in, how much memory the runtime took, and whether every identifier
 * in them is found again at rank 1.
 */
import type { CrmOrder, SlackMessage } from "./datasets.ts";
import { identifiersOf } from "./identifiers.ts";
import { inFlight, type PlaneClient, type PlaneEvent } from "./plane_client.ts";
import type { EvalRow } from "./report.ts";

export type TimelineEvent = PlaneEvent & { readonly entity: string };

export interface Timeline {
  readonly name: string;
  readonly events: readonly TimelineEvent[];
  /** Identifiers that a text holds. */
  identifiers(event: TimelineEvent): readonly string[];
}

export function slackTimeline(messages: readonly SlackMessage[], run: string): Timeline {
  return {
    name: "tl_slack_racket",
    events: messages.map((message) => ({
      entity: `thread:${message.thread}-${run}`,
      id: message.id,
      ts: message.ts,
      kind: "message",
      text: message.text,
      actor: message.author,
      session: message.thread,
      attributes: { channel: message.channel },
    })),
    identifiers: (event) => identifiersOf(event.text),
  };
}

export function crmTimeline(orders: readonly CrmOrder[], run: string): Timeline {
  return {
    name: "tl_crm",
    events: orders.map((order) => ({
      entity: `account:${order.account}-${run}`,
      id: order.id,
      ts: order.ts,
      kind: "state",
      text: `${order.order}: ${order.text}`,
      attributes: {
        order: order.order,
        product: order.product,
        region: order.region,
        amount: order.amount,
        qty: order.qty,
      },
    })),
    identifiers: (event) => [String(event.attributes?.order ?? "")],
  };
}

export interface IngestFigures {
  readonly events: number;
  readonly entities: number;
  /** Until all were acknowledged. */
  readonly ingestSeconds: number;
  /** Until none was left outside the shards, ingest included. */
  readonly indexedSeconds: number;
}

/** Events go in as they happened: in the order of the files, entities interleaved. */
export async function ingestTimelines(client: PlaneClient, timelines: readonly Timeline[]): Promise<IngestFigures> {
  const events = timelines.flatMap((timeline) => timeline.events);
  const entities = [...new Set(events.map((event) => event.entity))];
  const startMs = performance.now();
  await client.appendBulk(events);
  const ingestSeconds = (performance.now() - startMs) / 1000;
  await client.untilIndexed(entities);
  const indexedSeconds = (performance.now() - startMs) / 1000;
  return { events: events.length, entities: entities.length, ingestSeconds, indexedSeconds };
}

export interface IdentifierCase {
  readonly entity: string;
  readonly identifier: string;
}

/** Each identifier once, in the first entity that has it. */
export function identifierCases(timeline: Timeline): readonly IdentifierCase[] {
  const entities = new Map<string, string>();
  for (const event of timeline.events) {
    for (const identifier of timeline.identifiers(event)) {
      if (!entities.has(identifier)) entities.set(identifier, event.entity);
    }
  }
  return [...entities].map(([identifier, entity]) => ({ entity, identifier }));
}

/** The fraction of identifiers whose first hit contains them, as written; failures are handed to `report`. */
export async function identifierRow(
  client: PlaneClient,
  timeline: Timeline,
  report: (failed: IdentifierCase, firstHit: string | null) => void,
): Promise<EvalRow> {
  const cases = identifierCases(timeline);
  const found = await inFlight(cases, async (each) => {
    const hits = await client.search(each.entity, { text: each.identifier, mode: "hybrid", top_k: 1 });
    const first = hits[0]?.text ?? null;
    const contains = first?.includes(each.identifier) ?? false;
    if (!contains) report(each, first);
    return contains ? 1 : 0;
  });
  const value = cases.length === 0 ? 0 : found.reduce<number>((sum, one) => sum + one, 0) / cases.length;
  return { set: timeline.name, mode: "hybrid", metric: "identifier@1", value, reference: 1, queries: cases.length };
}
