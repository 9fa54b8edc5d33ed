/**
 * Copies of shards, from the store into SQLite. What is missing is read in waves of at most STORE_CONCURRENCY_MAX
 * requests, each of at most SHARD_WHOLE_READ_BYTES: what is in flight fits in memory, and six shards of that size cost
 * one wave.
 *
 *   small    ├──┤                 1 request; verified by its digest, which is its name
 *   large    ├────┼────┼────┼─┤   pieces side by side; verified page by page when all have come
 *
 * As much as there is room for is held in memory until it is written by whoever asks that of the tables; the rest is
 * written as it comes. A copy counts when all of it is here and was verified: it is named then, and not before. What a
 * crash left of one is written again, or dropped with the copies that no head names.
 */
import { type Failure, fail, ok, type Result } from "../../core/errors.ts";
import { openPart } from "../../core/index/open_part.ts";
import type { Part } from "../../core/index/part.ts";
import { readRange } from "../../core/index/read_shard.ts";
import { SECTION_KINDS } from "../../core/index/sections.ts";
import { corrupt, readHotShard, SHARD_PAGE_BYTES } from "../../core/index/shard_file.ts";
import { bytesOf } from "../../core/index/typed_section.ts";
import { COPIES_HELD_BYTES_MAX, SHARD_WHOLE_READ_BYTES, STORE_CONCURRENCY_MAX } from "../../core/limits.ts";
import { shardKey } from "../../core/log/keys.ts";
import { hex } from "../../core/log/text_encoding.ts";
import type { ShardEntry } from "../../core/schema/stored.ts";
import type { EntityPorts } from "./ports.ts";

/** Whole pages that are verified together: few reads of SQLite, and little memory. */
const VERIFIED_BYTES = 64 * SHARD_PAGE_BYTES;

/** One request. */
interface Piece {
  readonly shard: ShardEntry;
  readonly offset: number;
  readonly length: number;
}

export type CopiedShard = Pick<ShardEntry, "sha256" | "hotBytes">;

/** Opens a shard of which all lies in SQLite. */
export type OpenCopy = (shard: CopiedShard) => Result<Part>;

export class ShardCopies {
  readonly #ports: EntityPorts;
  readonly #open: OpenCopy;
  /** The one load that is under way, and of which shards. */
  #loading: { readonly of: string; readonly done: Promise<Result<null>> } | null = null;

  constructor(ports: EntityPorts, open: OpenCopy) {
    this.#ports = ports;
    this.#open = open;
  }

  /**
   * Brings those that are not here, for as long as they are `wanted`: an incarnation may end while they are read.
   * Concurrent callers share one load, and its failure: `corrupt` when a shard is damaged or missing. A store fault
   * rejects.
   */
  async bring(shards: readonly ShardEntry[], wanted: () => boolean): Promise<Result<{ readonly fetched: number }>> {
    let fetched = 0;
    for (;;) {
      const missing = shards.filter(({ sha256 }) => !this.#ports.tables.copies.has(sha256));
      if (missing.length === 0) return ok({ fetched });
      fetched = Math.max(fetched, missing.length);
      const names = missing.map(({ sha256 }) => sha256).join();
      this.#loading ??= { of: names, done: this.#load(missing, wanted).finally(() => this.#ended()) };
      const { of, done } = this.#loading;
      const loaded = await done;
      if (!loaded.ok && of === names) return loaded;
    }
  }

  #ended(): void {
    this.#loading = null;
  }

  async #load(missing: readonly ShardEntry[], wanted: () => boolean): Promise<Result<null>> {
    const { copies } = this.#ports.tables;
    try {
      return await this.#loadAll(missing, this.#withRoom(missing), wanted);
    } finally {
      // What is held of those that did not come whole.
      copies.letGo((sha256) => !copies.has(sha256));
    }
  }

  async #loadAll(
    missing: readonly ShardEntry[],
    held: ReadonlySet<ShardEntry>,
    wanted: () => boolean,
  ): Promise<Result<null>> {
    const pieces = missing.flatMap(piecesOf);
    for (let start = 0; start < pieces.length; start += STORE_CONCURRENCY_MAX) {
      const wave = pieces.slice(start, start + STORE_CONCURRENCY_MAX);
      // To the end of each, so that nothing comes after a failure.
      const reads = await Promise.allSettled(wave.map((piece) => this.#read(piece, held.has(piece.shard), wanted)));
      for (const read of reads) {
        if (read.status === "rejected") throw read.reason;
        if (!read.value.ok) return read.value;
      }
    }
    for (const shard of missing) {
      if (isWhole(shard)) continue;
      const taken = this.#takeCopy(shard);
      if (!taken.ok) return taken;
    }
    return ok(null);
  }

  /** Those that there is room for in memory. */
  #withRoom(missing: readonly ShardEntry[]): ReadonlySet<ShardEntry> {
    let room = COPIES_HELD_BYTES_MAX - this.#ports.tables.copies.heldBytes;
    return new Set(
      missing.filter(({ bytes }) => {
        if (bytes > room) return false;
        room -= bytes;
        return true;
      }),
    );
  }

  async #read({ shard, offset, length }: Piece, isHeld: boolean, wanted: () => boolean): Promise<Result<null>> {
    const { store, tables } = this.#ports;
    const key = this.#keyOf(shard.sha256);
    if (isWhole(shard)) {
      const stored = await store.get(key);
      if (!wanted()) return fail(erased());
      if (stored === null) return fail(corrupt(`${key}: it is missing`));
      const part = this.verify(shard.sha256, stored.bytes);
      if (!part.ok) return part;
      if (isHeld) tables.copies.holdPiece(shard.sha256, 0, stored.bytes);
      this.keep(shard.sha256, stored.bytes, part.value);
      return ok(null);
    }
    const bytes = await readRange(store, { key, bytes: shard.bytes }, { offset, length });
    if (!wanted()) return fail(erased());
    if (!bytes.ok) return bytes;
    if (isHeld) tables.copies.holdPiece(shard.sha256, offset, bytes.value);
    else tables.transaction(() => tables.copies.putPiece(shard.sha256, offset, bytes.value));
    return ok(null);
  }

  /** Opens shard bytes after comparing their digest with their name. */
  verify(sha256: string, bytes: Uint8Array): Result<Part> {
    if (!this.#isNamed(sha256, bytes)) return fail(corrupt(`${this.#keyOf(sha256)}: its digest is not its name`));
    return openPart(bytes, this.#ports);
  }

  #isNamed(sha256: string, bytes: Uint8Array): boolean {
    return hex(this.#ports.digest.sha256(bytes)) === sha256;
  }

  /** Keeps verified bytes. */
  keep(sha256: string, bytes: Uint8Array, part: Part): void {
    const { tables } = this.#ports;
    tables.transaction(() => this.#name(sha256, part, bytes));
  }

  /** All pieces of it are here. */
  #takeCopy(shard: ShardEntry): Result<null> {
    const { tables } = this.#ports;
    const pages = this.#verifyPages(shard);
    if (!pages.ok) return pages;
    const part = this.#open(shard);
    if (!part.ok) return part;
    tables.transaction(() => this.#name(shard.sha256, part.value));
    return ok(null);
  }

  /** What came in pieces is what was written, and what the head names. */
  #verifyPages({ sha256, bytes, hotBytes, from, to }: ShardEntry): Result<null> {
    const read = (offset: number, length: number) => this.#ports.tables.copies.range(sha256, offset, length);
    const file = readHotShard(read(0, hotBytes), SECTION_KINDS, this.#ports.checksum);
    if (!file.ok) return file;
    const { identity, fileBytes, verifyPages } = file.value;
    if (fileBytes !== bytes || identity.from !== from || identity.to !== to)
      return fail(corrupt(`${this.#keyOf(sha256)}: it is not what the head says`));
    for (let offset = hotBytes; offset < bytes; offset += VERIFIED_BYTES) {
      const verified = verifyPages(offset, read(offset, Math.min(VERIFIED_BYTES, bytes - offset)));
      if (!verified.ok) return verified;
    }
    return ok(null);
  }

  /** Inside a transaction: all of the copy is here, or in `bytes`. */
  #name(sha256: string, part: Part, bytes: Uint8Array | null = null): void {
    this.#ports.tables.copies.name(sha256, idsIn(part), dimensionsIn(part), bytes);
  }

  #keyOf(sha256: string): string {
    return shardKey(this.#ports.scope.entity, sha256);
  }
}

/** A small shard is one piece. */
function piecesOf(shard: ShardEntry): readonly Piece[] {
  const count = Math.max(1, Math.ceil(shard.bytes / SHARD_WHOLE_READ_BYTES));
  return Array.from({ length: count }, (_, index) => {
    const offset = index * SHARD_WHOLE_READ_BYTES;
    return { shard, offset, length: Math.min(SHARD_WHOLE_READ_BYTES, shard.bytes - offset) };
  });
}

function idsIn({ idHashes }: Part): Uint8Array {
  return bytesOf(idHashes);
}

/** Of vectors that callers supplied; 0 for none. */
function dimensionsIn({ vectors }: Part): number {
  return vectors.supplied?.space.dimensions ?? 0;
}

function isWhole({ bytes }: ShardEntry): boolean {
  return bytes <= SHARD_WHOLE_READ_BYTES;
}

function erased(): Failure {
  return { reason: "unavailable", what: "The entity was erased meanwhile.", retryAfterSeconds: 1 };
}
