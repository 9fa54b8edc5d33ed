/** Logs of tiny commits through the shipped classes: in how many requests they are read, and from what. */
import { describe, expect, test } from "vitest";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { ok } from "../../core/errors.ts";
import { ROLLUP_COMMITS_MAX, ROLLUP_COMMITS_MIN, ROLLUP_SEGMENT_BYTES_MAX } from "../../core/limits.ts";
import { parseRollupKey, parseSegmentKey } from "../../core/log/keys.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { EntityFixture, valueIn } from "./entity_fixture.ts";

/** Wakes after which everything that an entity sets its alarm for is done. */
const QUIET_WAKES = 60;

/** A store that counts what is asked of it, by whomever. */
function countingStore() {
  const plain = memoryStore();
  const asked: string[] = [];
  const objects: ObjectStore = {
    system: () => plain.system(),
    forTenant: (tenant) => {
      const store = plain.forTenant(tenant);
      return {
        ...store,
        get: (key) => {
          asked.push(key);
          return store.get(key);
        },
        list: (prefix, cursor) => {
          asked.push(prefix);
          return store.list(prefix, cursor);
        },
      };
    },
  };
  const ofLog = () => asked.filter((key) => key.includes("/segments/") || key.includes("/rollups/")).length;
  return { objects, asked, ofLog };
}

async function append(fixture: EntityFixture, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n += 1) await fixture.accept({ id: `e${n}`, text: `report ${n}` });
}

/** Alarms ring, and what they ask for is built, until none is set but for copies that nobody uses. */
async function untilQuiet(fixture: EntityFixture): Promise<void> {
  for (let wake = 0; wake < QUIET_WAKES; wake += 1) {
    const { atMs } = fixture.alarm;
    if (atMs === null || atMs - fixture.nowMs > fixture.settings.ssdIdleMs / 2) return;
    await fixture.wake();
    await fixture.index();
  }
  throw new Error("the alarm never ends");
}

async function keysOf(fixture: EntityFixture, folder: string): Promise<string[]> {
  const keys: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await fixture.store.list(`entities/account%3Aacme/${folder}/`, cursor);
    keys.push(...page.objects.map(({ key }) => key));
    cursor = page.cursor;
  } while (cursor !== null);
  return keys;
}

const rollupsOf = async (fixture: EntityFixture) =>
  (await keysOf(fixture, "rollups")).map((key) => parseRollupKey(key)).map((name) => [name?.from, name?.to]);

const COMMITS = 1_000;
/** A listing of segments and one of rollups, rollups, and commits that wait for theirs. */
const requestsMax = (commits: number) => 2 + commits / ROLLUP_COMMITS_MIN + ROLLUP_COMMITS_MIN;

describe("a thousand tiny commits", () => {
  test("that wait together are rolled up before they are indexed, and read in a few requests", async () => {
    const { objects, asked, ofLog } = countingStore();
    const fixture = new EntityFixture("account:acme", objects);
    await append(fixture, 1, COMMITS);
    await fixture.wake();
    asked.length = 0;
    expect(await fixture.index()).toBe(1);
    expect(ofLog()).toBe(2);
    expect(await rollupsOf(fixture)).toEqual([[1, COMMITS]]);
    asked.length = 0;
    valueIn(await fixture.serve((entity) => entity.rebuild()));
    expect(ofLog()).toBeLessThanOrEqual(requestsMax(COMMITS));
    expect(await fixture.ids()).toHaveLength(COMMITS);
  });

  test("that came one by one are rolled up when they are indexed, and read in few requests after a loss", async () => {
    const { objects, asked, ofLog } = countingStore();
    const fixture = new EntityFixture("account:acme", objects);
    for (let n = 1; n <= 5 * ROLLUP_COMMITS_MIN; n += 1) {
      await append(fixture, n, n);
      fixture.nowMs += fixture.settings.indexAgeMs;
      await fixture.index();
      if (n % 7 === 0) await fixture.wake();
    }
    await untilQuiet(fixture);
    const rollups = await rollupsOf(fixture);
    expect(rollups.length).toBeGreaterThan(2);
    const before = (await fixture.search({ text: "report", top_k: 500 })).hits;
    const [last = [0, 0]] = rollups.slice(-1);
    expect(5 * ROLLUP_COMMITS_MIN - (last[1] ?? 0)).toBeLessThan(ROLLUP_COMMITS_MIN);
    fixture.loseState();
    for (const key of await keysOf(fixture, "heads")) await fixture.store.delete([key]);
    asked.length = 0;
    await fixture.ids();
    expect(ofLog()).toBeLessThanOrEqual(requestsMax(5 * ROLLUP_COMMITS_MIN));
    expect((await fixture.search({ text: "report", top_k: 500 })).hits).toEqual(before);
  });
});

describe("rollups", () => {
  test("are of whole segments in order, small ones only", async () => {
    const fixture = new EntityFixture();
    await append(fixture, 1, 40);
    const text = Array.from({ length: 2 * ROLLUP_SEGMENT_BYTES_MAX }, (_, n) => (n * 7919 * n).toString(36)).join("");
    await fixture.accept({ id: "large", text: text.slice(0, 8 * ROLLUP_SEGMENT_BYTES_MAX) });
    await append(fixture, 42, 2 * ROLLUP_COMMITS_MIN);
    await fixture.wake();
    const [key = ""] = await keysOf(fixture, "rollups");
    const rollup = (await fixture.store.get(key))?.bytes ?? new Uint8Array();
    const segments = (await keysOf(fixture, "segments")).filter((name) => parseSegmentKey(name)?.commit !== 41);
    const contents = await Promise.all(segments.map(async (name) => (await fixture.store.get(name))?.bytes));
    const joined = Buffer.concat(contents.map((bytes) => bytes ?? new Uint8Array()));
    expect(Buffer.from(rollup.subarray(rollup.length - joined.length)).equals(joined)).toBe(true);
    expect(parseRollupKey(key)).toMatchObject({ from: 1, to: 2 * ROLLUP_COMMITS_MIN });
  });

  test("are not made of fewer commits than are worth it, nor of more than one may hold", async () => {
    const fixture = new EntityFixture();
    await append(fixture, 1, ROLLUP_COMMITS_MIN - 1);
    await untilQuiet(fixture);
    expect(await rollupsOf(fixture)).toEqual([]);
    await append(fixture, ROLLUP_COMMITS_MIN, ROLLUP_COMMITS_MIN);
    await untilQuiet(fixture);
    expect(await rollupsOf(fixture)).toEqual([[1, ROLLUP_COMMITS_MIN]]);
    const many = new EntityFixture();
    await append(many, 1, ROLLUP_COMMITS_MAX + ROLLUP_COMMITS_MIN);
    await untilQuiet(many);
    expect(await rollupsOf(many)).toEqual([
      [1, ROLLUP_COMMITS_MAX],
      [ROLLUP_COMMITS_MAX + 1, ROLLUP_COMMITS_MAX + ROLLUP_COMMITS_MIN],
    ]);
  });

  test("that a crash left behind are collected when another has them in it", async () => {
    const fixture = new EntityFixture();
    await append(fixture, 1, ROLLUP_COMMITS_MIN);
    await untilQuiet(fixture);
    await append(fixture, ROLLUP_COMMITS_MIN + 1, 2 * ROLLUP_COMMITS_MIN);
    const put = fixture.calls.hold("put", "/rollups/", "after");
    const cutShort = fixture.wake().catch(() => null);
    await put.reached;
    fixture.crash();
    await fixture.entity.ready();
    put.release();
    await cutShort;
    await append(fixture, 2 * ROLLUP_COMMITS_MIN + 1, 2 * ROLLUP_COMMITS_MIN + 9);
    await fixture.wake();
    expect(await rollupsOf(fixture)).toHaveLength(3);
    await untilQuiet(fixture);
    expect(await rollupsOf(fixture)).toEqual([
      [1, ROLLUP_COMMITS_MIN],
      [ROLLUP_COMMITS_MIN + 1, 2 * ROLLUP_COMMITS_MIN + 9],
    ]);
  });

  test("are found again after the state was lost, and not made twice", async () => {
    const fixture = new EntityFixture();
    await append(fixture, 1, ROLLUP_COMMITS_MIN);
    await untilQuiet(fixture);
    fixture.loseState();
    await append(fixture, ROLLUP_COMMITS_MIN + 1, 2 * ROLLUP_COMMITS_MIN);
    await fixture.ids();
    await untilQuiet(fixture);
    expect(await rollupsOf(fixture)).toEqual([
      [1, ROLLUP_COMMITS_MIN],
      [ROLLUP_COMMITS_MIN + 1, 2 * ROLLUP_COMMITS_MIN],
    ]);
  });

  test("hold up neither indexing nor anything else when they cannot be put", async () => {
    const fixture = new EntityFixture();
    await append(fixture, 1, ROLLUP_COMMITS_MIN);
    fixture.nowMs += fixture.settings.indexAgeMs;
    const fell = fixture.calls.break("put", "/rollups/", "before");
    await fixture.wake();
    expect(fixture.nudges).toHaveLength(1);
    expect(await fixture.index()).toBe(1);
    fell.mend();
    await untilQuiet(fixture);
    expect(await rollupsOf(fixture)).toEqual([[1, ROLLUP_COMMITS_MIN]]);
    valueIn(await fixture.serve(async (entity) => ok(await entity.erase())));
    await fixture.sweep();
    expect(await fixture.keys()).toHaveLength(1);
  });
});
