/** Data of the benchmarks: the same on every machine, and shaped as their files say. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Corpus } from "../../bench/kernel/corpus.ts";
import { packCorpus, unpackCorpus } from "../../bench/kernel/corpus_bytes.ts";
import { ENTITIES, filterFields, filtersOf, matcherOf } from "../../bench/kernel/filter_data.ts";
import { randomNumbers } from "../../bench/kernel/random.ts";
import { proseDocuments } from "../../bench/kernel/text_data.ts";
import { clusteredVectors } from "../../bench/kernel/vector_data.ts";

const digest = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16);
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

describe("chance", () => {
  it("repeats for a seed and differs between seeds", () => {
    const draw = (seed: number): readonly number[] => Array.from({ length: 5 }, randomNumbers(seed).bits);
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it("is even, and its normal numbers have mean 0 and variance 1", () => {
    const random = randomNumbers(7);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) {
      const drawn = random.below(10);
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    const normal = Array.from({ length: 20_000 }, random.normal);
    const mean = normal.reduce((sum, x) => sum + x, 0) / normal.length;
    expect(Math.abs(mean)).toBeLessThan(0.05);
    expect(Math.abs(normal.reduce((sum, x) => sum + (x - mean) ** 2, 0) / normal.length - 1)).toBeLessThan(0.05);
    for (const count of counts) expect(Math.abs(count - 2_000)).toBeLessThan(200);
  });
});

describe("clustered vectors", () => {
  const { rows, queries } = clusteredVectors(300, 12, 40, 5);

  it("are the same bytes everywhere", () => {
    expect(digest(bytesOf(rows.values))).toBe("86831332a64a1b3a");
    expect(digest(queries.map((query) => digest(bytesOf(query))).join())).toBe("376f1c2b6898cb92");
  });

  it("have length 1, and no two questions are equal", () => {
    for (let row = 0; row < rows.count; row++) {
      const squares = rows.values.subarray(row * 12, row * 12 + 12).reduce((sum, x) => sum + x * x, 0);
      expect(squares).toBeCloseTo(1, 5);
    }
    expect(new Set(queries.map(String)).size).toBe(queries.length);
  });
});

describe("prose", () => {
  const { documents, queries } = proseDocuments(200, 64, 5);

  it("is the same text everywhere", () => {
    expect(digest(documents.join("\n"))).toBe("71be1dc7f537b1c3");
    expect(digest(queries.join("\n"))).toBe("ebe8f8489c866cfa");
  });

  it("has about seventy words a document, in sentences", () => {
    const words = documents.map((document) => document.split(" ").length);
    expect(words.reduce((sum, count) => sum + count, 0) / words.length).toBeCloseTo(70, -1);
    for (const document of documents) expect(document).toMatch(/^[A-Z][a-z ]*\.( [A-Z][a-z ]*\.)*$/);
  });

  it("is asked for with one to eight words in turn, never twice with the same", () => {
    queries.forEach((query, index) => {
      expect(query.split(" ")).toHaveLength(1 + (index % 8));
    });
    expect(new Set(queries).size).toBe(queries.length);
  });
});

describe("filters", () => {
  const documents = 20_000;
  const fields = filterFields(documents, 3);
  const shareOf = (kind: Parameters<typeof filtersOf>[0]): readonly number[] =>
    filtersOf(kind, documents, 5, 9).map((filter) => {
      const matches = matcherOf(filter, fields);
      return Array.from({ length: documents }, (_, row) => matches?.(row)).filter(Boolean).length / documents;
    });

  it.each([0.5, 0.1, 0.01, 0.001])("of %d of the documents match about as many", (share) => {
    for (const matched of shareOf({ share })) {
      expect(matched).toBeGreaterThan(share / 2);
      expect(matched).toBeLessThan(share * 2);
    }
  });

  it("of half of the entities and half of the time match a quarter", () => {
    for (const matched of shareOf("entities and time")) expect(matched).toBeCloseTo(0.25, 1);
    for (const filter of filtersOf("entities and time", documents, 3, 1))
      expect(filter.kind === "entities" && new Set(filter.ids).size).toBe(ENTITIES / 2);
  });
});

describe("a corpus", () => {
  it("is itself again after a request's body", () => {
    const { rows } = clusteredVectors(11, 5, 1, 5);
    const whole: Corpus = {
      name: "a",
      documents: 11,
      texts: proseDocuments(11, 1, 1).documents,
      vectors: rows,
      fields: filterFields(11, 2),
    };
    for (const corpus of [whole, { ...whole, fields: null }, { ...whole, texts: null }, { ...whole, vectors: null }])
      expect(unpackCorpus(packCorpus(corpus).buffer)).toEqual(corpus);
  });
});
