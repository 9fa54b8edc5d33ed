/** Shards with graphs: as the indexer builds them, in slices, and as the object searches them. */
import { beforeAll, describe, expect, test } from "vitest";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { GRAPH_SLICE_VECTORS } from "../../core/limits.ts";
import type { ObjectStore, TenantStore } from "../../core/ports.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { EntityFixture, valueIn } from "./entity_fixture.ts";

/** Enough that a walk costs less than a scan. */
const DIMENSIONS = 96;
const COUNT = 21_500;
const BATCH_EVENTS = 7_000;
/** States that are put on the way: after every slice but the last. */
const STATES = Math.ceil(COUNT / GRAPH_SLICE_VECTORS) - 1;
const STATE_SUFFIX = ".graph";

const EVENTS: readonly EventInput[] = Array.from({ length: COUNT }, (_, index) => ({
  id: `e${index}`,
  vector: vectorOf(index),
  attributes: { half: index % 2 === 0 ? "even" : "odd", one: index === 4_711 },
}));

/** Few digits: what is written of them counts against what waits to be indexed. */
function vectorOf(seed: number): number[] {
  return Array.from(
    { length: DIMENSIONS },
    (_, dimension) => Math.round(Math.sin(seed * 0.37 + dimension * seed) * 10) / 10,
  );
}

async function filled(objects: ObjectStore): Promise<EntityFixture> {
  const fixture = new EntityFixture("kb:vectors", objects);
  for (let from = 0; from < COUNT; from += BATCH_EVENTS) {
    await fixture.accept(...EVENTS.slice(from, from + BATCH_EVENTS));
  }
  fixture.nowMs += fixture.settings.indexAgeMs;
  return fixture;
}

/** A store that counts the puts of states, and fails each after it took effect while `isDown`. */
function countingStates() {
  const plain = memoryStore();
  const states = { puts: 0, isDown: false };
  const watched = (store: TenantStore): TenantStore => ({
    ...store,
    async put(key, bytes, metadata) {
      await store.put(key, bytes, metadata);
      if (!key.endsWith(STATE_SUFFIX)) return;
      states.puts += 1;
      if (states.isDown) throw new Error("the indexer died");
    },
  });
  const objects: ObjectStore = { ...plain, forTenant: (tenant) => watched(plain.forTenant(tenant)) };
  return { objects, states };
}

async function statesOf(fixture: EntityFixture): Promise<readonly string[]> {
  return (await fixture.keys()).filter((key) => key.endsWith(STATE_SUFFIX));
}

describe("a shard of many vectors", () => {
  const query = { vector: vectorOf(0.123), top_k: 10, explain: true };
  let fixture: EntityFixture;

  beforeAll(async () => {
    fixture = await filled(memoryStore());
    expect(await fixture.index()).toBe(1);
  });

  test("is searched by its graph, and exactly when that is asked for", async () => {
    const walked = await fixture.search(query);
    const scanned = await fixture.search({ ...query, exact: true });
    expect([walked.plan, scanned.plan]).toEqual(["hnsw", "exact"]);
    expect(walked.planReason).toContain("by its graph with a beam of 100");
    expect(scanned.planReason).toContain("an exact plan is called for");
    const exact = new Map(scanned.hits.map(({ id, score }) => [id, score]));
    const found = walked.hits.filter(({ id, score }) => exact.get(id) === score);
    expect(found.length).toBeGreaterThanOrEqual(9);
  });

  test("is scanned where a filter leaves too little for a walk", async () => {
    const one = await fixture.search({ ...query, filter: { "attributes.one": true } });
    expect([one.plan, one.hits.map(({ id }) => id)]).toEqual(["filtered_exact", ["e4711"]]);
  });

  test("loses nothing to a filter that a walk goes through", async () => {
    const filter = { "attributes.half": "odd" };
    const walked = await fixture.search({ ...query, filter });
    const scanned = await fixture.search({ ...query, filter, exact: true });
    expect(walked.hits.map(({ attributes }) => attributes)).toEqual(Array(10).fill({ half: "odd", one: false }));
    const exact = new Set(scanned.hits.map(({ id }) => id));
    expect(walked.hits.filter(({ id }) => exact.has(id)).length).toBeGreaterThanOrEqual(9);
  });

  test("leaves no state behind", async () => {
    expect(await statesOf(fixture)).toEqual([]);
  });

  test("is scanned for a snapshot of another layout, which finds no less, and ever after for the same token", async () => {
    const walked = await fixture.search(query);
    const { snapshot } = walked;
    const again = await fixture.search({ ...query, snapshot });
    expect([again.plan, again.hits, again.snapshot]).toEqual(["hnsw", walked.hits, snapshot]);
    const scanned = await fixture.search({ ...query, exact: true });
    await fixture.accept({ id: "later", vector: vectorOf(0.123) });
    fixture.nowMs += fixture.settings.indexAgeMs;
    await fixture.index();
    expect((await fixture.search(query)).plan).toBe("hnsw");
    for (let read = 0; read < 2; read += 1) {
      const pinned = await fixture.search({ ...query, snapshot });
      expect([pinned.plan, pinned.hits, pinned.snapshot]).toEqual(["exact", scanned.hits, snapshot]);
    }
  });
});

describe("a graph whose building is cut short", () => {
  test("is gone on with where it was, to the same shard", async () => {
    const { objects, states } = countingStates();
    const fixture = await filled(objects);
    states.isDown = true;
    await expect(fixture.buildNext()).rejects.toThrow("the indexer died");
    expect([states.puts, (await statesOf(fixture)).length]).toEqual([1, 1]);
    fixture.entity.workFailed(1, "the indexer died", true);
    states.isDown = false;
    expect(await fixture.index()).toBe(1);
    expect(states.puts).toBe(STATES);

    const unbroken = await filled(memoryStore());
    expect(await unbroken.index()).toBe(1);
    expect(await shardsOf(fixture)).toEqual(await shardsOf(unbroken));
  });

  test("is gone on with whatever was appended meanwhile", async () => {
    const { objects, states } = countingStates();
    const fixture = await filled(objects);
    states.isDown = true;
    await expect(fixture.buildNext()).rejects.toThrow("the indexer died");
    states.isDown = false;
    await fixture.accept({ id: "later", vector: vectorOf(0.25) });
    fixture.entity.workFailed(1, "the indexer died", true);
    fixture.nowMs += fixture.settings.indexAgeMs;
    expect(await fixture.index()).toBe(2);
    expect([states.puts, await statesOf(fixture)]).toEqual([STATES, []]);
  });

  test("is begun anew from a state that is damaged", async () => {
    const { objects, states } = countingStates();
    const fixture = await filled(objects);
    states.isDown = true;
    await expect(fixture.buildNext()).rejects.toThrow("the indexer died");
    states.isDown = false;
    const [key] = await statesOf(fixture);
    const stored = await fixture.store.get(key ?? "");
    await fixture.store.put(
      key ?? "",
      stored?.bytes.map((byte, at) => (at === 1_000 ? byte ^ 1 : byte)) ?? new Uint8Array(),
    );
    states.puts = 0;
    fixture.entity.workFailed(1, "the indexer died", true);
    expect(await fixture.index()).toBe(1);
    expect(states.puts).toBe(STATES);
    expect((await fixture.search({ vector: vectorOf(0.5) })).plan).toBe("hnsw");
  });
});

async function shardsOf(fixture: EntityFixture): Promise<readonly string[]> {
  const status = valueIn(await fixture.entity.reader.status());
  return status.shards.map(({ id }) => id);
}
