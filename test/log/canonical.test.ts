import fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalJson } from "../../core/log/canonical.ts";
import type { Json } from "../../core/schema/scalar.ts";

const anyJson = fc.jsonValue({ maxDepth: 4, stringUnit: "binary" }).map((value) => value as Json);

/** The same value with every object's members in another order. */
function reversed(value: Json): Json {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== "object") return value;
  const members = Object.entries(value).reverse();
  return Object.fromEntries(members.map(([name, member]) => [name, reversed(member)]));
}

it("says the same value: JSON.parse gives it back, with -0 as 0", () => {
  fc.assert(
    fc.property(anyJson, (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

it("has one text for one value, whatever order its members came in", () => {
  fc.assert(fc.property(anyJson, (value) => canonicalJson(reversed(value)) === canonicalJson(value)));
});

it("is a fixed point: the canonical form of a canonical text is that text", () => {
  fc.assert(
    fc.property(anyJson, (value) => canonicalJson(JSON.parse(canonicalJson(value)) as Json) === canonicalJson(value)),
  );
});

it("never holds a newline, so that a line is one value", () => {
  fc.assert(fc.property(anyJson, (value) => !/[\n\r]/.test(canonicalJson(value))));
});

/** The example of RFC 8785 §3.2.2 and §3.2.3. */
it.each<[string, Json, string]>([
  [
    "orders names by UTF-16 code units",
    { "€": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\u0080": 6, ö: 7 },
    '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
  ],
  [
    "writes numbers as ECMAScript does",
    [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 1e-27, -0, 1e21, 1e20],
    "[333333333.3333333,1e+30,4.5,0.002,1e-27,0,1e+21,100000000000000000000]",
  ],
  ["escapes only what must be", '€$\u000f\nA\'B"\\\\"/\u2028', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u2028"'],
  [
    "keeps an own member that is called __proto__",
    JSON.parse('{"__proto__":{"b":1},"a":2}'),
    '{"__proto__":{"b":1},"a":2}',
  ],
  ["writes literals and empties", [true, false, null, {}, [], ""], '[true,false,null,{},[],""]'],
])("%s", (_, value, text) => {
  expect(canonicalJson(value)).toBe(text);
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, undefined, { a: undefined }, [undefined], new Array(1), 1n, () => 0])(
  "refuses what JSON cannot say: %s",
  (value) => {
    expect(() => canonicalJson(value as Json)).toThrow();
  },
);
