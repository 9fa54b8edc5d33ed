/**
 * hnswlib-node: the C++ library that HNSW's authors wrote, as a Node add-on. Takes plain arrays, one point a call.
 * What we are measured by most, so its build may take as long as it takes.
 */
import { rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ANOTHER_KIND, askWith, type Contender } from "../kernel/contender.ts";
import { rowOf, TOP_K } from "../kernel/corpus.ts";
import { matcherOf } from "../kernel/filter_data.ts";
import { GRAPH } from "./graph_settings.ts";

interface Graph {
  initIndex(rows: number, m: number, efConstruction: number, seed: number): void;
  addPoint(point: number[], label: number): void;
  setEf(ef: number): void;
  searchKnn(query: number[], k: number, filter?: (label: number) => boolean): { neighbors: number[] };
  writeIndexSync(file: string): void;
  readIndexSync(file: string): void;
}

export interface HnswlibNode {
  readonly default: { readonly HierarchicalNSW: new (space: string, dimensions: number) => Graph };
}

const SEED = 100;

export function hnswlibNode(library: HnswlibNode, version: string): Contender {
  const { HierarchicalNSW } = library.default;
  return {
    system: `hnswlib-node ${version}`,
    ours: false,
    async open({ texts, vectors, fields, name }) {
      if (vectors === null || texts !== null) return ANOTHER_KIND;
      const space = vectors.metric === "l2" ? "l2" : "ip";
      const graph = new HierarchicalNSW(space, vectors.dimensions);
      graph.initIndex(vectors.count, GRAPH.m, GRAPH.efConstruction, SEED);
      let buildMs = 0;
      for (let row = 0; row < vectors.count; row++) {
        const point = Array.from(rowOf(vectors, row));
        const from = performance.now();
        graph.addPoint(point, row);
        buildMs += performance.now() - from;
      }
      graph.setEf(GRAPH.ef);
      const file = join(tmpdir(), `bench-${process.pid}-${name.replaceAll("/", "-")}.hnsw`);
      graph.writeIndexSync(file);
      const bytes = statSync(file).size;
      const from = performance.now();
      const again = new HierarchicalNSW(space, vectors.dimensions);
      again.readIndexSync(file);
      again.searchKnn(Array.from(rowOf(vectors, 0)), TOP_K);
      const coldLoadMs = performance.now() - from;
      rmSync(file);
      return {
        settings: `${space}, M ${GRAPH.m}, efConstruction ${GRAPH.efConstruction}, ef ${GRAPH.ef}`,
        buildMs,
        bytes,
        coldLoadMs,
        prepare: (set) =>
          askWith(
            set,
            ({ vector, filter }) =>
              vector === null ? null : { query: Array.from(vector), matches: matcherOf(filter, fields) ?? undefined },
            ({ query, matches }) => graph.searchKnn(query, TOP_K, matches).neighbors,
          ),
      };
    },
  };
}
