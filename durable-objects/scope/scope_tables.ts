/**
 * What a tenant's index must not forget, in SQLite. All of it can be found again: the head from the store, what it holds
 * from its shards, the rest from what the registry says is indexed.
 *
 *   state         one JSON row
 *   taken         entity → the life and the commit up to which it was taken in, and what the registry says there is
 *   pending       commits that were taken in and are in no shard yet
 *   shards        copies of those that the head names (../copy_tables.ts)
 */
import type { LayerName, ScopeHead } from "../../core/scope/scope_head.ts";
import type { PendingCommit } from "../../core/scope/scope_work.ts";
import { COPY_SCHEMA, CopyTables } from "../copy_tables.ts";
import { numberOf, type Sql, type SqlRow, textOf } from "../sql.ts";

export interface ScopeState {
  readonly mode: "off" | "summaries" | "full";
  /** null: nothing is kept of this tenant. */
  readonly head: ScopeHead | null;
  /** Where the registry's feed was read to, in its numbering. */
  readonly feed: { readonly epoch: number; readonly next: number };
  /** Keys of objects that the head names no more. */
  readonly retired: readonly string[];
  /** What was handed out last: when, until it reports back, and so many pending commits at the most after failures. */
  readonly work: {
    readonly handedOutMs: number | null;
    readonly commitsMax: number | null;
    readonly failures: number;
    readonly error: string | null;
  };
  /** When the store is looked through for what the head does not name; null: nothing of the kind is expected. */
  readonly sweepAtMs: number | null;
  /** Whatever was acknowledged before had been indexed at the last look, and was heard of. */
  readonly heardThroughMs: number;
  /** The head covers whatever was acknowledged before; null: it covers all that was heard of. */
  readonly behindSinceMs: number | null;
  readonly nudgedMs: number;
  readonly committedMs: number | null;
  readonly unreadable: readonly string[];
}

export const NO_WORK: ScopeState["work"] = { handedOutMs: null, commitsMax: null, failures: 0, error: null };

export function newScopeState(): ScopeState {
  return {
    mode: "off",
    head: null,
    feed: { epoch: 0, next: 0 },
    retired: [],
    sweepAtMs: null,
    heardThroughMs: 0,
    behindSinceMs: null,
    work: NO_WORK,
    nudgedMs: 0,
    committedMs: null,
    unreadable: [],
  };
}

/** How far an entity was taken in. */
export interface Taken {
  readonly entity: string;
  readonly incarnation: number;
  readonly commit: number;
  /** What the registry says is indexed. */
  readonly wanted: number;
  /** The commit of its last redaction, as of when it was taken in. */
  readonly redacted: number;
  /** Bytes of text that came since its summaries were made; null: it has none. */
  readonly unsummarised: number | null;
}

const SCHEMA = [
  "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS taken (entity TEXT PRIMARY KEY, incarnation INTEGER NOT NULL, commit_no INTEGER NOT NULL, wanted INTEGER NOT NULL, redacted INTEGER NOT NULL, unsummarised INTEGER) WITHOUT ROWID",
  "CREATE INDEX IF NOT EXISTS behind ON taken (entity) WHERE commit_no < wanted",
  "CREATE TABLE IF NOT EXISTS pending (layer TEXT, commit_no INTEGER, segment TEXT NOT NULL, arrival_ms INTEGER NOT NULL, day_ms INTEGER NOT NULL, entity TEXT NOT NULL, PRIMARY KEY (layer, commit_no)) WITHOUT ROWID",
  ...COPY_SCHEMA,
];

export class ScopeTables {
  readonly #sql: Sql;
  readonly copies: CopyTables;
  /** Entities of which something is in the index, by prefix; forgotten when it may have changed. */
  readonly #takenCounts = new Map<string, number>();

  constructor(sql: Sql) {
    this.#sql = sql;
    this.copies = new CopyTables(sql);
    sql.transaction(() => {
      for (const statement of SCHEMA) sql.run(statement);
    });
  }

  transaction<T>(body: () => T): T {
    try {
      return this.#sql.transaction(body);
    } catch (cause) {
      // What was read inside is undone with it.
      this.copies.forget();
      throw cause;
    }
  }

  /** null: nothing is known, or all of it was lost. */
  readState(): ScopeState | null {
    const row = this.#sql.run("SELECT json FROM state WHERE id = 1")[0];
    return row === undefined ? null : { ...newScopeState(), ...(JSON.parse(textOf(row.json)) as Partial<ScopeState>) };
  }

  writeState(state: ScopeState): void {
    this.#sql.run(
      "INSERT INTO state (id, json) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json",
      JSON.stringify(state),
    );
  }

  /** Forgets everything but the state. */
  clear(): void {
    this.#takenCounts.clear();
    this.copies.clear();
    for (const table of ["taken", "pending"]) this.#sql.run(`DELETE FROM ${table}`);
  }

  // --- taken ---

  taken(entity: string): Taken | null {
    const row = this.#sql.run("SELECT * FROM taken WHERE entity = ?", entity)[0];
    return row === undefined ? null : takenOf(row);
  }

  putTaken({ entity, incarnation, commit, wanted, redacted, unsummarised }: Taken): void {
    this.#takenCounts.clear();
    this.#sql.run(
      "INSERT OR REPLACE INTO taken (entity, incarnation, commit_no, wanted, redacted, unsummarised) VALUES (?, ?, ?, ?, ?, ?)",
      entity,
      incarnation,
      commit,
      wanted,
      redacted,
      unsummarised,
    );
  }

  /** Entities that have more than was taken in, by name after `after`. */
  behind(after: string, limit: number): readonly Taken[] {
    return this.#sql
      .run("SELECT * FROM taken WHERE commit_no < wanted AND entity > ? ORDER BY entity LIMIT ?", after, limit)
      .map(takenOf);
  }

  /** Entities of which something is in the index, of those whose name begins so. */
  takenCount(prefix: string): number {
    const known = this.#takenCounts.get(prefix);
    if (known !== undefined) return known;
    const row = this.#sql.run(
      "SELECT COUNT(*) AS count FROM taken WHERE entity >= ?1 AND substr(entity, 1, length(?1)) = ?1 AND commit_no > 0",
      prefix,
    )[0];
    const count = numberOf(row?.count);
    // One for the tenant and one for whoever is confined: what asks for more is counted again each time.
    if (this.#takenCounts.size > 1) this.#takenCounts.clear();
    this.#takenCounts.set(prefix, count);
    return count;
  }

  /** Entities of which something is not. */
  behindCount(layer: LayerName, prefix: string): number {
    const row = this.#sql.run(
      `SELECT COUNT(*) AS count FROM (
         SELECT entity FROM taken WHERE commit_no < wanted UNION SELECT entity FROM pending WHERE layer = ?1
       ) WHERE substr(entity, 1, length(?2)) = ?2`,
      layer,
      prefix,
    )[0];
    return numberOf(row?.count);
  }

  // --- pending ---

  putPending(layer: LayerName, entity: string, { commit, segment, arrivalMs, dayMs }: PendingCommit): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO pending (layer, commit_no, segment, arrival_ms, day_ms, entity) VALUES (?, ?, ?, ?, ?, ?)",
      layer,
      commit,
      segment,
      arrivalMs,
      dayMs,
      entity,
    );
  }

  pending(layer: LayerName, limit: number): readonly PendingCommit[] {
    return this.#sql
      .run("SELECT * FROM pending WHERE layer = ? ORDER BY commit_no LIMIT ?", layer, limit)
      .map((row) => ({
        commit: numberOf(row.commit_no),
        segment: textOf(row.segment),
        arrivalMs: numberOf(row.arrival_ms),
        dayMs: numberOf(row.day_ms),
      }));
  }

  pendingCount(layer?: LayerName): number {
    const row = this.#sql.run("SELECT COUNT(*) AS count FROM pending WHERE layer = COALESCE(?, layer)", layer ?? null);
    return numberOf(row[0]?.count);
  }

  hasPending(entity: string): boolean {
    return this.#sql.run("SELECT 1 AS present FROM pending WHERE entity = ? LIMIT 1", entity).length > 0;
  }

  /** 0 when nothing is pending. */
  lastPending(layer: LayerName): number {
    const row = this.#sql.run("SELECT COALESCE(MAX(commit_no), 0) AS last FROM pending WHERE layer = ?", layer)[0];
    return numberOf(row?.last);
  }

  dropPending(layer: LayerName, through: number): void {
    this.#sql.run("DELETE FROM pending WHERE layer = ? AND commit_no <= ?", layer, through);
  }

  /** What is pending of the entity names no segment any more. */
  voidPending(entity: string, segment: string): void {
    this.#sql.run("UPDATE pending SET segment = ?, entity = '' WHERE entity = ?", segment, entity);
  }
}

function takenOf(row: SqlRow): Taken {
  return {
    entity: textOf(row.entity),
    incarnation: numberOf(row.incarnation),
    commit: numberOf(row.commit_no),
    wanted: numberOf(row.wanted),
    redacted: numberOf(row.redacted),
    unsummarised: row.unsummarised === null ? null : numberOf(row.unsummarised),
  };
}
