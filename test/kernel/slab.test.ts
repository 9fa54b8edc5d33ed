import { describe, expect, test } from "vitest";
import { createKernelSlab } from "../../wasm/kernel_slab.ts";
import { bestFirst, builder, documentBits, expectOk, kernelModule, loadOnly, sectionsOf, slab } from "./fixture.ts";

const MIB = 1024 * 1024;
const TEXTS = ["renewal risk", "invoice EMEA-2022-152156", "", "renewal renewal"];

describe("several parts in one slab", () => {
  test("are searched apart, and each as if it were alone", () => {
    const corpora = [TEXTS, ["risk risk"], [], TEXTS.slice(1)].map((texts) => ({
      texts,
      vectors: texts.map((_, i) => Float32Array.of(i + 1, 1)),
      dimensions: 2,
    }));
    const query = builder.analyze("renewal risk");
    const parameters = {
      terms: query.map((term) => ({ ...term, weight: 1 })),
      k1: 0.9,
      b: 0.4,
      averageLength: 2,
      averageQuestionLength: 0,
    };
    const alone = corpora.map((corpus) => searchAll(loadOnly(corpus), corpus.texts.length));
    slab.clear();
    const parts = corpora.map((corpus) => expectOk(slab.load(sectionsOf(corpus))));
    expect(parts.map((part, i) => searchAll(part, corpora[i]?.texts.length ?? 0))).toEqual(alone);

    function searchAll(part: (typeof parts)[number], documents: number) {
      const all = documentBits(
        part,
        Array.from({ length: documents }, (_, i) => i),
      );
      return [
        slab.searchText(part, parameters, all, 10),
        slab.searchVectors(part, Float32Array.of(1, 0), all, 10, null),
      ];
    }
  });

  test("are unloaded from the last on, and give their room back", () => {
    slab.clear();
    const empty = slab.freeBytes();
    const first = expectOk(slab.load(sectionsOf({ texts: TEXTS })));
    const afterFirst = slab.freeBytes();
    const second = expectOk(slab.load(sectionsOf({ texts: TEXTS })));
    expect(() => slab.unload(first)).toThrow("loaded last");
    slab.unload(second);
    expect(slab.freeBytes()).toBe(afterFirst);
    slab.unload(first);
    expect(slab.freeBytes()).toBe(empty);
    expect(() => slab.allRows(first)).toThrow("not loaded");
  });
});

describe("capacity", () => {
  test("is what sizeOf says: parts fit until their sum exceeds it, then are refused and nothing changes", () => {
    const small = createKernelSlab(kernelModule, MIB);
    const texts = Array.from({ length: 400 }, (_, i) => `alpha beta gamma delta ${i} identifier-${i}`);
    const sections = sectionsOf({ texts, columns: [Uint32Array.from(texts, (_, i) => i)] });
    const size = small.sizeOf(sections);
    let used = 0;
    while (used + size <= small.capacityBytes) {
      expect(size).toBeLessThanOrEqual(small.freeBytes());
      expectOk(small.load(sections));
      used += size;
    }
    while (size <= small.freeBytes()) expectOk(small.load(sections));
    const free = small.freeBytes();
    const refused = small.load(sections);
    expect(refused).toEqual({
      ok: false,
      failure: { reason: "too_large", what: "a part", size, max: free, unit: "bytes" },
    });
    expect(small.freeBytes()).toBe(free);
  });

  test("always leaves room for the widest search of a full slab", () => {
    const small = createKernelSlab(kernelModule, MIB);
    const dimensions = 16;
    const corpusOf = (documents: number) => {
      const texts = Array.from({ length: documents }, (_, i) => `t${i % 1_024}`);
      const vectors = texts.map((_, i) => Float32Array.from({ length: dimensions }, (_, j) => Math.sin(i * 17 + j)));
      return sectionsOf({ texts, vectors, dimensions });
    };
    let documents = 12_000;
    while (small.sizeOf(corpusOf(documents)) > small.capacityBytes) documents -= 200;
    const part = expectOk(small.load(corpusOf(documents)));
    const all = small.documentsOf(part, small.not(part, small.noRows(part)));
    const terms = Array.from({ length: 1_024 }, (_, i) => ({ field: "word" as const, term: `t${i}`, weight: 1 }));
    const parameters = { terms, k1: 0.9, b: 0.4, averageLength: 1, averageQuestionLength: 0 };
    expect(small.searchText(part, parameters, all, 5_000).documents.length).toBe(Math.min(5_000, documents));
    const query = Float32Array.from({ length: dimensions }, (_, j) => Math.cos(j));
    const found = small.searchVectors(part, query, all, 5_000, null);
    const every = Array.from({ length: documents }, (_, document) => ({
      document,
      score: small.scoreVector(part, query, document) ?? 0,
    }));
    expect([...found.documents]).toEqual(bestFirst(every, 5_000).map(({ document }) => document));
  });

  test("of a part that no slab could hold is refused before anything is copied", () => {
    const sections = { ...sectionsOf({ texts: TEXTS }), columns: [Uint32Array.of(0, 4_294_967_295, 0, 0)] };
    slab.clear();
    expect(slab.load(sections)).toMatchObject({ ok: false, failure: { reason: "too_large" } });
  });
});
