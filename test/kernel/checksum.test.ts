import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createKernelInstance } from "../../wasm/kernel_instance.ts";
import { naiveChecksum } from "../index/checksum_oracle.ts";
import { kernelModule } from "./fixture.ts";

const MIB = 1024 * 1024;
const instance = createKernelInstance(kernelModule, MIB, MIB);

function checksumOf(bytes: Uint8Array, offset: number): bigint {
  return instance.frame(() => {
    const at = instance.take(bytes.length + 8) + offset;
    instance.putBytes(at, bytes);
    return BigInt.asUintN(64, instance.kernel.checksumOf(at, bytes.length));
  });
}

describe("the checksum of sections", () => {
  test("is what its description says, of any length at any address", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(7), (bytes, offset) => {
        expect(checksumOf(bytes, offset)).toBe(naiveChecksum(bytes));
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
