/**
 * Lays tiny segments end to end, so that a log of tiny commits is read in few requests (core/log/read_segments.ts). The
 * segments stay: a rollup spares requests and is never needed. Commits up to `rolled` are done with.
 *
 * Of the tail the bytes are at hand, so what waits to be indexed is rolled up before the indexer is told of it. Commits
 * that came one by one are rolled up once ROLLUP_COMMITS_MIN of them are indexed.
 */
import {
  ROLLUP_BYTES_MAX,
  ROLLUP_COMMITS_MAX,
  ROLLUP_COMMITS_MIN,
  ROLLUP_LINES_MAX,
  ROLLUP_SEGMENT_BYTES_MAX,
  ROLLUP_SPARES_MIN,
} from "../../core/limits.ts";
import { parseRollupKey, rollupKey, rollupsPrefix } from "../../core/log/keys.ts";
import { readSegments } from "../../core/log/read_segments.ts";
import { type RollupSlice, writeRollup } from "../../core/log/rollup.ts";
import type { SegmentFacts, ShardEntry } from "../../core/schema/stored.ts";
import type { EntityParts } from "./entity_parts.ts";
import type { EntityPorts } from "./ports.ts";
import type { EntityState } from "./state.ts";

interface RollupsHost {
  readonly ports: EntityPorts;
  readonly parts: EntityParts;
  state(): EntityState;
  /** Writes state inside the caller's transaction. */
  write(state: EntityState): void;
}

/** A commit that a rollup may take; `slice` is null when it is too large, or not whole. */
interface Candidate {
  readonly commit: number;
  readonly slice: RollupSlice | null;
}

export class EntityRollups {
  readonly #host: RollupsHost;

  constructor(host: RollupsHost) {
    this.#host = host;
  }

  /** Commits that came one by one wait to be rolled up, and their shards are here to name them. */
  dueIndexed(): boolean {
    const { erasing, redaction, head, rolled } = this.#host.state();
    if (erasing !== null || redaction !== null || head.covered - rolled < ROLLUP_COMMITS_MIN) return false;
    return this.#unrolledShards().every(({ sha256 }) => this.#host.ports.tables.copies.has(sha256));
  }

  /** Many commits wait to be indexed, and but for a few those before them are rolled up. */
  dueInTail(): boolean {
    const { erasing, redaction, head, last, rolled } = this.#host.state();
    if (erasing !== null || redaction !== null || last - Math.max(head.covered, rolled) < ROLLUP_COMMITS_MIN)
      return false;
    return head.covered - rolled < ROLLUP_COMMITS_MIN;
  }

  /** One rollup, of as many commits as fit. Rejects when the store does. */
  async run(): Promise<void> {
    const { ports } = this.#host;
    const { incarnation } = this.#host.state();
    if (this.#host.state().rolled === 0) await this.#lookUp(incarnation);
    const slices: RollupSlice[] = [];
    let bytes = 0;
    let through = 0;
    for await (const { commit, slice } of this.#candidates()) {
      bytes += slice?.bytes ?? 0;
      if (bytes > ROLLUP_BYTES_MAX) break;
      through = commit;
      if (slice !== null) slices.push(slice);
    }
    const [first, last] = [slices[0]?.facts.commit, slices.at(-1)?.facts.commit];
    if (first !== undefined && last !== undefined && slices.length >= ROLLUP_SPARES_MIN && this.#stands(incarnation)) {
      const key = rollupKey(ports.scope.entity, incarnation, first, last);
      await ports.store.put(key, writeRollup(slices, ports.compression));
    }
    if (through > 0) this.#advance(incarnation, through);
  }

  /** What is rolled up already, after the state was lost. */
  async #lookUp(incarnation: number): Promise<void> {
    const { store, scope } = this.#host.ports;
    let through = 0;
    let cursor: string | null = null;
    do {
      const page = await store.list(rollupsPrefix(scope.entity), cursor);
      for (const { key } of page.objects) {
        const name = parseRollupKey(key);
        if (name?.incarnation === incarnation) through = Math.max(through, name.to);
      }
      cursor = page.cursor;
    } while (cursor !== null);
    this.#advance(incarnation, through);
  }

  /** Commits after `rolled` in order: of shards from the store, of the tail from SQLite, until one is not there. */
  async *#candidates(): AsyncGenerator<Candidate> {
    const { ports } = this.#host;
    const indexed = this.#indexed();
    const small = indexed.filter(({ lines }) => lines <= ROLLUP_LINES_MAX);
    const reading = readSegments(ports, small);
    for (const { commit, lines } of indexed) {
      const read = lines <= ROLLUP_LINES_MAX ? (await reading.next()).value : undefined;
      const found = read?.ok === true ? read.value : null;
      yield { commit, slice: found && sliceOf(found.wanted.segment, found.bytes, found.facts) };
    }
    const after = indexed.at(-1)?.commit ?? this.#host.state().rolled;
    let room = ROLLUP_COMMITS_MAX - indexed.length;
    for (const { facts, bytes } of ports.tables.tail.after(after)) {
      if (room === 0) return;
      room -= 1;
      yield { commit: facts.commit, slice: sliceOf(facts.segment, bytes, facts) };
    }
  }

  #indexed(): readonly { readonly commit: number; readonly segment: string; readonly lines: number }[] {
    const { head, rolled } = this.#host.state();
    const parts = this.#host.parts.shards({ ...head, shards: this.#unrolledShards() });
    if (!parts.ok) throw new Error("a shard in SQLite does not open");
    const commits = parts.value.flatMap((part) =>
      part.commits.map(({ commit, segment, firstRow }, index) => {
        return { commit, segment, lines: (part.commits[index + 1]?.firstRow ?? part.rows) - firstRow };
      }),
    );
    return commits.filter(({ commit }) => commit > rolled).slice(0, ROLLUP_COMMITS_MAX);
  }

  /** Shards of the next commits that no rollup has. */
  #unrolledShards(): readonly ShardEntry[] {
    const { head, rolled } = this.#host.state();
    return head.shards.filter(({ from, to }) => to > rolled && from <= rolled + ROLLUP_COMMITS_MAX);
  }

  #stands(incarnation: number): boolean {
    const state = this.#host.state();
    return state.incarnation === incarnation && state.erasing === null && state.redaction === null;
  }

  #advance(incarnation: number, rolled: number): void {
    if (!this.#stands(incarnation)) return;
    const state = this.#host.state();
    this.#host.ports.tables.transaction(() => this.#host.write({ ...state, rolled: Math.max(state.rolled, rolled) }));
  }
}

function sliceOf(segment: string, content: Uint8Array, facts: SegmentFacts | null): RollupSlice | null {
  if (facts === null || content.length > ROLLUP_SEGMENT_BYTES_MAX) return null;
  const { commit, sha256, arrivalMs, lines, rawBytes, vectors, dimensions, vectorBytes } = facts;
  const kept = { commit, sha256, arrivalMs, lines, rawBytes, vectors, dimensions, vectorBytes };
  return { segment, bytes: content.length, facts: kept, content };
}
