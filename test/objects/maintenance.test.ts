/** Heavy work of an entity, outside the maintenance window and in it. */
import { describe, expect, test } from "vitest";
import { SHARD_SMALL_BYTES } from "../../core/limits.ts";
import { EntityFixture, valueIn } from "./entity_fixture.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** With two shards that no build of the tail merges, an hour before the window of an hour. */
async function beforeTheWindow(): Promise<{ fixture: EntityFixture; opensMs: number }> {
  const fixture = new EntityFixture();
  const words = (from: number) => Array.from({ length: 30_000 }, (_, n) => `w${from + n}`).join(" ");
  for (let n = 0; n < 2; n += 1) {
    await fixture.accept({ id: `e${n}a`, text: words(60_000 * n) }, { id: `e${n}b`, text: words(60_000 * n + 30_000) });
    fixture.nowMs += 1_000;
    await fixture.index();
  }
  expect((await shardsOf(fixture)).map(({ bytes }) => bytes > SHARD_SMALL_BYTES)).toEqual([true, true]);
  const opensMs = fixture.nowMs + HOUR_MS;
  const startMs = opensMs % DAY_MS;
  fixture.settings = { ...fixture.settings, maintenanceWindow: { startMs, endMs: (startMs + HOUR_MS) % DAY_MS } };
  fixture.crash();
  return { fixture, opensMs };
}

async function shardsOf(fixture: EntityFixture) {
  return valueIn(await fixture.serve((entity) => entity.reader.status())).shards;
}

describe("a compaction outside the maintenance window", () => {
  test("is a wish until the window opens, for which the alarm rings", async () => {
    const { fixture, opensMs } = await beforeTheWindow();
    await fixture.serve(async (entity) => {
      entity.compact();
      return { ok: true, value: null };
    });
    fixture.nudges.length = 0;
    do {
      await fixture.wake();
      expect(await fixture.index()).toBe(0);
    } while (fixture.alarm.atMs !== null && fixture.alarm.atMs < opensMs);
    expect(fixture.nudges).toEqual([]);
    expect(fixture.alarm.atMs).toBe(opensMs);
    expect(valueIn(await fixture.serve((entity) => entity.counters())).pending).toBe(true);
    fixture.nowMs = opensMs;
    await fixture.wake();
    expect(fixture.nudges).toHaveLength(1);
    expect(await fixture.index()).toBe(1);
    expect(await shardsOf(fixture)).toHaveLength(1);
  });

  test("does not hold up what is new", async () => {
    const { fixture } = await beforeTheWindow();
    await fixture.serve(async (entity) => {
      entity.compact();
      return { ok: true, value: null };
    });
    await fixture.accept({ id: "later", text: "report" });
    fixture.nowMs += 1_000;
    await fixture.wake();
    expect(await fixture.index()).toBe(1);
    expect(await shardsOf(fixture)).toHaveLength(3);
    expect((await fixture.search({ text: "report" })).hits.map(({ id }) => id)).toEqual(["later"]);
  });

  test("that began in the window goes on after it", async () => {
    const { fixture, opensMs } = await beforeTheWindow();
    fixture.nowMs = opensMs + HOUR_MS - 1;
    await fixture.serve(async (entity) => {
      entity.compact();
      return { ok: true, value: null };
    });
    expect(
      valueIn(await fixture.serve(async (entity) => ({ ok: true, value: await entity.nextWork() }))),
    ).not.toBeNull();
    fixture.nowMs += fixture.settings.nudgeRetryMs;
    expect(await fixture.index()).toBe(1);
    expect(await shardsOf(fixture)).toHaveLength(1);
  });
});
