import fc from "fast-check";
import { expect, it } from "vitest";
import { base64url, fromBase64url, hex } from "../../core/log/text_encoding.ts";

it("writes bytes as the platform's own encoders do, and reads them back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(hex(bytes)).toBe(Buffer.from(bytes).toString("hex"));
      expect(base64url(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
      expect(fromBase64url(base64url(bytes))).toEqual(bytes);
    }),
  );
});

it("reads exactly one text for some bytes, and no other", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."AB_-9z=+/ 🙂"), maxLength: 9 }), (text) => {
      const bytes = fromBase64url(text);
      expect(bytes === null || base64url(bytes) === text).toBe(true);
    }),
    { numRuns: 1_000 },
  );
  for (const text of ["A", "AB", "AAB", "AAAAA", "AA==", "A A", "AA\n"]) expect(fromBase64url(text)).toBeNull();
});
