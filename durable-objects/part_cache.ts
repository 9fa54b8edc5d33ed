/**
 * Opened parts of this isolate, shared by its objects: least recently used gives way, bounded by the bytes they hold.
 * A part is named by the digest of its bytes, so an entry is never wrong, only absent; the scope is part of the key, so
 * no tenant ever meets another's.
 */

import type { Part } from "../core/index/part.ts";
import { PART_CACHE_BYTES_MAX } from "../core/limits.ts";

export class PartCache {
  readonly #parts = new Map<string, Part>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number = PART_CACHE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  get(key: string): Part | null {
    const part = this.#parts.get(key);
    if (part === undefined) return null;
    this.#parts.delete(key);
    this.#parts.set(key, part);
    return part;
  }

  /** A part larger than the whole cache is not kept. */
  put(key: string, part: Part): void {
    this.#drop(key);
    if (part.heldBytes > this.#bytesMax) return;
    this.#parts.set(key, part);
    this.#bytes += part.heldBytes;
    for (const oldest of this.#parts.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#drop(oldest);
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  #drop(key: string): void {
    const part = this.#parts.get(key);
    if (part === undefined) return;
    this.#parts.delete(key);
    this.#bytes -= part.heldBytes;
  }
}
