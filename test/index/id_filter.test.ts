import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type IdFilter, readIdFilter, writeIdFilter } from "../../core/index/id_filter.ts";
import { firstHashFrom, isHashAt } from "../../core/index/id_hashes.ts";
import { uint32View } from "../../core/index/typed_section.ts";
import { type IdHash, idHash } from "../../core/log/event_id.ts";
import { tools } from "./part_fixture.ts";

const hashOf = (id: string): IdHash => idHash(id, tools.digest);
const bigOf = ({ high, low }: IdHash): bigint => (BigInt(high) << 32n) | BigInt(low);
const wordsOf = (hashes: readonly IdHash[]): Uint32Array =>
  Uint32Array.from(hashes.flatMap(({ high, low }) => [low, high]));
const filterOf = (hashes: readonly IdHash[]): IdFilter => {
  const words = uint32View(writeIdFilter(wordsOf(hashes)));
  const filter = words && readIdFilter(words);
  if (filter === null) throw new Error("no filter");
  return filter;
};
const word = fc.integer({ min: 0, max: 0xffffffff });
const anyHash: fc.Arbitrary<IdHash> = fc.record({ high: word, low: word });

describe("an id filter", () => {
  test("never denies an id that is there, in any order of the ids the same bytes", () => {
    fc.assert(
      fc.property(fc.array(anyHash, { maxLength: 200 }), (hashes) => {
        const filter = filterOf(hashes);
        expect(hashes.every((hash) => filter.mayHave(hash))).toBe(true);
        expect(writeIdFilter(wordsOf([...hashes].reverse()))).toEqual(writeIdFilter(wordsOf(hashes)));
      }),
    );
  });

  test.each([1, 40, 1_000, 20_000])(
    "of %i ids denies all but one in a hundred of the others, at 12 bits an id",
    (count) => {
      const hashes = Array.from({ length: count }, (_, index) => hashOf(`id ${index}`));
      const filter = filterOf(hashes);
      const others = Array.from({ length: 20_000 }, (_, index) => hashOf(`other ${index}`));
      expect(others.filter((hash) => filter.mayHave(hash)).length).toBeLessThanOrEqual(200);
      expect(writeIdFilter(wordsOf(hashes)).length).toBeLessThanOrEqual(32 + (count * 12) / 8);
    },
  );

  test("without ids has none", () => {
    const filter = filterOf([]);
    expect(filter.mayHave(hashOf("anything"))).toBe(false);
  });

  test("is none when its words are no blocks", () => {
    for (const words of [0, 1, 7, 9]) expect(readIdFilter(new Uint32Array(words))).toBeNull();
  });
});

test("a hash is found among ascending ones where it would stand", () => {
  fc.assert(
    fc.property(fc.array(anyHash, { maxLength: 60 }), anyHash, fc.nat(), (hashes, other, pick) => {
      const sorted = [...hashes].sort((a, b) => (bigOf(a) < bigOf(b) ? -1 : 1));
      const words = wordsOf(sorted);
      for (const wanted of [other, sorted[pick % Math.max(1, sorted.length)] ?? other]) {
        const first = sorted.findIndex((hash) => bigOf(hash) >= bigOf(wanted));
        const index = firstHashFrom(words, wanted);
        expect(index).toBe(first === -1 ? sorted.length : first);
        expect(isHashAt(words, index, wanted)).toBe(sorted.some((hash) => bigOf(hash) === bigOf(wanted)));
      }
    }),
  );
});
