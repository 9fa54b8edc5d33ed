/**
 * What a search runs over: the parts of a scope in ledger order, and the snapshot that restricts them.
 * Positions are (commit, line); rows and documents of all parts, laid end to end, are in position order.
 */
import type { Part } from "../index/part.ts";

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
