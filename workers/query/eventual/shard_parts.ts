/**
 * Shards as the front door reads them: opened ones from this isolate's memory, else whole from the data centre's cache,
 * else from the store, which fills that cache. What comes is verified wherever it came from. Everything is named by the
 * full key of the shard, tenant and entity included.
 *
 * No load is shared: a promise must not cross requests here. Instead what is being loaded is counted, and bounded.
 */
import { type Failure, fail, ok, type Result } from "../../../core/errors.ts";
import { BoundedCache } from "../../../core/index/bounded_cache.ts";
import { type OpenTools, openPart } from "../../../core/index/open_part.ts";
import type { Part } from "../../../core/index/part.ts";
import {
  EVENTUAL_PARTS_BYTES_MAX,
  EVENTUAL_SCOPE_BYTES_MAX,
  STORE_CONCURRENCY_MAX,
  UNAVAILABLE_RETRY_SECONDS,
} from "../../../core/limits.ts";
import { shardKey } from "../../../core/log/keys.ts";
import { hex } from "../../../core/log/text_encoding.ts";
import type { BlockCache, ObjectStore } from "../../../core/ports.ts";
import type { CacheTier, EntityScope } from "../../../core/rpc.ts";
import type { ShardEntry } from "../../../core/schema/stored.ts";

export interface ShardPorts extends OpenTools {
  readonly store: ObjectStore;
  readonly blocks: BlockCache;
}

interface ReadPart {
  readonly part: Part;
  readonly tier: CacheTier;
}

export interface ReadShards {
  readonly parts: readonly Part[];
  /** The farthest that one came from; the data centre's cache counts as `ssd`. */
  readonly tier: CacheTier;
}

const TIERS: readonly CacheTier[] = ["memory", "ssd", "cold"];

export class ShardParts {
  readonly #ports: ShardPorts;
  readonly #opened = new BoundedCache<Part>(EVENTUAL_PARTS_BYTES_MAX);
  #loadingBytes = 0;

  constructor(ports: ShardPorts) {
    this.#ports = ports;
  }

  /** In order. Refuses what would not fit in memory, and a shard that is damaged or missing. A store fault rejects. */
  async read(scope: EntityScope, shards: readonly ShardEntry[]): Promise<Result<ReadShards>> {
    const bytes = shards.reduce((sum, shard) => sum + shard.bytes, 0);
    if (bytes + this.#loadingBytes > EVENTUAL_SCOPE_BYTES_MAX) return fail(tooMuch());
    this.#loadingBytes += bytes;
    try {
      return await this.#readAll(scope, shards);
    } finally {
      this.#loadingBytes -= bytes;
    }
  }

  async #readAll(scope: EntityScope, shards: readonly ShardEntry[]): Promise<Result<ReadShards>> {
    const parts: Part[] = [];
    let farthest = 0;
    for (let start = 0; start < shards.length; start += STORE_CONCURRENCY_MAX) {
      const wave = shards.slice(start, start + STORE_CONCURRENCY_MAX);
      for (const read of await Promise.all(wave.map((shard) => this.#readOne(scope, shard)))) {
        if (!read.ok) return read;
        parts.push(read.value.part);
        farthest = Math.max(farthest, TIERS.indexOf(read.value.tier));
      }
    }
    return ok({ parts, tier: TIERS[farthest] ?? "cold" });
  }

  async #readOne({ tenant, entity }: EntityScope, { sha256 }: ShardEntry): Promise<Result<ReadPart>> {
    const store = this.#ports.store.forTenant(tenant);
    const key = shardKey(entity, sha256);
    const name = store.fullKey(key);
    const opened = this.#opened.get(name);
    if (opened !== null) return ok({ part: opened, tier: "memory" });
    const near = await this.#ports.blocks.get(name);
    const kept = near === null ? null : this.#open(name, sha256, near);
    if (kept?.ok === true) return ok({ part: kept.value, tier: "ssd" });
    const stored = await store.get(key);
    if (stored === null) return fail({ reason: "corrupt", what: `${name}: it is missing` });
    const part = this.#open(name, sha256, stored.bytes);
    if (!part.ok) return part;
    await this.#ports.blocks.put(name, stored.bytes);
    return ok({ part: part.value, tier: "cold" });
  }

  #open(name: string, sha256: string, bytes: Uint8Array): Result<Part> {
    const { digest } = this.#ports;
    if (hex(digest.sha256(bytes)) !== sha256)
      return fail({ reason: "corrupt", what: `${name}: its digest is not its name` });
    const part = openPart(bytes, this.#ports);
    if (part.ok) this.#opened.put(name, part.value);
    return part;
  }
}

function tooMuch(): Failure {
  const what = "The entity is too large to be read without its object.";
  return { reason: "unavailable", what, retryAfterSeconds: UNAVAILABLE_RETRY_SECONDS };
}
