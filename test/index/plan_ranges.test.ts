import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildPart } from "../../core/index/build_part.ts";
import { type ByteRange, neededBytes, planRanges, type ShardNeeds } from "../../core/index/plan_ranges.ts";
import { SECTION, SECTION_KINDS, type SectionName } from "../../core/index/sections.ts";
import { readShardFile, SHARD_PAGE_BYTES, type ShardDirectory } from "../../core/index/shard_file.ts";
import { SHARD_RANGE_GAP_BYTES, SHARD_RANGES_MAX } from "../../core/limits.ts";
import type { PostingsPlace } from "../../core/ports.ts";
import { commitsFrom, letterEmbedder, sourceOf, tools } from "./part_fixture.ts";

const PAGE = SHARD_PAGE_BYTES;
const GAP_PAGES = SHARD_RANGE_GAP_BYTES / PAGE;
/** The cold area begins at no multiple of a page, and ends within one. */
const area = { hotBytes: 64 * 77, fileBytes: 64 * 77 + 300 * PAGE + 64 };
/** Bytes of the cold area, from page `from` on. */
const at = (from: number, pages = 1): ByteRange => ({ offset: area.hotBytes + from * PAGE, length: pages * PAGE });
const pagesOf = (ranges: readonly ByteRange[]): readonly (readonly [number, number])[] =>
  ranges.map(({ offset, length }) => [(offset - area.hotBytes) / PAGE, length / PAGE]);

const anyRange: fc.Arbitrary<ByteRange> = fc
  .tuple(fc.integer({ min: area.hotBytes, max: area.fileBytes - 1 }), fc.integer({ min: 0, max: 20 * PAGE }))
  .map(([offset, length]) => ({ offset, length: Math.min(length, area.fileBytes - offset) }));

/** The pages that are needed, one by one. */
function neededPages(needed: readonly ByteRange[]): ReadonlySet<number> {
  const pages = new Set<number>();
  for (const { offset, length } of needed)
    for (let byte = offset; byte < offset + length; byte += 1) {
      const page = Math.floor((byte - area.hotBytes) / PAGE);
      pages.add(page);
      byte = area.hotBytes + (page + 1) * PAGE - 1;
    }
  return pages;
}

describe("planned ranges", () => {
  test("cover every needed byte in whole pages, without overlap, in order, and are few enough", () => {
    fc.assert(
      fc.property(fc.array(anyRange, { maxLength: 40 }), (needed) => {
        const planned = planRanges(needed, area);
        expect(planned.length).toBeLessThanOrEqual(SHARD_RANGES_MAX);
        let end = 0;
        for (const { offset, length } of planned) {
          expect(offset).toBeGreaterThanOrEqual(Math.max(end, area.hotBytes));
          expect((offset - area.hotBytes) % PAGE).toBe(0);
          end = offset + length;
          expect(end === area.fileBytes || (end - area.hotBytes) % PAGE === 0).toBe(true);
        }
        expect(end).toBeLessThanOrEqual(area.fileBytes);
        for (const { offset, length } of needed.filter((range) => range.length > 0)) {
          const holder = planned.find(
            (range) => range.offset <= offset && offset + length <= range.offset + range.length,
          );
          expect(holder).toBeDefined();
        }
      }),
    );
  });

  test("read nothing but needed pages and gaps too small to leave out, when they fit", () => {
    fc.assert(
      fc.property(fc.array(anyRange, { maxLength: 5 }), (needed) => {
        const pages = neededPages(needed);
        for (const { offset, length } of planRanges(needed, area)) {
          const first = (offset - area.hotBytes) / PAGE;
          const count = Math.ceil(length / PAGE);
          expect([pages.has(first), pages.has(first + count - 1)]).toEqual([true, true]);
          let missing = 0;
          for (let page = first; page < first + count; page++) {
            missing = pages.has(page) ? 0 : missing + 1;
            expect(missing).toBeLessThan(GAP_PAGES);
          }
        }
      }),
    );
  });

  test("are the same in whatever order the needs come", () => {
    fc.assert(
      fc.property(fc.array(anyRange, { maxLength: 30 }), (needed) => {
        expect(planRanges([...needed].reverse(), area)).toEqual(planRanges(needed, area));
      }),
    );
  });

  test("join over a gap below the limit and not over one of it", () => {
    expect(pagesOf(planRanges([at(0), at(GAP_PAGES)], area))).toEqual([[0, GAP_PAGES + 1]]);
    expect(pagesOf(planRanges([at(0), at(GAP_PAGES + 1)], area))).toEqual([
      [0, 1],
      [GAP_PAGES + 1, 1],
    ]);
  });

  test("are joined where the least lies between them when there is one too many, of equal gaps the first", () => {
    const apart = Array.from({ length: SHARD_RANGES_MAX }, (_, index) => at(index * 20));
    expect(planRanges(apart, area)).toHaveLength(SHARD_RANGES_MAX);
    const near = at((SHARD_RANGES_MAX - 1) * 20 + 7);
    expect(pagesOf(planRanges([...apart, near], area)).at(-1)).toEqual([(SHARD_RANGES_MAX - 1) * 20, 8]);
    expect(pagesOf(planRanges([...apart, at(SHARD_RANGES_MAX * 20)], area))[0]).toEqual([0, 21]);
  });

  test("are none for nothing, and leave out what the start of the file has", () => {
    expect(planRanges([], area)).toEqual([]);
    expect(
      planRanges(
        [
          { offset: 128, length: 64 },
          { ...at(3), length: 0 },
        ],
        area,
      ),
    ).toEqual([]);
  });

  test("end where the file ends", () => {
    const last = planRanges([{ offset: area.fileBytes - 1, length: 1 }], area);
    expect(last).toEqual([{ offset: area.hotBytes + 300 * PAGE, length: 64 }]);
  });
});

describe("what a search needs", () => {
  const entry = (id: string) => ({ id, text: "some text", session: id, attributes: { stage: id, one: 1 } });
  const commits = commitsFrom(1, [[entry("a"), entry("b")], [{ id: "v", vector: [1, 2], text: "w" }]]);
  const bytes = buildPart(sourceOf(commits, letterEmbedder.id), { ...tools, embedder: letterEmbedder });
  const file = readShardFile(bytes, SECTION_KINDS, tools.checksum);
  if (!file.ok) throw new Error(JSON.stringify(file.failure));
  const directory = file.value;
  const placeOf = (name: SectionName): ByteRange => directory.places.get(SECTION[name]) ?? { offset: 0, length: 0 };
  const contentOf = (name: SectionName): Uint8Array =>
    bytes.subarray(placeOf(name).offset, placeOf(name).offset + placeOf(name).length);

  const NOTHING: ShardNeeds = { terms: [], vectors: null, columns: [], rowTimes: false, ids: false, lines: false };
  const needed = (
    needs: Partial<ShardNeeds>,
    of: ShardDirectory = directory,
    postings: readonly PostingsPlace[] = [],
  ) => {
    const columnNames = contentOf("columnNames");
    const columnEntries = contentOf("columnEntries");
    const shard = { directory: of, rows: 3, columnNames, columnEntries };
    const ranges = neededBytes(shard, { ...NOTHING, ...needs }, postings);
    if (!ranges.ok) throw new Error(JSON.stringify(ranges.failure));
    return ranges.value;
  };
  const whole = (...names: readonly SectionName[]): readonly ByteRange[] => names.map(placeOf);

  test("is nothing when nothing is asked", () => {
    expect(needed({})).toEqual([]);
  });

  test("is the sections of what is asked", () => {
    expect(needed({ vectors: "supplied" })).toEqual(whole("suppliedCodes", "suppliedResiduals"));
    expect(needed({ vectors: "embedded" })).toEqual(whole("embeddedCodes", "embeddedResiduals"));
    expect(needed({ rowTimes: true, ids: true })).toEqual(whole("rowTimes", "idHashes", "idRows", "ids"));
    expect(needed({ lines: true })).toEqual(whole("lineOffsets", "frameRawOffsets", "frameOffsets"));
  });

  test("is of columns the codes of those that are asked and there, and the values of all", () => {
    // kind, session: one code a row; attributes.one and attributes.stage: two of three rows, so one a row too.
    const { offset } = placeOf("columnCodes");
    expect(needed({ columns: ["kind", "attributes.stage", "attributes.none"] })).toEqual([
      ...whole("columnValues"),
      { offset: offset + 2 * 12, length: 12 },
      { offset: offset + 12, length: 12 },
    ]);
  });

  test("is of postings those of the asked terms, which must lie within the section", () => {
    const postings = { offset: 64 * 1000, length: 5000 };
    const apart = { ...directory, places: new Map([...directory.places, [SECTION.postings, postings]]) };
    const places = [
      { offset: 32, length: 10 },
      { offset: 4990, length: 10 },
    ];
    expect(needed({}, apart, places)).toEqual([
      { offset: postings.offset + 32, length: 10 },
      { offset: postings.offset + 4990, length: 10 },
    ]);
    expect(() => needed({}, apart, [{ offset: 4991, length: 10 }])).toThrow("postings (range)");
  });

  test("is not known of a shard whose columns do not fit each other", () => {
    const shard = {
      directory,
      rows: 4,
      columnNames: contentOf("columnNames"),
      columnEntries: contentOf("columnEntries"),
    };
    expect(neededBytes(shard, NOTHING, [])).toMatchObject({ ok: false, failure: { what: "columns" } });
  });
});
