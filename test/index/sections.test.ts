import { describe, expect, test } from "vitest";
import { buildPart } from "../../core/index/build_part.ts";
import {
  fileOrder,
  HOT_COLUMN_VALUES_BYTES_MAX,
  MAY_BE_ABSENT,
  SECTION,
  SECTION_KINDS,
  SECTION_NAMES,
} from "../../core/index/sections.ts";
import { readShardFile } from "../../core/index/shard_file.ts";
import { commitsFrom, opened, sourceOf, tools } from "./part_fixture.ts";

describe("the order of sections", () => {
  const namesOf = (valuesBytes: number, hot: boolean) =>
    fileOrder(valuesBytes)
      .filter((section) => section.hot === hot)
      .map(({ name }) => name);

  test.each([0, HOT_COLUMN_VALUES_BYTES_MAX, HOT_COLUMN_VALUES_BYTES_MAX + 1])(
    "has each one once, the hot ones first, with %i bytes of values",
    (bytes) => {
      const order = fileOrder(bytes).map(({ name }) => name);
      expect([...order, "pageChecksums"].sort()).toEqual([...SECTION_NAMES].sort());
      expect(order).toEqual([...namesOf(bytes, true), ...namesOf(bytes, false)]);
    },
  );

  test("has the values of columns in the hot area up to the limit, and before their codes beyond it", () => {
    expect(namesOf(HOT_COLUMN_VALUES_BYTES_MAX, true).at(-1)).toBe("columnValues");
    const cold = namesOf(HOT_COLUMN_VALUES_BYTES_MAX + 1, false);
    const at = cold.indexOf("columnValues");
    expect(cold.slice(at - 1, at + 2)).toEqual(["rowTimes", "columnValues", "columnCodes"]);
  });

  test("gives every section a number of its own", () => {
    expect(new Set(Object.values(SECTION)).size).toBe(SECTION_NAMES.length);
    expect(Object.keys(SECTION).sort()).toEqual([...SECTION_NAMES].sort());
  });
});

test("a part with many values has them cold, and answers as any other", () => {
  const sessions = Array.from({ length: 3_000 }, (_, index) => `${index}`.padStart(24, "session "));
  const bytes = buildPart(sourceOf(commitsFrom(1, [sessions.map((session) => ({ id: session, session }))])), tools);
  const directory = readShardFile(bytes, SECTION_KINDS, tools.checksum);
  if (!directory.ok) throw new Error(JSON.stringify(directory.failure));
  const { places, hotBytes } = directory.value;
  expect(places.get(SECTION.columnValues)?.offset).toBeGreaterThanOrEqual(hotBytes);
  expect(new Set(SECTION_NAMES.filter((name) => !places.has(SECTION[name])))).toEqual(MAY_BE_ABSENT);
  const column = opened(bytes).columns.get("session");
  expect(Array.from(column?.codes ?? [], (code) => column?.values[code - 1])).toEqual(sessions);
});
