/**
 * Lines with the digits of their vectors that were read lately, over all objects of an isolate. A line is told by what
 * its part keeps of it, the digest of its digits included: one that was redacted since is another line.
 */
import { BoundedCache } from "../core/index/bounded_cache.ts";
import { WHOLE_LINES_BYTES_MAX } from "../core/limits.ts";

/** What an entry takes beside its characters. */
const READ_LINE_BYTES = 128;

/** A line as its part keeps it, and whole. */
interface ReadLine {
  readonly kept: string;
  readonly whole: string;
  /** At two bytes a character, which engines may take. */
  readonly heldBytes: number;
}

export class WholeLineCache {
  readonly #lines = new BoundedCache<ReadLine>(WHOLE_LINES_BYTES_MAX);

  /** null when it is not there, or was another line. */
  get(place: string, kept: string): string | null {
    const line = this.#lines.get(place);
    return line?.kept === kept ? line.whole : null;
  }

  put(place: string, kept: string, whole: string): void {
    this.#lines.put(place, { kept, whole, heldBytes: READ_LINE_BYTES + 2 * (kept.length + whole.length) });
  }
}
