/**
 * What an entity's object must not forget, in SQLite.
 *
 *   state        one row: the state as JSON, rewritten in every transaction that changes it; beside it the newest commits
 *   tail         the commits before them that wait to be indexed (tail_table.ts)
 *   shards       copies of those that the head names (../copy_tables.ts)
 *   shard_bytes  those that are too large for a row
 *   garbage_pages objects of the store that no head names (garbage_table.ts)
 *   idempotency  key → (body digest, result), kept IDEMPOTENCY_WINDOW_MS
 *
 * Every row that is written has its price (docs/decisions/0049): what changes together lies in one.
 */
import { IDEMPOTENCY_RECORDS_MAX, IDEMPOTENCY_WINDOW_MS } from "../../core/limits.ts";
import { COPY_SCHEMA, CopyTables } from "../copy_tables.ts";
import { addColumns, numberOf, type Sql, textOf } from "../sql.ts";
import { GARBAGE_SCHEMA, GarbageTable } from "./garbage_table.ts";
import { type Collection, type EntityState, newState, type RecordedResult } from "./state.ts";
import { TailTable } from "./tail_table.ts";

/** Of an entity whose state was written when nothing was collected. */
const NEVER_COLLECTED: Collection = { phase: "idle", sinceMs: 0, litteredMs: 0, markedVersion: 0, collected: 0 };

const SCHEMA = [
  "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL, facts TEXT, bytes BLOB)",
  "CREATE TABLE IF NOT EXISTS tail (commit_no INTEGER, page INTEGER, facts TEXT, bytes BLOB NOT NULL, PRIMARY KEY (commit_no, page)) WITHOUT ROWID",
  ...COPY_SCHEMA,
  GARBAGE_SCHEMA,
  "CREATE TABLE IF NOT EXISTS idempotency (key TEXT PRIMARY KEY, body_digest TEXT NOT NULL, result TEXT NOT NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID",
];

/** Of a table that was made when every commit had a row of its own. */
const LATER_COLUMNS = { facts: "TEXT", bytes: "BLOB" };

export class EntityTables {
  readonly #sql: Sql;
  readonly tail: TailTable;
  readonly copies: CopyTables;
  readonly garbage: GarbageTable;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.tail = new TailTable(sql);
    this.copies = new CopyTables(sql);
    this.garbage = new GarbageTable(sql);
    sql.transaction(() => {
      for (const statement of SCHEMA) sql.run(statement);
      addColumns(sql, "state", LATER_COLUMNS);
      this.garbage.bringUpToDate();
    });
  }

  transaction<T>(body: () => T): T {
    try {
      return this.#sql.transaction(() => {
        const result = body();
        this.#writeShared();
        this.garbage.write();
        return result;
      });
    } catch (cause) {
      // What was read inside is undone with it.
      this.copies.forget();
      this.tail.forget();
      this.garbage.reread();
      throw cause;
    }
  }

  // --- state ---

  /** null: this object has never known this entity, or has lost what it knew. */
  readState(): EntityState | null {
    const row = this.#sql.run("SELECT json FROM state WHERE id = 1")[0];
    // Written by `writeState` alone, in this same version of the class or an earlier one: missing fields take defaults.
    if (row === undefined) return null;
    const written = JSON.parse(textOf(row.json)) as Partial<EntityState>;
    return { ...newState(1), ...written, collection: { ...NEVER_COLLECTED, ...written.collection } };
  }

  /** After what else the transaction changes in the tail, so that it is one row that is written once. */
  writeState(state: EntityState): void {
    const json = JSON.stringify(state);
    const shared = this.tail.takeChange();
    if (shared === null) {
      this.#sql.run(
        "INSERT INTO state (id, json) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json",
        json,
      );
      return;
    }
    this.#sql.run(
      `INSERT INTO state (id, json, facts, bytes) VALUES (1, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET json = excluded.json, facts = excluded.facts, bytes = excluded.bytes`,
      json,
      shared.facts,
      shared.bytes,
    );
  }

  /** The end of the tail changed, and the state did not. */
  #writeShared(): void {
    const shared = this.tail.takeChange();
    if (shared !== null)
      this.#sql.run("UPDATE state SET facts = ?, bytes = ? WHERE id = 1", shared.facts, shared.bytes);
  }

  clear(): void {
    this.copies.clear();
    this.tail.forget();
    this.garbage.reread();
    for (const table of ["state", "tail", "garbage_pages", "idempotency"]) this.#sql.run(`DELETE FROM ${table}`);
  }

  // --- idempotency ---

  idempotent(key: string, nowMs: number): { readonly bodyDigest: string; readonly result: RecordedResult } | null {
    const row = this.#sql.run(
      "SELECT body_digest, result FROM idempotency WHERE key = ? AND at_ms > ?",
      key,
      nowMs - IDEMPOTENCY_WINDOW_MS,
    )[0];
    if (row === undefined) return null;
    return { bodyDigest: textOf(row.body_digest), result: JSON.parse(textOf(row.result)) as RecordedResult };
  }

  putIdempotent(key: string, bodyDigest: string, result: RecordedResult, nowMs: number): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO idempotency (key, body_digest, result, at_ms) VALUES (?, ?, ?, ?)",
      key,
      bodyDigest,
      JSON.stringify(result),
      nowMs,
    );
  }

  /** Forgets records past their window, and the oldest above the limit. */
  trimIdempotent(nowMs: number): void {
    this.#sql.run("DELETE FROM idempotency WHERE at_ms <= ?", nowMs - IDEMPOTENCY_WINDOW_MS);
    const count = numberOf(this.#sql.run("SELECT COUNT(*) AS count FROM idempotency")[0]?.count);
    if (count <= IDEMPOTENCY_RECORDS_MAX) return;
    this.#sql.run(
      "DELETE FROM idempotency WHERE key IN (SELECT key FROM idempotency ORDER BY at_ms LIMIT ?)",
      count - IDEMPOTENCY_RECORDS_MAX,
    );
  }
}
