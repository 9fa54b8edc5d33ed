import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checksumOf } from "../../core/index/section_checksum.ts";
import { CHECKSUM_PIECE_BYTES } from "../../core/limits.ts";
import { naiveChecksum } from "./checksum_oracle.ts";
import { tools } from "./part_fixture.ts";

const { checksum } = tools;
const words = (maxLength: number) =>
  fc.uint8Array({ minLength: 8, maxLength }).map((bytes) => bytes.slice(0, bytes.length & ~7));
const filled = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) & 0xff);

describe("the kernel's checksum", () => {
  test("is the oracle's, at any length and address", () => {
    fc.assert(
      fc.property(words(400), fc.nat(9), (bytes, shift) => {
        const moved = new Uint8Array(bytes.length + shift);
        moved.set(bytes, shift);
        expect(checksum.of(moved.subarray(shift))).toBe(naiveChecksum(bytes));
      }),
    );
    const piece = filled(CHECKSUM_PIECE_BYTES);
    expect(checksum.of(piece)).toBe(naiveChecksum(piece));
    expect(checksum.of(new Uint8Array(0))).toBe(naiveChecksum(new Uint8Array(0)));
  });

  test("changes with every byte", () => {
    fc.assert(
      fc.property(words(400), fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, at, flip) => {
        const before = checksum.of(bytes);
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip;
        expect(checksum.of(bytes)).not.toBe(before);
      }),
    );
  });

  test("is not given more than a piece, or a rest of a word", () => {
    expect(() => checksum.of(new Uint8Array(CHECKSUM_PIECE_BYTES + 8))).toThrow(RangeError);
    expect(() => checksum.of(new Uint8Array(12))).toThrow(RangeError);
  });
});

describe("the checksum of a section", () => {
  test("is that of its bytes up to one piece, and of the checksums of its pieces beyond", () => {
    const one = filled(CHECKSUM_PIECE_BYTES);
    expect(checksumOf(one, checksum)).toBe(naiveChecksum(one));
    for (const length of [CHECKSUM_PIECE_BYTES + 8, 2 * CHECKSUM_PIECE_BYTES, 2 * CHECKSUM_PIECE_BYTES + 64]) {
      const bytes = filled(length);
      const sums: bigint[] = [];
      for (let from = 0; from < length; from += CHECKSUM_PIECE_BYTES)
        sums.push(naiveChecksum(bytes.subarray(from, from + CHECKSUM_PIECE_BYTES)));
      expect(checksumOf(bytes, checksum)).toBe(naiveChecksum(new Uint8Array(BigUint64Array.from(sums).buffer)));
    }
  });

  test("changes with a byte in any piece, and when two pieces change places", () => {
    const bytes = filled(3 * CHECKSUM_PIECE_BYTES);
    const before = checksumOf(bytes, checksum);
    for (const at of [0, CHECKSUM_PIECE_BYTES - 1, CHECKSUM_PIECE_BYTES, bytes.length - 1]) {
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      expect(checksumOf(bytes, checksum)).not.toBe(before);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
    }
    bytes[0] = 99;
    const swapped = bytes.slice();
    swapped.set(bytes.subarray(0, CHECKSUM_PIECE_BYTES), CHECKSUM_PIECE_BYTES);
    swapped.set(bytes.subarray(CHECKSUM_PIECE_BYTES, 2 * CHECKSUM_PIECE_BYTES), 0);
    expect(checksumOf(swapped, checksum)).not.toBe(checksumOf(bytes, checksum));
  });
});
