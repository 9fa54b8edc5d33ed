/**
 * From a document's number to what the caller reads: its event, its piece of text, and where it stands in the log.
 */
import type { Part } from "../index/part.ts";
import { parseLine } from "../log/line.ts";
import type { Citation, HitExplanation, SearchHit } from "../rpc.ts";
import type { KeptEvent } from "../schema/event.ts";
import { formatTime } from "../schema/scalar.ts";
import { commitOfRow } from "./view.ts";

/** The full key of a segment, for citations. */
export type SegmentKey = (relative: string) => string;

/** What the rows of a view are called: by the entity that they are of, and by their event's id there. */
export interface RowNames {
  entityOf(part: Part, row: number): string;
  idOf(part: Part, row: number): string;
  /** Where what a row says stands, when that is not where the row stands: relative to the tenant. */
  sourceOf?(event: KeptEvent): Citation | null;
}

/** Every row is of one entity. */
export function namesOf(entity: string): RowNames {
  return { entityOf: () => entity, idOf: (part, row) => part.idOfRow(row) };
}

export interface HitSource {
  readonly entity: string;
  /** Absent: every row is `entity`'s. */
  readonly names?: RowNames;
  readonly segmentKey: SegmentKey;
  readonly include: { readonly text: boolean; readonly attributes: boolean };
}

/** One document that was found, with the scores of the legs that ranked it. */
export interface Finding {
  readonly part: Part;
  readonly document: number;
  readonly score: number;
  readonly scores: SearchHit["scores"];
  readonly explain: HitExplanation | null;
}

export function hydrate(findings: readonly Finding[], source: HitSource): readonly SearchHit[] {
  const events = createEventReader();
  return findings.map((finding) => hitOf(finding, source, events));
}

function hitOf(finding: Finding, source: HitSource, events: EventReader): SearchHit {
  const { segmentKey, include, names = namesOf(source.entity) } = source;
  const { part, document, score, scores, explain } = finding;
  const row = at(part.rowOfDocument, document);
  const text = include.text ? events.text(part, row, at(part.chunkFrom, document), at(part.chunkTo, document)) : null;
  const attributes = include.attributes ? (events.event(part, row).attributes ?? {}) : undefined;
  const elsewhere = names.sourceOf?.(events.event(part, row)) ?? null;
  // A line that was read says its id: the table of ids is then left where it is.
  const saysId = source.names === undefined && (include.text || include.attributes);
  return {
    entity: names.entityOf(part, row),
    id: saysId ? events.event(part, row).id : names.idOf(part, row),
    chunk: at(part.chunkOfDocument, document),
    ts: formatTime(at(part.rowTimes, row)),
    kind: kindOfRow(part, row),
    score,
    scores,
    ...(text === null ? {} : { text }),
    ...(attributes === undefined ? {} : { attributes }),
    citation: elsewhere === null ? citationOf(part, row, segmentKey) : absolute(elsewhere, segmentKey),
    ...(explain === null ? {} : { explain }),
  };
}

function absolute({ segment, line }: Citation, segmentKey: SegmentKey): Citation {
  return { segment: segmentKey(segment), line };
}

export function citationOf(part: Part, row: number, segmentKey: SegmentKey): Citation {
  const commit = commitOfRow(part, row);
  return { segment: segmentKey(commit.segment), line: row - commit.firstRow + 1 };
}

export function kindOfRow(part: Part, row: number): string {
  const column = part.columns.get("kind");
  const kind = column?.values[(column.codes[row] ?? 0) - 1];
  if (typeof kind !== "string") throw new Error(`row ${row} has no kind`);
  return kind;
}

export function at(array: Uint32Array | Float64Array, index: number): number {
  const value = array[index];
  if (value === undefined) throw new RangeError(`${index} of ${array.length}`);
  return value;
}

/** Reads the text of documents; null for one without. */
export function createTextReader(): (part: Part, document: number) => string | null {
  const events = createEventReader();
  return (part, document) =>
    events.text(part, at(part.rowOfDocument, document), at(part.chunkFrom, document), at(part.chunkTo, document));
}

interface EventReader {
  event(part: Part, row: number): KeptEvent;
  /** UTF-8 bytes [from, to) of the event's text; null when it has none. */
  text(part: Part, row: number, from: number, to: number): string | null;
}

/** Each row is decompressed and parsed once, however many of its chunks are hits. */
function createEventReader(): EventReader {
  const rows = new Map<Part, Map<number, { readonly event: KeptEvent; bytes: Uint8Array | null }>>();
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const read = (part: Part, row: number) => {
    const ofPart = rows.get(part) ?? new Map<number, { readonly event: KeptEvent; bytes: Uint8Array | null }>();
    rows.set(part, ofPart);
    const known = ofPart.get(row) ?? { event: parseLine(part.lineOfRow(row)), bytes: null };
    ofPart.set(row, known);
    return known;
  };
  return {
    event: (part, row) => read(part, row).event,
    text(part, row, from, to) {
      const entry = read(part, row);
      if (entry.event.text === undefined) return null;
      entry.bytes ??= encoder.encode(entry.event.text);
      return decoder.decode(entry.bytes.subarray(from, to));
    },
  };
}
