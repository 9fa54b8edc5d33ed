import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LoadedPart, PartSections, QueryTerm } from "../../core/ports.ts";
import { questionTerms } from "../../wasm/query_terms.ts";
import { builder, sectionsOf, slab, type WholeSections } from "./fixture.ts";
import { resealed } from "./resealed.ts";

const CHECKSUM_AT = 16;
const COVERED_FROM = 24;
const POSTINGS_CHECKSUM_AT = 72;

/** Enough for full blocks of postings and a tail. */
const DOCUMENTS = 300;
const TEXTS = Array.from(
  { length: DOCUMENTS },
  (_, i) =>
    `renewal ${i % 2 === 0 ? "risk" : ""} ${"pricing ".repeat(i % 5)} ${i % 9 === 0 ? `order-${i} customer${i}` : ""}`,
);
const DIMENSIONS = 20;
const sections: WholeSections = sectionsOf({
  texts: TEXTS,
  questions: TEXTS.map((_, i) => (i % 2 === 0 ? `who owns renewal ${i % 20}` : "")),
  vectors: TEXTS.map((_, i) =>
    i % 4 === 0 ? null : Float32Array.from({ length: DIMENSIONS }, (_, j) => Math.sin(i + j)),
  ),
  dimensions: DIMENSIONS,
  metric: "l2",
});

const NAMES = {
  text: "text section",
  postings: "postings section",
  codes: "vector codes",
  residuals: "vector residuals",
} as const;
type Section = keyof typeof NAMES;

function bytesOf(section: Section): Uint8Array {
  if (section === "text" || section === "postings") return sections.text[section];
  if (sections.vectors === null) throw new Error("no section");
  return sections.vectors[section];
}

function withBytes(section: Section, bytes: Uint8Array, isForged: boolean): PartSections {
  if (section === "text") return { ...sections, text: { ...sections.text, text: bytes } };
  if (section === "postings")
    return { ...sections, text: { text: isForged ? naming(bytes) : sections.text.text, postings: bytes } };
  if (sections.vectors === null) throw new Error("no section");
  return { ...sections, vectors: { ...sections.vectors, [section]: bytes } };
}

/** The text section says which postings are its own: a forger makes it say so. */
function naming(postings: Uint8Array): Uint8Array {
  const named = sections.text.text.slice();
  named.set(postings.slice(CHECKSUM_AT, COVERED_FROM), POSTINGS_CHECKSUM_AT);
  return resealed(named);
}

function load(section: Section, bytes: Uint8Array, isForged = false) {
  slab.clear();
  return slab.load(withBytes(section, bytes, isForged));
}

/** All of the dictionary, of whatever is asked, and one that nothing has. */
function searchTerms(part: LoadedPart): readonly QueryTerm[] {
  const asked = builder.analyze("renewal risk order-9 customer18 absent");
  const listed = (["word", "whole", "question"] as const).flatMap((field) =>
    slab.termsWithPrefix(part, field, "", 100).map(({ term }) => ({ field, term, count: 1 })),
  );
  return [...asked, ...questionTerms(asked), ...listed];
}

const parametersOf = (terms: readonly QueryTerm[]) => ({
  terms: terms.map((term) => ({ ...term, weight: 1 })),
  k1: 0.9,
  b: 0.4,
  averageLength: 4,
  averageQuestionLength: 3,
});

/** Whatever was accepted can be searched without leaving its bounds; of terms, those that were proved. */
function searchEverything(section: Section, bytes: Uint8Array): void {
  const loaded = load(section, bytes, true);
  if (!loaded.ok) {
    expect(loaded.failure.reason).toBe("corrupt");
    return;
  }
  const part = loaded.value;
  const all = slab.documentsOf(part, slab.allRows(part));
  const terms = searchTerms(part).filter((term) => isProved(part, term));
  expect(slab.statistics(part, terms, all).df).toHaveLength(terms.length);
  const some = slab.documentsOf(part, slab.rowsBefore(part, TEXTS.length - 1));
  expect(slab.statistics(part, terms, some).df.every((df) => df < TEXTS.length)).toBe(true);
  const parameters = parametersOf(terms);
  slab.explainText(part, parameters, TEXTS.length - 1);
  const found = slab.searchText(part, parameters, all, 100);
  expect(found.documents.every((document) => document < TEXTS.length)).toBe(true);
  const dimensions = new DataView(bytesOf("codes").slice().buffer).getUint32(32, true);
  const query = new Float32Array(dimensions).fill(1);
  try {
    const near = slab.searchVectors(part, query, all, 100, null);
    expect(near.documents.every((document) => document < TEXTS.length)).toBe(true);
  } catch (error) {
    expect(String(error)).toContain("dimensions");
  }
}

/** A term whose postings are not whole is refused by name, and gives no answer to whoever asks all the same. */
function isProved(part: LoadedPart, term: QueryTerm): boolean {
  const proved = slab.proveTerms(part, [term]);
  if (proved.ok) return true;
  expect(proved.failure).toMatchObject({ reason: "corrupt", what: expect.stringContaining(NAMES.postings) });
  const all = slab.documentsOf(part, slab.allRows(part));
  const calls = [
    () => slab.statistics(part, [term], all),
    () => slab.searchText(part, parametersOf([term]), all, 10),
    () => slab.explainText(part, parametersOf([term]), 0),
  ];
  for (const call of calls) expect(call).toThrow(/a (postings section|search) (has|holds|is)/);
  return false;
}

describe.each<Section>(["text", "postings", "codes", "residuals"])("the %s section", (section) => {
  test("is refused by name when any byte changed", () => {
    const bytes = bytesOf(section);
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      const loaded = load(section, changed);
      expect(loaded, `byte ${at}`).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
      if (!loaded.ok && loaded.failure.reason === "corrupt") {
        expect(loaded.failure.what).toContain(NAMES[section]);
      }
    }
  });

  test("is refused when truncated or extended anywhere", () => {
    const bytes = bytesOf(section);
    for (let length = 0; length < bytes.length; length++) {
      expect(load(section, bytes.slice(0, length)), `length ${length}`).toMatchObject({ ok: false });
    }
    const longer = new Uint8Array(bytes.length + 16);
    longer.set(bytes);
    expect(load(section, longer)).toMatchObject({ ok: false });
    expect(load(section, resealed(bytes.slice(0, bytes.length - 16)), true)).toMatchObject({ ok: false });
  });

  test("with a checksum made right again is refused or searched within bounds, whatever changed", () => {
    const bytes = bytesOf(section);
    const anyChange = fc.record({
      at: fc.oneof(fc.nat(bytes.length - 1), fc.nat(127)),
      value: fc.oneof(fc.nat(255), fc.constantFrom(0, 127, 128, 255)),
    });
    fc.assert(
      fc.property(fc.array(anyChange, { minLength: 1, maxLength: 6 }), (changes) => {
        const changed = bytes.slice();
        for (const { at, value } of changes) changed[at] = value;
        searchEverything(section, resealed(changed));
      }),
      { numRuns: 2_000 },
    );
  });

  test("of an unknown version or another kind is refused saying so", () => {
    const newer = bytesOf(section).slice();
    newer[4] = 9;
    expect(load(section, newer)).toMatchObject({
      failure: { what: expect.stringContaining("unknown format version") },
    });
    const other = bytesOf(section === "text" ? "codes" : "text");
    expect(load(section, other)).toMatchObject({ failure: { what: expect.stringContaining("another kind") } });
  });
});

describe("with its checksum made right again", () => {
  const LAST_DOCUMENT = DOCUMENTS - 1;

  test("a posting of a document that does not exist is refused", () => {
    const withLastPosting = (document: number) => {
      const bytes = bytesOf("postings").slice();
      const view = new DataView(bytes.buffer);
      // The last term, “who” of the questions, has one block and a tail; each of its gaps is 2, so a byte.
      const end = 32 + view.getUint32(28, true);
      bytes[end - 1] = ((document - (LAST_DOCUMENT - 3) - 1) << 1) | 1;
      return load("postings", resealed(bytes), true);
    };
    const who = { field: "question", term: "who", count: 1 } as const;
    const proved = (document: number) => {
      const loaded = withLastPosting(document);
      if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure));
      expect(slab.proveTerms(loaded.value, builder.analyze("renewal"))).toEqual({ ok: true, value: null });
      return slab.proveTerms(loaded.value, [who]);
    };
    expect(proved(LAST_DOCUMENT).ok).toBe(true);
    const refused = { reason: "corrupt", what: "postings section, which is out of order" };
    expect(proved(LAST_DOCUMENT + 1)).toEqual({ ok: false, failure: refused });
  });

  test("postings of another text are refused", () => {
    const others = builder.textSections([...TEXTS.slice(1), "renewal"], null);
    slab.clear();
    expect(slab.load({ ...sections, text: { ...sections.text, postings: others.postings } })).toMatchObject({
      failure: { what: expect.stringContaining("postings section") },
    });
  });

  test("a vector of a document that does not exist, or out of order, is refused", () => {
    const count = new DataView(bytesOf("codes").slice().buffer).getUint32(28, true);
    const withLastDocument = (document: number) => {
      const bytes = bytesOf("codes").slice();
      new DataView(bytes.buffer).setUint32(64 + 4 * (count - 1), document, true);
      return load("codes", resealed(bytes));
    };
    expect(withLastDocument(LAST_DOCUMENT).ok).toBe(true);
    expect(withLastDocument(LAST_DOCUMENT + 1)).toMatchObject({ failure: { what: expect.stringContaining("number") } });
    expect(withLastDocument(0)).toMatchObject({ failure: { what: expect.stringContaining("order") } });
  });

  test("a scale that is not finite is refused", () => {
    const bytes = bytesOf("codes").slice();
    const view = new DataView(bytes.buffer);
    const slots = Math.ceil(view.getUint32(28, true) / 16) * 16;
    view.setFloat32(64 + 4 * slots, Number.NaN, true);
    expect(load("codes", resealed(bytes))).toMatchObject({ failure: { what: expect.stringContaining("number") } });
  });
});

describe("rows", () => {
  test("that do not agree with each other are refused", () => {
    const wrong: readonly Partial<PartSections>[] = [
      { rowOfDocument: sections.rowOfDocument.slice(1) },
      { rowOfDocument: sections.rowOfDocument.map((row) => DOCUMENTS - 1 - row) },
      { rowOfDocument: sections.rowOfDocument.map(() => DOCUMENTS) },
      { rowTimes: new Float64Array(DOCUMENTS - 1) },
      { rowTimes: new Float64Array(DOCUMENTS).fill(Number.NaN) },
      { columns: [new Uint32Array(DOCUMENTS - 1)] },
      { vectors: { codes: new Uint8Array(), residuals: new Uint8Array(), graph: null } },
      { documents: DOCUMENTS + 1, rowOfDocument: new Uint32Array(DOCUMENTS + 1) },
    ];
    for (const change of wrong) {
      slab.clear();
      const free = slab.freeBytes();
      expect(slab.load({ ...sections, ...change })).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
      expect(slab.freeBytes()).toBe(free);
    }
  });
});
