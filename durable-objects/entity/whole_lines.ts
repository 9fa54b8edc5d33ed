/**
 * Lines of events as the log has them. A part keeps them without the digits of vectors (core/log/line.ts): those of the
 * tail are in memory, others are read from their segments.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import type { PartCommit } from "../../core/index/part.ts";
import { ANSWER_CHARACTERS_MAX, EVENT_SEGMENTS_MAX, STORE_CONCURRENCY_MAX } from "../../core/limits.ts";
import { isWhole, keptLine, parseLine } from "../../core/log/line.ts";
import { readSegment } from "../../core/log/segment.ts";
import type { Digest } from "../../core/ports.ts";
import type { PartRow } from "../../core/retrieval/timeline.ts";
import { commitOfRow } from "../../core/retrieval/view.ts";
import type { EntityPorts } from "./ports.ts";
import type { Tail } from "./tail.ts";

interface LinesHost {
  readonly ports: EntityPorts;
  tail(): Tail;
}

/** A line as its part keeps it. */
interface KeptRow {
  readonly kept: string;
  /** Where its digits are; null when it has no vector. */
  readonly digits: { readonly commit: PartCommit; readonly line: number } | null;
}

/**
 * The lines of the first of `rows`, in order and at least one: as many as fit in an answer and whose digits lie in
 * EVENT_SEGMENTS_MAX segments, so that a page ends early rather than cost more.
 */
export async function wholeLines(host: LinesHost, rows: readonly PartRow[]): Promise<Result<readonly string[]>> {
  const lines: string[] = [];
  let room = ANSWER_CHARACTERS_MAX;
  let segments = 0;
  while (lines.length < rows.length && segments < EVENT_SEGMENTS_MAX) {
    const wave = nextWave(rows.slice(lines.length), room);
    const found = await readSegments(host, wave);
    if (!found.ok) return found;
    segments += found.value.read;
    for (const row of wave) {
      const line = wholeLine(row, found.value.lines, host.ports.digest);
      if (!line.ok) return line;
      room -= line.value.length;
      if (room < 0 && lines.length > 0) return ok(lines);
      lines.push(line.value);
    }
  }
  return ok(lines);
}

/** The first of `rows`, at least one, whose digits need no more segments than may be read at once. */
function nextWave(rows: readonly PartRow[], room: number): readonly KeptRow[] {
  const wave: KeptRow[] = [];
  const segments = new Set<string>();
  let characters = 0;
  for (const { part, row } of rows) {
    const kept = part.lineOfRow(row);
    characters += kept.length;
    const commit = hasDigitsElsewhere(kept) ? commitOfRow(part, row) : null;
    if (commit !== null) segments.add(commit.segment);
    if (wave.length > 0 && (characters > room || segments.size > STORE_CONCURRENCY_MAX)) break;
    wave.push({ kept, digits: commit && { commit, line: row - commit.firstRow } });
  }
  return wave;
}

function hasDigitsElsewhere(kept: string): boolean {
  const { vector } = parseLine(kept);
  return vector !== undefined && !isWhole(vector);
}

/** Lines by segment and number. */
type FoundLines = ReadonlyMap<string, ReadonlyMap<number, string>>;

interface FoundSegments {
  readonly lines: FoundLines;
  /** Segments read from the store. */
  readonly read: number;
}

/** The lines whose digits the wave needs: at once those of the tail, which may be gone after an await. */
async function readSegments({ ports, tail }: LinesHost, wave: readonly KeptRow[]): Promise<Result<FoundSegments>> {
  const found = new Map<string, Map<number, string>>();
  const asked = new Map<string, number[]>();
  for (const { digits } of wave) {
    if (digits === null) continue;
    const { commit, segment } = digits.commit;
    const line = tail().lineAt(commit, digits.line);
    if (line === null) asked.set(segment, [...(asked.get(segment) ?? []), digits.line]);
    else found.set(segment, (found.get(segment) ?? new Map<number, string>()).set(digits.line, line));
  }
  const reads = [...asked].map(async ([segment, numbers]): Promise<Result<null>> => {
    const stored = await ports.store.get(segment);
    if (stored === null) return fail({ reason: "corrupt", what: `${segment}: it is missing` });
    const lines = readSegment(segment, stored.bytes, ports, null);
    if (!lines.ok) return lines;
    found.set(segment, new Map(numbers.map((number) => [number, lines.value[number] ?? ""])));
    return ok(null);
  });
  for (const read of await Promise.all(reads)) if (!read.ok) return read;
  return ok({ lines: found, read: asked.size });
}

/** What the segment says is compared with what the part kept of it. */
function wholeLine({ kept, digits }: KeptRow, found: FoundLines, digest: Digest): Result<string> {
  if (digits === null) return ok(kept);
  const { segment } = digits.commit;
  const whole = found.get(segment)?.get(digits.line) ?? "";
  return keptLine(whole, digest) === kept ? ok(whole) : fail({ reason: "corrupt", what: segment });
}
