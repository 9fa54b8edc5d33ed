import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { percentile, recallOf } from "../../bench/kernel/statistics.ts";

const values = fc.array(fc.double({ noNaN: true, min: 0, max: 1e9 }), { minLength: 1, maxLength: 60 });
const share = fc.double({ noNaN: true, min: 0, max: 1 });

describe("a percentile", () => {
  it("is the least value that enough of the values do not exceed", () => {
    fc.assert(
      fc.property(values, share, (all, wanted) => {
        const found = percentile(all, wanted);
        const notAbove = (limit: number): number => all.filter((value) => value <= limit).length / all.length;
        expect(all).toContain(found);
        expect(notAbove(found)).toBeGreaterThanOrEqual(wanted);
        for (const lower of all) if (lower < found) expect(notAbove(lower)).toBeLessThan(wanted);
      }),
    );
  });

  it.each([
    { of: [4, 1, 3, 2], share: 0.5, is: 2 },
    { of: [4, 1, 3, 2], share: 0.99, is: 4 },
    { of: [7], share: 0, is: 7 },
  ])("of $of at $share is $is", ({ of, share: wanted, is }) => {
    expect(percentile(of, wanted)).toBe(is);
  });

  it("of nothing is no number", () => {
    expect(percentile([], 0.5)).toBeNaN();
  });
});

describe("recall", () => {
  it.each([
    { found: [1, 2, 3], exact: [3, 2, 1], is: 1 },
    { found: [1, 9, 8, 7], exact: [1, 2], is: 0.5 },
    { found: [], exact: [1], is: 0 },
    { found: [5], exact: [], is: 1 },
  ])("of $found for $exact is $is", ({ found, exact, is }) => {
    expect(recallOf(found, exact)).toBe(is);
  });
});
