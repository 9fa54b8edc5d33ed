/**
 * Shards that are lost, and indexes that are built anew: what is answered meanwhile, what is read for it, and that the
 * same bytes come of it.
 */
import { expect, test } from "vitest";
import { LOST_RAW_BYTES_MAX, TAIL_RAW_BYTES_MAX } from "../../core/limits.ts";
import type { ShardEntry } from "../../core/schema/stored.ts";
import { EntityFixture, valueIn } from "./entity_fixture.ts";
import { passTurns } from "./store_calls.ts";

/** A line of about a mebibyte that costs little to index. */
const MEBIBYTE = 1_048_000;
const heavy = (id: string) => ({ id, text: `report ${id}`, body: "b".repeat(MEBIBYTE) });

/** As long as `heavy`'s body, of which a tenth does not compress. */
function noise(seed: number): string {
  let state = seed + 1;
  let text = "";
  while (text.length < MEBIBYTE / 10) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += state.toString(36);
  }
  return text.padEnd(MEBIBYTE, "b");
}

/** As many shards as batches: none absorbs another. */
async function inShards(...batches: readonly (readonly string[])[]): Promise<EntityFixture> {
  const fixture = new EntityFixture();
  for (const ids of batches) {
    for (const id of ids) await fixture.accept({ id, text: `report ${id}` });
    fixture.nowMs += fixture.settings.indexAgeMs;
    const work = await fixture.entity.nextWork();
    if (work !== null && work.shards.length > 0) fixture.entity.workFailed(work.from, "not this way", false);
    fixture.nowMs += fixture.settings.nudgeRetryMs;
    await fixture.index();
  }
  return fixture;
}

type Shards = readonly Pick<ShardEntry, "from" | "to">[];

async function shardsOf(fixture: EntityFixture) {
  return valueIn(await fixture.serve((entity) => entity.reader.status())).shards;
}

const ranges = (shards: Shards) => shards.map(({ from, to }) => [from, to]);

async function shardKeyAt(fixture: EntityFixture, index: number): Promise<string> {
  const id = (await shardsOf(fixture))[index]?.id ?? "";
  return `entities/account%3Aacme/indexes/${id}.shard`;
}

async function segmentKeyOf(fixture: EntityFixture, commit: number): Promise<string> {
  return (await fixture.keys()).filter((key) => key.includes("/segments/"))[commit - 1] ?? "";
}

async function found(fixture: EntityFixture): Promise<string[]> {
  return (await fixture.search({ text: "report", top_k: 1_000 })).hits.map(({ id }) => id).toSorted();
}

test("one lost shard is answered from its own segments, the others as before, and its put mends it", async () => {
  const fixture = await inShards(["a", "b"], ["c", "d"], ["e", "f"]);
  const before = await shardsOf(fixture);
  expect(ranges(before)).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  const key = await shardKeyAt(fixture, 1);
  const bytes = (await fixture.store.get(key))?.bytes;
  await fixture.store.delete([key]);
  fixture.loseState();
  const others = await Promise.all([1, 2, 5, 6].map((commit) => segmentKeyOf(fixture, commit)));
  const unread = others.slice(0, 3).map((other) => fixture.calls.break("get", other, "before"));
  expect(await found(fixture)).toEqual(["a", "b", "c", "d", "e", "f"]);
  expect(await fixture.accept({ id: "d", text: "report d" }, { id: "g", text: "report g" })).toMatchObject({
    accepted: 1,
    duplicates: 1,
    conflicts: [],
  });
  expect(await fixture.index()).toBe(1);
  for (const one of unread) one.mend();
  expect((await fixture.store.get(key))?.bytes).toEqual(bytes);
  expect((await shardsOf(fixture)).slice(0, 3)).toEqual(before);
  expect(await found(fixture)).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
});

test("a lost shard that is mended while its segments are read for an answer is read itself", async () => {
  const fixture = await inShards(["a", "b"], ["c", "d"]);
  await fixture.store.delete([await shardKeyAt(fixture, 0)]);
  fixture.loseState();
  expect(await found(fixture)).toHaveLength(4);
  fixture.nowMs += fixture.settings.nudgeRetryMs;
  const work = await fixture.entity.nextWork();
  if (work === null) throw new Error("work was due");
  const { scope, incarnation, purpose, headVersion, replaces } = work;
  const sha256 = await fixture.build(work);
  valueIn(await fixture.entity.proposeHead({ scope, incarnation, purpose, headVersion, replaces, sha256 }));
  fixture.crash();
  const hold = fixture.calls.hold("get", "/segments/", "after");
  const finding = found(fixture);
  await hold.reached;
  const mending = fixture.entity.nextWork();
  await passTurns(100);
  hold.release();
  await mending;
  expect(await finding).toEqual(["a", "b", "c", "d"]);
});

test("several lost shards are mended one after another, whatever crashes in between", async () => {
  const fixture = await inShards(["a"], ["b"], ["c"], ["d"]);
  const before = await shardsOf(fixture);
  for (const index of [0, 2, 3]) await fixture.store.put(await shardKeyAt(fixture, index), new Uint8Array([1]));
  fixture.loseState();
  expect(await found(fixture)).toEqual(["a", "b", "c", "d"]);
  for (let mended = 0; mended < 3; mended += 1) {
    expect(valueIn((await fixture.buildNext()) ?? { ok: false, failure: { reason: "internal" } })).toBe("committed");
    fixture.crash();
    expect(await found(fixture)).toEqual(["a", "b", "c", "d"]);
  }
  expect(await fixture.index()).toBe(0);
  expect(await shardsOf(fixture)).toEqual(before);
  fixture.loseState();
  expect(await found(fixture)).toEqual(["a", "b", "c", "d"]);
});

test("a lost shard at the end of the head is left to be rebuilt by itself, and absorbed by nothing", async () => {
  const fixture = await inShards(["a"], ["b"]);
  await fixture.store.delete([await shardKeyAt(fixture, 1)]);
  fixture.loseState();
  await fixture.accept({ id: "c", text: "report c" });
  fixture.nowMs += fixture.settings.indexAgeMs;
  expect(await fixture.entity.nextWork()).toMatchObject({ purpose: "index", from: 3, to: 3, shards: [] });
  expect(await fixture.entity.nextWork()).toMatchObject({ purpose: "rebuild", from: 2, to: 2, shards: [] });
});

test("a damaged segment matters to nobody while its shard is whole, and is named when it is not", async () => {
  const fixture = await inShards(["a"], ["b"]);
  const segment = await segmentKeyOf(fixture, 1);
  await fixture.store.put(segment, new Uint8Array([1]));
  fixture.crash();
  expect(await found(fixture)).toEqual(["a", "b"]);
  await fixture.store.delete([await shardKeyAt(fixture, 0)]);
  fixture.loseState();
  const search = await fixture.serve((entity) => entity.reader.status());
  expect(search).toEqual({ ok: false, failure: { reason: "corrupt", what: `${segment}: its metadata` } });
});

test("a lost shard whose lines are too many for memory is named until it is built again", async () => {
  const fixture = new EntityFixture();
  const count = Math.ceil(LOST_RAW_BYTES_MAX / MEBIBYTE) + 1;
  for (let n = 0; n < count; n += 1) await fixture.accept({ ...heavy(`e${n}`), body: noise(n) });
  fixture.nowMs += fixture.settings.indexAgeMs;
  await fixture.index();
  fixture.entity.compact();
  await fixture.index();
  const before = await shardsOf(fixture);
  expect(before).toHaveLength(1);
  const key = await shardKeyAt(fixture, 0);
  await fixture.store.put(key, new Uint8Array([1]));
  fixture.loseState();
  expect(await fixture.serve((entity) => entity.reader.status())).toMatchObject({
    ok: false,
    failure: { reason: "unavailable", what: expect.stringContaining(key) },
  });
  // More than one build takes, of shards that do not absorb each other: they are merged into what was there.
  expect(await fixture.index()).toBeGreaterThan(2);
  expect(await shardsOf(fixture)).toEqual(before);
}, 120_000);

test("a rebuild answers from the head that there was until it swaps, and holds nothing in the tail", async () => {
  const fixture = await inShards(["a", "b"], ["c", "d"], ["e"]);
  const before = await fixture.search({ text: "report", top_k: 10 });
  const { snapshot } = before;
  for (const index of [0, 1, 2]) await fixture.store.delete([await shardKeyAt(fixture, index)]);
  valueIn(await fixture.serve((entity) => entity.rebuild()));
  expect(await fixture.entity.counters()).toMatchObject({
    value: { pending: true, unindexedEvents: 0 },
  });
  await fixture.accept({ id: "late", text: "report late" });
  fixture.crash();
  expect((await fixture.search({ text: "report", top_k: 10, snapshot })).hits).toEqual(before.hits);
  expect(await fixture.index()).toBe(1);
  expect(ranges(await shardsOf(fixture))).toEqual([[1, 5]]);
  expect((await fixture.search({ text: "report", top_k: 10, snapshot })).hits).toEqual(before.hits);
  fixture.loseState();
  expect(await found(fixture)).toEqual(["a", "b", "c", "d", "e", "late"]);
});

test("a rebuild that meets a damaged segment is sealed by its name, and the old head stays", async () => {
  const fixture = await inShards(["a", "b"], ["c", "d"]);
  const before = await shardsOf(fixture);
  const segment = await segmentKeyOf(fixture, 2);
  const { bytes, metadata } = (await fixture.store.get(segment)) ?? { bytes: new Uint8Array(), metadata: {} };
  await fixture.store.put(segment, new Uint8Array([1]), metadata);
  valueIn(await fixture.serve((entity) => entity.rebuild()));
  for (let work = await fixture.entity.nextWork(); work !== null; work = await fixture.entity.nextWork()) {
    const { scope, incarnation, purpose, headVersion, replaces, from } = work;
    const built = await fixture.tryBuild(work);
    if (built.ok)
      await fixture.entity.proposeHead({ scope, incarnation, purpose, headVersion, replaces, sha256: built.value });
    else fixture.entity.workFailed(from, JSON.stringify(built.failure), false, purpose);
  }
  const status = valueIn(await fixture.entity.reader.status());
  expect(status.sealed).toMatchObject({ from: 2, to: 2, error: expect.stringContaining(segment) });
  expect(status.shards).toEqual(before);
  expect(await found(fixture)).toEqual(["a", "b", "c", "d"]);
  expect(await fixture.entity.counters()).toMatchObject({ value: { sealed: true, pending: false } });
  await fixture.store.put(segment, bytes, metadata);
  fixture.entity.unseal();
  await fixture.index();
  expect(valueIn(await fixture.entity.reader.status()).sealed).toBeNull();
});

test("a rebuild names a segment that is missing", async () => {
  const fixture = await inShards(["a", "b"]);
  await fixture.store.delete([await segmentKeyOf(fixture, 2)]);
  valueIn(await fixture.serve((entity) => entity.rebuild()));
  await fixture.index();
  const status = valueIn(await fixture.entity.reader.status());
  expect(status.sealed).toMatchObject({ from: 2, to: 2, error: expect.stringContaining("commit 2 is missing") });
  expect(await found(fixture)).toEqual(["a", "b"]);
});

async function largerThanATail(): Promise<EntityFixture> {
  const fixture = new EntityFixture();
  for (let n = 0; n * MEBIBYTE < TAIL_RAW_BYTES_MAX; n += 8) {
    for (let k = 0; k < 8; k += 1) await fixture.accept(heavy(`e${n + k}`));
    fixture.nowMs += fixture.settings.indexAgeMs;
    await fixture.index();
  }
  return fixture;
}

async function untilItCoversTheLog(fixture: EntityFixture, expected: readonly string[]): Promise<void> {
  expect(await fixture.serve((entity) => entity.reader.status())).toMatchObject({
    ok: false,
    failure: { reason: "unavailable", what: expect.stringContaining("being built from the log") },
  });
  await fixture.accept({ id: "meanwhile", text: "report meanwhile" });
  const first = await fixture.buildNext();
  expect(first).toMatchObject({ ok: true, value: "committed" });
  fixture.crash();
  expect((await fixture.serve((entity) => entity.reader.status())).ok).toBe(false);
  fixture.nowMs += fixture.settings.indexAgeMs;
  await fixture.index();
  expect(await found(fixture)).toEqual([...expected, "meanwhile"].toSorted());
}

test("a new revision of a log larger than a tail, and one whose heads are gone, are built while appends go on", async () => {
  const fixture = await largerThanATail();
  const ids = await found(fixture);
  fixture.crash();
  fixture.metric = "dot";
  await untilItCoversTheLog(fixture, ids);
  expect(await fixture.accept({ id: "e0", text: "another" })).toMatchObject({ duplicates: 1, conflicts: ["e0"] });
  await fixture.store.delete((await fixture.keys()).filter((key) => key.includes("/heads/")));
  fixture.loseState();
  await untilItCoversTheLog(fixture, ids);
}, 240_000);
