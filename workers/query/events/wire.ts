/**
 * Events and appends as the wire writes them.
 */
import type { z } from "zod";
import type { AppendResult, BulkEntityResult, CitedEvent, EventPage } from "../../../core/rpc.ts";
import type { appendResultSchema, bulkResultSchema } from "../../../core/schema/append.ts";
import { problemBody } from "../../../core/schema/problem.ts";
import type { citedEventSchema, eventPageSchema } from "../../../core/schema/timeline.ts";

export function appendWire(result: AppendResult): z.infer<typeof appendResultSchema> {
  return {
    commit: result.commit,
    segment: result.segment,
    accepted: result.accepted,
    duplicates: result.duplicates,
    conflicts: result.conflicts,
    event_ids: result.eventIds,
    token: result.token,
  };
}

export type BulkWire = z.infer<typeof bulkResultSchema>;

export function bulkWire(results: readonly BulkEntityResult[], requestId: string): BulkWire {
  let accepted = 0;
  let duplicates = 0;
  const wire = results.map(({ entity, result }) => {
    if (!result.ok) return { entity, error: problemBody(result.failure, requestId) };
    accepted += result.value.accepted;
    duplicates += result.value.duplicates;
    return { entity, ...appendWire(result.value) };
  });
  return { results: wire, accepted, duplicates };
}

export function someFailed(bulk: BulkWire): boolean {
  return bulk.results.some((result) => result.error !== undefined);
}

export function eventPageWire(page: EventPage): z.infer<typeof eventPageSchema> {
  return { events: page.events, next_cursor: page.nextCursor };
}

export function citedEventWire({ event, citation }: CitedEvent): z.infer<typeof citedEventSchema> {
  return { ...event, citation: { segment: citation.segment, line: citation.line } };
}
