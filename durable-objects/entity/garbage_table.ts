/**
 * Objects of the store that no head named when they were listed, and what became of them (collect.ts). They are few, or
 * all change at once, so they lie together: a page of them is one row that is written.
 */
import { GARBAGE_PAGE_KEYS_MAX } from "../../core/limits.ts";
import { type Sql, textOf } from "../sql.ts";

/** Marked objects may turn out to be needed; condemned ones may be gone at any moment. */
export type GarbageFate = "marked" | "condemned" | "deleted";

export const GARBAGE_SCHEMA =
  "CREATE TABLE IF NOT EXISTS garbage_pages (page INTEGER PRIMARY KEY, fates TEXT NOT NULL)";

export class GarbageTable {
  readonly #sql: Sql;
  /** By key; null when they are to be read. */
  #fates: Map<string, GarbageFate> | null = null;
  #isChanged = false;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Takes over what an earlier version kept in a row for each key. Inside the transaction that makes the tables. */
  bringUpToDate(): void {
    const earlier = this.#sql.run("SELECT 1 AS present FROM sqlite_master WHERE type = 'table' AND name = 'garbage'");
    if (earlier.length === 0) return;
    for (const row of this.#sql.run("SELECT key, fate FROM garbage ORDER BY key"))
      this.#change(textOf(row.key), textOf(row.fate) as GarbageFate);
    this.write();
    this.#sql.run("DROP TABLE garbage");
  }

  mark(keys: readonly string[]): void {
    for (const key of keys) if (!this.#read().has(key)) this.#change(key, "marked");
  }

  /** null: nobody has marked it. */
  fateOf(key: string): GarbageFate | null {
    return this.#read().get(key) ?? null;
  }

  /** Takes keys off the list that are not condemned yet. */
  spare(keys: Iterable<string>): void {
    for (const key of keys) if (this.#read().get(key) === "marked") this.#change(key, null);
  }

  condemn(): void {
    for (const [key, fate] of this.#read()) if (fate === "marked") this.#change(key, "condemned");
  }

  condemned(limit: number): string[] {
    return [...this.#read()].flatMap(([key, fate]) => (fate === "condemned" ? [key] : [])).slice(0, limit);
  }

  deleted(keys: readonly string[]): void {
    for (const key of keys) this.#change(key, "deleted");
  }

  /** All of it, or `keys`. */
  forget(keys?: readonly string[]): void {
    for (const key of keys ?? [...this.#read().keys()]) if (this.#read().has(key)) this.#change(key, null);
  }

  /** At the end of a transaction: what changed in it, once. */
  write(): void {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const fates = [...this.#read()];
    const pages = Math.ceil(fates.length / GARBAGE_PAGE_KEYS_MAX);
    for (let page = 0; page < pages; page += 1) {
      const slice = fates.slice(page * GARBAGE_PAGE_KEYS_MAX, (page + 1) * GARBAGE_PAGE_KEYS_MAX);
      this.#sql.run("INSERT OR REPLACE INTO garbage_pages (page, fates) VALUES (?, ?)", page, JSON.stringify(slice));
    }
    this.#sql.run("DELETE FROM garbage_pages WHERE page >= ?", pages);
  }

  /** The transaction was undone, or the rows deleted. */
  reread(): void {
    this.#fates = null;
    this.#isChanged = false;
  }

  #read(): Map<string, GarbageFate> {
    this.#fates ??= new Map(
      this.#sql
        .run("SELECT fates FROM garbage_pages ORDER BY page")
        .flatMap((row) => JSON.parse(textOf(row.fates)) as [string, GarbageFate][]),
    );
    return this.#fates;
  }

  #change(key: string, fate: GarbageFate | null): void {
    if (fate === null) this.#read().delete(key);
    else this.#read().set(key, fate);
    this.#isChanged = true;
  }
}
