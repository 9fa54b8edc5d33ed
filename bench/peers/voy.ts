/** voy-search: a k-d tree in WebAssembly that runs in Workers. Squared Euclidean distance only. */
import { ANOTHER_KIND, askWith, type Contender } from "../kernel/contender.ts";
import { rowOf, TOP_K, type VectorRows } from "../kernel/corpus.ts";

interface Tree {
  add(resource: Resource): void;
  search(query: Float32Array, k: number): { readonly neighbors: readonly { readonly id: string }[] };
  serialize(): string;
  free(): void;
}
interface Resource {
  readonly embeddings: readonly {
    readonly id: string;
    readonly title: string;
    readonly url: string;
    readonly embeddings: readonly number[];
  }[];
}

export interface Voy {
  readonly Voy: new (resource: Resource) => Tree;
}

/** Its serialisation is text, built whole in memory: beyond this many numbers it is not asked for. */
const SERIALIZED_NUMBERS_MAX = 2_000_000;
/** It takes all rows in one call, so what it needs is seen on the first of them. */
const SAMPLE_ROWS = 2_000;

export function voy(library: Voy, version: string): Contender {
  return {
    system: `voy-search ${version}`,
    ours: false,
    async open({ texts, vectors }, budget) {
      if (vectors === null || texts !== null) return ANOTHER_KIND;
      if (vectors.count > SAMPLE_ROWS) {
        new library.Voy(resourceOf(vectors, SAMPLE_ROWS)).free();
        budget.spend(SAMPLE_ROWS, vectors.count);
      }
      const resource = resourceOf(vectors, vectors.count);
      const from = performance.now();
      const tree = new library.Voy(resource);
      const buildMs = performance.now() - from;
      return {
        settings: "defaults; squared Euclidean distance",
        buildMs,
        bytes: vectors.values.length > SERIALIZED_NUMBERS_MAX ? null : tree.serialize().length,
        coldLoadMs: null,
        prepare(set) {
          if (set.questions.some(({ filter }) => filter !== null)) return { reason: "it has no filter" };
          return askWith(
            set,
            ({ vector }) => vector,
            (query) => tree.search(query, TOP_K).neighbors.map(({ id }) => Number(id)),
          );
        },
      };
    },
  };
}

function resourceOf(vectors: VectorRows, rows: number): Resource {
  return {
    embeddings: Array.from({ length: rows }, (_, row) => ({
      id: String(row),
      title: "",
      url: "",
      embeddings: Array.from(rowOf(vectors, row)),
    })),
  };
}
