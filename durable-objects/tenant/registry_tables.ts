/**
 * What a tenant's object keeps of its entities: their counters, which of them are dirty, and dead letters. Entities can
 * be found again from the store's folders, counters from the entities' own objects.
 */
import { DEAD_LETTERS_MAX } from "../../core/limits.ts";
import type { DeadLetter, EntityCounters } from "../../core/rpc.ts";
import { addColumns, numberOf, type Sql, textOf } from "../sql.ts";

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS entities (
     entity TEXT PRIMARY KEY, events INTEGER NOT NULL, last_ts INTEGER, last_commit INTEGER NOT NULL,
     indexed_commit INTEGER NOT NULL, unindexed INTEGER NOT NULL, dirty_commit INTEGER NOT NULL, dirty_since_ms INTEGER,
     sealed INTEGER NOT NULL DEFAULT 0
   ) WITHOUT ROWID`,
  // Of an earlier version. Each index is a row more to write whenever an entity turns dirty or clean.
  "DROP INDEX IF EXISTS dirty",
  "CREATE INDEX IF NOT EXISTS dirty_names ON entities (entity) WHERE dirty_since_ms IS NOT NULL",
  "CREATE TABLE IF NOT EXISTS dead_letters (id TEXT PRIMARY KEY, entity TEXT NOT NULL, at_ms INTEGER NOT NULL, error TEXT NOT NULL) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS indexed (entity TEXT PRIMARY KEY, incarnation INTEGER NOT NULL, commit_no INTEGER NOT NULL, redacted INTEGER NOT NULL, changed INTEGER NOT NULL) WITHOUT ROWID",
  "CREATE INDEX IF NOT EXISTS indexed_changed ON indexed (changed)",
  "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
];

export interface EntityRow {
  readonly entity: string;
  readonly events: number;
  readonly lastTs: number | null;
}

export interface Indexed {
  readonly entity: string;
  readonly incarnation: number;
  readonly indexedCommit: number;
  /** The commit of its last redaction; 0: none. */
  readonly redacted: number;
}

export interface WaitingRow {
  readonly entity: string;
  readonly unindexedEvents: number;
  readonly since: number;
}

/** Of tables that were made before these were counted. */
const LATER_COLUMNS: Readonly<Record<string, string>> = {
  unindexed_bytes: "INTEGER NOT NULL DEFAULT 0",
  is_full: "INTEGER NOT NULL DEFAULT 0",
  incarnation: "INTEGER",
  redacted: "INTEGER",
};

type Fact = "recovered" | "last_sweep_ms" | "last_reconcile_ms" | "feed_epoch" | "followed";

export class RegistryTables {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.transaction(() => {
      for (const statement of SCHEMA) sql.run(statement);
      addColumns(sql, "entities", LATER_COLUMNS);
    });
  }

  transaction<T>(body: () => T): T {
    return this.#sql.transaction(body);
  }

  fact(name: Fact): number | null {
    const row = this.#sql.run("SELECT value FROM facts WHERE name = ?", name)[0];
    return row === undefined ? null : numberOf(row.value);
  }

  setFact(name: Fact, value: number): void {
    this.#sql.run("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", name, value);
  }

  // --- what was indexed: written while somebody follows it ---

  /** True when that is news. */
  putIndexed({ entity, incarnation, indexedCommit, redacted }: Indexed): boolean {
    const known = this.#sql.run("SELECT incarnation, commit_no, redacted FROM indexed WHERE entity = ?", entity)[0];
    const isKnown = known?.incarnation === incarnation && known.commit_no === indexedCommit;
    if (isKnown && known.redacted === redacted) return false;
    this.#sql.run(
      `INSERT OR REPLACE INTO indexed (entity, incarnation, commit_no, redacted, changed)
       VALUES (?, ?, ?, ?, (SELECT COALESCE(MAX(changed), 0) + 1 FROM indexed))`,
      entity,
      incarnation,
      indexedCommit,
      redacted,
    );
    return true;
  }

  /** Of each entity after `after`, by name, what it told last. The last of them; null when that was all. */
  putIndexedOfAll(after: string, limit: number): string | null {
    const rows = this.#sql.run(
      `SELECT entity, incarnation, indexed_commit, redacted FROM entities
       WHERE entity > ? AND incarnation IS NOT NULL ORDER BY entity LIMIT ?`,
      after,
      limit,
    );
    for (const row of rows) {
      this.putIndexed({
        entity: textOf(row.entity),
        incarnation: numberOf(row.incarnation),
        indexedCommit: numberOf(row.indexed_commit),
        redacted: numberOf(row.redacted),
      });
    }
    return rows.length < limit ? null : textOf(rows.at(-1)?.entity);
  }

  /** In the order in which it became known, after `after`. */
  indexedAfter(after: number, limit: number): readonly (Indexed & { readonly changed: number })[] {
    return this.#sql
      .run(
        "SELECT entity, incarnation, commit_no, redacted, changed FROM indexed WHERE changed > ? ORDER BY changed LIMIT ?",
        after,
        limit,
      )
      .map((row) => ({
        entity: textOf(row.entity),
        incarnation: numberOf(row.incarnation),
        indexedCommit: numberOf(row.commit_no),
        redacted: numberOf(row.redacted),
        changed: numberOf(row.changed),
      }));
  }

  /** Entities with events that never said what they have indexed: they were registered before that was kept. */
  unheard(limit: number): string[] {
    return this.#sql
      .run("SELECT entity FROM entities WHERE events > 0 AND entity NOT IN (SELECT entity FROM indexed) LIMIT ?", limit)
      .map((row) => textOf(row.entity));
  }

  /** Of entities with commits that are not indexed; what else the dirty ones have to do changes no answer. */
  waitingSums(): { readonly count: number; readonly unindexedEvents: number; readonly sinceMs: number | null } {
    const row = this.#sql.run(
      "SELECT COUNT(*) AS count, COALESCE(SUM(unindexed), 0) AS events, MIN(dirty_since_ms) AS since FROM entities WHERE dirty_since_ms IS NOT NULL AND (last_commit = 0 OR indexed_commit < MAX(last_commit, dirty_commit))",
    )[0];
    const since = row?.since ?? null;
    return {
      count: numberOf(row?.count),
      unindexedEvents: numberOf(row?.events),
      sinceMs: since === null ? null : numberOf(since),
    };
  }

  /** The last entity that the last sweep nudged; empty when it came to the end. */
  sweepCursor(): string {
    const row = this.#sql.run("SELECT value FROM cursors WHERE name = 'sweep'")[0];
    return row === undefined ? "" : textOf(row.value);
  }

  setSweepCursor(entity: string): void {
    this.#sql.run("INSERT OR REPLACE INTO cursors (name, value) VALUES ('sweep', ?)", entity);
  }

  // --- entities ---

  knows(entity: string): boolean {
    return this.#sql.run("SELECT 1 AS present FROM entities WHERE entity = ?", entity).length > 0;
  }

  /** Registers the entity when it is new; commit `commit` of it waits from `nowMs` on, if nothing waited before. */
  markDirty(entity: string, commit: number, nowMs: number): void {
    this.#sql.run(
      `INSERT INTO entities (entity, events, last_ts, last_commit, indexed_commit, unindexed, dirty_commit, dirty_since_ms)
       VALUES (?1, 0, NULL, 0, 0, 0, ?2, ?3)
       ON CONFLICT (entity) DO UPDATE SET dirty_commit = MAX(dirty_commit, ?2), dirty_since_ms = COALESCE(dirty_since_ms, ?3)`,
      entity,
      commit,
      nowMs,
    );
  }

  /**
   * Clean only when every commit that was announced is indexed, and nothing else is left to do. What is known already is
   * not written again.
   */
  report(counters: EntityCounters, nowMs: number): void {
    this.#sql.run(
      `UPDATE entities SET events = ?2, last_ts = ?3, last_commit = ?4, indexed_commit = ?5, unindexed = ?6, sealed = ?7,
         unindexed_bytes = ?8, is_full = ?9, incarnation = ?10, redacted = ?11,
         dirty_since_ms = CASE
           WHEN ?12 THEN COALESCE(dirty_since_ms, ?13)
           WHEN ?5 >= ?4 AND ?5 >= dirty_commit THEN NULL
           ELSE dirty_since_ms
         END
       WHERE entity = ?1 AND ((events, last_ts, last_commit, indexed_commit, unindexed, sealed, unindexed_bytes, is_full, incarnation, redacted)
           IS NOT (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         OR dirty_since_ms IS NULL AND ?12
         OR dirty_since_ms IS NOT NULL AND NOT ?12 AND ?5 >= ?4 AND ?5 >= dirty_commit)`,
      counters.entity,
      counters.events,
      counters.lastTs,
      counters.lastCommit,
      counters.indexedCommit,
      counters.unindexedEvents,
      Number(counters.sealed),
      counters.unindexedBytes,
      Number(counters.full),
      counters.incarnation,
      counters.redacted,
      Number(counters.pending),
      nowMs,
    );
  }

  /** The entity was erased: it is listed no more, but stays known, since its keys carry an incarnation. */
  forget(entity: string, incarnation: number): void {
    this.#sql.run(
      `UPDATE entities SET events = 0, last_ts = NULL, last_commit = 0, indexed_commit = 0, unindexed = 0, redacted = 0,
         incarnation = MAX(COALESCE(incarnation, 0), ?2 + 1),
         dirty_commit = 0, dirty_since_ms = NULL, sealed = 0, unindexed_bytes = 0, is_full = 0 WHERE entity = ?1`,
      entity,
      incarnation,
    );
  }

  /** 0: it has not told. */
  incarnationOf(entity: string): number {
    const row = this.#sql.run("SELECT incarnation FROM entities WHERE entity = ?", entity)[0];
    return numberOf(row?.incarnation ?? 0);
  }

  /** Entities that have events, by name, after `after`. */
  entities(prefix: string, after: string, limit: number): EntityRow[] {
    const rows = this.#sql.run(
      `SELECT entity, events, last_ts FROM entities
       WHERE events > 0 AND entity > ?1 AND entity >= ?2 AND substr(entity, 1, length(?2)) = ?2 ORDER BY entity LIMIT ?3`,
      after,
      prefix,
      limit,
    );
    return rows.map((row) => ({
      entity: textOf(row.entity),
      events: numberOf(row.events),
      lastTs: row.last_ts === null ? null : numberOf(row.last_ts),
    }));
  }

  /** Every registered name after `after`, with or without events. */
  names(after: string, limit: number): string[] {
    return this.#sql
      .run("SELECT entity FROM entities WHERE entity > ? ORDER BY entity LIMIT ?", after, limit)
      .map((row) => textOf(row.entity));
  }

  /** Entities that have events, under a prefix. */
  count(prefix = ""): number {
    const row = this.#sql.run(
      "SELECT COUNT(*) AS count FROM entities WHERE events > 0 AND entity >= ?1 AND substr(entity, 1, length(?1)) = ?1",
      prefix,
    )[0];
    return numberOf(row?.count);
  }

  /** Dirty entities after `after`, by name. */
  dirtyNames(after: string, limit: number): string[] {
    return this.#sql
      .run(
        "SELECT entity FROM entities WHERE dirty_since_ms IS NOT NULL AND entity > ? ORDER BY entity LIMIT ?",
        after,
        limit,
      )
      .map((row) => textOf(row.entity));
  }

  dirtyCount(): number {
    return numberOf(this.#sql.run("SELECT COUNT(*) AS count FROM entities WHERE dirty_since_ms IS NOT NULL")[0]?.count);
  }

  /** Entities whose index work was given up on, or that take no more appends for now, by name. */
  refused(limit: number): { entity: string; why: "sealed" | "full" }[] {
    return this.#sql
      .run("SELECT entity, sealed FROM entities WHERE sealed = 1 OR is_full = 1 ORDER BY entity LIMIT ?", limit)
      .map((row) => ({ entity: textOf(row.entity), why: numberOf(row.sealed) === 1 ? "sealed" : "full" }));
  }

  /** Sums over all entities. */
  totals() {
    const row = this.#sql.run(
      `SELECT COALESCE(SUM(sealed), 0) AS sealed, COALESCE(SUM(is_full AND NOT sealed), 0) AS is_full,
         COALESCE(SUM(unindexed), 0) AS events, COALESCE(SUM(unindexed_bytes), 0) AS bytes FROM entities`,
    )[0];
    return {
      sealed: numberOf(row?.sealed),
      full: numberOf(row?.is_full),
      unindexedEvents: numberOf(row?.events),
      unindexedBytes: numberOf(row?.bytes),
    };
  }

  registered(): number {
    return numberOf(this.#sql.run("SELECT COUNT(*) AS count FROM entities")[0]?.count);
  }

  /** Dirty entities, longest waiting first. */
  waiting(limit: number): WaitingRow[] {
    const rows = this.#sql.run(
      "SELECT entity, unindexed, dirty_since_ms FROM entities WHERE dirty_since_ms IS NOT NULL ORDER BY dirty_since_ms LIMIT ?",
      limit,
    );
    return rows.map((row) => ({
      entity: textOf(row.entity),
      unindexedEvents: numberOf(row.unindexed),
      since: numberOf(row.dirty_since_ms),
    }));
  }

  // --- dead letters ---

  /** An entity has one letter: the newest. */
  putDeadLetter(letter: DeadLetter): void {
    this.dropDeadLettersOf(letter.entity);
    this.#sql.run(
      "INSERT OR REPLACE INTO dead_letters (id, entity, at_ms, error) VALUES (?, ?, ?, ?)",
      letter.id,
      letter.entity,
      letter.at,
      letter.error,
    );
    this.#sql.run(
      "DELETE FROM dead_letters WHERE id NOT IN (SELECT id FROM dead_letters ORDER BY at_ms DESC LIMIT ?)",
      DEAD_LETTERS_MAX,
    );
  }

  deadLetters(): DeadLetter[] {
    return this.#sql.run("SELECT id, entity, at_ms, error FROM dead_letters ORDER BY at_ms, id").map((row) => ({
      id: textOf(row.id),
      entity: textOf(row.entity),
      at: numberOf(row.at_ms),
      error: textOf(row.error),
    }));
  }

  deadLetterCount(): number {
    return numberOf(this.#sql.run("SELECT COUNT(*) AS count FROM dead_letters")[0]?.count);
  }

  dropDeadLettersOf(entity: string): void {
    this.#sql.run("DELETE FROM dead_letters WHERE entity = ?", entity);
  }
}
