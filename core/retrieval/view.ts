/**
 * What a search runs over: the parts of a scope in ledger order, and the snapshot that restricts them.
 * Positions are (commit, line); rows and documents of all parts, laid end to end, are in position order.
 */
import { SUPPLIED_MODEL } from "../index/build_part.ts";
import type { Part, PartCommit, PartVectors, VectorSpace } from "../index/part.ts";

/** σ: which commits, which vectors, which revision of which incarnation. */
export interface Snapshot {
  readonly incarnation: number;
  /** s: the last commit that is seen. */
  readonly commit: number;
  /** m: vectors that a model makes of later commits are not seen. */
  readonly vectorCommit: number;
  readonly revision: string;
}

export interface View {
  readonly snapshot: Snapshot;
  /** Tile commits 1..n with n ≥ snapshot.commit; at most the last is a tail. */
  readonly parts: readonly Part[];
}

/** Which rows of a part are live at the snapshot: rows before `rowEnd`, without the dead ones. */
export interface LiveRows {
  /** Ascending: void duplicates and withdrawn rows. */
  readonly deadRows: Uint32Array;
  /** Rows of commits up to the snapshot's. */
  readonly rowEnd: number;
}

/**
 * The one space whose vectors are searched: the supplied one from the first commit on that supplied a vector, the
 * embedder's before it. That an event was withdrawn since does not matter.
 *
 * How the log is cut into parts changes nothing. Let f be the first commit of the log that supplied a vector:
 *
 *   s ≥ f  f lies in one part that is seen, and is that part's `supplied.from`. Every supplied vector is in the supplied
 *          section of its part, whatever else the part holds.
 *   s < f  no part has `supplied.from` ≤ s. A part embeds the documents of its commits before its first supply; that
 *          supply is not before f, so every document that is seen is embedded.
 *
 * The dimensions are those of the space's first vector in the log, hence of the first part that has one.
 */
export function spaceOfView(view: View): VectorSpace | null {
  const { commit, vectorCommit } = view.snapshot;
  const supplied = view.parts.find(({ vectors }) => vectors.supplied !== null && vectors.supplied.from <= commit);
  if (supplied !== undefined) return supplied.vectors.supplied?.space ?? null;
  const embedded = view.parts.find(({ vectors }) => vectors.embedded !== null && vectors.embedded.from <= vectorCommit);
  return embedded?.vectors.embedded?.space ?? null;
}

/** The last commit whose vectors are seen: m delays those that a model makes, supplied ones count at once. */
export function vectorsThrough({ commit, vectorCommit }: Snapshot, space: VectorSpace | null): number {
  return space?.model === SUPPLIED_MODEL ? commit : vectorCommit;
}

/** The part's vectors of the space; null when it has none. */
export function vectorsIn(part: Part, space: VectorSpace | null): PartVectors | null {
  const { supplied, embedded } = part.vectors;
  if (sameSpace(supplied?.space, space)) return supplied;
  return sameSpace(embedded?.space, space) ? embedded : null;
}

function sameSpace(a: VectorSpace | undefined, b: VectorSpace | null): boolean {
  return a !== undefined && a.model === b?.model && a.dimensions === b.dimensions;
}

/** The commit whose line this row is. */
export function commitOfRow(part: Part, row: number): PartCommit {
  let low = 0;
  let high = part.commits.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((part.commits[middle]?.firstRow ?? 0) <= row) low = middle;
    else high = middle - 1;
  }
  const commit = part.commits[low];
  if (commit === undefined || row < commit.firstRow || row >= part.rows) {
    throw new RangeError(`row ${row} of a part with ${part.rows}`);
  }
  return commit;
}

/** Rows of commits up to `commit`. */
export function rowsThrough(part: Part, commit: number): number {
  return part.commits.find((candidate) => candidate.commit > commit)?.firstRow ?? part.rows;
}
