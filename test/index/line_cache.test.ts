import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeCompression } from "../../adapters/platform/node_compat.ts";
import { LineCache } from "../../core/index/line_cache.ts";
import { LinesWriter, readLines } from "../../core/index/stored_lines.ts";

const ENTRY_BYTES = 96;

describe("kept lines", () => {
  it("are what was put under their number, and nothing under another", () => {
    const cache = new LineCache(10_000);
    const first = cache.numbersOfPart();
    const second = cache.numbersOfPart();
    cache.put(first + 3, "of the first", 12);
    expect(cache.get(first + 3)).toBe("of the first");
    expect(cache.get(second + 3)).toBeNull();
    expect(cache.get(first + 4)).toBeNull();
  });

  it("hold no more than the bytes they may, and the least recently read gives way", () => {
    const cache = new LineCache(3 * (ENTRY_BYTES + 4));
    for (const number of [1, 2, 3]) cache.put(number, "line", 4);
    expect(cache.bytes).toBe(3 * (ENTRY_BYTES + 4));
    expect(cache.get(1)).toBe("line");
    cache.put(4, "line", 4);
    expect([1, 2, 3, 4].map((number) => cache.get(number))).toEqual(["line", null, "line", "line"]);
    expect(cache.bytes).toBe(3 * (ENTRY_BYTES + 4));
  });

  it("count two bytes a character where one is not ASCII, and one that is too long for all is not kept", () => {
    const cache = new LineCache(ENTRY_BYTES + 8);
    cache.put(1, "äöüß", 8);
    expect(cache.bytes).toBe(ENTRY_BYTES + 8);
    cache.put(2, "äöüßa", 9);
    expect(cache.get(2)).toBeNull();
    expect(cache.get(1)).toBe("äöüß");
    cache.put(1, "abcd", 4);
    expect(cache.bytes).toBe(ENTRY_BYTES + 4);
  });
});

describe("lines read through a cache", () => {
  it("are the lines that were written, whatever was read before and however little is kept", () => {
    const line = fc.string({ unit: "grapheme", maxLength: 200 }).filter((text) => !text.includes("\n"));
    const parts = fc.array(fc.array(line, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 3 });
    const reads = fc.array(fc.tuple(fc.nat(2), fc.nat(19)), { maxLength: 60 });
    fc.assert(
      fc.property(parts, reads, fc.integer({ min: 0, max: 2_000 }), (written, asked, bytesMax) => {
        const cache = new LineCache(bytesMax);
        const stored = written.map((lines) => storedLines(lines, cache));
        for (const [part, row] of asked) {
          const lines = written[part % written.length] ?? [];
          const wanted = row % lines.length;
          expect(stored[part % written.length]?.at(wanted)).toBe(lines[wanted]);
          expect(cache.bytes).toBeLessThanOrEqual(bytesMax);
        }
      }),
    );
  });
});

function storedLines(lines: readonly string[], cache: LineCache) {
  const writer = new LinesWriter(nodeCompression);
  for (const line of lines) writer.add(line.toWellFormed());
  const { frames, ...tables } = writer.finish();
  const source = {
    ...tables,
    framesBytes: frames.length,
    frames: (offset: number, length: number) => frames.subarray(offset, offset + length),
  };
  const read = readLines(source, lines.length, nodeCompression, cache);
  if (read === null) throw new Error("the lines do not fit each other");
  return read;
}
