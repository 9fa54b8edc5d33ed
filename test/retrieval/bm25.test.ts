import fc from "fast-check";
import { expect, test } from "vitest";
import type { QueryTerm, TextStatistics } from "../../core/ports.ts";
import { addStatistics, NO_STATISTICS, rateTerms, WHOLE_TOKEN_BOOST } from "../../core/retrieval/bm25.ts";

const idf = (documents: number, df: number): number => Math.log(1 + (documents - df + 0.5) / (df + 0.5));
const parameters = { k1: 0.9, b: 0.4 };
const term = (field: "word" | "whole", text: string): QueryTerm => ({ field, term: text, count: 1 });

test("statistics of parts add up to those of the whole, from nothing on", () => {
  const part: TextStatistics = {
    ...NO_STATISTICS,
    documents: 2,
    words: 7,
    wholeDocuments: 1,
    questionDocuments: 1,
    questionWords: 6,
    df: [1, 0],
  };
  const other: TextStatistics = {
    ...NO_STATISTICS,
    documents: 3,
    words: 4,
    questionDocuments: 2,
    questionWords: 3,
    df: [2, 3],
  };
  expect([part, other].reduce(addStatistics, NO_STATISTICS)).toEqual({
    documents: 5,
    words: 11,
    wholeDocuments: 1,
    questionDocuments: 3,
    questionWords: 9,
    df: [3, 3],
  });
});

test("a term weighs its count and its idf; left out is what occurs nowhere, and whole tokens that name nothing", () => {
  const statistics: TextStatistics = {
    ...NO_STATISTICS,
    documents: 10,
    words: 100,
    wholeDocuments: 2,
    df: [4, 0, 2, 3, 3],
  };
  const terms = [
    { ...term("word", "renewal"), count: 3 },
    term("word", "absent"),
    term("whole", "ord-1"),
    term("whole", "and/or"),
    term("whole", "1042"),
  ];
  expect(rateTerms(terms, statistics, idf, parameters, false)).toEqual([
    { field: "word", term: "renewal", df: 4, idf: idf(10, 4), weight: 3 * idf(10, 4) },
    { field: "whole", term: "ord-1", df: 2, idf: idf(10, 2), weight: WHOLE_TOKEN_BOOST * idf(10, 2) },
  ]);
});

test("when only identifiers are asked for, one occurrence outweighs all words and all its pieces", () => {
  const count = fc.integer({ min: 1, max: 9 });
  fc.assert(
    fc.property(fc.array(count, { minLength: 3, maxLength: 3 }), count, count, (words, pieceDf, extra) => {
      const terms = [
        term("word", "user"),
        term("word", "host"),
        term("word", "com"),
        term("whole", "host.com"),
        term("whole", "user@host.com"),
      ];
      const df = [...words.map((word) => word + pieceDf + extra), pieceDf + extra, pieceDf];
      const rated = rateTerms(
        terms,
        { ...NO_STATISTICS, documents: 40, words: 400, wholeDocuments: 20, df },
        idf,
        parameters,
        true,
      );
      const weights = rated.map(({ weight }) => weight);
      const whole = weights.pop() ?? 0;
      expect(whole / (1 + parameters.k1)).toBeGreaterThan(weights.reduce((sum, weight) => sum + weight, 0));
    }),
  );
});
