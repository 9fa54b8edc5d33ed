/**
 * The index of a tenant: what it has taken in of its entities, what is to be built, and which shards are its head.
 *
 *   registry's feed ─ look ─ which entities have more ─ take ─ pending commits ─ nextWork ─ indexer ─ propose ─ head
 *
 * Invariants
 *   - Only this class commits heads, one after another. A proposal on another head than the current one is discarded.
 *   - What was taken in and what the head covers changes in one transaction with what is pending.
 *   - An erasure is in the head, in the store, before it is answered: no answer made later sees what was erased.
 *   - Everything here can be found again from the store and the registry: `#recover`.
 */
import { ok, type Result } from "../../core/errors.ts";
import { shardEntry } from "../../core/index/head.ts";
import type { Part } from "../../core/index/part.ts";
import { revisionOf } from "../../core/index/revision.ts";
import {
  FAN_OUT_CONCURRENCY_MAX,
  SCOPE_BUILD_COMMITS_MAX,
  SCOPE_BUILD_DEADLINE_MS,
  SCOPE_COMMIT_INTERVAL_MS,
  SCOPE_LOOK_MS,
  SCOPE_NUDGE_RETRY_MS,
  SCOPE_TAKEN_ENTITIES_MAX,
  SCOPE_UNREADABLE_MAX,
  SCOPE_WORK_LEASE_MS,
  STORE_LIST_MAX,
  SUMMARY_REFRESH_BYTES,
  WORK_ATTEMPTS_MAX,
} from "../../core/limits.ts";
import {
  dayOf,
  SCOPE_HEADS_PREFIX,
  SCOPE_INDEX_PREFIX,
  SETTINGS_KEY,
  scopeHeadKey,
  scopeShardKey,
} from "../../core/log/keys.ts";
import type { HeadOutcome, IndexedPage, LogCommit } from "../../core/rpc.ts";
import {
  readStored,
  scopeHeadSchema,
  storedBytes,
  storedScopeHead,
  storedSettingsSchema,
} from "../../core/schema/stored.ts";
import {
  coveredBy,
  LAYERS,
  type LayerName,
  lifeOf,
  NO_SEGMENT,
  type ScopeHead,
  type ScopeShard,
  withShard,
} from "../../core/scope/scope_head.ts";
import type { ScopeProposal, ScopeWork } from "../../core/scope/scope_rpc.ts";
import { type PlannedShard, planScope } from "../../core/scope/scope_work.ts";
import type { EntityLife } from "../../core/scope/scoped_line.ts";
import type { ScopePorts } from "./ports.ts";
import type { ScopeParts } from "./scope_parts.ts";
import { NO_WORK, newScopeState, type ScopeState, type Taken } from "./scope_tables.ts";

/** What the registry said at the last look. */
interface Seen extends Pick<IndexedPage, "known" | "waiting" | "unindexedEvents" | "waitingSinceMs"> {
  readonly atMs: number;
}

const MS_PER_SECOND = 1_000;
/** An entity that does not answer is asked less and less often, but never given up. */
const RETRY_MS_MAX = 300_000;

/** An entity's newest commit in the shards of a layer. */
interface NewestLife extends EntityLife {
  readonly commit: number;
  readonly segment: string;
  readonly arrivalMs: number;
}

interface Recovered {
  readonly taken: readonly Taken[];
  readonly unsummarised: readonly NewestLife[];
}

export class ScopeIndex {
  readonly #ports: ScopePorts;
  readonly #parts: ScopeParts;
  readonly #revision: string;
  #state: ScopeState | null = null;
  #loading: Promise<Result<null>> | null = null;
  #looking: Promise<Result<null>> | null = null;
  /** Heads are committed one after another. */
  #last: Promise<unknown> = Promise.resolve();
  #seen: Seen | null = null;
  #alarmAtMs: number | null = null;
  /** Alarms one after another that took nothing in of entities that have more. */
  #idleAlarms = 0;

  constructor(ports: ScopePorts, parts: ScopeParts) {
    this.#ports = ports;
    this.#parts = parts;
    this.#revision = revisionOf(ports.revision, ports.digest);
  }

  // --- state ---

  get state(): ScopeState {
    if (this.#state === null) throw new Error("the state is read only after ready()");
    return this.#state;
  }

  get seen(): Seen | null {
    return this.#seen;
  }

  /** Concurrent first calls share one recovery; a failed one is tried again. */
  ready(): Promise<Result<null>> {
    if (this.#state !== null && this.#loading === null) return Promise.resolve(ok(null));
    this.#loading ??= this.#load().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #load(): Promise<Result<null>> {
    this.#alarmAtMs = await this.#ports.alarm.get();
    const known = this.#ports.tables.readState();
    // Whoever was at work may have ended with the last instance: handing work out twice costs work alone.
    if (known !== null) this.#state = { ...known, work: { ...known.work, handedOutMs: null }, nudgedMs: 0 };
    else {
      const recovered = await this.#recover();
      if (!recovered.ok) return recovered;
    }
    const { head } = this.state;
    if (head !== null && head.revision !== this.#revision) return this.rebuild();
    return ok(null);
  }

  /** From the settings and the newest head in the store. What lies there beside it is of no use to anybody. */
  async #recover(): Promise<Result<null>> {
    const mode = await this.#configuredMode();
    if (!mode.ok) return mode;
    const head = await this.#newestHead();
    if (!head.ok) return head;
    const state = { ...newScopeState(), mode: mode.value, head: head.value };
    if (mode.value === "off" || head.value === null) {
      this.#state = state;
      this.#save({});
      return mode.value === "off" ? ok(null) : this.rebuild();
    }
    const taken = await this.#takenBy(head.value);
    // A head whose shards are damaged or gone is derived, like them.
    if (!taken.ok && taken.failure.reason !== "corrupt") return taken;
    this.#state = state;
    if (!taken.ok) return this.rebuild();
    this.#ports.tables.transaction(() => {
      for (const one of taken.value.taken) this.#ports.tables.putTaken(one);
      const dayMs = dayOf(this.#ports.clock.now());
      for (const { entity, segment, arrivalMs } of taken.value.unsummarised) {
        const commit = this.#lastOf("summaries") + 1;
        this.#ports.tables.putPending("summaries", entity, { commit, segment, arrivalMs, dayMs });
      }
      this.#write({ sweepAtMs: this.#ports.clock.now() });
    });
    return this.look();
  }

  async #newestHead(): Promise<Result<ScopeHead | null>> {
    const { store } = this.#ports;
    let newest: string | null = null;
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof store.list>> = await store.list(SCOPE_HEADS_PREFIX, cursor);
      newest = page.objects.at(-1)?.key ?? newest;
      cursor = page.cursor;
    } while (cursor !== null);
    const stored = newest === null ? null : await store.get(newest);
    if (newest === null || stored === null) return ok(null);
    return readStored(scopeHeadSchema, stored.bytes, store.fullKey(newest));
  }

  /** How far each entity is in the shards of a head, and which has no summaries: their commits say it. */
  async #takenBy(head: ScopeHead): Promise<Result<Recovered>> {
    const events = await this.#parts.open(head.layers.events);
    if (!events.ok) return events;
    const summaries = await this.#parts.open(head.layers.summaries);
    if (!summaries.ok) return summaries;
    const summarised = newestLives(summaries.value);
    const newest = events.value.length > 0 ? newestLives(events.value) : summarised;
    const taken = [...newest.values()].map(({ entity, incarnation, commit }) => {
      return { entity, incarnation, commit, wanted: commit, redacted: 0, unsummarised: 0 };
    });
    return ok({ taken, unsummarised: [...newest.values()].filter(({ entity }) => !summarised.has(entity)) });
  }

  async #configuredMode(): Promise<Result<ScopeState["mode"]>> {
    const { store } = this.#ports;
    const stored = await store.get(SETTINGS_KEY);
    if (stored === null) return ok("off");
    const settings = readStored(storedSettingsSchema, stored.bytes, store.fullKey(SETTINGS_KEY));
    return settings.ok ? ok(settings.value.tenant_index ?? "off") : settings;
  }

  #write(change: Partial<ScopeState>): void {
    const state = { ...this.state, ...change };
    this.#ports.tables.writeState(state);
    this.#state = state;
  }

  #save(change: Partial<ScopeState>): void {
    this.#ports.tables.transaction(() => this.#write(change));
  }

  /** One after another: nothing changes the head while `step` awaits. */
  #alone<T>(step: () => Promise<T>): Promise<T> {
    const next = this.#last.then(step, step);
    this.#last = next.catch(() => undefined);
    return next;
  }

  // --- settings ---

  async configure(): Promise<Result<null>> {
    const mode = await this.#configuredMode();
    if (!mode.ok) return mode;
    const followed = await this.#ports.registry.follow(this.#ports.tenant, mode.value !== "off");
    if (!followed.ok || mode.value === this.state.mode) return followed;
    this.#save({ mode: mode.value });
    return this.rebuild();
  }

  /** Forgets everything and takes it in again; snapshots of before have expired. */
  rebuild(): Promise<Result<null>> {
    return this.#alone(async () => {
      const { head: before, mode } = this.state;
      const nowMs = this.#ports.clock.now();
      const head: ScopeHead = {
        version: before?.version ?? 0,
        // Never one that was there before, even if all that is known of those is lost.
        incarnation: Math.max((before?.incarnation ?? 0) + 1, Math.floor(nowMs / MS_PER_SECOND)),
        revision: this.#revision,
        erasures: before?.erasures ?? 0,
        erased: [],
        summariesFrom: 0,
        layers: { events: [], summaries: [] },
      };
      this.#ports.tables.transaction(() => {
        this.#ports.tables.clear();
        this.#write({ ...newScopeState(), mode, head: mode === "off" ? null : head, sweepAtMs: nowMs });
      });
      this.#seen = null;
      this.#parts.keepOnly([]);
      this.#arm(nowMs);
      return ok(null);
    });
  }

  // --- taking in ---

  /** Reads what the registry heard since the last look. Concurrent looks are one. */
  look(): Promise<Result<null>> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  /** A look when the last one is too old to answer by. */
  async lookAgain(): Promise<void> {
    if (this.#seen !== null && this.#ports.clock.now() - this.#seen.atMs < SCOPE_LOOK_MS) return;
    try {
      await this.look();
    } catch (cause) {
      this.#ports.logFault("scope_look_failed", cause);
    }
    if (this.#isBehind()) this.#arm(this.#ports.clock.now() + SCOPE_COMMIT_INTERVAL_MS);
  }

  async #look(): Promise<Result<null>> {
    const { registry, tenant, clock } = this.#ports;
    for (;;) {
      const atMs = clock.now();
      const { feed } = this.state;
      const page = await registry.indexed(tenant, feed.epoch, feed.next);
      if (!page.ok) return page;
      if (page.value.entities.some((row) => this.#isRedacted(row))) {
        // Any shard may hold what is gone: all of it is taken in again, from segments that have it no more.
        const rebuilt = await this.rebuild();
        if (!rebuilt.ok) return rebuilt;
        continue;
      }
      for (const row of page.value.entities) {
        const erased = await this.#note(row);
        if (!erased.ok) return erased;
      }
      // Who began anew meanwhile has heard of nothing.
      if (this.state.feed !== feed) continue;
      const { known, waiting, unindexedEvents, waitingSinceMs } = page.value;
      const isLast = !page.value.more;
      this.#save({
        feed: { epoch: page.value.epoch, next: page.value.next },
        ...(isLast && { heardThroughMs: Math.min(atMs, waitingSinceMs ?? atMs) }),
      });
      this.#seen = { known, waiting, unindexedEvents, waitingSinceMs, atMs };
      if (isLast) return ok(null);
    }
  }

  #isRedacted({ entity, incarnation, redacted }: IndexedPage["entities"][number]): boolean {
    const known = this.#ports.tables.taken(entity);
    return known !== null && known.incarnation === incarnation && known.commit > 0 && known.redacted < redacted;
  }

  /** Something of the entity was redacted, which holds from the answer on. */
  async redactEntity(entity: string): Promise<Result<null>> {
    const known = this.#ports.tables.taken(entity);
    return this.state.mode === "off" || known === null ? ok(null) : this.rebuild();
  }

  async #note({
    entity,
    incarnation,
    indexedCommit,
    redacted,
  }: IndexedPage["entities"][number]): Promise<Result<null>> {
    const { tables } = this.#ports;
    const before = tables.taken(entity);
    if (before !== null && before.incarnation < incarnation) {
      const erased = await this.eraseEntity(entity, incarnation);
      if (!erased.ok) return erased;
    }
    const known = tables.taken(entity) ?? newTaken(entity, incarnation);
    if (incarnation < known.incarnation || indexedCommit <= known.wanted) return ok(null);
    tables.transaction(() => {
      tables.putTaken({ ...known, wanted: indexedCommit, redacted });
      this.#write({ behindSinceMs: this.state.behindSinceMs ?? this.state.heardThroughMs });
    });
    return ok(null);
  }

  /** Takes in what entities have more. An entity that does not answer waits for the next time and holds up no other. */
  async #take(): Promise<void> {
    let after = "";
    for (let taken = 0; taken < SCOPE_TAKEN_ENTITIES_MAX; taken += FAN_OUT_CONCURRENCY_MAX) {
      const wave = this.#ports.tables.behind(after, FAN_OUT_CONCURRENCY_MAX);
      const last = wave.at(-1);
      if (last === undefined) return;
      after = last.entity;
      await Promise.all(wave.map((one) => this.#tryTake(one)));
    }
  }

  async #tryTake(taken: Taken): Promise<void> {
    try {
      await this.#takeFrom(taken);
    } catch (cause) {
      this.#ports.logFault("scope_take_failed", cause);
    }
  }

  async #takeFrom(taken: Taken): Promise<void> {
    const { tenant, entityOf, tables } = this.#ports;
    const { entity, incarnation, commit, wanted } = taken;
    const scope = { tenant, entity };
    const found = await entityOf(scope).commits(scope, incarnation, commit + 1, wanted);
    if (!found.ok || found.value.length === 0) return;
    const now = tables.taken(entity);
    if (now?.incarnation !== incarnation || now.commit !== commit) return;
    tables.transaction(() => this.#takeIn(now, found.value));
  }

  #takeIn(taken: Taken, commits: readonly LogCommit[]): void {
    const { tables, clock } = this.#ports;
    const dayMs = dayOf(clock.now());
    const last = commits.at(-1);
    if (last === undefined) return;
    this.#idleAlarms = 0;
    if (this.state.mode === "full") {
      let number = this.#lastOf("events");
      for (const { segment, arrivalMs } of commits) {
        number += 1;
        tables.putPending("events", taken.entity, { commit: number, segment, arrivalMs, dayMs });
      }
    }
    const grown = commits.reduce((bytes, { textBytes }) => bytes + textBytes, taken.unsummarised ?? 0);
    const withdraws = commits.some((commit) => commit.withdraws);
    const isDue = taken.unsummarised === null || grown >= SUMMARY_REFRESH_BYTES || withdraws;
    if (isDue) {
      const { segment, arrivalMs } = last;
      const number = this.#lastOf("summaries") + 1;
      tables.putPending("summaries", taken.entity, { commit: number, segment, arrivalMs, dayMs });
    }
    tables.putTaken({ ...taken, commit: last.commit, unsummarised: isDue ? 0 : grown });
  }

  /** The last number that was given. */
  #lastOf(layer: LayerName): number {
    return Math.max(this.#ports.tables.lastPending(layer), coveredBy(this.#shards(layer)));
  }

  #shards(layer: LayerName): readonly ScopeShard[] {
    return this.state.head?.layers[layer] ?? [];
  }

  #isBehind(): boolean {
    return this.#ports.tables.behind("", 1).length > 0 || this.#ports.tables.pendingCount() > 0;
  }

  // --- work ---

  nextWork(): ScopeWork | null {
    const { head, work } = this.state;
    const nowMs = this.#ports.clock.now();
    if (head === null || (work.handedOutMs !== null && nowMs - work.handedOutMs < SCOPE_WORK_LEASE_MS)) return null;
    const planned = this.#plan();
    if (planned === null) return null;
    this.#save({ work: { ...work, handedOutMs: nowMs } });
    return {
      tenant: this.#ports.tenant,
      layer: planned.layer,
      incarnation: head.incarnation,
      revision: this.#ports.revision,
      headVersion: head.version,
      dayMs: planned.plan.dayMs,
      shards: planned.plan.shards.map(({ sha256, dayMs }) => ({ sha256, dayMs })),
      commits: planned.plan.pending.map(({ commit, segment, arrivalMs }) => ({ commit, segment, arrivalMs })),
      erased: head.erased,
    };
  }

  #plan(): { readonly layer: LayerName; readonly plan: PlannedShard } | null {
    const { commitsMax } = this.state.work;
    for (const layer of LAYERS) {
      const pending = this.#ports.tables.pending(layer, SCOPE_BUILD_COMMITS_MAX);
      const plan = planScope(this.#shards(layer), pending, commitsMax ?? SCOPE_BUILD_COMMITS_MAX);
      if (plan !== null) return { layer, plan };
    }
    return null;
  }

  propose(proposal: ScopeProposal): Promise<Result<HeadOutcome>> {
    return this.#alone(() => this.#propose(proposal));
  }

  async #propose({ layer, headVersion, sha256, dayMs, unreadable }: ScopeProposal): Promise<Result<HeadOutcome>> {
    const { head } = this.state;
    if (head === null || head.version !== headVersion) return this.#refuse(sha256, dayMs);
    const part = await this.#parts.fetch({ sha256, dayMs });
    if (!part.ok) return part;
    const isOfHead = part.value.incarnation === head.incarnation && part.value.revision === this.#revision;
    if (!isOfHead) return this.#refuse(sha256, dayMs);
    const shard = scopeShard(part.value, sha256, dayMs);
    const shards = withShard(head.layers[layer], shard);
    if (!shards.ok) return this.#refuse(sha256, dayMs);
    const layers = { ...head.layers, [layer]: shards.value };
    const isClean = LAYERS.every((name) => layers[name].every(({ stale }) => !stale));
    const summariesFrom = layer === "summaries" ? droppedThrough(head, shard) : head.summariesFrom;
    const committed = await this.#commit({ layers, summariesFrom, ...(isClean && { erased: [] }) }, () => {
      this.#ports.tables.dropPending(layer, coveredBy(shards.value));
      const named = new Set([...this.state.unreadable, ...unreadable]);
      this.#write({
        work: NO_WORK,
        nudgedMs: 0,
        committedMs: this.#ports.clock.now(),
        unreadable: [...named].slice(-SCOPE_UNREADABLE_MAX),
        ...(this.#isBehind() ? {} : { behindSinceMs: null }),
      });
    });
    return ok(committed ? "committed" : "stale");
  }

  /** Nobody will name this shard; what it holds may have been erased since it was asked for. */
  #refuse(sha256: string, dayMs: number): Result<HeadOutcome> {
    const key = scopeShardKey(dayMs, sha256);
    const isNamed = this.state.head !== null && keysOf(this.state.head).includes(key);
    if (!isNamed)
      this.#save({ retired: [...this.state.retired, key], work: { ...this.state.work, handedOutMs: null } });
    this.#arm(this.#ports.clock.now());
    return ok("stale");
  }

  /**
   * Puts the next head and adopts it, with what `also` changes, in one transaction. A version that exists was put by an
   * instance that ended before it adopted it: the next free number is taken. False when there is no index any more.
   */
  async #commit(change: Partial<ScopeHead>, also: () => void): Promise<boolean> {
    const { store, tables } = this.#ports;
    const before = this.state.head;
    if (before === null) return false;
    let head: ScopeHead = { ...before, ...change };
    do head = { ...head, version: head.version + 1 };
    while (!(await store.create(scopeHeadKey(head.version), storedBytes(storedScopeHead(head)))));
    const kept = new Set(keysOf(head));
    tables.transaction(() => {
      const retired = [...this.state.retired, ...keysOf(before).filter((key) => !kept.has(key))];
      this.#write({ head, retired });
      also();
    });
    this.#parts.keepOnly(LAYERS.flatMap((layer) => head.layers[layer].map(({ sha256 }) => sha256)));
    this.#arm(this.#ports.clock.now());
    return true;
  }

  /** `deferred`: it has to wait for something else, which is not its fault. */
  async failed(error: string, deferred: boolean): Promise<Result<null>> {
    const { work } = this.state;
    const planned = this.#plan();
    const failures = work.failures + Number(!deferred);
    const commits = planned?.plan.pending.length ?? 0;
    this.#save({
      work: {
        handedOutMs: null,
        error,
        failures,
        commitsMax: deferred || commits === 0 ? work.commitsMax : Math.max(1, commits >> 1),
      },
    });
    if (failures < WORK_ATTEMPTS_MAX || planned === null || commits > 1) return ok(null);
    if (commits === 0) return this.rebuild();
    this.#giveUp(planned.layer, planned.plan);
    return ok(null);
  }

  /** One commit that nothing can be made of holds up no other: it is named, and empty from here on. */
  #giveUp(layer: LayerName, { pending: [commit] }: PlannedShard): void {
    if (commit === undefined) return;
    const { tables } = this.#ports;
    tables.transaction(() => {
      tables.putPending(layer, "", { ...commit, segment: NO_SEGMENT });
      const unreadable = [...this.state.unreadable, commit.segment].slice(-SCOPE_UNREADABLE_MAX);
      this.#write({ work: { ...NO_WORK, error: this.state.work.error }, unreadable });
    });
  }

  // --- erasure ---

  eraseEntity(entity: string, below: number): Promise<Result<null>> {
    return this.#alone(() => this.#eraseEntity(entity, below));
  }

  async #eraseEntity(entity: string, below: number): Promise<Result<null>> {
    const { tables } = this.#ports;
    const { head } = this.state;
    const known = tables.taken(entity);
    if (head === null || known === null || known.incarnation >= below) return ok(null);
    const life = newTaken(entity, below);
    const layers = {
      events: await this.#withStale(head.layers.events, entity, below),
      summaries: await this.#withStale(head.layers.summaries, entity, below),
    };
    const isHeld = LAYERS.some((layer) => layers[layer].some(({ stale }) => stale));
    const others = head.erased.filter((one) => one.entity !== entity);
    const erased = isHeld ? [...others, { entity, below }] : [];
    await this.#commit({ erased, erasures: head.erasures + 1, layers }, () => {
      tables.putTaken(life);
      tables.voidPending(entity, NO_SEGMENT);
      // A build that is under way may put what it read before, and end before it says so.
      this.#write({ sweepAtMs: this.#ports.clock.now() + SCOPE_BUILD_DEADLINE_MS });
    });
    return ok(null);
  }

  /** One that does not open may hold anything. */
  async #withStale(shards: readonly ScopeShard[], entity: string, below: number): Promise<readonly ScopeShard[]> {
    const parts = await this.#parts.open(shards);
    return shards.map((shard, index) => {
      const holds = !parts.ok || holdsEntity(parts.value[index], entity, below);
      return holds ? { ...shard, stale: true } : shard;
    });
  }

  // --- alarm ---

  noticed(): void {
    this.#arm(this.#ports.clock.now() + SCOPE_COMMIT_INTERVAL_MS);
  }

  /** Never throws, and arms the next alarm while anything is left to do. */
  async wake(): Promise<void> {
    this.#alarmAtMs = null;
    try {
      const ready = await this.ready();
      if (ready.ok) await this.#work();
    } catch (cause) {
      this.#ports.logFault("scope_alarm_failed", cause);
    }
    const soonMs = this.#ports.clock.now() + this.#retryMs();
    if (this.#state === null || this.#isLeft()) this.#arm(soonMs);
    else if (this.state.sweepAtMs !== null) this.#arm(Math.max(soonMs, this.state.sweepAtMs));
  }

  /** Until the next alarm, when nothing is news before. */
  #retryMs(): number {
    const isWaiting = this.#state !== null && this.#plan() === null && this.#isBehind();
    this.#idleAlarms = isWaiting ? this.#idleAlarms + 1 : 0;
    return Math.min(RETRY_MS_MAX, SCOPE_COMMIT_INTERVAL_MS * 2 ** Math.max(0, this.#idleAlarms - 1));
  }

  async #work(): Promise<void> {
    const { queue, tenant, clock } = this.#ports;
    await this.#sweep();
    if (this.state.mode === "off") return;
    await this.look();
    await this.#take();
    const { nudgedMs } = this.state;
    if (this.#plan() === null || clock.now() - nudgedMs < SCOPE_NUDGE_RETRY_MS) return;
    await queue.send({ tenant, scope: "tenant" });
    this.#save({ nudgedMs: clock.now() });
  }

  /** Deletes what the head names no more; after a recovery, a rebuild or an erasure, all else that lies there. */
  async #sweep(): Promise<void> {
    const { sweepAtMs, retired } = this.state;
    if (sweepAtMs !== null && this.#ports.clock.now() >= sweepAtMs) await this.#alone(() => this.#sweepAll(sweepAtMs));
    if (retired.length > 0) await this.#alone(() => this.#sweepRetired());
  }

  /** The same bytes may have been built again since, under the same name. */
  async #sweepRetired(): Promise<void> {
    const { head, retired } = this.state;
    const named = new Set(head === null ? [] : keysOf(head));
    const unnamed = retired.filter((key) => !named.has(key));
    for (let start = 0; start < unnamed.length; start += STORE_LIST_MAX)
      await this.#ports.store.delete(unnamed.slice(start, start + STORE_LIST_MAX));
    this.#save({ retired: this.state.retired.filter((key) => !retired.includes(key)) });
  }

  async #sweepAll(plannedMs: number): Promise<void> {
    const { store } = this.#ports;
    const kept = new Set(this.state.head === null ? [] : keysOf(this.state.head));
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof store.list>> = await store.list(SCOPE_INDEX_PREFIX, cursor);
      const orphans = page.objects.map(({ key }) => key).filter((key) => !kept.has(key));
      if (orphans.length > 0) await store.delete(orphans);
      cursor = page.cursor;
    } while (cursor !== null);
    // Another one may have been planned meanwhile.
    if (this.state.sweepAtMs === plannedMs) this.#save({ sweepAtMs: null });
  }

  #isLeft(): boolean {
    const { retired, mode } = this.state;
    return retired.length > 0 || (mode !== "off" && (this.#isBehind() || this.#plan() !== null));
  }

  /** Sets the alarm unless it rings earlier anyway. */
  #arm(atMs: number): void {
    if (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs) return;
    this.#alarmAtMs = atMs;
    void this.#ports.alarm.set(atMs);
  }
}

function newTaken(entity: string, incarnation: number): Taken {
  return { entity, incarnation, commit: 0, wanted: 0, redacted: 0, unsummarised: null };
}

function newestLives(parts: readonly Part[]): ReadonlyMap<string, NewestLife> {
  const newest = new Map<string, NewestLife>();
  for (const { segment, arrivalMs } of parts.flatMap(({ commits }) => commits)) {
    const life = lifeOf({ segment });
    if (life === null) continue;
    const known = newest.get(life.entity);
    const isNewer =
      known === undefined ||
      life.incarnation > known.incarnation ||
      (life.incarnation === known.incarnation && life.commit > known.commit);
    if (isNewer) newest.set(life.entity, { ...life, segment, arrivalMs });
  }
  return newest;
}

function scopeShard(part: Part, sha256: string, dayMs: number): ScopeShard {
  const { minTs: _, maxTs: __, ...entry } = shardEntry(part, sha256);
  return { ...entry, dayMs, stale: false };
}

/** Of a head and what it names. */
function keysOf(head: ScopeHead): readonly string[] {
  const shards = LAYERS.flatMap((layer) => head.layers[layer].map(({ dayMs, sha256 }) => scopeShardKey(dayMs, sha256)));
  return head.version === 0 ? shards : [scopeHeadKey(head.version), ...shards];
}

/** Whatever shards were merged into this one lost what was overtaken in them. */
function droppedThrough({ layers, summariesFrom }: ScopeHead, shard: ScopeShard): number {
  const merged = layers.summaries.filter(({ from, to }) => from >= shard.from && to <= shard.to);
  return Math.max(summariesFrom, coveredBy(merged));
}

function holdsEntity(part: Part | undefined, entity: string, below: number): boolean {
  return (part?.commits ?? []).some((commit) => {
    const life = lifeOf(commit);
    return life?.entity === entity && life.incarnation < below;
  });
}
