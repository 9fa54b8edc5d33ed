/**
 * Entities as the wire writes them.
 */
import type { z } from "zod";
import type { EntityStatus, RedactResult } from "../../../core/rpc.ts";
import type { entityPageSchema, entityStatusSchema, redactedSchema } from "../../../core/schema/entity.ts";
import { formatTime } from "../../../core/schema/scalar.ts";
import { writeEntityCursor } from "./cursor.ts";

export function entityPageWire(page: {
  readonly entities: readonly { readonly entity: string; readonly events: number; readonly lastTs: number | null }[];
  readonly nextCursor: string | null;
}): z.infer<typeof entityPageSchema> {
  const entities = page.entities.map(({ entity, events, lastTs }) => ({ entity, events, last_ts: timeOrNull(lastTs) }));
  return { entities, next_cursor: page.nextCursor === null ? null : writeEntityCursor(page.nextCursor) };
}

export function entityStatusWire(entity: string, status: EntityStatus): z.infer<typeof entityStatusSchema> {
  return {
    entity,
    snapshot: status.snapshot,
    events: status.events,
    commits: status.commits,
    segments: status.segments,
    shards: status.shards.map(({ minTs, maxTs, ...shard }) => {
      return { ...shard, min_ts: timeOrNull(minTs), max_ts: timeOrNull(maxTs) };
    }),
    unindexed_events: status.unindexedEvents,
    last_indexed_at: timeOrNull(status.lastIndexedAt),
    vector: status.vector,
    cache: status.cache,
    collected: status.collected,
    ...(status.sealed === null ? {} : { sealed: status.sealed }),
  };
}

export function redactedWire({ redacted, lines, token }: RedactResult): z.infer<typeof redactedSchema> {
  return {
    redacted,
    lines: lines.map(({ id, segment, line }) => ({ id, citation: { segment, line } })),
    ...(token === null ? {} : { token }),
  };
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : formatTime(ms);
}
