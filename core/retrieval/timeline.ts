/**
 * Reading events back: the list ordered by event time, and one event by id. Both see live rows only.
 *
 * A page is read at the snapshot of the first one, so a list walked while others append neither repeats nor misses:
 * the cursor carries that snapshot's commit and the last (time, position) that was given. Positions are counted in
 * rows from the beginning of the log, which is the same number in every layout. `desc` reverses time and position.
 * `from` and `to` are inclusive. Tombstones are listed only when asked for by their kind.
 *
 *   parseTimelineCursor → (the caller takes the view at `cursor.commit`) → listRows → (reads their lines) → cursorAfter
 */
import { fail, invalid, ok, type Result } from "../errors.ts";
import type { Part } from "../index/part.ts";
import { TOMBSTONE_KIND } from "../log/line.ts";
import { base64url, fromBase64url } from "../log/text_encoding.ts";
import type { TimelineQuery } from "../rpc.ts";
import { at } from "./hit.ts";
import { ALL_TIME, mayHold, type TimeWindow } from "./prune.ts";
import type { LiveRows, View } from "./view.ts";

// --- Cursor ---------------------------------------------------------------------------------

export interface TimelineCursor {
  readonly incarnation: number;
  /** The commit that all pages of the list are read at. */
  readonly commit: number;
  readonly order: "asc" | "desc";
  /** The last row that was given. */
  readonly after: TimelinePlace;
}

interface TimelinePlace {
  readonly time: number;
  /** Rows before it in the log. */
  readonly position: number;
}

const CURSOR_VERSION = 1;

export function writeTimelineCursor(cursor: TimelineCursor): string {
  const { incarnation, commit, order, after } = cursor;
  const fields = [CURSOR_VERSION, incarnation, commit, order === "asc" ? 0 : 1, after.time, after.position];
  return base64url(new TextEncoder().encode(JSON.stringify(fields)));
}

export function parseTimelineCursor(text: string): Result<TimelineCursor> {
  const fields = cursorFields(text);
  if (fields === null) return fail(invalid("cursor", "is not one that this list gave out"));
  const [incarnation, commit, order, time, position] = fields;
  return ok({ incarnation, commit, order: order === 0 ? "asc" : "desc", after: { time, position } });
}

type CursorFields = readonly [number, number, number, number, number];

/** null unless the text is what `writeTimelineCursor` writes for some cursor. */
function cursorFields(text: string): CursorFields | null {
  const bytes = fromBase64url(text);
  const numbers =
    bytes === null ? null : /^\[(\d+),(\d+),(\d+),([01]),(-?\d+),(\d+)\]$/.exec(new TextDecoder().decode(bytes));
  if (numbers === null) return null;
  const [version, incarnation, commit, order, time, position] = numbers.slice(1).map(Number);
  if (version !== CURSOR_VERSION) return null;
  if (incarnation === undefined || commit === undefined || order === undefined) return null;
  if (time === undefined || position === undefined) return null;
  const fields: CursorFields = [incarnation, commit, order, time, position];
  return fields.every(Number.isSafeInteger) ? fields : null;
}

// --- List -----------------------------------------------------------------------------------

type ListQuery = Pick<TimelineQuery, "from" | "to" | "kind" | "session" | "order" | "limit">;

/** A row of a part. */
export interface PartRow {
  readonly part: Part;
  readonly row: number;
}

export interface RowPage {
  /** At most the limit, in order. */
  readonly rows: readonly PartRow[];
  /** The cursor of the page that begins after the first `count` of them, at least one; null when nothing comes after. */
  cursorAfter(count: number): string | null;
}

/** The view and live rows are those at `cursor.commit`, when there is a cursor. */
export function listRows(
  view: View,
  live: readonly LiveRows[],
  query: ListQuery,
  cursor: TimelineCursor | null,
): Result<RowPage> {
  const { incarnation, commit } = view.snapshot;
  if (cursor !== null) {
    if (cursor.incarnation !== incarnation || cursor.commit !== commit) {
      return fail(invalid("cursor", "belongs to another state of this timeline"));
    }
    if (cursor.order !== query.order) return fail(invalid("cursor", `belongs to a list in ${cursor.order} order`));
  }
  const page = createPage(query.order, query.limit + 1);
  let before = 0;
  for (const [index, part] of view.parts.entries()) {
    const rows = live[index];
    if (rows !== undefined) offerRows(page, part, rows, before, query, cursor);
    before += part.rows;
  }
  const places = page.best();
  return ok({
    rows: places.slice(0, query.limit),
    cursorAfter(count) {
      const last = places[count - 1];
      const more = places.length > count && last !== undefined;
      return more ? writeTimelineCursor({ incarnation, commit, order: query.order, after: last }) : null;
    },
  });
}

type PlacedRow = TimelinePlace & PartRow;

function offerRows(
  page: Page,
  part: Part,
  live: LiveRows,
  before: number,
  query: ListQuery,
  cursor: TimelineCursor | null,
): void {
  const window: TimeWindow = { from: query.from ?? ALL_TIME.from, to: query.to ?? ALL_TIME.to };
  // The bounds of a part leave its tombstones out.
  if (query.kind !== TOMBSTONE_KIND && !mayHold(part, window)) return;
  const hidden = query.kind === TOMBSTONE_KIND ? new Uint8Array(part.rows) : tombstoneRows(part);
  for (const row of live.deadRows) hidden[row] = 1;
  const kind = rowsOfValue(part, "kind", query.kind);
  const session = rowsOfValue(part, "session", query.session);
  for (let row = 0; row < live.rowEnd; row++) {
    const time = at(part.rowTimes, row);
    if (hidden[row] === 1 || time < window.from || time > window.to || !kind(row) || !session(row)) continue;
    const placed = { part, row, time, position: before + row };
    if (cursor === null || comparePlaces(cursor.after, placed, query.order) < 0) page.offer(placed);
  }
}

function rowsOfValue(part: Part, name: string, value: string | null): (row: number) => boolean {
  if (value === null) return () => true;
  const column = part.columns.get(name);
  const code = (column?.values.indexOf(value) ?? -1) + 1;
  return (row) => code !== 0 && column?.codes[row] === code;
}

/** One byte a row: 1 for a tombstone. */
export function tombstoneRows(part: Part): Uint8Array {
  const isTombstone = rowsOfValue(part, "kind", TOMBSTONE_KIND);
  return Uint8Array.from({ length: part.rows }, (_, row) => Number(isTombstone(row)));
}

function comparePlaces(a: TimelinePlace, b: TimelinePlace, order: "asc" | "desc"): number {
  const ascending = a.time - b.time || a.position - b.position;
  return order === "asc" ? ascending : -ascending;
}

interface Page {
  offer(row: PlacedRow): void;
  /** In order. */
  best(): readonly PlacedRow[];
}

/** Keeps the first `size` of what it is offered in room for twice as many: sorted and cut when full. */
function createPage(order: "asc" | "desc", size: number): Page {
  let rows: PlacedRow[] = [];
  /** Once full: nothing behind this one can be on the page. */
  let last: PlacedRow | undefined;
  const cut = (): void => {
    rows.sort((a, b) => comparePlaces(a, b, order));
    rows = rows.slice(0, size);
    if (rows.length === size) last = rows[size - 1];
  };
  return {
    offer(row) {
      if (last !== undefined && comparePlaces(row, last, order) > 0) return;
      rows.push(row);
      if (rows.length === 2 * size) cut();
    },
    best() {
      cut();
      return rows;
    },
  };
}

// --- One event ------------------------------------------------------------------------------

/** null when no live row has this id. The first row of an id decides: later ones are void. */
export function findRow(view: View, live: readonly LiveRows[], id: string): PartRow | null {
  for (const [index, part] of view.parts.entries()) {
    const row = part.rowOfId(id);
    if (row < 0) continue;
    const rows = live[index];
    if (rows === undefined || row >= rows.rowEnd || rows.deadRows.includes(row)) return null;
    return { part, row };
  }
  return null;
}
