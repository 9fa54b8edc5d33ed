/**
 * The lines of a part, kept word for word, so that hits are read back and shards merged without the log.
 *
 * The raw bytes are the lines in order, each ended by a line feed, as in a segment. They are cut into frames of at
 * most FRAME_RAW_BYTES_MAX at line ends; a longer line has frames of its own. A frame is compressed independently,
 * so a line costs the decompression of the frames it lies in.
 */
import { FRAME_RAW_BYTES_MAX, PART_FRAMES_KEPT_MAX } from "../limits.ts";
import type { Compression } from "../ports.ts";
import type { LineCache } from "./line_cache.ts";
import { areOffsets, bytesOf, uint32View } from "./typed_section.ts";

const LINE_FEED = 0x0a;

type LineSections = Readonly<Record<"lineOffsets" | "frameRawOffsets" | "frameOffsets" | "frames", Uint8Array>>;

// --- Writing --------------------------------------------------------------------------------

export class LinesWriter {
  readonly #compression: Compression;
  readonly #encoder = new TextEncoder();
  readonly #buffer = new Uint8Array(FRAME_RAW_BYTES_MAX);
  #buffered = 0;
  #rawBytes = 0;
  readonly #lineOffsets: number[] = [0];
  readonly #frameRawOffsets: number[] = [0];
  readonly #frames: Uint8Array[] = [];

  constructor(compression: Compression) {
    this.#compression = compression;
  }

  add(line: string): void {
    const bytes = this.#encoder.encode(`${line}\n`);
    if (this.#buffered + bytes.length > FRAME_RAW_BYTES_MAX) this.#flush();
    for (let at = 0; at < bytes.length; at += FRAME_RAW_BYTES_MAX) {
      const piece = bytes.subarray(at, at + FRAME_RAW_BYTES_MAX);
      this.#buffer.set(piece, this.#buffered);
      this.#buffered += piece.length;
      if (bytes.length > FRAME_RAW_BYTES_MAX) this.#flush();
    }
    this.#lineOffsets.push(this.#rawBytes + this.#buffered);
  }

  #flush(): void {
    if (this.#buffered === 0) return;
    this.#frames.push(this.#compression.zstd(this.#buffer.subarray(0, this.#buffered)));
    this.#rawBytes += this.#buffered;
    this.#frameRawOffsets.push(this.#rawBytes);
    this.#buffered = 0;
  }

  finish(): LineSections {
    this.#flush();
    const frameOffsets = [0];
    let end = 0;
    for (const frame of this.#frames) {
      end += frame.length;
      frameOffsets.push(end);
    }
    const frames = new Uint8Array(end);
    this.#frames.forEach((frame, index) => {
      frames.set(frame, frameOffsets[index] ?? 0);
    });
    return {
      lineOffsets: bytesOf(Uint32Array.from(this.#lineOffsets)),
      frameRawOffsets: bytesOf(Uint32Array.from(this.#frameRawOffsets)),
      frameOffsets: bytesOf(Uint32Array.from(frameOffsets)),
      frames,
    };
  }
}

// --- Reading --------------------------------------------------------------------------------

/** The tables of the lines, and the frames or what was read of them. */
export interface LineSource extends Omit<LineSections, "frames"> {
  /** Bytes of the section `frames`. */
  readonly framesBytes: number;
  /** A piece of that section; null when it was not read. */
  frames(offset: number, length: number): Uint8Array | null;
}

/** null when the offsets do not fit each other or the frames. */
export function readLines(
  source: LineSource,
  rows: number,
  compression: Compression,
  cache?: LineCache,
): StoredLines | null {
  const lineOffsets = uint32View(source.lineOffsets);
  const frameRawOffsets = uint32View(source.frameRawOffsets);
  const frameOffsets = uint32View(source.frameOffsets);
  if (lineOffsets === null || frameRawOffsets === null || frameOffsets === null) return null;
  const sound =
    lineOffsets.length === rows + 1 &&
    frameOffsets.length === frameRawOffsets.length &&
    frameRawOffsets.at(-1) === lineOffsets.at(-1) &&
    frameOffsets.at(-1) === source.framesBytes &&
    areOffsets(lineOffsets) &&
    areOffsets(frameOffsets) &&
    areOffsets(frameRawOffsets) &&
    frameRawOffsets.every(
      (offset, index) => index === 0 || offset - (frameRawOffsets[index - 1] ?? 0) <= FRAME_RAW_BYTES_MAX,
    );
  const tables = { lineOffsets, frameRawOffsets, frameOffsets };
  return sound ? new StoredLines(tables, source, compression, cache ?? null) : null;
}

interface LineTables {
  readonly lineOffsets: Uint32Array;
  readonly frameRawOffsets: Uint32Array;
  readonly frameOffsets: Uint32Array;
}

export class StoredLines {
  readonly #lineOffsets: Uint32Array;
  readonly #frameRawOffsets: Uint32Array;
  readonly #frameOffsets: Uint32Array;
  readonly #source: LineSource;
  readonly #compression: Compression;
  readonly #decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  readonly #cache: LineCache | null;
  /** Of row 0 in the cache. */
  readonly #firstNumber: number;
  /** Oldest first. The hits of a search lie near each other more often than not. */
  readonly #kept = new Map<number, Uint8Array>();

  constructor(tables: LineTables, source: LineSource, compression: Compression, cache: LineCache | null) {
    this.#lineOffsets = tables.lineOffsets;
    this.#frameRawOffsets = tables.frameRawOffsets;
    this.#frameOffsets = tables.frameOffsets;
    this.#source = source;
    this.#cache = cache;
    this.#firstNumber = cache?.numbersOfPart() ?? 0;
    this.#compression = compression;
  }

  /** Of decompressed frames. */
  get keptBytes(): number {
    let bytes = 0;
    for (const frame of this.#kept.values()) bytes += frame.length;
    return bytes;
  }

  /** Where the frames that hold these rows lie in the section `frames`. */
  framePlaces(rows: readonly number[]): readonly { readonly offset: number; readonly length: number }[] {
    return rows.map((row) => {
      const [from, to] = this.#rawRange(row);
      const offset = this.#frameOffsets[this.#frameAt(from)] ?? 0;
      return { offset, length: (this.#frameOffsets[this.#frameAt(to - 1) + 1] ?? 0) - offset };
    });
  }

  /** The checksums have been verified: a frame that is not what it says was written by a bug, and throws. */
  at(row: number): string {
    const number = this.#firstNumber + row;
    const known = this.#cache?.get(number);
    if (known !== undefined && known !== null) return known;
    const [from, to] = this.#rawRange(row);
    const raw = this.#raw(from, to);
    if (raw.at(-1) !== LINE_FEED) throw new Error(`the line of row ${row} has no end`);
    const line = this.#decoder.decode(raw.subarray(0, -1));
    this.#cache?.put(number, line, raw.length - 1);
    return line;
  }

  #rawRange(row: number): readonly [number, number] {
    const from = this.#lineOffsets[row];
    const to = this.#lineOffsets[row + 1];
    if (from === undefined || to === undefined) throw new RangeError(`row ${row} of ${this.#lineOffsets.length - 1}`);
    return [from, to];
  }

  #raw(from: number, to: number): Uint8Array {
    const first = this.#frameAt(from);
    const start = this.#frameRawOffsets[first] ?? 0;
    const bytes = this.#frame(first);
    if (to - start <= bytes.length) return bytes.subarray(from - start, to - start);
    const joined = new Uint8Array(to - from);
    for (let frame = first, at = from; at < to; frame++) {
      const piece = this.#frame(frame).subarray(
        at - (this.#frameRawOffsets[frame] ?? 0),
        to - (this.#frameRawOffsets[frame] ?? 0),
      );
      joined.set(piece, at - from);
      at += piece.length;
    }
    return joined;
  }

  /** The last frame that begins at or before a raw offset. */
  #frameAt(offset: number): number {
    let low = 0;
    let high = this.#frameRawOffsets.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#frameRawOffsets[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #frame(index: number): Uint8Array {
    const kept = this.#kept.get(index);
    if (kept !== undefined) return kept;
    const offset = this.#frameOffsets[index] ?? 0;
    const compressed = this.#source.frames(offset, (this.#frameOffsets[index + 1] ?? 0) - offset);
    if (compressed === null) throw new RangeError(`frame ${index} was not read`);
    const raw = this.#compression.unzstd(compressed, FRAME_RAW_BYTES_MAX);
    const expected = (this.#frameRawOffsets[index + 1] ?? 0) - (this.#frameRawOffsets[index] ?? 0);
    if (!raw.ok || raw.value.length !== expected) throw new Error(`frame ${index} does not hold ${expected} bytes`);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= PART_FRAMES_KEPT_MAX && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(index, raw.value);
    return raw.value;
  }
}
