import fc from "fast-check";
import { expect, test } from "vitest";
import { parseFilter } from "../../core/retrieval/filter.ts";
import { matchesEvent } from "../../core/retrieval/matches.ts";
import { timeBounds } from "../../core/retrieval/prune.ts";
import { formatTime } from "../../core/schema/scalar.ts";
import { filterArbitrary } from "./filter_arbitrary.ts";

test("no event outside a filter's time bounds matches it", () => {
  fc.assert(
    fc.property(filterArbitrary, fc.integer({ min: 0, max: 20 }), (json, time) => {
      const filter = parseFilter(json);
      if (!filter.ok) throw new Error(JSON.stringify(filter.failure));
      const { from, to } = timeBounds(filter.value);
      fc.pre(time < from || time > to);
      expect(matchesEvent(filter.value, { id: "e1", ts: formatTime(time), kind: "note" }, "e")).toBe(false);
    }),
    { numRuns: 300 },
  );
});

test.each([
  [{ ts: 5 }, 5, 5],
  [{ ts: { $gte: 3, $lt: 9 } }, 3, 9],
  [{ ts: { $in: [7, 2] }, kind: "note" }, 2, 7],
  [{ $or: [{ ts: { $lte: 4 } }, { ts: 8 }] }, Number.NEGATIVE_INFINITY, 8],
  [{ $not: { ts: 5 } }, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
])("%j is bounded by %d and %d", (json, from, to) => {
  const filter = parseFilter(json);
  expect(filter.ok && timeBounds(filter.value)).toEqual({ from, to });
});
