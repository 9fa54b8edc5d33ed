/**
 * Lines that were read lately, over all parts of an isolate: least recently read gives way, bounded by what they hold.
 * A line costs a page of SQLite and the decompression of a frame; most searches find what others have found.
 *
 * A part has numbers of its own for its rows, which nobody else ever gets: no part meets the lines of another.
 */
import { LINE_CACHE_BYTES_MAX } from "../limits.ts";

/** More than a part has rows. */
const NUMBERS_A_PART = 2 ** 26;
/** What an entry takes beside its characters. */
const ENTRY_BYTES = 96;

export class LineCache {
  readonly #lines = new Map<number, { readonly line: string; readonly bytes: number }>();
  readonly #bytesMax: number;
  #bytes = 0;
  #parts = 0;

  constructor(bytesMax: number = LINE_CACHE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** The number of a new part's row 0. */
  numbersOfPart(): number {
    this.#parts += 1;
    return this.#parts * NUMBERS_A_PART;
  }

  get(number: number): string | null {
    const known = this.#lines.get(number);
    if (known === undefined) return null;
    this.#lines.delete(number);
    this.#lines.set(number, known);
    return known.line;
  }

  /** `utf8Bytes`: of the line; engines keep one byte a character where all are ASCII, else two. */
  put(number: number, line: string, utf8Bytes: number): void {
    const bytes = ENTRY_BYTES + (utf8Bytes === line.length ? line.length : 2 * line.length);
    if (bytes > this.#bytesMax) return;
    this.#drop(number);
    this.#lines.set(number, { line, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#lines.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#drop(oldest);
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  #drop(number: number): void {
    this.#bytes -= this.#lines.get(number)?.bytes ?? 0;
    this.#lines.delete(number);
  }
}
