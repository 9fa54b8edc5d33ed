/**
 * What the sections of a shard file hold. Numbers are permanent: a section is added under a new one, never given
 * another meaning. `Uint32`, `Float64`, `Uint64` are arrays; `strings` is a string table.
 */

export const SECTION = {
  /** JSON, `partSummarySchema`. */
  summary: 1,
  /** Uint32 a commit: its first row. */
  commitFirstRows: 10,
  /** Float64 a commit: arrival, epoch milliseconds. */
  commitArrivals: 11,
  /** Uint32 a commit: which template its segment's key follows. */
  commitTemplates: 12,
  /** strings: `SegmentTemplate` as JSON. */
  segmentTemplates: 13,
  /** Float64 a row: event time, epoch milliseconds. */
  rowTimes: 20,
  /** Uint32 a withdrawal: the tombstone's row, ascending. */
  withdrawalRows: 21,
  /** strings, a withdrawal: the id it withdraws. */
  withdrawalTargets: 22,
  /** Uint32 a document: its row, ascending. */
  documentRows: 30,
  /** Uint32 a document: which chunk of its event. */
  documentChunks: 31,
  /** Uint32 a document: UTF-8 byte range of its event's text. */
  documentFroms: 32,
  documentTos: 33,
  /** strings, a column: its name, ascending by bytes. */
  columnNames: 40,
  /** Uint32, COLUMN_ENTRY a column. */
  columnEntries: 41,
  /** strings, a column: JSON list of its distinct values. */
  columnValues: 42,
  /** Uint32: codes of all columns. */
  columnCodes: 43,
  /** Uint64: hashes of the rows' ids, ascending; equal ones by row. */
  idHashes: 50,
  /** Uint32: the row of each hash. */
  idRows: 51,
  /** strings, a row: its event id. */
  ids: 52,
  /** The kernel's text section over the documents. */
  text: 60,
  /** The kernel's codes of the documents' vectors: the embedder's. Absent when there are none. */
  embeddedCodes: 61,
  /** Likewise, of the vectors that came with events. */
  suppliedCodes: 62,
  /** The residuals that belong to each. */
  embeddedResiduals: 64,
  suppliedResiduals: 65,
  /** The graph over each, in whose order its codes and residuals then lie. Absent where scanning is all there is. */
  embeddedGraph: 66,
  suppliedGraph: 67,
  /** Uint32 a row, and one more: where its line begins among the raw bytes of all lines. */
  lineOffsets: 70,
  /** Uint32 a frame, and one more: where its raw bytes begin. */
  frameRawOffsets: 71,
  /** Uint32 a frame, and one more: where it begins in `frames`. */
  frameOffsets: 72,
  /** zstd frames of the lines, each ended by a line feed. */
  frames: 73,
} as const;

export type SectionName = keyof typeof SECTION;

/** Read before a search can be planned: they stand first in the file. */
export const HOT_SECTIONS: readonly SectionName[] = [
  "summary",
  "commitFirstRows",
  "commitArrivals",
  "commitTemplates",
  "segmentTemplates",
  "withdrawalRows",
  "withdrawalTargets",
  "documentRows",
  "documentChunks",
  "documentFroms",
  "documentTos",
  "columnNames",
  "columnEntries",
];

/**
 * In the order in which they stand in the file: what is read together lies together. A search reads the text and one
 * kind of vectors.
 */
export const COLD_SECTIONS: readonly SectionName[] = [
  "embeddedCodes",
  "embeddedResiduals",
  "embeddedGraph",
  "text",
  "suppliedCodes",
  "suppliedResiduals",
  "suppliedGraph",
  "rowTimes",
  "columnValues",
  "columnCodes",
  "idHashes",
  "idRows",
  "ids",
  "lineOffsets",
  "frameRawOffsets",
  "frameOffsets",
  "frames",
];

/** A part without vectors of a kind has no section for them. */
export const MAY_BE_ABSENT: ReadonlySet<SectionName> = new Set([
  "embeddedCodes",
  "embeddedResiduals",
  "embeddedGraph",
  "suppliedCodes",
  "suppliedResiduals",
  "suppliedGraph",
]);

/** What a failure calls the section of a type. */
export const SECTION_NAMES: ReadonlyMap<number, SectionName> = new Map(
  [...HOT_SECTIONS, ...COLD_SECTIONS].map((name) => [SECTION[name], name]),
);
