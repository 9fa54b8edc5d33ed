/** A part with an excerpt of its text answers for the excerpt's terms as one with all of it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AskedTerm, LoadedPart, PagedText, PartSections, SectionPlace, TextSections } from "../../core/ports.ts";
import { anyTexts, builder, expectOk, sectionsOf, slab, type WholeSections } from "./fixture.ts";

const FIELDS = ["word", "whole", "question"] as const;
const absent: readonly AskedTerm[] = FIELDS.flatMap((field) => [
  { field, term: "zzz" },
  { field, term: "a" },
  { field, term: "renewalrenewalrenewal" },
]);

/** Pieces of sections, and how many bytes of them were asked. */
function paged({ text, postings }: TextSections) {
  const read = { bytes: 0 };
  const piecesOf = (bytes: Uint8Array) => (places: readonly SectionPlace[]) =>
    places.map(({ offset, length }) => {
      if (offset + length > bytes.length) throw new Error("beyond the section");
      read.bytes += length;
      return bytes.slice(offset, offset + length);
    });
  const source: PagedText = {
    textBytes: text.length,
    textStart: (length) => piecesOf(text)([{ offset: 0, length }])[0] ?? new Uint8Array(0),
    startBytes: 0,
    textPieces: piecesOf(text),
    postingsPieces: piecesOf(postings),
  };
  return { source, read };
}

function excerpt(sections: WholeSections, terms: readonly AskedTerm[]): PartSections {
  return { ...sections, text: slab.excerptOf(paged(sections.text).source, terms), vectors: null };
}

function loadOnly(sections: PartSections): LoadedPart {
  slab.clear();
  return expectOk(slab.load(sections));
}

function termsOf(sections: PartSections): readonly AskedTerm[] {
  const part = loadOnly(sections);
  return FIELDS.flatMap((field) => slab.termsWithPrefix(part, field, "", 500).map(({ term }) => ({ field, term })));
}

/** All that can be asked of some terms. */
function answersOf(sections: PartSections, terms: readonly AskedTerm[]) {
  const part = loadOnly(sections);
  expect(slab.proveTerms(part, terms)).toEqual({ ok: true, value: null });
  const counted = terms.map(({ field, term }) => ({ field, term, count: 1 }));
  const weighted = terms.map(({ field, term }, index) => ({ field, term, weight: 1 + index / 7 }));
  const parameters = { terms: weighted, k1: 0.9, b: 0.4, averageLength: 5, averageQuestionLength: 3 };
  return [slab.allRows(part), slab.rowsBefore(part, Math.floor((2 * sections.rows) / 3))].map((rows) => {
    const documents = slab.documentsOf(part, rows);
    const found = slab.searchText(part, parameters, documents, 50);
    return {
      found,
      statistics: slab.statistics(part, counted, documents),
      explained: [...found.documents].map((document) => slab.explainText(part, parameters, document)),
    };
  });
}

describe("an excerpt of text", () => {
  test("answers bit for bit as the whole, of terms that are there and of others", () => {
    fc.assert(
      fc.property(anyTexts, anyTexts, fc.infiniteStream(fc.boolean()), (ofTexts, ofQuestions, chosen) => {
        const asked = ofTexts.map((_, i) => ofQuestions[i] ?? "");
        const sections = sectionsOf({ texts: ofTexts, questions: asked });
        const terms = [...termsOf(sections), ...absent].filter(() => chosen.next().value);
        expect(answersOf(excerpt(sections, terms), terms)).toEqual(answersOf({ ...sections, vectors: null }, terms));
      }),
      { numRuns: 60 },
    );
  });

  // Terms that agree in their first eight bytes and more, over several blocks of the dictionary; some with bounds.
  const texts = Array.from(
    { length: 900 },
    (_, i) => `renewal commonprefix${i % 300} ${i % 5 === 0 ? "risk" : ""} id-${i}`,
  );
  const large = sectionsOf({ texts });

  test("finds terms of any block, in any order and more than once", () => {
    const every = termsOf(large);
    const some = [...every.filter((_, i) => i % 17 === 3), ...absent].reverse();
    for (const terms of [some, [...some, ...some], every.slice(0, 1), every.slice(-1), []])
      expect(answersOf(excerpt(large, terms), terms)).toEqual(answersOf(large, terms));
  });

  test("reads little of the sections", () => {
    const { source, read } = paged(large.text);
    slab.excerptOf(source, builder.analyze("renewal commonprefix7"));
    expect(read.bytes).toBeLessThan((large.text.text.length + large.text.postings.length) / 2);
  });
});

test("a part without text throws when it is asked for text, and one without times when it is asked for times", () => {
  const sections = sectionsOf({ texts: ["renewal", "risk"] });
  const part = loadOnly({ ...sections, text: null, rowTimes: null, rowOfDocument: null });
  const all = slab.documentsOf(part, slab.allRows(part));
  expect(slab.countDocuments(part, all)).toBe(2);
  expect(() => slab.statistics(part, builder.analyze("risk"), all)).toThrow("without text");
  expect(() => slab.rowsInTime(part, 0, 1)).toThrow("without times");
});

test("a bitset is carried between loadings of one part only", () => {
  const sections = sectionsOf({ texts: ["renewal", "risk", "owner"] });
  const first = loadOnly(sections);
  const second = expectOk(slab.load({ ...sections, text: null }));
  const other = expectOk(slab.load(sectionsOf({ texts: ["renewal"] })));
  const bits = slab.rowsWhere(first, Uint32Array.of(1));
  expect(() => slab.countRows(second, bits)).toThrow("another part");
  expect(slab.countRows(second, slab.carry(first, bits, second))).toBe(1);
  expect(() => slab.carry(first, bits, other)).toThrow("two parts");
});
