/**
 * Shards of the head that are damaged or gone. They are derived, so nothing is lost but work: until they are built again,
 * their commits are answered from parts built of their segments. The other shards are not touched by it.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import type { CommitLines, Part } from "../../core/index/part.ts";
import {
  LOST_RAW_BYTES_MAX,
  REBUILDING_RETRY_SECONDS,
  STORE_CONCURRENCY_MAX,
  TAIL_PART_RAW_BYTES_MAX,
} from "../../core/limits.ts";
import { shardKey } from "../../core/log/keys.ts";
import type { Head, ShardEntry } from "../../core/schema/stored.ts";
import type { EntityParts } from "./entity_parts.ts";
import { lastDayOf } from "./entity_rebuilding.ts";
import type { EntityPorts } from "./ports.ts";
import { type ReadSegment, readSegmentOf, type SegmentRef, segmentsOf } from "./segment_listing.ts";
import { type EntityState, type LostShard, wholeHead } from "./state.ts";

export interface LostShardsHost {
  readonly ports: EntityPorts;
  readonly parts: EntityParts;
  state(): EntityState;
  write(state: EntityState): void;
}

export class LostShards {
  readonly #host: LostShardsHost;
  #reading: Promise<Result<null>> | null = null;

  constructor(host: LostShardsHost) {
    this.#host = host;
  }

  /** The head without what was lost. */
  whole(): Head {
    return wholeHead(this.#host.state());
  }

  /** Looks at the shards that are not here one by one, and notes those that are not what their names say. */
  async note(): Promise<Result<{ readonly noted: number }>> {
    let noted = 0;
    const { incarnation } = this.#host.state();
    const wanted = () => this.#host.state().incarnation === incarnation;
    for (const shard of this.whole().shards) {
      const { head } = this.#host.state();
      if (this.#host.ports.tables.copies.has(shard.sha256)) continue;
      const brought = await this.#host.parts.ensureLocal({ ...head, shards: [shard] }, wanted);
      if (brought.ok) continue;
      if (brought.failure.reason !== "corrupt") return brought;
      this.add([shard]);
      noted += 1;
    }
    return ok({ noted });
  }

  /** They are answered from their segments from now on, and built again. */
  add(shards: readonly ShardEntry[]): void {
    const { ports } = this.#host;
    const state = this.#host.state();
    const known = new Set(state.lost.map(({ sha256 }) => sha256));
    const fresh = shards.filter(
      ({ sha256 }) => !known.has(sha256) && state.head.shards.some((shard) => shard.sha256 === sha256),
    );
    if (fresh.length === 0) return;
    const lost = [...state.lost, ...fresh.map(({ from, to, sha256 }) => ({ from, to, sha256 }))];
    const next = { ...state, lost: lost.sort((a, b) => a.from - b.from), lastNudgeMs: 0 };
    ports.tables.transaction(() => this.#host.write(next));
    // What there is of their copies is of no use.
    this.#host.parts.dropCopies(() => this.whole());
  }

  /**
   * What stands in for a shard has no vectors that a remote embedder made: it is enough to know ids by, and not to be
   * searched.
   */
  searchable(): Result<null> {
    const [first] = this.#host.state().lost;
    return first !== undefined && this.#host.ports.embedder?.kind === "remote" ? fail(this.#mustWait(first)) : ok(null);
  }

  /** Brings what stands in for every shard that was lost. Concurrent callers share one read. */
  async standIn(): Promise<Result<null>> {
    while (this.#missing().length > 0) {
      this.#reading ??= this.#readAll().finally(() => {
        this.#reading = null;
      });
      const read = await this.#reading;
      if (!read.ok) return read;
    }
    return ok(null);
  }

  #missing(): readonly LostShard[] {
    return this.#host.state().lost.filter(({ sha256 }) => !this.#host.parts.standIns.has(sha256));
  }

  async #readAll(): Promise<Result<null>> {
    for (const lost of this.#missing()) {
      const { incarnation, head } = this.#host.state();
      const parts = await this.#partsOf(lost, LOST_RAW_BYTES_MAX - this.#heldBytes());
      if (!parts.ok) return parts;
      const now = this.#host.state();
      // Under another head the segments may have been redacted while they were read: they are read again.
      const stands = now.incarnation === incarnation && now.head.version === head.version;
      const wanted = stands && now.lost.some(({ sha256 }) => sha256 === lost.sha256);
      if (wanted) this.#host.parts.standIns.set(lost.sha256, parts.value);
    }
    return ok(null);
  }

  /** Raw bytes, about: a part is smaller than the lines it was built of, but for small ones. */
  #heldBytes(): number {
    let bytes = 0;
    for (const parts of this.#host.parts.standIns.values()) for (const part of parts) bytes += part.heldBytes;
    return bytes;
  }

  async #partsOf(lost: LostShard, room: number): Promise<Result<readonly Part[]>> {
    const { parts } = this.#host;
    const { incarnation } = this.#host.state();
    const built: Part[] = [];
    let commits: CommitLines[] = [];
    let bytes = 0;
    const build = (): Result<null> => {
      const part = parts.build(commits, incarnation);
      if (!part.ok) return part;
      built.push(part.value);
      commits = [];
      bytes = 0;
      return ok(null);
    };
    let left = room;
    for await (const segment of this.#segmentsOf(lost)) {
      if (!segment.ok) return segment;
      const { facts, lines } = segment.value;
      left -= facts.rawBytes;
      if (left < 0) return fail(this.#mustWait(lost));
      if (commits.length > 0 && bytes + facts.rawBytes > TAIL_PART_RAW_BYTES_MAX) {
        const part = build();
        if (!part.ok) return part;
      }
      commits.push({ commit: facts.commit, segment: facts.segment, arrivalMs: facts.arrivalMs, lines });
      bytes += facts.rawBytes;
    }
    const part = build();
    return part.ok ? ok(built) : part;
  }

  /** Every commit of the range in order, a wave at a time; the first that is damaged or missing ends it. */
  async *#segmentsOf({ from, to }: LostShard): AsyncGenerator<Result<ReadSegment>> {
    const { ports } = this.#host;
    const { incarnation, lastDayMs } = this.#host.state();
    let next = from;
    let wave: SegmentRef[] = [];
    const read = () => Promise.all(wave.map((segment) => readSegmentOf(ports, segment)));
    for await (const segment of segmentsOf(ports, { incarnation, firstDayMs: this.#dayBefore(from), lastDayMs })) {
      if (segment.commit < from) continue;
      if (segment.commit !== next || next > to) break;
      next += 1;
      wave.push(segment);
      if (wave.length < STORE_CONCURRENCY_MAX) continue;
      yield* await read();
      wave = [];
    }
    yield* await read();
    if (next <= to) yield fail({ reason: "corrupt", what: `the log: the segment of commit ${next} is missing` });
  }

  /** The day of the last commit before `from`, from the shard that ends there, if it is here. */
  #dayBefore(from: number): number | null {
    const before = this.whole().shards.find(({ to }) => to === from - 1);
    return before === undefined ? null : this.lastDayOf(before);
  }

  lastDayOf(shard: ShardEntry): number | null {
    if (!this.#host.ports.tables.copies.has(shard.sha256)) return null;
    const opened = this.#host.parts.shards({ ...this.#host.state().head, shards: [shard] });
    const part = opened.ok ? opened.value[0] : undefined;
    return part === undefined ? null : lastDayOf(part);
  }

  #mustWait({ sha256 }: LostShard) {
    const key = shardKey(this.#host.ports.scope.entity, sha256);
    const what = `The shard ${key} is damaged or gone, and is being built again.`;
    return { reason: "unavailable", what, retryAfterSeconds: REBUILDING_RETRY_SECONDS } as const;
  }
}
