import fc from "fast-check";
import { expect, test } from "vitest";
import { parseLine } from "../../core/log/line.ts";
import { parseFilter } from "../../core/retrieval/filter.ts";
import { columnOrderOf, compareCodePoints, filterRows, matchesEvent } from "../../core/retrieval/matches.ts";
import { sectionsOf } from "../../core/retrieval/residency.ts";
import { commitLines, logArbitrary, viewOf } from "./corpus.ts";
import { filterArbitrary } from "./filter_arbitrary.ts";
import { pool, supplied } from "./search_fixture.ts";

const log = logArbitrary({ dimensions: 0, eventsMax: 16 }).map(commitLines);

test("the bitset of a part holds the rows that the predicate holds", () => {
  fc.assert(
    fc.property(log, filterArbitrary, (commits, json) => {
      const filter = parseFilter(json);
      if (!filter.ok) throw new Error(JSON.stringify(filter.failure));
      const [part] = viewOf(commits, { cuts: [], commit: commits.length }, supplied).parts;
      if (part === undefined) throw new Error("no part");
      const slab = pool.window("t/matches").slab;
      const loaded = slab.load(sectionsOf(part, null));
      if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure));
      const target = { part, columnOrder: columnOrderOf(part), slab, loaded: loaded.value, entity: "e" };
      const bits = filterRows(filter.value, target);
      for (let row = 0; row < part.rows; row++) {
        // Void duplicates are never live, and a look-up by id does not find them.
        if (part.rowOfId(part.idOfRow(row)) !== row) continue;
        const only = slab.and(loaded.value, bits, slab.rowsWhere(loaded.value, Uint32Array.of(row)));
        const expected = matchesEvent(filter.value, parseLine(part.lineOfRow(row)), "e");
        expect(slab.countRows(loaded.value, only) === 1).toBe(expected);
      }
    }),
    { numRuns: 300 },
  );
});

test("strings order by code point, as their UTF-8 bytes do", () => {
  const text = fc.string({ unit: "binary", maxLength: 6 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareCodePoints(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});
