/** What a benchmark searches and asks, as plain data: the same for every system, and posted as it is to workerd. */
import type { Metric } from "../../core/ports.ts";

/** Every question asks for this many. */
export const TOP_K = 10;

export interface VectorRows {
  readonly metric: Metric;
  readonly dimensions: number;
  readonly count: number;
  /** Row after row. */
  readonly values: Float32Array;
}

/** Fields to filter by, one value a document. */
export interface Fields {
  /** 0 .. BUCKETS − 1, evenly. */
  readonly bucket: Uint32Array;
  /** 0 .. ENTITIES − 1, evenly. */
  readonly entity: Uint32Array;
  /** Ascending, milliseconds: documents lie in ledger order. */
  readonly time: Float64Array;
}

export interface Corpus {
  readonly name: string;
  readonly documents: number;
  readonly texts: readonly string[] | null;
  readonly vectors: VectorRows | null;
  readonly fields: Fields | null;
}

/** Documents whose bucket is in [from, from + width); or those of the entities whose time is in [since, until]. */
export type Filter =
  | { readonly kind: "bucket"; readonly from: number; readonly width: number }
  | { readonly kind: "entities"; readonly ids: readonly number[]; readonly since: number; readonly until: number };

export interface Question {
  readonly text: string | null;
  readonly vector: Float32Array | null;
  readonly filter: Filter | null;
}

/** `open`: a stored index is opened from its bytes for each question, which is hybrid. */
export type Leg = "text" | "vector" | "hybrid" | "open";

/** One row of the results: questions of one kind to one corpus. The first `warmUp` are asked, but not counted. */
export interface QuestionSet {
  readonly row: string;
  readonly leg: Leg;
  readonly warmUp: number;
  readonly questions: readonly Question[];
}

export function rowOf({ values, dimensions }: VectorRows, row: number): Float32Array {
  return values.subarray(row * dimensions, (row + 1) * dimensions);
}
