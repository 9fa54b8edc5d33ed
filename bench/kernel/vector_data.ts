/**
 * Vectors to search. Synthetic ones are clustered, because vectors that models make are, and uniform noise has no
 * neighbours worth finding: each is one of `clusters` normal centres plus CLUSTER_SPREAD times normal noise, cut to
 * length 1 for cosine. Queries are drawn the same way and are no rows. The real ones lie outside the project.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readCranfieldVectors } from "../eval/datasets.ts";
import type { VectorRows } from "./corpus.ts";
import { randomNumbers } from "./random.ts";

/** Of the noise, against centres of spread 1: neighbouring clusters touch, as topics do. */
const CLUSTER_SPREAD = 0.7;
const ROWS_PER_CLUSTER = 100;
const CLUSTERS_MIN = 10;
/** What a query of few real ones is moved by, to become another. */
const JITTER = 0.05;

export interface VectorData {
  readonly rows: VectorRows;
  readonly queries: readonly Float32Array[];
}

export function clusteredVectors(count: number, dimensions: number, queries: number, seed: number): VectorData {
  const random = randomNumbers(seed);
  const clusters = Math.max(CLUSTERS_MIN, Math.round(count / ROWS_PER_CLUSTER));
  const centres = Float32Array.from({ length: clusters * dimensions }, random.normal);
  const draw = (into: Float32Array): void => {
    const centre = random.below(clusters) * dimensions;
    for (let i = 0; i < dimensions; i++) into[i] = (centres[centre + i] ?? 0) + CLUSTER_SPREAD * random.normal();
    normalise(into);
  };
  const values = new Float32Array(count * dimensions);
  for (let row = 0; row < count; row++) draw(values.subarray(row * dimensions, (row + 1) * dimensions));
  const asked = Array.from({ length: queries }, () => {
    const query = new Float32Array(dimensions);
    draw(query);
    return query;
  });
  return { rows: { metric: "cosine", dimensions, count, values }, queries: asked };
}

/** SIFT-5k: 128 dimensions, L2. null when the folder is absent. */
export function siftVectors(data: string, queries: number): VectorData | null {
  const folder = join(data, "ann_sift5k_l2");
  if (!existsSync(folder)) return null;
  const base = readFvecs(readFileSync(join(folder, "base.fvecs")));
  const asked = readFvecs(readFileSync(join(folder, "query.fvecs")));
  return { rows: rowsOf(base, "l2"), queries: distinctQueries(asked, queries, 1) };
}

/** Cranfield through all-MiniLM-L6-v2: 384 dimensions, cosine. null when the folder is absent. */
export function minilmVectors(data: string, queries: number): VectorData | null {
  const given = readCranfieldVectors(data);
  if (given === null) return null;
  const rows = rowsOf([...given.documents.values()], "cosine");
  for (let row = 0; row < rows.count; row++)
    normalise(rows.values.subarray(row * rows.dimensions, (row + 1) * rows.dimensions));
  return { rows, queries: distinctQueries([...given.queries.values()], queries, 2).map(normalise) };
}

/** The given ones, then as many moved a little as are missing. */
function distinctQueries(given: readonly Float32Array[], count: number, seed: number): readonly Float32Array[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, (_, index) => {
    const query = Float32Array.from(given[index % given.length] ?? []);
    if (index < given.length) return query;
    const size = Math.sqrt(query.reduce((sum, value) => sum + value * value, 0) / query.length);
    return query.map((value) => value + JITTER * size * random.normal());
  });
}

function rowsOf(vectors: readonly Float32Array[], metric: VectorRows["metric"]): VectorRows {
  const dimensions = vectors[0]?.length ?? 0;
  const values = new Float32Array(vectors.length * dimensions);
  vectors.forEach((vector, row) => {
    values.set(vector, row * dimensions);
  });
  return { metric, dimensions, count: vectors.length, values };
}

function normalise(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.sqrt(squares);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) / length;
  return vector;
}

/** Of each vector its dimensions as i32, then its values as f32, little-endian. */
function readFvecs(file: Uint8Array): readonly Float32Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const vectors: Float32Array[] = [];
  for (let at = 0; at < file.byteLength; ) {
    const dimensions = view.getInt32(at, true);
    const from = at + 4;
    vectors.push(Float32Array.from({ length: dimensions }, (_, i) => view.getFloat32(from + 4 * i, true)));
    at = from + 4 * dimensions;
  }
  return vectors;
}
