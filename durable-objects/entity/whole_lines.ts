/**
 * Lines of events as the log has them. A part keeps them without the digits of vectors (core/log/line.ts): those of the
 * tail are in memory, others are read from their segments, and kept for a while: a page of the newest events is asked
 * again and again, and a segment may hold thousands for the few that it needs.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import type { PartCommit } from "../../core/index/part.ts";
import { ANSWER_CHARACTERS_MAX, EVENT_SEGMENTS_MAX, STORE_CONCURRENCY_MAX } from "../../core/limits.ts";
import { isWhole, keptLine, parseLine } from "../../core/log/line.ts";
import { readSegment } from "../../core/log/segment.ts";
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
  /** The whole line, when that was read lately. */
  readonly known: string | null;
  /** null when it has no vector. */
  readonly digits: Digits | null;
}

/** Where they are. */
interface Digits {
  readonly commit: PartCommit;
  readonly line: number;
}

/**
 * The lines of the first of `rows`, in order and at least one: as many as fit in an answer and whose digits lie in
 * EVENT_SEGMENTS_MAX segments, so that a page ends early rather than cost more. It also ends before a line whose segment
 * is damaged or gone, which is a failure of its own: nothing else is lost with it.
 */
export async function wholeLines(host: LinesHost, rows: readonly PartRow[]): Promise<Result<readonly string[]>> {
  const lines: string[] = [];
  let room = ANSWER_CHARACTERS_MAX;
  let segments = 0;
  while (lines.length < rows.length && segments < EVENT_SEGMENTS_MAX) {
    const wave = nextWave(host, rows.slice(lines.length), room);
    const found = await readSegments(host, wave);
    segments += found.read;
    for (const row of wave) {
      const line = wholeLine(host, row, found.lines);
      if (!line.ok) return lines.length > 0 ? ok(lines) : line;
      room -= line.value.length;
      if (room < 0 && lines.length > 0) return ok(lines);
      lines.push(line.value);
    }
  }
  return ok(lines);
}

/** The first of `rows`, at least one, whose digits need no more segments than may be read at once. */
function nextWave(host: LinesHost, rows: readonly PartRow[], room: number): readonly KeptRow[] {
  const wave: KeptRow[] = [];
  const segments = new Set<string>();
  let characters = 0;
  for (const { part, row } of rows) {
    const kept = part.lineOfRow(row);
    characters += kept.length;
    const commit = hasDigitsElsewhere(kept) ? commitOfRow(part, row) : null;
    const digits = commit && { commit, line: row - commit.firstRow };
    const known = digits && (host.ports.wholeLines?.get(placeOf(host, digits), kept) ?? null);
    if (digits !== null && known === null) segments.add(digits.commit.segment);
    if (wave.length > 0 && (characters > room || segments.size > STORE_CONCURRENCY_MAX)) break;
    wave.push({ kept, known, digits });
  }
  return wave;
}

function placeOf({ ports }: LinesHost, { commit, line }: Digits): string {
  return `${ports.scope.tenant}/${commit.segment}#${line}`;
}

function hasDigitsElsewhere(kept: string): boolean {
  const { vector } = parseLine(kept);
  return vector !== undefined && !isWhole(vector);
}

/** Lines by segment and number, or what is wrong with the segment. */
type FoundLines = ReadonlyMap<string, Result<ReadonlyMap<number, string>>>;

interface FoundSegments {
  readonly lines: FoundLines;
  /** Segments read from the store. */
  readonly read: number;
}

/** The lines whose digits the wave needs: at once those of the tail, which may be gone after an await. */
async function readSegments({ ports, tail }: LinesHost, wave: readonly KeptRow[]): Promise<FoundSegments> {
  const found = new Map<string, Result<ReadonlyMap<number, string>>>();
  const waiting = new Map<string, Map<number, string>>();
  const asked = new Map<string, number[]>();
  for (const { known, digits } of wave) {
    if (digits === null || known !== null) continue;
    const { commit, segment } = digits.commit;
    const line = tail().lineAt(commit, digits.line);
    if (line === null) asked.set(segment, [...(asked.get(segment) ?? []), digits.line]);
    else waiting.set(segment, (waiting.get(segment) ?? new Map<number, string>()).set(digits.line, line));
  }
  for (const [segment, lines] of waiting) found.set(segment, ok(lines));
  const reads = [...asked].map(async ([segment, numbers]) => {
    const lines = await linesOfSegment(ports, segment);
    const those = (all: readonly string[]) => new Map(numbers.map((number) => [number, all[number] ?? ""]));
    found.set(segment, lines.ok ? ok(those(lines.value)) : lines);
  });
  await Promise.all(reads);
  return { lines: found, read: asked.size };
}

async function linesOfSegment(ports: EntityPorts, segment: string): Promise<Result<readonly string[]>> {
  const stored = await ports.store.get(segment);
  return stored === null
    ? fail({ reason: "corrupt", what: `${segment}: it is missing` })
    : readSegment(segment, stored.bytes, ports, null);
}

/** What the segment says is compared with what the part kept of it. */
function wholeLine(host: LinesHost, { kept, known, digits }: KeptRow, found: FoundLines): Result<string> {
  if (digits === null) return ok(kept);
  if (known !== null) return ok(known);
  const { segment } = digits.commit;
  const lines = found.get(segment) ?? ok(new Map<number, string>());
  if (!lines.ok) return lines;
  const whole = lines.value.get(digits.line) ?? "";
  if (keptLine(whole, host.ports.digest) !== kept) return fail({ reason: "corrupt", what: segment });
  host.ports.wholeLines?.put(placeOf(host, digits), kept, whole);
  return ok(whole);
}
