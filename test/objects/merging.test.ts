/** A thousand small commits through the shipped classes, with real builds: how many shards they lie in, and which. */
import { expect, test } from "vitest";
import { randomNumbers } from "../../bench/kernel/random.ts";
import { SHARD_FANOUT, SHARD_SMALL_BYTES } from "../../core/limits.ts";
import type { IndexWork } from "../../core/rpc.ts";
import { EntityFixture, valueIn } from "./entity_fixture.ts";

const COMMITS = 1_000;
const EVERY = 4;
/** Of the text of a commit: enough that a thousand of them pass three tiers. */
const TEXT_BYTES = 7_000;

/** At most SHARD_FANOUT - 1 of each tier, and a small one. */
function shardsMax(bytes: number): number {
  const tiers = Math.ceil(Math.log(Math.max(1, bytes / SHARD_SMALL_BYTES)) / Math.log(SHARD_FANOUT));
  return 1 + (SHARD_FANOUT - 1) * Math.max(0, tiers);
}

test("a thousand small commits lie in few shards at every moment, each the bytes of a fresh build", async () => {
  const fixture = new EntityFixture();
  const random = randomNumbers(7);
  const word = () => random.below(2 ** 30).toString(36);
  let greatest = 0;
  let first: IndexWork | null = null;
  const segments: IndexWork["segments"][number][] = [];
  let headNow = 0;
  for (let n = 1; n <= COMMITS; n += 1) {
    // One long word compresses as little as many do, and costs the analyzer less.
    const text = `report ${n} ${Array.from({ length: TEXT_BYTES / 6 }, word).join("")}`;
    await fixture.accept({ id: `e${n}`, text });
    if (n % EVERY === 0) {
      fixture.nowMs += fixture.settings.indexAgeMs;
      for (let work = await fixture.entity.nextWork(); work !== null; work = await fixture.entity.nextWork()) {
        first ??= work;
        segments.push(...work.segments);
        const { scope, incarnation, headVersion, replaces } = work;
        const sha256 = await fixture.build(work);
        headNow = headVersion + 1;
        valueIn(await fixture.entity.proposeHead({ scope, incarnation, headVersion, replaces, sha256 }));
      }
    }
    const { shards } = valueIn(await fixture.entity.reader.status());
    greatest = Math.max(greatest, shards.length);
    expect(shards.length).toBeLessThanOrEqual(shardsMax(shards.reduce((bytes, shard) => bytes + shard.bytes, 0)));
  }
  const { shards } = valueIn(await fixture.entity.reader.status());
  // They did merge, by tiers: what is larger is older, and more than one tier was passed.
  expect(greatest).toBeGreaterThan(SHARD_FANOUT);
  expect(shards.length).toBeLessThan(COMMITS / 50);
  expect(Math.max(...shards.map(({ bytes }) => bytes))).toBeGreaterThan(SHARD_SMALL_BYTES * SHARD_FANOUT);
  if (first === null) throw new Error("work was due");
  for (const { id, from, to } of shards) {
    const fresh = { ...first, headVersion: headNow, from, to, replaces: 0, shards: [] };
    const range = segments.filter(({ commit }) => commit >= from && commit <= to);
    expect(await fixture.build({ ...fresh, segments: range })).toBe(id);
  }
  expect(await fixture.ids()).toHaveLength(COMMITS);
});
