import { expect, test } from "vitest";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { buildPart } from "../../core/index/build_part.ts";
import { openPagedPart } from "../../core/index/paged_part.ts";
import { PartCache, SharedPages } from "../../durable-objects/part_cache.ts";
import { commitsFrom, opened, sourceOf, tools } from "../index/part_fixture.ts";

const events = Array.from({ length: 2_000 }, (_, n) => ({ id: `event-${n}`, text: `line ${n}` }));
const bytes = buildPart(sourceOf(commitsFrom(1, [events])), tools);
const { hotBytes } = opened(bytes);
const read = (offset: number, length: number) => bytes.subarray(offset, offset + length);

function paged() {
  const pages = new SharedPages(hotBytes, read);
  const part = openPagedPart(pages, { ...tools, compression: nodeCompression, digest: nodeDigest });
  if (!part.ok) throw new Error(part.failure.reason);
  return { part: part.value, pages };
}

test("counts what parts decode, and lets the oldest go for it", () => {
  const [first, second] = [paged(), paged()];
  const empty = first.part.heldBytes;
  const cache = new PartCache(2 * empty + 1_000);
  cache.put("t/a", first.part, first.pages);
  cache.put("t/b", second.part, second.pages);
  expect(cache.bytes).toBe(2 * empty);
  second.part.lineOfRow(0);
  expect(cache.get("t/b", read)).toBe(second.part);
  expect(second.part.heldBytes).toBeGreaterThan(empty + 1_000);
  expect(cache.get("t/a", read)).toBeNull();
  expect(cache.bytes).toBe(second.part.heldBytes);
});

test("keeps no part that has outgrown it, and still answers it", () => {
  const { part, pages } = paged();
  const cache = new PartCache(part.heldBytes);
  cache.put("t/a", part, pages);
  part.lineOfRow(0);
  expect(cache.get("t/a", read)).toBe(part);
  expect(cache.bytes).toBe(0);
  expect(cache.get("t/a", read)).toBeNull();
});
