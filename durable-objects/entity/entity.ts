/**
 * One entity: its log, its index and its reads over one state. Everything an EntityObject does is here; the object
 * itself only composes it from the platform.
 *
 * The state is found (or recovered) before the first call is served, and kept in memory beside SQLite: a write goes to
 * both in one synchronous step, so they never differ when another call runs, but for two notes of time (`#remember`).
 */
import { type Failure, fail, ok, type Result, unprocessable } from "../../core/errors.ts";
import type { Revision } from "../../core/index/part.ts";
import { revisionOf } from "../../core/index/revision.ts";
import { COPIES_USED_EXACT_MS, REBUILDING_RETRY_SECONDS, WRITE_AFTER_READ_MS } from "../../core/limits.ts";
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
  PlannedOn,
  RedactResult,
  WorkPurpose,
} from "../../core/rpc.ts";
import type { PartCache } from "../part_cache.ts";
import { NO_ATTEMPTS } from "./attempts.ts";
import { EntityCollector, littered } from "./collect.ts";
import { passedMs } from "./elapsed.ts";
import { EntityIndex } from "./entity_index.ts";
import { EntityLog } from "./entity_log.ts";
import { EntityParts } from "./entity_parts.ts";
import { EntityReader } from "./entity_reader.ts";
import { EntityRebuilding } from "./entity_rebuilding.ts";
import { EntityRedaction } from "./entity_redaction.ts";
import { markErased, sweepErased } from "./erasure.ts";
import { LostShards } from "./lost_shards.ts";
import type { EntityPorts } from "./ports.ts";
import { loadTail, recover } from "./recovery.ts";
import { EntityRollups } from "./rollups.ts";
import { type EntityState, isReadable, type LogCounts, newState, noHead, tailAfter, wholeHead } from "./state.ts";
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
  readonly #rebuilding: EntityRebuilding;
  readonly #lost: LostShards;
  readonly #redaction: EntityRedaction;
  readonly #collector: EntityCollector;
  readonly #rollups: EntityRollups;
  readonly reader: EntityReader;
  #loaded: Loaded | null = null;
  #loading: Promise<Result<null>> | null = null;
  /** When the alarm will ring, as far as this instance knows. */
  #alarmAtMs: number | null = null;
  #reported = "";
  #failures = 0;
  #waking: Promise<void> | null = null;
  #writesAfterRead = false;

  constructor(ports: EntityPorts, revision: Revision, cache: PartCache, residency: SlabResidency) {
    this.#ports = ports;
    this.#revisionId = revisionOf(revision, ports.digest);
    this.#parts = new EntityParts(ports, cache, revision);
    const shared = { ports, parts: this.#parts, state: () => this.#now().state, tail: () => this.#now().tail };
    this.#log = new EntityLog({
      ...shared,
      prepareLookups: async () => {
        const local = await this.#ensureShards("append");
        return local.ok ? ok(null) : local;
      },
      canLookUp: () => this.#parts.hasAll(this.#now().state.head),
      inShards: (id) => {
        const found = this.#parts.find(this.#now().state.head, id);
        if (!found.ok) throw new Error("a shard in SQLite does not open");
        return found.value;
      },
      shardDimensions: () => this.#parts.suppliedDimensions(this.#now().state.head),
      loadOf: (size) => this.#index.loadOf(size),
      write: (state) => this.#write(state),
      committed: () => this.#armNext(),
    });
    const write = (state: EntityState) => this.#write(state);
    this.#lost = new LostShards({ ...shared, write });
    this.#collector = new EntityCollector({ ...shared, write });
    this.#rollups = new EntityRollups({ ...shared, write });
    const indexing = { ...shared, collector: this.#collector, revision, revisionId: this.#revisionId, write };
    this.#index = new EntityIndex(indexing);
    this.#rebuilding = new EntityRebuilding({
      ...indexing,
      loadOf: (size) => this.#index.loadOf(size),
      adopt: (head, change) => this.#index.adopt(head, change),
      lastDayOf: (shard) => this.#lost.lastDayOf(shard),
    });
    this.#redaction = new EntityRedaction({
      ...shared,
      write,
      replaceTail: (tail) => {
        this.#now().tail = tail;
      },
      everyPart: () => this.reader.everyPart(),
      appendRecord: (command) => this.#log.append(command, Number.POSITIVE_INFINITY),
      beginRebuildingAnew: () => this.#rebuilding.beginAnew(),
      announce: () => this.#announce(),
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
    const tail = Tail.load(this.#ports, tailAfter(found.value));
    if (!tail.ok) return tail;
    this.#alarmAtMs = await this.#ports.alarm.get();
    this.#loaded = { state: found.value, tail: tail.value };
    this.#index.forgiveRestart();
    // What was replaced before the state was lost is known to nobody.
    if (known === null && found.value.last > 0)
      this.#save({ collection: littered(found.value.collection, this.#ports.clock.now()) });
    this.#armAgain();
    const renewed = await this.#renewIndex();
    const announced = renewed.ok && known === null && this.#pending() ? await this.#announce() : renewed;
    if (!announced.ok) this.#loaded = null;
    return announced.ok ? ok(null) : announced;
  }

  /**
   * What begins without an append has to be in the tenant's dirty set too, where a sweep finds it if the alarm is lost.
   * The next report says whether it is done.
   */
  #announce(): Promise<Result<unknown>> {
    this.#reported = "";
    return this.#ports.registry.markDirty(this.#ports.scope.entity, 0);
  }

  /**
   * Head and tail may not answer the questions of this revision: another analyzer or embedder was deployed, or the log
   * was found without its index. A log that fits in the tail is answered from there; of a larger one every shard is
   * built anew first, while appends go on.
   */
  async #renewIndex(): Promise<Result<null>> {
    const { state } = this.#now();
    const isKnown = state.rebuilding?.to === null || state.unread > state.head.covered;
    if (isReadable(state, this.#revisionId) || isKnown) {
      this.#rebuilding.resume();
      return ok(null);
    }
    const fits = await this.#tryLoadLog();
    if (!fits.ok) return fits;
    if (fits.value) return this.#dropHead();
    this.#rebuilding.begin();
    this.#arm(this.#ports.clock.now());
    const announced = await this.#announce();
    return announced.ok ? ok(null) : announced;
  }

  async #tryLoadLog(): Promise<Result<boolean>> {
    const { state, tail } = this.#now();
    const wanted = () => this.#now().state.incarnation === state.incarnation;
    const covered = { from: 1, to: state.head.covered };
    try {
      return await loadTail(this.#ports, state, covered, tail.rawBytes, wanted);
    } catch (cause) {
      this.#ports.logFault("rebuild_failed", cause);
      return fail({ reason: "unavailable", what: "The log could not be read.", retryAfterSeconds: 1 });
    }
  }

  /** What reads need: shards and tail that answer them. */
  async ensureLocal(): Promise<Result<{ readonly fetched: number }>> {
    const { state } = this.#now();
    if (isReadable(state, this.#revisionId)) {
      const local = await this.#ensureShards("read");
      const searchable = this.#lost.searchable();
      return searchable.ok ? local : searchable;
    }
    const why = state.rebuilding?.attempted?.error;
    const what = `The index is being built from the log${why == null ? "" : `, which fails: ${why}`}.`;
    return fail({ reason: "unavailable", what, retryAfterSeconds: REBUILDING_RETRY_SECONDS });
  }

  /** Copies the head's shards that are not here. What is damaged or gone is derived: its segments stand in for it. */
  async #ensureShards(why: "read" | "append"): Promise<Result<{ readonly fetched: number }>> {
    if (this.#now().state.head.shards.length > 0) this.#useCopies(why);
    try {
      return await this.#bringShards();
    } finally {
      if (this.#ports.tables.copies.heldBytes > 0) this.#writeAfterRead();
    }
  }

  async #bringShards(): Promise<Result<{ readonly fetched: number }>> {
    const { incarnation } = this.#now().state;
    const wanted = () => this.#now().state.incarnation === incarnation;
    let local = await this.#parts.ensureLocal(this.#lost.whole(), wanted);
    if (!local.ok && local.failure.reason === "corrupt") {
      const found = await this.#lost.note();
      if (!found.ok) return found;
      if (found.value.noted > 0) {
        this.#arm(this.#ports.clock.now());
        const announced = await this.#announce();
        if (!announced.ok) return announced;
      }
      local = await this.#parts.ensureLocal(this.#lost.whole(), wanted);
    }
    if (!local.ok) return local;
    const stood = await this.#lost.standIn();
    return stood.ok ? local : stood;
  }

  /** The commit of an append writes it down with the rest. */
  #useCopies(why: "read" | "append"): void {
    const nowMs = this.#ports.clock.now();
    const { copiesUsedMs } = this.#now().state;
    if (copiesUsedMs !== null && nowMs - copiesUsedMs < COPIES_USED_EXACT_MS) return;
    this.#remember({ copiesUsedMs: nowMs });
    if (why === "read") this.#writeAfterRead();
  }

  /** An answer waits until what was written before it is safe, so what a read has to write is written later. */
  #writeAfterRead(): void {
    if (this.#writesAfterRead) return;
    this.#writesAfterRead = true;
    const { timer, tables } = this.#ports;
    const write = () => {
      this.#writesAfterRead = false;
      tables.transaction(() => {
        tables.copies.writeHeld();
        this.#write(this.#now().state);
      });
      tables.copies.letGo((sha256) => tables.copies.has(sha256));
      this.#armNext();
    };
    timer
      .sleep(WRITE_AFTER_READ_MS)
      .then(write)
      .catch((cause: unknown) => this.#ports.logFault("copies_not_written", cause));
  }

  /** Copies that nobody has used for long go; state and tail stay. The next that needs them brings them again. */
  #dropIdleCopies(): void {
    if (this.#now().state.copiesUsedMs === null && this.#ports.tables.copies.hasAny()) this.#useCopies("read");
    if (!this.#areCopiesIdle()) return;
    const wanted = () => (this.#areCopiesIdle() ? noHead(0, 0) : wholeHead(this.#now().state));
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

  /** In memory alone, until the next write takes it along: what a restart may forget is not worth a row. */
  #remember(change: Partial<Pick<EntityState, "lastNudgeMs" | "copiesUsedMs">>): void {
    this.#now().state = { ...this.#now().state, ...change };
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

  async redact(ids: readonly string[], dryRun: boolean): Promise<Result<RedactResult>> {
    if (this.#now().state.erasing !== null) return fail(beingErased());
    const result = await this.#redaction.redact(ids, dryRun);
    if (this.#now().state.redaction !== null) this.#armNext();
    return result;
  }

  // --- index ---

  /**
   * A nudge that finds nothing to do still tells the tenant so, which may have forgotten. One that finds a redaction
   * sets its alarm, which may be lost.
   */
  async nextWork(): Promise<IndexWork | null> {
    if (this.#now().state.redaction !== null) {
      this.#alarmAtMs = null;
      this.#armNext();
      return null;
    }
    const work = this.#index.nextWork() ?? (await this.#rebuilding.nextWork());
    if (work === null && !this.#pending()) {
      this.#reported = "";
      await this.#report();
    }
    return work;
  }

  async proposeHead(proposal: HeadProposal): Promise<Result<HeadOutcome>> {
    const takes = proposal.purpose === "rebuild" ? this.#rebuilding : this.#index;
    const outcome = await takes.propose(proposal);
    if (outcome.ok && outcome.value === "committed") {
      await this.#tellHint();
      await this.#report();
      this.#armAnew();
    }
    return outcome;
  }

  /** Here rather than by an alarm of its own; one that fails, or comes too soon after the last, is left to the alarm. */
  async #tellHint(): Promise<void> {
    try {
      await this.#index.refreshHint();
    } catch (cause) {
      this.#ports.logFault("hint_failed", cause);
    }
  }

  /** True when less is asked for now. */
  workFailed(from: number, error: string, deferred: boolean, purpose: WorkPurpose = "index"): boolean {
    return this.#worksOn(purpose).failed(from, error, deferred);
  }

  stands(incarnation: number, from: number, plannedOn: PlannedOn | null = null): boolean {
    const { state } = this.#now();
    const purpose = plannedOn?.purpose ?? "index";
    if (state.incarnation !== incarnation || state.erasing !== null) return false;
    if (plannedOn !== null && this.#isStale(incarnation, plannedOn)) return false;
    this.#worksOn(purpose).renew(from);
    return true;
  }

  #worksOn(purpose: WorkPurpose): EntityIndex | EntityRebuilding {
    return purpose === "rebuild" ? this.#rebuilding : this.#index;
  }

  #isStale(incarnation: number, { purpose, headVersion }: PlannedOn): boolean {
    if (purpose === "rebuild") return this.#rebuilding.isStale(incarnation, headVersion);
    return this.#index.isStale({ incarnation, headVersion });
  }

  lastFailure(): string | null {
    const { attempted, rebuilding } = this.#now().state;
    return attempted?.error ?? rebuilding?.attempted?.error ?? null;
  }

  unseal(): void {
    this.#index.unseal();
    this.#rebuilding.unseal();
    this.#arm(this.#ports.clock.now());
  }

  compact(): void {
    if (this.#index.compact()) this.#arm(this.#ports.clock.now());
  }

  /**
   * Begins to build everything derived anew from the segments in the store. The head that there is answers until what is
   * built covers as much.
   */
  async rebuild(): Promise<Result<null>> {
    const { state } = this.#now();
    if (state.erasing !== null) return fail(beingErased());
    if (tailAfter(state) === 0) return ok(null);
    const announced = await this.#announce();
    if (!announced.ok) return announced;
    if (this.#now().state.erasing !== null) return fail(beingErased());
    this.#rebuilding.begin();
    this.#save({ lastNudgeMs: 0 });
    this.#arm(this.#ports.clock.now());
    return ok(null);
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
        unread: 0,
        lost: [],
        rebuilding: null,
        ...NO_ATTEMPTS,
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
      incarnation: state.incarnation,
      redacted: state.redacted,
      ...counts.value,
      lastCommit: Math.max(state.last, state.intent?.commit ?? 0, this.#log.putting),
      indexedCommit: state.head.covered,
      rebuiltCommit: this.#rebuilding.through(),
      unindexedEvents: tail.events,
      unindexedBytes: tail.rawBytes,
      full: tail.rawBytes >= this.#ports.settings.tailBytes,
      pending: this.#pending(),
      sealed: state.attempted?.sealed === true || state.rebuilding?.attempted?.sealed === true,
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
    return this.#indexPending() || this.#rebuilding.pending() || this.#now().state.redaction !== null;
  }

  /** Of the end of the head, which waits for a head that can be used. */
  #indexPending(): boolean {
    const { state, tail } = this.#now();
    if (state.attempted?.sealed === true || !isReadable(state, this.#revisionId)) return false;
    return tail.entries.length > 0 || state.compact;
  }

  #workIsDue(): boolean {
    const { state } = this.#now();
    if (this.#rebuilding.pending()) return true;
    const merges = state.compact && this.#index.mergesAtMs() <= this.#ports.clock.now();
    return this.#indexPending() && (this.#index.due() || merges);
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
      const forgotten = await this.#ports.registry.forget(this.#ports.scope.entity, erasing.incarnation);
      if (!forgotten.ok) return;
    }
    // Another erasure may have begun meanwhile: its sweep is another one, and marks anew.
    if (this.#now().state.erasing !== erasing) return;
    // What was registered before is forgotten: the next write registers the entity again.
    this.#save({ erasing: left, ...(left === null && { registered: 0 }) });
  }

  // --- alarm ---

  /** Never throws, and arms the next alarm while anything is left to do. One that is at it already arms for both. */
  async wake(): Promise<void> {
    this.#alarmAtMs = null;
    this.#waking ??= this.#wake().finally(() => {
      this.#waking = null;
    });
    await this.#waking;
  }

  async #wake(): Promise<void> {
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
    else this.#armNext();
  }

  async #work(): Promise<void> {
    const { settings, clock, queue, tables, scope } = this.#ports;
    await this.#sweepErased();
    const redacted = await this.#redaction.resume();
    if (!redacted.ok) throw new Error("a redaction could not go on");
    this.#dropIdleCopies();
    await this.#index.refreshHint();
    tables.transaction(() => tables.trimIdempotent(clock.now()));
    const { state, tail } = this.#now();
    const isNudgeDue = this.#workIsDue() && passedMs(state.lastNudgeMs, clock.now()) >= settings.nudgeRetryMs;
    // What is about to be indexed is told with its head, unless that is late or appends are refused.
    if (!isNudgeDue || state.lastNudgeMs > 0 || tail.rawBytes >= settings.tailBytes) await this.#report();
    if (isNudgeDue) {
      await this.#rollUpTail();
      await queue.send(scope);
      this.#remember({ lastNudgeMs: clock.now() });
    }
    if (!this.#pending() && this.#rollups.dueIndexed()) await this.#rollups.run();
    await this.#collector.run();
  }

  /** So that the indexer reads what waits in few requests; it can do without. */
  async #rollUpTail(): Promise<void> {
    try {
      while (this.#rollups.dueInTail()) {
        const { rolled } = this.#now().state;
        await this.#rollups.run();
        if (this.#now().state.rolled === rolled) return;
      }
    } catch (cause) {
      this.#ports.logFault("roll_up_failed", cause);
    }
  }

  /** Sets the alarm for what is to be done next: a sweep to go on with, a hint, a nudge, a collection, copies to drop. */
  #armNext(): void {
    const { settings, clock } = this.#ports;
    const nowMs = clock.now();
    if (this.#now().state.erasing !== null) {
      this.#arm(nowMs + Math.max(1, Math.ceil(settings.putDeadlineMs / 2)));
      return;
    }
    const redactionMs = this.#redaction.dueMs();
    const hintMs = this.#index.hintDue() ? nowMs + RETRY_MS : null;
    const nudgeMs = this.#pending() ? this.#nextNudgeMs(nowMs) : null;
    const copiesMs = this.#ports.tables.copies.hasAny() ? this.#copiesIdleMs() : null;
    const rollUpMs = !this.#pending() && this.#rollups.dueIndexed() ? nowMs : null;
    const due = [redactionMs, hintMs, nudgeMs, copiesMs, rollUpMs, this.#collector.dueMs()].filter(
      (atMs) => atMs !== null,
    );
    if (due.length > 0) this.#arm(Math.min(...due));
  }

  /**
   * After a restart, which may have forgotten the alarm. One that rings soon was set for what is due, and what this
   * instance takes for due may be under way.
   */
  #armAgain(): void {
    const soonMs = this.#ports.clock.now() + this.#ports.settings.nudgeRetryMs;
    if (this.#alarmAtMs === null || this.#alarmAtMs > soonMs) this.#armNext();
  }

  /** A build that comes due, or a nudge to repeat. */
  #nextNudgeMs(nowMs: number): number {
    const { settings } = this.#ports;
    const { state } = this.#now();
    const { lastNudgeMs } = state;
    const agedMs = nowMs + settings.indexAgeMs - passedMs(state.dirtySinceMs ?? nowMs, nowMs);
    const buildMs = this.#rebuilding.pending() || this.#index.due() ? nowMs : agedMs;
    const mergeMs = state.compact ? this.#index.mergesAtMs() : buildMs;
    const onlyMerges = state.compact && state.dirtySinceMs === null && !this.#rebuilding.pending();
    const dueMs = onlyMerges ? mergeMs : Math.min(buildMs, mergeMs);
    if (lastNudgeMs === 0) return dueMs;
    return Math.max(dueMs, nowMs + settings.nudgeRetryMs - passedMs(lastNudgeMs, nowMs));
  }

  /** The nudge that the alarm would have repeated was answered: it need not ring for that. */
  #armAnew(): void {
    if (!this.#pending()) this.#alarmAtMs = null;
    this.#armNext();
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
