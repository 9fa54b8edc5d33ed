/** The stored representation of vectors and its scores, by the definition in wasm/assembly/vector_codec.ts. */
import type { Metric } from "../../core/ports.ts";

const GREATEST = 32_512;

export interface Quantized {
  /** 15 bits each. */
  readonly values: readonly number[];
  readonly scale: number;
}

export function quantize(vector: Float32Array, metric: Metric): Quantized {
  const greatest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (greatest === 0) return { values: Array.from(vector, () => 0), scale: 0 };
  const factor = GREATEST / greatest;
  const values = Array.from(vector, (value) => nearestEven(value * factor));
  const length = Math.sqrt(product(values, values));
  return { values, scale: Math.fround(metric === "cosine" ? 1 / length : greatest / GREATEST) };
}

function nearestEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest > 0.5 ? floor + 1 : floor;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Exact: integers below 2^53. */
function product(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

export function scoreOf(document: Quantized, query: Quantized, metric: Metric): number {
  const similarity = product(document.values, query.values) * (document.scale * query.scale);
  if (metric === "cosine") return Math.fround(Math.min(Math.max(similarity, -1), 1)) + 0;
  if (metric === "dot") return Math.fround(similarity) + 0;
  const stored = document.scale * document.scale * product(document.values, document.values);
  const asked = query.scale * query.scale * product(query.values, query.values);
  return Math.fround(0 - Math.max(stored + asked - 2 * similarity, 0)) + 0;
}
