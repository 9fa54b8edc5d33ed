/**
 * The parts of an entity's view: shards that the head names, from R2 into SQLite and from there opened; and the tail,
 * built in memory by the same builder, so that a search cannot tell where a commit lies.
 */
import { ok, type Result } from "../../core/errors.ts";
import { buildPart } from "../../core/index/build_part.ts";
import { firstHashFrom, isHashAt } from "../../core/index/id_hashes.ts";
import { openPart } from "../../core/index/open_part.ts";
import { openPagedPart } from "../../core/index/paged_part.ts";
import type { CommitLines, Part, Revision } from "../../core/index/part.ts";
import { TAIL_PART_RAW_BYTES_MAX } from "../../core/limits.ts";
import { type IdHash, idHash } from "../../core/log/event_id.ts";
import type { Embedder } from "../../core/ports.ts";
import { commitOfRow } from "../../core/retrieval/view.ts";
import { entityObjectName } from "../../core/rpc.ts";
import type { Head, ShardEntry } from "../../core/schema/stored.ts";
import { type PartCache, SharedPages } from "../part_cache.ts";
import type { Earlier } from "./admission.ts";
import type { EntityPorts } from "./ports.ts";
import { type CopiedShard, ShardCopies } from "./shard_copies.ts";
import type { Tail } from "./tail.ts";

/** A built piece of the tail. */
interface TailPart {
  readonly from: number;
  readonly to: number;
  readonly lines: number;
  readonly rawBytes: number;
  readonly part: Part;
}

export class EntityParts {
  readonly #ports: EntityPorts;
  readonly #cache: PartCache;
  readonly #revision: Revision;
  readonly #copies: ShardCopies;
  /** Ascending id hashes of the head's shards: 8 bytes an event, so that a new id costs no look into a shard. */
  readonly #ids = new Map<string, Uint32Array>();
  #tailParts: TailPart[] = [];
  #opened = 0;
  /** By the digest of a shard that was lost: parts over the same commits, built in memory. */
  readonly standIns = new Map<string, readonly Part[]>();
  /** Reads that hold parts across an await, and what drops the copies that have left the head since. */
  #readers = 0;
  #dropRetired: (() => void) | null = null;

  constructor(ports: EntityPorts, cache: PartCache, revision: Revision) {
    this.#ports = ports;
    this.#copies = new ShardCopies(ports, (shard) => this.#open(shard));
    this.#cache = cache;
    this.#revision = revision;
  }

  /** Copies shards that are not in SQLite yet from the store, for as long as they are `wanted`. */
  ensureLocal(head: Head, wanted: () => boolean): Promise<Result<{ readonly fetched: number }>> {
    return this.#copies.bring(head.shards, wanted);
  }

  /** Opens shard bytes after comparing their digest with their name. */
  verify(sha256: string, bytes: Uint8Array): Result<Part> {
    return this.#copies.verify(sha256, bytes);
  }

  /** Keeps verified bytes in SQLite, and in memory what a part over them holds. */
  keep(sha256: string, bytes: Uint8Array, part: Part): void {
    this.#copies.keep(sha256, bytes, part);
    this.#openCopy(sha256, part.hotBytes);
  }

  /** The head's parts in order. Every shard lies in SQLite (`ensureLocal`). */
  shards(head: Head): Result<readonly Part[]> {
    const parts: Part[] = [];
    for (const shard of head.shards) {
      const opened = this.#partsOf(shard);
      if (!opened.ok) return opened;
      parts.push(...opened.value);
    }
    return ok(parts);
  }

  #partsOf(shard: ShardEntry): Result<readonly Part[]> {
    const standIns = this.standIns.get(shard.sha256);
    if (standIns !== undefined) return ok(standIns);
    const opened = this.#open(shard);
    return opened.ok ? ok([opened.value]) : opened;
  }

  #open({ sha256, hotBytes }: CopiedShard): Result<Part> {
    const cached = this.#cache.get(this.#cacheKey(sha256), this.#ports.tables.copies.pagesOf(sha256));
    if (cached !== null) return ok(cached);
    this.#opened += 1;
    return this.#openCopy(sha256, hotBytes);
  }

  #openCopy(sha256: string, hotBytes: number): Result<Part> {
    const pages = new SharedPages(hotBytes, this.#ports.tables.copies.pagesOf(sha256));
    const opened = openPagedPart(pages, this.#ports, this.#cache.tablesOf(this.#cacheKey(sha256)));
    if (opened.ok) this.#cache.put(this.#cacheKey(sha256), opened.value, pages);
    return opened;
  }

  /** How many shards were opened from SQLite since the object woke. */
  get opened(): number {
    return this.#opened;
  }

  /** Dimensions of vectors that callers supplied in commits that are in shards; 0 for none. */
  suppliedDimensions(head: Head): number {
    return Math.max(0, ...head.shards.map(({ sha256 }) => this.#dimensionsIn(sha256)));
  }

  #dimensionsIn(sha256: string): number {
    const standIns = this.standIns.get(sha256);
    if (standIns === undefined) return this.#ports.tables.copies.dimensions(sha256);
    return Math.max(...standIns.map(({ vectors }) => vectors.supplied?.space.dimensions ?? 0));
  }

  #cacheKey(sha256: string): string {
    return `${entityObjectName(this.#ports.scope)}/${sha256}`;
  }

  /**
   * The tail's parts in order. New commits become a part of their own; two neighbours of like size are built into one,
   * so that the parts stay few and a commit is built O(log n) times. No part grows beyond what a slab takes.
   */
  tail(tail: Tail, incarnation: number): Result<readonly Part[]> {
    const commits = tail.commits();
    const first = commits[0]?.commit ?? Number.POSITIVE_INFINITY;
    this.#tailParts = this.#tailParts.filter((part) => part.from >= first && part.part.incarnation === incarnation);
    if (this.#tailParts[0] !== undefined && this.#tailParts[0].from !== first) this.#tailParts = [];
    const built = this.#tailParts.at(-1)?.to ?? first - 1;
    let fresh = commits.filter((commit) => commit.commit > built);
    if (fresh.length > 0) {
      for (let last = this.#tailParts.at(-1); last !== undefined; last = this.#tailParts.at(-1)) {
        const { from, to, lines, rawBytes } = last;
        if (lines > 2 * lineCount(fresh) || rawBytes + rawBytesOf(fresh) > TAIL_PART_RAW_BYTES_MAX) break;
        fresh = [...commits.filter((commit) => commit.commit >= from && commit.commit <= to), ...fresh];
        this.#tailParts.pop();
      }
      const part = this.build(fresh, incarnation);
      if (!part.ok) return part;
      const { from, to } = part.value;
      this.#tailParts.push({ from, to, lines: lineCount(fresh), rawBytes: rawBytesOf(fresh), part: part.value });
    }
    return ok(this.#tailParts.map(({ part }) => part));
  }

  /** A part over commits, in memory, as the tail's are. */
  build(commits: readonly CommitLines[], incarnation: number): Result<Part> {
    const source = { incarnation, revision: this.#revision, merged: [], commits, recorded: null };
    return openPart(buildPart(source, { ...this.#ports, embedder: localOnly(this.#ports.embedder) }), this.#ports);
  }

  /** Where `id` stands in the head's shards. A miss opens none of them; a hit is verified by the id itself. */
  find(head: Head, id: string): Result<Earlier | null> {
    const hash = idHash(id, this.#ports.digest);
    for (const shard of head.shards) {
      if (!this.standIns.has(shard.sha256) && !holds(this.#idHashes(shard.sha256), hash)) continue;
      const parts = this.#partsOf(shard);
      if (!parts.ok) return parts;
      for (const part of parts.value) {
        const row = part.rowOfId(id);
        if (row === -1) continue;
        const { commit, segment } = commitOfRow(part, row);
        return ok({ commit, segment, line: part.lineOfRow(row) });
      }
    }
    return ok(null);
  }

  /** Whether ids can be looked up in the head: each of its shards, or what stands in for it, is here. */
  hasAll(head: Head): boolean {
    return head.shards.every(({ sha256 }) => this.standIns.has(sha256) || this.#ports.tables.copies.has(sha256));
  }

  #idHashes(sha256: string): Uint32Array {
    const known = this.#ids.get(sha256);
    if (known !== undefined) return known;
    // Of a shard that is not here nothing would be found, and what it has would be taken for new.
    if (!this.#ports.tables.copies.has(sha256)) throw new Error("a shard that is not here");
    const bytes = this.#ports.tables.copies.ids(sha256).slice();
    const hashes = new Uint32Array(bytes.buffer, 0, bytes.length / Uint32Array.BYTES_PER_ELEMENT);
    this.#ids.set(sha256, hashes);
    return hashes;
  }

  /** Copies of shards that leave the head meanwhile stay until `read` is over: its parts may still read them. */
  async whileReading<T>(read: () => Promise<T>): Promise<T> {
    this.#readers += 1;
    try {
      return await read();
    } finally {
      this.#readers -= 1;
      if (this.#readers === 0) this.#dropRetired?.();
    }
  }

  /** Drops copies of shards that are not in `head`, which is asked again when reads under way hold that up. */
  dropCopies(head: () => Head): void {
    this.#dropRetired = () => {
      this.#dropRetired = null;
      const { tables } = this.#ports;
      tables.transaction(() => tables.copies.keep(head().shards.map(({ sha256 }) => sha256)));
    };
    if (this.#readers === 0) this.#dropRetired();
  }

  /** Forgets what belongs to shards that the head names no more. */
  forgetAllBut(head: Head): void {
    const kept = new Set(head.shards.map(({ sha256 }) => sha256));
    for (const sha256 of this.#ids.keys()) if (!kept.has(sha256)) this.#ids.delete(sha256);
    for (const sha256 of this.standIns.keys()) if (!kept.has(sha256)) this.standIns.delete(sha256);
  }

  /** What was built of the tail is of lines that have changed. */
  forgetTail(): void {
    this.#tailParts = [];
  }
}

/** `hashes` ascend. */
function holds(hashes: Uint32Array, wanted: IdHash): boolean {
  return isHashAt(hashes, firstHashFrom(hashes, wanted), wanted);
}

/** A remote embedder's vectors come from recorded outputs only, so the tail has none of them. */
export function localOnly(embedder: Embedder | null) {
  return embedder?.kind === "local" ? embedder : null;
}

function lineCount(commits: readonly CommitLines[]): number {
  return commits.reduce((total, commit) => total + commit.lines.length, 0);
}

function rawBytesOf(commits: readonly CommitLines[]): number {
  return commits.reduce((total, { lines }) => total + lines.reduce((bytes, line) => bytes + line.length + 1, 0), 0);
}
