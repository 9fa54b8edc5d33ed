import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PartSections, VectorSections } from "../../core/ports.ts";
import { builder, expectOk, sectionsOf, slab } from "./fixture.ts";
import { clustered, stateOf, withGraph } from "./graph_fixture.ts";
import { resealed } from "./resealed.ts";

const DOCUMENTS = 90;
const DIMENSIONS = 6;
const CHECKSUM_AT = 16;
const CODES_CHECKSUM_AT = 56;

// Some documents have no vector, some the same as others.
const clusters = clustered(31, DOCUMENTS, DIMENSIONS, 4);
const VECTORS = clusters.map((vector, i) => (i % 9 === 8 ? null : i % 9 === 7 ? (clusters[0] ?? vector) : vector));
const inBlocks = builder.vectorSections([{ vectors: VECTORS }], DIMENSIONS, "l2");
const state = stateOf(inBlocks);
const vectors = withGraph(inBlocks);
const graph = vectors.graph ?? new Uint8Array();
const sections: PartSections = { ...sectionsOf({ texts: VECTORS.map(() => "") }), vectors };

const NAMES = { codes: "vector codes", residuals: "vector residuals", graph: "vector graph" } as const;
type Section = keyof typeof NAMES;

function bytesOf(section: Section): Uint8Array {
  return section === "graph" ? graph : vectors[section];
}

function load(change: Partial<VectorSections>) {
  slab.clear();
  return slab.load({ ...sections, vectors: { ...vectors, ...change } });
}

/** The graph says that it belongs to these codes. */
function boundTo(codes: Uint8Array, bytes: Uint8Array): Uint8Array {
  const bound = bytes.slice();
  bound.set(codes.subarray(CHECKSUM_AT, CHECKSUM_AT + 8), CODES_CHECKSUM_AT);
  return resealed(bound);
}

/** Whatever was accepted can be searched without leaving its bounds. */
function searchEverything(change: Partial<VectorSections>): void {
  const loaded = load(change);
  if (!loaded.ok) {
    expect(loaded.failure.reason).toBe("corrupt");
    return;
  }
  const part = loaded.value;
  const dimensions = new DataView((change.codes ?? vectors.codes).slice().buffer).getUint32(32, true);
  for (const beam of [null, 1, 10, 4_000]) {
    slab.reset();
    const all = slab.documentsOf(part, slab.allRows(part));
    const near = slab.searchVectors(part, new Float32Array(dimensions).fill(1), all, 10, beam);
    expect(near.documents.every((document) => document < DOCUMENTS)).toBe(true);
  }
}

const anyChanges = (length: number) =>
  fc.array(
    fc.record({
      at: fc.oneof(fc.nat(length - 1), fc.nat(127)),
      value: fc.oneof(fc.nat(255), fc.constantFrom(0, 127, 128, 254, 255)),
    }),
    { minLength: 1, maxLength: 6 },
  );

function changed(bytes: Uint8Array, changes: readonly { readonly at: number; readonly value: number }[]): Uint8Array {
  const out = bytes.slice();
  for (const { at, value } of changes) out[at] = value;
  return resealed(out);
}

describe.each<Section>(["codes", "residuals", "graph"])("the %s of vectors with a graph", (section) => {
  test("are refused by name when any byte changed", () => {
    const bytes = bytesOf(section);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      expect(load({ [section]: flipped }), `byte ${at}`).toMatchObject({
        ok: false,
        failure: { reason: "corrupt", what: expect.stringContaining(NAMES[section]) },
      });
    }
  });

  test("are refused when truncated or extended", () => {
    const bytes = bytesOf(section);
    for (let length = 0; length < bytes.length; length += 7) {
      expect(load({ [section]: bytes.slice(0, length) }), `length ${length}`).toMatchObject({ ok: false });
    }
    const longer = new Uint8Array(bytes.length + 16);
    longer.set(bytes);
    expect(load({ [section]: longer })).toMatchObject({ ok: false });
    expect(load({ [section]: resealed(bytes.slice(0, bytes.length - 16)) })).toMatchObject({ ok: false });
  });

  test("with a checksum made right again are refused or searched within bounds, whatever changed", () => {
    fc.assert(
      fc.property(anyChanges(bytesOf(section).length), (changes) => {
        const bytes = changed(bytesOf(section), changes);
        searchEverything(section === "codes" ? { codes: bytes, graph: boundTo(bytes, graph) } : { [section]: bytes });
      }),
      { numRuns: 1_500 },
    );
  });
});

describe("a graph", () => {
  test("of other vectors is refused", () => {
    const others = withGraph(builder.vectorSections([{ vectors: [...VECTORS].reverse() }], DIMENSIONS, "l2"));
    expect(load({ graph: others.graph })).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
  });

  test("and vectors in rows stand together", () => {
    expect(load({ graph: null })).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
    expect(load({ codes: inBlocks.codes })).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
  });

  test("is not a state", () => {
    expect(load({ graph: state })).toMatchObject({ failure: { what: expect.stringContaining("another kind") } });
    expect(builder.graphStep(inBlocks, graph, 1)).toMatchObject({
      failure: { what: expect.stringContaining("another kind") },
    });
  });
});

describe("the state of a graph", () => {
  const half = expectOk(builder.graphStep(inBlocks, null, 40)).state;

  test("is refused by name when any byte changed", () => {
    for (let at = 0; at < half.length; at++) {
      const flipped = half.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      expect(builder.graphStep(inBlocks, flipped, 1), `byte ${at}`).toMatchObject({
        ok: false,
        failure: { reason: "corrupt", what: expect.stringContaining("graph state") },
      });
    }
  });

  test("is refused when truncated, and when it is of other vectors", () => {
    for (let length = 0; length < half.length; length += 61) {
      expect(builder.graphStep(inBlocks, half.slice(0, length), 1)).toMatchObject({ ok: false });
    }
    const others = builder.vectorSections([{ vectors: [...VECTORS].reverse() }], DIMENSIONS, "l2");
    expect(builder.graphStep(others, half, 1)).toMatchObject({
      failure: { reason: "corrupt", what: expect.stringContaining("graph state") },
    });
  });

  test("with a checksum made right again is refused or gone on from within bounds, whatever changed", () => {
    fc.assert(
      fc.property(fc.constantFrom(half, state), anyChanges(half.length), (before, changes) => {
        const step = builder.graphStep(inBlocks, changed(before, changes), DOCUMENTS);
        if (!step.ok) return;
        const made = builder.graphSections(inBlocks, step.value.state);
        if (made.ok) searchEverything(made.value);
      }),
      { numRuns: 1_500 },
    );
  });

  test("and its vectors are refused by the name of what is not whole", () => {
    const damaged = (bytes: Uint8Array) => bytes.map((byte, at) => (at === bytes.length - 20 ? byte ^ 1 : byte));
    const codes = { ...inBlocks, codes: damaged(inBlocks.codes) };
    const residuals = { ...inBlocks, residuals: damaged(inBlocks.residuals) };
    const named = (name: string) => ({
      ok: false,
      failure: { reason: "corrupt", what: expect.stringContaining(name) },
    });
    expect(builder.graphStep(codes, null, 1)).toMatchObject(named("vector codes"));
    expect(builder.graphStep({ ...inBlocks, codes: new Uint8Array() }, null, 1)).toMatchObject(named("vector codes"));
    expect(builder.graphStep(vectors, null, 1)).toMatchObject(named("vector codes"));
    expect(builder.graphSections(residuals, state)).toMatchObject(named("vector residuals"));
  });
});
