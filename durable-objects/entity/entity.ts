/**
 * One entity: its log, its index and its reads over one state. Everything an EntityObject does is here; the object
 * itself only composes it from the platform.
 *
 * The state is found (or recovered) before the first call is served, and kept in memory beside SQLite: a write goes to
 * both in one synchronous step, so they never differ when another call runs.
 */
import { type Failure, fail, ok, type Result, unprocessable } from "../../core/errors.ts";
import type { Revision } from "../../core/index/part.ts";
import { revisionOf } from "../../core/index/revision.ts";
import { COPIES_USED_EXACT_MS } from "../../core/limits.ts";
import { TOMBSTONE_KIND, tombstoneLine } from "../../core/log/line.ts";
import { frameLines } from "../../core/log/segment.ts";
import { writeToken } from "../../core/log/token.ts";
import type { SlabResidency } from "../../core/retrieval/residency.ts";
import type {
  AppendCommand,
  AppendResult,
  EntityCounters,
  HeadOutcome,
  HeadProposal,
  IndexWork,
} from "../../core/rpc.ts";
import type { PartCache } from "../part_cache.ts";
import { EntityIndex } from "./entity_index.ts";
import { EntityLog } from "./entity_log.ts";
import { EntityParts } from "./entity_parts.ts";
import { EntityReader } from "./entity_reader.ts";
import { markErased, sweepErased } from "./erasure.ts";
import type { EntityPorts } from "./ports.ts";
import { listLog, loadTail, recover } from "./recovery.ts";
import { type EntityState, type LogCounts, newState, noHead } from "./state.ts";
import { Tail } from "./tail.ts";

/** The next look after a step that failed or has more to do. */
const RETRY_MS = 1_000;
/** What fails again and again is tried less and less often, but never given up. */
const RETRY_MS_MAX = 300_000;

interface Loaded {
  state: EntityState;
  tail: Tail;
}

export class Entity {
  readonly #ports: EntityPorts;
  readonly #revisionId: string;
  readonly #parts: EntityParts;
  readonly #log: EntityLog;
  readonly #index: EntityIndex;
  readonly reader: EntityReader;
  #loaded: Loaded | null = null;
  #loading: Promise<Result<null>> | null = null;
  /** When the alarm will ring, as far as this instance knows. */
  #alarmAtMs: number | null = null;
  #reported = "";
  #failures = 0;

  constructor(ports: EntityPorts, revision: Revision, cache: PartCache, residency: SlabResidency) {
    this.#ports = ports;
    this.#revisionId = revisionOf(revision, ports.digest);
    this.#parts = new EntityParts(ports, cache, revision);
    const shared = { ports, parts: this.#parts, state: () => this.#now().state, tail: () => this.#now().tail };
    this.#log = new EntityLog({
      ...shared,
      prepareLookups: async () => {
        const local = await this.ensureLocal();
        return local.ok ? ok(null) : local;
      },
      inShards: (id) => {
        const found = this.#parts.find(this.#now().state.head, id);
        if (!found.ok) throw new Error("a shard in SQLite does not open");
        return found.value;
      },
      shardDimensions: () => this.#parts.suppliedDimensions(this.#now().state.head),
      loadOf: (size) => this.#index.loadOf(size),
      write: (state) => this.#write(state),
      committed: () => this.#arm(this.#nextDueMs()),
    });
    this.#index = new EntityIndex({
      ...shared,
      revision,
      revisionId: this.#revisionId,
      write: (state) => this.#write(state),
    });
    const ensureLocal = () => this.ensureLocal();
    this.reader = new EntityReader({
      ...shared,
      ensureLocal,
      residency,
      revision: this.#revisionId,
      metric: revision.metric,
    });
  }

  // --- state ---

  /** Resolves when the state is in memory. Concurrent first calls share one recovery; a failed one is tried again. */
  async ready(forWrite = false): Promise<Result<null>> {
    if (this.#loading === null && this.#loaded !== null) return ok(null);
    this.#loading ??= this.#load(forWrite).finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #load(forWrite: boolean): Promise<Result<null>> {
    const known = this.#ports.tables.readState();
    const found = known === null ? await recover(this.#ports, this.#revisionId, forWrite) : ok(known);
    if (!found.ok) return found;
    const tail = Tail.load(this.#ports, found.value.head.covered);
    if (!tail.ok) return tail;
    this.#alarmAtMs = await this.#ports.alarm.get();
    this.#loaded = { state: found.value, tail: tail.value };
    this.#index.forgiveRestart();
    if (this.#left()) this.#arm(this.#nextDueMs());
    const { head } = found.value;
    if (head.covered === 0 || head.revision === this.#revisionId) return ok(null);
    // A deployment with another analyzer or embedder: the shards of the last one answer other questions.
    const rebuilt = await this.#tryRebuild();
    if (!rebuilt.ok) this.#loaded = null;
    return rebuilt;
  }

  async #tryRebuild(): Promise<Result<null>> {
    try {
      return await this.rebuild();
    } catch (cause) {
      this.#ports.logFault("rebuild_failed", cause);
      return fail({ reason: "unavailable", what: "The log could not be read.", retryAfterSeconds: 1 });
    }
  }

  /** Copies the head's shards that are not here. One that is damaged or gone is derived: it is built again from the log. */
  async ensureLocal(): Promise<Result<{ readonly fetched: number }>> {
    const { head, incarnation } = this.#now().state;
    if (head.shards.length > 0) this.#useCopies();
    const local = await this.#parts.ensureLocal(head, () => this.#now().state.incarnation === incarnation);
    if (local.ok || local.failure.reason !== "corrupt") return local;
    const rebuilt = await this.#tryRebuild();
    return rebuilt.ok ? ok({ fetched: 1 }) : local;
  }

  #useCopies(): void {
    const nowMs = this.#ports.clock.now();
    const { copiesUsedMs } = this.#now().state;
    if (copiesUsedMs !== null && nowMs - copiesUsedMs < COPIES_USED_EXACT_MS) return;
    this.#save({ copiesUsedMs: nowMs });
    this.#arm(nowMs + this.#ports.settings.ssdIdleMs);
  }

  /** Copies that nobody has used for long go; state and tail stay. The next that needs them brings them again. */
  #dropIdleCopies(): void {
    if (this.#now().state.copiesUsedMs === null && this.#ports.tables.hasCopies()) this.#useCopies();
    if (!this.#areCopiesIdle()) return;
    const wanted = () => (this.#areCopiesIdle() ? noHead(0, 0) : this.#now().state.head);
    this.#parts.dropCopies(wanted);
    this.#parts.forgetAllBut(wanted());
  }

  #areCopiesIdle(): boolean {
    return this.#ports.clock.now() >= this.#copiesIdleMs();
  }

  #copiesIdleMs(): number {
    return (this.#now().state.copiesUsedMs ?? this.#ports.clock.now()) + this.#ports.settings.ssdIdleMs;
  }

  #now(): Loaded {
    if (this.#loaded === null) throw new Error("the state is read only after ready()");
    return this.#loaded;
  }

  /** Inside a transaction: memory and SQLite change together. */
  #write(state: EntityState): void {
    this.#ports.tables.writeState(state);
    this.#now().state = state;
  }

  #save(change: Partial<EntityState>): void {
    this.#ports.tables.transaction(() => this.#write({ ...this.#now().state, ...change }));
  }

  // --- writes ---

  async append(command: AppendCommand): Promise<Result<AppendResult>> {
    const ready = await this.ready(true);
    if (!ready.ok) return ready;
    const { erasing, last } = this.#now().state;
    if (erasing !== null) return fail(beingErased());
    const appended = await this.#log.append(command);
    // A new entity is listed from its first acknowledged append on; later counts follow with the alarm.
    if (last === 0 && appended.ok) await this.#report();
    return appended;
  }

  /** A tombstone for a live event; the token of the one that stands already when it was withdrawn before. */
  async withdraw(id: string): Promise<Result<{ readonly token: string }>> {
    const ports = this.#ports;
    const live = await this.reader.event(id);
    if (live.ok && live.value.event.kind === TOMBSTONE_KIND) {
      return fail(unprocessable("id", "names a tombstone, which cannot be withdrawn"));
    }
    const { line, prepared } = tombstoneLine(id, ports.clock.now(), ports.digest);
    if (!live.ok) {
      const earlier = this.#earlierTombstone(prepared.id);
      if (live.failure.reason !== "not_found" || earlier === null) return live;
      const token = { incarnation: this.#now().state.incarnation, commit: earlier };
      return ok({ token: writeToken(ports.scope, token, ports.digest) });
    }
    const frames = frameLines([line], ports.compression);
    const appended = await this.append({
      scope: ports.scope,
      prepared: { frames, lines: [prepared] },
      idempotency: null,
    });
    return appended.ok ? ok({ token: appended.value.token }) : appended;
  }

  #earlierTombstone(id: string): number | null {
    const { state, tail } = this.#now();
    const waiting = tail.find(id);
    if (waiting !== null) return waiting.entry.facts.commit;
    const found = this.#parts.find(state.head, id);
    return found.ok && found.value !== null ? found.value.commit : null;
  }

  // --- index ---

  /** A nudge that finds nothing to do still tells the tenant so, which may have forgotten. */
  async nextWork(): Promise<IndexWork | null> {
    const work = this.#index.nextWork();
    if (work === null && !this.#pending()) {
      this.#reported = "";
      await this.#report();
    }
    return work;
  }

  async proposeHead(proposal: HeadProposal): Promise<Result<HeadOutcome>> {
    const outcome = await this.#index.propose(proposal);
    if (outcome.ok && outcome.value === "committed") {
      await this.#report();
      if (this.#left()) this.#arm(this.#nextDueMs());
    }
    return outcome;
  }

  /** True when less is asked for now. */
  workFailed(from: number, error: string, deferred: boolean): boolean {
    return this.#index.failed(from, error, deferred);
  }

  stands(incarnation: number, from: number): boolean {
    const { state } = this.#now();
    const stands = state.incarnation === incarnation && state.erasing === null;
    if (stands) this.#index.renew(from);
    return stands;
  }

  lastFailure(): string | null {
    return this.#now().state.attempted?.error ?? null;
  }

  unseal(): void {
    this.#index.unseal();
    this.#arm(this.#ports.clock.now());
  }

  compact(): void {
    if (this.#index.compact()) this.#arm(this.#ports.clock.now());
  }

  /**
   * Forgets everything derived and begins again from the segments in the store. The old head answers until the tail
   * holds the whole log; then the head is dropped and the index built anew.
   */
  async rebuild(): Promise<Result<null>> {
    const { state } = this.#now();
    if (state.last === 0) return ok(null);
    const wanted = () => this.#now().state.incarnation === state.incarnation;
    const log = await listLog(this.#ports, state.incarnation - 1);
    const covered = log.segments.filter(({ commit }) => commit <= state.head.covered);
    const loaded = await loadTail(this.#ports, covered, wanted);
    return loaded.ok ? this.#dropHead() : loaded;
  }

  #dropHead(): Result<null> {
    const tail = Tail.load(this.#ports, 0);
    if (!tail.ok) return tail;
    const { state } = this.#now();
    const complete = tail.value.entries.length === state.last;
    if (!complete)
      return fail({ reason: "unavailable", what: "The log changed while it was read.", retryAfterSeconds: 1 });
    this.#now().tail = tail.value;
    this.#ports.tables.transaction(() => {
      this.#write({
        ...state,
        // Another version, so that a proposal on the head that is dropped is stale.
        head: noHead(state.incarnation, state.head.version + 1),
        attempted: null,
        alone: null,
        unabsorbed: 0,
        compact: false,
        lastNudgeMs: 0,
        dirtySinceMs: state.dirtySinceMs ?? this.#ports.clock.now() - this.#ports.settings.indexAgeMs,
      });
    });
    this.#parts.dropCopies(() => this.#now().state.head);
    this.#arm(this.#ports.clock.now());
    return ok(null);
  }

  async counters(): Promise<Result<EntityCounters>> {
    const counts = await this.#counts();
    if (!counts.ok) return counts;
    const { state, tail } = this.#now();
    return ok({
      entity: this.#ports.scope.entity,
      ...counts.value,
      lastCommit: Math.max(state.last, state.intent?.commit ?? 0),
      indexedCommit: state.head.covered,
      unindexedEvents: tail.events,
      unindexedBytes: tail.rawBytes,
      full: tail.rawBytes >= this.#ports.settings.tailBytes,
      pending: this.#pending(),
      sealed: state.attempted?.sealed === true,
    });
  }

  /** Kept with every commit; after a recovery they are counted once, from the whole view. */
  async #counts(): Promise<Result<LogCounts>> {
    const { counts, last } = this.#now().state;
    if (counts !== null) return ok(counts);
    const counted = await this.reader.counts();
    if (!counted.ok) return counted;
    if (this.#now().state.last === last) this.#save({ counts: counted.value });
    return counted;
  }

  /** Index work is waiting, under way or to come. */
  #pending(): boolean {
    const { state, tail } = this.#now();
    if (state.attempted?.sealed === true) return false;
    return tail.entries.length > 0 || state.compact;
  }

  // --- erasure ---

  /**
   * The incarnation ends in one transaction: from here on nothing of it is read or written, and a put of it that is
   * under way is not acknowledged. It is marked in the store before this answers; the alarm sweeps.
   */
  async erase(): Promise<Result<null>> {
    const { entity } = this.#ports.scope;
    const registered = await this.#ports.registry.markDirty(entity, 0);
    if (!registered.ok) return registered;
    const { state } = this.#now();
    const isUnderWay = state.erasing !== null && !state.erasing.resumed;
    const incarnation = isUnderWay ? state.erasing.incarnation : state.incarnation;
    if (!isUnderWay) this.#endIncarnation(incarnation);
    await markErased(this.#ports, incarnation);
    return ok(null);
  }

  #endIncarnation(incarnation: number): void {
    this.#loaded = { state: this.#now().state, tail: new Tail() };
    this.#ports.tables.transaction(() => {
      this.#ports.tables.clear();
      this.#write({ ...newState(incarnation + 1), erasing: { incarnation, emptySinceMs: null, resumed: false } });
    });
    this.#arm(this.#ports.clock.now());
  }

  erased(): boolean {
    return this.#now().state.erasing === null;
  }

  async #sweepErased(): Promise<void> {
    const { erasing } = this.#now().state;
    if (erasing === null) return;
    const left = await sweepErased(this.#ports, erasing);
    if (left === null && this.#now().state.erasing === erasing) {
      const forgotten = await this.#ports.registry.forget(this.#ports.scope.entity);
      if (!forgotten.ok) return;
    }
    // Another erasure may have begun meanwhile: its sweep is another one, and marks anew.
    if (this.#now().state.erasing === erasing) this.#save({ erasing: left });
  }

  // --- alarm ---

  /** Never throws, and arms the next alarm while anything is left to do. */
  async wake(): Promise<void> {
    this.#alarmAtMs = null;
    let failed = false;
    try {
      const ready = await this.ready();
      if (ready.ok) await this.#work();
      else failed = true;
    } catch (cause) {
      this.#ports.logFault("alarm_failed", cause);
      failed = true;
    }
    this.#failures = failed ? this.#failures + 1 : 0;
    if (failed) this.#arm(this.#ports.clock.now() + Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** this.#failures));
    else if (this.#left()) this.#arm(this.#nextDueMs());
  }

  async #work(): Promise<void> {
    const { settings, clock, queue, tables, scope } = this.#ports;
    await this.#sweepErased();
    this.#dropIdleCopies();
    await this.#index.refreshHint();
    tables.transaction(() => tables.trimIdempotent(clock.now()));
    await this.#report();
    const { state } = this.#now();
    const wanted = this.#pending() && (this.#index.due() || (state.compact && this.#index.mergesAtMs() <= clock.now()));
    if (!wanted || clock.now() - state.lastNudgeMs < settings.nudgeRetryMs) return;
    await queue.send(scope);
    this.#save({ lastNudgeMs: clock.now() });
  }

  #left(): boolean {
    return this.#isBusy() || this.#ports.tables.hasCopies();
  }

  #isBusy(): boolean {
    return this.#pending() || this.#now().state.erasing !== null || this.#index.hintDue();
  }

  /** When there is something to do next: a build that comes due, a nudge to repeat, a sweep to go on with, copies to drop. */
  #nextDueMs(): number {
    const { settings, clock } = this.#ports;
    const nowMs = clock.now();
    const { state } = this.#now();
    if (!this.#isBusy()) return this.#copiesIdleMs();
    if (state.erasing !== null) return nowMs + Math.max(1, Math.ceil(settings.putDeadlineMs / 2));
    if (this.#index.hintDue()) return nowMs + RETRY_MS;
    const buildMs = this.#index.due() ? nowMs : (state.dirtySinceMs ?? nowMs) + settings.indexAgeMs;
    const mergeMs = state.compact ? this.#index.mergesAtMs() : buildMs;
    const dueMs = state.compact && state.dirtySinceMs === null ? mergeMs : Math.min(buildMs, mergeMs);
    return state.lastNudgeMs === 0 ? dueMs : Math.max(dueMs, state.lastNudgeMs + settings.nudgeRetryMs);
  }

  /** Sets the alarm unless it rings earlier anyway. */
  #arm(atMs: number): void {
    if (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs) return;
    this.#alarmAtMs = atMs;
    void this.#ports.alarm.set(atMs);
  }

  /** Pushes counters to the tenant when they changed. A lost report is sent again by the next alarm or sweep. */
  async #report(): Promise<void> {
    if (this.#now().state.erasing !== null) return;
    const counters = await this.counters();
    if (!counters.ok) return;
    const text = JSON.stringify(counters.value);
    if (text === this.#reported) return;
    const reported = await this.#ports.registry.report(counters.value);
    if (reported.ok) this.#reported = text;
  }
}

function beingErased(): Failure {
  return { reason: "unavailable", what: "The entity is being erased.", retryAfterSeconds: 2 };
}
