/**
 * usearch: a C++ HNSW with hand-written SIMD kernels, as a Node add-on. One thread, as everyone else has.
 */
import { rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ANOTHER_KIND, askWith, type Contender } from "../kernel/contender.ts";
import { TOP_K } from "../kernel/corpus.ts";
import { GRAPH } from "./graph_settings.ts";

interface Index {
  add(keys: BigUint64Array, vectors: Float32Array, threads: number): void;
  search(query: Float32Array, k: number, threads: number): { keys: BigUint64Array };
  save(file: string): void;
  load(file: string): void;
}

export interface Usearch {
  readonly Index: new (settings: Readonly<Record<string, unknown>>) => Index;
}

const ROWS_AT_ONCE = 1_000;

export function usearch({ Index }: Usearch, version: string): Contender {
  return {
    system: `usearch ${version}`,
    ours: false,
    async open({ texts, vectors, name }, budget) {
      if (vectors === null || texts !== null) return ANOTHER_KIND;
      const { metric, dimensions, count, values } = vectors;
      const settings = {
        dimensions,
        metric: metric === "l2" ? "l2sq" : "ip",
        quantization: "f32",
        connectivity: GRAPH.m,
        expansion_add: GRAPH.efConstruction,
        expansion_search: GRAPH.ef,
        multi: false,
      };
      const index = new Index(settings);
      let buildMs = 0;
      for (let row = 0; row < count; row += ROWS_AT_ONCE) {
        const end = Math.min(count, row + ROWS_AT_ONCE);
        const keys = BigUint64Array.from({ length: end - row }, (_, i) => BigInt(row + i));
        const from = performance.now();
        index.add(keys, values.subarray(row * dimensions, end * dimensions), 1);
        buildMs += performance.now() - from;
        budget.spend(end, count);
      }
      const file = join(tmpdir(), `bench-${process.pid}-${name.replaceAll("/", "-")}.usearch`);
      index.save(file);
      const bytes = statSync(file).size;
      const from = performance.now();
      const again = new Index(settings);
      again.load(file);
      again.search(values.subarray(0, dimensions), TOP_K, 1);
      const coldLoadMs = performance.now() - from;
      rmSync(file);
      return {
        settings: `f32, ${settings.metric}, connectivity ${GRAPH.m}, expansion ${GRAPH.efConstruction} and ${GRAPH.ef}, one thread`,
        buildMs,
        bytes,
        coldLoadMs,
        prepare(set) {
          if (set.questions.some(({ filter }) => filter !== null)) return { reason: "its binding has no filter" };
          return askWith(
            set,
            ({ vector }) => vector,
            (query) => Array.from(index.search(query, TOP_K, 1).keys, Number),
          );
        },
      };
    },
  };
}
