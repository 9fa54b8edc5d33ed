import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TextParameters } from "../../core/ports.ts";
import { contributionOf, scoreOf, statisticsOf } from "./bm25_oracle.ts";
import { anySubset, anyText, anyTexts, bestFirst, builder, documentBits, loadOnly, slab } from "./fixture.ts";
import { inverseDocumentFrequency, naturalLogarithm } from "./logarithm_oracle.ts";

interface Case {
  readonly texts: readonly string[];
  readonly query: string;
  readonly live: readonly number[];
  readonly matches: readonly number[];
}

const anyCase: fc.Arbitrary<Case> = fc
  .tuple(anyTexts, anyText)
  .chain(([texts, query]) =>
    fc
      .tuple(anySubset(texts.length), anySubset(texts.length))
      .map(([live, matches]) => ({ texts, query, live, matches })),
  );

/** The query's terms weighed by the statistics of `live`, with any k1 and b. */
function parametersOf({ texts, query, live }: Case, k1: number, b: number): TextParameters {
  const terms = builder.analyze(query);
  const statistics = statisticsOf(texts.map(builder.analyze), live, terms);
  return {
    terms: terms.map((term, index) => ({
      ...term,
      weight: term.count * slab.idf(live.length, statistics.df[index] ?? 0),
    })),
    k1,
    b,
    averageLength: statistics.documents === 0 ? 0 : statistics.words / statistics.documents,
    averageQuestionLength: 0,
  };
}

describe("the logarithm", () => {
  test("is the same bits as its definition, and within two units in the last place of the true one", () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e12, noNaN: true }), (x) => {
        const { idf } = slab;
        const documents = Math.floor(x);
        const df = Math.floor(documents / 3);
        expect(idf(documents, df)).toBe(inverseDocumentFrequency(documents, df));
        expect(Math.abs(naturalLogarithm(x) - Math.log(x))).toBeLessThanOrEqual(
          2 ** -51 * Math.max(Math.log(x), 2 ** -6),
        );
      }),
    );
  });

  test("makes a term rarer the fewer documents have it, and never negative", () => {
    const values = Array.from({ length: 101 }, (_, df) => slab.idf(100, df));
    expect(values).toEqual([...values].sort((a, b) => b - a));
    expect(values.at(-1)).toBeGreaterThan(0);
  });
});

describe("statistics", () => {
  test("are those of the live documents", () => {
    fc.assert(
      fc.property(anyCase, ({ texts, query, live }) => {
        const part = loadOnly({ texts });
        const terms = builder.analyze(query);
        const expected = statisticsOf(texts.map(builder.analyze), live, terms);
        expect(slab.statistics(part, terms, documentBits(part, live))).toEqual(expected);
      }),
    );
  });
});

describe("text search", () => {
  test("ranks and scores as naive BM25 does, bit for bit", () => {
    const k1 = fc.constantFrom(0, 0.9, 1.2, 2);
    const b = fc.constantFrom(0, 0.4, 0.75, 1);
    fc.assert(
      fc.property(anyCase, k1, b, fc.integer({ min: 0, max: 80 }), (sample, k1Value, bValue, limit) => {
        const part = loadOnly({ texts: sample.texts });
        const parameters = parametersOf(sample, k1Value, bValue);
        const scored = sample.matches.map((document) => ({
          document,
          score: scoreOf(builder.analyze(sample.texts[document] ?? ""), parameters),
        }));
        const expected = bestFirst(scored, sample.texts.length)
          .filter(({ score }) => score > 0)
          .slice(0, limit);
        const found = slab.searchText(part, parameters, documentBits(part, sample.matches), limit);
        expect([...found.documents]).toEqual(expected.map(({ document }) => document));
        expect([...found.scores]).toEqual(expected.map(({ score }) => score));
      }),
    );
  });

  test("is explained by terms that add up to the score", () => {
    fc.assert(
      fc.property(anyCase, (sample) => {
        const part = loadOnly({ texts: sample.texts });
        const parameters = parametersOf(sample, 0.9, 0.4);
        const found = slab.searchText(part, parameters, documentBits(part, sample.matches), 5);
        found.documents.forEach((document, rank) => {
          const terms = slab.explainText(part, parameters, document);
          const analyzed = builder.analyze(sample.texts[document] ?? "");
          expect(terms.map(({ tf, norm, score }) => ({ tf, norm, score }))).toEqual(
            parameters.terms.map((term) => contributionOf(analyzed, term, parameters)),
          );
          expect(terms.reduce((sum, { score }) => Math.fround(sum + score), 0)).toBe(found.scores[rank]);
        });
      }),
      { numRuns: 40 },
    );
  });

  test("finds every term of a vocabulary of many blocks, and no other", () => {
    const texts = Array.from({ length: 500 }, (_, i) => `word${i} x${"y".repeat(i % 50)}z`);
    const part = loadOnly({ texts });
    const all = documentBits(
      part,
      texts.map((_, i) => i),
    );
    texts.forEach((text, document) => {
      const [term] = builder.analyze(text).filter(({ term }) => term.startsWith("word"));
      if (term === undefined) throw new Error("no term");
      const parameters = {
        terms: [{ ...term, weight: 1 }],
        k1: 0.9,
        b: 0.4,
        averageLength: 2,
        averageQuestionLength: 0,
      };
      expect([...slab.searchText(part, parameters, all, 10).documents]).toEqual([document]);
    });
    const absent = ["", "a", "word", "word500", "zzz", "word1\u0000"].map((term) => ({
      field: "word" as const,
      term,
      count: 1,
    }));
    expect(slab.statistics(part, absent, all).df).toEqual(absent.map(() => 0));
  });

  test("keeps postings of a term that thousands of documents have, whatever its frequency", () => {
    const texts = Array.from({ length: 6_000 }, (_, i) => (i % 3 === 0 ? "alpha ".repeat(1 + (i % 200)) : "beta"));
    const part = loadOnly({ texts });
    const all = documentBits(
      part,
      texts.map((_, i) => i),
    );
    const terms = builder.analyze("alpha");
    expect(slab.statistics(part, terms, all).df).toEqual([2_000]);
    const parameters = {
      terms: terms.map((term) => ({ ...term, weight: 1 })),
      k1: 0.9,
      b: 0,
      averageLength: 1,
      averageQuestionLength: 0,
    };
    const tfOf = (document: number): number | undefined => slab.explainText(part, parameters, document)[0]?.tf;
    expect([0, 1, 3, 198, 5_997].map(tfOf)).toEqual([1, 0, 4, 199, 198]);
  });
});

describe("the text section", () => {
  test("is the same bytes for the same texts, whatever was built before", () => {
    fc.assert(
      fc.property(anyTexts, anyTexts, (texts, others) => {
        const first = builder.textSections(texts, null);
        builder.textSections(others, null);
        expect(builder.textSections(texts, null)).toEqual(first);
      }),
      { numRuns: 30 },
    );
  });
});
