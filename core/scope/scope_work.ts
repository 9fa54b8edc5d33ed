/**
 * Plans the shards of a layer of a tenant's index. A shard is of one day: the day on which its commits were taken in.
 *
 *     day 1          day 2                  day 3
 *     [ 1 … 9000 ]   [ 9001 … 9400 ]        [ 9401 … ][ … ]  pending
 *                     ╰ small, over ╌ merged with days like it ╯
 *
 *   1. A shard that holds what was erased is built anew: first, and alone.
 *   2. What is pending of the oldest day becomes a shard, and takes in those of its day at the end: small ones always,
 *      SHARD_FANOUT of one tier together, as an entity's do (core/index/work.ts).
 *   3. A day that is over becomes one shard, if it fits in one.
 *   4. Days that are over, SHARD_FANOUT neighbours of which none is more than half, become one: so each doubling of the
 *      bytes that a commit lies among rewrites it once.
 *
 * Plans go by the bytes of shards; what is pending has none yet, so its builder takes of it what fits, from its start.
 */
import { isBuildable, loadOfShard, NO_LOAD, together } from "../index/build_load.ts";
import { SCOPE_BUILD_COMMITS_MAX, SHARD_FANOUT, SHARD_SMALL_BYTES } from "../limits.ts";
import type { ScopeShard } from "./scope_head.ts";

export interface PendingCommit {
  readonly commit: number;
  readonly segment: string;
  readonly arrivalMs: number;
  /** Midnight UTC. */
  readonly dayMs: number;
}

export interface PlannedShard {
  /** Neighbours whose place the new one takes, in order. */
  readonly shards: readonly ScopeShard[];
  /** What comes after them. */
  readonly pending: readonly PendingCommit[];
  readonly dayMs: number;
}

/**
 * null when there is nothing to do.
 * @param pending follows the shards; ascending
 * @param commitsMax of pending commits in one shard
 */
export function planScope(
  shards: readonly ScopeShard[],
  pending: readonly PendingCommit[],
  commitsMax = SCOPE_BUILD_COMMITS_MAX,
): PlannedShard | null {
  const stale = shards.find((shard) => shard.stale);
  if (stale !== undefined) return { shards: [stale], pending: [], dayMs: stale.dayMs };
  const dayMs = pending[0]?.dayMs;
  if (dayMs === undefined) return planDays(shards);
  const taken = pending.filter((commit) => commit.dayMs === dayMs).slice(0, commitsMax);
  return { shards: absorbed(shards, dayMs), pending: taken, dayMs };
}

/** Shards of the day at the end that the new one takes in. */
function absorbed(shards: readonly ScopeShard[], dayMs: number): readonly ScopeShard[] {
  const ofDay = shards.slice(shards.findLastIndex((shard) => shard.dayMs !== dayMs) + 1);
  const small = trailing(ofDay, ({ bytes }) => tierOf(bytes) === 0);
  const rest = ofDay.slice(0, ofDay.length - small.length);
  const tier = tierOf(rest.at(-1)?.bytes ?? 0);
  const alike = trailing(rest, ({ bytes }) => tierOf(bytes) === tier);
  const wanted = alike.length + 1 >= SHARD_FANOUT ? [...alike, ...small] : small;
  return fitting(wanted);
}

/** The last of `shards` that one builder can hold together. */
function fitting(shards: readonly ScopeShard[]): readonly ScopeShard[] {
  let load = NO_LOAD;
  return trailing(shards, (shard) => {
    load = together(load, loadOfShard(shard));
    return isBuildable(load);
  });
}

/** The last shard's day may still grow. */
function planDays(shards: readonly ScopeShard[]): PlannedShard | null {
  const today = shards.at(-1)?.dayMs;
  const over = shards.filter(({ dayMs }) => dayMs !== today);
  const merged = sameDay(over) ?? neighbours(over);
  const last = merged?.at(-1);
  return merged === null || last === undefined ? null : { shards: merged, pending: [], dayMs: last.dayMs };
}

/** The first shards of one day that fit in one, from the first two that do. */
function sameDay(shards: readonly ScopeShard[]): readonly ScopeShard[] | null {
  for (let start = 0; start + 1 < shards.length; start += 1) {
    const ofDay = shards.slice(start).filter(({ dayMs }) => dayMs === shards[start]?.dayMs);
    for (let count = ofDay.length; count > 1; count -= 1) {
      const run = ofDay.slice(0, count);
      if (fitting(run).length === count) return run;
    }
  }
  return null;
}

function neighbours(shards: readonly ScopeShard[]): readonly ScopeShard[] | null {
  for (let end = SHARD_FANOUT; end <= shards.length; end += 1) {
    const run = shards.slice(end - SHARD_FANOUT, end);
    const total = run.reduce((sum, { bytes }) => sum + bytes, 0);
    const isEven = run.every(({ bytes }) => 2 * bytes <= total);
    if (isEven && fitting(run).length === run.length) return run;
  }
  return null;
}

/** 0 for a small shard, then one more for each power of the fan-out. */
function tierOf(bytes: number): number {
  let tier = 0;
  for (let end = SHARD_SMALL_BYTES; bytes >= end; end *= SHARD_FANOUT) tier++;
  return tier;
}

function trailing(shards: readonly ScopeShard[], accept: (shard: ScopeShard) => boolean): readonly ScopeShard[] {
  let start = shards.length;
  for (let shard = shards[start - 1]; shard !== undefined && accept(shard); shard = shards[start - 1]) start -= 1;
  return shards.slice(start);
}
