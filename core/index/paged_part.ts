/**
 * Opens a part whose bytes lie in pages that can be read at any time, at once: what most reads ask for is read and
 * verified when it opens, and kept; the kernel's sections and the lines, which are most of a part, are read whenever
 * they are asked for and kept by whoever asked. A section of the kernel's is proved when it is loaded, and a frame of
 * lines when it is decompressed.
 *
 *   kept     header, directory and hot sections but the term dictionary; times, columns, ids, where lines lie
 *   read     dictionary, postings, codes, residuals, graph; frames of lines
 */
import type { Result } from "../errors.ts";
import { assemblePart, type FileBytes, type OpenTools } from "./open_part.ts";
import type { Part } from "./part.ts";
import { type ByteRange, pagesAround } from "./plan_ranges.ts";
import { SECTION, SECTION_KINDS } from "./sections.ts";
import { type HotShard, readHotShard } from "./shard_file.ts";

/** The bytes of a shard file, whole and as they were verified once. */
export interface PagedBytes {
  /** Length of its hot area. */
  readonly hotBytes: number;
  read(offset: number, length: number): Uint8Array;
  /** The same bytes in the pieces that they lie in. */
  readPieces(offset: number, length: number): readonly Uint8Array[];
}

export function openPagedPart(file: PagedBytes, tools: OpenTools): Result<Part> {
  const start = file.read(0, file.hotBytes);
  const directory = readHotShard(start, SECTION_KINDS, tools.checksum);
  if (!directory.ok) return directory;
  const tables = pagesAround(tablesOf(directory.value), directory.value);
  const bytes = file.read(tables.offset, tables.length);
  const verified = directory.value.verifyPages(tables.offset, bytes);
  if (!verified.ok) return verified;
  const kept = [...withoutDictionary(start, directory.value), { offset: tables.offset, bytes }];
  const part = assemblePart(directory.value, new KeptBytes(file, kept), tools);
  return part.ok ? { ok: true, value: part.value.part } : part;
}

/** From the first table behind the kernel's sections to the frames of lines. */
function tablesOf({ places }: HotShard): ByteRange {
  const offset = places.get(SECTION.rowTimes)?.offset ?? 0;
  return { offset, length: (places.get(SECTION.frames)?.offset ?? 0) - offset };
}

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Copies: the start is let go. */
function withoutDictionary(start: Uint8Array, { places }: HotShard): readonly Piece[] {
  const dictionary = places.get(SECTION.text) ?? { offset: start.length, length: 0 };
  const end = dictionary.offset + dictionary.length;
  return [
    { offset: 0, bytes: start.slice(0, dictionary.offset) },
    { offset: end, bytes: start.slice(end) },
  ];
}

class KeptBytes implements FileBytes {
  readonly postings = null;
  readonly #file: PagedBytes;
  readonly #kept: readonly Piece[];

  constructor(file: PagedBytes, kept: readonly Piece[]) {
    this.#file = file;
    this.#kept = kept;
  }

  get heldBytes(): number {
    return this.#kept.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  at(offset: number, length: number): Uint8Array {
    const end = offset + length;
    const piece = this.#kept.find((one) => one.offset <= offset && end <= one.offset + one.bytes.length);
    return piece?.bytes.subarray(offset - piece.offset, end - piece.offset) ?? this.#file.read(offset, length);
  }

  pieces(offset: number, length: number): readonly Uint8Array[] {
    return this.#file.readPieces(offset, length);
  }

  isRead(): boolean {
    return true;
  }
}
