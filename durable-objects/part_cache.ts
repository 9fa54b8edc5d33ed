/**
 * Opened parts of this isolate, shared by its objects and bounded by the bytes they hold. A part is named by the digest
 * of its bytes, so an entry is never wrong, only absent; the scope is part of the key, so no tenant ever meets another's.
 *
 * A part outlives the instance of the object that opened it, whose storage nobody else may touch: what it reads later
 * goes through the storage of whoever took it from here last.
 */
import { BoundedCache } from "../core/index/bounded_cache.ts";
import type { PagedBytes, TablesCache } from "../core/index/paged_part.ts";
import type { Part } from "../core/index/part.ts";
import type { ByteRange } from "../core/index/plan_ranges.ts";
import { PART_CACHE_BYTES_MAX, PART_TABLES_BYTES_MAX } from "../core/limits.ts";

/** The ways to the pages of a part. */
export type ReadPages = Omit<PagedBytes, "hotBytes">;

/** Pages that are read through a storage which may be another one later. */
export class SharedPages implements PagedBytes {
  readonly hotBytes: number;
  #read: ReadPages;

  constructor(hotBytes: number, read: ReadPages) {
    this.hotBytes = hotBytes;
    this.#read = read;
  }

  read(offset: number, length: number): Uint8Array {
    return this.#read.read(offset, length);
  }

  readPieces(offset: number, length: number): readonly Uint8Array[] {
    return this.#read.readPieces(offset, length);
  }

  readEach(ranges: readonly ByteRange[]): readonly Uint8Array[] {
    return this.#read.readEach(ranges);
  }

  readThrough(read: ReadPages): void {
    this.#read = read;
  }
}

class CachedPart {
  readonly part: Part;
  readonly pages: SharedPages;

  constructor(part: Part, pages: SharedPages) {
    this.part = part;
    this.pages = pages;
  }

  get heldBytes(): number {
    return this.part.heldBytes;
  }
}

export class PartCache {
  readonly #parts: BoundedCache<CachedPart>;
  /** What parts read again when it is gone. */
  readonly #tables: BoundedCache<Part>;

  constructor(bytesMax: number = PART_CACHE_BYTES_MAX, tablesBytesMax: number = PART_TABLES_BYTES_MAX) {
    this.#parts = new BoundedCache(bytesMax);
    this.#tables = new BoundedCache(tablesBytesMax);
  }

  /** Of the part that goes by this key. */
  tablesOf(key: string): TablesCache {
    return { get: () => this.#tables.get(key), put: (tables) => this.#tables.put(key, tables) };
  }

  /** `read` is the caller's way to the pages of the part. */
  get(key: string, read: ReadPages): Part | null {
    const cached = this.#parts.get(key);
    cached?.pages.readThrough(read);
    return cached?.part ?? null;
  }

  /** `pages` are what the part was opened over. */
  put(key: string, part: Part, pages: SharedPages): void {
    this.#parts.put(key, new CachedPart(part, pages));
  }

  get bytes(): number {
    return this.#parts.bytes + this.#tables.bytes;
  }
}
