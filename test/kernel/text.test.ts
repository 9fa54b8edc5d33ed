import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { QueryTerm, TextParameters } from "../../core/ports.ts";
import { questionTerms } from "../../wasm/query_terms.ts";
import { type Analyzed, bestOf, contributionOf, statisticsOf } from "./bm25_oracle.ts";
import { anySubset, anyText, anyTexts, builder, documentBits, loadOnly, slab } from "./fixture.ts";
import { inverseDocumentFrequency, naturalLogarithm } from "./logarithm_oracle.ts";

interface Case {
  readonly texts: readonly string[];
  readonly questions: readonly string[];
  readonly query: string;
  readonly live: readonly number[];
  readonly matches: readonly number[];
}

const anyCase: fc.Arbitrary<Case> = fc
  .tuple(anyTexts, anyText)
  .chain(([texts, query]) =>
    fc
      .tuple(anyQuestions(texts.length), anySubset(texts.length), anySubset(texts.length))
      .map(([questions, live, matches]) => ({ texts, questions, query, live, matches })),
  );

/** Often none at all. */
function anyQuestions(count: number): fc.Arbitrary<readonly string[]> {
  const some = fc.array(fc.oneof(fc.constant(""), anyText), { minLength: count, maxLength: count });
  return fc.oneof(fc.constant(Array<string>(count).fill("")), some);
}

function analyzedOf(text: string, questions: string): readonly QueryTerm[] {
  return [...builder.analyze(text), ...questionTerms(builder.analyze(questions))];
}

function corpusOf({ texts, questions }: Case): Analyzed {
  return texts.map((text, document) => analyzedOf(text, questions[document] ?? ""));
}

/** Words and whole tokens, and the words once more as they are asked in questions. */
function queryTerms(query: string): readonly QueryTerm[] {
  return analyzedOf(query, query);
}

/** The query's terms weighed by the statistics of `live`, with any k1 and b. */
function parametersOf(sample: Case, k1: number, b: number): TextParameters {
  const { query, live } = sample;
  const terms = queryTerms(query);
  const statistics = statisticsOf(corpusOf(sample), live, terms);
  return {
    terms: terms.map((term, index) => ({
      ...term,
      weight: term.count * slab.idf(live.length, statistics.df[index] ?? 0),
    })),
    k1,
    b,
    averageLength: statistics.documents === 0 ? 0 : statistics.words / statistics.documents,
    averageQuestionLength:
      statistics.questionDocuments === 0 ? 0 : statistics.questionWords / statistics.questionDocuments,
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
      fc.property(anyCase, (sample) => {
        const { texts, questions, query, live } = sample;
        const part = loadOnly({ texts, questions });
        const terms = queryTerms(query);
        const expected = statisticsOf(corpusOf(sample), live, terms);
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
        const part = loadOnly({ texts: sample.texts, questions: sample.questions });
        const parameters = parametersOf(sample, k1Value, bValue);
        const expected = bestOf(corpusOf(sample), parameters, sample.matches, limit);
        const found = slab.searchText(part, parameters, documentBits(part, sample.matches), limit);
        expect([...found.documents]).toEqual(expected.map(({ document }) => document));
        expect([...found.scores]).toEqual(expected.map(({ score }) => score));
      }),
    );
  });

  test.each([
    ["a byte", 200],
    ["two bytes", 2_000],
    ["four bytes", 70_000],
  ])("finds the best of many documents, equal ones among them, whose lengths take %s", (_, longest) => {
    const texts = Array.from({ length: 700 }, (_, i) => {
      const length = i % 97 === 0 ? Math.floor(longest / (1 + i)) : (i * 7) % 60;
      return `alpha${" alpha".repeat(i % 3)}${i % 2 === 0 ? " beta" : ""}${" filler".repeat(length)}`;
    });
    const query = "alpha beta filler";
    const live = texts.map((_, i) => i);
    const sample = { texts, questions: texts.map(() => ""), query, live, matches: live };
    const part = loadOnly({ texts });
    const parameters = parametersOf(sample, 0.9, 0.4);
    const expected = bestOf(corpusOf(sample), parameters, live, texts.length);
    const all = documentBits(part, live);
    for (const limit of [1, 10, 100, 699, 1_000]) {
      const found = slab.searchText(part, parameters, all, limit);
      const best = expected.slice(0, limit);
      expect([...found.documents]).toEqual(best.map(({ document }) => document));
      expect([...found.scores]).toEqual(best.map(({ score }) => score));
    }
  });

  test("is explained by terms that add up to the score", () => {
    fc.assert(
      fc.property(anyCase, (sample) => {
        const part = loadOnly({ texts: sample.texts, questions: sample.questions });
        const parameters = parametersOf(sample, 0.9, 0.4);
        const corpus = corpusOf(sample);
        const found = slab.searchText(part, parameters, documentBits(part, sample.matches), 5);
        found.documents.forEach((document, rank) => {
          const terms = slab.explainText(part, parameters, document);
          expect(terms.map(({ tf, norm, score }) => ({ tf, norm, score }))).toEqual(
            parameters.terms.map((term) => contributionOf(corpus[document] ?? [], term, parameters)),
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

describe("parameters that change between two searches", () => {
  test("change the scores of words and of questions at once, and back", () => {
    const texts = Array.from({ length: 40 }, (_, i) => `renewal ${"pricing ".repeat(i % 7)}`);
    const questions = texts.map((_, i) => (i % 3 === 0 ? `renewal ${"owner ".repeat(i % 5)}` : ""));
    const part = loadOnly({ texts, questions });
    const all = texts.map((_, document) => document);
    const corpus = corpusOf({ texts, questions, query: "", live: all, matches: all });
    const terms = queryTerms("renewal pricing owner").map((term) => ({ ...term, weight: 1 }));
    const first = { terms, k1: 0.9, b: 0.4, averageLength: 3, averageQuestionLength: 2 };
    const others = [{ b: 0.75 }, { k1: 1.2 }, { averageLength: 4 }, { averageQuestionLength: 5 }, { averageLength: 0 }];
    for (const change of others) {
      for (const parameters of [first, { ...first, ...change }]) {
        const found = slab.searchText(part, parameters, documentBits(part, all), 40);
        expect([...found.scores]).toEqual(bestOf(corpus, parameters, all, 40).map(({ score }) => score));
      }
    }
  });
});

describe("terms by prefix", () => {
  test("are those of the documents, in byte order, with their document counts", () => {
    fc.assert(
      fc.property(
        anyCase,
        fc.constantFrom("", "r", "re", "renew", "e", "emea-", "東", "zz"),
        fc.nat(12),
        (sample, prefix, limit) => {
          const part = loadOnly(sample);
          const corpus = corpusOf(sample);
          for (const field of ["word", "whole", "question"] as const) {
            const df = new Map<string, number>();
            for (const terms of corpus)
              for (const term of terms)
                if (term.field === field && term.term.startsWith(prefix))
                  df.set(term.term, (df.get(term.term) ?? 0) + 1);
            const expected = [...df].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))).slice(0, limit);
            expect(
              slab.termsWithPrefix(part, field, prefix, limit).map(({ term, df: count }) => [term, count]),
            ).toEqual(expected);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("go on over the blocks of a large dictionary", () => {
    const texts = Array.from({ length: 400 }, (_, i) => `word${i}q`);
    const part = loadOnly({ texts });
    const terms = texts.flatMap(builder.analyze).flatMap(({ field, term }) => (field === "word" ? [term] : []));
    for (const prefix of ["word", "word1", "word39", "word399q", "word4"]) {
      expect(slab.termsWithPrefix(part, "word", prefix, 500).map(({ term }) => term)).toEqual(
        terms.filter((term) => term.startsWith(prefix)).sort(),
      );
    }
  });
});

describe("the text sections", () => {
  test("keep no byte of questions that have no word", () => {
    fc.assert(
      fc.property(anyTexts, (texts) => {
        const none = builder.textSections(
          texts,
          texts.map((_, i) => (i % 2 === 0 ? "" : "the … ?")),
        );
        expect(none).toEqual(builder.textSections(texts, null));
      }),
      { numRuns: 20 },
    );
    expect(() => builder.textSections(["a"], [])).toThrow("questions of 0 documents");
  });

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
