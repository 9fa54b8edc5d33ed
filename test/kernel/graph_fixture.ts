/** Vectors in clusters, and graphs over them, for the kernel's tests. */
import type { KernelBuilder, VectorSections } from "../../core/ports.ts";
import { builder, expectOk } from "./fixture.ts";

/** Uniform in 0 … 1, from a seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Around `clusters` centres, which are as far apart as a cluster is wide, and more. */
export function clustered(seed: number, count: number, dimensions: number, clusters: number): Float32Array[] {
  const random = randomNumbers(seed);
  const aroundZero = () => random() + random() + random() - 1.5;
  const centres = Array.from({ length: clusters }, () => Array.from({ length: dimensions }, aroundZero));
  return Array.from({ length: count }, () => {
    const centre = centres[Math.floor(random() * clusters)] ?? [];
    return Float32Array.from(centre, (value) => value + 0.6 * aroundZero());
  });
}

/**
 * The same, with one vector added to all: of `lengths` times their usual length and, like those that models make, with
 * some dimensions that are far greater than others.
 */
export function shifted(vectors: readonly Float32Array[], lengths: number): Float32Array[] {
  const random = randomNumbers(77);
  const usual = Math.sqrt(vectors.reduce((sum, vector) => sum + squaresOf(vector), 0) / vectors.length);
  const common = Float32Array.from(vectors[0] ?? [], () => random() + random() + random() - 1.5);
  const factor = (lengths * usual) / Math.sqrt(squaresOf(common));
  return vectors.map((vector) => vector.map((value, i) => value + factor * (common[i] ?? 0)));
}

function squaresOf(vector: Float32Array): number {
  return vector.reduce((sum, value) => sum + value * value, 0);
}

/** Mean cosine of vectors and those half the way around. */
export function meanCosine(vectors: readonly Float32Array[]): number {
  const cosines = vectors.map((vector, i) => {
    const other = vectors[(i + (vectors.length >> 1)) % vectors.length] ?? vector;
    const product = vector.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
    return product / Math.sqrt(squaresOf(vector) * squaresOf(other));
  });
  return cosines.reduce((sum, cosine) => sum + cosine, 0) / vectors.length;
}

/** The state in which all vectors are in, made in slices of the sizes given, then in one. */
export function stateOf(
  vectors: VectorSections,
  slices: readonly number[] = [],
  by: KernelBuilder = builder,
): Uint8Array {
  let state: Uint8Array | null = null;
  for (const slice of slices) state = expectOk(by.graphStep(vectors, state, slice)).state;
  return expectOk(by.graphStep(vectors, state, Number.POSITIVE_INFINITY)).state;
}

export function withGraph(vectors: VectorSections, by: KernelBuilder = builder): VectorSections {
  return expectOk(by.graphSections(vectors, stateOf(vectors, [], by)));
}
