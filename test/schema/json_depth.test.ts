import fc from "fast-check";
import { expect, it } from "vitest";
import { jsonTextDepth } from "../../core/schema/json_depth.ts";

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

it("counts on the text what a walk over the value counts", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      expect(jsonTextDepth(JSON.stringify(value))).toBe(depthOf(value));
      expect(jsonTextDepth(JSON.stringify(value, null, 1))).toBe(depthOf(value));
    }),
  );
});

it("is not misled by brackets, quotes and backslashes in strings", () => {
  const text = fc.string({ unit: fc.constantFrom('"', "\\", "[", "{", "}", "]") });
  fc.assert(fc.property(text, (content) => jsonTextDepth(JSON.stringify([content])) === 1));
});
