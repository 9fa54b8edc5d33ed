/**
 * The parts of a tenant's index: shards of its head, from the store into SQLite, and from there opened page by page.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import { openPart } from "../../core/index/open_part.ts";
import { openPagedPart } from "../../core/index/paged_part.ts";
import type { Part } from "../../core/index/part.ts";
import { STORE_CONCURRENCY_MAX } from "../../core/limits.ts";
import { scopeShardKey } from "../../core/log/keys.ts";
import { hex } from "../../core/log/text_encoding.ts";
import type { ScopeShard } from "../../core/scope/scope_head.ts";
import { type PartCache, SharedPages } from "../part_cache.ts";
import type { ScopePorts } from "./ports.ts";

type NamedShard = Pick<ScopeShard, "sha256" | "dayMs">;

/** Nobody looks an id up among all of a tenant's. */
const NO_IDS = new Uint8Array(0);

export class ScopeParts {
  readonly #ports: ScopePorts;
  readonly #cache: PartCache;
  readonly #loading = new Map<string, Promise<Result<Part>>>();
  #opened = 0;
  #readers = 0;
  #wanted: readonly string[] | null = null;

  constructor(ports: ScopePorts, cache: PartCache) {
    this.#ports = ports;
    this.#cache = cache;
  }

  /** Shards that were opened from SQLite or the store since the object woke. */
  get opened(): number {
    return this.#opened;
  }

  /** In order; copies what is missing. */
  async open(shards: readonly ScopeShard[]): Promise<Result<readonly Part[]>> {
    const missing = shards.filter(({ sha256 }) => !this.#ports.tables.copies.has(sha256));
    for (let start = 0; start < missing.length; start += STORE_CONCURRENCY_MAX) {
      const wave = missing.slice(start, start + STORE_CONCURRENCY_MAX);
      for (const loaded of await Promise.all(wave.map((shard) => this.#fetchOnce(shard))))
        if (!loaded.ok) return loaded;
    }
    const parts: Part[] = [];
    for (const shard of shards) {
      const part = this.#openCopy(shard);
      if (!part.ok) return part;
      parts.push(part.value);
    }
    return ok(parts);
  }

  /** Concurrent callers share one load. */
  #fetchOnce(shard: NamedShard): Promise<Result<Part>> {
    const loading =
      this.#loading.get(shard.sha256) ?? this.fetch(shard).finally(() => this.#loading.delete(shard.sha256));
    this.#loading.set(shard.sha256, loading);
    return loading;
  }

  /** Reads a shard from the store, verifies it, and keeps a copy. */
  async fetch({ sha256, dayMs }: NamedShard): Promise<Result<Part>> {
    const { store, digest, tables } = this.#ports;
    const key = scopeShardKey(dayMs, sha256);
    const stored = await store.get(key);
    if (stored === null) return fail({ reason: "corrupt", what: `${key}: it is missing` });
    if (hex(digest.sha256(stored.bytes)) !== sha256)
      return fail({ reason: "corrupt", what: `${key}: its digest is not its name` });
    const part = openPart(stored.bytes, this.#ports);
    if (part.ok) tables.transaction(() => tables.copies.name(sha256, NO_IDS, 0, stored.bytes));
    return part;
  }

  #openCopy({ sha256, hotBytes }: ScopeShard): Result<Part> {
    const read = this.#ports.tables.copies.pagesOf(sha256);
    const name = `${this.#ports.tenant}//${sha256}`;
    const cached = this.#cache.get(name, read);
    if (cached !== null) return ok(cached);
    this.#opened += 1;
    const pages = new SharedPages(hotBytes, read);
    const opened = openPagedPart(pages, this.#ports, this.#cache.tablesOf(name));
    if (opened.ok) this.#cache.put(name, opened.value, pages);
    return opened;
  }

  /** Copies that leave the head meanwhile stay until `read` is over: its parts may still read them. */
  async whileReading<T>(read: () => Promise<T>): Promise<T> {
    this.#readers += 1;
    try {
      return await read();
    } finally {
      this.#readers -= 1;
      if (this.#readers === 0) this.#drop();
    }
  }

  /** Drops every copy but these, as soon as nobody reads. */
  keepOnly(sha256s: readonly string[]): void {
    this.#wanted = sha256s;
    if (this.#readers === 0) this.#drop();
  }

  #drop(): void {
    const wanted = this.#wanted;
    this.#wanted = null;
    if (wanted !== null) this.#ports.tables.transaction(() => this.#ports.tables.copies.keep(wanted));
  }
}
