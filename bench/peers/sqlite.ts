/**
 * SQLite in memory, by the runtime's own binding: FTS5 for text (BM25 with its own k1 1.2 and b 0.75, any word), the
 * sqlite-vec extension for vectors, which compares every one; filters are columns of its table. Hybrid is both, fused
 * here by reciprocal ranks.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { LEG_CANDIDATES_MIN } from "../../core/limits.ts";
import { ANOTHER_KIND, askWith, type Contender, type Declined, type Found, type Search } from "../kernel/contender.ts";
import { type Corpus, type Question, type QuestionSet, rowOf, TOP_K } from "../kernel/corpus.ts";
import { fused } from "../kernel/exact.ts";
import { sqlOf } from "../kernel/filter_data.ts";

export interface SqliteVec {
  load(database: DatabaseSync): void;
}

const BUDGET_CHECKED_EVERY = 1_000;

export function sqlite(library: SqliteVec, version: string): Contender {
  return {
    system: `sqlite-vec ${version} and FTS5`,
    ours: false,
    async open(corpus, budget) {
      const { DatabaseSync } = await import("node:sqlite");
      const database = new DatabaseSync(":memory:", { allowExtension: true });
      library.load(database);
      const from = performance.now();
      fill(database, corpus, (done) => budget.spend(done, corpus.documents));
      const buildMs = performance.now() - from;
      const { bytes } = database
        .prepare("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size")
        .get() as { bytes: number };
      return {
        settings: "in memory; FTS5 and vec0 as they come, any word",
        buildMs,
        bytes,
        coldLoadMs: null,
        prepare: (set) => searchOf(database, corpus, set),
      };
    },
  };
}

function fill(
  database: DatabaseSync,
  { documents, texts, vectors, fields }: Corpus,
  tell: (done: number) => void,
): void {
  if (texts !== null) database.exec("CREATE VIRTUAL TABLE words USING fts5(text)");
  const metric = vectors?.metric === "l2" ? "l2" : "cosine";
  const columns = fields === null ? "" : ", bucket integer, entity integer, time float";
  if (vectors !== null)
    database.exec(
      `CREATE VIRTUAL TABLE near USING vec0(v float[${vectors.dimensions}] distance_metric=${metric}${columns})`,
    );
  const word = texts === null ? null : database.prepare("INSERT INTO words(rowid, text) VALUES (?, ?)");
  const near =
    vectors === null ? null : database.prepare(`INSERT INTO near VALUES (?, ?${fields === null ? "" : ", ?, ?, ?"})`);
  database.exec("BEGIN");
  for (let row = 0; row < documents; row++) {
    word?.run(BigInt(row), texts?.[row] ?? "");
    if (vectors !== null && near !== null) {
      const values = fields === null ? [] : [fields.bucket[row], fields.entity[row]].map((value) => BigInt(value ?? 0));
      const time = fields === null ? [] : [fields.time[row] ?? 0];
      near.run(BigInt(row), bytesOf(rowOf(vectors, row)), ...values, ...time);
    }
    if (row % BUDGET_CHECKED_EVERY === 0) tell(row);
  }
  database.exec("COMMIT");
}

interface Form {
  readonly words: string;
  readonly vector: Uint8Array;
  readonly near: StatementSync | null;
}

function searchOf(database: DatabaseSync, corpus: Corpus, set: QuestionSet): Search | Declined {
  if (set.leg === "open") return ANOTHER_KIND;
  const words =
    corpus.texts === null
      ? null
      : database.prepare("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?");
  const nearOf = (question: Question): StatementSync =>
    database.prepare(
      `SELECT rowid FROM near WHERE v MATCH ? AND k = ?${question.filter === null ? "" : ` AND ${sqlOf(question.filter)}`}`,
    );
  const unfiltered = corpus.vectors === null ? null : nearOf({ text: null, vector: null, filter: null });
  const formOf = (question: Question): Form => ({
    words: (question.text ?? "")
      .split(" ")
      .map((word) => `"${word}"`)
      .join(" OR "),
    vector: bytesOf(question.vector ?? new Float32Array(0)),
    near: question.filter === null ? unfiltered : nearOf(question),
  });
  const relevant = (form: Form, limit: number): readonly number[] => rowids(words?.all(form.words, limit));
  const nearest = (form: Form, limit: number): readonly number[] => rowids(form.near?.all(form.vector, limit));
  return askWith(set, formOf, (form): Found => {
    if (set.leg === "vector") return nearest(form, TOP_K);
    if (set.leg === "text") return relevant(form, TOP_K);
    return fused([relevant(form, LEG_CANDIDATES_MIN), nearest(form, LEG_CANDIDATES_MIN)]);
  });
}

function rowids(rows: readonly Record<string, unknown>[] | undefined): readonly number[] {
  return (rows ?? []).map((row) => Number(row.rowid));
}

function bytesOf(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}
