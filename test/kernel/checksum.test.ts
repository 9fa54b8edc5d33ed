import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createKernelInstance } from "../../wasm/kernel_instance.ts";
import { kernelModule } from "./fixture.ts";

const MIB = 1024 * 1024;
const MULTIPLIER = 0x9e3779b97f4a7c15n;
const FINISHER = 0xd6e8feb86659fd93n;
const instance = createKernelInstance(kernelModule, MIB, MIB);

function checksumOf(bytes: Uint8Array, offset: number): bigint {
  return instance.frame(() => {
    const at = instance.take(bytes.length + 8) + offset;
    instance.putBytes(at, bytes);
    return BigInt.asUintN(64, instance.kernel.checksumOf(at, bytes.length));
  });
}

/** As wasm/assembly/section.ts describes it. */
function described(bytes: Uint8Array): bigint {
  const words = Array.from({ length: Math.ceil(bytes.length / 8) }, (_, word) =>
    bytes.slice(8 * word, 8 * word + 8).reduce((sum, byte, i) => sum | (BigInt(byte) << BigInt(8 * i)), 0n),
  );
  const lanes = [1n, 2n, 3n, 4n].map((lane) => wrapped(lane * MULTIPLIER));
  const inStripes = Math.floor(bytes.length / 32) * 4;
  words.forEach((word, i) => {
    const lane = i < inStripes ? i % 4 : 0;
    lanes[lane] = mixed(lanes[lane] ?? 0n, word);
  });
  let hash = lanes.reduce(mixed, wrapped(BigInt(bytes.length) * MULTIPLIER));
  hash = wrapped((hash ^ (hash >> 32n)) * FINISHER);
  return hash ^ (hash >> 32n);
}

function wrapped(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function mixed(hash: bigint, word: bigint): bigint {
  const value = hash ^ word;
  return wrapped(wrapped((value << 27n) | (value >> 37n)) * MULTIPLIER);
}

describe("the checksum of sections", () => {
  test("is what its description says, of any length at any address", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(7), (bytes, offset) => {
        expect(checksumOf(bytes, offset)).toBe(described(bytes));
      }),
    );
  });

  test("changes with every byte and with every length", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bytes, at, flip) => {
          const before = checksumOf(bytes, 0);
          expect(checksumOf(Uint8Array.of(...bytes, 0), 0)).not.toBe(before);
          const changed = bytes.slice();
          changed[at % bytes.length] = (changed[at % bytes.length] ?? 0) ^ flip;
          expect(checksumOf(changed, 0)).not.toBe(before);
        },
      ),
    );
  });
});
