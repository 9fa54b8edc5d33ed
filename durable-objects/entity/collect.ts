/**
 * Deletes from the store what no head names any more: replaced shards and heads, shards that were never adopted, states
 * of graphs whose work ended otherwise, and rollups that another one has in it. The object does it alone, since it alone commits heads.
 *
 *   idle ── COLLECT_HEADS_MIN heads or COLLECT_AGE_MS after work was handed out ──▶ marking: list what the head does not name
 *   marking ──▶ waiting, for BUILD_DEADLINE_MS ──▶ verify against every head that is kept; condemn the rest
 *   condemned ──▶ deleting ──▶ idle
 *
 * Invariants
 *   - An object is deleted only when it was marked BUILD_DEADLINE_MS before and no head came to name it since: whoever
 *     builds, proposes or reads by a head that was replaced has ended by then.
 *   - Kept are the adopted head, heads after it, which a recovery may find, and heads that were not marked yet. What
 *     they name is kept.
 *   - Nothing is condemned while index work is under way or `head.json` names an older head.
 *   - No head comes to name what is condemned: its proposal waits until every delete has landed, also one by an instance
 *     that has ended since. What a proposal is about to name is taken off the list first.
 *   - Each phase is in SQLite before it changes the store, so a crash resumes it.
 */
import type { Failure } from "../../core/errors.ts";
import { COLLECT_HEADS_MIN, COLLECT_OBJECTS_MAX, STORE_CONCURRENCY_MAX, STORE_LIST_MAX } from "../../core/limits.ts";
import {
  headKey,
  headsPrefix,
  indexesPrefix,
  parseHeadKey,
  parseRollupKey,
  rollupsPrefix,
  shardKey,
} from "../../core/log/keys.ts";
import { type Head, headSchema, readStored } from "../../core/schema/stored.ts";
import type { EntityPorts } from "./ports.ts";
import type { Collection, EntityState } from "./state.ts";

interface CollectHost {
  readonly ports: EntityPorts;
  state(): EntityState;
  /** Writes state inside the caller's transaction. */
  write(state: EntityState): void;
}

/** Of a proposal of what is condemned. */
export const BEING_DELETED: Failure = {
  reason: "unavailable",
  what: "An older copy of the shard is being deleted.",
  retryAfterSeconds: 1,
};

/** Something that no head will name may lie in the store from now on. */
export function littered(collection: Collection, nowMs: number): Collection {
  return { ...collection, litteredMs: collection.litteredMs ?? nowMs };
}

export class EntityCollector {
  readonly #host: CollectHost;
  #running = false;

  constructor(host: CollectHost) {
    this.#host = host;
  }

  /** When there is something to do next; null: there is nothing left behind. */
  dueMs(): number | null {
    const { clock, settings } = this.#host.ports;
    const { erasing, collection, rebuilding } = this.#host.state();
    if (erasing !== null) return null;
    const { phase, sinceMs, litteredMs } = collection;
    if (phase === "marking" || phase === "deleting") return sinceMs;
    if (phase === "waiting") {
      // Whoever asks for a sealed rebuild again rings for it.
      if (rebuilding?.attempted?.sealed === true) return null;
      const dueMs = sinceMs + settings.buildDeadlineMs;
      return this.#isFree() ? dueMs : Math.max(dueMs, clock.now() + settings.nudgeRetryMs);
    }
    if (litteredMs === null) return null;
    return Math.max(litteredMs + this.#litterAgeMs(), this.#fencedUntilMs());
  }

  /** A pass costs the same for a little as for much, and more than what a little costs that lies there meanwhile. */
  #litterAgeMs(): number {
    const { settings } = this.#host.ports;
    const { head, collection } = this.#host.state();
    const isMuch = head.version - collection.markedVersion >= COLLECT_HEADS_MIN;
    return isMuch ? settings.buildDeadlineMs : Math.max(settings.buildDeadlineMs, settings.collectAgeMs);
  }

  /** The step that is due, and those that follow at once. Rejects when the store does; it is tried again then. */
  async run(): Promise<void> {
    const dueMs = this.dueMs();
    if (this.#running || dueMs === null || dueMs > this.#host.ports.clock.now()) return;
    this.#running = true;
    try {
      const { phase } = this.#host.state().collection;
      if (phase === "idle" || phase === "marking") await this.#mark();
      if (phase === "waiting") await this.#condemn();
      if (this.#host.state().collection.phase === "deleting") await this.#delete();
    } finally {
      this.#running = false;
    }
  }

  /** What a proposal is about to name. False: it may be deleted at any moment, and has to wait. */
  spare(key: string): boolean {
    const { ports } = this.#host;
    const fate = ports.tables.garbage.fateOf(key);
    if (fate === null) return true;
    const isOver = fate === "deleted" && ports.clock.now() >= this.#fencedUntilMs();
    if (fate !== "marked" && !isOver) return false;
    ports.tables.transaction(() => ports.tables.garbage.forget([key]));
    return true;
  }

  /** Takes what `head` names off the list, inside the transaction that adopts it. */
  spareHead(head: Head): void {
    if (this.#host.state().collection.phase !== "idle") this.#host.ports.tables.garbage.spare(this.#named(head));
  }

  /** Until then a delete may land that was sent. */
  #fencedUntilMs(): number {
    const { phase, sinceMs } = this.#host.state().collection;
    if (phase === "deleting") return Number.POSITIVE_INFINITY;
    return phase === "idle" ? sinceMs + this.#host.ports.settings.putDeadlineMs : 0;
  }

  /** Nobody builds, and whoever looks for the head finds the adopted one. */
  #isFree(): boolean {
    const { attempted, head, hint, rebuilding, redaction, lost } = this.#host.state();
    if (rebuilding !== null || redaction !== null || lost.length > 0) return false;
    return (attempted === null || attempted.sealed) && (head.covered === 0 || hint.version === head.version);
  }

  /** Begins anew when it was interrupted. */
  async #mark(): Promise<void> {
    const { tables, scope, clock, settings } = this.#host.ports;
    tables.transaction(() => {
      tables.garbage.forget();
      this.#enter("marking", { litteredMs: null, markedVersion: this.#host.state().head.version });
    });
    const { incarnation } = this.#host.state();
    let room = COLLECT_OBJECTS_MAX;
    for (const prefix of [headsPrefix(scope.entity), indexesPrefix(scope.entity)]) {
      for await (const keys of this.#pages(prefix)) {
        if (!this.#stands(incarnation, "marking")) return;
        const marked = this.#unnamed(keys).slice(0, room);
        tables.transaction(() => tables.garbage.mark(marked));
        room -= marked.length;
        if (room === 0) break;
      }
    }
    if (room > 0) room -= await this.#markRollups(incarnation, room);
    if (!this.#stands(incarnation, "marking")) return;
    const left = room === 0 ? { litteredMs: clock.now() - settings.collectAgeMs } : {};
    const phase = room === COLLECT_OBJECTS_MAX ? "idle" : "waiting";
    tables.transaction(() => this.#enter(phase, left));
  }

  /** Of rollups those that another one has in it: whoever began it ended before it was noted. */
  async #markRollups(incarnation: number, room: number): Promise<number> {
    const { tables, scope } = this.#host.ports;
    if (this.#host.state().rolled === 0) return 0;
    const marked: string[] = [];
    let open: { readonly key: string; readonly from: number; readonly to: number } | null = null;
    for await (const keys of this.#pages(rollupsPrefix(scope.entity))) {
      for (const key of keys) {
        const name = parseRollupKey(key);
        if (name === null) continue;
        if (open !== null && name.to <= open.to) marked.push(key);
        else {
          if (open?.from === name.from) marked.push(open.key);
          open = { ...name, key };
        }
      }
    }
    if (!this.#stands(incarnation, "marking")) return 0;
    const taken = marked.slice(0, room);
    tables.transaction(() => tables.garbage.mark(taken));
    return taken.length;
  }

  /** Of listed keys those that the head does not name. */
  #unnamed(keys: readonly string[]): readonly string[] {
    const { head } = this.#host.state();
    const named = new Set(this.#named(head));
    return keys.filter((key) => {
      const version = parseHeadKey(key);
      // Without a head the newest one that was put may be all that a recovery finds.
      return version === null ? !named.has(key) : head.covered > 0 && version < head.version;
    });
  }

  async #condemn(): Promise<void> {
    const { tables } = this.#host.ports;
    const { incarnation } = this.#host.state();
    await this.#spareKept(incarnation);
    if (!this.#stands(incarnation, "waiting") || !this.#isFree()) return;
    tables.transaction(() => {
      tables.garbage.spare(this.#named(this.#host.state().head));
      tables.garbage.condemn();
      this.#enter("deleting");
    });
  }

  /** Takes off the list what heads in the store name that are not on it themselves. */
  async #spareKept(incarnation: number): Promise<void> {
    const { tables, scope } = this.#host.ports;
    for await (const keys of this.#pages(headsPrefix(scope.entity))) {
      const kept = keys.filter((key) => tables.garbage.fateOf(key) === null);
      for (let start = 0; start < kept.length; start += STORE_CONCURRENCY_MAX) {
        const wave = kept.slice(start, start + STORE_CONCURRENCY_MAX);
        for (const head of await Promise.all(wave.map((key) => this.#readHead(key)))) {
          if (!this.#stands(incarnation, "waiting")) return;
          if (head !== null) tables.transaction(() => tables.garbage.spare(this.#named(head)));
        }
      }
    }
  }

  /** null: nobody can follow it. */
  async #readHead(key: string): Promise<Head | null> {
    const stored = await this.#host.ports.store.get(key);
    const head = stored === null ? null : readStored(headSchema, stored.bytes, key);
    return head?.ok === true ? head.value : null;
  }

  async #delete(): Promise<void> {
    const { tables, store, timer, settings } = this.#host.ports;
    const { incarnation } = this.#host.state();
    for (;;) {
      const keys = tables.garbage.condemned(STORE_LIST_MAX);
      if (keys.length === 0) break;
      const answer = await timer.within(settings.putDeadlineMs, store.delete(keys));
      if (answer === "timeout") throw new Error("the store did not confirm a delete");
      if (!this.#stands(incarnation, "deleting")) return;
      tables.transaction(() => {
        tables.garbage.deleted(keys);
        this.#enter("deleting", { collected: this.#host.state().collection.collected + keys.length });
      });
    }
    tables.transaction(() => this.#enter("idle"));
  }

  async *#pages(prefix: string): AsyncGenerator<readonly string[]> {
    let cursor: string | null = null;
    do {
      const page = await this.#host.ports.store.list(prefix, cursor);
      yield page.objects.map(({ key }) => key);
      cursor = page.cursor;
    } while (cursor !== null);
  }

  #named(head: Head): readonly string[] {
    const { entity } = this.#host.ports.scope;
    if (head.covered === 0) return [];
    return [headKey(entity, head.version), ...head.shards.map(({ sha256 }) => shardKey(entity, sha256))];
  }

  /** Nothing has ended this pass during an await. */
  #stands(incarnation: number, phase: Collection["phase"]): boolean {
    const state = this.#host.state();
    return state.incarnation === incarnation && state.erasing === null && state.collection.phase === phase;
  }

  /** Inside a transaction. */
  #enter(phase: Collection["phase"], change: Partial<Collection> = {}): void {
    const state = this.#host.state();
    const sinceMs = this.#host.ports.clock.now();
    this.#host.write({ ...state, collection: { ...state.collection, ...change, phase, sinceMs } });
  }
}
