/** A part with the postings of some terms answers for those as one with all does, and never for others. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AskedTerm, LoadedPart, PartSections, PostingsPiece, TextParameters } from "../../core/ports.ts";
import { questionTerms } from "../../wasm/query_terms.ts";
import { anyTexts, builder, expectOk, sectionsOf, slab, type WholeSections } from "./fixture.ts";

const FIELDS = ["word", "whole", "question"] as const;

/** Words of many blocks of postings, of one and a tail, of a tail alone, and identifiers. */
const DOCUMENTS = 1_500;
const texts = Array.from({ length: DOCUMENTS }, (_, i) => {
  const word = (step: number, name: string): string => (i % step === 0 ? `${name} `.repeat(1 + (i % 4)) : "");
  return `harbour ${word(2, "renewal")}${word(9, "risk")}${word(100, "escalation")}${word(700, "order-77")}stage${i % 300}`;
});
const questions = texts.map((_, i) => (i % 3 === 0 ? "who owns the renewal" : ""));
const large = sectionsOf({ texts, questions });

function withPieces(sections: WholeSections, terms: readonly AskedTerm[]) {
  const { text, postings } = sections.text;
  const places = expectOk(builder.postingsPlaces(text, terms));
  const pieces = places.map(({ offset, length }) => ({ offset, bytes: postings.slice(offset, offset + length) }));
  return { ...sections, text: { text, postings: pieces } };
}

function loadOnly(sections: PartSections): LoadedPart {
  slab.clear();
  return expectOk(slab.load(sections));
}

function parametersOf(terms: readonly AskedTerm[]): TextParameters {
  const weighted = terms.map(({ field, term }, index) => ({ field, term, weight: 1 + index / 7 }));
  return { terms: weighted, k1: 0.9, b: 0.4, averageLength: 5, averageQuestionLength: 3 };
}

/** All that can be asked of some terms. */
function answersOf(sections: PartSections, terms: readonly AskedTerm[]) {
  const part = loadOnly(sections);
  expect(slab.proveTerms(part, terms)).toEqual({ ok: true, value: null });
  const counted = terms.map(({ field, term }) => ({ field, term, count: 1 }));
  const sets = [slab.allRows(part), slab.rowsBefore(part, Math.floor((2 * sections.rows) / 3))];
  const parameters = parametersOf(terms);
  return sets.map((rows) => {
    const documents = slab.documentsOf(part, rows);
    const found = slab.searchText(part, parameters, documents, 50);
    return {
      found,
      statistics: slab.statistics(part, counted, documents),
      explained: [...found.documents].map((document) => slab.explainText(part, parameters, document)),
    };
  });
}

function termsOf(sections: PartSections): readonly AskedTerm[] {
  const part = loadOnly(sections);
  return FIELDS.flatMap((field) => slab.termsWithPrefix(part, field, "", 500).map(({ term }) => ({ field, term })));
}

const absent: readonly AskedTerm[] = FIELDS.map((field) => ({ field, term: "zzz" }));

describe("a part with the postings of the asked terms", () => {
  test("answers bit for bit as one with all postings", () => {
    fc.assert(
      fc.property(anyTexts, anyTexts, fc.infiniteStream(fc.boolean()), (ofTexts, ofQuestions, chosen) => {
        const asked = ofTexts.map((_, i) => ofQuestions[i] ?? "");
        const sections = sectionsOf({ texts: ofTexts, questions: asked });
        const terms = [...termsOf(sections), ...absent].filter(() => chosen.next().value);
        expect(answersOf(withPieces(sections, terms), terms)).toEqual(answersOf(sections, terms));
      }),
    );
  });

  test("answers so of terms with blocks of postings too, in any order, and more than once", () => {
    const every = [...termsOf(large), ...absent];
    const frequent = ["harbour", "renew", "risk", "escal"].map((term) => ({ field: "word", term }) as const);
    const anyTerms = fc.array(fc.oneof(fc.constantFrom(...frequent), fc.constantFrom(...every)), { maxLength: 12 });
    fc.assert(
      fc.property(anyTerms, (terms) => {
        expect(answersOf(withPieces(large, terms), terms)).toEqual(answersOf(large, terms));
      }),
      { numRuns: 60 },
    );
  });

  test("is no larger than those postings make it", () => {
    const asked = builder.analyze("escalation");
    const saved = large.text.postings.length - 2_048;
    expect(slab.sizeOf(withPieces(large, asked))).toBeLessThan(slab.sizeOf(large) - saved);
  });

  test("throws a RangeError for any other term of the part, and knows of the rest that nothing has them", () => {
    const asked = builder.analyze("renewal order-77");
    const every = termsOf(large);
    const part = loadOnly(withPieces(large, asked));
    const all = slab.documentsOf(part, slab.allRows(part));
    const isAsked = (one: AskedTerm): boolean =>
      asked.some(({ field, term }) => one.field === field && one.term === term);
    const others = every.filter((term) => !isAsked(term));
    expect(others.length).toBeGreaterThan(300);
    for (const other of others) {
      const terms = [...asked, { ...other, count: 1 }];
      const calls = [
        () => slab.proveTerms(part, terms),
        () => slab.statistics(part, terms, all),
        () => slab.searchText(part, parametersOf(terms), all, 10),
        () => slab.explainText(part, parametersOf(terms), 0),
      ];
      for (const call of calls) expect(call).toThrow(new RangeError("the postings of a term were not read"));
    }
    const none = questionTerms(builder.analyze("nowhere"));
    expect(slab.statistics(part, [...asked, ...none], all).df).toEqual([3, 3, 750, 3, 0]);
  });

  test("lists terms by prefix as one with all postings", () => {
    const prefixed = (sections: PartSections) => {
      const part = loadOnly(sections);
      return FIELDS.map((field) => slab.termsWithPrefix(part, field, "r", 500));
    };
    expect(prefixed(withPieces(large, []))).toEqual(prefixed(large));
  });
});

describe("terms that were proved", () => {
  test("are marked without touching what lies beside, however short and many they are", () => {
    const letters = [..."bcdfghjklmnpqrstvwxz0123456789"];
    const short = letters.flatMap((a) => ["", ...letters].map((b) => a + b));
    const vectors = short.map((_, i) => Float32Array.of(1 + i, 3, i % 7));
    const sections = sectionsOf({ texts: short, vectors, dimensions: 3 });
    const terms = termsOf(sections);
    const part = loadOnly(sections);
    const scores = () => short.map((_, document) => slab.scoreVector(part, Float32Array.of(1, 2, 3), document));
    const before = scores();
    expect(terms.length).toBeGreaterThan(25 * 32);
    for (let turn = 0; turn < 2; turn++)
      for (const term of terms) {
        expect(slab.proveTerms(part, [term]).ok).toBe(true);
        const all = slab.documentsOf(part, slab.allRows(part));
        expect(slab.statistics(part, [{ ...term, count: 1 }], all).df).toEqual([1]);
        slab.reset();
      }
    expect(scores()).toEqual(before);
  });
});

describe("places of postings", () => {
  test("are ascending, each once, and cover the section when all terms are asked", () => {
    const terms = termsOf(large);
    const places = expectOk(builder.postingsPlaces(large.text.text, [...terms, ...absent, ...terms]));
    expect(places).toHaveLength(terms.length);
    let end = 32;
    for (const { offset, length } of places) {
      expect(offset).toBe(end);
      end += length;
    }
    expect(Math.ceil(end / 16) * 16).toBe(large.text.postings.length);
  });

  test("are not told of a text section that is not whole", () => {
    const { text } = large.text;
    for (let at = 0; at < text.length; at += 97) {
      const changed = text.slice();
      changed[at] = (changed[at] ?? 0) ^ 4;
      for (const bytes of [changed, text.subarray(0, at)])
        expect(builder.postingsPlaces(bytes, [])).toMatchObject({
          failure: { reason: "corrupt", what: expect.stringContaining("text section") },
        });
    }
  });
});

describe("pieces that are not what was written", () => {
  const asked = builder.analyze("renewal risk escalation order-77 stage7");
  const reduced = withPieces(large, asked);
  const pieces = reduced.text.postings as readonly PostingsPiece[];
  const loadPieces = (postings: readonly PostingsPiece[]) => {
    slab.clear();
    return slab.load({ ...large, text: { text: large.text.text, postings } });
  };

  test("are refused by name where they do not fit the section", () => {
    const bytes = new Uint8Array(8);
    const wrong: readonly (readonly PostingsPiece[])[] = [
      [...pieces].reverse(),
      [...pieces, ...pieces],
      [{ offset: 31, bytes }],
      [{ offset: large.text.postings.length, bytes }],
    ];
    for (const postings of wrong)
      expect(loadPieces(postings)).toMatchObject({
        failure: { reason: "corrupt", what: expect.stringContaining("pieces of postings") },
      });
  });

  test("are not those of a term when they are shorter or lie elsewhere", () => {
    const terms = builder.analyze("renewal");
    const [piece] = withPieces(large, terms).text.postings as readonly PostingsPiece[];
    if (piece === undefined) throw new Error("no piece");
    const { offset, bytes } = piece;
    for (const other of [
      { offset: offset + 1, bytes },
      { offset, bytes: bytes.subarray(1) },
    ]) {
      const part = expectOk(loadPieces([other]));
      expect(() => slab.proveTerms(part, terms)).toThrow(RangeError);
    }
  });

  test("are refused, or searched within bounds, whatever they hold", () => {
    const change = fc.record({ piece: fc.nat(pieces.length - 1), at: fc.nat(), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const changed = pieces.map(({ offset, bytes }) => ({ offset, bytes: bytes.slice() }));
        for (const { piece, at, value } of changes) {
          const bytes = changed[piece]?.bytes ?? new Uint8Array(1);
          bytes[at % bytes.length] = value;
        }
        const part = expectOk(loadPieces(changed));
        const all = slab.documentsOf(part, slab.allRows(part));
        const proved = slab.proveTerms(part, asked);
        if (proved.ok) {
          const found = slab.searchText(part, parametersOf(asked), all, DOCUMENTS);
          expect(found.documents.every((document) => document < DOCUMENTS)).toBe(true);
        } else {
          expect(proved.failure).toMatchObject({
            reason: "corrupt",
            what: expect.stringContaining("postings section"),
          });
          expect(() => slab.searchText(part, parametersOf(asked), all, 10)).toThrow("a search");
        }
      }),
      { numRuns: 500 },
    );
  });

  test("cannot pass for a whole section, nor a whole section for them", () => {
    const stored = new Uint8Array(64);
    new DataView(stored.buffer).setUint32(0, 0x50505043, true);
    slab.clear();
    expect(slab.load({ ...large, text: { text: large.text.text, postings: stored } })).toMatchObject({
      failure: { what: "postings section, which is of another kind" },
    });
  });
});
