import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeValue, encodeValue, isValue } from "../../core/index/column_value.ts";
import type { AttributeValue } from "../../core/schema/event.ts";

const anyText = fc.string({ unit: "binary" }).filter((text) => !/\p{Surrogate}/u.test(text));
const anyValue: fc.Arbitrary<AttributeValue> = fc.oneof(
  anyText,
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.array(anyText, { maxLength: 5 }),
);

const isWhole = (bytes: Uint8Array): boolean => isValue(bytes, 0, bytes.length);

describe("a value of a column", () => {
  test("is read back as it was written, type and all", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const bytes = encodeValue(value);
        expect(isWhole(bytes)).toBe(true);
        expect(decodeValue(bytes)).toEqual(value);
      }),
    );
  });

  test("is decoded from any bytes that are one, and others are told from it", () => {
    fc.assert(
      fc.property(fc.constantFrom("s", "n", "l", "t", "f", "x"), fc.uint8Array({ maxLength: 24 }), (tag, content) => {
        const bytes = Uint8Array.of(tag.charCodeAt(0), ...content);
        if (isWhole(bytes)) expect(isWhole(encodeValue(decodeValue(bytes)))).toBe(true);
        else expect("nltfx").toContain(tag);
      }),
      { numRuns: 500 },
    );
  });

  test.each([[[]], [[0x78]], [[0x74, 0]], [[0x6e, 1, 2]], [[0x6c, 1]], [[0x6e, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f]]])(
    "is not %j",
    (bytes) => {
      expect(isWhole(Uint8Array.from(bytes))).toBe(false);
    },
  );
});
