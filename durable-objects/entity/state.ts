/**
 * What an entity's object must not forget, in SQLite: one row of state, the tail, copies of shards, idempotency records.
 *
 *   state        one JSON row, rewritten in every transaction that changes it
 *   tail         commits c+1..s: the segment's bytes as stored in R2, in pages; the first page carries the facts
 *   shard_copies copies of shards that the head names, and the dimensions of the vectors supplied in each
 *   copy_pages   their bytes, and by themselves the hashes of their ids
 *   garbage      objects of the store that no head named when they were listed, and what became of them (collect.ts)
 *   idempotency  key → (body digest, result), kept IDEMPOTENCY_WINDOW_MS
 */
import {
  IDEMPOTENCY_RECORDS_MAX,
  IDEMPOTENCY_WINDOW_MS,
  SQLITE_PAGE_BYTES,
  SQLITE_SHARD_PAGE_BYTES,
} from "../../core/limits.ts";
import type { Head, RedactedLines, ShardEntry } from "../../core/schema/stored.ts";
import { blobOf, bytesOf, numberOf, type Sql, textOf } from "../sql.ts";
import { type Attempts, NO_ATTEMPTS } from "./attempts.ts";

/** A put that was begun: its outcome is unknown until it is settled. */
export interface Intent {
  readonly commit: number;
  readonly segment: string;
  readonly sha256: string;
}

/**
 * Shards that are built anew from segments, one after another, to take the place of the head's over the same commits: of
 * all that it covers, or of a range whose shard is damaged or gone.
 */
export interface Rebuilding extends Attempts {
  readonly revision: string;
  readonly from: number;
  /** Last commit of the range; null: as far as the head goes. */
  readonly to: number | null;
  /** What there is so far: from `from` on, without a gap. */
  readonly shards: readonly ShardEntry[];
  /** Midnight UTC of the day under which the last commit in `shards` lies; null: not known. */
  readonly dayMs: number | null;
  /** Of this state of it; no two of an incarnation are alike. */
  readonly version: number;
}

/** A shard of the head that is damaged or gone. */
export interface LostShard {
  readonly from: number;
  readonly to: number;
  readonly sha256: string;
}

export interface Redaction {
  readonly ids: readonly string[];
  readonly lines: readonly RedactedLines[];
  /** Digests of blobs that only these lines name. */
  readonly blobs: readonly string[];
  /** Of its record in the log; null until that is there. */
  readonly commit: number | null;
  /** Model outputs are without those lines. */
  readonly outputsDone: boolean;
  /** Everything is done but for the last deletion, which is due then. */
  readonly sweepAtMs: number | null;
}

export interface LogCounts {
  /** Events but for tombstones, less one for each tombstone. */
  readonly events: number;
  /** Greatest event time, epoch milliseconds. */
  readonly lastTs: number | null;
}

/** How far the collection of what no head names has come (collect.ts). */
export interface Collection {
  readonly phase: "idle" | "marking" | "waiting" | "deleting";
  /** When the phase began. */
  readonly sinceMs: number;
  /** Since when there may be something to collect that no marking has looked for; null: there is nothing. */
  readonly litteredMs: number | null;
  /** Objects that were deleted. */
  readonly collected: number;
}

export interface EntityState extends Attempts {
  readonly incarnation: number;
  /** s: the last acknowledged commit. */
  readonly last: number;
  readonly lastArrivalMs: number;
  readonly lastDayMs: number;
  readonly intent: Intent | null;
  readonly head: Head;
  /** Since when something waits to be indexed; null when nothing does. */
  readonly dirtySinceMs: number | null;
  /** Up to which commit the tenant has been told that this entity needs indexing. */
  readonly registered: number;
  readonly lastNudgeMs: number;
  readonly lastIndexedMs: number | null;
  /** Of the log up to `last`; null after a recovery, until they are counted. */
  readonly counts: LogCounts | null;
  /** The newest head that `head.json` names, and when it was written. */
  readonly hint: { readonly version: number; readonly writtenMs: number };
  /** Dimensions of supplied vectors; 0 while none was supplied. */
  readonly dimensions: number;
  /** When a read or an append last needed copies of shards, to COPIES_USED_EXACT_MS; null before the first did. */
  readonly copiesUsedMs: number | null;
  readonly rebuilding: Rebuilding | null;
  /** Versions of `rebuilding` that there were. */
  readonly rebuildings: number;
  /** Of the head: each is answered from its segments, and built again. */
  readonly lost: readonly LostShard[];
  /** Commits up to this are in no shard of the head, and not in the tail either: there is no answer without a rebuild. */
  readonly unread: number;
  /**
   * The commit that records the last redaction: snapshots from before it are refused. 0: there was none. While one is
   * under way, the commit before its record.
   */
  readonly redacted: number;
  /** Set while a redaction is under way. */
  readonly redaction: Redaction | null;
  /** Merge all shards into as few as fit, at the next build. */
  readonly compact: boolean;
  readonly collection: Collection;
  /** Commits up to here are rolled up, or too large for it (rollups.ts); 0: it has to be looked up. */
  readonly rolled: number;
  /**
   * Set while a deleted incarnation is being swept from the store. `resumed`: by a recovery that found its mark; of the
   * incarnation after it a put may be under way, from before the state was lost.
   */
  readonly erasing: {
    readonly incarnation: number;
    readonly emptySinceMs: number | null;
    readonly resumed: boolean;
  } | null;
}

/** Before there is a head, or when the last one is not to be used: version numbers go on from `version`. */
export function noHead(incarnation: number, version: number): Head {
  return { version, incarnation, revision: "", covered: 0, shards: [] };
}

export function newState(incarnation: number, registered = 0): EntityState {
  return {
    incarnation,
    last: 0,
    lastArrivalMs: 0,
    lastDayMs: 0,
    intent: null,
    head: noHead(incarnation, 0),
    dirtySinceMs: null,
    registered,
    lastNudgeMs: 0,
    lastIndexedMs: null,
    counts: { events: 0, lastTs: null },
    hint: { version: 0, writtenMs: 0 },
    dimensions: 0,
    ...NO_ATTEMPTS,
    copiesUsedMs: null,
    rebuilding: null,
    rebuildings: 0,
    lost: [],
    unread: 0,
    redacted: 0,
    redaction: null,
    compact: false,
    collection: { phase: "idle", sinceMs: 0, litteredMs: null, collected: 0 },
    rolled: 0,
    erasing: null,
  };
}

/** Where the tail begins: after this commit. */
export function tailAfter({ head, unread }: Pick<EntityState, "head" | "unread">): number {
  return Math.max(head.covered, unread);
}

/** What a head says of the last redaction. */
export function redactedOf({ redacted }: EntityState): Pick<Head, "redacted"> {
  return redacted === 0 ? {} : { redacted };
}

/** The head without the shards that were lost. */
export function wholeHead({ head, lost }: Pick<EntityState, "head" | "lost">): Head {
  if (lost.length === 0) return head;
  const gone = new Set(lost.map(({ sha256 }) => sha256));
  return { ...head, shards: head.shards.filter(({ sha256 }) => !gone.has(sha256)) };
}

/** Whether head and tail are the log, and answer the questions of this revision. */
export function isReadable({ head, unread }: EntityState, revision: string): boolean {
  return (head.covered === 0 || head.revision === revision) && unread <= head.covered;
}
/** Of an entity whose state was written when nothing was collected. */
const NEVER_COLLECTED: Collection = { phase: "idle", sinceMs: 0, litteredMs: 0, collected: 0 };

/** An append's answer without the ids that the same body brings again: ten thousand of them would not fit in a row. */
export interface RecordedResult {
  readonly commit: number;
  readonly segment: string;
  readonly accepted: number;
  readonly duplicates: number;
  /** Which of the request's events are in conflict. */
  readonly conflicts: readonly number[];
  readonly token: string;
}

/** Marked objects may turn out to be needed; condemned ones may be gone at any moment. */
export type GarbageFate = "marked" | "condemned" | "deleted";

/** A commit of the tail, without its bytes. */
export interface TailCommit {
  readonly commit: number;
  readonly segment: string;
  readonly sha256: string;
  readonly arrivalMs: number;
  readonly lines: number;
  readonly rawBytes: number;
  /** Lines with a vector, its dimensions (0: none has one), and the bytes of all digits in `rawBytes`. */
  readonly vectors: number;
  readonly dimensions: number;
  readonly vectorBytes: number;
}

const SCHEMA = [
  "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS tail (commit_no INTEGER, page INTEGER, facts TEXT, bytes BLOB NOT NULL, PRIMARY KEY (commit_no, page)) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS shard_copies (sha256 TEXT PRIMARY KEY, dimensions INTEGER NOT NULL) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS copy_pages (name TEXT, page INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (name, page)) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS garbage (key TEXT PRIMARY KEY, fate TEXT NOT NULL) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS idempotency (key TEXT PRIMARY KEY, body_digest TEXT NOT NULL, result TEXT NOT NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID",
];

/** Each name once, from one to the next: to read every page for it would be to read every byte. */
const COPY_NAMES = `WITH RECURSIVE names (name) AS (
    SELECT MIN(name) FROM copy_pages
    UNION ALL
    SELECT (SELECT MIN(name) FROM copy_pages WHERE name > names.name) FROM names WHERE names.name IS NOT NULL
  ) SELECT name FROM names WHERE name IS NOT NULL`;

export class EntityTables {
  readonly #sql: Sql;

  /** Dimensions by the name of each copy in `shard_copies`; null when they are to be read. */
  #copies: ReadonlyMap<string, number> | null = null;

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.transaction(() => {
      for (const statement of SCHEMA) sql.run(statement);
    });
  }

  transaction<T>(body: () => T): T {
    try {
      return this.#sql.transaction(body);
    } catch (cause) {
      // What was read inside is undone with it.
      this.#copies = null;
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
    return { ...newState(1), collection: NEVER_COLLECTED, ...written };
  }

  writeState(state: EntityState): void {
    this.#sql.run(
      "INSERT INTO state (id, json) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json",
      JSON.stringify(state),
    );
  }

  clear(): void {
    this.#copies = null;
    for (const table of ["state", "tail", "shard_copies", "copy_pages", "garbage", "idempotency"])
      this.#sql.run(`DELETE FROM ${table}`);
  }

  // --- tail ---

  putTail(facts: TailCommit, bytes: Uint8Array): void {
    this.#sql.run("DELETE FROM tail WHERE commit_no = ?", facts.commit);
    const pages = Math.max(1, Math.ceil(bytes.length / SQLITE_PAGE_BYTES));
    for (let page = 0; page < pages; page += 1) {
      const slice = bytes.subarray(page * SQLITE_PAGE_BYTES, (page + 1) * SQLITE_PAGE_BYTES);
      this.#sql.run(
        "INSERT INTO tail (commit_no, page, facts, bytes) VALUES (?, ?, ?, ?)",
        facts.commit,
        page,
        page === 0 ? JSON.stringify(facts) : null,
        blobOf(slice),
      );
    }
  }

  /** Commits after `commit`, ascending. */
  tailAfter(commit: number): TailCommit[] {
    return this.#sql
      .run("SELECT facts FROM tail WHERE commit_no > ? AND page = 0 ORDER BY commit_no", commit)
      .map((row) => JSON.parse(textOf(row.facts)) as TailCommit);
  }

  tailBytes(commit: number): Uint8Array {
    return joinPages(
      this.#sql
        .run("SELECT bytes FROM tail WHERE commit_no = ? ORDER BY page", commit)
        .map((row) => bytesOf(row.bytes)),
    );
  }

  dropTail(throughCommit: number): void {
    this.#sql.run("DELETE FROM tail WHERE commit_no <= ?", throughCommit);
  }

  // --- shards ---

  /** Bytes of a copy from `offset` on, a multiple of SQLITE_SHARD_PAGE_BYTES; more of it may follow. */
  putShardPiece(sha256: string, offset: number, bytes: Uint8Array): void {
    this.#putPages(sha256, bytes, SQLITE_SHARD_PAGE_BYTES, offset / SQLITE_SHARD_PAGE_BYTES);
  }

  /**
   * From now on the copy is here: all of it was put. `ids`: ascending hashes of the shard's event ids. `dimensions`: of
   * vectors supplied in it, 0 for none.
   */
  nameShard(sha256: string, ids: Uint8Array, dimensions: number): void {
    this.#copies = null;
    this.#sql.run("INSERT OR REPLACE INTO shard_copies (sha256, dimensions) VALUES (?, ?)", sha256, dimensions);
    this.#putPages(idsOf(sha256), ids, SQLITE_PAGE_BYTES, 0);
  }

  hasCopies(): boolean {
    return this.#sql.run("SELECT 1 AS present FROM copy_pages LIMIT 1").length > 0;
  }

  hasShard(sha256: string): boolean {
    return this.#copiesHere().has(sha256);
  }

  /** A piece of a shard that is here. */
  shardRange(sha256: string, offset: number, length: number): Uint8Array {
    return joinPages(this.shardPieces(sha256, offset, length));
  }

  /** The same, a piece a page. */
  shardPieces(sha256: string, offset: number, length: number): readonly Uint8Array[] {
    const first = Math.floor(offset / SQLITE_SHARD_PAGE_BYTES);
    const last = Math.ceil((offset + length) / SQLITE_SHARD_PAGE_BYTES) - 1;
    if (first === last) return [this.#pieceOfPage(sha256, first, offset - first * SQLITE_SHARD_PAGE_BYTES, length)];
    const rows = this.#sql.run(
      "SELECT bytes FROM copy_pages WHERE name = ? AND page BETWEEN ? AND ? ORDER BY page",
      sha256,
      first,
      last,
    );
    return rows.map((row, index) => {
      const start = (first + index) * SQLITE_SHARD_PAGE_BYTES;
      return bytesOf(row.bytes).subarray(Math.max(0, offset - start), offset + length - start);
    });
  }

  /** Cut out by SQLite: most pieces are a few bytes of their page. */
  #pieceOfPage(sha256: string, page: number, offset: number, length: number): Uint8Array {
    const [row] = this.#sql.run(
      "SELECT substr(bytes, ?, ?) AS bytes FROM copy_pages WHERE name = ? AND page = ?",
      offset + 1,
      length,
      sha256,
      page,
    );
    return bytesOf(row?.bytes);
  }

  shardIds(sha256: string): Uint8Array {
    return this.#pages(idsOf(sha256));
  }

  shardDimensions(sha256: string): number {
    return this.#copiesHere().get(sha256) ?? 0;
  }

  /** Asked for by every read: a statement takes longer than a small search. */
  #copiesHere(): ReadonlyMap<string, number> {
    this.#copies ??= new Map(
      this.#sql
        .run("SELECT sha256, dimensions FROM shard_copies")
        .map((row) => [textOf(row.sha256), numberOf(row.dimensions)]),
    );
    return this.#copies;
  }

  #putPages(name: string, bytes: Uint8Array, pageBytes: number, first: number): void {
    for (let page = 0; page * pageBytes < bytes.length; page += 1) {
      const slice = bytes.subarray(page * pageBytes, (page + 1) * pageBytes);
      this.#sql.run(
        "INSERT OR REPLACE INTO copy_pages (name, page, bytes) VALUES (?, ?, ?)",
        name,
        first + page,
        blobOf(slice),
      );
    }
  }

  #pages(name: string): Uint8Array {
    const rows = this.#sql.run("SELECT bytes FROM copy_pages WHERE name = ? ORDER BY page", name);
    return joinPages(rows.map((row) => bytesOf(row.bytes)));
  }

  /** Drops every copy that `kept` does not name, and what there is of copies that were never whole. */
  keepShards(kept: readonly string[]): void {
    const wanted = new Set(kept.flatMap((sha256) => [sha256, idsOf(sha256)]));
    for (const row of this.#sql.run(COPY_NAMES)) {
      const name = textOf(row.name);
      if (wanted.has(name)) continue;
      this.#copies = null;
      this.#sql.run("DELETE FROM shard_copies WHERE sha256 = ?", name);
      this.#sql.run("DELETE FROM copy_pages WHERE name = ?", name);
    }
  }

  // --- garbage ---

  markGarbage(keys: readonly string[]): void {
    for (const key of keys) this.#sql.run("INSERT OR IGNORE INTO garbage (key, fate) VALUES (?, 'marked')", key);
  }

  /** null: nobody has marked it. */
  fateOf(key: string): GarbageFate | null {
    const row = this.#sql.run("SELECT fate FROM garbage WHERE key = ?", key)[0];
    return row === undefined ? null : (textOf(row.fate) as GarbageFate);
  }

  /** Takes keys off the list that are not condemned yet. */
  spareGarbage(keys: Iterable<string>): void {
    for (const key of keys) this.#sql.run("DELETE FROM garbage WHERE key = ? AND fate = 'marked'", key);
  }

  condemnGarbage(): void {
    this.#sql.run("UPDATE garbage SET fate = 'condemned' WHERE fate = 'marked'");
  }

  condemnedGarbage(limit: number): string[] {
    const rows = this.#sql.run("SELECT key FROM garbage WHERE fate = 'condemned' ORDER BY key LIMIT ?", limit);
    return rows.map((row) => textOf(row.key));
  }

  deletedGarbage(keys: readonly string[]): void {
    for (const key of keys) this.#sql.run("UPDATE garbage SET fate = 'deleted' WHERE key = ?", key);
  }

  /** All of it, or `keys`. */
  forgetGarbage(keys?: readonly string[]): void {
    if (keys === undefined) this.#sql.run("DELETE FROM garbage");
    else for (const key of keys) this.#sql.run("DELETE FROM garbage WHERE key = ?", key);
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

function idsOf(sha256: string): string {
  return `ids:${sha256}`;
}

function joinPages(pages: readonly Uint8Array[]): Uint8Array {
  const only = pages[0];
  if (pages.length === 1 && only !== undefined) return only;
  const joined = new Uint8Array(pages.reduce((total, page) => total + page.length, 0));
  let offset = 0;
  for (const page of pages) {
    joined.set(page, offset);
    offset += page.length;
  }
  return joined;
}
