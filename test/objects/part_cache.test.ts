import { expect, test } from "vitest";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { buildPart } from "../../core/index/build_part.ts";
import { openPagedPart } from "../../core/index/paged_part.ts";
import { PartCache, SharedPages } from "../../durable-objects/part_cache.ts";
import { commitsFrom, opened, sourceOf, tools } from "../index/part_fixture.ts";

const MIB = 1024 * 1024;
const events = Array.from({ length: 2_000 }, (_, n) => ({ id: `event-${n}`, text: `line ${n}` }));
const bytes = buildPart(sourceOf(commitsFrom(1, [events])), tools);
const { hotBytes } = opened(bytes);
const piece = (offset: number, length: number) => bytes.subarray(offset, offset + length);
const each = (ranges: readonly { readonly offset: number; readonly length: number }[]) =>
  ranges.map(({ offset, length }) => piece(offset, length));
const pieces = (offset: number, length: number) => [piece(offset, length)];

/** A part in a cache, and how often it was read. */
function paged(cache: PartCache, key: string) {
  const reads = { count: 0 };
  const read = (offset: number, length: number) => {
    reads.count += 1;
    return piece(offset, length);
  };
  const pages = new SharedPages(hotBytes, { read, readPieces: pieces, readEach: each });
  const opening = openPagedPart(
    pages,
    { ...tools, compression: nodeCompression, digest: nodeDigest },
    cache.tablesOf(key),
  );
  if (!opening.ok) throw new Error(opening.failure.reason);
  cache.put(key, opening.value, pages);
  return { part: opening.value, reads, take: () => cache.get(key, { read, readPieces: pieces, readEach: each }) };
}

test("lets the oldest part go for another", () => {
  const { heldBytes } = paged(new PartCache(MIB, MIB), "t/a").part;
  const cache = new PartCache(2 * heldBytes, MIB);
  const [a, b, c] = ["t/a", "t/b", "t/c"].map((key) => paged(cache, key));
  expect([a?.take(), b?.take(), c?.take()]).toEqual([null, b?.part, c?.part]);
});

test("keeps tables while there is room, counts what they decode, and has them read again after", () => {
  const cache = new PartCache(MIB, MIB);
  const a = paged(cache, "t/a");
  const opened = { reads: a.reads.count, bytes: cache.bytes };
  expect(a.part.idOfRow(7)).toBe("event-7");
  expect(a.reads.count).toBe(opened.reads + 1);
  expect(a.part.idOfRow(9)).toBe("event-9");
  expect(a.reads.count).toBe(opened.reads + 1);
  a.part.lineOfRow(0);
  expect(a.part.idOfRow(8)).toBe("event-8");
  expect(cache.bytes).toBeGreaterThan(opened.bytes);

  const tight = new PartCache(MIB, (cache.bytes - a.part.heldBytes) * 1.5);
  const [first, second] = [paged(tight, "t/a"), paged(tight, "t/b")];
  expect(tight.bytes).toBeLessThan(2 * cache.bytes);
  const before = first.reads.count;
  expect(first.part.idOfRow(7)).toBe("event-7");
  expect(first.reads.count).toBeGreaterThan(before);
  expect(first.part.rowOfId("event-9")).toBe(9);
  expect(first.part.rowOfId("absent")).toBe(-1);
  expect(second.part.idOfRow(7)).toBe("event-7");
});

test("keeps no part that is larger than itself, and still answers it", () => {
  const cache = new PartCache(100, 100);
  const { part, take } = paged(cache, "t/a");
  expect(take()).toBeNull();
  expect(cache.bytes).toBe(0);
  expect(part.idOfRow(3)).toBe("event-3");
});
