/** Vectors whose residuals are paged are found and scored as those that are in memory whole. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PartVectors } from "../../core/index/part.ts";
import { BOUNDS_MAX } from "../../core/limits.ts";
import type { LoadedPart, Metric, VectorSections } from "../../core/ports.ts";
import { PagedVectorLeg } from "../../core/retrieval/paged_vectors.ts";
import { createKernelSlab } from "../../wasm/kernel_slab.ts";
import { builder, expectOk, kernelModule } from "../kernel/fixture.ts";
import { clustered, randomNumbers, withGraph } from "../kernel/graph_fixture.ts";

const slab = createKernelSlab(kernelModule, 8 * 1024 * 1024);

type Vectors = readonly (Float32Array | null)[];

function sectionsOf(vectors: Vectors, dimensions: number, metric: Metric): VectorSections {
  return builder.vectorSections([{ vectors }], dimensions, metric);
}

function load(documents: number, vectors: VectorSections): LoadedPart {
  const shape = { documents, rows: documents, rowOfDocument: null, text: null, columns: [], rowTimes: null };
  return expectOk(slab.load({ ...shape, vectors }));
}

/** Reads of residuals are counted. */
function pagedOf(sections: VectorSections, dimensions: number, reads: { count: number }): PartVectors {
  return {
    space: { model: "supplied", dimensions },
    from: 1,
    sections,
    paged: {
      bytes: 0,
      codesBytes: sections.codes.length,
      hasGraph: sections.graph !== null,
      codes: () => [sections.codes],
      residuals(places) {
        reads.count += places.length;
        return places.map(({ offset, length }) => sections.residuals.slice(offset, offset + length));
      },
    },
  };
}

interface Case {
  readonly parts: readonly { readonly documents: number; readonly sections: VectorSections }[];
  readonly metric: Metric;
  readonly query: Float32Array;
  readonly limit: number;
  /** Whether a document matches. */
  readonly matches: (document: number) => boolean;
}

/** By the search of each part whole, then by the two steps over all of them. */
function bothWays({ parts, metric, query, limit, matches }: Case) {
  const whole: { ordinal: number; score: number }[] = [];
  const reads = { count: 0 };
  const leg = new PagedVectorLeg(slab, metric, query, limit);
  let base = 0;
  for (const { documents, sections } of parts) {
    const matching = Uint32Array.from({ length: documents }, (_, i) => i).filter(matches);
    slab.clear();
    const all = load(documents, sections);
    const found = slab.searchVectors(all, query, slab.rowsWhere(all, matching), limit, null);
    found.documents.forEach((document, index) => {
      whole.push({ ordinal: base + document, score: found.scores[index] ?? 0 });
    });
    slab.clear();
    const half = sections.codes.length >> 1;
    const codes = load(documents, {
      codes: [sections.codes.slice(0, half), sections.codes.slice(half)],
      residuals: null,
      graph: null,
    } as unknown as VectorSections);
    leg.search(codes, pagedOf(sections, query.length, reads), slab.rowsWhere(codes, matching), base);
    base += documents;
  }
  whole.sort((a, b) => b.score - a.score || a.ordinal - b.ordinal);
  return { whole: whole.slice(0, limit), paged: leg.best(), reads: reads.count };
}

const anyMetric = fc.constantFrom<Metric>("cosine", "dot", "l2");
/** Few values, so that many tie; some of any size. */
const anyNumber = fc.oneof(
  fc.constantFrom(0, 1, -1, 0.5),
  fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-1e6), max: Math.fround(1e6) }),
);

describe("a vector leg over paged parts", () => {
  test("is that of the parts in memory, to the last bit", () => {
    const sample = fc.tuple(fc.integer({ min: 1, max: 24 }), anyMetric).chain(([dimensions, metric]) => {
      const vector = fc
        .array(anyNumber, { minLength: dimensions, maxLength: dimensions })
        .map((values) => Float32Array.from(values));
      return fc.record({
        metric: fc.constant(metric),
        dimensions: fc.constant(dimensions),
        parts: fc.array(fc.array(fc.option(vector, { freq: 6 }), { minLength: 1, maxLength: 60 }), {
          minLength: 1,
          maxLength: 4,
        }),
        query: vector,
        limit: fc.integer({ min: 1, max: 30 }),
        keep: fc.constantFrom(1, 2, 5),
      });
    });
    fc.assert(
      fc.property(sample, ({ metric, dimensions, parts, query, limit, keep }) => {
        const sections = parts.map((vectors) => ({
          documents: vectors.length,
          sections: sectionsOf(vectors, dimensions, metric),
        }));
        const { whole, paged } = bothWays({
          parts: sections,
          metric,
          query,
          limit,
          matches: (document) => document % keep === 0,
        });
        expect(paged).toEqual(whole);
      }),
      { numRuns: 150 },
    );
  });

  const count = 3_000;
  const near = clustered(5, count, 96, 40);
  const random = randomNumbers(9);
  const query = Float32Array.from(near[17] ?? [], (value) => value + 0.1 * random());
  const blocks = sectionsOf(near, 96, "cosine");
  const cases: readonly (readonly [string, VectorSections])[] = [
    ["blocks", blocks],
    ["rows of a graph", withGraph(blocks)],
  ];

  test.each(cases)("reads few residuals of vectors in %s", (_, sections) => {
    const parts = Array.from({ length: 3 }, () => ({ documents: count, sections }));
    const { whole, paged, reads } = bothWays({ parts, metric: "cosine", query, limit: 10, matches: () => true });
    expect(paged).toEqual(whole);
    expect(reads).toBeLessThan(count / 10);
  });

  test("goes on where more tie than bounds are told at once", () => {
    const same = Array.from({ length: BOUNDS_MAX + 500 }, () => Float32Array.of(1, 2, 3));
    const parts = [{ documents: same.length, sections: sectionsOf(same, 3, "cosine") }];
    const question = Float32Array.of(3, 2, 1);
    for (const limit of [1, 7, 300]) {
      const { whole, paged } = bothWays({
        parts,
        metric: "cosine",
        query: question,
        limit,
        matches: (n) => n % 2 === 1,
      });
      expect(paged).toEqual(whole);
    }
  });
});
