import { describe, expect, test } from "vitest";
import { fail, ok } from "../../core/errors.ts";
import type { Registry } from "../../durable-objects/entity/ports.ts";
import { EntityFixture } from "./entity_fixture.ts";

async function indexed(...ids: readonly string[]): Promise<EntityFixture> {
  const fixture = new EntityFixture();
  for (const id of ids) await fixture.accept({ id, text: `report ${id}` });
  fixture.nowMs += 1_000;
  await fixture.index();
  return fixture;
}

async function shardKeyOf(fixture: EntityFixture): Promise<string> {
  const key = (await fixture.keys()).find((name) => name.endsWith(".shard"));
  if (key === undefined) throw new Error("there is no shard");
  return key;
}

const damages = {
  missing: async (fixture: EntityFixture) => fixture.store.delete([await shardKeyOf(fixture)]),
  damaged: async (fixture: EntityFixture) => {
    const key = await shardKeyOf(fixture);
    const bytes = (await fixture.store.get(key))?.bytes ?? new Uint8Array();
    bytes[200] = (bytes[200] ?? 0) ^ 1;
    await fixture.store.put(key, bytes);
  },
};

describe.each(Object.entries(damages))("a shard that is %s in the store when the state was lost", (_, damage) => {
  test("is derived again by the first read", async () => {
    const fixture = await indexed("a", "b");
    await damage(fixture);
    fixture.loseState();
    expect((await fixture.search({ text: "report" })).hits.map(({ id }) => id).toSorted()).toEqual(["a", "b"]);
    expect(await fixture.ids()).toEqual(["a", "b"]);
  });

  test("is derived again by the first append, which knows its duplicates", async () => {
    const fixture = await indexed("a", "b");
    await damage(fixture);
    fixture.loseState();
    expect(await fixture.accept({ id: "b", text: "report b" }, { id: "c" })).toMatchObject({
      commit: 3,
      accepted: 1,
      duplicates: 1,
      conflicts: [],
    });
    expect(await fixture.ids()).toEqual(["a", "b", "c"]);
  });

  test("is put whole by the next build", async () => {
    const fixture = await indexed("a", "b");
    await damage(fixture);
    fixture.loseState();
    await fixture.ids();
    fixture.nowMs += 1_000;
    expect(await fixture.index()).toBe(1);
    fixture.loseState();
    expect(await fixture.ids()).toEqual(["a", "b"]);
    expect(await fixture.entity.counters()).toMatchObject({ ok: true, value: { indexedCommit: 2 } });
  });
});

test("a shard that goes missing after the head was adopted is derived again", async () => {
  const fixture = await indexed("a");
  fixture.loseState();
  await fixture.entity.ready();
  await damages.missing(fixture);
  expect(await fixture.ids()).toEqual(["a"]);
});

describe("a segment that is missing when the state was lost", () => {
  const segmentOf = async (fixture: EntityFixture, commit: number) =>
    (await fixture.keys()).filter((key) => key.includes(`-00000000000${commit}.jsonl`));

  test("of what is indexed is not needed: shards answer, and the log goes on", async () => {
    const fixture = await indexed("a", "b", "c");
    await fixture.store.delete(await segmentOf(fixture, 2));
    fixture.loseState();
    expect(await fixture.ids()).toEqual(["a", "b", "c"]);
    expect(await fixture.accept({ id: "b", text: "report b" }, { id: "d" })).toMatchObject({
      commit: 4,
      duplicates: 1,
    });
  });

  test("of what waits to be indexed is a failure that names it", async () => {
    const fixture = await indexed("a");
    for (const id of ["b", "c", "d"]) await fixture.accept({ id });
    await fixture.store.delete(await segmentOf(fixture, 3));
    fixture.loseState();
    const what = "the log: the segment of commit 3 is missing";
    expect(await fixture.entity.ready()).toEqual(fail({ reason: "corrupt", what }));
  });
});

test("a put that ended with its instance, and that a recovery finds, makes the entity dirty again", async () => {
  const fixture = await indexed("a");
  await fixture.accept({ id: "b" });
  await fixture.crashInPut({ id: "never told" });
  fixture.nowMs += fixture.settings.indexAgeMs;
  await fixture.index();
  expect(fixture.reports.at(-1)).toMatchObject({ lastCommit: 2, indexedCommit: 2 });
  fixture.registered.set("account:acme", -1);
  fixture.loseState();
  expect(await fixture.ids()).toEqual(["a", "b", "never told"]);
  expect(fixture.registered.get("account:acme")).toBe(0);
});

describe("one commit under two days", () => {
  async function twice(): Promise<EntityFixture> {
    const fixture = new EntityFixture();
    fixture.nowMs = Date.UTC(2026, 0, 1, 23, 59, 59);
    fixture.fault = "late";
    await fixture.append([{ id: "never acknowledged" }]);
    fixture.fault = "none";
    fixture.loseState();
    fixture.nowMs += 2_000;
    expect(await fixture.accept({ id: "acknowledged" })).toMatchObject({ commit: 1 });
    await fixture.landLatePuts();
    expect((await fixture.keys()).filter((key) => key.includes("/segments/"))).toHaveLength(2);
    return fixture;
  }

  test("the later day wins a recovery", async () => {
    const fixture = await twice();
    fixture.loseState();
    expect(await fixture.ids()).toEqual(["acknowledged"]);
  });

  test("the later day wins a rebuild", async () => {
    const fixture = await twice();
    fixture.nowMs += 1_000;
    await fixture.index();
    expect(await fixture.entity.rebuild()).toEqual(ok(null));
    expect(await fixture.ids()).toEqual(["acknowledged"]);
  });
});

describe("a new revision", () => {
  test("is never answered from the shards of the old one: calls fail until the log was read", async () => {
    for (const call of ["list", "get"] as const) {
      const fixture = await indexed("a", "b");
      await fixture.accept({ id: "c", text: "report c" });
      fixture.crash();
      fixture.metric = "dot";
      const fault = fixture.calls.break(call, "/segments/", "before");
      for (let attempt = 0; attempt < 3; attempt += 1) {
        expect(await fixture.append([{ id: "d" }])).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
        expect(await fixture.serve((entity) => entity.reader.status())).toMatchObject({
          ok: false,
          failure: { reason: "unavailable" },
        });
      }
      fault.mend();
      expect((await fixture.search({ text: "report" })).hits).toHaveLength(3);
      expect(await fixture.entity.counters()).toMatchObject({ ok: true, value: { indexedCommit: 0 } });
      fixture.nowMs += 1_000;
      await fixture.index();
      expect(await fixture.ids()).toEqual(["a", "b", "c"]);
    }
  });
});

describe("alarms of an entity that does not load", () => {
  const refusals: Record<string, Registry["knows"]> = {
    throws: () => Promise.reject(new Error("down")),
    refuses: async () => fail({ reason: "unavailable", what: "The tenant could not answer.", retryAfterSeconds: 1 }),
  };

  test.each(Object.entries(refusals))("back off while the tenant %s, and end when it answers", async (_, knows) => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" });
    fixture.loseState();
    const { registry } = fixture;
    fixture.registry = { ...registry, knows };
    const waits: number[] = [];
    for (let ring = 0; ring < 12; ring += 1) {
      await fixture.wake();
      waits.push((fixture.alarm.atMs ?? fixture.nowMs) - fixture.nowMs);
    }
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(waits.every((wait) => wait > 0)).toBe(true);
    expect(waits.at(-1)).toBeGreaterThan(60 * (waits[0] ?? 0));
    fixture.registry = registry;
    await fixture.wake();
    await fixture.wake();
    expect(fixture.nudges).toHaveLength(1);
  });
});
