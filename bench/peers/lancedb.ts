/** LanceDB: an embedded database in Rust over files. Vectors without an index are compared one by one, as it starts out. */
import { mkdtempSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askWith, type Contender } from "../kernel/contender.ts";
import { type Corpus, type Question, rowOf, TOP_K, type VectorRows } from "../kernel/corpus.ts";
import { sqlOf } from "../kernel/filter_data.ts";

interface Query {
  distanceType(metric: string): Query;
  select(columns: readonly string[]): Query;
  where(sql: string): Query;
  fullTextSearch(text: string): Query;
  rerank(reranker: unknown): Query;
  limit(k: number): Query;
  toArray(): Promise<readonly { readonly id: number }[]>;
}
interface Table {
  add(rows: readonly Readonly<Record<string, unknown>>[]): Promise<unknown>;
  search(query: Float32Array): Query;
  search(query: string, type: "fts", column: string): Query;
  createIndex(column: string, settings: { readonly config: unknown }): Promise<void>;
  optimize(): Promise<unknown>;
}

export interface LanceDb {
  connect(folder: string): Promise<{
    createTable(name: string, rows: readonly Readonly<Record<string, unknown>>[]): Promise<Table>;
  }>;
  readonly Index: { fts(): unknown };
  readonly rerankers: { readonly RRFReranker: { create(): Promise<unknown> } };
}

const ROWS_AT_ONCE = 10_000;

export function lanceDb(library: LanceDb, version: string): Contender {
  return {
    system: `lancedb ${version}`,
    ours: false,
    async open(corpus, budget) {
      const folder = mkdtempSync(join(tmpdir(), "bench-lance-"));
      const database = await library.connect(folder);
      const from = performance.now();
      const table = await database.createTable("documents", rowsOf(corpus, 0));
      for (let at = ROWS_AT_ONCE; at < corpus.documents; at += ROWS_AT_ONCE) {
        await table.add(rowsOf(corpus, at));
        budget.spend(at, corpus.documents);
      }
      await table.optimize();
      if (corpus.texts !== null) await table.createIndex("text", { config: library.Index.fts() });
      const buildMs = performance.now() - from;
      const reranker = await library.rerankers.RRFReranker.create();
      const { vectors } = corpus;
      return {
        settings: "files; full-text index as it comes, vectors without index, filters first",
        buildMs,
        bytes: bytesIn(folder),
        coldLoadMs: null,
        prepare: (set) =>
          askWith(
            set,
            (question) => (set.leg === "text" || (set.leg !== "open" && vectors !== null) ? question : null),
            async ({ text, vector, filter }: Question) => {
              if (set.leg === "text") return idsOf(table.search(text ?? "", "fts", "text").select(["id"]));
              let query = table.search(vector ?? new Float32Array(0)).distanceType(distanceOf(vectors));
              if (set.leg === "hybrid") return idsOf(query.fullTextSearch(text ?? "").rerank(reranker));
              if (filter !== null) query = query.where(sqlOf(filter));
              return idsOf(query.select(["id"]));
            },
          ),
      };
    },
  };
}

function distanceOf(vectors: VectorRows | null): string {
  return vectors?.metric === "l2" ? "l2" : "dot";
}

function rowsOf({ documents, texts, vectors, fields }: Corpus, from: number): Readonly<Record<string, unknown>>[] {
  return Array.from({ length: Math.min(ROWS_AT_ONCE, documents - from) }, (_, i) => {
    const id = from + i;
    return {
      id,
      ...(texts === null ? {} : { text: texts[id] }),
      ...(vectors === null ? {} : { vector: Array.from(rowOf(vectors, id)) }),
      ...(fields === null ? {} : { bucket: fields.bucket[id], entity: fields.entity[id], time: fields.time[id] }),
    };
  });
}

async function idsOf(query: Query): Promise<readonly number[]> {
  return (await query.limit(TOP_K).toArray()).map(({ id }) => id);
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
