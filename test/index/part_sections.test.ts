import { expect, test } from "vitest";
import { loadedColumns, partSections } from "../../core/index/part_sections.ts";
import { SLAB_COLUMN_BYTES_MAX } from "../../core/limits.ts";
import { partOf } from "./part_fixture.ts";

test("a slab gets every column of an ordinary part, fields first, and the codes of each", () => {
  const part = partOf([
    [
      { text: "a", session: "s", attributes: { stage: "won", amount: 3 } },
      { text: "b", kind: "state" },
    ],
  ]);
  expect(loadedColumns(part)).toEqual(["kind", "session", "attributes.amount", "attributes.stage"]);
  const sections = partSections(part);
  expect(sections.columns.map((codes) => [...codes])).toEqual([
    [1, 2],
    [1, 0],
    [1, 0],
    [1, 0],
  ]);
  expect([sections.rows, sections.documents, [...sections.rowOfDocument]]).toEqual([2, 2, [0, 1]]);
});

test("the columns in a slab are bounded by bytes, and fields go first", () => {
  const part = partOf([[{ text: "a", attributes: { a: 1, b: 2, c: 3 } }]]);
  const rows = SLAB_COLUMN_BYTES_MAX / Uint32Array.BYTES_PER_ELEMENT / 3;
  expect(loadedColumns({ ...part, rows })).toEqual(["kind", "attributes.a", "attributes.b"]);
  expect(loadedColumns(part).length).toBe(4);
});
