/**
 * edgevec: an HNSW in WebAssembly that runs in Workers. Its `dot` and `cosine` answer the least similar rows, so it gets
 * `l2`, whose order over vectors of length 1 is that of the cosine. Its rows are numbered from 1.
 */
import { ANOTHER_KIND, askWith, type Contender } from "../kernel/contender.ts";
import { TOP_K } from "../kernel/corpus.ts";

interface Settings {
  setMetricType(metric: number): void;
}
interface Index {
  insertBatchFlat(vectors: Float32Array, count: number): Uint32Array;
  search(query: Float32Array, k: number): readonly { readonly id: number }[];
  serializedSize(): number;
}

export interface Edgevec {
  readonly EdgeVecConfig: new (dimensions: number) => Settings;
  readonly EdgeVec: new (settings: Settings) => Index;
  readonly MetricType: { readonly L2: number };
}

const ROWS_AT_ONCE = 500;

export function edgevec({ EdgeVec, EdgeVecConfig, MetricType }: Edgevec, version: string): Contender {
  return {
    system: `edgevec ${version}`,
    ours: false,
    async open({ texts, vectors }, budget) {
      if (vectors === null || texts !== null) return ANOTHER_KIND;
      const { dimensions, count, values } = vectors;
      const settings = new EdgeVecConfig(dimensions);
      settings.setMetricType(MetricType.L2);
      const index = new EdgeVec(settings);
      const from = performance.now();
      const ids = new Map<number, number>();
      for (let row = 0; row < count; row += ROWS_AT_ONCE) {
        const end = Math.min(count, row + ROWS_AT_ONCE);
        index.insertBatchFlat(values.subarray(row * dimensions, end * dimensions), end - row).forEach((id, i) => {
          ids.set(id, row + i);
        });
        budget.spend(end, count);
      }
      return {
        settings: "l2 over unit vectors (its cosine and dot answer the least similar), else defaults",
        buildMs: performance.now() - from,
        bytes: index.serializedSize(),
        coldLoadMs: null,
        prepare(set) {
          if (set.questions.some(({ filter }) => filter !== null))
            return {
              reason: "filters only rows inserted one by one with metadata, which takes longer than a build may",
            };
          return askWith(
            set,
            ({ vector }) => vector,
            (query) => index.search(query, TOP_K).map(({ id }) => ids.get(id) ?? -1),
          );
        },
      };
    },
  };
}
