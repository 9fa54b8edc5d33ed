/**
 * The index side of an entity: what is to be built, and which shards are the head.
 *
 * Invariants
 *   - Only this class commits heads. A proposal on another head than the current one is stale and is discarded.
 *   - A head is adopted, and the tail truncated, in one transaction, after its shard was read back and verified.
 *   - Failed work is counted; after WORK_ATTEMPTS_MAX it is sealed: shown in status, not handed out until unsealed.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import { isDue } from "../../core/index/debt.ts";
import { applyHead, shardEntry } from "../../core/index/head.ts";
import type { Revision } from "../../core/index/part.ts";
import { planCompaction, planWork } from "../../core/index/work.ts";
import { HEAD_HINT_INTERVAL_MS, WORK_ATTEMPTS_MAX } from "../../core/limits.ts";
import { headHintKey, headKey, shardKey } from "../../core/log/keys.ts";
import type { HeadOutcome, HeadProposal, IndexWork } from "../../core/rpc.ts";
import { type Head, type ShardEntry, storedBytes, storedHead, storedHeadHint } from "../../core/schema/stored.ts";
import type { EntityParts } from "./entity_parts.ts";
import type { EntityPorts } from "./ports.ts";
import type { EntityState } from "./state.ts";
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
    const { failed, head, compact, erasing } = this.#host.state();
    if (erasing !== null || failed?.sealed === true) return null;
    if (compact) return this.#work(planCompaction(head.shards));
    if (!this.due()) return null;
    return this.#work(
      planWork(
        head.shards,
        this.#host.tail().entries.map(({ facts }) => facts),
      ),
    );
  }

  #work(plan: ReturnType<typeof planWork>): IndexWork | null {
    if (plan === null) return null;
    const { ports, revision } = this.#host;
    const { incarnation, head } = this.#host.state();
    const facts = this.#host.tail().entries.map((entry) => entry.facts);
    return {
      scope: ports.scope,
      incarnation,
      revision,
      headVersion: head.version,
      from: plan.from,
      to: plan.to,
      replaces: plan.replaces,
      shards: head.shards.slice(head.shards.length - plan.replaces),
      segments: facts.filter(({ commit }) => commit > head.covered && commit <= plan.to),
    };
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
    await this.#writeHint();
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
      failed: null,
      compact: state.compact && planCompaction(head.shards) !== null,
      lastNudgeMs: 0,
      lastIndexedMs: nowMs,
      dirtySinceMs: clean
        ? null
        : (tail.entries.find(({ facts }) => facts.commit > head.covered)?.facts.arrivalMs ?? nowMs),
    };
    ports.tables.transaction(() => {
      ports.tables.dropTail(head.covered);
      ports.tables.keepShards(head.shards.map(({ sha256 }) => sha256));
      this.#host.write(next);
    });
    tail.truncate(head.covered);
  }

  /** `head.json`, at most once in HEAD_HINT_INTERVAL_MS; the alarm writes what was left out. */
  async #writeHint(): Promise<void> {
    const { ports } = this.#host;
    const state = this.#host.state();
    const nowMs = ports.clock.now();
    if (state.hint.version >= state.head.version || nowMs - state.hint.writtenMs < HEAD_HINT_INTERVAL_MS) return;
    const { version, incarnation } = state.head;
    ports.tables.transaction(() => this.#host.write({ ...state, hint: { version, writtenMs: nowMs } }));
    const hint = storedHeadHint({ version, incarnation, confirmedAt: nowMs });
    await ports.store.put(headHintKey(ports.scope.entity), storedBytes(hint));
  }

  hintDue(): boolean {
    const { hint, head } = this.#host.state();
    return head.covered > 0 && hint.version < head.version;
  }

  async refreshHint(): Promise<void> {
    if (this.hintDue()) await this.#writeHint();
  }

  failed(from: number, to: number, error: string): { readonly sealed: boolean } {
    const { ports } = this.#host;
    const state = this.#host.state();
    const same = state.failed !== null && state.failed.from === from;
    const attempts = (same ? (state.failed?.attempts ?? 0) : 0) + 1;
    const sealed = attempts >= WORK_ATTEMPTS_MAX;
    ports.tables.transaction(() => this.#host.write({ ...state, failed: { from, to, attempts, sealed, error } }));
    return { sealed };
  }

  unseal(): void {
    const { ports } = this.#host;
    const state = this.#host.state();
    if (state.failed !== null)
      ports.tables.transaction(() => this.#host.write({ ...state, failed: null, lastNudgeMs: 0 }));
  }

  /** Asks for all shards to be merged into as few as fit. False when there is nothing to merge. */
  compact(): boolean {
    const { ports } = this.#host;
    const state = this.#host.state();
    if (planCompaction(state.head.shards) === null) return false;
    ports.tables.transaction(() => this.#host.write({ ...state, compact: true, lastNudgeMs: 0 }));
    return true;
  }
}
