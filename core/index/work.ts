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
 * commit is rewritten O(log n) times after it has left the small one.
 */
import { BUILD_COMMITS_MAX, BUILD_RAW_BYTES_MAX, MERGE_BYTES_MAX, SHARD_FANOUT, SHARD_SMALL_BYTES } from "../limits.ts";

export interface ShardRange {
  readonly from: number;
  readonly to: number;
  readonly sha256: string;
  readonly bytes: number;
}

export interface TailCommit {
  readonly commit: number;
  readonly segment: string;
  /** Of its lines: what its share of a shard is estimated by. */
  readonly rawBytes: number;
}

export interface SegmentName {
  readonly commit: number;
  readonly segment: string;
}

export interface IndexWork {
  readonly from: number;
  readonly to: number;
  /** In ledger order: shards first, then segments. */
  readonly inputs: { readonly shards: readonly string[]; readonly segments: readonly SegmentName[] };
  /** Shards at the end of the head whose place the new one takes. */
  readonly replaces: number;
}

/**
 * The next piece of work, or null when there is no tail.
 * @param shards tile commits 1..c
 * @param tail commits c+1..s, in order
 */
export function planWork(shards: readonly ShardRange[], tail: readonly TailCommit[]): IndexWork | null {
  const covered = shards.at(-1)?.to ?? 0;
  if (tail.some(({ commit }, index) => commit !== covered + 1 + index)) throw new Error("the tail follows the shards");
  const taken = tail.slice(0, takeable(tail));
  const last = taken.at(-1);
  if (last === undefined) return null;
  const replaces = absorbable(shards, rawBytesOf(taken));
  const absorbed = shards.slice(shards.length - replaces);
  return {
    from: absorbed[0]?.from ?? covered + 1,
    to: last.commit,
    inputs: {
      shards: absorbed.map(({ sha256 }) => sha256),
      segments: taken.map(({ commit, segment }) => ({ commit, segment })),
    },
    replaces,
  };
}

/** Merges shards at the end of the head into one, as many as fit; null when there are not two that do. */
export function planCompaction(shards: readonly ShardRange[]): IndexWork | null {
  let room = MERGE_BYTES_MAX;
  const replaces = trailingWhile(shards, (shard) => {
    room -= shard.bytes;
    return room >= 0;
  });
  const merged = shards.slice(shards.length - replaces);
  const [first, last] = [merged[0], merged.at(-1)];
  if (first === undefined || last === undefined || replaces < 2) return null;
  return {
    from: first.from,
    to: last.to,
    inputs: { shards: merged.map(({ sha256 }) => sha256), segments: [] },
    replaces,
  };
}

/** How many of the first commits one build takes: at least one, since a commit is never split. */
function takeable(commits: readonly TailCommit[]): number {
  let rawBytes = 0;
  let taken = 0;
  for (const commit of commits) {
    rawBytes += commit.rawBytes;
    if (taken === BUILD_COMMITS_MAX || (taken > 0 && rawBytes > BUILD_RAW_BYTES_MAX)) break;
    taken++;
  }
  return taken;
}

/** How many shards at the end of the head the new one takes in. */
function absorbable(shards: readonly ShardRange[], tailBytes: number): number {
  let bytes = tailBytes;
  let count = 0;
  for (;;) {
    const left = shards.slice(0, shards.length - count);
    const alike = trailingWhile(left, (shard) => tierOf(shard.bytes) <= tierOf(bytes));
    const wanted = alike + 1 >= SHARD_FANOUT ? alike : Number(tierOf(left.at(-1)?.bytes ?? MERGE_BYTES_MAX) === 0);
    let room = MERGE_BYTES_MAX - bytes;
    const fitting = trailingWhile(left.slice(left.length - wanted), (shard) => {
      room -= shard.bytes;
      return room >= 0;
    });
    if (fitting === 0) return count;
    count += fitting;
    bytes += sizeOf(left.slice(left.length - fitting));
  }
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

function rawBytesOf(commits: readonly TailCommit[]): number {
  return commits.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
}

function sizeOf(shards: readonly ShardRange[]): number {
  return shards.reduce((sum, { bytes }) => sum + bytes, 0);
}
