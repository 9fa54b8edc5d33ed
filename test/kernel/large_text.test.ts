/**
 * Parts of so many documents that a search leaves out what cannot be a hit. Whatever it leaves out, documents and scores
 * are those of scoring every document.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { QueryTerm, TextParameters } from "../../core/ports.ts";
import { createKernelSlab } from "../../wasm/kernel_slab.ts";
import { type Analyzed, bestOf } from "./bm25_oracle.ts";
import { builder, expectOk, kernelModule, sectionsOf } from "./fixture.ts";

/** Three windows and one document. */
const DOCUMENTS = 3 * 16_384 + 1;
const WINDOW_EDGES = [0, 16_383, 16_384, 32_767, 32_768, DOCUMENTS - 1];
const slab = createKernelSlab(kernelModule, 16 * 1024 * 1024);

/** Words of consonants, which no stemmer touches. */
const VOCABULARY = Array.from({ length: 60 }, (_, i) => `q${"bcdfghjkmn"[i % 10]}${"bcdfgh"[Math.floor(i / 10)]}x`);

function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Word i stands in about one of 1 + i² / 2 documents, the odd ones now and then often: of the even ones the bounds are
 * exact where lengths do not count. Some stretches of documents have few words.
 */
function corpus(): Analyzed {
  const random = randomOf(7);
  return Array.from({ length: DOCUMENTS }, (_, document) => {
    const isSparse = document % 9_000 > 7_000;
    const terms = VOCABULARY.flatMap((term, i): readonly QueryTerm[] => {
      const isThere = random() < (isSparse ? 0.05 : 0.7) / (1 + (i * i) / 2);
      return isThere
        ? [{ field: "word", term, count: i % 2 === 0 || random() < 0.9 ? 1 : 1 + Math.floor(random() * 30) }]
        : [];
    });
    return WINDOW_EDGES.includes(document) ? [...terms, { field: "word", term: "edgx", count: 2 }] : terms;
  });
}

const analyzed = corpus();
const texts = analyzed.map((terms) => terms.map(({ term, count }) => `${term} `.repeat(count)).join(""));
const part = expectOk(slab.load(sectionsOf({ texts })));
const every = Array.from({ length: DOCUMENTS }, (_, document) => document);
const lengths = analyzed.map((terms) => terms.reduce((sum, { count }) => sum + count, 0));
const averageLength = lengths.reduce((sum, length) => sum + length, 0) / DOCUMENTS;

const anyMatches: fc.Arbitrary<readonly number[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(every) },
  fc.constantFrom(2, 7, 500).map((step) => every.filter((document) => document % step === 1)),
  fc.tuple(fc.nat(DOCUMENTS), fc.nat(DOCUMENTS)).map(([from, count]) => every.slice(from, from + count)),
  fc.constant(WINDOW_EDGES),
);

/** Weights as rarity gives them, times anything: common words may be worth more than rare ones. */
const anyTerms = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...VOCABULARY, "edgx", "absent"), fc.constantFrom(0.1, 1, 1, 1, 3)), {
    minLength: 1,
    maxLength: 7,
    selector: ([term]) => term,
  })
  .map((terms) =>
    terms.map(([term, factor]) => {
      const df = analyzed.reduce((count, document) => count + Number(document.some((one) => one.term === term)), 0);
      return { field: "word" as const, term, weight: factor * slab.idf(DOCUMENTS, df) };
    }),
  );

function check(parameters: TextParameters, matches: readonly number[], limit: number): void {
  slab.reset();
  const bits = slab.documentsOf(part, slab.rowsWhere(part, Uint32Array.from(matches)));
  const found = slab.searchText(part, parameters, bits, limit);
  const expected = bestOf(analyzed, parameters, matches, limit);
  expect([...found.documents]).toEqual(expected.map(({ document }) => document));
  expect([...found.scores]).toEqual(expected.map(({ score }) => score));
}

describe("a part of many documents", () => {
  test("is what the analyzer makes of its texts", () => {
    for (const document of [...WINDOW_EDGES, 12_345]) {
      const sorted = [...(analyzed[document] ?? [])].sort((a, b) => (a.term < b.term ? -1 : 1));
      expect(builder.analyze(texts[document] ?? "")).toEqual(sorted);
    }
  });

  test("is searched as if every document were scored, whatever is left out", () => {
    const k1 = fc.constantFrom(0, 0.9, 1.2);
    const b = fc.constantFrom(0, 0.4, 1);
    fc.assert(
      fc.property(
        anyTerms,
        k1,
        b,
        anyMatches,
        fc.constantFrom(1, 10, 100, 1_000),
        (terms, k1Value, bValue, matches, limit) =>
          check({ terms, k1: k1Value, b: bValue, averageLength, averageQuestionLength: 0 }, matches, limit),
      ),
      { numRuns: 150 },
    );
  });

  test("leaves nothing out when more of a word could be worth less", () => {
    const [first = "", , , fourth = ""] = VOCABULARY;
    for (const [weight, k1, b] of [
      [-1, 0.9, 0.4],
      [0, 0.9, 0.4],
      [1, 0.9, 1.5],
      [1, -0.1, 0.4],
    ] as const) {
      const terms = [
        { field: "word" as const, term: first, weight: 2 },
        { field: "word" as const, term: fourth, weight },
      ];
      check({ terms, k1, b, averageLength, averageQuestionLength: 0 }, every, 10);
    }
  });
});
