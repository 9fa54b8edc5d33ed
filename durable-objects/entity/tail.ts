/**
 * The tail in memory: the lines of commits c+1..s and where each id stands. SQLite holds the same as compressed
 * segments; this is rebuilt from it when the object wakes.
 */
import { ok, type Result } from "../../core/errors.ts";
import type { CommitLines } from "../../core/index/part.ts";
import { parseLine, TOMBSTONE_KIND } from "../../core/log/line.ts";
import { readSegment } from "../../core/log/segment.ts";
import type { EntityPorts } from "./ports.ts";
import type { TailCommit } from "./state.ts";

export interface TailEntry {
  readonly facts: TailCommit;
  readonly lines: readonly string[];
}

export interface LinePosition {
  readonly commit: number;
  /** 0-based line of the commit. */
  readonly line: number;
}

export class Tail {
  #entries: TailEntry[] = [];
  readonly #positions = new Map<string, LinePosition>();
  #lines = 0;
  #events = 0;
  #rawBytes = 0;

  /** Reads commits after `covered` from SQLite. A segment that is not whole is refused by name. */
  static load(ports: EntityPorts, covered: number): Result<Tail> {
    const tail = new Tail();
    for (const { facts, bytes } of ports.tables.tail.after(covered)) {
      const lines = readSegment(facts.segment, bytes, ports, facts);
      if (!lines.ok) return lines;
      tail.add(facts, lines.value);
    }
    return ok(tail);
  }

  add(facts: TailCommit, lines: readonly string[]): void {
    this.#entries.push({ facts, lines });
    this.#lines += lines.length;
    this.#rawBytes += facts.rawBytes;
    lines.forEach((line, index) => {
      const { id, kind } = parseLine(line);
      if (kind !== TOMBSTONE_KIND) this.#events += 1;
      if (!this.#positions.has(id)) this.#positions.set(id, { commit: facts.commit, line: index });
    });
  }

  /** The commits up to `covered` are in shards now. */
  truncate(covered: number): void {
    const kept = this.#entries.filter((entry) => entry.facts.commit > covered);
    this.#entries = [];
    this.#positions.clear();
    this.#lines = 0;
    this.#events = 0;
    this.#rawBytes = 0;
    for (const { facts, lines } of kept) this.add(facts, lines);
  }

  get entries(): readonly TailEntry[] {
    return this.#entries;
  }

  get lines(): number {
    return this.#lines;
  }

  /** Lines but for tombstones: the events that wait to be indexed. */
  get events(): number {
    return this.#events;
  }

  get rawBytes(): number {
    return this.#rawBytes;
  }

  find(id: string): { readonly entry: TailEntry; readonly line: string } | null {
    const position = this.#positions.get(id);
    if (position === undefined) return null;
    const entry = this.#entryOf(position.commit);
    const line = entry?.lines[position.line];
    return entry === undefined || line === undefined ? null : { entry, line };
  }

  /** A 0-based line of a commit; null when it is not in the tail. */
  lineAt(commit: number, line: number): string | null {
    return this.#entryOf(commit)?.lines[line] ?? null;
  }

  /** Commits of the tail are contiguous. */
  #entryOf(commit: number): TailEntry | undefined {
    return this.#entries[commit - (this.#entries[0]?.facts.commit ?? 0)];
  }

  commits(): CommitLines[] {
    return this.#entries.map(({ facts, lines }) => ({
      commit: facts.commit,
      segment: facts.segment,
      arrivalMs: facts.arrivalMs,
      lines,
    }));
  }
}
