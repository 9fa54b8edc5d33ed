/** What lies in the store comes into SQLite in few requests, and leaves it when nobody asks any more. */
import { describe, expect, test } from "vitest";
import {
  COPIES_HELD_BYTES_MAX,
  COPIES_USED_EXACT_MS,
  SHARD_SMALL_BYTES,
  SHARD_WHOLE_READ_BYTES,
  SLAB_CLASSES,
  SQLITE_SHARD_PAGE_BYTES,
  STORE_CONCURRENCY_MAX,
} from "../../core/limits.ts";
import type { SearchAnswer } from "../../core/rpc.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { ShardCopies } from "../../durable-objects/entity/shard_copies.ts";
import { ballast } from "./ballast.ts";
import { EntityFixture, valueIn } from "./entity_fixture.ts";

function bulky(id: string, bytes: number, seed: number): EventInput {
  return { id, text: `report ${id}`, body: ballast(bytes, seed) };
}

/** One shard a list of sizes, each of one commit with an event of each size. */
async function indexed(...shards: readonly (readonly number[])[]): Promise<EntityFixture> {
  const fixture = new EntityFixture();
  for (const [n, sizes] of shards.entries()) {
    await fixture.accept(...sizes.map((bytes, k) => bulky(`e${n}-${k}`, bytes, 100 * n + k)));
    fixture.nowMs += fixture.settings.indexAgeMs;
    await fixture.index();
  }
  return fixture;
}

const SMALL = [SHARD_SMALL_BYTES * 2];
const LARGE = Array.from({ length: 8 }, () => 900_000);

async function shardBytes(fixture: EntityFixture): Promise<number[]> {
  return valueIn(await fixture.entity.reader.status()).shards.map(({ bytes }) => bytes);
}

function dropCopies(fixture: EntityFixture): void {
  fixture.sql.run("DELETE FROM shards");
  fixture.sql.run("DELETE FROM shard_bytes");
  fixture.crash();
  fixture.calls.reset();
}

const ask = (fixture: EntityFixture): Promise<SearchAnswer> =>
  fixture.search({ text: "report", top_k: 100, include: ["text"] });

/** What goes on without anybody waiting for it ends. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

const shardKey = async (fixture: EntityFixture): Promise<string> =>
  (await fixture.keys()).find((key) => key.endsWith(".shard")) ?? "";

describe("a cold read", () => {
  test.each([1, STORE_CONCURRENCY_MAX])("of %i small shards is one wave, a request each", async (count) => {
    const fixture = await indexed(...Array.from({ length: count }, () => SMALL));
    expect((await shardBytes(fixture)).length).toBe(count);
    const before = await ask(fixture);
    dropCopies(fixture);
    const cold = await ask(fixture);
    expect(cold.hits).toEqual(before.hits);
    expect(cold.cache).toBe("cold");
    expect(fixture.calls).toMatchObject({ count, waves: 1, atOnceMax: count });
    await ask(fixture);
    expect(fixture.calls.count).toBe(count);
  });

  test("of more shards takes a wave for each six", async () => {
    const fixture = await indexed(...Array.from({ length: STORE_CONCURRENCY_MAX + 1 }, () => SMALL));
    dropCopies(fixture);
    expect((await ask(fixture)).hits.length).toBe(STORE_CONCURRENCY_MAX + 1);
    expect(fixture.calls).toMatchObject({ count: STORE_CONCURRENCY_MAX + 1, waves: 2, atOnceMax: 6 });
  });

  test("of a large shard is one wave of pieces, and answers as before", async () => {
    const fixture = await indexed(LARGE);
    const [bytes = 0] = await shardBytes(fixture);
    expect(bytes).toBeGreaterThan(SHARD_WHOLE_READ_BYTES);
    const before = await ask(fixture);
    const ids = await fixture.ids();
    dropCopies(fixture);
    expect((await ask(fixture)).hits).toEqual(before.hits);
    const pieces = Math.ceil(bytes / SHARD_WHOLE_READ_BYTES);
    expect(fixture.calls).toMatchObject({ count: pieces, waves: 1, atOnceMax: pieces });
    expect(await fixture.ids()).toEqual(ids);
    expect(await fixture.accept(bulky("e0-3", 900_000, 3), { id: "new" })).toMatchObject({
      accepted: 1,
      duplicates: 1,
    });
  });

  test.each([
    ["as large as is read whole", SHARD_WHOLE_READ_BYTES, 1],
    ["a byte larger", SHARD_WHOLE_READ_BYTES + 1, 2],
  ])("of a shard %s is as many requests", async (_, bytes, count) => {
    const fixture = new EntityFixture();
    const copies = new ShardCopies(fixture.ports(), () => {
      throw new Error("nothing came that could be opened");
    });
    const shard = { from: 1, to: 1, sha256: "0".repeat(64), bytes, hotBytes: 4_096, vectorBytes: 0 };
    const brought = await copies.bring([{ ...shard, events: 1, chunks: 1, minTs: null, maxTs: null }], () => true);
    expect(brought).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
    expect(fixture.calls).toMatchObject({ count, waves: 1 });
  });

  test("is one load for readers that come together, and appends", async () => {
    const fixture = await indexed(SMALL, SMALL);
    dropCopies(fixture);
    const held = fixture.calls.hold("get", ".shard", "before");
    const first = ask(fixture);
    const second = fixture.ids();
    const third = fixture.accept({ id: "e0-0" }, { id: "new" });
    await held.reached;
    held.release();
    expect((await first).hits.length).toBe(2);
    expect((await second).length).toBeGreaterThanOrEqual(2);
    expect(await third).toMatchObject({ accepted: 1, duplicates: 1 });
    // The third put a segment.
    expect(fixture.calls.count).toBe(3);
  });

  test("that fails fails for all who wait for it, and the next one loads", async () => {
    const fixture = await indexed(SMALL, LARGE);
    dropCopies(fixture);
    const down = fixture.calls.break("getRange", ".shard", "before");
    const asked = await Promise.all([1, 2, 3].map(() => fixture.serve((entity) => entity.reader.status())));
    for (const answer of asked) expect(answer).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
    // The small one, the pieces of the large one, and a listing for each of these that tells damage from a fault.
    expect(fixture.calls.count).toBe(5);
    down.mend();
    expect((await ask(fixture)).hits.length).toBe(1 + LARGE.length);
  });

  test("that ends in the middle leaves no copy behind that counts", async () => {
    const fixture = await indexed(LARGE, LARGE);
    const before = await ask(fixture);
    dropCopies(fixture);
    let pages = 0;
    fixture.onStatement = (statement) => {
      if (statement.includes("INTO shard_bytes")) pages += 1;
      if (pages > SHARD_WHOLE_READ_BYTES / SQLITE_SHARD_PAGE_BYTES + 6) throw new Error("the machine died");
    };
    expect((await fixture.serve((entity) => entity.reader.status())).ok).toBe(false);
    expect(fixture.sql.run("SELECT sha256 FROM shards WHERE dimensions IS NOT NULL")).toEqual([]);
    expect(fixture.sql.run("SELECT place FROM shard_bytes").length).toBeGreaterThan(0);
    fixture.onStatement = () => undefined;
    fixture.crash();
    expect((await ask(fixture)).hits).toEqual(before.hits);
  });

  test.each([
    ["small shards", [SMALL, SMALL]],
    ["a large one", [LARGE]],
  ])("of %s is written after its answer, and is none when the instance ends before", async (_, shards) => {
    const fixture = await indexed(...shards);
    const before = await ask(fixture);
    dropCopies(fixture);
    const written: string[] = [];
    fixture.onStatement = (statement) => void (/^(INSERT|UPDATE|DELETE)/.test(statement) && written.push(statement));
    const answered = { now: () => {} };
    fixture.rest = new Promise((resolve) => {
      answered.now = resolve;
    });
    expect((await ask(fixture)).hits).toEqual(before.hits);
    expect(await fixture.ids()).toEqual(before.hits.map(({ id }) => id).sort());
    expect(written).toEqual([]);
    const read = fixture.calls.count;
    fixture.crash();
    answered.now();
    expect((await ask(fixture)).cache).toBe("cold");
    expect(fixture.calls.count).toBe(2 * read);
    await settle();
    fixture.crash();
    expect((await ask(fixture)).hits).toEqual(before.hits);
    expect(fixture.calls.count).toBe(2 * read);
  });

  test("writes as it comes what there is no room for in memory", async () => {
    const fixture = await indexed(LARGE, LARGE);
    const [first = 0, second = 0] = await shardBytes(fixture);
    expect(first).toBeLessThan(COPIES_HELD_BYTES_MAX);
    expect(first + second).toBeGreaterThan(COPIES_HELD_BYTES_MAX);
    const before = await ask(fixture);
    dropCopies(fixture);
    fixture.rest = new Promise(() => {});
    expect((await ask(fixture)).hits).toEqual(before.hits);
    expect(fixture.sql.run("SELECT sha256 FROM shards WHERE dimensions IS NOT NULL").length).toBe(1);
  });

  const damages = {
    flipped: (bytes: Uint8Array) => bytes.map((byte, at) => (at === bytes.length - 5_000 ? byte ^ 1 : byte)),
    "flipped at its start": (bytes: Uint8Array) => bytes.map((byte, at) => (at === 200 ? byte ^ 1 : byte)),
    "cut short": (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 100),
    "cut to its first piece": (bytes: Uint8Array) => bytes.subarray(0, SHARD_WHOLE_READ_BYTES),
    gone: () => null,
  };
  test.each(Object.entries(damages))("of a large shard that is %s answers from the log", async (_, damage) => {
    const fixture = await indexed(LARGE);
    const before = await ask(fixture);
    const key = await shardKey(fixture);
    const damaged = damage((await fixture.store.get(key))?.bytes ?? new Uint8Array());
    if (damaged === null) await fixture.store.delete([key]);
    else await fixture.store.put(key, damaged);
    dropCopies(fixture);
    expect((await ask(fixture)).hits).toEqual(before.hits);
    expect(await fixture.entity.counters()).toMatchObject({ ok: true, value: { indexedCommit: 1, pending: true } });
    expect(fixture.sql.run("SELECT place FROM shard_bytes")).toEqual([]);
    fixture.crash();
    expect((await ask(fixture)).hits).toEqual(before.hits);
  });

  test("keeps nothing of an entity that was erased meanwhile", async () => {
    const fixture = await indexed(SMALL, LARGE);
    dropCopies(fixture);
    const whole = fixture.calls.hold("get", ".shard", "after");
    const piece = fixture.calls.hold("getRange", ".shard", "after");
    const reading = fixture.serve((entity) => entity.reader.status());
    await Promise.all([whole.reached, piece.reached]);
    valueIn(await fixture.entity.erase());
    whole.release();
    piece.release();
    expect(await reading).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
    expect(fixture.sql.run("SELECT place FROM shard_bytes")).toEqual([]);
  });
});

test("a shard whose slab went to other entities is read again from SQLite, and the answer says so", async () => {
  const fixture = await indexed(SMALL);
  await ask(fixture);
  expect((await ask(fixture)).cache).toBe("memory");
  for (let slabs = SLAB_CLASSES.reduce((sum, { count }) => sum + count, 0); slabs > 0; slabs -= 1) {
    const other = new EntityFixture(`other:${slabs}`);
    await other.accept(bulky("another", 100, 1));
    expect((await ask(other)).cache).toBe("memory");
  }
  expect((await ask(fixture)).cache).toBe("ssd");
  expect((await ask(fixture)).cache).toBe("memory");
  await fixture.accept(bulky("later", 100, 2));
  expect((await ask(fixture)).cache).toBe("memory");
});

test("warming brings copies and slab: the next search finds all in memory", async () => {
  const fixture = await indexed(SMALL, SMALL);
  const before = await ask(fixture);
  dropCopies(fixture);
  const warmed = valueIn(await fixture.serve((entity) => entity.reader.warm()));
  expect(warmed.bytes).toBe((await shardBytes(fixture)).reduce((sum, bytes) => sum + bytes, 0));
  expect(fixture.calls).toMatchObject({ count: 2, waves: 1 });
  let read = 0;
  fixture.onStatement = (statement) => {
    if (/^SELECT .*bytes.* FROM (shard_bytes|shards)/.test(statement)) read += 1;
  };
  expect(await fixture.search({ text: "report", top_k: 100, include: [] })).toMatchObject({ cache: "memory" });
  // Of each shard the ids, which no slab holds; and once.
  expect(read).toBe(2);
  await fixture.search({ text: "report", top_k: 100, include: [] });
  expect(read).toBe(2);
  expect((await ask(fixture)).hits).toEqual(before.hits);
  expect(fixture.calls.count).toBe(2);
});

describe("a recovery, and the read after it", () => {
  /**
   * What an object without state asks of the store: erasure, redaction, segments, the last of them, heads, the newest, a
   * shard.
   */
  const FIXED = 7;

  async function requestsAfterLoss(indexedCommits: number, tailCommits: number): Promise<number> {
    const fixture = new EntityFixture();
    for (let n = 0; n < indexedCommits; n += 1) await fixture.accept({ id: `e${n}`, text: `report ${n}` });
    fixture.nowMs += fixture.settings.indexAgeMs;
    await fixture.index();
    for (let n = 0; n < tailCommits; n += 1) await fixture.accept({ id: `t${n}`, text: `report ${n}` });
    const before = await ask(fixture);
    fixture.loseState();
    fixture.calls.reset();
    expect((await ask(fixture)).hits).toEqual(before.hits);
    expect(fixture.calls.atOnceMax).toBeLessThanOrEqual(STORE_CONCURRENCY_MAX);
    return fixture.calls.count;
  }

  test("ask as much of a long log as of a short one: what is indexed costs its shards", async () => {
    const short = await requestsAfterLoss(2, 0);
    expect(await requestsAfterLoss(60, 0)).toBe(short);
    expect(short).toBeLessThanOrEqual(FIXED + 1);
  });

  test("ask for each segment of the tail once, and where they are", async () => {
    expect(await requestsAfterLoss(2, 8)).toBeLessThanOrEqual(FIXED + 1 + 1 + 8);
  });
});

describe("copies that nobody uses", () => {
  const copies = (fixture: EntityFixture) =>
    fixture.sql.run("SELECT number FROM shards UNION SELECT place FROM shard_bytes").length;

  /** Rings every alarm up to `ms` from now. */
  async function pass(fixture: EntityFixture, ms: number): Promise<void> {
    const end = fixture.nowMs + ms;
    while (fixture.alarm.atMs !== null && fixture.alarm.atMs <= end) await fixture.wake();
    fixture.nowMs = end;
  }

  test("leave SQLite, and the entity is then silent; a read brings them again", async () => {
    const fixture = await indexed(SMALL, SMALL);
    const before = await ask(fixture);
    await pass(fixture, fixture.settings.ssdIdleMs - COPIES_USED_EXACT_MS);
    expect(copies(fixture)).toBeGreaterThan(0);
    await pass(fixture, COPIES_USED_EXACT_MS);
    expect(copies(fixture)).toBe(0);
    expect(fixture.alarm.atMs).toBeNull();
    fixture.calls.reset();
    const cold = await ask(fixture);
    expect(cold.hits).toEqual(before.hits);
    expect(cold.cache).toBe("cold");
    expect(fixture.calls).toMatchObject({ count: 2, waves: 1 });
    await pass(fixture, fixture.settings.ssdIdleMs + COPIES_USED_EXACT_MS);
    expect(copies(fixture)).toBe(0);
    expect(fixture.alarm.atMs).toBeNull();
  });

  test.each(["a read", "an append"])("stay for as long again after %s", async (use) => {
    const fixture = await indexed(SMALL);
    const { ssdIdleMs } = fixture.settings;
    for (let round = 0; round < 3; round += 1) {
      await pass(fixture, ssdIdleMs - COPIES_USED_EXACT_MS);
      expect(copies(fixture)).toBeGreaterThan(0);
      if (use === "a read") await fixture.ids();
      else await fixture.accept({ id: "e0-0" });
    }
    await pass(fixture, ssdIdleMs + 1);
    expect(copies(fixture)).toBe(0);
  });

  test("go without the tail, and without what tells duplicates and dimensions", async () => {
    const fixture = await indexed(SMALL);
    await fixture.accept({ id: "waits", text: "report waits" });
    // Its nudges are never answered, so it stays in the tail.
    fixture.nowMs += 2 * fixture.settings.ssdIdleMs;
    await fixture.wake();
    expect(copies(fixture)).toBe(0);
    fixture.crash();
    expect(await fixture.accept({ id: "e0-0" }, { id: "waits" })).toMatchObject({ accepted: 0, duplicates: 2 });
    expect(await fixture.ids()).toEqual(["e0-0", "waits"]);
  });

  test("stay for a read that holds their parts", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "v", text: "report", vector: [1, 0] });
    fixture.nowMs += fixture.settings.indexAgeMs;
    await fixture.index();
    const held = fixture.calls.hold("get", "/segments/", "before");
    const reading = fixture.ids();
    await held.reached;
    fixture.nowMs += 2 * fixture.settings.ssdIdleMs;
    await fixture.wake();
    expect(copies(fixture)).toBeGreaterThan(0);
    held.release();
    expect(await reading).toEqual(["v"]);
    expect(copies(fixture)).toBe(0);
  });

  test("of an earlier version's state go too, counted from when it was found", async () => {
    const fixture = await indexed(SMALL);
    fixture.crash();
    fixture.sql.run("UPDATE state SET json = json_remove(json, '$.copiesUsedMs')");
    fixture.alarm.atMs = null;
    valueIn(await fixture.entity.ready());
    await pass(fixture, 3 * fixture.settings.ssdIdleMs);
    expect(copies(fixture)).toBe(0);
    expect(fixture.alarm.atMs).toBeNull();
  });

  test("are said to be used once an hour, not by every read", async () => {
    const fixture = await indexed(SMALL);
    await fixture.ids();
    let written = 0;
    fixture.onStatement = (statement) => {
      if (statement.startsWith("INSERT INTO state")) written += 1;
    };
    for (let read = 0; read < 10; read += 1) await ask(fixture);
    expect(written).toBe(0);
    fixture.nowMs += COPIES_USED_EXACT_MS;
    await ask(fixture);
    await ask(fixture);
    expect(written).toBe(1);
  });
});
