import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isBuildable, loadOfShard, NO_LOAD, together } from "../../core/index/build_load.ts";
import { type PlannedWork, planCompaction, planWork, type ShardRange, type TailCommit } from "../../core/index/work.ts";
import {
  BUILD_COMMITS_MAX,
  BUILD_MEMORY_BYTES_MAX,
  BUILD_RAW_BYTES_MAX,
  SHARD_BYTES_MAX,
  SHARD_FANOUT,
  SHARD_SMALL_BYTES,
} from "../../core/limits.ts";

/** What a shard of these bytes would be: half of it vectors. */
const sizeOf = (bytes: number) => ({ bytes, chunks: Math.ceil(bytes / 2_000), vectorBytes: Math.floor(bytes / 2) });

const commitOf = (commit: number, rawBytes: number): TailCommit => ({
  commit,
  rawBytes,
  load: loadOfShard(sizeOf(rawBytes)),
});

const FREE = { commitsMax: null, unabsorbed: 0, heavyBytes: null };

const loadOf = (shards: readonly ShardRange[]) => shards.map(loadOfShard).reduce(together, NO_LOAD);

/** Carries out work as an indexer would; a shard is as large as the raw bytes of its commits. */
class Ledger {
  readonly sizes: number[] = [];
  shards: readonly ShardRange[] = [];

  get covered(): number {
    return this.shards.at(-1)?.to ?? 0;
  }

  tail(): readonly TailCommit[] {
    return this.sizes.slice(this.covered).map((bytes, index) => commitOf(this.covered + 1 + index, bytes));
  }

  index(): PlannedWork | null {
    const work = planWork(this.shards, this.tail(), FREE);
    if (work === null) return null;
    const bytes = this.sizes.slice(work.from - 1, work.to).reduce((sum, size) => sum + size, 0);
    const kept = this.shards.slice(0, this.shards.length - work.replaces);
    this.shards = [...kept, { from: work.from, to: work.to, ...sizeOf(bytes) }];
    return work;
  }

  totalBytes(): number {
    return this.sizes.reduce((sum, size) => sum + size, 0);
  }
}

/** At most SHARD_FANOUT - 1 of each tier, and the small one. */
const shardsMax = (bytes: number): number =>
  1 +
  (SHARD_FANOUT - 1) *
    Math.max(0, Math.ceil(Math.log(Math.max(1, bytes / SHARD_SMALL_BYTES)) / Math.log(SHARD_FANOUT)));

describe("a plan", () => {
  const history = fc.array(
    fc.record({ commits: fc.integer({ min: 1, max: 30 }), rawBytes: fc.integer({ min: 1, max: 4 * 1024 * 1024 }) }),
    {
      minLength: 1,
      maxLength: 40,
    },
  );

  test("takes the tail and neighbours only, in order, within the limits of a build and of a shard", () => {
    fc.assert(
      fc.property(history, (batches) => {
        const ledger = new Ledger();
        for (const { commits, rawBytes } of batches) {
          ledger.sizes.push(...Array.from({ length: commits }, () => rawBytes));
          const [before, tail] = [ledger.shards, ledger.tail()];
          const work = ledger.index();
          if (work === null) throw new Error("there was a tail");
          const absorbed = before.slice(before.length - work.replaces);
          expect(work.from).toBe(absorbed[0]?.from ?? tail[0]?.commit);
          const taken = tail.filter(({ commit }) => commit <= work.to);
          expect(work.to).toBe(taken.at(-1)?.commit);
          const raw = taken.reduce((sum, one) => sum + one.rawBytes, 0);
          if (taken.length > 1) expect(raw).toBeLessThanOrEqual(BUILD_RAW_BYTES_MAX);
          const load = taken.map((one) => one.load).reduce(together, loadOf(absorbed));
          if (taken.length > 1 || work.replaces > 0) expect(isBuildable(load)).toBe(true);
        }
      }),
    );
  });

  test("always gets through the tail, and takes no more commits at once than a build may", () => {
    const ledger = new Ledger();
    ledger.sizes.push(...Array.from({ length: BUILD_COMMITS_MAX + 5 }, () => 10));
    expect(ledger.index()?.to).toBe(BUILD_COMMITS_MAX);
    expect(ledger.index()).toMatchObject({ from: 1, to: BUILD_COMMITS_MAX + 5, replaces: 1 });
    expect(ledger.index()).toBeNull();
  });

  test("takes a commit that is too large for a build alone", () => {
    const tail = [commitOf(1, BUILD_RAW_BYTES_MAX + 1), commitOf(2, 1)];
    expect(planWork([], tail, FREE)).toMatchObject({ from: 1, to: 1, replaces: 0 });
  });

  test("of work that could not be done takes no more commits than it is told, and absorbs nothing", () => {
    const ledger = new Ledger();
    ledger.sizes.push(10);
    ledger.index();
    ledger.sizes.push(...Array.from({ length: 9 }, () => 10));
    expect(planWork(ledger.shards, ledger.tail(), FREE)).toMatchObject({ from: 1, to: 10, replaces: 1 });
    expect(planWork(ledger.shards, ledger.tail(), { ...FREE, commitsMax: 4 })).toMatchObject({
      from: 2,
      to: 5,
      replaces: 0,
    });
    expect(planWork(ledger.shards, ledger.tail(), { ...FREE, unabsorbed: 1 })).toMatchObject({
      from: 2,
      to: 10,
      replaces: 0,
    });
  });

  test("that may do no heavy work takes the tail without the shards that are as large, and those before them", () => {
    const shards = [100, 1_000, 999, 100].map((bytes, index) => ({
      from: index + 1,
      to: index + 1,
      sha256: `s${index + 1}`,
      ...sizeOf(bytes),
    }));
    const tail = [commitOf(5, 10)];
    expect(planWork(shards, tail, FREE)).toMatchObject({ from: 1, to: 5, replaces: 4 });
    expect(planWork(shards, tail, { ...FREE, heavyBytes: 1_001 })).toMatchObject({ from: 1, replaces: 4 });
    expect(planWork(shards, tail, { ...FREE, heavyBytes: 1_000 })).toMatchObject({ from: 3, to: 5, replaces: 2 });
    expect(planWork(shards, tail, { ...FREE, heavyBytes: 1 })).toMatchObject({ from: 5, to: 5, replaces: 0 });
  });

  test("leaves room for the vectors of small lines, which are larger than the lines", () => {
    const large = { bytes: SHARD_BYTES_MAX / 2, memoryBytes: 0 };
    const tail = [1, 2, 3].map((commit) => ({ ...commitOf(commit, 100), load: large }));
    expect(planWork([], tail, FREE)).toMatchObject({ from: 1, to: 2 });
    const heavy = { bytes: 0, memoryBytes: BUILD_MEMORY_BYTES_MAX / 2 };
    const heavyTail = tail.map((commit) => ({ ...commit, load: heavy }));
    expect(planWork([], heavyTail, FREE)).toMatchObject({ from: 1, to: 2 });
  });

  test("of a tail that does not follow the shards is a bug and throws", () => {
    expect(() => planWork([], [commitOf(2, 1)], FREE)).toThrow("follows");
  });
});

describe("2,000 small commits", () => {
  test("lie in few shards at every moment, and each byte is rewritten few times", () => {
    const sizes = fc.array(fc.integer({ min: 100, max: 20_000 }), { minLength: 50, maxLength: 50 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 9 }), (pattern, every) => {
        const ledger = new Ledger();
        let written = 0;
        for (let commit = 0; commit < 2_000; commit++) {
          ledger.sizes.push(pattern[commit % pattern.length] ?? 0);
          if (commit % every !== 0) continue;
          const work = ledger.index();
          expect(ledger.shards.length).toBeLessThanOrEqual(shardsMax(ledger.totalBytes()));
          if (work !== null && (ledger.shards.at(-1)?.bytes ?? 0) >= SHARD_SMALL_BYTES)
            written += ledger.shards.at(-1)?.bytes ?? 0;
        }
        expect(ledger.covered).toBeGreaterThan(2_000 - every);
        const tiers = Math.ceil(Math.log(ledger.totalBytes() / SHARD_SMALL_BYTES) / Math.log(SHARD_FANOUT)) + 1;
        expect(written).toBeLessThanOrEqual(2 * tiers * ledger.totalBytes());
      }),
      { numRuns: 20 },
    );
  });
});

describe("a compaction", () => {
  test("merges the last shards into one, as many as fit, until no two do", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: SHARD_BYTES_MAX }), { maxLength: 20 });
    fc.assert(
      fc.property(sizes, (bytes) => {
        const shards = bytes.map((size, index) => ({
          from: index + 1,
          to: index + 1,
          ...sizeOf(size),
        }));
        const work = planCompaction(shards);
        expect(work === null).toBe(shards.length < 2 || !isBuildable(loadOf(shards.slice(-2))));
        if (work === null) return;
        const merged = shards.slice(-work.replaces);
        expect([work.from, work.to]).toEqual([merged[0]?.from, shards.length]);
        expect(isBuildable(loadOf(merged))).toBe(true);
        if (merged.length < shards.length) expect(isBuildable(loadOf(shards.slice(-work.replaces - 1)))).toBe(false);
      }),
    );
  });
});
