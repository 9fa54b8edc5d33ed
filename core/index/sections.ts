/**
 * What the sections of a shard file hold. Numbers are permanent: a section is added under a new one, never given
 * another meaning. `Uint32`, `Float64`, `Uint64` are arrays; `strings` is a string table.
 */
import { PAGE_CHECKSUMS, type SectionKinds } from "./shard_file.ts";

/** Values of all columns up to this many bytes are read with what plans a search; more of them only when asked for. */
export const HOT_COLUMN_VALUES_BYTES_MAX = 64 * 1024;

export const SECTION = {
  /** JSON, `partSummarySchema`. */
  summary: 1,
  /** The container's: Uint64 a page of the cold area, its checksum. */
  pageChecksums: PAGE_CHECKSUMS,
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
  /** strings: the distinct values of all columns, as `encodeValue` writes them. */
  columnValues: 42,
  /** Uint32: codes of all columns. */
  columnCodes: 43,
  /** Uint64: hashes of the rows' ids, ascending; equal ones by row. */
  idHashes: 50,
  /** Uint32: the row of each hash. */
  idRows: 51,
  /** strings, a row: its event id. */
  ids: 52,
  /** Says of most ids that are not there that they are not (id_filter.ts). */
  idFilter: 53,
  /** The kernel's text section over the documents. */
  text: 60,
  /** The kernel's codes of the documents' vectors: the embedder's. Absent when there are none. */
  embeddedCodes: 61,
  /** Likewise, of the vectors that came with events. */
  suppliedCodes: 62,
  /** The kernel's postings section, of the terms in `text`. */
  postings: 63,
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

/** Read before a search can be planned: they stand first in the file, `pageChecksums` last among them. */
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
  "idFilter",
  "columnNames",
  "columnEntries",
  "text",
];

/** In the order in which they stand in the file: what is read together lies together. */
const COLD_SECTIONS: readonly SectionName[] = [
  "postings",
  "embeddedCodes",
  "embeddedResiduals",
  "embeddedGraph",
  "suppliedCodes",
  "suppliedResiduals",
  "suppliedGraph",
  "rowTimes",
  "columnCodes",
  "idHashes",
  "idRows",
  "ids",
  "lineOffsets",
  "frameRawOffsets",
  "frameOffsets",
  "frames",
];

/** Hot when it is small, else between `rowTimes` and `columnCodes`. */
const EITHER: SectionName = "columnValues";

/** The sections of a file in their order, and which of them are hot. */
export function fileOrder(columnValuesBytes: number): readonly { readonly name: SectionName; readonly hot: boolean }[] {
  const valuesAreHot = columnValuesBytes <= HOT_COLUMN_VALUES_BYTES_MAX;
  const hot = valuesAreHot ? [...HOT_SECTIONS, EITHER] : HOT_SECTIONS;
  const cold = valuesAreHot
    ? COLD_SECTIONS
    : COLD_SECTIONS.flatMap((name): SectionName[] => (name === "columnCodes" ? [EITHER, name] : [name]));
  return [...hot.map((name) => ({ name, hot: true })), ...cold.map((name) => ({ name, hot: false }))];
}

export interface VectorSectionNames {
  readonly codes: SectionName;
  readonly residuals: SectionName;
  /** May be absent where the others are not. */
  readonly graph: SectionName;
}

/** What a search by vectors reads of each kind. */
export const VECTOR_SECTIONS: Readonly<Record<"embedded" | "supplied", VectorSectionNames>> = {
  embedded: { codes: "embeddedCodes", residuals: "embeddedResiduals", graph: "embeddedGraph" },
  supplied: { codes: "suppliedCodes", residuals: "suppliedResiduals", graph: "suppliedGraph" },
};

const VECTOR_NAMES = [...Object.values(VECTOR_SECTIONS.embedded), ...Object.values(VECTOR_SECTIONS.supplied)];

/** A part without vectors of a kind has no section for them. */
export const MAY_BE_ABSENT: ReadonlySet<SectionName> = new Set(VECTOR_NAMES);

/** The kernel's: it proves them whole, checksum included, when it loads them. */
const PROVED_BY_KERNEL: readonly SectionName[] = ["text", "postings", ...VECTOR_NAMES];

/** All that this version reads. */
export const SECTION_NAMES: readonly SectionName[] = [...HOT_SECTIONS, "pageChecksums", EITHER, ...COLD_SECTIONS];

export const SECTION_KINDS: SectionKinds = {
  names: new Map(SECTION_NAMES.map((name) => [SECTION[name], name])),
  provedLater: new Set(PROVED_BY_KERNEL.map((name) => SECTION[name])),
};
