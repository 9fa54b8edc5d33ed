/**
 * Plans index work: which commits become a shard next, and which shards at the end of the head it replaces.
 *
 * The shards are a log-structured merge tree over commit ranges. A plan takes the tail and may absorb shards from the
 * end of the head, never from its middle, so ranges stay contiguous:
 *
 *     [ 1 … 800 ][ 801 … 1600 ][ 1601 … 1700 ]  tail 1701 … 1720
 *                               ╰────── small, absorbed ──────╯   → [ 1601 … 1720 ]
 *
 * Tiers are powers of SHARD_FANOUT from SHARD_SMALL_BYTES on. A small shard is always absorbed; shards of one tier are
 * absorbed together once they would be SHARD_FANOUT with the new one. So n small commits lie in O(log n) shards, and a
 * commit is rewritten O(log n) times after it has left the small one. Nothing is planned to be more than one shard and
 * one builder can hold (build_load.ts).
 */
import { BUILD_COMMITS_MAX, BUILD_RAW_BYTES_MAX, SHARD_FANOUT, SHARD_SMALL_BYTES } from "../limits.ts";
import { type BuildLoad, isBuildable, loadOfShard, NO_LOAD, type ShardSize, together } from "./build_load.ts";

export interface ShardRange extends ShardSize {
  readonly from: number;
  readonly to: number;
}

export interface TailCommit {
  readonly commit: number;
  readonly rawBytes: number;
  readonly load: BuildLoad;
}

export interface PlannedWork {
  readonly from: number;
  readonly to: number;
  /** Shards at the end of the head whose place the new one takes. */
  readonly replaces: number;
}

/** What earlier work that could not be done leaves to be tried. */
export interface WorkBounds {
  /** So many commits at the most, and no shard to absorb; null: as many as fit. */
  readonly commitsMax: number | null;
  /** Shards up to this commit are not absorbed any more: it failed. */
  readonly unabsorbed: number;
  /** Shards of so many bytes wait to be absorbed, and so do those before them; null: none has to wait. */
  readonly heavyBytes: number | null;
}

/**
 * The next piece of work, or null when there is no tail.
 * @param shards tile commits 1..c
 * @param tail commits c+1..s, in order
 */
export function planWork(
  shards: readonly ShardRange[],
  tail: readonly TailCommit[],
  { commitsMax, unabsorbed, heavyBytes }: WorkBounds,
): PlannedWork | null {
  const covered = shards.at(-1)?.to ?? 0;
  if (tail.some(({ commit }, index) => commit !== covered + 1 + index)) throw new Error("the tail follows the shards");
  const taken = tail.slice(0, takeable(tail.slice(0, commitsMax ?? BUILD_COMMITS_MAX)));
  const last = taken.at(-1);
  if (last === undefined) return null;
  const mayBeAbsorbed = ({ from, bytes }: ShardRange) =>
    from > unabsorbed && (heavyBytes === null || bytes < heavyBytes);
  const open = shards.slice(shards.length - trailingWhile(shards, mayBeAbsorbed));
  const replaces = commitsMax === null ? absorbable(open, loadOf(taken)) : 0;
  const absorbed = shards.slice(shards.length - replaces);
  return { from: absorbed[0]?.from ?? covered + 1, to: last.commit, replaces };
}

/** Merges shards at the end of the head into one, as many as fit; null when there are not two that do. */
export function planCompaction(shards: readonly ShardRange[]): PlannedWork | null {
  const replaces = fitting(shards, NO_LOAD);
  const merged = shards.slice(shards.length - replaces);
  const [first, last] = [merged[0], merged.at(-1)];
  if (first === undefined || last === undefined || replaces < 2) return null;
  return { from: first.from, to: last.to, replaces };
}

/** How many of the first commits one build takes: at least one, since a commit is never split. */
function takeable(commits: readonly TailCommit[]): number {
  let rawBytes = 0;
  let load = NO_LOAD;
  let taken = 0;
  for (const commit of commits) {
    rawBytes += commit.rawBytes;
    load = together(load, commit.load);
    if (taken > 0 && (rawBytes > BUILD_RAW_BYTES_MAX || !isBuildable(load))) break;
    taken++;
  }
  return taken;
}

/** How many shards at the end of the head the new one takes in. */
function absorbable(shards: readonly ShardRange[], tail: BuildLoad): number {
  let load = tail;
  let count = 0;
  for (;;) {
    const left = shards.slice(0, shards.length - count);
    const tier = tierOf(load.bytes);
    const alike = trailingWhile(left, (shard) => tierOf(shard.bytes) <= tier);
    const last = left.at(-1);
    const isSmall = last !== undefined && tierOf(last.bytes) === 0;
    const wanted = alike + 1 >= SHARD_FANOUT ? alike : Number(isSmall);
    const more = fitting(left.slice(left.length - wanted), load);
    if (more === 0) return count;
    count += more;
    load = left
      .slice(left.length - more)
      .map(loadOfShard)
      .reduce(together, load);
  }
}

/** How many of the last shards can be built into one together with `load`. */
function fitting(shards: readonly ShardRange[], load: BuildLoad): number {
  let sum = load;
  return trailingWhile(shards, (shard) => {
    sum = together(sum, loadOfShard(shard));
    return isBuildable(sum);
  });
}

/** 0 for a small shard, then one more for each power of the fan-out. */
function tierOf(bytes: number): number {
  let tier = 0;
  for (let end = SHARD_SMALL_BYTES; bytes >= end; end *= SHARD_FANOUT) tier++;
  return tier;
}

function trailingWhile(shards: readonly ShardRange[], accept: (shard: ShardRange) => boolean): number {
  let count = 0;
  for (let index = shards.length - 1; index >= 0; index--) {
    const shard = shards[index];
    if (shard === undefined || !accept(shard)) break;
    count++;
  }
  return count;
}

function loadOf(commits: readonly TailCommit[]): BuildLoad {
  return commits.map(({ load }) => load).reduce(together, NO_LOAD);
}
