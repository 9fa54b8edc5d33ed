import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HNSW_BEAM_DEFAULT, HNSW_BEAM_MAX, HNSW_VECTORS_MIN } from "../../core/limits.ts";
import {
  describePlans,
  isWorthGraph,
  overallPlan,
  planVectors,
  type VectorShape,
  withoutGraph,
} from "../../core/retrieval/plan.ts";

const LARGE: VectorShape = {
  vectors: 100_000,
  dimensions: 384,
  hasGraph: true,
  matches: 100_000,
  documents: 100_000,
};
const matching = (share: number): VectorShape => ({ ...LARGE, matches: Math.round(share * LARGE.documents) });

describe("the vectors of a part", () => {
  test("are searched by a graph that costs less than a scan", () => {
    expect(planVectors(LARGE, 10, false)).toMatchObject({ plan: "hnsw", beam: HNSW_BEAM_DEFAULT });
  });

  test("are given a beam with room for what is asked for", () => {
    expect(planVectors(LARGE, HNSW_BEAM_DEFAULT / 2, false).beam).toBe(HNSW_BEAM_DEFAULT);
    expect(planVectors(LARGE, 200, false).beam).toBe(400);
  });

  test("are scanned without a graph, when exactness is asked for, and where there are too few to walk", () => {
    expect(planVectors({ ...LARGE, hasGraph: false }, 10, false)).toEqual({ plan: "exact", beam: null, reason: null });
    expect(planVectors(LARGE, 10, true)).toEqual({ plan: "exact", beam: null, reason: "an exact plan is called for" });
    expect(planVectors({ ...LARGE, vectors: 1_000, documents: 1_000, matches: 1_000 }, 10, false)).toMatchObject({
      plan: "exact",
      beam: null,
    });
  });

  test("are walked with the widest beam there is, and scanned for more than that holds", () => {
    const many = { ...LARGE, vectors: 10_000_000, documents: 10_000_000, matches: 10_000_000 };
    expect(planVectors(many, HNSW_BEAM_MAX, false)).toMatchObject({ plan: "hnsw", beam: HNSW_BEAM_MAX });
    expect(planVectors(many, HNSW_BEAM_MAX + 1, false)).toMatchObject({ plan: "exact", beam: null });
  });

  test("are scanned for so much that a walk would visit most of them", () => {
    expect(planVectors({ ...LARGE, vectors: HNSW_VECTORS_MIN }, 1_000, false)).toMatchObject({ plan: "exact" });
  });

  test("are scanned under a filter unless a walk costs a fifth at the most", () => {
    expect(planVectors(matching(0.9), 10, false)).toMatchObject({ plan: "hnsw" });
    expect(planVectors(matching(0.1), 10, false)).toMatchObject({ plan: "filtered_exact", beam: null });
    expect(planVectors(matching(0), 10, false)).toMatchObject({ plan: "filtered_exact", beam: null });
  });

  test("are given a graph only where there are enough of them and a search would walk it", () => {
    expect(isWorthGraph(20_000, 384)).toBe(true);
    expect(isWorthGraph(HNSW_VECTORS_MIN - 1, 384)).toBe(false);
    expect(isWorthGraph(HNSW_VECTORS_MIN, 16)).toBe(false);
    expect(isWorthGraph(100_000, 16)).toBe(true);
  });

  test("are never walked by a plan that says exact, nor scanned by one that says hnsw", () => {
    const anyShape = fc
      .record({
        vectors: fc.nat(200_000),
        dimensions: fc.integer({ min: 1, max: 4_096 }),
        hasGraph: fc.boolean(),
        matches: fc.nat(200_000),
        documents: fc.nat(200_000),
      })
      .map((shape) => ({ ...shape, matches: Math.min(shape.matches, shape.documents) }));
    fc.assert(
      fc.property(anyShape, fc.integer({ min: 1, max: 5_000 }), fc.boolean(), (shape, limit, exactOnly) => {
        const { plan, beam } = planVectors(shape, limit, exactOnly);
        expect(plan === "hnsw").toBe(beam !== null);
        if (plan === "hnsw") expect(shape.hasGraph && !exactOnly && (beam ?? 0) >= limit).toBe(true);
        if (plan === "filtered_exact") expect(shape.matches).toBeLessThan(shape.documents);
      }),
    );
  });
});

describe("what is said of the plans", () => {
  const walked = planVectors(LARGE, 10, false);
  const scanned = planVectors(LARGE, 10, true);
  const plain = planVectors({ ...LARGE, hasGraph: false }, 10, false);

  test("is by its least exact part", () => {
    expect(overallPlan([scanned, walked, plain], true)).toBe("hnsw");
    expect(overallPlan([scanned, plain], true)).toBe("filtered_exact");
    expect(overallPlan([], false)).toBe("exact");
  });

  test("counts the parts of each way, and nothing where there was no choice", () => {
    expect(describePlans([plain, plain])).toBe("");
    expect(describePlans([walked, plain, walked, scanned])).toMatch(
      /^2 parts by its graph with a beam of 100: a scan takes ~\d+ µs, its graph ~\d+ µs; 1 part by a scan: an exact plan is called for$/,
    );
  });

  test("is that a walk was given up, when the kernel scanned after all", () => {
    expect(withoutGraph(walked, matching(0.9))).toEqual({
      plan: "filtered_exact",
      beam: null,
      reason: `${walked.reason}, which was given up`,
    });
    expect(withoutGraph(scanned, LARGE)).toBe(scanned);
  });
});
