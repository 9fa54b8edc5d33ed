import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BUILDER_BYTES_MAX, GRAPH_RECALL_MIN, HNSW_BEAM_DEFAULT } from "../../core/limits.ts";
import type { Bits, KernelSlab, LoadedPart, Metric, VectorSections } from "../../core/ports.ts";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { KernelCapacityError } from "../../wasm/kernel_instance.ts";
import { createKernelSlab } from "../../wasm/kernel_slab.ts";
import { anySubset, bestFirst, builder, expectOk, kernelModule, sectionsOf } from "./fixture.ts";
import { clustered, meanCosine, randomNumbers, shifted, stateOf, withGraph } from "./graph_fixture.ts";
import { resealed } from "./resealed.ts";
import { quantize, scoreOf } from "./vector_oracle.ts";

const MIB = 1024 * 1024;
const METRICS = ["cosine", "dot", "l2"] as const;
const slab: KernelSlab = createKernelSlab(kernelModule, 48 * MIB);

function load(vectors: VectorSections, documents: number): LoadedPart {
  slab.clear();
  const texts = Array.from({ length: documents }, () => "");
  return expectOk(slab.load({ ...sectionsOf({ texts }), vectors }));
}

function bitsOf(part: LoadedPart, documents: readonly number[]): Bits {
  return slab.documentsOf(part, slab.rowsWhere(part, Uint32Array.from(documents)));
}

function numbersBelow(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

interface Asked {
  readonly queries: readonly Float32Array[];
  readonly matches: readonly number[];
  readonly beam: number;
}

const LIMIT = 10;

/** Of all exact answers, what the graph found; how many nodes it scored; what it found that does not match. */
function recallOf(part: LoadedPart, { queries, matches, beam }: Asked) {
  const allowed = new Set(matches);
  let right = 0;
  let wanted = 0;
  let visited = 0;
  let strangers = 0;
  for (const query of queries) {
    slab.reset();
    const bits = bitsOf(part, matches);
    const exact = slab.searchVectors(part, query, bits, LIMIT, null);
    const found = slab.searchVectors(part, query, bits, LIMIT, beam);
    const best = new Set(exact.documents);
    right += found.documents.filter((document) => best.has(document)).length;
    wanted += exact.documents.length;
    visited += found.visited;
    strangers += found.documents.filter((document) => !allowed.has(document)).length;
  }
  return { recall: wanted === 0 ? 1 : right / wanted, visited, strangers };
}

// --- Recall ---------------------------------------------------------------------------------

describe("search by the graph", () => {
  const COUNT = 6_000;
  const DIMENSIONS = 24;
  const all = clustered(11, COUNT + 100, DIMENSIONS, 40);
  const queries = all.slice(COUNT);

  test.each(METRICS)(
    "finds the nearest with %s, and nearly all of them with a wider beam",
    (metric) => {
      const vectors = all.slice(0, COUNT);
      const part = load(withGraph(builder.vectorSections([{ vectors }], DIMENSIONS, metric)), COUNT);
      const matches = numbersBelow(COUNT);
      const narrow = recallOf(part, { queries, matches, beam: 50 });
      const usual = recallOf(part, { queries, matches, beam: HNSW_BEAM_DEFAULT });
      const wide = recallOf(part, { queries, matches, beam: 256 });
      expect(narrow.recall).toBeGreaterThanOrEqual(0.95);
      expect(usual.recall).toBeGreaterThanOrEqual(0.98);
      expect(wide.recall).toBeGreaterThanOrEqual(0.99);
      expect(narrow.visited).toBeGreaterThan(0);
      expect(narrow.visited).toBeLessThan((queries.length * COUNT) / 5);
    },
    60_000,
  );

  test("scores what it finds exactly, and orders it as the exact search does", () => {
    const vectors = all.slice(0, 1_000);
    for (const metric of METRICS) {
      const part = load(withGraph(builder.vectorSections([{ vectors }], DIMENSIONS, metric)), vectors.length);
      for (const query of queries.slice(0, 10)) {
        slab.reset();
        const found = slab.searchVectors(part, query, bitsOf(part, numbersBelow(vectors.length)), LIMIT, 32);
        const asked = quantize(query, metric);
        const scored = Array.from(found.documents, (document) => {
          const vector = vectors[document] ?? new Float32Array();
          return { document, score: scoreOf(quantize(vector, metric), asked, metric) };
        });
        expect([...found.scores]).toEqual(scored.map(({ score }) => score));
        expect(bestFirst(scored, LIMIT)).toEqual(scored);
      }
    }
  });

  test("is the exact search where there is no graph, and where no beam is asked for", () => {
    const sections = builder.vectorSections([{ vectors: all.slice(0, 500) }], DIMENSIONS, "cosine");
    const answers = [
      { vectors: sections, beam: 50 },
      { vectors: withGraph(sections), beam: null },
      { vectors: withGraph(sections), beam: 1_000_000 },
    ].map(({ vectors, beam }) => {
      const part = load(vectors, 500);
      return queries.map((query) => {
        slab.reset();
        return slab.searchVectors(part, query, bitsOf(part, numbersBelow(500)), 20, beam);
      });
    });
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    expect(answers[0]?.every(({ visited }) => visited === 0)).toBe(true);
  });
});

const anyVectors = fc.integer({ min: 1, max: 20 }).chain((dimensions) =>
  fc.integer({ min: 0, max: 60 }).chain((count) =>
    fc.record({
      dimensions: fc.constant(dimensions),
      metric: fc.constantFrom<Metric>(...METRICS),
      // Few different numbers: many vectors are equal.
      vectors: fc.array(
        fc.option(
          fc
            .array(fc.constantFrom(-1, 0, 0.5, 1), { minLength: dimensions, maxLength: dimensions })
            .map((values) => Float32Array.from(values)),
          { freq: 5 },
        ),
        { minLength: count, maxLength: count },
      ),
      query: fc
        .array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: dimensions, maxLength: dimensions })
        .map((values) => Float32Array.from(values)),
      matches: anySubset(count),
    }),
  ),
);

describe("vectors in rows", () => {
  test("are searched and scored as those in blocks, bit for bit, whatever matches", () => {
    fc.assert(
      fc.property(anyVectors, fc.integer({ min: 0, max: 70 }), (sample, limit) => {
        const { vectors, dimensions, metric, query, matches } = sample;
        const inBlocks = builder.vectorSections([{ vectors }], dimensions, metric);
        const answers = [inBlocks, withGraph(inBlocks)].map((sections) => {
          const part = load(sections, vectors.length);
          const found = slab.searchVectors(part, query, bitsOf(part, matches), limit, null);
          return [found, matches.map((document) => slab.scoreVector(part, query, document))];
        });
        expect(answers[1]).toEqual(answers[0]);
      }),
      { numRuns: 150 },
    );
  });

  test("are all found when all are asked for", () => {
    fc.assert(
      fc.property(anyVectors, ({ vectors, dimensions, metric, query }) => {
        const part = load(withGraph(builder.vectorSections([{ vectors }], dimensions, metric)), vectors.length);
        const bits = bitsOf(part, numbersBelow(vectors.length));
        const found = slab.searchVectors(part, query, bits, vectors.length, vectors.length);
        const exact = slab.searchVectors(part, query, bits, vectors.length, null);
        expect([found.documents, found.scores]).toEqual([exact.documents, exact.scores]);
      }),
      { numRuns: 100 },
    );
  });

  test.each([0, 1, 2, 17, 33])("may be %i", (count) => {
    for (const metric of METRICS) {
      const vectors = clustered(count, count, 5, 3);
      const part = load(withGraph(builder.vectorSections([{ vectors }], 5, metric)), count);
      const query = Float32Array.of(1, 0, -1, 0.5, 2);
      const bits = bitsOf(part, numbersBelow(count));
      const found = slab.searchVectors(part, query, bits, 5, 40);
      const exact = slab.searchVectors(part, query, bits, 5, null);
      expect([found.documents, found.scores]).toEqual([exact.documents, exact.scores]);
    }
  });

  test.each([130, 513, 2_049])("of %i dimensions are compared as those in blocks", (dimensions) => {
    const vectors = clustered(3, 200, dimensions, 5);
    for (const metric of METRICS) {
      const inBlocks = builder.vectorSections([{ vectors }], dimensions, metric);
      const graph = withGraph(inBlocks);
      const answers = [inBlocks, graph, graph].map((sections, index) => {
        const part = load(sections, vectors.length);
        const bits = bitsOf(part, numbersBelow(vectors.length));
        const beam = index === 2 ? 100 : null;
        return vectors.slice(0, 10).map((query) => slab.searchVectors(part, query, bits, 5, beam).documents);
      });
      expect(answers[1]).toEqual(answers[0]);
      expect(answers[2]).toEqual(answers[0]);
    }
  });

  test("take the greatest numbers there are", () => {
    const most = 3.4028234663852886e38;
    const vectors = [Float32Array.of(most, -most), Float32Array.of(-most, most), Float32Array.of(1e-38, 0)];
    for (const metric of METRICS) {
      const part = load(withGraph(builder.vectorSections([{ vectors }], 2, metric)), 3);
      const found = slab.searchVectors(part, Float32Array.of(most, -most), bitsOf(part, [0, 1, 2]), 3, 8);
      const exact = slab.searchVectors(part, Float32Array.of(most, -most), bitsOf(part, [0, 1, 2]), 3, null);
      expect([found.documents, found.scores]).toEqual([exact.documents, exact.scores]);
      expect(found.scores.every(Number.isFinite)).toBe(true);
      expect(found.documents[0]).toBe(0);
    }
  });
});

// --- Vectors with much in common ------------------------------------------------------------

describe("vectors that have much in common", () => {
  const COUNT = 4_000;
  const DIMENSIONS = 48;
  const all = clustered(13, COUNT + 100, DIMENSIONS, 40);
  const matches = numbersBelow(COUNT);

  const shiftedBy = (lengths: number, metric: Metric) => {
    const vectors = shifted(all, lengths);
    const sections = builder.vectorSections([{ vectors: vectors.slice(0, COUNT) }], DIMENSIONS, metric);
    return { vectors, queries: vectors.slice(COUNT), sections, graphed: withGraph(sections) };
  };

  test.each([
    ["cosine", 2, 0.75],
    ["cosine", 3, 0.88],
    ["cosine", 10, 0.99],
    ["cosine", 32, 0.999],
    ["dot", 3, 0.88],
    ["l2", 10, 0.99],
    ["l2", 32, 0.999],
  ] as const)(
    "are found with %s, when what they have in common is %i times the rest",
    (metric, lengths, leastCosine) => {
      const { vectors, queries, graphed } = shiftedBy(lengths, metric);
      expect(meanCosine(vectors)).toBeGreaterThanOrEqual(leastCosine);
      expect(graphed.graph).not.toBeNull();
      const part = load(graphed, COUNT);
      const usual = recallOf(part, { queries, matches, beam: HNSW_BEAM_DEFAULT });
      const wide = recallOf(part, { queries, matches, beam: 400 });
      expect(usual.recall).toBeGreaterThanOrEqual(0.95);
      expect(wide.recall).toBeGreaterThanOrEqual(0.99);
      expect(usual.visited).toBeGreaterThan(0);
    },
    60_000,
  );

  test.each(METRICS)(
    "have a graph with %s while it finds them, and are scanned as they were when it does not",
    (metric) => {
      const kept = [1, 30, 100, 300, 1_000, 3_000].map((lengths) => {
        const { queries, sections, graphed } = shiftedBy(lengths, metric);
        if (graphed.graph === null) {
          expect(graphed).toEqual(sections);
          return false;
        }
        const { recall } = recallOf(load(graphed, COUNT), { queries, matches, beam: HNSW_BEAM_DEFAULT });
        // A hundred questions, and others: a few in a hundred apart.
        expect(recall, `${lengths} lengths`).toBeGreaterThanOrEqual(GRAPH_RECALL_MIN - 0.03);
        return true;
      });
      expect(kept[0]).toBe(true);
      expect(kept).toContain(false);
    },
    120_000,
  );
});

describe("a graph that does not lead to some of its vectors", () => {
  const COUNT = 100;
  const NEAREST = 10;
  const UPPER_ROWS_AT = 48;
  const ENTRY_AT = 40;
  const HEAD_BYTES = 64;
  const UPPER_ROW_LINKS = 16;
  const LINKS = 32;
  const NONE = 0xffff_ffff;
  const circle = Array.from({ length: COUNT }, (_, i) => {
    const angle = (2 * Math.PI * i) / COUNT;
    return Float32Array.of(Math.cos(angle), Math.sin(angle));
  });
  const sections = builder.vectorSections([{ vectors: circle }], 2, "l2");
  const state = stateOf(sections);
  const words = new Uint32Array(state.slice().buffer);
  const starts = words.subarray(HEAD_BYTES / 4, HEAD_BYTES / 4 + COUNT + 1);
  const upperAt = (HEAD_BYTES + Math.ceil(((COUNT + 1) * 4) / 64) * 64) / 4;
  const linksFrom = upperAt + (words[UPPER_ROWS_AT / 4] ?? 0) * UPPER_ROW_LINKS;

  /** No link leads to these nodes any more; they are on no upper level. */
  function withoutLinksTo(hidden: ReadonlySet<number>): Uint8Array {
    const changed = words.slice();
    for (let node = 0; node < COUNT; node++) {
      const row = changed.subarray(linksFrom + node * LINKS, linksFrom + (node + 1) * LINKS);
      const left = [...row].filter((other) => !hidden.has(other));
      row.fill(NONE);
      row.set(left);
    }
    return resealed(new Uint8Array(changed.buffer));
  }

  test("is kept while it finds enough of what they are nearest to, and no longer", () => {
    const part = load(sections, COUNT);
    const bits = bitsOf(part, numbersBelow(COUNT));
    const nearest = circle.map((vector) => slab.searchVectors(part, vector, bits, NEAREST, null).documents);
    const onLevelZero = numbersBelow(COUNT).filter(
      (node) => starts[node] === starts[node + 1] && node !== words[ENTRY_AT / 4],
    );
    const verdicts = numbersBelow(9).map((count) => {
      // Not beside each other, so that what is left stays together.
      const hidden = new Set(onLevelZero.filter((_, i) => i % 10 === 0).slice(0, count));
      const misses = nearest.reduce((sum, documents) => sum + documents.filter((at) => hidden.has(at)).length, 0);
      const expected = 1 - misses / (COUNT * NEAREST) >= GRAPH_RECALL_MIN;
      const { graph } = expectOk(builder.graphSections(sections, withoutLinksTo(hidden)));
      expect(graph !== null, `${misses} misses`).toBe(expected);
      return expected;
    });
    expect(new Set(verdicts)).toEqual(new Set([true, false]));
  });
});

// --- Equal vectors --------------------------------------------------------------------------

describe("thousands of equal vectors", () => {
  const DIMENSIONS = 12;
  const EQUAL = 3_000;
  const others = clustered(5, 1_500, DIMENSIONS, 10);
  const same = Float32Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(i));
  // Two equal ones, then one other.
  const vectors = Array.from({ length: EQUAL + others.length }, (_, i) =>
    i % 3 === 2 ? (others[(i - 2) / 3] ?? same) : same,
  );

  test.each(METRICS)("are all there with %s, and hide no other", (metric) => {
    const part = load(withGraph(builder.vectorSections([{ vectors }], DIMENSIONS, metric)), vectors.length);
    const all = numbersBelow(vectors.length);
    const found = slab.searchVectors(part, same, bitsOf(part, all), EQUAL, EQUAL);
    const exact = slab.searchVectors(part, same, bitsOf(part, all), EQUAL, null);
    expect([...found.documents]).toEqual([...exact.documents]);
    const { recall, visited } = recallOf(part, { queries: others.slice(0, 100), matches: all, beam: 64 });
    expect(recall).toBeGreaterThanOrEqual(0.95);
    expect(visited / 100).toBeLessThan(others.length);
  });

  test("and nothing else are found in document order", () => {
    const part = load(withGraph(builder.vectorSections([{ vectors: Array(500).fill(same) }], DIMENSIONS, "l2")), 500);
    const found = slab.searchVectors(part, same, bitsOf(part, numbersBelow(500)), 7, 20);
    expect([...found.documents]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(found.visited).toBe(1);
  });
});

// --- Filters --------------------------------------------------------------------------------

describe("a filter", () => {
  const COUNT = 4_000;
  const DIMENSIONS = 1_024;
  const BEAM = 20;
  const all = clustered(21, COUNT + 40, DIMENSIONS, 30);
  const queries = all.slice(COUNT);
  const wide = createKernelBuilder(kernelModule, 64 * MIB);
  const sections = wide.vectorSections([{ vectors: all.slice(0, COUNT) }], DIMENSIONS, "cosine");
  const vectors = withGraph(sections, wide);

  test("loses nothing and lets no other document in, however much it matches", () => {
    const part = load(vectors, COUNT);
    const without = recallOf(part, { queries, matches: numbersBelow(COUNT), beam: BEAM });
    expect(without.recall).toBeGreaterThanOrEqual(0.95);
    const random = randomNumbers(2);
    const visited = [0.95, 0.6, 0.3, 0.1, 0.02, 0.002, 0].map((share) => {
      const matches = numbersBelow(COUNT).filter(() => random() < share);
      const { recall, strangers, ...rest } = recallOf(part, { queries, matches, beam: BEAM });
      expect(recall, `share ${share}`).toBeGreaterThanOrEqual(without.recall);
      expect(strangers).toBe(0);
      return rest.visited;
    });
    // Few deleted documents are found around in the graph; where few match, only these are read.
    expect(visited[0]).toBeGreaterThan(0);
    expect(visited.slice(3)).toEqual([0, 0, 0, 0]);
  }, 60_000);

  test("that leaves out just what is near falls back to the exact search", () => {
    const part = load(vectors, COUNT);
    for (const query of queries.slice(0, 10)) {
      slab.reset();
      const near = slab.searchVectors(part, query, bitsOf(part, numbersBelow(COUNT)), 500, null).documents;
      const left = new Set(near);
      const bits = bitsOf(
        part,
        numbersBelow(COUNT).filter((document) => !left.has(document)),
      );
      const found = slab.searchVectors(part, query, bits, LIMIT, BEAM);
      expect(found).toEqual(slab.searchVectors(part, query, bits, LIMIT, null));
      expect(found.visited).toBe(0);
    }
  });
});

describe("a filter against what is near", () => {
  const COUNT = 4_000;
  const DIMENSIONS = 1_024;
  const all = clustered(22, COUNT + 40, DIMENSIONS, 30);
  const wide = createKernelBuilder(kernelModule, 64 * MIB);
  const vectors = withGraph(wide.vectorSections([{ vectors: all.slice(0, COUNT) }], DIMENSIONS, "cosine"), wide);

  test.each([1, 5, 9, 12, 15, 40])("loses nothing by leaving out the %i nearest", (nearest) => {
    const part = load(vectors, COUNT);
    const BEAM = 20;
    const queries = all.slice(COUNT);
    const without = recallOf(part, { queries, matches: numbersBelow(COUNT), beam: BEAM });
    let right = 0;
    let walked = 0;
    for (const query of queries) {
      slab.reset();
      const near = slab.searchVectors(part, query, bitsOf(part, numbersBelow(COUNT)), nearest, null).documents;
      const left = new Set(near);
      const matches = numbersBelow(COUNT).filter((document) => !left.has(document));
      const { recall, visited, strangers } = recallOf(part, { queries: [query], matches, beam: BEAM });
      expect(strangers).toBe(0);
      right += recall;
      walked += visited;
    }
    expect(right / queries.length).toBeGreaterThanOrEqual(without.recall);
    // What is left of the beam is enough while few of it are left out.
    if (nearest === 1) expect(walked).toBeGreaterThan(0);
    if (nearest >= 5) expect(walked).toBe(0);
  });
});

// --- Building -------------------------------------------------------------------------------

function sha256(bytes: Uint8Array | null): string {
  return createHash("sha256")
    .update(bytes ?? new Uint8Array())
    .digest("hex");
}

describe("building a graph", () => {
  const COUNT = 1_200;
  const DIMENSIONS = 19;
  const vectors = builder.vectorSections([{ vectors: clustered(8, COUNT, DIMENSIONS, 12) }], DIMENSIONS, "cosine");

  test("gives the same bytes however it is cut", () => {
    const whole = stateOf(vectors);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 8 }), (slices) => {
        expect(stateOf(vectors, slices)).toEqual(whole);
      }),
      { numRuns: 15 },
    );
  });

  test("goes on from the last state when the work after it was lost", () => {
    const first = expectOk(builder.graphStep(vectors, null, 500));
    expect(first).toMatchObject({ inserted: 500, vectors: COUNT });
    const kept = first.state.slice();
    expectOk(builder.graphStep(vectors, first.state, 300));
    expect(first.state).toEqual(kept);
    const another = createKernelBuilder(kernelModule, BUILDER_BYTES_MAX);
    const state = expectOk(another.graphStep(vectors, kept, COUNT)).state;
    expect(state).toEqual(stateOf(vectors));
    expect(another.graphSections(vectors, state)).toEqual(builder.graphSections(vectors, state));
  });

  test("takes no more than 140 bytes a vector", () => {
    const many = builder.vectorSections([{ vectors: clustered(1, 5_000, 4, 9) }], 4, "l2");
    const state = expectOk(builder.graphStep(many, null, 0)).state;
    expect(state.length / 5_000).toBeLessThan(140);
    expect(withGraph(many).graph?.length).toBe(state.length);
  });

  test("is the same on every engine", () => {
    const digests = METRICS.map((metric) => {
      const sections = withGraph(
        builder.vectorSections([{ vectors: clustered(4, 400, DIMENSIONS, 7) }], DIMENSIONS, metric),
      );
      return [sections.codes, sections.residuals, sections.graph].map((bytes) => sha256(bytes).slice(0, 16));
    });
    expect(digests).toMatchInlineSnapshot(`
      [
        [
          "4d86ef335c96fcf2",
          "8e6cb402099a0ba8",
          "73f9cab45c0a4336",
        ],
        [
          "e5c66ae3b9e27d3a",
          "76b3858200198667",
          "048efc5349b93caf",
        ],
        [
          "4381ae7cd2d3b22c",
          "425e6778216c4696",
          "96c626c029913231",
        ],
      ]
    `);
  });

  test("says when it needs more memory than there is, and is good for the next call", () => {
    const small = createKernelBuilder(kernelModule, 2 * MIB);
    const large = builder.vectorSections([{ vectors: clustered(1, 16_000, 4, 3) }], 4, "dot");
    expect(() => small.graphStep(large, null, 1)).toThrow(KernelCapacityError);
    expect(stateOf(vectors, [], small)).toEqual(stateOf(vectors));
  });

  test("refuses to make sections of a state that lacks vectors", () => {
    const { state } = expectOk(builder.graphStep(vectors, null, COUNT - 1));
    expect(builder.graphSections(vectors, state)).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
  });
});
