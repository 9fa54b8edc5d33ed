/**
 * The tail in SQLite: commits c+1..s, as their segments lie in R2. A row written is what costs, not its bytes, so small
 * commits share rows: the newest lie in the row of the state, which every commit writes anyway.
 *
 *   state   … | facts | bytes     the newest commits, up to TAIL_SHARED_BYTES_MAX
 *   tail    commit_no, page | facts | bytes
 *             a row of those that shared the row of the state before, under the last of them: `facts` is a list
 *             a commit larger than TAIL_SHARED_COMMIT_BYTES_MAX by itself, in pages: `facts`, in its first, is an object
 *
 * Commits lie in order, so a commit is in the first row whose `commit_no` is not below it, or in the row of the state.
 */
import { joinBytes } from "../../core/bytes.ts";
import { SQLITE_PAGE_BYTES, TAIL_SHARED_BYTES_MAX, TAIL_SHARED_COMMIT_BYTES_MAX } from "../../core/limits.ts";
import { blobOf, bytesOf, numberOf, type Sql, type SqlRow, textOf } from "../sql.ts";
import type { TailCommit } from "./state.ts";

export interface StoredCommit {
  readonly facts: TailCommit;
  /** Of its segment. */
  readonly bytes: Uint8Array;
}

/** What a row holds of commits that share it; nulls when there are none. */
export interface SharedCommits {
  readonly facts: string | null;
  readonly bytes: ArrayBuffer | null;
}

/** As they are written: with the length of each in `bytes`. */
type SharedFacts = TailCommit & { readonly bytes: number };

export class TailTable {
  readonly #sql: Sql;
  /** Those in the row of the state; null when they are to be read. */
  #shared: readonly StoredCommit[] | null = null;
  #isChanged = false;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The log's next commit. */
  append(commit: StoredCommit): void {
    const shared = this.#read();
    const isLarge = commit.bytes.length > TAIL_SHARED_COMMIT_BYTES_MAX;
    const fits = !isLarge && sizeOf([...shared, commit]) <= TAIL_SHARED_BYTES_MAX;
    if (!fits) this.#moveOut(shared);
    if (isLarge) this.#putApart(commit);
    else this.#change(fits ? [...shared, commit] : [commit]);
  }

  /** A commit wherever it belongs: of a log that is read back, or in place of the same one with other bytes. */
  put(commit: StoredCommit): void {
    const isSame = ({ facts }: StoredCommit) => facts.commit === commit.facts.commit;
    const replaced = (commits: readonly StoredCommit[]) => commits.map((one) => (isSame(one) ? commit : one));
    const shared = this.#read();
    const row = this.#rowOf(commit.facts.commit);
    if (shared.some(isSame)) this.#change(replaced(shared));
    else if (row !== null && commitsIn(row).some(isSame)) this.#putRow(replaced(commitsIn(row)));
    else this.#putApart(commit);
  }

  /** Facts of commits after `commit`, ascending. */
  factsAfter(commit: number): TailCommit[] {
    const rows = this.#sql.run("SELECT facts FROM tail WHERE commit_no > ? AND page = 0 ORDER BY commit_no", commit);
    const apart = rows.flatMap((row) => factsIn(textOf(row.facts)).map(withoutLength));
    const all = [...apart, ...this.#read().map(({ facts }) => facts)];
    return all.filter((facts) => facts.commit > commit);
  }

  /** Commits after `commit`, ascending, up to the first that is not here: what is read across an await may go. */
  *after(commit: number): Generator<StoredCommit> {
    let last: number | null = null;
    for (let commits = this.#next(commit); commits.length > 0; commits = this.#next(last ?? commit)) {
      for (const one of commits) {
        if (last !== null && one.facts.commit !== last + 1) return;
        yield one;
        last = one.facts.commit;
      }
    }
  }

  /** The commits after `commit` in the row where they begin. */
  #next(commit: number): readonly StoredCommit[] {
    const row = this.#rowOf(commit + 1);
    const commits = row === null ? this.#read() : this.#commitsOf(row);
    return commits.filter(({ facts }) => facts.commit > commit);
  }

  drop(throughCommit: number): void {
    this.#sql.run("DELETE FROM tail WHERE commit_no <= ?", throughCommit);
    const shared = this.#read();
    const kept = shared.filter(({ facts }) => facts.commit > throughCommit);
    if (kept.length < shared.length) this.#change(kept);
  }

  // --- the row of the state ---

  /** What belongs into it, when that has changed since it was written; null when not. Whoever asks writes it. */
  takeChange(): SharedCommits | null {
    if (!this.#isChanged) return null;
    this.#isChanged = false;
    const shared = this.#read();
    return shared.length === 0 ? { facts: null, bytes: null } : together(shared);
  }

  /** The transaction was undone, or the row deleted. */
  forget(): void {
    this.#shared = null;
    this.#isChanged = false;
  }

  #read(): readonly StoredCommit[] {
    this.#shared ??= commitsIn(this.#sql.run("SELECT facts, bytes FROM state WHERE id = 1")[0] ?? {});
    return this.#shared;
  }

  #change(shared: readonly StoredCommit[]): void {
    this.#shared = shared;
    this.#isChanged = true;
  }

  #moveOut(shared: readonly StoredCommit[]): void {
    if (shared.length === 0) return;
    this.#putRow(shared);
    this.#change([]);
  }

  // --- rows of their own ---

  #putRow(commits: readonly StoredCommit[]): void {
    const last = commits.at(-1)?.facts.commit ?? 0;
    const { facts, bytes } = together(commits);
    this.#insert(last, 0, facts, bytes);
  }

  #putApart({ facts, bytes }: StoredCommit): void {
    this.#sql.run("DELETE FROM tail WHERE commit_no = ?", facts.commit);
    const pages = Math.max(1, Math.ceil(bytes.length / SQLITE_PAGE_BYTES));
    for (let page = 0; page < pages; page += 1) {
      const slice = bytes.subarray(page * SQLITE_PAGE_BYTES, (page + 1) * SQLITE_PAGE_BYTES);
      this.#insert(facts.commit, page, page === 0 ? JSON.stringify(facts) : null, blobOf(slice));
    }
  }

  #insert(commit: number, page: number, facts: string | null, bytes: ArrayBuffer): void {
    const statement = "INSERT OR REPLACE INTO tail (commit_no, page, facts, bytes) VALUES (?, ?, ?, ?)";
    this.#sql.run(statement, commit, page, facts, bytes);
  }

  /** The row, or the first page of those, in which a commit is if it is in any. */
  #rowOf(commit: number): SqlRow | null {
    const statement =
      "SELECT commit_no, facts, bytes FROM tail WHERE commit_no >= ? AND page = 0 ORDER BY commit_no LIMIT 1";
    return this.#sql.run(statement, commit)[0] ?? null;
  }

  #commitsOf(row: SqlRow): readonly StoredCommit[] {
    const shared = commitsIn(row);
    if (shared.length > 0) return shared;
    const pages = this.#sql.run("SELECT bytes FROM tail WHERE commit_no = ? ORDER BY page", numberOf(row.commit_no));
    return factsIn(textOf(row.facts)).map((facts) => ({
      facts,
      bytes: joinBytes(pages.map((page) => bytesOf(page.bytes))),
    }));
  }
}

function together(commits: readonly StoredCommit[]) {
  const facts = commits.map(({ facts, bytes }): SharedFacts => ({ ...facts, bytes: bytes.length }));
  return { facts: JSON.stringify(facts), bytes: blobOf(joinBytes(commits.map(({ bytes }) => bytes))) };
}

/** Of commits that share a row; none of a commit that lies by itself, or of a row without any. */
function commitsIn({ facts, bytes }: SqlRow): readonly StoredCommit[] {
  if (facts === null || facts === undefined) return [];
  const all = bytesOf(bytes);
  let end = 0;
  return factsIn(textOf(facts)).flatMap((one) => {
    if (!("bytes" in one)) return [];
    const start = end;
    end += one.bytes;
    return [{ facts: withoutLength(one), bytes: all.subarray(start, end) }];
  });
}

/** Written by this class alone, in this version or an earlier one. */
function factsIn(text: string): readonly (TailCommit | SharedFacts)[] {
  const facts = JSON.parse(text) as TailCommit | readonly SharedFacts[];
  return Array.isArray(facts) ? facts : [facts as TailCommit];
}

function withoutLength(facts: TailCommit | SharedFacts): TailCommit {
  const { bytes: _, ...rest } = facts as SharedFacts;
  return rest;
}

/** About what a row of them takes. */
function sizeOf(commits: readonly StoredCommit[]): number {
  return commits.reduce((size, { facts, bytes }) => size + bytes.length + JSON.stringify(facts).length, 0);
}
