/**
 * The two steps of an exact search of vectors whose residuals are not in the slab (wasm/assembly/vector_bounds.ts): what
 * may be among the best, and the scores of that once its residuals are brought.
 */
import { BOUNDS_MAX } from "../core/limits.ts";
import type { SectionPlace, VectorBounds } from "../core/ports.ts";
import { type KernelInstance, statusText } from "./kernel_instance.ts";
import type { HeldPart } from "./slab_parts.ts";

const RESIDUALS_HEAD_BYTES = 64;
const DOCUMENT = 0;
const VECTOR = 1;
const LEAST = 2;
const MOST = 3;
/** Behind the last row: a vector load may begin anywhere in a row. */
const ROWS_TAIL_BYTES = 16;

export const NO_BOUNDS: VectorBounds = {
  documents: new Uint32Array(),
  vectors: new Uint32Array(),
  least: new Float32Array(),
  most: new Float32Array(),
  records: new Uint8Array(),
  next: null,
};

/** `query` and `matches` are in place. */
export function boundVectors(
  instance: KernelInstance,
  { part }: HeldPart,
  query: number,
  matches: number,
  limit: number,
  floor: number,
  from: number,
): VectorBounds {
  const { kernel } = instance;
  const bytes = kernel.boundBytes();
  const out = instance.take(BOUNDS_MAX * bytes);
  const count = kernel.boundVectors(part, query, matches, limit, floor, from, BOUNDS_MAX, out);
  if (count < 0) throw new Error(`a search ${statusText(count)}`);
  const records = instance.bytes(out, count * bytes);
  const u32 = new Uint32Array(records.buffer);
  const f32 = new Float32Array(records.buffer);
  const stride = bytes / Uint32Array.BYTES_PER_ELEMENT;
  return {
    documents: Uint32Array.from({ length: count }, (_, index) => u32[index * stride + DOCUMENT] ?? 0),
    vectors: Uint32Array.from({ length: count }, (_, index) => u32[index * stride + VECTOR] ?? 0),
    least: Float32Array.from({ length: count }, (_, index) => f32[index * stride + LEAST] ?? 0),
    most: Float32Array.from({ length: count }, (_, index) => f32[index * stride + MOST] ?? 0),
    records,
    next: kernel.boundsFrom() || null,
  };
}

function rowBytesOf(dimensions: number): number {
  return Math.ceil(dimensions / 4) * 4;
}

/** Of a vector's row in a section of residuals. */
export function residualPlace(dimensions: number, vector: number): SectionPlace {
  const length = rowBytesOf(dimensions);
  return { offset: RESIDUALS_HEAD_BYTES + vector * length, length };
}

/** `records`: any bounds of one query, one after the other; `rows`: their residuals in the same order. */
export function scoreBounds(
  instance: KernelInstance,
  metric: number,
  query: Float32Array,
  records: Uint8Array,
  rows: readonly Uint8Array[],
): Float32Array {
  const { kernel } = instance;
  const rowBytes = rowBytesOf(query.length);
  const vector = instance.take(query.byteLength);
  instance.putF32(vector, query);
  const bounds = instance.take(records.length);
  instance.putBytes(bounds, records);
  const at = instance.take(rows.length * rowBytes + ROWS_TAIL_BYTES);
  rows.forEach((row, index) => {
    if (row.length !== rowBytes) throw new RangeError(`a row of ${row.length} bytes, not ${rowBytes}`);
    instance.putBytes(at + index * rowBytes, row);
  });
  const out = instance.take(rows.length * Float32Array.BYTES_PER_ELEMENT);
  const status = kernel.scoreBounded(query.length, metric, vector, bounds, at, rows.length, out);
  if (status < 0) throw new Error(`a score ${statusText(status)}`);
  return instance.f32(out, rows.length);
}
