import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CommitLines } from "../../core/index/part.ts";
import { eventTimeMs, parseWholeLine, TOMBSTONE_KIND } from "../../core/log/line.ts";
import { citationOf } from "../../core/retrieval/hit.ts";
import { countLive } from "../../core/retrieval/statistics.ts";
import {
  findRow,
  listRows,
  type PartRow,
  parseTimelineCursor,
  type TimelineCursor,
  writeTimelineCursor,
} from "../../core/retrieval/timeline.ts";
import type { View } from "../../core/retrieval/view.ts";
import type { TimelineQuery } from "../../core/rpc.ts";
import type { StoredEvent } from "../../core/schema/event.ts";
import { commitLines, cutsArbitrary, linesThrough, liveRowsOf, logArbitrary, segmentName, viewOf } from "./corpus.ts";
import { supplied as tools } from "./search_fixture.ts";

const log = logArbitrary({ dimensions: 0, eventsMax: 24 }).map(commitLines);

type Query = Omit<TimelineQuery, "scope" | "cursor">;

/** Each restriction half of the time, so that some lists are long. */
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { freq: 1 });

const query: fc.Arbitrary<Query> = fc.record({
  from: maybe(fc.integer({ min: 0, max: 20 })),
  to: maybe(fc.integer({ min: 0, max: 20 })),
  kind: maybe(fc.constantFrom("note", "call", TOMBSTONE_KIND, "unheard-of")),
  session: maybe(fc.constantFrom("s1", "s3")),
  order: fc.constantFrom("asc", "desc"),
  limit: fc.integer({ min: 1, max: 5 }),
});

/** The whole list as the contract says it. */
function oracle(
  commits: readonly CommitLines[],
  commit: number,
  { from, to, kind, session, order }: Query,
): readonly StoredEvent[] {
  const listed = linesThrough(commits, commit)
    .filter(({ event, live }) => {
      const time = eventTimeMs(event);
      if (!live || time < (from ?? time) || time > (to ?? time)) return false;
      if (session !== null && event.session !== session) return false;
      return kind === null ? event.kind !== TOMBSTONE_KIND : event.kind === kind;
    })
    .map(({ event }) => event);
  // Stable: equal times stay in position order.
  listed.sort((a, b) => eventTimeMs(a) - eventTimeMs(b));
  return order === "asc" ? listed : listed.reverse();
}

const eventsOf = (rows: readonly PartRow[]): readonly StoredEvent[] =>
  rows.map(({ part, row }) => parseWholeLine(part.lineOfRow(row)));

function walk(view: View, commits: readonly CommitLines[], asked: Query): readonly StoredEvent[] {
  const events: StoredEvent[] = [];
  let cursor: TimelineCursor | null = null;
  for (;;) {
    const page = listRows(view, liveRowsOf(view, commits), asked, cursor);
    if (!page.ok) throw new Error(JSON.stringify(page.failure));
    const { rows } = page.value;
    expect(rows.length).toBeLessThanOrEqual(asked.limit);
    // Now and then a page ends early, as one does that is too large for an answer.
    const given = rows.slice(0, 1 + (events.length % asked.limit));
    events.push(...eventsOf(given));
    const nextCursor = page.value.cursorAfter(given.length);
    if (nextCursor === null) return events;
    const parsed = parseTimelineCursor(nextCursor);
    if (!parsed.ok) throw new Error("the cursor was not its own");
    cursor = parsed.value;
  }
}

describe("the timeline", () => {
  test("page after page, is the oracle's list, whatever the layout and the snapshot", () => {
    fc.assert(
      fc.property(log, cutsArbitrary, fc.nat(), query, (commits, cuts, pick, asked) => {
        const commit = 1 + (pick % commits.length);
        expect(walk(viewOf(commits, { cuts, commit }, tools), commits, asked)).toEqual(oracle(commits, commit, asked));
      }),
      { numRuns: 150 },
    );
  });

  test("goes on at the first page's snapshot while others append", () => {
    fc.assert(
      fc.property(log, fc.nat(), query, (commits, pick, asked) => {
        const commit = 1 + (pick % commits.length);
        const before = viewOf(commits.slice(0, commit), { cuts: [], commit }, tools);
        const first = listRows(before, liveRowsOf(before, commits), asked, null);
        if (!first.ok) throw new Error(JSON.stringify(first.failure));
        const nextCursor = first.value.cursorAfter(first.value.rows.length);
        if (nextCursor === null) return;
        const cursor = parseTimelineCursor(nextCursor);
        if (!cursor.ok) throw new Error("the cursor was not its own");
        expect(cursor.value.commit).toBe(commit);
        const after = viewOf(commits, { cuts: [1], commit: cursor.value.commit }, tools);
        const second = listRows(after, liveRowsOf(after, commits), asked, cursor.value);
        if (!second.ok) throw new Error(JSON.stringify(second.failure));
        const expected = oracle(commits, commit, asked).slice(asked.limit, 2 * asked.limit);
        expect(eventsOf(second.value.rows)).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  const cursor: TimelineCursor = { incarnation: 1, commit: 2, order: "asc", after: { time: -5, position: 9 } };

  test("refuses a cursor of another order or another snapshot", () => {
    const commits = commitLines([{ events: [{ id: "a" }], withdraw: [] }]);
    const view = viewOf(commits, { cuts: [], commit: 1 }, tools);
    const asked: Query = { from: null, to: null, kind: null, session: null, order: "desc", limit: 1 };
    for (const other of [
      { ...cursor, commit: 1 },
      cursor,
      { ...cursor, order: "desc" as const, incarnation: 2, commit: 1 },
    ]) {
      const page = listRows(view, liveRowsOf(view, commits), asked, other);
      expect(page).toMatchObject({ ok: false, failure: { reason: "invalid", errors: [{ path: "cursor" }] } });
    }
  });

  test("a cursor is read as it was written", () => {
    expect(parseTimelineCursor(writeTimelineCursor(cursor))).toEqual({ ok: true, value: cursor });
  });

  test.each([
    "",
    "x",
    "AAAA",
    "!!!!",
    btoa("[2,1,1,0,1,1]"),
    btoa("[1,1,1,2,1,1]"),
    btoa("[1,1,1,0,1]"),
    btoa("[1,1,1,0,1e3,1]"),
  ])("the malformed cursor %j is refused", (text) => {
    const parsed = parseTimelineCursor(text.replaceAll("=", ""));
    expect(parsed).toMatchObject({ ok: false, failure: { reason: "invalid", errors: [{ path: "cursor" }] } });
  });
});

describe("one event", () => {
  test("is the first live line with its id, cited, or nothing", () => {
    fc.assert(
      fc.property(log, cutsArbitrary, fc.nat(), (commits, cuts, pick) => {
        const commit = 1 + (pick % commits.length);
        const view = viewOf(commits, { cuts, commit }, tools);
        const live = liveRowsOf(view, commits);
        const lines = linesThrough(commits, commit);
        for (const id of [...new Set(lines.map(({ event }) => event.id)), "unknown"]) {
          const placed = lines.find((line) => line.live && line.event.id === id);
          const expected = placed && {
            event: placed.event,
            citation: { segment: `bucket/${segmentName(placed.commit)}`, line: placed.line },
          };
          const found = findRow(view, live, id);
          const read = found && {
            event: parseWholeLine(found.part.lineOfRow(found.row)),
            citation: citationOf(found.part, found.row, (key) => `bucket/${key}`),
          };
          expect(read).toEqual(expected ?? null);
        }
      }),
      { numRuns: 60 },
    );
  });
});

test("live events and chunks are counted without tombstones, duplicates and what was withdrawn", () => {
  fc.assert(
    fc.property(log, cutsArbitrary, (commits, cuts) => {
      const view = viewOf(commits, { cuts, commit: commits.length }, tools);
      const live = linesThrough(commits, commits.length).filter(
        (line) => line.live && line.event.kind !== TOMBSTONE_KIND,
      );
      expect(countLive(view, liveRowsOf(view, commits))).toEqual({
        events: live.length,
        // Texts of this length are one chunk, unless there is nothing in them.
        chunks: live.filter(({ event }) => (event.text ?? "").trim() !== "").length,
      });
    }),
    { numRuns: 60 },
  );
});
