/**
 * Opens a part whose bytes lie in pages that can be read at any time, at once. What every read asks for is kept for as
 * long as the part is; tables that only some ask for are kept as long as there is room for them, and read again; the
 * kernel's sections and the lines, which are most of a part, are read whenever they are asked for and kept by whoever
 * asked. All but those is verified when the part opens; a section of the kernel's is proved when it is loaded, and a frame
 * of lines when it is decompressed.
 *
 *   kept            directory, commits, withdrawals, hashes of ids; lengths and index of the text once it is searched
 *   kept for now    hot sections but the term dictionary; times, where lines lie; columns and ids that were asked for
 *   read            dictionary, postings, codes, residuals, graph; codes of columns, ids; frames of lines
 */
import type { Result } from "../errors.ts";
import { idHash } from "../log/event_id.ts";
import { firstHashFrom, isHashAt } from "./id_hashes.ts";
import { assemblePart, type FileBytes, kernelSections, type OpenTools } from "./open_part.ts";
import type { Part } from "./part.ts";
import { type ByteRange, pagesAround } from "./plan_ranges.ts";
import { SECTION, SECTION_KINDS, type SectionName } from "./sections.ts";
import { readHotShard, type ShardDirectory } from "./shard_file.ts";
import { bytesOf } from "./typed_section.ts";

/** The bytes of a shard file, whole and as they were verified once. */
export interface PagedBytes {
  /** Length of its hot area. */
  readonly hotBytes: number;
  read(offset: number, length: number): Uint8Array;
  /** The same bytes in the pieces that they lie in. */
  readPieces(offset: number, length: number): readonly Uint8Array[];
  /** Many ranges in one go, each by itself. */
  readEach(ranges: readonly ByteRange[]): readonly Uint8Array[];
}

/** Where the tables of one part are kept for as long as there is room. */
export interface TablesCache {
  get(): Part | null;
  put(tables: Part): void;
}

/** What a commit and the part itself take. */
const COMMIT_BYTES = 96;
const PART_BYTES = 4_096;

export function openPagedPart(file: PagedBytes, tools: OpenTools, cache: TablesCache): Result<Part> {
  const start = file.read(0, file.hotBytes);
  const hot = readHotShard(start, SECTION_KINDS, tools.checksum);
  if (!hot.ok) return hot;
  const { identity, fileBytes, hotBytes, places } = hot.value;
  const pages = pagesAround(tablesOf(hot.value), hot.value);
  const bytes = file.read(pages.offset, pages.length);
  const verified = hot.value.verifyPages(pages.offset, bytes);
  if (!verified.ok) return verified;
  // The start is let go with what verifies pages by it.
  const directory: ShardDirectory = { identity, fileBytes, hotBytes, places };
  const all = [
    { offset: 0, bytes: start },
    { offset: pages.offset, bytes },
  ];
  const read = new KeptBytes(file, all, [], false);
  const whole = assemblePart(directory, read, tools);
  if (!whole.ok) return whole;
  const { part } = whole.value;
  const idHashes = part.idHashes.slice();
  cache.put(readTables((offset, length) => read.at(offset, length).slice(), file, directory, idHashes, tools));
  return { ok: true, value: partOver({ ...part, idHashes }, file, directory, tools, cache) };
}

/** What was proved when the part was opened. `idHashes` are kept by the part. */
function readTables(
  read: PagedBytes["read"],
  file: PagedBytes,
  directory: ShardDirectory,
  idHashes: Uint32Array,
  tools: OpenTools,
): Part {
  const kept = rangesForHits(directory).map(({ offset, length }) => ({ offset, bytes: read(offset, length) }));
  const { offset } = placeOf(directory, "idHashes");
  const held = new KeptBytes(file, kept, [{ offset, bytes: bytesOf(idHashes) }], true);
  const part = assemblePart(directory, held, tools);
  if (!part.ok) throw new Error("a copy of a part that is no longer what was verified");
  return part.value.part;
}

/** From the first table behind the kernel's sections to the frames of lines. */
function tablesOf(directory: ShardDirectory): ByteRange {
  return between(placeOf(directory, "rowTimes").offset, placeOf(directory, "frames").offset);
}

/** The hot sections around the dictionary, and of the other tables all but the codes of columns, hashes of ids and ids. */
function rangesForHits(directory: ShardDirectory): readonly ByteRange[] {
  const dictionary = placeOf(directory, "text");
  return [
    between(0, dictionary.offset),
    between(endOf(dictionary), directory.hotBytes),
    between(placeOf(directory, "rowTimes").offset, placeOf(directory, "columnCodes").offset),
    placeOf(directory, "idRows"),
    between(placeOf(directory, "lineOffsets").offset, placeOf(directory, "frames").offset),
  ];
}

function placeOf({ places, hotBytes }: ShardDirectory, name: SectionName): ByteRange {
  return places.get(SECTION[name]) ?? { offset: hotBytes, length: 0 };
}

function between(offset: number, end: number): ByteRange {
  return { offset, length: end - offset };
}

function endOf({ offset, length }: ByteRange): number {
  return offset + length;
}

/** The part, with what `first` says that never changes and is small; the rest is asked of tables as they are there. */
function partOver(
  first: Part,
  file: PagedBytes,
  directory: ShardDirectory,
  tools: OpenTools,
  cache: TablesCache,
): Part {
  const { incarnation, revision, from, to, commits, rows, documents, times, withdrawals, bytes, hotBytes } = first;
  const { hasOneDocumentARow, idHashes } = first;
  const tables = (): Part => {
    const known = cache.get();
    if (known !== null) return known;
    const read = readTables((offset, length) => file.read(offset, length), file, directory, idHashes, tools);
    cache.put(read);
    return read;
  };
  const hasHash = (id: string): boolean => {
    const hash = idHash(id, tools.digest);
    return isHashAt(idHashes, firstHashFrom(idHashes, hash), hash);
  };
  const sections = kernelSections(directory, new KeptBytes(file, [], [], true));
  return {
    ...{ incarnation, revision, from, to, commits, rows, documents, times, withdrawals, bytes, hotBytes },
    ...sections,
    hasOneDocumentARow,
    idHashes,
    get heldBytes() {
      return PART_BYTES + idHashes.byteLength + COMMIT_BYTES * commits.length + sections.text.startBytes;
    },
    get rowTimes() {
      return tables().rowTimes;
    },
    get columns() {
      return tables().columns;
    },
    columnCodes: (name) => tables().columnCodes(name),
    get rowOfDocument() {
      return tables().rowOfDocument;
    },
    get chunkOfDocument() {
      return tables().chunkOfDocument;
    },
    get chunkFrom() {
      return tables().chunkFrom;
    },
    get chunkTo() {
      return tables().chunkTo;
    },
    get idRows() {
      return tables().idRows;
    },
    idOfRow: (row) => tables().idOfRow(row),
    rowOfId: (id) => (hasHash(id) ? tables().rowOfId(id) : -1),
    mayHaveId: hasHash,
    lineOfRow: (row) => tables().lineOfRow(row),
  };
}

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

class KeptBytes implements FileBytes {
  readonly postings = null;
  readonly proven: boolean;
  readonly heldBytes: number;
  readonly #file: PagedBytes;
  readonly #pieces: readonly Piece[];

  /** `lent`: what somebody else holds. */
  constructor(file: PagedBytes, kept: readonly Piece[], lent: readonly Piece[], proven: boolean) {
    this.proven = proven;
    this.heldBytes = kept.reduce((sum, { bytes }) => sum + bytes.length, 0);
    this.#file = file;
    this.#pieces = [...kept, ...lent];
  }

  at(offset: number, length: number): Uint8Array {
    const end = offset + length;
    const piece = this.#pieces.find((one) => one.offset <= offset && end <= one.offset + one.bytes.length);
    return piece?.bytes.subarray(offset - piece.offset, end - piece.offset) ?? this.#file.read(offset, length);
  }

  each(places: readonly ByteRange[]): readonly Uint8Array[] {
    return this.#file.readEach(places);
  }

  pieces(offset: number, length: number): readonly Uint8Array[] {
    return this.#file.readPieces(offset, length);
  }

  isRead(): boolean {
    return true;
  }
}
