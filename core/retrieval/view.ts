/**
 * What a search runs over: the parts of a scope in ledger order, and the snapshot that restricts them.
 * Positions are (commit, line); rows and documents of all parts, laid end to end, are in position order.
 */
import { SUPPLIED_MODEL } from "../index/build_part.ts";
import type { Part, PartCommit, VectorSpace } from "../index/part.ts";

/** σ of the design: which commits, which vectors, which revision of which incarnation. */
export interface Snapshot {
  readonly incarnation: number;
  /** s: the last commit that is seen. */
  readonly commit: number;
  /** m: vectors of later commits are not seen. */
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
 * The one space whose vectors are searched: the supplied one when any part that is seen has it, as it would be in a
 * single part; else the newest.
 */
export function spaceOfView(view: View): VectorSpace | null {
  let space: VectorSpace | null = null;
  for (const part of view.parts) {
    if (part.from > view.snapshot.commit || part.vectorSpace === null) continue;
    if (space === null || space.model !== SUPPLIED_MODEL) space = part.vectorSpace;
  }
  return space;
}

export function sameSpace(a: VectorSpace | null, b: VectorSpace | null): boolean {
  return a !== null && b !== null && a.model === b.model && a.dimensions === b.dimensions;
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
