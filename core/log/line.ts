/**
 * A line: one event as canonical JSON, as it lies in a segment. Every default is filled in, times are RFC 3339, so a
 * segment can be read without knowing this code.
 */
import type { Digest } from "../ports.ts";
import type { PreparedLine } from "../rpc.ts";
import { type EventInput, KIND_DEFAULT, type StoredEvent } from "../schema/event.ts";
import { formatTime, type Json, parseRfc3339 } from "../schema/scalar.ts";
import { canonicalJson } from "./canonical.ts";
import { eventId, suppliedFields, tombstoneId } from "./event_id.ts";

export const TOMBSTONE_KIND = "tombstone";
/** The relation from a tombstone to the event it withdraws. */
export const WITHDRAWS = "withdraws";

export interface LineToAppend {
  readonly line: string;
  readonly prepared: PreparedLine;
}

/** `nowMs` is the time of arrival: the event time of an event that has none. */
export function prepareLine(input: EventInput, nowMs: number, digest: Digest): LineToAppend {
  const tsMs = input.ts ?? nowMs;
  const id = input.id ?? eventId(input, digest);
  const kind = input.kind ?? KIND_DEFAULT;
  return {
    line: canonicalJson({ ...suppliedFields(input), id, ts: formatTime(tsMs), kind }),
    prepared: { id, tsDefaulted: input.ts === undefined, dimensions: input.vector?.length ?? 0, kind, tsMs },
  };
}

/** The line that withdraws the event `target`. */
export function tombstoneLine(target: string, nowMs: number, digest: Digest): LineToAppend {
  const id = tombstoneId(target, digest);
  const { line, prepared } = prepareLine(
    { id, kind: TOMBSTONE_KIND, ts: nowMs, relations: [{ type: WITHDRAWS, target }] },
    nowMs,
    digest,
  );
  return { line, prepared: { ...prepared, tsDefaulted: true } };
}

/** The id that a tombstone withdraws; null when the event is no tombstone, or one that only marks redacted content. */
export function withdrawalTarget(event: StoredEvent): string | null {
  if (event.kind !== TOMBSTONE_KIND) return null;
  return event.relations?.find((relation) => relation.type === WITHDRAWS)?.target ?? null;
}

/**
 * Whether a line that came again says what the first one said. A `ts` that was defaulted says only when the line
 * arrived, so it is not compared.
 */
export function sameContent(storedLine: string, incomingLine: string, tsDefaulted: boolean): boolean {
  if (storedLine === incomingLine) return true;
  return tsDefaulted && withoutTime(storedLine) === withoutTime(incomingLine);
}

function withoutTime(line: string): string {
  const { ts: _, ...content } = JSON.parse(line) as { readonly [name: string]: Json };
  return canonicalJson(content);
}

/** Of a line that was written by `prepareLine` and whose segment was verified: anything else is a bug, and throws. */
export function parseLine(line: string): StoredEvent {
  const event = JSON.parse(line) as StoredEvent;
  if (typeof event.id !== "string" || typeof event.ts !== "string" || typeof event.kind !== "string") {
    throw new TypeError("a segment line without id, ts or kind");
  }
  return event;
}

/** Event time of a stored event, epoch milliseconds. */
export function eventTimeMs(event: StoredEvent): number {
  const ms = parseRfc3339(event.ts);
  if (ms === null) throw new RangeError("a segment line whose ts is no time");
  return ms;
}
