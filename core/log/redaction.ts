/**
 * Redaction of lines: what a line says goes, its position, its id and its time stay. What is left is a tombstone that
 * withdraws nothing, so that it has no documents, no vector and no attribute, and its id is not free.
 *
 *   before   {"id":"a","kind":"message","text":"…","ts":"…","vector":[…]}
 *   after    {"id":"a","kind":"tombstone","ts":"…"}
 */
import type { Compression, Digest } from "../ports.ts";
import type { KeptEvent } from "../schema/event.ts";
import type { SegmentMetadata } from "../schema/stored.ts";
import { canonicalJson } from "./canonical.ts";
import { redactionId } from "./event_id.ts";
import { isWhole, type LineToAppend, parseLine, prepareLine, TOMBSTONE_KIND, vectorBytesOf } from "./line.ts";
import { frameLines, joinFrames } from "./segment.ts";
import { hex } from "./text_encoding.ts";

/** The relation from the record of a redaction to each id that was redacted. */
const REDACTS = "redacts";

export function redactedLine(line: string): string {
  const { id, ts } = parseLine(line);
  return canonicalJson({ id, kind: TOMBSTONE_KIND, ts });
}

/** Whether the line is what `redactedLine` leaves. */
export function isRedacted(event: KeptEvent): boolean {
  return event.kind === TOMBSTONE_KIND && (event.relations ?? []).length === 0;
}

/**
 * The line that records a redaction: one for the same ids at the same positions, however often it is tried. `after` is
 * the commit of the redaction before it, 0 for none: one that was lost, and is asked for again after another, has a record
 * that is later than that one's.
 */
export function redactionRecord(
  ids: readonly string[],
  positions: readonly (readonly [commit: number, line: number])[],
  after: number,
  nowMs: number,
  digest: Digest,
): LineToAppend {
  const relations = ids.map((target) => ({ type: REDACTS, target }));
  const id = redactionId(canonicalJson({ after, ids, positions }), digest);
  const { line, prepared } = prepareLine({ id, kind: TOMBSTONE_KIND, ts: nowMs, relations }, nowMs, digest);
  return { line, prepared: { ...prepared, tsDefaulted: true } };
}

export interface RedactedSegment {
  readonly lines: readonly string[];
  readonly bytes: Uint8Array;
  readonly metadata: SegmentMetadata;
}

/** A segment without what the lines at `redacted` (0-based) say. Doing it twice changes nothing. */
export function redactSegment(
  lines: readonly string[],
  redacted: ReadonlySet<number>,
  metadata: SegmentMetadata,
  { compression, digest }: { readonly compression: Compression; readonly digest: Digest },
): RedactedSegment {
  const left = lines.map((line, index) => (redacted.has(index) ? redactedLine(line) : line));
  const { bytes, rawBytes } = joinFrames(frameLines(left, compression));
  const vectors = left.map((line) => ({ vector: parseLine(line).vector, bytes: vectorBytesOf(line) }));
  const first = vectors.find(({ vector }) => vector !== undefined)?.vector;
  return {
    lines: left,
    bytes,
    metadata: {
      ...metadata,
      sha256: hex(digest.sha256(bytes)),
      rawBytes,
      vectors: vectors.filter(({ vector }) => vector !== undefined).length,
      dimensions: first !== undefined && isWhole(first) ? first.length : 0,
      vectorBytes: vectors.reduce((sum, vector) => sum + vector.bytes, 0),
    },
  };
}
