/**
 * A part: the view of a contiguous range of commits, whether it lies in R2 as a shard or was built from the tail.
 * `buildPart` (build_part.ts) makes its bytes, a pure function of a `PartSource`; `openPart` (open_part.ts) reads them.
 *
 *   row       one line of a segment: an event, or a tombstone
 *   document  one chunk of an event's text (or an event that has only a vector)
 *   Rows and documents are in position order, so an older snapshot is a prefix.
 */
import type { PagedText, SearchedText, SectionPlace, VectorSections } from "../ports.ts";
import type { AttributeValue } from "../schema/event.ts";

/** What a view depends on besides the log. Hashed to the revision `r`. */
export interface Revision {
  readonly analyzer: string;
  readonly chunker: string;
  /** Embedder id, or "none". */
  readonly embedder: string;
  readonly metric: "cosine" | "dot" | "l2";
}

/** One commit as the log holds it. */
export interface CommitLines {
  readonly commit: number;
  /** Key of its segment, relative to the tenant. */
  readonly segment: string;
  readonly arrivalMs: number;
  /** Canonical JSON, one event each; of a part, without the digits of vectors (`keptLine`). */
  readonly lines: readonly string[];
}

/** Vectors that a remote embedder made for the documents of a range: document order, null where it refused one. */
export type RecordedVectors = readonly (Float32Array | null)[];

export interface PartSource {
  readonly incarnation: number;
  readonly revision: Revision;
  /** Parts of the same revision whose lines and vectors are taken over, in order; a part of `commits` alone has none. */
  readonly merged: readonly Part[];
  /** What comes after them: with theirs contiguous, ascending and at least one commit. */
  readonly commits: readonly CommitLines[];
  /** Of the documents of `commits`; present only with a remote embedder and when the outputs of all of them exist. */
  readonly recorded: RecordedVectors | null;
}

/** Where vectors come from: `supplied` by callers, or an embedder's id. Only vectors of one space are compared. */
export interface VectorSpace {
  readonly model: string;
  readonly dimensions: number;
}

/** The vectors of one space that a part holds. */
export interface PartVectors {
  readonly space: VectorSpace;
  /** The first commit of the part that has one. */
  readonly from: number;
  /** The kernel's sections over all documents of the part; not every one has a vector. */
  readonly sections: VectorSections;
  readonly paged: PagedVectors;
}

/** Pieces of the sections of vectors, for a search that cannot hold all of them. */
export interface PagedVectors {
  /** Of codes, residuals and graph together. */
  readonly bytes: number;
  readonly codesBytes: number;
  readonly hasGraph: boolean;
  /** Joined they are the section. */
  codes(): readonly Uint8Array[];
  /** One for each place, all at once. */
  residuals(places: readonly SectionPlace[]): readonly Uint8Array[];
}

export interface PartCommit {
  readonly commit: number;
  readonly segment: string;
  readonly arrivalMs: number;
  /** Its first row in the part; its rows run to the next commit's. */
  readonly firstRow: number;
}

/** Dictionary-coded values of one field over the rows. `values[code - 1]`; code 0 is missing. */
export interface Column {
  readonly codes: Uint32Array;
  readonly values: readonly AttributeValue[];
}

export interface Withdrawal {
  /** The tombstone's row. */
  readonly row: number;
  /** The event id it withdraws. */
  readonly target: string;
}

export interface Part {
  readonly incarnation: number;
  readonly revision: string;
  readonly from: number;
  readonly to: number;
  readonly commits: readonly PartCommit[];
  readonly rows: number;
  readonly documents: number;
  /** Event time of each row, epoch milliseconds. */
  readonly rowTimes: Float64Array;
  /** Least and greatest event time of rows that are not tombstones; null when there are none. */
  readonly times: { readonly min: number; readonly max: number } | null;
  readonly withdrawals: readonly Withdrawal[];
  /**
   * `kind session actor agent source` and `attributes.<name>`, each when a row has it. `get` and `has` find every one;
   * the listing, in ascending byte order of name, ends at PART_COLUMNS_MAX attributes.
   */
  readonly columns: ReadonlyMap<string, Column>;
  /** The codes of a stored column, for who keeps them elsewhere; undefined when there is none of that name. */
  columnCodes(name: string): Uint32Array | undefined;
  readonly rowOfDocument: Uint32Array;
  /** Document i is of row i, and every row has one. */
  readonly hasOneDocumentARow: boolean;
  /** Which chunk of its event document i is. */
  readonly chunkOfDocument: Uint32Array;
  /** UTF-8 byte range of document i in its event's text. */
  readonly chunkFrom: Uint32Array;
  readonly chunkTo: Uint32Array;
  /** The kernel's text sections; of a part that was read by ranges, with the postings of the asked terms. */
  readonly text: SearchedText & PagedText;
  /** Which of the two a snapshot searches is said by `spaceOfView` (retrieval/view.ts); never both. */
  readonly vectors: {
    /** Those that came with events. */
    readonly supplied: PartVectors | null;
    /** The embedder's, of the documents of the commits before `supplied.from`; of all where none were supplied. */
    readonly embedded: PartVectors | null;
  };
  /** Bytes of the whole part, and of its start that plans a search. */
  readonly bytes: number;
  readonly hotBytes: number;
  /**
   * Bytes of it that are in memory: what it opened with, and what of columns and lines it has decoded since. The kernel's
   * sections may be read each time they are asked for.
   */
  readonly heldBytes: number;
  idOfRow(row: number): string;
  /** The first row with this event id, or -1. */
  rowOfId(id: string): number;
  /** False only when no row has this event id. Needs no more than the start of the part. */
  mayHaveId(id: string): boolean;
  /** Ascending 64-bit hashes of the ids (id_hashes.ts), for duplicate checks across parts, and the row of each. */
  readonly idHashes: Uint32Array;
  readonly idRows: Uint32Array;
  /** The canonical JSON line of a row, as parts keep it (`keptLine`). Decompresses one frame. */
  lineOfRow(row: number): string;
}
