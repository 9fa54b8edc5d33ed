/**
 * Builds shards anew from segments, beside the head that is in use, to take the place of its shards over the same commits:
 * of all of them, or of one range whose shard was lost.
 *
 *     head       [ 1 … 900 ][ 901 … 1600 ][ 1601 … 1700 ]  tail      answers, and goes on growing
 *     rebuilt    [ 1 … 700 ][ 701 … 800 ]→                           when it reaches 1700: one transaction swaps
 *
 * Invariants
 *   - Of the log there is never more in memory than the segments of one build have facts.
 *   - What is under construction is state: a crash at any point costs the build that was under way.
 *   - Builds are planned as those of the tail are, and so have the same bytes for the same ranges. A range that was one
 *     shard ends as one again, if it fits: then its name is the same, and the put alone mends it.
 *   - A commit that cannot be built seals the rebuild: it is named in `status`, and the head stays as it is.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import type { BuildLoad, LinesSize } from "../../core/index/build_load.ts";
import { shardEntry } from "../../core/index/head.ts";
import type { Part } from "../../core/index/part.ts";
import { type PlannedWork, planCompaction, planWork, type ShardRange } from "../../core/index/work.ts";
import { headKey, parseSegmentKey, shardKey } from "../../core/log/keys.ts";
import type { HeadOutcome, HeadProposal, IndexWork } from "../../core/rpc.ts";
import { type Head, type ShardEntry, storedBytes, storedHead } from "../../core/schema/stored.ts";
import { counted, diedSilently, forgiven, isUnderWay, type Lease, NO_ATTEMPTS, reported, smaller } from "./attempts.ts";
import { BEING_DELETED } from "./collect.ts";
import type { IndexHost } from "./entity_index.ts";
import { SegmentFacts } from "./segment_listing.ts";
import { type EntityState, isReadable, type Rebuilding, redactedOf, type TailCommit, tailAfter } from "./state.ts";

export interface RebuildingHost extends IndexHost {
  /** What building from lines takes, about. */
  loadOf(size: LinesSize): BuildLoad;
  /** Makes `head` the head, in one transaction with `change`. */
  adopt(head: Head, change: Partial<EntityState>): void;
  /** Of the segment of the last commit that a shard holds; null when it is not here. */
  lastDayOf(shard: ShardEntry): number | null;
}

export class EntityRebuilding {
  readonly #host: RebuildingHost;
  readonly #segments: SegmentFacts;

  constructor(host: RebuildingHost) {
    this.#host = host;
    this.#segments = new SegmentFacts(host.ports);
  }

  /** Something is to be rebuilt, and is not sealed. */
  pending(): boolean {
    const { rebuilding, lost } = this.#host.state();
    return rebuilding === null ? lost.length > 0 : rebuilding.attempted?.sealed !== true;
  }

  /** The last commit that is built anew so far, of a rebuild that goes on or was sealed; null: there is none. */
  through(): number | null {
    const { rebuilding } = this.#host.state();
    return rebuilding === null ? null : coveredBy(rebuilding);
  }

  /**
   * Begins to build every shard anew. One that goes on already goes on; one that is sealed, and one of another revision,
   * begin again.
   */
  begin(): void {
    const { rebuilding } = this.#host.state();
    const goesOn = rebuilding?.to === null && rebuilding.attempted?.sealed !== true;
    if (goesOn && rebuilding.revision === this.#host.revisionId) return;
    this.#begin(1, null, null);
  }

  /** After a restart: what must be rebuilt begins, what is under construction for another revision begins again. */
  resume(): void {
    const { rebuilding, head, unread } = this.#host.state();
    const attempted = forgiven(rebuilding?.attempted ?? null, this.#lease());
    if (rebuilding === null && unread > head.covered) this.#begin(1, null, null);
    else if (rebuilding !== null && rebuilding.revision !== this.#host.revisionId)
      this.#begin(rebuilding.from, rebuilding.to, null);
    else if (attempted !== null) this.#note({ attempted });
  }

  /** Segments have changed: what was built of them is of no use. */
  beginAnew(): void {
    const { rebuilding } = this.#host.state();
    if (rebuilding !== null) this.#begin(rebuilding.from, rebuilding.to, null);
  }

  #begin(from: number, to: number | null, dayMs: number | null): void {
    const { head, unread } = this.#host.state();
    const revision = this.#host.revisionId;
    const isBegun = unread > head.covered && head.revision === revision;
    this.#save({ revision, from, to, shards: isBegun ? head.shards : [], dayMs, ...NO_ATTEMPTS });
    this.#segments.forget();
  }

  #save(next: Omit<Rebuilding, "version">): void {
    const state = this.#host.state();
    const version = state.rebuildings + 1;
    this.#host.ports.tables.transaction(() =>
      this.#host.write({ ...state, rebuilding: { ...next, version }, rebuildings: version }),
    );
  }

  /** The same state of what is under construction: only its attempts have changed. */
  #note(change: Partial<Rebuilding>): void {
    const state = this.#host.state();
    if (state.rebuilding === null) return;
    const rebuilding = { ...state.rebuilding, ...change };
    this.#host.ports.tables.transaction(() => this.#host.write({ ...state, rebuilding }));
  }

  // --- planning ---

  async nextWork(): Promise<IndexWork | null> {
    for (;;) {
      const begun = this.#begun();
      if (begun === null || begun.attempted?.sealed === true) return null;
      if (diedSilently(begun.attempted, this.#lease())) this.#makeSmaller(begun);
      const plan = await this.#plan();
      if (plan === "swapped") continue;
      const now = this.#host.state().rebuilding;
      if (plan === null || now?.version !== plan.version) return null;
      return isUnderWay(now.attempted, plan.work.from, this.#lease()) ? null : this.#handOut(now, plan);
    }
  }

  /** What goes on; else the first shard that was lost begins to be rebuilt. */
  #begun(): Rebuilding | null {
    const { erasing, rebuilding, lost } = this.#host.state();
    if (erasing !== null) return null;
    const [first] = lost;
    if (rebuilding === null && first !== undefined) this.#begin(first.from, first.to, this.#dayBefore(first.from));
    return this.#host.state().rebuilding;
  }

  /** Commits of the head that come before a range lie under no later day than its last of them. */
  #dayBefore(from: number): number | null {
    const { head } = this.#host.state();
    const before = head.shards.find(({ to }) => to === from - 1);
    return before === undefined ? null : this.#host.lastDayOf(before);
  }

  async #plan(): Promise<Planned | "swapped" | null> {
    const rebuilding = this.#host.state().rebuilding;
    if (rebuilding === null) return null;
    const { version } = rebuilding;
    const covered = coveredBy(rebuilding);
    if (covered >= this.#goal(rebuilding)) return this.#planEnd(rebuilding);
    const days = this.#days(rebuilding);
    const found = await this.#segments.after(covered, this.#goal(rebuilding), days);
    const now = this.#host.state().rebuilding;
    if (now?.version !== version) return null;
    const [commit] = found.commits;
    if (commit === undefined) {
      this.#seal(covered + 1, found.damage);
      return null;
    }
    const work = this.#planCommits(now, found.commits);
    return work && { version, work, segments: found.commits.filter((one) => one.commit <= work.to) };
  }

  /** How far it has to come before it can take the place of what the head has. */
  #goal({ to }: Rebuilding): number {
    return to ?? tailAfter(this.#host.state());
  }

  #days(rebuilding: Rebuilding) {
    const { incarnation, lastDayMs } = this.#host.state();
    return { incarnation, firstDayMs: rebuilding.dayMs, lastDayMs };
  }

  #planCommits(rebuilding: Rebuilding, commits: readonly TailCommit[]): PlannedWork | null {
    const { from, shards, alone, unabsorbed, attempted } = rebuilding;
    const tail = commits.map((commit) => ({ ...commit, load: this.#host.loadOf(commit) }));
    const before = from === 1 ? shards : [standIn(from - 1), ...shards];
    const bounds = { commitsMax: alone, unabsorbed: Math.max(unabsorbed, from - 1), heavyBytes: null };
    const plan = planWork(before, tail, bounds);
    if (plan === null || attempted?.from !== plan.from || attempted.to >= plan.to) return plan;
    // What was begun is asked for again as it was, whatever the head covers by now.
    const again = planWork(
      before,
      tail.filter(({ commit }) => commit <= attempted.to),
      bounds,
    );
    return again?.from === plan.from ? again : plan;
  }

  /** All commits are there. What was one shard becomes one again, then it takes its place. */
  async #planEnd(rebuilding: Rebuilding): Promise<Planned | "swapped" | null> {
    const merges = rebuilding.to !== null && rebuilding.alone === null && rebuilding.unabsorbed === 0;
    const work = merges ? planCompaction(rebuilding.shards) : null;
    if (work !== null) return { version: rebuilding.version, work, segments: [] };
    return (await this.#swap()) ? "swapped" : null;
  }

  #handOut(now: Rebuilding, { work, segments }: Planned): IndexWork | null {
    const attempted = counted(now.attempted, work.from, work.to, this.#host.ports.clock.now());
    this.#note({ attempted });
    if (attempted.sealed) return null;
    return {
      scope: this.#host.ports.scope,
      purpose: "rebuild",
      incarnation: this.#host.state().incarnation,
      revision: this.#host.revision,
      headVersion: now.version,
      from: work.from,
      to: work.to,
      replaces: work.replaces,
      shards: now.shards.slice(now.shards.length - work.replaces),
      segments,
    };
  }

  // --- attempts ---

  #lease(): Lease {
    const { clock, settings } = this.#host.ports;
    return { nowMs: clock.now(), leaseMs: settings.nudgeRetryMs };
  }

  #seal(commit: number, damage: string | null): void {
    const error = damage === null ? null : `A stored object is not what was written: ${damage}.`;
    const attempted = counted(null, commit, commit, this.#host.ports.clock.now());
    this.#note({ attempted: { ...attempted, error, handedOutMs: null, sealed: true } });
    this.#segments.forget();
  }

  #makeSmaller(rebuilding: Rebuilding): boolean {
    const less = smaller(rebuilding, coveredBy(rebuilding));
    // A merge that fails is left: as many shards as there are take the place.
    const merged = rebuilding.attempted?.to === coveredBy(rebuilding) && rebuilding.shards.length > 1;
    if (less === null && !merged) return false;
    this.#note(less ?? { attempted: null, unabsorbed: coveredBy(rebuilding) });
    return true;
  }

  renew(from: number): void {
    const attempted = this.#host.state().rebuilding?.attempted;
    if (attempted?.from !== from || attempted.handedOutMs === null) return;
    this.#note({ attempted: { ...attempted, handedOutMs: this.#host.ports.clock.now() } });
  }

  /** True when less is asked for now. */
  failed(from: number, error: string, deferred: boolean): boolean {
    const { rebuilding } = this.#host.state();
    const attempted = rebuilding?.attempted;
    if (rebuilding === null || attempted?.from !== from) return false;
    if (!deferred && this.#makeSmaller(rebuilding)) return true;
    this.#note({ attempted: reported(attempted, error, deferred) });
    return false;
  }

  unseal(): void {
    this.#note(NO_ATTEMPTS);
    this.#segments.forget();
  }

  // --- taking what was built ---

  async propose(proposal: HeadProposal): Promise<Result<HeadOutcome>> {
    const { ports, parts } = this.#host;
    if (this.isStale(proposal.incarnation, proposal.headVersion)) return ok("stale");
    const key = shardKey(ports.scope.entity, proposal.sha256);
    if (!this.#host.collector.spare(key)) return fail(BEING_DELETED);
    const stored = await ports.store.get(key);
    if (stored === null) return fail({ reason: "corrupt", what: `${key}: it is missing` });
    const part = parts.verify(proposal.sha256, stored.bytes);
    if (!part.ok) return part;
    const { rebuilding } = this.#host.state();
    if (rebuilding === null || this.isStale(proposal.incarnation, proposal.headVersion)) return ok("stale");
    if (part.value.incarnation !== proposal.incarnation || part.value.revision !== this.#host.revisionId)
      return ok("stale");
    const shards = extended(
      rebuilding,
      proposal.replaces,
      shardEntry(part.value, proposal.sha256),
      this.#goal(rebuilding),
    );
    if (shards === null) return ok("stale");
    const unabsorbed = rebuilding.unabsorbed;
    this.#save({ ...rebuilding, shards, dayMs: lastDayOf(part.value) ?? rebuilding.dayMs, ...NO_ATTEMPTS, unabsorbed });
    return ok("committed");
  }

  isStale(incarnation: number, version: number): boolean {
    const state = this.#host.state();
    if (state.erasing !== null || state.redaction !== null) return true;
    return state.incarnation !== incarnation || state.rebuilding?.version !== version;
  }

  /** What was built takes its place in the head, which is put first, create-only, as every head is. */
  async #swap(): Promise<boolean> {
    const { ports, revisionId } = this.#host;
    const before = this.#host.state();
    const { rebuilding, head, incarnation } = before;
    if (rebuilding === null) return false;
    const shards = spliced(before, rebuilding);
    if (shards === null || (sameShards(shards, head.shards) && isReadable(before, revisionId))) {
      // Either the puts have mended what was lost, and the head says the same; or it has nothing there any more.
      ports.tables.transaction(() => this.#host.write({ ...before, ...settled(before, rebuilding) }));
      return true;
    }
    const covered = shards.at(-1)?.to ?? 0;
    for (let version = head.version + 1; ; version += 1) {
      const next: Head = { version, incarnation, revision: revisionId, covered, shards, ...redactedOf(before) };
      const created = await ports.store.create(headKey(ports.scope.entity, version), storedBytes(storedHead(next)));
      const now = this.#host.state();
      if (now.head !== head || this.isStale(incarnation, rebuilding.version)) return false;
      if (!created) continue;
      this.#host.adopt(next, settled(now, rebuilding));
      return true;
    }
  }
}

interface Planned {
  /** Of the state of what is under construction that it was planned on. */
  readonly version: number;
  readonly work: PlannedWork;
  readonly segments: readonly TailCommit[];
}

function coveredBy({ shards, from }: Rebuilding): number {
  return shards.at(-1)?.to ?? from - 1;
}

/** What stands before a range is no matter of it: nothing of that is absorbed. */
function standIn(to: number): ShardRange {
  return { from: 1, to, bytes: 0, chunks: 0, vectorBytes: 0 };
}

/** null when the shard does not go on where the others end, or goes too far. */
function extended(
  { shards, from }: Rebuilding,
  replaces: number,
  entry: ShardEntry,
  goal: number,
): readonly ShardEntry[] | null {
  if (!Number.isInteger(replaces) || replaces < 0 || replaces > shards.length) return null;
  const kept = shards.slice(0, shards.length - replaces);
  const covered = shards.at(-1)?.to ?? from - 1;
  if (entry.from !== (kept.at(-1)?.to ?? from - 1) + 1 || entry.to < covered || entry.to > goal) return null;
  return [...kept, entry];
}

/** The head's shards with those that were built in their place; null when the two do not fit together any more. */
function spliced({ head, unread }: EntityState, rebuilding: Rebuilding): readonly ShardEntry[] | null {
  const { from, to, shards } = rebuilding;
  if (to === null) return coveredBy(rebuilding) >= Math.max(head.covered, unread) ? shards : null;
  const before = head.shards.filter((shard) => shard.to < from);
  const after = head.shards.filter((shard) => shard.from > to);
  const replaced = head.shards.slice(before.length, head.shards.length - after.length);
  const fits = replaced[0]?.from === from && replaced.at(-1)?.to === to && coveredBy(rebuilding) === to;
  return fits ? [...before, ...shards, ...after] : null;
}

function sameShards(a: readonly ShardEntry[], b: readonly ShardEntry[]): boolean {
  return a.length === b.length && a.every(({ sha256 }, index) => sha256 === b[index]?.sha256);
}

/** What is left to do afterwards. Work at the end of the head is another matter, unless all of the head is another. */
function settled(state: EntityState, { from, to }: Rebuilding): Partial<EntityState> {
  if (to === null) return { rebuilding: null, lost: [], unread: 0, ...NO_ATTEMPTS };
  const lost = state.lost.filter((shard) => shard.from > to || shard.to < from);
  const { attempted, alone, unabsorbed } = state;
  return { rebuilding: null, lost, attempted, alone, unabsorbed };
}

/** Midnight UTC of the day under which the last commit of a part lies. */
export function lastDayOf(part: Part): number | null {
  const segment = part.commits.at(-1)?.segment;
  return (segment === undefined ? null : parseSegmentKey(segment)?.dayMs) ?? null;
}
