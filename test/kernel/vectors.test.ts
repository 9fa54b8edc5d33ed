import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Metric, VectorSections } from "../../core/ports.ts";
import { anySubset, bestFirst, builder, documentBits, loadOnly, slab } from "./fixture.ts";
import { quantize, scoreOf } from "./vector_oracle.ts";

const anyMetric = fc.constantFrom<Metric>("cosine", "dot", "l2");
const anyNumber = fc.oneof(
  fc.float({ min: -1, max: 1, noNaN: true }),
  fc.constantFrom(0, 1, -1, 0.5),
  fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-1e6), max: Math.fround(1e6) }),
);

function anyVector(dimensions: number): fc.Arbitrary<Float32Array> {
  return fc
    .array(anyNumber, { minLength: dimensions, maxLength: dimensions })
    .map((values) => Float32Array.from(values));
}

interface Case {
  readonly dimensions: number;
  readonly metric: Metric;
  readonly vectors: readonly (Float32Array | null)[];
  readonly query: Float32Array;
  readonly matches: readonly number[];
}

const anyCase: fc.Arbitrary<Case> = fc
  .tuple(fc.integer({ min: 1, max: 40 }), anyMetric, fc.integer({ min: 0, max: 60 }))
  .chain(([dimensions, metric, count]) =>
    fc.record({
      dimensions: fc.constant(dimensions),
      metric: fc.constant(metric),
      vectors: fc.array(fc.option(anyVector(dimensions), { freq: 6 }), { minLength: count, maxLength: count }),
      query: anyVector(dimensions),
      matches: anySubset(count),
    }),
  );

function load({ dimensions, metric, vectors }: Case) {
  return loadOnly({ texts: vectors.map(() => ""), vectors, dimensions, metric });
}

function hasDirection(vector: Float32Array | null, metric: Metric): vector is Float32Array {
  return vector !== null && (metric !== "cosine" || vector.some((value) => value !== 0));
}

function expectedOf({ metric, vectors, query, matches }: Case) {
  if (!hasDirection(query, metric)) return [];
  const asked = quantize(query, metric);
  return matches.flatMap((document) => {
    const vector = vectors[document] ?? null;
    return hasDirection(vector, metric) ? [{ document, score: scoreOf(quantize(vector, metric), asked, metric) }] : [];
  });
}

describe("vector search", () => {
  test("is brute force over the stored representation, bit for bit", () => {
    fc.assert(
      fc.property(anyCase, fc.integer({ min: 0, max: 70 }), (sample, limit) => {
        const part = load(sample);
        const found = slab.searchVectors(part, sample.query, documentBits(part, sample.matches), limit, null);
        const expected = bestFirst(expectedOf(sample), limit);
        expect([...found.documents]).toEqual(expected.map(({ document }) => document));
        expect([...found.scores]).toEqual(expected.map(({ score }) => score));
      }),
      { numRuns: 200 },
    );
  });

  test("scores one document as the search does", () => {
    fc.assert(
      fc.property(anyCase, (sample) => {
        const part = load(sample);
        const expected = new Map(expectedOf(sample).map(({ document, score }) => [document, score]));
        for (const document of sample.matches) {
          expect(slab.scoreVector(part, sample.query, document)).toBe(expected.get(document) ?? null);
        }
      }),
      { numRuns: 50 },
    );
  });

  test.each([1, 16, 17, 384, 509, 512, 513, 1_025, 2_048, 2_049, 4_096])(
    "of %i dimensions keeps 15 bits of each",
    (dimensions) => {
      const random = randomNumbers(dimensions);
      const vectors = Array.from({ length: 9 }, () => Float32Array.from({ length: dimensions }, random));
      vectors.push(new Float32Array(dimensions).fill(1), new Float32Array(dimensions).fill(-1));
      const query = new Float32Array(dimensions).fill(1);
      const sample = { dimensions, metric: "cosine" as const, vectors, query, matches: vectors.map((_, i) => i) };
      const part = load(sample);
      const found = slab.searchVectors(part, query, documentBits(part, sample.matches), vectors.length, null);
      expect([...found.documents]).toEqual(
        bestFirst(expectedOf(sample), vectors.length).map(({ document }) => document),
      );
      found.documents.forEach((document, rank) => {
        const vector = vectors[document] ?? new Float32Array();
        expect(Math.abs((found.scores[rank] ?? 0) - trueCosine(vector, query))).toBeLessThan(2e-4);
      });
    },
  );

  test.each([24, 520])(
    "does not lose a neighbour of %i dimensions among many that are nearly as near",
    (dimensions) => {
      const random = randomNumbers(7);
      const centre = Float32Array.from({ length: dimensions }, random);
      const vectors = Array.from({ length: dimensions > 500 ? 700 : 3_000 }, () =>
        centre.map((value) => value + random() * 0.004),
      );
      for (const metric of ["cosine", "dot", "l2"] as const) {
        const sample = { dimensions, metric, vectors, query: centre, matches: vectors.map((_, i) => i) };
        const part = load(sample);
        const found = slab.searchVectors(part, centre, documentBits(part, sample.matches), 20, null);
        const expected = bestFirst(expectedOf(sample), 20);
        expect([...found.documents]).toEqual(expected.map(({ document }) => document));
        expect([...found.scores]).toEqual(expected.map(({ score }) => score));
      }
    },
  );

  test("puts equal vectors in document order", () => {
    const vector = Float32Array.of(1, 2, 3);
    const part = loadOnly({ texts: Array(50).fill(""), vectors: Array(50).fill(vector), dimensions: 3, metric: "l2" });
    const found = slab.searchVectors(part, vector, documentBits(part, [40, 3, 7, 21]), 3, null);
    expect([...found.documents]).toEqual([3, 7, 21]);
    expect([...found.scores]).toEqual([0, 0, 0]);
  });

  test.each([
    ["dot", 1e38, 1e-3],
    ["l2", 1e38, 1e-3],
    ["dot", 1e30, 1e17],
    ["cosine", 1e38, 1e38],
  ] as const)("loses none whose numbers leave 32 bits on the way: %s, %f, %f", (metric, stored, asked) => {
    const random = randomNumbers(11);
    const dimensions = 512;
    const of = (scale: number) => Float32Array.from({ length: dimensions }, () => scale * (0.75 + random() / 2));
    const vectors = Array.from({ length: 40 }, () => of(-stored));
    const sample = { dimensions, metric, vectors, query: of(asked), matches: vectors.map((_, i) => i) };
    const part = load(sample);
    const found = slab.searchVectors(part, sample.query, documentBits(part, sample.matches), 5, null);
    const expected = bestFirst(expectedOf(sample), 5);
    expect([...found.documents]).toEqual(expected.map(({ document }) => document));
  });

  test("takes the greatest numbers there are", () => {
    const most = 3.4028234663852886e38;
    for (const metric of ["cosine", "dot", "l2"] as const) {
      const part = loadOnly({
        texts: ["", ""],
        vectors: [Float32Array.of(most, -most), Float32Array.of(-most, most)],
        dimensions: 2,
        metric,
      });
      const found = slab.searchVectors(part, Float32Array.of(most, -most), documentBits(part, [0, 1]), 2, null);
      expect([...found.documents]).toEqual([0, 1]);
      expect(found.scores.every(Number.isFinite)).toBe(true);
    }
  });
});

describe("the vector section", () => {
  test("refuses what no edge lets in", () => {
    expect(() => builder.vectorSections([{ vectors: [Float32Array.of(1, Number.NaN)] }], 2, "dot")).toThrow(
      "not finite",
    );
    expect(() => builder.vectorSections([{ vectors: [Float32Array.of(Number.POSITIVE_INFINITY)] }], 1, "dot")).toThrow(
      "not finite",
    );
    expect(() => builder.vectorSections([{ vectors: [Float32Array.of(1, 2)] }], 3, "dot")).toThrow("dimensions");
    const part = loadOnly({ texts: [""], vectors: [Float32Array.of(1, 2)], dimensions: 2 });
    const all = documentBits(part, [0]);
    expect(() => slab.searchVectors(part, Float32Array.of(1), all, 1, null)).toThrow("dimensions");
    expect(() => slab.searchVectors(part, Float32Array.of(1, Number.NaN), all, 1, null)).toThrow("not finite");
  });

  test("has the same bytes whether vectors are given or taken over from other sections", () => {
    const anyCut = fc.tuple(anyCase, fc.nat(60), fc.nat(60), fc.boolean());
    fc.assert(
      fc.property(anyCut, ([{ vectors, dimensions, metric }, first, second, isTaken]) => {
        const sectionsOf = (some: readonly (Float32Array | null)[]) =>
          builder.vectorSections([{ vectors: some }], dimensions, metric);
        const from = Math.min(first, vectors.length);
        const to = Math.min(from + second, vectors.length);
        const middle = vectors.slice(from, to);
        const joined = builder.vectorSections(
          [
            // More is there than is taken.
            { sections: sectionsOf(vectors), documents: from },
            isTaken ? { sections: sectionsOf(middle), documents: middle.length } : { vectors: middle },
            { sections: sectionsOf(vectors.slice(to)), documents: vectors.length - to },
          ],
          dimensions,
          metric,
        );
        expect(joined).toEqual(sectionsOf(vectors));
      }),
      { numRuns: 100 },
    );
  });

  test("takes nothing over from what is damaged or does not fit", () => {
    const sections = builder.vectorSections([{ vectors: [Float32Array.of(1, 2)] }], 2, "dot");
    const take = (from: VectorSections, dimensions: number, metric: Metric) => () =>
      builder.vectorSections([{ sections: from, documents: 1 }], dimensions, metric);
    expect(take(sections, 2, "dot")()).toEqual(sections);
    expect(take({ ...sections, codes: sections.codes.slice(16) }, 2, "dot")).toThrow("another kind");
    expect(
      take({ ...sections, residuals: sections.residuals.map((byte, i) => byte ^ Number(i === 70)) }, 2, "dot"),
    ).toThrow("checksum");
    expect(take(sections, 3, "dot")).toThrow("dimensions");
    expect(take(sections, 2, "l2")).toThrow("another metric");
  });

  test("may be absent", () => {
    const part = loadOnly({ texts: ["a"] });
    expect(slab.searchVectors(part, Float32Array.of(1), documentBits(part, [0]), 5, null).documents).toHaveLength(0);
    expect(slab.scoreVector(part, Float32Array.of(1), 0)).toBeNull();
  });
});

function trueCosine(a: Float32Array, b: Float32Array): number {
  let product = 0;
  let squaresA = 0;
  let squaresB = 0;
  a.forEach((value, i) => {
    product += value * (b[i] ?? 0);
    squaresA += value * value;
    squaresB += (b[i] ?? 0) ** 2;
  });
  return product / Math.sqrt(squaresA * squaresB);
}

/** Uniform in −½ … ½, from a seed. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}
