import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Bits, LoadedPart } from "../../core/ports.ts";
import { documentBits, loadOnly, slab } from "./fixture.ts";

/** A filter and what it means for one row. */
interface Filter {
  readonly label: string;
  readonly bits: (part: LoadedPart) => Bits;
  readonly accepts: (row: number) => boolean;
}

interface Rows {
  readonly codes: readonly number[];
  readonly wide: readonly number[];
  readonly times: readonly number[];
  readonly rowOfDocument: readonly number[];
}

const anyRows: fc.Arbitrary<Rows> = fc.integer({ min: 1, max: 300 }).chain((rows) =>
  fc.record({
    codes: fc.array(fc.nat(5), { minLength: rows, maxLength: rows }),
    wide: fc.array(fc.constantFrom(0, 1, 255, 256, 65_535, 70_000), { minLength: rows, maxLength: rows }),
    times: fc.array(fc.integer({ min: -50, max: 50 }), { minLength: rows, maxLength: rows }),
    rowOfDocument: fc.array(fc.nat(rows - 1), { maxLength: 2 * rows }).map((list) => list.sort((a, b) => a - b)),
  }),
);

function anyLeaf({ codes, wide, times }: Rows): fc.Arbitrary<Filter> {
  const rows = codes.length;
  return fc.oneof(
    fc.constant<Filter>({ label: "all", bits: (part) => slab.allRows(part), accepts: () => true }),
    fc.constant<Filter>({ label: "none", bits: (part) => slab.noRows(part), accepts: () => false }),
    fc.nat(rows + 5).map<Filter>((end) => ({
      label: `before ${end}`,
      bits: (part) => slab.rowsBefore(part, end),
      accepts: (row) => row < end,
    })),
    fc.uniqueArray(fc.nat(rows - 1)).map<Filter>((list) => ({
      label: `rows ${list}`,
      bits: (part) => slab.rowsWhere(part, Uint32Array.from(list)),
      accepts: (row) => list.includes(row),
    })),
    fc.uint8Array({ maxLength: 8, max: 1 }).map<Filter>((accepted) => ({
      label: `codes ${accepted}`,
      bits: (part) => slab.rowsWithCode(part, 0, accepted),
      accepts: (row) => accepted[codes[row] ?? 0] === 1,
    })),
    fc.constantFrom(1, 256, 70_000).map<Filter>((code) => ({
      label: `wide ${code}`,
      bits: (part) => slab.rowsWithCode(part, 1, new Uint8Array(code + 1).fill(1, code)),
      accepts: (row) => wide[row] === code,
    })),
    fc.tuple(fc.integer({ min: -60, max: 60 }), fc.integer({ min: -60, max: 60 })).map<Filter>(([from, to]) => ({
      label: `times ${from} ${to}`,
      bits: (part) => slab.rowsInTime(part, from, to),
      accepts: (row) => (times[row] ?? 0) >= from && (times[row] ?? 0) <= to,
    })),
  );
}

function anyFilter(rows: Rows): fc.Arbitrary<Filter> {
  return fc.letrec<{ filter: Filter }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      anyLeaf(rows),
      tie("filter").map<Filter>((a) => ({
        label: `not (${a.label})`,
        bits: (part) => slab.not(part, a.bits(part)),
        accepts: (row) => !a.accepts(row),
      })),
      fc.tuple(tie("filter"), tie("filter")).map<Filter>(([a, b]) => ({
        label: `(${a.label}) and (${b.label})`,
        bits: (part) => slab.and(part, a.bits(part), b.bits(part)),
        accepts: (row) => a.accepts(row) && b.accepts(row),
      })),
      fc.tuple(tie("filter"), tie("filter")).map<Filter>(([a, b]) => ({
        label: `(${a.label}) or (${b.label})`,
        bits: (part) => slab.or(part, a.bits(part), b.bits(part)),
        accepts: (row) => a.accepts(row) || b.accepts(row),
      })),
    ),
  })).filter;
}

function loadRows(rows: Rows): LoadedPart {
  return loadOnly({
    texts: rows.rowOfDocument.map(() => "alpha"),
    rows: rows.codes.length,
    rowOfDocument: Uint32Array.from(rows.rowOfDocument),
    columns: [Uint32Array.from(rows.codes), Uint32Array.from(rows.wide)],
    rowTimes: Float64Array.from(rows.times),
  });
}

describe("filters", () => {
  test("match the rows, and the documents of the rows, that their meaning says", () => {
    const anyCase = anyRows.chain((rows) => anyFilter(rows).map((filter) => ({ rows, filter })));
    fc.assert(
      fc.property(anyCase, ({ rows, filter }) => {
        const part = loadRows(rows);
        const bits = filter.bits(part);
        expect(slab.countRows(part, bits)).toBe(rows.codes.filter((_, row) => filter.accepts(row)).length);
        const documents = slab.documentsOf(part, bits);
        const expected = rows.rowOfDocument.flatMap((row, document) => (filter.accepts(row) ? [document] : []));
        expect(slab.countDocuments(part, documents)).toBe(expected.length);
        const parameters = {
          terms: [{ field: "word" as const, term: "alpha", weight: 1 }],
          k1: 1,
          b: 0,
          averageLength: 1,
          averageQuestionLength: 0,
        };
        const found = slab.searchText(part, parameters, documents, rows.rowOfDocument.length);
        expect([...found.documents]).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  test("may be as many as a request may ask", () => {
    const part = loadOnly({ texts: Array(1_000).fill("alpha") });
    let bits = slab.noRows(part);
    for (let row = 0; row < 1_000; row++) bits = slab.or(part, bits, slab.rowsWhere(part, Uint32Array.of(row)));
    expect(slab.countRows(part, bits)).toBe(1_000);
  });

  test("of another part, or from before a reset, are refused", () => {
    const part = loadOnly({ texts: ["a", "b"] });
    const bits = slab.allRows(part);
    slab.reset();
    expect(() => slab.countRows(part, bits)).toThrow("bitset");
    expect(() => slab.rowsWhere(part, Uint32Array.of(2))).toThrow("row 2 of 2");
    expect(() => slab.rowsWithCode(part, 0, new Uint8Array(1))).toThrow("column");
    documentBits(part, [0]);
  });
});
