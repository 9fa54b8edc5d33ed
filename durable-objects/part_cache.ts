/**
 * Opened parts of this isolate, shared by its objects: least recently used gives way, bounded by the bytes they hold.
 * A part that decodes more as it is asked is counted again when it is taken next.
 * A part is named by the digest of its bytes, so an entry is never wrong, only absent; the scope is part of the key, so
 * no tenant ever meets another's.
 *
 * A part outlives the instance of the object that opened it, whose storage nobody else may touch: what it reads later
 * goes through the storage of whoever took it from here last.
 */
import type { PagedBytes } from "../core/index/paged_part.ts";
import type { Part } from "../core/index/part.ts";
import { PART_CACHE_BYTES_MAX } from "../core/limits.ts";

type ReadPages = PagedBytes["read"];

/** Pages that are read through a storage which may be another one later. */
export class SharedPages implements PagedBytes {
  readonly hotBytes: number;
  #read: ReadPages;

  constructor(hotBytes: number, read: ReadPages) {
    this.hotBytes = hotBytes;
    this.#read = read;
  }

  read(offset: number, length: number): Uint8Array {
    return this.#read(offset, length);
  }

  readThrough(read: ReadPages): void {
    this.#read = read;
  }
}

interface CachedPart {
  readonly part: Part;
  readonly pages: SharedPages;
  /** What it held when it was counted last. */
  readonly bytes: number;
}

export class PartCache {
  readonly #parts = new Map<string, CachedPart>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number = PART_CACHE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** `read` is the caller's way to the pages of the part. */
  get(key: string, read: ReadPages): Part | null {
    const cached = this.#parts.get(key);
    if (cached === undefined) return null;
    cached.pages.readThrough(read);
    this.put(key, cached.part, cached.pages);
    return cached.part;
  }

  /** A part larger than the whole cache is not kept. `pages` are what the part was opened over. */
  put(key: string, part: Part, pages: SharedPages): void {
    this.#drop(key);
    const bytes = part.heldBytes;
    if (bytes > this.#bytesMax) return;
    this.#parts.set(key, { part, pages, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#parts.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#drop(oldest);
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  #drop(key: string): void {
    const cached = this.#parts.get(key);
    if (cached === undefined) return;
    this.#parts.delete(key);
    this.#bytes -= cached.bytes;
  }
}
