/**
 * Copies of the head's shards in an object's SQLite. A small one, and the hashes of its ids, lie in the row that names
 * it; a large one lies in pages, and is named once all of it is there. One that was just read from the store may be held
 * in memory first and written later: until then it answers like the others, and ends with the instance.
 *
 *   shards       number | sha256; once all of it is here, dimensions of the vectors supplied in it, hashes of its ids, and
 *                its bytes: those that fit in a row
 *   shard_bytes  place | a page: of number n the shard's from n · SHARD_PAGES on, those of the hashes from FIRST_ID_PAGE on
 *
 * Both are found by an integer: a blob is an entry of the tree itself where the key is anything else, so that every look
 * at a page goes through some five others (docs/decisions/0034).
 */
import { joinBytes } from "../core/bytes.ts";
import type { ByteRange } from "../core/index/plan_ranges.ts";
import { SQLITE_COPY_ROW_BYTES_MAX, SQLITE_PAGE_BYTES, SQLITE_SHARD_PAGE_BYTES } from "../core/limits.ts";
import type { ReadPages } from "./part_cache.ts";
import { blobOf, bytesOf, numberOf, type Sql, textOf } from "./sql.ts";

/** Tables of earlier versions go: the next read brings their copies again. */
export const COPY_SCHEMA = [
  ...["shard_copies", "copy_pages", "copied_pages", "copies"].map((table) => `DROP TABLE IF EXISTS ${table}`),
  "CREATE TABLE IF NOT EXISTS shards (number INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, dimensions INTEGER, ids BLOB, bytes BLOB)",
  "CREATE TABLE IF NOT EXISTS shard_bytes (place INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
];

/** Places of one shard, of which the largest has 1,536 pages. */
const SHARD_PAGES = 65_536;
const FIRST_ID_PAGE = 32_768;
/** Hex digits of the digest that number a copy: 36 bits, so that a place is an exact number. */
const NUMBER_DIGITS = 9;

/** Of which nothing is in SQLite yet. */
interface HeldCopy {
  /** In order. */
  readonly pieces: { readonly offset: number; readonly bytes: Uint8Array }[];
  /** null until it is named. */
  named: Named | null;
}

interface Named {
  readonly ids: Uint8Array;
  readonly dimensions: number;
}

interface Copy {
  readonly number: number;
  /** null until all of it is here. */
  readonly dimensions: number | null;
  /** It lies in the row that names it. */
  readonly isInRow: boolean;
}

export class CopyTables {
  readonly #sql: Sql;
  /** By digest; null when they are to be read. */
  #copies: ReadonlyMap<string, Copy> | null = null;
  readonly #held = new Map<string, HeldCopy>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** What was read inside a transaction is undone with it. */
  forget(): void {
    this.#copies = null;
  }

  // --- writing ---

  /** Bytes of a copy from `offset` on, a multiple of SQLITE_SHARD_PAGE_BYTES; more of it may follow. */
  putPiece(sha256: string, offset: number, bytes: Uint8Array): void {
    if (!this.#all().has(sha256)) this.#put(sha256, null, null);
    this.#putPages(this.#numberOf(sha256), offset / SQLITE_SHARD_PAGE_BYTES, bytes, SQLITE_SHARD_PAGE_BYTES);
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
    if (held !== undefined) held.named = { ids, dimensions };
    else this.#put(sha256, { ids, dimensions }, bytes);
  }

  /** What is held and named. Until `letGo` it is in both places: the transaction may be undone. */
  writeHeld(): void {
    for (const [sha256, { pieces, named }] of this.#held) {
      if (named === null) continue;
      const [first] = pieces;
      const only = pieces.length === 1 && first !== undefined ? first.bytes : null;
      if (only === null) for (const { offset, bytes } of pieces) this.putPiece(sha256, offset, bytes);
      this.#put(sha256, named, only);
    }
  }

  /** What is held and was written, or has no use. */
  letGo(isOver: (sha256: string) => boolean): void {
    for (const sha256 of this.#held.keys()) if (isOver(sha256)) this.#held.delete(sha256);
  }

  clear(): void {
    this.#copies = null;
    this.#held.clear();
    for (const table of ["shards", "shard_bytes"]) this.#sql.run(`DELETE FROM ${table}`);
  }

  /** Drops every copy that `kept` does not name, and what there is of copies that were never whole. */
  keep(kept: readonly string[]): void {
    const wanted = new Set(kept);
    this.letGo((sha256) => !wanted.has(sha256));
    for (const [sha256, { number, dimensions }] of this.#all()) {
      if (wanted.has(sha256) && dimensions !== null) continue;
      this.#copies = null;
      this.#sql.run("DELETE FROM shards WHERE number = ?", number);
      const first = number * SHARD_PAGES;
      this.#sql.run("DELETE FROM shard_bytes WHERE place BETWEEN ? AND ?", first, first + SHARD_PAGES - 1);
    }
  }

  /** The row of a copy; of one that is not named, so that its number is its own. */
  #put(sha256: string, named: Named | null, bytes: Uint8Array | null): void {
    const number = this.#numberOf(sha256);
    const ids = named && this.#inRow(number, FIRST_ID_PAGE, named.ids, SQLITE_PAGE_BYTES);
    const file = bytes && this.#inRow(number, 0, bytes, SQLITE_SHARD_PAGE_BYTES);
    this.#copies = null;
    this.#sql.run(
      "INSERT OR REPLACE INTO shards (number, sha256, dimensions, ids, bytes) VALUES (?, ?, ?, ?, ?)",
      number,
      sha256,
      named?.dimensions ?? null,
      ids,
      file,
    );
  }

  /** What the row holds of a blob: all of it, or null and it lies in pages. */
  #inRow(number: number, firstPage: number, blob: Uint8Array, pageBytes: number): ArrayBuffer | null {
    if (blob.length <= SQLITE_COPY_ROW_BYTES_MAX) return blobOf(blob);
    this.#putPages(number, firstPage, blob, pageBytes);
    return null;
  }

  #putPages(number: number, first: number, bytes: Uint8Array, pageBytes: number): void {
    for (let page = 0; page * pageBytes < bytes.length; page += 1) {
      const slice = bytes.subarray(page * pageBytes, (page + 1) * pageBytes);
      const place = number * SHARD_PAGES + first + page;
      this.#sql.run("INSERT OR REPLACE INTO shard_bytes (place, bytes) VALUES (?, ?)", place, blobOf(slice));
    }
  }

  /** Told by its digest, so that none is ever another's; the next one that is free where two say the same. */
  #numberOf(sha256: string): number {
    const known = this.#all().get(sha256);
    if (known !== undefined) return known.number;
    const taken = new Set([...this.#all().values()].map(({ number }) => number));
    let number = Number.parseInt(sha256.slice(0, NUMBER_DIGITS), 16);
    while (taken.has(number)) number = (number + 1) % 16 ** NUMBER_DIGITS;
    return number;
  }

  // --- reading ---

  /** Whether there is any, or a piece of one. */
  hasAny(): boolean {
    return this.#held.size > 0 || this.#all().size > 0;
  }

  has(sha256: string): boolean {
    return (this.#held.get(sha256)?.named ?? null) !== null || (this.#all().get(sha256)?.dimensions ?? null) !== null;
  }

  /** The ways to the pages of a copy that is here. */
  pagesOf(sha256: string): ReadPages {
    return {
      read: (offset, length) => this.range(sha256, offset, length),
      readPieces: (offset, length) => this.pieces(sha256, offset, length),
      readEach: (ranges) => this.ranges(sha256, ranges),
    };
  }

  /** A piece of a shard that is here, for the caller to keep: it is no view of something larger. */
  range(sha256: string, offset: number, length: number): Uint8Array {
    const bytes = joinBytes(this.pieces(sha256, offset, length));
    return bytes.length < bytes.buffer.byteLength ? bytes.slice() : bytes;
  }

  /** The same, a piece a page. */
  pieces(sha256: string, offset: number, length: number): readonly Uint8Array[] {
    const held = this.#held.get(sha256);
    if (held !== undefined) return piecesOf(held, offset, length);
    const { isInRow, number } = this.#copy(sha256);
    if (isInRow) return [this.#pieceOfRow(number, offset, length)];
    const first = Math.floor(offset / SQLITE_SHARD_PAGE_BYTES);
    const last = Math.ceil((offset + length) / SQLITE_SHARD_PAGE_BYTES) - 1;
    const place = number * SHARD_PAGES + first;
    if (first === last) return [this.#pieceOfPage(place, offset - first * SQLITE_SHARD_PAGE_BYTES, length)];
    const rows = this.#sql.run(
      "SELECT bytes FROM shard_bytes WHERE place BETWEEN ? AND ? ORDER BY place",
      place,
      number * SHARD_PAGES + last,
    );
    return rows.map((row, index) => {
      const start = (first + index) * SQLITE_SHARD_PAGE_BYTES;
      return bytesOf(row.bytes).subarray(Math.max(0, offset - start), offset + length - start);
    });
  }

  /** Many pieces by one statement: most of what a small one costs is the statement. */
  ranges(sha256: string, ranges: readonly ByteRange[]): readonly Uint8Array[] {
    const held = this.#held.get(sha256);
    if (held !== undefined) return ranges.map(({ offset, length }) => joinBytes(piecesOf(held, offset, length)));
    const { isInRow, number } = this.#copy(sha256);
    if (isInRow) return ranges.map(({ offset, length }) => this.#pieceOfRow(number, offset, length));
    const places = ranges.flatMap((range, index) => placesOf(range).map((place) => ({ ...place, index })));
    const rows = this.#sql.run(
      `SELECT substr(bytes, 1 + (wanted.value ->> 1), wanted.value ->> 2) AS bytes
       FROM json_each(?) AS wanted CROSS JOIN shard_bytes ON place = wanted.value ->> 0 ORDER BY wanted.id`,
      JSON.stringify(places.map(({ page, at, bytes }) => [number * SHARD_PAGES + page, at, bytes])),
    );
    if (rows.length !== places.length) throw new Error("a copy of a shard lacks pages");
    const pieces: Uint8Array[][] = ranges.map(() => []);
    places.forEach(({ index }, nth) => {
      pieces[index]?.push(bytesOf(rows[nth]?.bytes));
    });
    return pieces.map(joinBytes);
  }

  /** Cut out by SQLite: most pieces are a few bytes of their page. */
  #pieceOfPage(place: number, offset: number, length: number): Uint8Array {
    const statement = "SELECT substr(bytes, ?, ?) AS bytes FROM shard_bytes WHERE place = ?";
    return bytesOf(this.#sql.run(statement, offset + 1, length, place)[0]?.bytes);
  }

  #pieceOfRow(number: number, offset: number, length: number): Uint8Array {
    const statement = "SELECT substr(bytes, ?, ?) AS bytes FROM shards WHERE number = ?";
    return bytesOf(this.#sql.run(statement, offset + 1, length, number)[0]?.bytes);
  }

  ids(sha256: string): Uint8Array {
    const named = this.#held.get(sha256)?.named ?? null;
    if (named !== null) return named.ids;
    const { number } = this.#copy(sha256);
    const inRow = this.#sql.run("SELECT ids FROM shards WHERE number = ?", number)[0]?.ids ?? null;
    if (inRow !== null) return bytesOf(inRow);
    const rows = this.#sql.run(
      "SELECT bytes FROM shard_bytes WHERE place BETWEEN ? AND ? ORDER BY place",
      number * SHARD_PAGES + FIRST_ID_PAGE,
      (number + 1) * SHARD_PAGES - 1,
    );
    return joinBytes(rows.map((row) => bytesOf(row.bytes)));
  }

  dimensions(sha256: string): number {
    return (this.#held.get(sha256)?.named ?? this.#all().get(sha256))?.dimensions ?? 0;
  }

  #copy(sha256: string): Copy {
    const copy = this.#all().get(sha256);
    if (copy === undefined) throw new Error("a copy of a shard that is not here");
    return copy;
  }

  /** Asked for by every read: a statement takes longer than a small search. */
  #all(): ReadonlyMap<string, Copy> {
    this.#copies ??= new Map(
      this.#sql.run("SELECT number, sha256, dimensions, bytes IS NOT NULL AS in_row FROM shards").map((row) => [
        textOf(row.sha256),
        {
          number: numberOf(row.number),
          dimensions: row.dimensions === null ? null : numberOf(row.dimensions),
          isInRow: numberOf(row.in_row) === 1,
        },
      ]),
    );
    return this.#copies;
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
function placesOf({ offset, length }: ByteRange): readonly PlaceInPage[] {
  const first = Math.floor(offset / SQLITE_SHARD_PAGE_BYTES);
  const last = Math.floor((offset + Math.max(length, 1) - 1) / SQLITE_SHARD_PAGE_BYTES);
  return Array.from({ length: last - first + 1 }, (_, nth) => {
    const start = (first + nth) * SQLITE_SHARD_PAGE_BYTES;
    const from = Math.max(offset, start);
    return {
      page: first + nth,
      at: from - start,
      bytes: Math.min(offset + length, start + SQLITE_SHARD_PAGE_BYTES) - from,
    };
  });
}
