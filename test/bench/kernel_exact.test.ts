/** The exact answers of the benchmarks, held against sorting everything. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exactNearest, fused, naiveText } from "../../bench/kernel/exact.ts";
import type { Metric, QueryTerm } from "../../core/ports.ts";

const numbers = (length: number) =>
  fc
    .array(fc.integer({ min: -3, max: 3 }), { minLength: length, maxLength: length })
    .map((all) => Float32Array.from(all));

describe("the nearest", () => {
  it("are the first when all are sorted, ties by document", () => {
    fc.assert(
      fc.property(
        fc.constantFrom<Metric>("cosine", "dot", "l2"),
        fc.integer({ min: 0, max: 30 }).chain((count) => numbers(count * 3)),
        numbers(3),
        fc.integer({ min: 1, max: 12 }),
        (metric, values, query, limit) => {
          const vectors = { metric, dimensions: 3, count: values.length / 3, values };
          const isOdd = (document: number): boolean => document % 2 === 1;
          const distance = (row: number): number =>
            query.reduce(
              (sum, x, i) =>
                sum + (metric === "l2" ? (x - (values[row * 3 + i] ?? 0)) ** 2 : -x * (values[row * 3 + i] ?? 0)),
              0,
            );
          const sorted = Array.from({ length: vectors.count }, (_, row) => row).sort(
            (a, b) => distance(a) - distance(b) || a - b,
          );
          expect(exactNearest(vectors, query, limit, null)).toEqual(sorted.slice(0, limit));
          expect(exactNearest(vectors, query, limit, isOdd)).toEqual(sorted.filter(isOdd).slice(0, limit));
        },
      ),
    );
  });
});

describe("BM25", () => {
  const analyze = (text: string): readonly QueryTerm[] => {
    const counts = new Map<string, number>();
    for (const term of text.split(" ")) counts.set(term, (counts.get(term) ?? 0) + 1);
    return [...counts].map(([term, count]) => ({ field: "word", term, count }));
  };
  const text = fc
    .array(fc.constantFrom("a", "b", "c", "d", "e"), { minLength: 1, maxLength: 9 })
    .map((words) => words.join(" "));

  it("is Σ count · idf · tf / (tf + k1 · (1 − b + b · length / average)) with k1 0.9 and b 0.4", () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 20 }), text, (texts, query) => {
        const average = texts.reduce((sum, each) => sum + each.split(" ").length, 0) / texts.length;
        const scoreOf = (document: string): number =>
          analyze(query).reduce((sum, { term, count }) => {
            const df = texts.filter((each) => each.split(" ").includes(term)).length;
            const tf = document.split(" ").filter((word) => word === term).length;
            const norm = 0.9 * (1 - 0.4 + (0.4 * document.split(" ").length) / average);
            return sum + (count * Math.log(1 + (texts.length - df + 0.5) / (df + 0.5)) * tf) / (tf + norm);
          }, 0);
        const scores = texts.map(scoreOf);
        const ranked = naiveText(texts, analyze).rank(query, texts.length);
        expect([...ranked].sort((a, b) => a - b)).toEqual(
          [...scores.keys()].filter((document) => (scores[document] ?? 0) > 0),
        );
        for (let i = 1; i < ranked.length; i++)
          expect((scores[ranked[i - 1] ?? 0] ?? 0) - (scores[ranked[i] ?? 0] ?? 0)).toBeGreaterThan(-1e-5);
      }),
    );
  });
});

describe("fusion", () => {
  it("puts what two legs found before what one did, and an equal earlier document first", () => {
    expect(
      fused([
        [7, 5, 3],
        [3, 9],
      ]),
    ).toEqual([3, 7, 5, 9]);
    expect(fused([[8], [2]])).toEqual([2, 8]);
  });
});
