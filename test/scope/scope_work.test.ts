import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BUILD_MEMORY_BYTES_MAX, SCOPE_BUILD_COMMITS_MAX, SHARD_FANOUT, SHARD_SMALL_BYTES } from "../../core/limits.ts";
import { coveredBy, type ScopeShard, withShard } from "../../core/scope/scope_head.ts";
import { type PendingCommit, type PlannedShard, planScope } from "../../core/scope/scope_work.ts";

const DAY_MS = 86_400_000;
/** Half of what one builder holds, of shards without vectors. */
const HALF_A_BUILD_BYTES = BUILD_MEMORY_BYTES_MAX / 16 / 2;

function shardOf(from: number, to: number, day: number, bytes: number): ScopeShard {
  const sizes = { bytes, hotBytes: 1, vectorBytes: 0, events: 1, chunks: 1 };
  return { from, to, sha256: "0".repeat(64), ...sizes, dayMs: day * DAY_MS, stale: false };
}

function pendingFrom(commit: number, days: readonly number[]): PendingCommit[] {
  return days.map((day, index) => ({ commit: commit + index, segment: "s", arrivalMs: 0, dayMs: day * DAY_MS }));
}

/** The shard that a plan asks for: as large as what went into it. */
function builtFrom({ shards, pending, dayMs }: PlannedShard, bytesEach: number): ScopeShard {
  const from = shards[0]?.from ?? pending[0]?.commit ?? 0;
  const to = pending.at(-1)?.commit ?? shards.at(-1)?.to ?? 0;
  const bytes = shards.reduce((sum, shard) => sum + shard.bytes, 0) + pending.length * bytesEach;
  return shardOf(from, to, dayMs / DAY_MS, bytes);
}

/** Everything that is planned is done. */
function settled(
  start: readonly ScopeShard[],
  waiting: readonly PendingCommit[],
  bytesEach: number,
): readonly ScopeShard[] {
  let shards = start;
  for (let rounds = 0; rounds < 1_000; rounds += 1) {
    const pending = waiting.filter(({ commit }) => commit > coveredBy(shards));
    const plan = planScope(shards, pending);
    if (plan === null) return shards;
    const next = withShard(shards, builtFrom(plan, bytesEach));
    if (!next.ok) throw new Error("a plan that does not fit");
    shards = next.value;
  }
  throw new Error("there is always more to do");
}

const days = fc
  .array(fc.record({ commits: fc.integer({ min: 1, max: 30 }), gap: fc.integer({ min: 1, max: 3 }) }), {
    maxLength: 40,
  })
  .map((list) => {
    let day = 0;
    return list.flatMap(({ commits, gap }) => {
      day += gap;
      return Array.from({ length: commits }, () => day);
    });
  });

describe("shards of a tenant's index", () => {
  test("tile what was taken in, come to rest, and stay few however the commits came", () => {
    fc.assert(
      fc.property(days, fc.integer({ min: 100, max: 200_000 }), fc.integer({ min: 1, max: 9 }), (list, bytes, step) => {
        let shards: readonly ScopeShard[] = [];
        const pending = pendingFrom(1, list);
        for (let end = step; end < pending.length + step; end += step)
          shards = settled(shards, pending.slice(0, end), bytes);
        expect(coveredBy(shards)).toBe(list.length);
        shards.forEach(({ from }, index) => {
          expect(from).toBe((shards[index - 1]?.to ?? 0) + 1);
        });
        // Two neighbours are more than a build takes, or one of them is of the last day, or they wait for SHARD_FANOUT.
        const full = Math.ceil((list.length * bytes) / HALF_A_BUILD_BYTES);
        expect(shards.length).toBeLessThanOrEqual(3 * SHARD_FANOUT + full);
      }),
    );
  });

  test("are of one day while it lasts", () => {
    const yesterday = shardOf(1, 5, 1, 10);
    const plan = planScope([yesterday], pendingFrom(6, [2, 2, 3]));
    expect(plan).toMatchObject({ shards: [], dayMs: 2 * DAY_MS });
    expect(plan?.pending.map(({ commit }) => commit)).toEqual([6, 7]);
  });

  test("take in a small one of their day, and not a large one", () => {
    const small = shardOf(1, 5, 1, SHARD_SMALL_BYTES - 1);
    expect(planScope([small], pendingFrom(6, [1]))?.shards).toEqual([small]);
    const large = shardOf(1, 5, 1, SHARD_SMALL_BYTES);
    expect(planScope([large], pendingFrom(6, [1]))?.shards).toEqual([]);
  });

  test("of a day that is over become one", () => {
    const shards = [shardOf(1, 1, 1, SHARD_SMALL_BYTES), shardOf(2, 2, 1, SHARD_SMALL_BYTES), shardOf(3, 3, 2, 10)];
    expect(planScope(shards, [])?.shards).toEqual(shards.slice(0, 2));
    expect(planScope(shards.slice(0, 2), [])).toBe(null);
  });

  test("of days that are over are merged when they are as many as the fan-out", () => {
    const shards = Array.from({ length: SHARD_FANOUT + 1 }, (_, day) => shardOf(day + 1, day + 1, day, 10));
    expect(planScope(shards, [])?.shards).toEqual(shards.slice(0, SHARD_FANOUT));
    expect(planScope(shards.slice(0, SHARD_FANOUT), [])).toBe(null);
  });

  test("that hold what was erased are built anew before anything else, alone", () => {
    const stale = { ...shardOf(1, 5, 1, 10), stale: true };
    expect(planScope([stale, shardOf(6, 6, 1, 10)], pendingFrom(7, [1]))).toMatchObject({
      shards: [stale],
      pending: [],
    });
  });

  test("take so many commits at the most", () => {
    const pending = pendingFrom(
      1,
      Array.from({ length: SCOPE_BUILD_COMMITS_MAX + 1 }, () => 1),
    );
    expect(planScope([], pending)?.pending.length).toBe(SCOPE_BUILD_COMMITS_MAX);
    expect(planScope([], pending, 1)?.pending.length).toBe(1);
  });

  test("fit between the others or are refused", () => {
    const shards = [shardOf(1, 3, 1, 10), shardOf(4, 6, 1, 10)];
    expect(withShard(shards, shardOf(1, 6, 1, 10))).toMatchObject({ ok: true, value: [{ from: 1, to: 6 }] });
    expect(withShard(shards, shardOf(7, 9, 1, 10))).toMatchObject({ ok: true });
    for (const [from, to] of [
      [2, 6],
      [4, 5],
      [8, 9],
      [3, 4],
    ] as const)
      expect(withShard(shards, shardOf(from, to, 1, 10)).ok).toBe(false);
  });
});
