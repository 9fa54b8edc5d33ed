import { describe, expect, test } from "vitest";
import { ok } from "../../core/errors.ts";
import { INDEXED_PAGE_MAX, SWEEP_ENTITIES_MAX, WORK_ATTEMPTS_MAX } from "../../core/limits.ts";
import { type EntityFixture, valueIn } from "./entity_fixture.ts";
import { COUNTERS, TenantFixture } from "./tenant_fixture.ts";

/** Nudges are worked as the indexer does; an entity's object was evicted before each. */
async function workNudges(tenant: TenantFixture, fixtures: readonly EntityFixture[]): Promise<void> {
  for (const { entity } of tenant.nudges.splice(0)) {
    const fixture = fixtures.find(({ scope }) => scope.entity === entity);
    if (fixture === undefined) throw new Error(`no entity ${entity}`);
    fixture.crash();
    await fixture.index();
  }
}

async function sealed(fixture: EntityFixture): Promise<void> {
  fixture.nowMs += 1_000;
  for (let attempt = 0; attempt <= WORK_ATTEMPTS_MAX; attempt += 1) {
    await fixture.entity.nextWork();
    fixture.nowMs += fixture.settings.nudgeRetryMs;
  }
}

describe("what was indexed", () => {
  const rows = (tenant: TenantFixture, table: string) => tenant.sql.run(`SELECT * FROM ${table}`).length;

  test("is noted only while somebody follows, who is told all of it from the beginning", async () => {
    const tenant = new TenantFixture();
    const names = Array.from({ length: INDEXED_PAGE_MAX + 3 }, (_, n) => `account:${String(n).padStart(5, "0")}`);
    for (const entity of names) {
      await tenant.registry.markDirty(entity, 1);
      await tenant.registry.report({ entity, ...COUNTERS, incarnation: 2, redacted: 1 });
    }
    expect(rows(tenant, "indexed")).toBe(0);
    // The word of it may be lost: who asks follows all the same.
    const first = valueIn(await tenant.registry.indexed(0, 0));
    const second = valueIn(await tenant.registry.indexed(first.epoch, first.next));
    expect([...first.entities, ...second.entities].map(({ entity }) => entity)).toEqual(names);
    expect(second.entities.at(-1)).toMatchObject({ incarnation: 2, indexedCommit: 1, redacted: 1 });
    expect(tenant.nudges).toEqual([]);
  });

  test("while nobody followed is caught up with, an erasure too", async () => {
    const tenant = new TenantFixture();
    for (const entity of ["account:a", "account:b"]) {
      await tenant.registry.markDirty(entity, 1);
      await tenant.registry.report({ entity, ...COUNTERS });
    }
    await tenant.registry.follow(true);
    const { epoch, next } = valueIn(await tenant.registry.indexed(0, 0));
    await tenant.registry.follow(false);
    await tenant.registry.report({ entity: "account:a", ...COUNTERS, lastCommit: 5, indexedCommit: 5 });
    await tenant.registry.forget("account:b", 1);
    await tenant.registry.follow(true);
    expect(valueIn(await tenant.registry.indexed(epoch, next)).entities).toEqual([
      { entity: "account:a", incarnation: 1, indexedCommit: 5, redacted: 0 },
      { entity: "account:b", incarnation: 2, indexedCommit: 0, redacted: 0 },
    ]);
  });
});

describe("a registry that lost its state alone", () => {
  test("lists its entities with their counters again, and its dirty set drains", async () => {
    const tenant = new TenantFixture();
    const fixtures = ["account:a", "account:b", "account:empty"].map((name) => tenant.add(name));
    for (const [count, fixture] of fixtures.entries()) {
      for (let n = 0; n < 2 - count; n += 1) await fixture.accept({ id: `e${n}` });
      fixture.nowMs += 1_000;
    }
    await tenant.registry.sweep();
    await workNudges(tenant, fixtures);
    const before = await tenant.registry.entities("", 10, null);
    expect(before).toMatchObject({ ok: true, value: { entities: [{ events: 2 }, { events: 1 }] } });
    tenant.loseState();
    expect(await tenant.registry.sweep()).toEqual(ok({ nudged: 2, undriven: [] }));
    await workNudges(tenant, fixtures);
    expect(await tenant.registry.entities("", 10, null)).toEqual(before);
    expect(await tenant.registry.sweep()).toEqual(ok({ nudged: 0, undriven: [] }));
  });

  test("lists an entity that an instance goes on serving", async () => {
    const tenant = new TenantFixture();
    const fixture = tenant.add("account:a");
    await fixture.accept({ id: "a" });
    fixture.nowMs += 1_000;
    await fixture.index();
    tenant.loseState();
    await tenant.registry.sweep();
    await fixture.index();
    expect(await tenant.registry.entities("", 10, null)).toMatchObject({
      ok: true,
      value: { entities: [{ entity: "account:a", events: 1 }] },
    });
  });

  test("lists an entity whose first put was under way then, when it reports", async () => {
    const before = new TenantFixture();
    const fixture = before.add("account:a");
    await fixture.accept({ id: "a" });
    const counters = valueIn(await fixture.entity.counters());
    const { registry } = new TenantFixture();
    expect(valueIn(await registry.knows("account:a")).known).toBe(false);
    valueIn(await registry.report(counters));
    expect(valueIn(await registry.entities("", 10, null)).entities).toMatchObject([{ entity: "account:a", events: 1 }]);
    expect(valueIn(await registry.sweep()).nudged).toBe(1);
  });

  test("ends the list with a page that is full, if nothing comes after it", async () => {
    const tenant = new TenantFixture();
    for (const entity of ["account:a", "account:b", "account:c", "account:d"]) {
      const fixture = tenant.add(entity);
      await fixture.accept({ id: "a" });
    }
    const first = valueIn(await tenant.registry.entities("", 2, null));
    expect(first).toMatchObject({ entities: [{ entity: "account:a" }, { entity: "account:b" }] });
    expect(valueIn(await tenant.registry.entities("", 2, first.nextCursor))).toMatchObject({
      entities: [{ entity: "account:c" }, { entity: "account:d" }],
      nextCursor: null,
    });
  });

  test("knows an erased entity, which is not listed", async () => {
    const tenant = new TenantFixture();
    const fixture = tenant.add("account:a");
    await fixture.accept({ id: "a" });
    await fixture.entity.erase();
    await fixture.sweep();
    tenant.loseState();
    expect(await tenant.registry.knows("account:a")).toEqual(ok({ known: true }));
    expect(await tenant.registry.entities("", 10, null)).toMatchObject({ ok: true, value: { entities: [] } });
    expect(await fixture.accept({ id: "b" })).toMatchObject({ commit: 1 });
  });
});

describe("the dirty set", () => {
  test("keeps an entity whose announced commit a report does not know of yet", async () => {
    const tenant = new TenantFixture();
    const fixture = tenant.add("account:a");
    await fixture.accept({ id: "a" });
    fixture.nowMs += 1_000;
    await fixture.index();
    expect(await tenant.registry.sweep()).toEqual(ok({ nudged: 0, undriven: [] }));
    await tenant.registry.markDirty("account:a", 2);
    await tenant.registry.report(valueIn(await fixture.serve((entity) => entity.counters())));
    expect(await tenant.registry.sweep()).toEqual(ok({ nudged: 1, undriven: [] }));
  });
});

describe("a sweep", () => {
  test("goes on where the last one ended, so that each of many dirty entities has its turn", async () => {
    const tenant = new TenantFixture();
    const names = Array.from({ length: 2 * SWEEP_ENTITIES_MAX + 7 }, (_, n) => `account:${String(n).padStart(5, "0")}`);
    for (const name of names) await tenant.registry.markDirty(name, 1);
    const sizes: number[] = [];
    for (let sweep = 0; sweep < 3; sweep += 1) {
      await tenant.registry.sweep();
      tenant.evict();
      sizes.push(tenant.nudges.length);
    }
    expect(sizes).toEqual([1, 2, 3].map((sweeps) => sweeps * SWEEP_ENTITIES_MAX));
    expect(new Set(tenant.nudges.map(({ entity }) => entity)).size).toBe(names.length);
  });

  /** An entity that has nothing to do, with the registry's word for it. */
  async function clean(tenant: TenantFixture): Promise<EntityFixture> {
    const fixture = tenant.add("account:a");
    await fixture.accept({ id: "a", text: "report" });
    fixture.nowMs += fixture.settings.indexAgeMs;
    await fixture.index();
    await workNudges(tenant, [fixture]);
    expect(await tenant.registry.sweep()).toEqual(ok({ nudged: 0, undriven: [] }));
    return fixture;
  }

  const loseAlarm = (fixture: EntityFixture) => {
    fixture.crash();
    fixture.alarm.atMs = null;
  };

  const begun: Record<string, (fixture: EntityFixture) => Promise<unknown>> = {
    "a rebuild": (fixture) => fixture.serve((entity) => entity.rebuild()),
    "a shard that is gone": async (fixture) => {
      await fixture.store.delete((await fixture.keys()).filter((key) => key.endsWith(".shard")));
      fixture.sql.run("DELETE FROM shards");
      fixture.crash();
      await fixture.ids();
    },
    "a redaction": (fixture) => fixture.serve((entity) => entity.redact(["a"], false)),
  };

  test.each(Object.entries(begun))("goes on with %s whose alarm was lost, until it is done", async (_, begin) => {
    const tenant = new TenantFixture();
    const fixture = await clean(tenant);
    await begin(fixture);
    loseAlarm(fixture);
    for (let sweep = 0; sweep < 5; sweep += 1) {
      await tenant.registry.sweep();
      await workNudges(tenant, [fixture]);
      fixture.nowMs += 2 * fixture.settings.putDeadlineMs + fixture.settings.nudgeRetryMs;
      if (fixture.alarm.atMs !== null) await fixture.wake();
    }
    expect(valueIn(await fixture.serve((entity) => entity.counters()))).toMatchObject({ pending: false });
    expect(await tenant.registry.sweep()).toEqual(ok({ nudged: 0, undriven: [] }));
  });

  test("finds an entity that has more to do though all of it is indexed, which no answer waits for", async () => {
    const tenant = new TenantFixture();
    const fixture = await clean(tenant);
    valueIn(await fixture.serve((entity) => entity.rebuild()));
    valueIn(await tenant.registry.report(valueIn(await fixture.serve((entity) => entity.counters()))));
    loseAlarm(fixture);
    expect(await tenant.registry.sweep()).toEqual(ok({ nudged: 1, undriven: [] }));
    expect(valueIn(await tenant.registry.indexed(0, 0))).toMatchObject({ waiting: 0, waitingSinceMs: null });
  });

  test("nudges each of a few dirty entities every time", async () => {
    const tenant = new TenantFixture();
    for (const name of ["account:a", "account:b"]) await tenant.registry.markDirty(name, 1);
    for (let sweep = 0; sweep < 2; sweep += 1) await tenant.registry.sweep();
    expect(tenant.nudges.map(({ entity }) => entity)).toEqual(["account:a", "account:b", "account:a", "account:b"]);
  });
});

describe("a dead letter", () => {
  const letter = { id: "m", entity: "account:a", at: 1, error: "the builder was out of memory" };

  test("stays while the work is sealed, and goes when it was done after all", async () => {
    const tenant = new TenantFixture();
    const fixture = tenant.add("account:a");
    await fixture.accept({ id: "a" });
    await sealed(fixture);
    await tenant.registry.recordDeadLetter(letter);
    await fixture.wake();
    await tenant.registry.status();
    expect(tenant.registry.deadLetters()).toEqual(ok([letter]));
    expect(await tenant.registry.replay("m")).toEqual(ok({ replayed: "m" }));
    expect(await fixture.index()).toBe(1);
    expect(tenant.registry.deadLetters()).toEqual(ok([]));
  });

  test("goes with a build that somebody else did", async () => {
    const tenant = new TenantFixture();
    const fixture = tenant.add("account:a");
    await fixture.accept({ id: "a" });
    await tenant.registry.recordDeadLetter(letter);
    fixture.nowMs += 1_000;
    await fixture.index();
    expect(tenant.registry.deadLetters()).toEqual(ok([]));
  });
});
