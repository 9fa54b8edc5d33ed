/**
 * Copies of the head's shards in SQLite. A small one, and the hashes of its ids, lie in the row that names it; a large
 * one lies in pages, and is named once all of it is there. One that was just read from the store may be held in memory
 * first and written later: until then it answers like the others, and ends with the instance.
 *
 *   shard_copies sha256 | dimensions of the vectors supplied in it, hashes of its ids, its bytes, or those of a page
 *   copy_pages   name, page | bytes: under `{sha256}` a shard that is too large for that row, under `ids:{sha256}` the
 *                hashes that are
 */
import { joinBytes } from "../../core/bytes.ts";
import type { ByteRange } from "../../core/index/plan_ranges.ts";
import { SQLITE_COPY_ROW_BYTES_MAX, SQLITE_PAGE_BYTES, SQLITE_SHARD_PAGE_BYTES } from "../../core/limits.ts";
import { addColumns, blobOf, bytesOf, numberOf, type Sql, textOf } from "../sql.ts";

export const COPY_SCHEMA = [
  "CREATE TABLE IF NOT EXISTS shard_copies (sha256 TEXT PRIMARY KEY, dimensions INTEGER NOT NULL, ids BLOB, bytes BLOB, page_bytes INTEGER) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS copy_pages (name TEXT, page INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (name, page)) WITHOUT ROWID",
];

/** Of tables that were made when every copy lay in pages, and all pages were of one size. */
const LATER_COLUMNS = { ids: "BLOB", bytes: "BLOB", page_bytes: "INTEGER" };
const EARLIER_PAGE_BYTES = 65_536;

/** Each name once, from one to the next: to read every page for it would be to read every byte. */
const PAGE_NAMES = `WITH RECURSIVE names (name) AS (
    SELECT MIN(name) FROM copy_pages
    UNION ALL
    SELECT (SELECT MIN(name) FROM copy_pages WHERE name > names.name) FROM names WHERE names.name IS NOT NULL
  ) SELECT name FROM names WHERE name IS NOT NULL`;

/** Of which nothing is in SQLite yet. */
interface HeldCopy {
  /** In order. */
  readonly pieces: { readonly offset: number; readonly bytes: Uint8Array }[];
  /** null until it is named. */
  named: { readonly ids: Uint8Array; readonly dimensions: number } | null;
}

interface Copy {
  readonly dimensions: number;
  /** It lies in the row that names it. */
  readonly isInRow: boolean;
  /** Of each page but the last, where it does not. */
  readonly pageBytes: number;
}

export class CopyTables {
  readonly #sql: Sql;
  /** By the name of each copy in `shard_copies`; null when they are to be read. */
  #copies: ReadonlyMap<string, Copy> | null = null;
  readonly #held = new Map<string, HeldCopy>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Inside the transaction that makes the tables. */
  bringUpToDate(): void {
    addColumns(this.#sql, "shard_copies", LATER_COLUMNS);
  }

  /** What was read inside a transaction is undone with it. */
  forget(): void {
    this.#copies = null;
  }

  /** Bytes of a copy from `offset` on, a multiple of SQLITE_SHARD_PAGE_BYTES; more of it may follow. */
  putPiece(sha256: string, offset: number, bytes: Uint8Array): void {
    this.#putPages(sha256, bytes, SQLITE_SHARD_PAGE_BYTES, offset / SQLITE_SHARD_PAGE_BYTES);
  }

  /** The same, without a write: `writeHeld` does that. `bytes` stay as they are. */
  holdPiece(sha256: string, offset: number, bytes: Uint8Array): void {
    const held = this.#held.get(sha256) ?? { pieces: [], named: null };
    held.pieces.push({ offset, bytes });
    held.pieces.sort((a, b) => a.offset - b.offset);
    this.#held.set(sha256, held);
  }

  get heldBytes(): number {
    return [...this.#held.values()].flatMap(({ pieces }) => pieces).reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /**
   * From now on the copy is here: all of it, in `bytes` or put or held before. `ids`: ascending hashes of the shard's
   * event ids. `dimensions`: of vectors supplied in it, 0 for none.
   */
  name(sha256: string, ids: Uint8Array, dimensions: number, bytes: Uint8Array | null = null): void {
    const held = this.#held.get(sha256);
    if (held === undefined) this.#write(sha256, ids, dimensions, bytes);
    else held.named = { ids, dimensions };
  }

  /** What is held and named. Until `letGo` it is in both places: the transaction may be undone. */
  writeHeld(): void {
    for (const [sha256, { pieces, named }] of this.#held) {
      if (named === null) continue;
      const [first] = pieces;
      const only = pieces.length === 1 && first !== undefined ? first.bytes : null;
      if (only === null) for (const { offset, bytes } of pieces) this.putPiece(sha256, offset, bytes);
      this.#write(sha256, named.ids, named.dimensions, only);
    }
  }

  /** What was written, or has no use. */
  letGo(isOver: (sha256: string) => boolean): void {
    for (const sha256 of this.#held.keys()) if (isOver(sha256)) this.#held.delete(sha256);
  }

  /** Names a copy in SQLite. */
  #write(sha256: string, ids: Uint8Array, dimensions: number, bytes: Uint8Array | null): void {
    this.#copies = null;
    const fits = (blob: Uint8Array) => blob.length <= SQLITE_COPY_ROW_BYTES_MAX;
    const inRow = (blob: Uint8Array | null) => (blob !== null && fits(blob) ? blobOf(blob) : null);
    if (bytes !== null && !fits(bytes)) this.putPiece(sha256, 0, bytes);
    if (!fits(ids)) this.#putPages(idsOf(sha256), ids, SQLITE_PAGE_BYTES, 0);
    this.#sql.run(
      "INSERT OR REPLACE INTO shard_copies (sha256, dimensions, ids, bytes, page_bytes) VALUES (?, ?, ?, ?, ?)",
      sha256,
      dimensions,
      inRow(ids),
      inRow(bytes),
      SQLITE_SHARD_PAGE_BYTES,
    );
  }

  /** Whether there is any, or a piece of one. */
  hasAny(): boolean {
    if (this.#held.size > 0 || this.#here().size > 0) return true;
    return this.#sql.run("SELECT 1 AS present FROM copy_pages LIMIT 1").length > 0;
  }

  has(sha256: string): boolean {
    return (this.#held.get(sha256)?.named ?? null) !== null || this.#here().has(sha256);
  }

  /** A piece of a shard that is here. */
  range(sha256: string, offset: number, length: number): Uint8Array {
    return joinBytes(this.pieces(sha256, offset, length));
  }

  /** The same, a piece a page. */
  pieces(sha256: string, offset: number, length: number): readonly Uint8Array[] {
    const held = this.#held.get(sha256);
    if (held !== undefined) return piecesOf(held, offset, length);
    const { isInRow, pageBytes } = this.#copy(sha256);
    if (isInRow) return [this.#pieceOfRow(sha256, offset, length)];
    const first = Math.floor(offset / pageBytes);
    const last = Math.ceil((offset + length) / pageBytes) - 1;
    if (first === last) return [this.#pieceOfPage(sha256, first, offset - first * pageBytes, length)];
    const rows = this.#sql.run(
      "SELECT bytes FROM copy_pages WHERE name = ? AND page BETWEEN ? AND ? ORDER BY page",
      sha256,
      first,
      last,
    );
    return rows.map((row, index) => {
      const start = (first + index) * pageBytes;
      return bytesOf(row.bytes).subarray(Math.max(0, offset - start), offset + length - start);
    });
  }

  /** Many pieces by one statement: most of what a small one costs is the statement. */
  ranges(sha256: string, ranges: readonly ByteRange[]): readonly Uint8Array[] {
    const held = this.#held.get(sha256);
    if (held !== undefined) return ranges.map(({ offset, length }) => joinBytes(piecesOf(held, offset, length)));
    const { isInRow, pageBytes } = this.#copy(sha256);
    if (isInRow) return ranges.map(({ offset, length }) => this.#pieceOfRow(sha256, offset, length));
    const places = ranges.flatMap((range, index) => placesOf(range, pageBytes).map((place) => ({ ...place, index })));
    const rows = this.#sql.run(
      `SELECT substr(bytes, 1 + (place.value ->> 1), place.value ->> 2) AS bytes
       FROM json_each(?) AS place CROSS JOIN copy_pages ON name = ? AND page = place.value ->> 0 ORDER BY place.id`,
      JSON.stringify(places.map(({ page, at, bytes }) => [page, at, bytes])),
      sha256,
    );
    if (rows.length !== places.length) throw new Error("a copy of a shard lacks pages");
    const pieces: Uint8Array[][] = ranges.map(() => []);
    places.forEach(({ index }, nth) => {
      pieces[index]?.push(bytesOf(rows[nth]?.bytes));
    });
    return pieces.map(joinBytes);
  }

  /** Cut out by SQLite: most pieces are a few bytes of their page. */
  #pieceOfPage(sha256: string, page: number, offset: number, length: number): Uint8Array {
    const statement = "SELECT substr(bytes, ?, ?) AS bytes FROM copy_pages WHERE name = ? AND page = ?";
    return bytesOf(this.#sql.run(statement, offset + 1, length, sha256, page)[0]?.bytes);
  }

  #pieceOfRow(sha256: string, offset: number, length: number): Uint8Array {
    const statement = "SELECT substr(bytes, ?, ?) AS bytes FROM shard_copies WHERE sha256 = ?";
    return bytesOf(this.#sql.run(statement, offset + 1, length, sha256)[0]?.bytes);
  }

  ids(sha256: string): Uint8Array {
    const named = this.#held.get(sha256)?.named ?? null;
    if (named !== null) return named.ids;
    const inRow = this.#sql.run("SELECT ids FROM shard_copies WHERE sha256 = ?", sha256)[0]?.ids ?? null;
    if (inRow !== null) return bytesOf(inRow);
    const rows = this.#sql.run("SELECT bytes FROM copy_pages WHERE name = ? ORDER BY page", idsOf(sha256));
    return joinBytes(rows.map((row) => bytesOf(row.bytes)));
  }

  dimensions(sha256: string): number {
    return (this.#held.get(sha256)?.named ?? this.#here().get(sha256))?.dimensions ?? 0;
  }

  /** Drops every copy that `kept` does not name, and what there is of copies that were never whole. */
  keep(kept: readonly string[]): void {
    const wanted = new Set(kept.flatMap((sha256) => [sha256, idsOf(sha256)]));
    this.letGo((sha256) => !wanted.has(sha256));
    const pages = this.#sql.run(PAGE_NAMES).map((row) => textOf(row.name));
    for (const name of pages) if (!wanted.has(name)) this.#sql.run("DELETE FROM copy_pages WHERE name = ?", name);
    for (const sha256 of this.#here().keys()) {
      if (wanted.has(sha256)) continue;
      this.#copies = null;
      this.#sql.run("DELETE FROM shard_copies WHERE sha256 = ?", sha256);
    }
  }

  /** One that is not named yet is being put. */
  #copy(sha256: string): Pick<Copy, "isInRow" | "pageBytes"> {
    return this.#here().get(sha256) ?? { isInRow: false, pageBytes: SQLITE_SHARD_PAGE_BYTES };
  }

  /** Asked for by every read: a statement takes longer than a small search. */
  #here(): ReadonlyMap<string, Copy> {
    this.#copies ??= new Map(
      this.#sql
        .run(
          "SELECT sha256, dimensions, bytes IS NOT NULL AS in_row, COALESCE(page_bytes, ?) AS page_bytes FROM shard_copies",
          EARLIER_PAGE_BYTES,
        )
        .map((row) => [
          textOf(row.sha256),
          {
            dimensions: numberOf(row.dimensions),
            isInRow: numberOf(row.in_row) === 1,
            pageBytes: numberOf(row.page_bytes),
          },
        ]),
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
}

function piecesOf({ pieces }: HeldCopy, offset: number, length: number): readonly Uint8Array[] {
  return pieces.flatMap((piece) => {
    const from = Math.max(0, offset - piece.offset);
    const to = Math.min(piece.bytes.length, offset + length - piece.offset);
    return from < to ? [piece.bytes.subarray(from, to)] : [];
  });
}

interface PlaceInPage {
  readonly page: number;
  readonly at: number;
  readonly bytes: number;
}

/** A range in the pages that it lies in. */
function placesOf({ offset, length }: ByteRange, pageBytes: number): readonly PlaceInPage[] {
  const first = Math.floor(offset / pageBytes);
  const last = Math.floor((offset + Math.max(length, 1) - 1) / pageBytes);
  return Array.from({ length: last - first + 1 }, (_, nth) => {
    const start = (first + nth) * pageBytes;
    const from = Math.max(offset, start);
    return { page: first + nth, at: from - start, bytes: Math.min(offset + length, start + pageBytes) - from };
  });
}

function idsOf(sha256: string): string {
  return `ids:${sha256}`;
}
