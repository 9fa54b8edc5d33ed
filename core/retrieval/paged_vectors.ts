/**
 * The vector leg over parts whose residuals are paged. The codes of each part tell which vectors may be among the best of
 * the whole scope, and between which bounds each scores; when all parts have told, the residuals of those that are left
 * are read, and they are scored.
 *
 *   floor   the limit-th greatest of all least scores so far: what scores below it is not in the answer
 *
 * The answer is that of a search with everything in memory, to the last bit: bounds are of the very score that is then
 * computed (wasm/assembly/vector_bounds.ts), and nothing is dropped that may tie with the last.
 */
import { joinBytes } from "../bytes.ts";
import type { PartVectors } from "../index/part.ts";
import { BOUNDS_MAX, RESIDUALS_BATCH_BYTES } from "../limits.ts";
import type { Bits, KernelSlab, LoadedPart, Metric, VectorBounds } from "../ports.ts";

interface Candidate {
  readonly ordinal: number;
  readonly least: number;
  readonly most: number;
  /** null when it was scored. */
  readonly unscored: Asked | null;
}

interface Asked {
  readonly vectors: PartVectors;
  readonly vector: number;
  readonly record: Uint8Array;
}

export interface ScoredOrdinal {
  readonly ordinal: number;
  readonly score: number;
}

export class PagedVectorLeg {
  readonly #slab: KernelSlab;
  readonly #metric: Metric;
  readonly #query: Float32Array;
  readonly #limit: number;
  #candidates: Candidate[] = [];
  #floor = Number.NEGATIVE_INFINITY;

  constructor(slab: KernelSlab, metric: Metric, query: Float32Array, limit: number) {
    this.#slab = slab;
    this.#metric = metric;
    this.#query = query;
    this.#limit = limit;
  }

  /** `base`: ordinal of the part's first document; `loaded` has its codes. */
  search(loaded: LoadedPart, vectors: PartVectors, matches: Bits, base: number): void {
    for (let from: number | null = 0; from !== null; ) {
      const bounds = this.#slab.boundVectors(loaded, this.#query, matches, this.#limit, this.#floor, from);
      this.#take(bounds, vectors, base);
      from = bounds.next;
    }
  }

  /** Best first. */
  best(): readonly ScoredOrdinal[] {
    this.#score();
    return this.#candidates.map(({ ordinal, least }) => ({ ordinal, score: least }));
  }

  #take({ documents, vectors: rows, least, most, records }: VectorBounds, vectors: PartVectors, base: number): void {
    const bytes = records.length / documents.length;
    documents.forEach((document, index) => {
      this.#candidates.push({
        ordinal: base + document,
        least: least[index] ?? 0,
        most: most[index] ?? 0,
        unscored: { vectors, vector: rows[index] ?? 0, record: records.subarray(index * bytes, (index + 1) * bytes) },
      });
    });
    this.#drop();
    if (this.#candidates.length > BOUNDS_MAX) this.#score();
  }

  /** Raises the floor, and drops what is below it. */
  #drop(): void {
    if (this.#candidates.length <= this.#limit) return;
    const least = Float64Array.from(this.#candidates, (candidate) => candidate.least).sort();
    this.#floor = least[least.length - this.#limit] ?? this.#floor;
    this.#candidates = this.#candidates.filter(({ most }) => most >= this.#floor);
  }

  /** Scores what was not, and keeps the best. */
  #score(): void {
    const waiting = this.#candidates.filter(({ unscored }) => unscored !== null);
    const done = this.#candidates.filter(({ unscored }) => unscored === null);
    const rowBytes = this.#slab.residualPlace(this.#query.length, 0).length;
    const batch = Math.max(1, Math.floor(RESIDUALS_BATCH_BYTES / Math.max(rowBytes, 64)));
    for (let from = 0; from < waiting.length; from += batch) {
      done.push(...this.#scored(waiting.slice(from, from + batch)));
    }
    this.#candidates = done.sort((a, b) => b.least - a.least || a.ordinal - b.ordinal).slice(0, this.#limit);
    if (this.#candidates.length === this.#limit) this.#floor = this.#candidates.at(-1)?.least ?? this.#floor;
  }

  #scored(candidates: readonly Candidate[]): readonly Candidate[] {
    const asked = candidates.flatMap(({ unscored }) => (unscored === null ? [] : [unscored]));
    const rows = this.#residualsOf(asked);
    const records = joinBytes(asked.map(({ record }) => record));
    const scores = this.#slab.scoreBounds(this.#metric, this.#query, records, rows);
    return candidates.map(({ ordinal }, index) => {
      const score = scores[index] ?? 0;
      return { ordinal, least: score, most: score, unscored: null };
    });
  }

  /** Of one part together: reading costs more than what is read. */
  #residualsOf(asked: readonly Asked[]): readonly Uint8Array[] {
    const rows: Uint8Array[] = new Array(asked.length);
    for (const [{ paged }, indexes] of indexesByPart(asked)) {
      const places = indexes.map((index) => this.#slab.residualPlace(this.#query.length, asked[index]?.vector ?? 0));
      const read = paged.residuals(places);
      indexes.forEach((index, nth) => {
        rows[index] = read[nth] ?? new Uint8Array(0);
      });
    }
    return rows;
  }
}

function indexesByPart(asked: readonly Asked[]): ReadonlyMap<PartVectors, readonly number[]> {
  const indexes = new Map<PartVectors, number[]>();
  asked.forEach(({ vectors }, index) => {
    const ofPart = indexes.get(vectors) ?? [];
    ofPart.push(index);
    indexes.set(vectors, ofPart);
  });
  return indexes;
}
