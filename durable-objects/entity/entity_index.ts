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
import {
  HEAD_HINT_INTERVAL_MS,
  MERGE_HEAVY_BYTES_MIN,
  REMOTE_DIMENSIONS_ASSUMED,
  WORK_ATTEMPTS_MAX,
  WORK_FORGIVEN_MAX,
  WORK_SILENT_ATTEMPTS_MAX,
} from "../../core/limits.ts";
import { headHintKey, headKey, shardKey } from "../../core/log/keys.ts";
import type { HeadOutcome, HeadProposal, IndexWork } from "../../core/rpc.ts";
import { type Head, type ShardEntry, storedBytes, storedHead, storedHeadHint } from "../../core/schema/stored.ts";
import type { EntityParts } from "./entity_parts.ts";
import type { EntityPorts } from "./ports.ts";
import type { AttemptedWork, EntityState, TailCommit as LinesOfCommit } from "./state.ts";
import type { Tail } from "./tail.ts";

export interface IndexHost {
  readonly ports: EntityPorts;
  readonly parts: EntityParts;
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
    const ageMs = dirtySinceMs === null ? 0 : ports.clock.now() - dirtySinceMs;
    return isDue({ events: tail.lines, bytes: tail.rawBytes, ageMs }, ports.settings);
  }

  nextWork(): IndexWork | null {
    const { attempted, compact, head, erasing } = this.#host.state();
    if (erasing !== null || attempted?.sealed === true) return null;
    // A wish that fits nothing any more does not hold up the tail.
    const merge = compact ? planCompaction(head.shards) : null;
    if (compact && merge === null) this.#save({ compact: false });
    const merging = merge !== null && this.#mayMerge();
    if (!merging && !this.due()) return null;
    if (this.#diedSilently()) this.#makeSmaller();
    const facts = this.#host.tail().entries.map((entry) => entry.facts);
    const plan = merging ? merge : this.#planTail(facts);
    if (plan === null || this.#isUnderWay(plan.from)) return null;
    if (this.#count(plan.from, plan.to).sealed) {
      // Merging is a wish: what cannot be merged is left as it is, and does not hold up the tail.
      if (merging) this.#save({ attempted: null, compact: false });
      return null;
    }
    return {
      scope: this.#host.ports.scope,
      incarnation: head.incarnation,
      revision: this.#host.revision,
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
    return planAgain(head.shards, tail, attempted, { commitsMax: alone, unabsorbed, heavyBytes });
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

  /** Counts an attempt at work that begins at `from`: what is appended meanwhile only moves its end. */
  #count(from: number, to: number): AttemptedWork {
    const before = this.#host.state().attempted;
    const known = before?.from === from ? before : null;
    const attempts = (known?.attempts ?? 0) + 1;
    const error = known?.error ?? null;
    const handedOutMs = this.#host.ports.clock.now();
    const forgiven = known?.forgiven ?? 0;
    const attempted = {
      from,
      to,
      attempts,
      forgiven,
      error,
      handedOutMs,
      sealed: attempts > WORK_ATTEMPTS_MAX,
    };
    this.#save({ attempted });
    return attempted;
  }

  /**
   * The object was restarted. An attempt that had time left may have ended with it, and says nothing of the work; one
   * whose time was up had its chance.
   */
  forgiveRestart(): void {
    const { attempted } = this.#host.state();
    if (attempted === null || !this.#isUnderWay(attempted.from) || attempted.forgiven >= WORK_FORGIVEN_MAX) return;
    const { attempts, forgiven } = attempted;
    this.#save({ attempted: { ...attempted, attempts: attempts - 1, forgiven: forgiven + 1, handedOutMs: null } });
  }

  /** Whoever was given the work has let its time pass again and again, and may have died of it. */
  #diedSilently(): boolean {
    const { attempted } = this.#host.state();
    if (attempted === null || attempted.handedOutMs === null || this.#isUnderWay(attempted.from)) return false;
    return attempted.attempts >= WORK_SILENT_ATTEMPTS_MAX;
  }

  /** Asks for half the commits of the tail that were attempted, and for no shards. False when there is no less. */
  #makeSmaller(): boolean {
    const { attempted, head } = this.#host.state();
    const commits = attempted === null ? 0 : attempted.to - head.covered;
    const absorbs = attempted !== null && attempted.from <= head.covered;
    if (commits < 1 || (commits === 1 && !absorbs)) return false;
    const unabsorbed = absorbs ? head.covered : this.#host.state().unabsorbed;
    this.#save({ attempted: null, alone: Math.max(1, Math.floor(commits / 2)), unabsorbed });
    return true;
  }

  /** Somebody was given this work, has not reported back, and may still be at it: a second nudge is not a failure. */
  #isUnderWay(from: number): boolean {
    const { attempted } = this.#host.state();
    const { clock, settings } = this.#host.ports;
    if (attempted?.from !== from || attempted.handedOutMs === null) return false;
    return clock.now() - attempted.handedOutMs < settings.nudgeRetryMs;
  }

  #save(change: Partial<EntityState>): void {
    this.#host.ports.tables.transaction(() => this.#host.write({ ...this.#host.state(), ...change }));
  }

  async propose(proposal: HeadProposal): Promise<Result<HeadOutcome>> {
    const { ports, parts } = this.#host;
    if (this.#stale(proposal)) return ok("stale");
    const key = shardKey(ports.scope.entity, proposal.sha256);
    const stored = await ports.store.get(key);
    if (stored === null) return fail({ reason: "corrupt", what: `${key}: it is missing` });
    const part = parts.verify(proposal.sha256, stored.bytes);
    if (!part.ok) return part;
    if (part.value.incarnation !== proposal.incarnation || part.value.revision !== this.#host.revisionId)
      return ok("stale");
    const head = await this.#putHead(proposal, shardEntry(part.value, proposal.sha256));
    if (head === null || this.#stale(proposal)) return ok("stale");
    parts.keep(proposal.sha256, stored.bytes, part.value);
    this.#adopt(head);
    return ok("committed");
  }

  #stale({ incarnation, headVersion }: HeadProposal): boolean {
    const state = this.#host.state();
    return state.erasing !== null || state.incarnation !== incarnation || state.head.version !== headVersion;
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
      const head: Head = { ...applied.value, version };
      if (await ports.store.create(headKey(ports.scope.entity, version), storedBytes(storedHead(head)))) return head;
      if (this.#stale(proposal)) return null;
    }
  }

  #adopt(head: Head): void {
    const { ports } = this.#host;
    const state = this.#host.state();
    const tail = this.#host.tail();
    const clean = head.covered >= state.last;
    const nowMs = ports.clock.now();
    const next: EntityState = {
      ...state,
      head,
      attempted: null,
      alone: null,
      compact: state.compact && planCompaction(head.shards) !== null,
      lastNudgeMs: 0,
      lastIndexedMs: nowMs,
      dirtySinceMs: clean
        ? null
        : (tail.entries.find(({ facts }) => facts.commit > head.covered)?.facts.arrivalMs ?? nowMs),
    };
    ports.tables.transaction(() => {
      ports.tables.dropTail(head.covered);
      this.#host.write(next);
    });
    this.#host.parts.dropCopies(() => this.#host.state().head);
    tail.truncate(head.covered);
    this.#host.parts.forgetAllBut(head);
  }

  hintDue(): boolean {
    const { hint, head } = this.#host.state();
    return head.covered > 0 && hint.version < head.version;
  }

  /** `head.json`, at most once in HEAD_HINT_INTERVAL_MS. It is a hint: until it is written, readers find an older head. */
  async refreshHint(): Promise<void> {
    const { ports } = this.#host;
    const { head, hint } = this.#host.state();
    const nowMs = ports.clock.now();
    if (!this.hintDue() || nowMs - hint.writtenMs < HEAD_HINT_INTERVAL_MS) return;
    const { version, incarnation } = head;
    const record = storedHeadHint({ version, incarnation, confirmedAt: nowMs });
    await ports.store.put(headHintKey(ports.scope.entity), storedBytes(record));
    if (this.#host.state().incarnation === incarnation) this.#save({ hint: { version, writtenMs: nowMs } });
  }

  /** Whoever was given the work that begins at `from` is still at it. */
  renew(from: number): void {
    const { attempted } = this.#host.state();
    if (attempted?.from !== from || attempted.handedOutMs === null) return;
    this.#save({ attempted: { ...attempted, handedOutMs: this.#host.ports.clock.now() } });
  }

  /**
   * An attempt failed. `deferred`: it had to wait for something else, and does not count.
   * True when less is asked for now.
   */
  failed(from: number, error: string, deferred: boolean): boolean {
    const { attempted } = this.#host.state();
    if (attempted?.from !== from) return false;
    if (!deferred && this.#makeSmaller()) return true;
    this.#save({
      attempted: { ...attempted, error, handedOutMs: null, attempts: attempted.attempts - Number(deferred) },
    });
    return false;
  }

  unseal(): void {
    this.#save({ attempted: null, alone: null, unabsorbed: 0, lastNudgeMs: 0 });
  }

  /** Asks for all shards to be merged into as few as fit. False when there is nothing to merge. */
  compact(): boolean {
    if (planCompaction(this.#host.state().head.shards) === null) return false;
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
