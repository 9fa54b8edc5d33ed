import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasRelevant, mean, ndcgAt, recallAt } from "../../bench/eval/metrics.ts";

const judgements = new Map([
  ["a", 3],
  ["b", 1],
  ["c", 0],
]);

describe("metrics", () => {
  test("nDCG has linear gains and logarithmic discounts", () => {
    // Worked by hand: (1/log2(2) + 3/log2(4)) / (3/log2(2) + 1/log2(3)).
    const log3 = Math.log(3) / Math.LN2;
    expect(ndcgAt(10, ["b", "x", "a"], judgements)).toBeCloseTo((1 + 3 / 2) / (3 + 1 / log3), 12);
    expect(ndcgAt(1, ["x", "a"], judgements)).toBe(0);
  });

  test("the ideal order scores 1 and no order scores more", () => {
    expect(ndcgAt(10, ["a", "b", "c"], judgements)).toBe(1);
    fc.assert(
      fc.property(fc.shuffledSubarray(["a", "b", "c", "x", "y"]), fc.integer({ min: 1, max: 5 }), (ranking, k) => {
        const value = ndcgAt(k, ranking, judgements);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("recall counts relevant documents only", () => {
    expect(recallAt(2, ["c", "a", "b"], judgements)).toBe(0.5);
    expect(recallAt(3, ["c", "a", "b"], judgements)).toBe(1);
  });

  test("a query without a relevant document does not count", () => {
    expect(hasRelevant(judgements)).toBe(true);
    expect(hasRelevant(new Map([["c", 0]]))).toBe(false);
    expect(hasRelevant(undefined)).toBe(false);
    expect(mean([])).toBe(0);
  });
});
