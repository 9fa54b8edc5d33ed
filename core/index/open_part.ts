/**
 * Opens the bytes of a part: all of them (`openPart`), or the pieces that a search reads (`assemblePart`, used by
 * read_shard.ts). Every checksum and every structure is verified first, so a part that opens answers without failing,
 * and a damaged one is refused by the name of the section that is wrong. Only the kernel's own sections are left to
 * the kernel, which proves them whole when it loads them, and the postings of a term when it is asked for. Arrays are
 * views of the bytes, which must not change afterwards; what would cost much and is often not asked for (values of
 * columns, lines, keys of segments) is decoded when it is.
 */
import { fail, ok, type Result } from "../errors.ts";
import { idHash } from "../log/event_id.ts";
import { parseLine } from "../log/line.ts";
import type { Checksum, Compression, Digest, PostingsPiece, SectionPlace } from "../ports.ts";
import { type ColumnSource, type PartColumns, readColumns } from "./columns.ts";
import { readIdFilter } from "./id_filter.ts";
import { compareHashes, firstHashFrom, HASH_WORDS, isHashAt } from "./id_hashes.ts";
import type { LineCache } from "./line_cache.ts";
import type { CommitLines, Part, PartCommit, PartVectors, Withdrawal } from "./part.ts";
import { type PartSummary, readSummary, type VectorsSummary } from "./part_summary.ts";
import {
  HOT_SECTIONS,
  MAY_BE_ABSENT,
  SECTION,
  SECTION_KINDS,
  SECTION_NAMES,
  type SectionName,
  VECTOR_SECTIONS,
  type VectorSectionNames,
} from "./sections.ts";
import { keyOf, parseTemplate, type SegmentTemplate } from "./segment_templates.ts";
import { corrupt, readShardFile, type ShardDirectory, type ShardIdentity } from "./shard_file.ts";
import { type LineSource, readLines, type StoredLines } from "./stored_lines.ts";
import { readStringTable, type StringTable } from "./string_table.ts";
import { areIntegers, ascends, float64View, uint32View, within } from "./typed_section.ts";

export interface OpenTools {
  readonly compression: Compression;
  readonly digest: Digest;
  readonly checksum: Checksum;
  /** Where lines that were read are kept; nowhere when absent. */
  readonly lines?: LineCache;
}

export function openPart(bytes: Uint8Array, tools: OpenTools): Result<Part> {
  const directory = readShardFile(bytes, SECTION_KINDS, tools.checksum);
  if (!directory.ok) return directory;
  const part = assemblePart(
    directory.value,
    {
      at: (offset, length) => bytes.subarray(offset, offset + length),
      each: (places) => places.map(({ offset, length }) => bytes.subarray(offset, offset + length)),
      pieces: (offset, length) => [bytes.subarray(offset, offset + length)],
      isRead: () => true,
      postings: null,
      heldBytes: bytes.length,
      proven: false,
    },
    tools,
  );
  return part.ok ? ok(part.value.part) : part;
}

/** The commits of a part as the log holds them: what a merge builds from instead of segments. */
export function commitsOf(part: Part): readonly CommitLines[] {
  return part.commits.map(({ commit, segment, arrivalMs, firstRow }, index) => {
    const end = part.commits[index + 1]?.firstRow ?? part.rows;
    const lines = Array.from({ length: end - firstRow }, (_, line) => part.lineOfRow(firstRow + line));
    return { commit, segment, arrivalMs, lines };
  });
}

// --- What was read --------------------------------------------------------------------------

/** The bytes of a shard file that a reader has, verified. */
export interface FileBytes {
  /** A view of bytes of the file; null when they were not read. */
  at(offset: number, length: number): Uint8Array | null;
  /** Views of many places at once; null when one was not read. */
  each(places: readonly SectionPlace[]): readonly Uint8Array[] | null;
  /** The same as `at` in as many pieces as they come in without a copy. */
  pieces(offset: number, length: number): readonly Uint8Array[] | null;
  /** Whether a section was asked for. One that was asked for in part has those parts. */
  isRead(name: SectionName): boolean;
  /** Of the terms that were asked for; null when they were read with the section. */
  readonly postings: readonly PostingsPiece[] | null;
  /** How many are in memory for as long as the part is. */
  readonly heldBytes: number;
  /** A part was made of all of them before: codes of columns and ids, which few ask for, are read when somebody does. */
  readonly proven: boolean;
}

/** A part over the bytes that were read. Asking it for what was not read is a bug, and throws a RangeError. */
export interface AssembledPart {
  readonly part: Part;
  /** null when they were not read. */
  readonly lines: StoredLines | null;
}

/** Sections of a file by name. */
class SectionReader {
  readonly #directory: ShardDirectory;
  readonly #bytes: FileBytes;

  constructor(directory: ShardDirectory, bytes: FileBytes) {
    this.#directory = directory;
    this.#bytes = bytes;
  }

  has(name: SectionName): boolean {
    return this.#directory.places.has(SECTION[name]);
  }

  isRead(name: SectionName): boolean {
    return this.#bytes.isRead(name);
  }

  get proven(): boolean {
    return this.#bytes.proven;
  }

  length(name: SectionName): number {
    return this.#directory.places.get(SECTION[name])?.length ?? 0;
  }

  /** null when it was not read. */
  piece(name: SectionName, offset: number, length: number): Uint8Array | null {
    const place = this.#directory.places.get(SECTION[name]);
    return place === undefined ? null : this.#bytes.at(place.offset + offset, length);
  }

  /** Of a section that was read. */
  eachOf(name: SectionName, places: readonly SectionPlace[]): readonly Uint8Array[] {
    const start = this.#directory.places.get(SECTION[name])?.offset ?? 0;
    const inFile = places.map(({ offset, length }) => ({ offset: start + offset, length }));
    return required(this.#bytes.each(inFile), name);
  }

  /** Likewise, the whole in pieces. */
  piecesOf(name: SectionName): readonly Uint8Array[] {
    const place = this.#directory.places.get(SECTION[name]) ?? { offset: 0, length: 0 };
    return required(this.#bytes.pieces(place.offset, place.length), name);
  }

  isHot(name: SectionName): boolean {
    const place = this.#directory.places.get(SECTION[name]);
    return place !== undefined && place.offset + place.length <= this.#directory.hotBytes;
  }

  /** The whole section; null when it was not read. */
  whole(name: SectionName): Uint8Array | null {
    return this.piece(name, 0, this.length(name));
  }

  /** The whole section, which was read. */
  of(name: SectionName): Uint8Array {
    return required(this.whole(name), name);
  }
}

function required<T>(table: T | null, what: string): T {
  if (table === null) throw new RangeError(`${what} was not read`);
  return table;
}

/** `directory` is verified, and so are `bytes`. */
export function assemblePart(
  directory: ShardDirectory,
  bytes: FileBytes,
  tools: Pick<OpenTools, "compression" | "digest" | "lines">,
): Result<AssembledPart> {
  const { identity, fileBytes, hotBytes } = directory;
  const sections = new SectionReader(directory, bytes);
  const absent = SECTION_NAMES.find((name) => !sections.has(name) && !MAY_BE_ABSENT.has(name));
  if (absent !== undefined) return fail(corrupt(`${absent} (absent)`));
  const cold = HOT_SECTIONS.find((name) => !sections.isHot(name));
  if (cold !== undefined) return fail(corrupt(`${cold} (not in the hot area)`));
  const summary = readSummary(sections.of("summary"));
  if (!summary.ok) return summary;
  const vectors = readVectors(sections, identity, summary.value);
  if (vectors === null) return fail(corrupt("vectors"));
  const tables = readTables(sections, identity, summary.value, tools);
  if (!tables.ok) return tables;
  const { rows, documents, times } = summary.value;
  const { rowTimes, ids, lines, ...hot } = tables.value;
  const part: Part = {
    ...identity,
    ...hot,
    rows,
    documents,
    hasOneDocumentARow: documents === rows && hot.rowOfDocument.every((row, document) => row === document),
    times,
    vectors,
    bytes: fileBytes,
    hotBytes,
    get heldBytes() {
      return bytes.heldBytes + hot.columns.keptBytes + (ids?.keptBytes ?? 0) + (lines?.keptBytes ?? 0);
    },
    columnCodes: (name) => hot.columns.codesOf(name),
    text: readText(sections, bytes),
    get rowTimes() {
      return required(rowTimes, "rowTimes");
    },
    get idHashes() {
      return required(ids, "ids").idHashes;
    },
    get idRows() {
      return required(ids, "ids").idRows;
    },
    idOfRow: (row) => required(ids, "ids").idOfRow(row),
    rowOfId: (id) => required(ids, "ids").rowOfId(id),
    lineOfRow: (row) => required(lines, "lines").at(row),
  };
  return ok({ part, lines });
}

/** What the kernel reads of a part, without its tables. The part was assembled before. */
export function kernelSections(directory: ShardDirectory, bytes: FileBytes): Pick<Part, "text" | "vectors"> {
  const sections = new SectionReader(directory, bytes);
  const summary = readSummary(sections.of("summary"));
  const vectors = summary.ok ? readVectors(sections, directory.identity, summary.value) : null;
  return { text: readText(sections, bytes), vectors: required(vectors, "vectors") };
}

function readText(sections: SectionReader, bytes: FileBytes): Part["text"] {
  let start: Uint8Array = new Uint8Array(0);
  return {
    get text() {
      return sections.of("text");
    },
    get postings() {
      return bytes.postings ?? sections.of("postings");
    },
    textBytes: sections.length("text"),
    textStart(length) {
      if (start.length < length) start = required(sections.piece("text", 0, length), "text");
      return start.subarray(0, length);
    },
    get startBytes() {
      return start.length;
    },
    textPieces: (places) => sections.eachOf("text", places),
    postingsPieces: (places) => sections.eachOf("postings", places),
  };
}

interface Tables extends Pick<Part, "commits" | "withdrawals" | "mayHaveId">, Documents {
  readonly columns: PartColumns;
  readonly rowTimes: Float64Array | null;
  readonly ids: Ids | null;
  readonly lines: StoredLines | null;
}

function readTables(
  sections: SectionReader,
  identity: ShardIdentity,
  summary: PartSummary,
  { digest, compression, lines: kept }: Pick<OpenTools, "compression" | "digest" | "lines">,
): Result<Tables> {
  const { rows, documents } = summary;
  const commits = readCommits(sections, identity, rows);
  if (commits === null) return fail(corrupt("commits"));
  const withdrawals = readWithdrawals(sections, rows);
  if (withdrawals === null) return fail(corrupt("withdrawals"));
  const documentTable = readDocuments(sections, rows, documents);
  if (documentTable === null) return fail(corrupt("documents"));
  const filterWords = uint32View(sections.of("idFilter"));
  const idFilter = filterWords && readIdFilter(filterWords);
  if (idFilter === null) return fail(corrupt("idFilter"));
  const rowTimes = sections.isRead("rowTimes") ? float64View(sections.of("rowTimes")) : null;
  if (sections.isRead("rowTimes") && (rowTimes?.length !== rows || !areIntegers(rowTimes)))
    return fail(corrupt("rowTimes"));
  const ids = sections.isRead("ids") ? readIds(sections, rows, digest) : null;
  if (sections.isRead("ids") && ids === null) return fail(corrupt("ids"));
  const lines = sections.isRead("lineOffsets") ? readLines(lineSource(sections), rows, compression, kept) : null;
  if (sections.isRead("lineOffsets") && lines === null) return fail(corrupt("lines"));
  const eventOfRow = (row: number) => parseLine(required(lines, "lines").at(row));
  const columns = readColumns(columnSource(sections), rows, summary.columnsComplete ? null : eventOfRow);
  if (columns === null) return fail(corrupt("columns"));
  const mayHaveId = (id: string): boolean => idFilter.mayHave(idHash(id, digest));
  return ok({ commits, withdrawals, ...documentTable, mayHaveId, rowTimes, ids, lines, columns });
}

function lineSource(sections: SectionReader): LineSource {
  return {
    lineOffsets: sections.of("lineOffsets"),
    frameRawOffsets: sections.of("frameRawOffsets"),
    frameOffsets: sections.of("frameOffsets"),
    framesBytes: sections.length("frames"),
    frames: (offset, length) => sections.piece("frames", offset, length),
  };
}

function columnSource(sections: SectionReader): ColumnSource {
  return {
    names: sections.of("columnNames"),
    entries: sections.of("columnEntries"),
    values: sections.isRead("columnValues") ? sections.of("columnValues") : null,
    codesBytes: sections.length("columnCodes"),
    codes: (offset, length) => sections.piece("columnCodes", offset, length),
    proven: sections.proven,
  };
}

// --- Vectors --------------------------------------------------------------------------------

/** null when summary and sections do not agree. What is inside a section is checked by the kernel that loads it. */
function readVectors(
  sections: SectionReader,
  identity: ShardIdentity,
  { vectors }: PartSummary,
): Part["vectors"] | null {
  const supplied = withSections(vectors.supplied, VECTOR_SECTIONS.supplied, sections, identity);
  const embedded = withSections(vectors.embedded, VECTOR_SECTIONS.embedded, sections, identity);
  if (supplied === undefined || embedded === undefined) return null;
  const overlap = supplied !== null && embedded !== null && embedded.from >= supplied.from;
  return overlap ? null : { supplied, embedded };
}

/**
 * undefined when codes, residuals or a graph are there without what they belong to, or the vectors begin outside of the
 * part.
 */
function withSections(
  summary: VectorsSummary | null,
  names: VectorSectionNames,
  sections: SectionReader,
  { from, to }: ShardIdentity,
): PartVectors | null | undefined {
  const has = (name: SectionName): boolean => sections.has(name);
  if (summary === null) return Object.values(names).some(has) ? undefined : null;
  if (!has(names.codes) || !has(names.residuals) || summary.from < from || summary.from > to) return undefined;
  return {
    ...summary,
    sections: {
      get codes() {
        return sections.of(names.codes);
      },
      get residuals() {
        return sections.of(names.residuals);
      },
      get graph() {
        return has(names.graph) ? sections.of(names.graph) : null;
      },
    },
    paged: {
      bytes: Object.values(names).reduce((sum, name) => sum + sections.length(name), 0),
      codesBytes: sections.length(names.codes),
      hasGraph: has(names.graph),
      codes: () => sections.piecesOf(names.codes),
      residuals: (places) => sections.eachOf(names.residuals, places),
    },
  };
}

// --- Tables ---------------------------------------------------------------------------------

function readCommits(sections: SectionReader, { from, to }: ShardIdentity, rows: number): readonly PartCommit[] | null {
  const firstRows = uint32View(sections.of("commitFirstRows"));
  const arrivals = float64View(sections.of("commitArrivals"));
  const templateIndexes = uint32View(sections.of("commitTemplates"));
  const templates = readTemplates(sections.of("segmentTemplates"));
  if (firstRows === null || arrivals === null || templateIndexes === null || templates === null) return null;
  const count = to - from + 1;
  if (firstRows.length !== count || arrivals.length !== count || templateIndexes.length !== count) return null;
  if (firstRows[0] !== 0 || !ascends(firstRows) || !within(firstRows, rows + 1)) return null;
  if (!within(templateIndexes, templates.length) || !areIntegers(arrivals)) return null;
  return Array.from({ length: count }, (_, index) => {
    const template = templates[templateIndexes[index] ?? 0] ?? [""];
    return new StoredCommit(from + index, template, arrivals[index] ?? 0, firstRows[index] ?? 0);
  });
}

/** Its segment's key is spelled when it is asked for: a part may have thousands of commits. */
class StoredCommit implements PartCommit {
  readonly commit: number;
  readonly arrivalMs: number;
  readonly firstRow: number;
  readonly #template: SegmentTemplate;

  constructor(commit: number, template: SegmentTemplate, arrivalMs: number, firstRow: number) {
    this.commit = commit;
    this.arrivalMs = arrivalMs;
    this.firstRow = firstRow;
    this.#template = template;
  }

  get segment(): string {
    return keyOf(this.#template, this.commit);
  }
}

function readTemplates(bytes: Uint8Array): readonly SegmentTemplate[] | null {
  const table = readStringTable(bytes);
  if (table === null) return null;
  const templates = Array.from({ length: table.count }, (_, index) => parseTemplate(table.at(index)));
  return templates.every((template) => template !== null) ? templates : null;
}

function readWithdrawals(sections: SectionReader, rows: number): readonly Withdrawal[] | null {
  const tombstones = uint32View(sections.of("withdrawalRows"));
  const targets = readStringTable(sections.of("withdrawalTargets"));
  if (tombstones === null || targets === null || tombstones.length !== targets.count) return null;
  if (!ascends(tombstones) || !within(tombstones, rows)) return null;
  return Array.from(tombstones, (row, index) => ({ row, target: targets.at(index) }));
}

type Documents = Pick<Part, "rowOfDocument" | "chunkOfDocument" | "chunkFrom" | "chunkTo">;

function readDocuments(sections: SectionReader, rows: number, documents: number): Documents | null {
  const rowOfDocument = uint32View(sections.of("documentRows"));
  const chunkOfDocument = uint32View(sections.of("documentChunks"));
  const chunkFrom = uint32View(sections.of("documentFroms"));
  const chunkTo = uint32View(sections.of("documentTos"));
  if (rowOfDocument === null || chunkOfDocument === null || chunkFrom === null || chunkTo === null) return null;
  const lengths = [rowOfDocument, chunkOfDocument, chunkFrom, chunkTo].map(({ length }) => length);
  if (lengths.some((length) => length !== documents)) return null;
  if (!ascends(rowOfDocument) || !within(rowOfDocument, rows)) return null;
  const table = { rowOfDocument, chunkOfDocument, chunkFrom, chunkTo };
  return areChunks(table) ? table : null;
}

/** The chunks of a row are counted from 0, and none begins before the one before has ended. */
function areChunks({ rowOfDocument, chunkOfDocument, chunkFrom, chunkTo }: Documents): boolean {
  let row = -1;
  let chunk = 0;
  let end = 0;
  for (let document = 0; document < rowOfDocument.length; document++) {
    const continues = rowOfDocument[document] === row;
    chunk = continues ? chunk + 1 : 0;
    const from = chunkFrom[document] ?? 0;
    if (chunkOfDocument[document] !== chunk || from < (continues ? end : 0)) return false;
    row = rowOfDocument[document] ?? 0;
    end = chunkTo[document] ?? 0;
    if (from > end) return false;
  }
  return true;
}

interface Ids extends Pick<Part, "idHashes" | "idRows" | "idOfRow" | "rowOfId"> {
  /** Of ids that were read when they were asked for. */
  readonly keptBytes: number;
}

function readIds(sections: SectionReader, rows: number, digest: Digest): Ids | null {
  const idHashes = uint32View(sections.of("idHashes"));
  const idRows = uint32View(sections.of("idRows"));
  if (idHashes === null || idRows === null) return null;
  if (idHashes.length !== rows * HASH_WORDS || idRows.length !== rows) return null;
  let read: StringTable | null = null;
  const ids = (): StringTable => {
    read ??= required(readStringTable(sections.of("ids")), "ids");
    return read;
  };
  const keptBytes = sections.proven ? sections.length("ids") : 0;
  const table: Ids = {
    idHashes,
    idRows,
    idOfRow: (row) => ids().at(row),
    rowOfId(id) {
      const hash = idHash(id, digest);
      for (let index = firstHashFrom(idHashes, hash); isHashAt(idHashes, index, hash); index++) {
        const row = idRows[index] ?? 0;
        if (ids().at(row) === id) return row;
      }
      return -1;
    },
    get keptBytes() {
      return read === null ? 0 : keptBytes;
    },
  };
  if (sections.proven) return table;
  read = readStringTable(sections.of("ids"));
  if (read?.count !== rows || !within(idRows, rows)) return null;
  for (let index = 1; index < rows; index++) {
    const order = compareHashes(idHashes, index - 1, idHashes, index);
    if (order > 0 || (order === 0 && (idRows[index - 1] ?? 0) >= (idRows[index] ?? 0))) return null;
  }
  return table;
}
