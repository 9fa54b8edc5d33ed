/**
 * The index side of an entity: what is to be built, and which shards are the head.
 *
 * Invariants
 *   - Only this class commits heads. A proposal on another head than the current one is stale and is discarded.
 *   - A head is adopted, and the tail truncated, in one transaction, after its shard was read back and verified.
 *   - Work that could not be done is asked for again with half the commits, so that what is too large gets done and what
 *     is wrong is found. Attempts at a single commit are counted; after WORK_ATTEMPTS_MAX it is sealed: shown in status,
 *     not handed out until unsealed. What only has to wait (a model or the store is down) is deferred and does not count.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import { type BuildLoad, dimensionsIn, type LinesSize, loadOfLines } from "../../core/index/build_load.ts";
import { isDue } from "../../core/index/debt.ts";
import { applyHead, shardEntry } from "../../core/index/head.ts";
import type { Revision } from "../../core/index/part.ts";
import { type PlannedWork, planCompaction, planWork, type TailCommit, type WorkBounds } from "../../core/index/work.ts";
import { mayBeginAtMs } from "../../core/lifecycle/maintenance_window.ts";
import { HEAD_HINT_INTERVAL_MS, MERGE_HEAVY_BYTES_MIN, REMOTE_DIMENSIONS_ASSUMED } from "../../core/limits.ts";
import { headHintKey, headKey, shardKey } from "../../core/log/keys.ts";
import type { HeadOutcome, HeadProposal, IndexWork } from "../../core/rpc.ts";
import { type Head, type ShardEntry, storedBytes, storedHead, storedHeadHint } from "../../core/schema/stored.ts";
import {
  type AttemptedWork,
  counted,
  diedSilently,
  forgiven,
  isFresh,
  isUnderWay,
  type Lease,
  NO_ATTEMPTS,
  reported,
  smaller,
} from "./attempts.ts";
import { BEING_DELETED, type EntityCollector, littered } from "./collect.ts";
import { passedMs } from "./elapsed.ts";
import type { EntityParts } from "./entity_parts.ts";
import type { EntityPorts } from "./ports.ts";
import { type EntityState, isReadable, type TailCommit as LinesOfCommit, redactedOf, wholeHead } from "./state.ts";
import type { Tail } from "./tail.ts";

export interface IndexHost {
  readonly ports: EntityPorts;
  readonly parts: EntityParts;
  readonly collector: EntityCollector;
  readonly revision: Revision;
  /** `revision`, hashed. */
  readonly revisionId: string;
  state(): EntityState;
  tail(): Tail;
  /** Writes state inside the caller's transaction. */
  write(state: EntityState): void;
}

export class EntityIndex {
  readonly #host: IndexHost;

  constructor(host: IndexHost) {
    this.#host = host;
  }

  /** Whether enough waits to be worth a build. */
  due(): boolean {
    const { ports } = this.#host;
    const { dirtySinceMs } = this.#host.state();
    const tail = this.#host.tail();
    if (tail.entries.length === 0) return false;
    const ageMs = dirtySinceMs === null ? 0 : passedMs(dirtySinceMs, ports.clock.now());
    return isDue({ events: tail.lines, bytes: tail.rawBytes, ageMs }, ports.settings);
  }

  nextWork(): IndexWork | null {
    const state = this.#host.state();
    const { attempted, compact, head, erasing } = state;
    if (erasing !== null || attempted?.sealed === true || !isReadable(state, this.#host.revisionId)) return null;
    // A wish that fits nothing any more does not hold up the tail.
    const merge = compact ? planCompaction(this.#wholeAtEnd()) : null;
    if (compact && merge === null) this.#save({ compact: false });
    const merging = merge !== null && this.#mayMerge();
    if (!merging && !this.due()) return null;
    if (diedSilently(attempted, this.#lease())) this.#makeSmaller();
    const facts = this.#host.tail().entries.map((entry) => entry.facts);
    const plan = merging ? merge : this.#planTail(facts);
    if (plan === null || isUnderWay(this.#host.state().attempted, plan.from, this.#lease())) return null;
    if (this.#count(plan.from, plan.to).sealed) {
      // Merging is a wish: what cannot be merged is left as it is, and does not hold up the tail.
      if (merging) this.#save({ attempted: null, compact: false });
      return null;
    }
    return {
      scope: this.#host.ports.scope,
      incarnation: head.incarnation,
      revision: this.#host.revision,
      purpose: "index",
      headVersion: head.version,
      from: plan.from,
      to: plan.to,
      replaces: plan.replaces,
      shards: head.shards.slice(head.shards.length - plan.replaces),
      segments: facts.filter(({ commit }) => commit <= plan.to),
    };
  }

  #planTail(facts: readonly LinesOfCommit[]): PlannedWork | null {
    const { head, attempted, alone, unabsorbed } = this.#host.state();
    const tail = facts.map((commit) => ({ ...commit, load: this.loadOf(commit) }));
    const heavyBytes = this.#mayMerge() ? null : MERGE_HEAVY_BYTES_MIN;
    const bounds = { commitsMax: alone, unabsorbed: Math.max(unabsorbed, this.#lastLost()), heavyBytes };
    return planAgain(head.shards, tail, attempted, bounds);
  }

  /** The last commit of a shard that is rebuilt by itself; 0: there is none. */
  #lastLost(): number {
    return this.#host.state().lost.at(-1)?.to ?? 0;
  }

  /** Shards at the end of the head that can be merged. */
  #wholeAtEnd(): Head["shards"] {
    return this.#host.state().head.shards.filter(({ from }) => from > this.#lastLost());
  }

  /** When large shards may be merged. What has to be indexed is indexed without them until then. */
  mergesAtMs(): number {
    const { clock, settings } = this.#host.ports;
    return mayBeginAtMs(settings.maintenanceWindow, clock.now());
  }

  /** A merge that has begun goes on when the window closes: what its builder left behind would be lost. */
  #mayMerge(): boolean {
    const { attempted, compact, head } = this.#host.state();
    const merged = attempted === null ? [] : head.shards.filter(({ from }) => from >= attempted.from);
    const hasBegun = merged.length > 0 && (compact || merged.some(({ bytes }) => bytes >= MERGE_HEAVY_BYTES_MIN));
    return hasBegun || this.mergesAtMs() <= this.#host.ports.clock.now();
  }

  /** What building from lines takes, about. */
  loadOf(size: LinesSize): BuildLoad {
    return loadOfLines(size, this.#embeddedDimensions());
  }

  /** A model's are known by what it made last. */
  #embeddedDimensions(): number {
    const { embedder } = this.#host.ports;
    if (embedder === null) return 0;
    if (embedder.kind === "local") return embedder.dimensions;
    const newest = this.#host.state().head.shards.at(-1);
    return (newest && dimensionsIn(newest)) || REMOTE_DIMENSIONS_ASSUMED;
  }

  #count(from: number, to: number): AttemptedWork {
    const nowMs = this.#host.ports.clock.now();
    const attempted = counted(this.#host.state().attempted, from, to, nowMs);
    this.#save({ attempted, collection: littered(this.#host.state().collection, nowMs) });
    return attempted;
  }

  forgiveRestart(): void {
    const attempted = forgiven(this.#host.state().attempted, this.#lease());
    if (attempted !== null) this.#save({ attempted });
  }

  /** Asks for less than what was attempted. False when there is no less. */
  #makeSmaller(): boolean {
    const less = smaller(this.#host.state(), this.#host.state().head.covered);
    if (less !== null) this.#save(less);
    return less !== null;
  }

  #lease(): Lease {
    const { clock, settings } = this.#host.ports;
    return { nowMs: clock.now(), leaseMs: settings.nudgeRetryMs };
  }

  #save(change: Partial<EntityState>): void {
    this.#host.ports.tables.transaction(() => this.#host.write({ ...this.#host.state(), ...change }));
  }

  async propose(proposal: HeadProposal): Promise<Result<HeadOutcome>> {
    const { ports, parts, collector } = this.#host;
    if (this.isStale(proposal)) return ok("stale");
    const key = shardKey(ports.scope.entity, proposal.sha256);
    if (!collector.spare(key)) return fail(BEING_DELETED);
    const stored = await ports.store.get(key);
    if (stored === null) return fail({ reason: "corrupt", what: `${key}: it is missing` });
    const part = parts.verify(proposal.sha256, stored.bytes);
    if (!part.ok) return part;
    if (part.value.incarnation !== proposal.incarnation || part.value.revision !== this.#host.revisionId)
      return ok("stale");
    const head = await this.#putHead(proposal, shardEntry(part.value, proposal.sha256));
    if (head === null || this.isStale(proposal)) return ok("stale");
    if (!collector.spare(key)) return fail(BEING_DELETED);
    parts.keep(proposal.sha256, stored.bytes, part.value);
    this.adopt(head);
    return ok("committed");
  }

  isStale({ incarnation, headVersion }: Pick<HeadProposal, "incarnation" | "headVersion">): boolean {
    const state = this.#host.state();
    if (state.erasing !== null || state.redaction !== null) return true;
    return state.incarnation !== incarnation || state.head.version !== headVersion;
  }

  /**
   * Puts the next head, create-only. A version that exists was put by an instance that ended before it adopted it: the
   * next free number is taken, since only the adopted head counts. null when the shard does not fit the head any more.
   */
  async #putHead(proposal: HeadProposal, entry: ShardEntry): Promise<Head | null> {
    const { ports, revisionId } = this.#host;
    const { head: before, last } = this.#host.state();
    const { incarnation, headVersion, replaces } = proposal;
    const change = { incarnation, revision: revisionId, baseVersion: headVersion, replaces, shards: [entry] };
    const applied = applyHead(before, change, last);
    if (!applied.ok) return null;
    for (let { version } = applied.value; ; version += 1) {
      const head: Head = { ...applied.value, version, ...redactedOf(this.#host.state()) };
      if (await ports.store.create(headKey(ports.scope.entity, version), storedBytes(storedHead(head)))) return head;
      if (this.isStale(proposal)) return null;
    }
  }

  /** One transaction: the head, the end of the tail that it covers, and what else changes with it. */
  adopt(head: Head, change: Partial<EntityState> = {}): void {
    const { ports } = this.#host;
    const state = this.#host.state();
    const tail = this.#host.tail();
    const clean = head.covered >= state.last;
    const lost = state.lost.filter(({ sha256 }) => head.shards.some((shard) => shard.sha256 === sha256));
    const nowMs = ports.clock.now();
    const next: EntityState = {
      ...state,
      head,
      attempted: null,
      alone: null,
      lost,
      compact: state.compact && planCompaction(head.shards) !== null,
      collection: littered(state.collection, nowMs),
      lastNudgeMs: 0,
      lastIndexedMs: nowMs,
      dirtySinceMs: clean
        ? null
        : (tail.entries.find(({ facts }) => facts.commit > head.covered)?.facts.arrivalMs ?? nowMs),
      ...change,
    };
    ports.tables.transaction(() => {
      ports.tables.tail.drop(head.covered);
      this.#host.collector.spareHead(head);
      this.#host.write(next);
    });
    this.#host.parts.dropCopies(() => wholeHead(this.#host.state()));
    tail.truncate(head.covered);
    this.#host.parts.forgetAllBut(head);
  }

  /** Not while shards are lost or redacted: what reads the store by itself may have them from elsewhere. */
  hintDue(): boolean {
    const { hint, head, lost, redaction } = this.#host.state();
    return head.covered > 0 && hint.version < head.version && redaction === null && lost.length === 0;
  }

  /** `head.json`, at most once in HEAD_HINT_INTERVAL_MS. It is a hint: until it is written, readers find an older head. */
  async refreshHint(): Promise<void> {
    const { ports } = this.#host;
    const { head, hint } = this.#host.state();
    const nowMs = ports.clock.now();
    if (!this.hintDue() || passedMs(hint.writtenMs, nowMs) < HEAD_HINT_INTERVAL_MS) return;
    const { version, incarnation } = head;
    const record = storedHeadHint({ version, incarnation, confirmedAt: this.#seenThroughMs(nowMs) });
    await ports.store.put(headHintKey(ports.scope.entity), storedBytes(record));
    if (this.#host.state().incarnation === incarnation) this.#save({ hint: { version, writtenMs: nowMs } });
  }

  /** What was acknowledged before then is in the head: what waits arrived later. */
  #seenThroughMs(nowMs: number): number {
    const [waiting] = this.#host.tail().entries;
    return waiting === undefined ? nowMs : Math.min(nowMs, waiting.facts.arrivalMs);
  }

  /** Whoever was given the work that begins at `from` is still at it. */
  renew(from: number): void {
    const { attempted, collection } = this.#host.state();
    if (attempted?.from !== from || attempted.handedOutMs === null) return;
    const nowMs = this.#host.ports.clock.now();
    if (isFresh(attempted, this.#lease()) && collection.litteredMs !== null) return;
    this.#save({ attempted: { ...attempted, handedOutMs: nowMs }, collection: littered(collection, nowMs) });
  }

  /**
   * An attempt failed. `deferred`: it had to wait for something else, and does not count.
   * True when less is asked for now.
   */
  failed(from: number, error: string, deferred: boolean): boolean {
    const { attempted } = this.#host.state();
    if (attempted?.from !== from) return false;
    if (!deferred && this.#makeSmaller()) return true;
    this.#save({ attempted: reported(attempted, error, deferred) });
    return false;
  }

  unseal(): void {
    this.#save({ ...NO_ATTEMPTS, lastNudgeMs: 0 });
  }

  /** Asks for all shards to be merged into as few as fit. False when there is nothing to merge. */
  compact(): boolean {
    if (planCompaction(this.#wholeAtEnd()) === null) return false;
    this.#save({ compact: true, lastNudgeMs: 0 });
    return true;
  }
}

/**
 * The next work. What was begun before and has not succeeded is asked for again as it was, whatever was appended
 * meanwhile: what its builder left behind is of use only for the same commits.
 */
function planAgain(
  shards: Head["shards"],
  tail: readonly TailCommit[],
  attempted: AttemptedWork | null,
  bounds: WorkBounds,
): PlannedWork | null {
  const plan = planWork(shards, tail, bounds);
  if (plan === null || attempted?.from !== plan.from || attempted.to >= plan.to) return plan;
  const before = tail.filter(({ commit }) => commit <= attempted.to);
  const again = planWork(shards, before, bounds);
  return again?.from === plan.from ? again : plan;
}
