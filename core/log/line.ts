/**
 * A line: one event as canonical JSON, as it lies in a segment. Every default is filled in, times are RFC 3339, so a
 * segment can be read without knowing this code.
 *
 * A part keeps its lines without the digits of vectors, which would be most of its bytes and are of no use to a search:
 *
 *   in a segment   {"id":"a","kind":"note","ts":"…","vector":[0.25,-1]}
 *   in a part      {"id":"a","kind":"note","ts":"…","vector":{"dimensions":2,"sha256":"…"}}
 *
 * Canonical JSON orders names, and no field of an event comes after `vector`: what ends in "]}" has one.
 */
import type { Digest } from "../ports.ts";
import type { PreparedLine } from "../rpc.ts";
import { type EventInput, type KeptEvent, KIND_DEFAULT, type StoredEvent } from "../schema/event.ts";
import { formatTime, type Json, parseRfc3339 } from "../schema/scalar.ts";
import { canonicalJson } from "./canonical.ts";
import { eventId, suppliedFields, tombstoneId } from "./event_id.ts";
import { hex } from "./text_encoding.ts";

export const TOMBSTONE_KIND = "tombstone";
/** The relation from a tombstone to the event it withdraws. */
export const WITHDRAWS = "withdraws";

const BEFORE_VECTOR = ',"vector":';
const encoder = new TextEncoder();

export interface LineToAppend {
  readonly line: string;
  readonly prepared: PreparedLine;
}

/** `nowMs` is the time of arrival: the event time of an event that has none. */
export function prepareLine(input: EventInput, nowMs: number, digest: Digest): LineToAppend {
  const tsMs = input.ts ?? nowMs;
  const id = input.id ?? eventId(input, digest);
  const kind = input.kind ?? KIND_DEFAULT;
  const line = canonicalJson({ ...suppliedFields(input), id, ts: formatTime(tsMs), kind });
  const dimensions = input.vector?.length ?? 0;
  const vectorBytes = vectorBytesOf(line);
  return { line, prepared: { id, tsDefaulted: input.ts === undefined, dimensions, vectorBytes, kind, tsMs } };
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
export function withdrawalTarget(event: KeptEvent): string | null {
  if (event.kind !== TOMBSTONE_KIND) return null;
  return event.relations?.find((relation) => relation.type === WITHDRAWS)?.target ?? null;
}

/** The line as a part keeps it. One that is kept already, and one without a vector, stay as they are. */
export function keptLine(line: string, digest: Digest): string {
  const vector = vectorIn(line);
  if (vector === null) return line;
  const dimensions = vector.digits.split(",").length;
  const sha256 = hex(digest.sha256(encoder.encode(vector.digits)));
  return `${vector.before}${BEFORE_VECTOR}${canonicalJson({ dimensions, sha256 })}}`;
}

/** Bytes of the digits of a line's vector; 0 for none. */
export function vectorBytesOf(line: string): number {
  return vectorIn(line)?.digits.length ?? 0;
}

/** `digits` is the array as it is written. */
function vectorIn(line: string): { readonly before: string; readonly digits: string } | null {
  if (!line.endsWith("]}")) return null;
  const at = line.lastIndexOf(BEFORE_VECTOR);
  if (at === -1) throw new TypeError("a line that is no event");
  return { before: line.slice(0, at), digits: line.slice(at + BEFORE_VECTOR.length, -1) };
}

/**
 * Whether a line that came again says what the first one said, either as it came or as it is kept. A `ts` that was
 * defaulted says only when the line arrived, so it is not compared.
 */
export function sameContent(storedLine: string, incomingLine: string, tsDefaulted: boolean, digest: Digest): boolean {
  if (storedLine === incomingLine) return true;
  const [stored, incoming] = [keptLine(storedLine, digest), keptLine(incomingLine, digest)];
  if (stored === incoming) return true;
  return tsDefaulted && withoutTime(stored) === withoutTime(incoming);
}

function withoutTime(line: string): string {
  const { ts: _, ...content } = JSON.parse(line) as { readonly [name: string]: Json };
  return canonicalJson(content);
}

/**
 * Of a line that was written by `prepareLine`, whole or as it is kept, and whose segment or part was verified: anything
 * else is a bug, and throws.
 */
export function parseLine(line: string): KeptEvent {
  const event = JSON.parse(line) as KeptEvent;
  if (typeof event.id !== "string" || typeof event.ts !== "string" || typeof event.kind !== "string") {
    throw new TypeError("a segment line without id, ts or kind");
  }
  return event;
}

/** Of a line with its vector's digits, if it has a vector. */
export function parseWholeLine(line: string): StoredEvent {
  const { vector, ...event } = parseLine(line);
  if (vector === undefined) return event;
  if (!isWhole(vector)) throw new TypeError("a line without the digits of its vector");
  return { ...event, vector };
}

/** Whether the vector's digits are there. */
export function isWhole(vector: NonNullable<KeptEvent["vector"]>): vector is readonly number[] {
  return Array.isArray(vector);
}

/** Event time of a stored event, epoch milliseconds. */
export function eventTimeMs(event: KeptEvent): number {
  const ms = parseRfc3339(event.ts);
  if (ms === null) throw new RangeError("a segment line whose ts is no time");
  return ms;
}
