import { describe, expect, test } from "vitest";
import { WORK_ATTEMPTS_MAX } from "../../core/limits.ts";
import { EntityFixture } from "./entity_fixture.ts";

async function fill(fixture: EntityFixture, from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n += 1) {
    const appended = await fixture.append([{ id: `e${n}`, text: `report number ${n} about site ${n % 3}` }]);
    if (!appended.ok) throw new Error(appended.failure.reason);
  }
}

describe("what is handed out", () => {
  test("nothing below the thresholds, everything once it is old enough", async () => {
    const fixture = new EntityFixture();
    await fill(fixture, 0, 3);
    expect(await fixture.entity.nextWork()).toBeNull();
    fixture.nowMs += 1_000;
    expect(await fixture.entity.nextWork()).toMatchObject({ from: 1, to: 3, replaces: 0 });
  });

  test("work that dies without a word is sealed after its attempts, and handed out again when unsealed", async () => {
    const fixture = new EntityFixture();
    await fill(fixture, 0, 1);
    fixture.nowMs += 1_000;
    for (let attempt = 0; attempt < WORK_ATTEMPTS_MAX; attempt += 1) {
      expect(await fixture.entity.nextWork()).not.toBeNull();
      expect(await fixture.entity.nextWork()).toBeNull();
      fixture.nowMs += fixture.settings.nudgeRetryMs;
    }
    expect(await fixture.entity.nextWork()).toBeNull();
    fixture.crash();
    await fixture.entity.ready();
    expect(await fixture.entity.nextWork()).toBeNull();
    expect(await fixture.entity.reader.status()).toMatchObject({ ok: true, value: { sealed: { from: 1, to: 1 } } });
    expect(await fixture.ids()).toEqual(["e0"]);
    fixture.entity.unseal();
    expect(await fixture.index()).toBe(1);
    expect(await fixture.entity.reader.status()).toMatchObject({ ok: true, value: { sealed: null } });
  });

  test("work that restarts cut short is not held against, and is handed out at once", async () => {
    const fixture = new EntityFixture();
    await fill(fixture, 0, 1);
    fixture.nowMs += 1_000;
    for (let restart = 0; restart < 4 * WORK_ATTEMPTS_MAX; restart += 1) {
      expect(await fixture.entity.nextWork()).not.toBeNull();
      fixture.crash();
      await fixture.entity.ready();
    }
    expect(await fixture.index()).toBe(1);
  });

  test("work is not handed out again while its worker says that it is at it", async () => {
    const fixture = new EntityFixture();
    await fill(fixture, 0, 1);
    fixture.nowMs += 1_000;
    expect(await fixture.entity.nextWork()).not.toBeNull();
    for (let renewal = 0; renewal < 3 * WORK_ATTEMPTS_MAX; renewal += 1) {
      fixture.nowMs += fixture.settings.nudgeRetryMs - 1;
      expect(fixture.entity.stands(1, 1)).toBe(true);
      expect(await fixture.entity.nextWork()).toBeNull();
    }
    // Whoever is at other work, or at that of another incarnation, renews nothing.
    expect(fixture.entity.stands(1, 2)).toBe(true);
    expect(fixture.entity.stands(2, 1)).toBe(false);
    fixture.nowMs += fixture.settings.nudgeRetryMs;
    expect(await fixture.index()).toBe(1);
  });

  test("work that only has to wait is never sealed", async () => {
    const fixture = new EntityFixture();
    await fill(fixture, 0, 1);
    fixture.nowMs += 1_000;
    for (let attempt = 0; attempt < 3 * WORK_ATTEMPTS_MAX; attempt += 1) {
      expect(await fixture.entity.nextWork()).not.toBeNull();
      fixture.entity.workFailed(1, "the model is down", true);
    }
    expect(fixture.entity.lastFailure()).toBe("the model is down");
  });
});

describe("a head", () => {
  test("is taken once: a second proposal on the same head is stale", async () => {
    const fixture = new EntityFixture();
    await fill(fixture, 0, 2);
    fixture.nowMs += 1_000;
    const work = await fixture.entity.nextWork();
    if (work === null) throw new Error("work was due");
    const sha256 = await fixture.build(work);
    const { scope, incarnation, headVersion, replaces } = work;
    const proposal = { scope, incarnation, headVersion, replaces, sha256 };
    expect(await fixture.entity.proposeHead(proposal)).toEqual({ ok: true, value: "committed" });
    expect(await fixture.entity.proposeHead(proposal)).toEqual({ ok: true, value: "stale" });
  });

  test("keeps what was appended while its shard was built", async () => {
    const fixture = new EntityFixture();
    await fill(fixture, 0, 2);
    fixture.nowMs += 1_000;
    const work = await fixture.entity.nextWork();
    if (work === null) throw new Error("work was due");
    await fill(fixture, 2, 2);
    const { scope, incarnation, headVersion, replaces } = work;
    await fixture.entity.proposeHead({ scope, incarnation, headVersion, replaces, sha256: await fixture.build(work) });
    expect(await fixture.entity.reader.status()).toMatchObject({ ok: true, value: { events: 4, unindexedEvents: 2 } });
    expect(await fixture.ids()).toEqual(["e0", "e1", "e2", "e3"]);
  });

  test("of a shard that is not what its name says is refused, and the tail stays", async () => {
    const fixture = new EntityFixture();
    await fill(fixture, 0, 1);
    fixture.nowMs += 1_000;
    const work = await fixture.entity.nextWork();
    if (work === null) throw new Error("work was due");
    const sha256 = await fixture.build(work);
    const key = (await fixture.store.list("entities/")).objects
      .map((object) => object.key)
      .find((name) => name.endsWith(".shard"));
    const stored = await fixture.store.get(key ?? "");
    const damaged = stored?.bytes.slice() ?? new Uint8Array();
    damaged[200] = (damaged[200] ?? 0) ^ 1;
    await fixture.store.put(key ?? "", damaged);
    const { scope, incarnation, headVersion, replaces } = work;
    const refused = await fixture.entity.proposeHead({ scope, incarnation, headVersion, replaces, sha256 });
    expect(refused).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
    expect(await fixture.ids()).toEqual(["e0"]);
  });
});

describe("layout", () => {
  const queries = [
    { text: "report site" },
    { text: "number 7", top_k: 3 },
    { text: "report", filter: { id: { $in: ["e1", "e9"] } } },
  ];

  test("tail, many shards, merged, rebuilt and recovered give the same answers", async () => {
    const fixture = new EntityFixture();
    await fill(fixture, 0, 12);
    const hits = () => Promise.all(queries.map(async (query) => (await fixture.search(query)).hits));
    const fromTail = await hits();
    fixture.nowMs += 1_000;
    await fixture.index();
    expect(await hits()).toEqual(fromTail);
    fixture.entity.compact();
    await fixture.index();
    expect(await hits()).toEqual(fromTail);
    expect(await fixture.entity.rebuild()).toEqual({ ok: true, value: null });
    expect(await hits()).toEqual(fromTail);
    fixture.nowMs += 1_000;
    await fixture.index();
    expect(await hits()).toEqual(fromTail);
    fixture.loseState();
    expect(await hits()).toEqual(fromTail);
  });

  test("a pinned snapshot does not change by later appends, deletes or builds", async () => {
    const fixture = new EntityFixture();
    await fill(fixture, 0, 6);
    const pinned = await fixture.search({ text: "report site" });
    await fill(fixture, 6, 3);
    await fixture.entity.withdraw("e1");
    fixture.nowMs += 1_000;
    await fixture.index();
    const again = await fixture.search({ text: "report site", snapshot: pinned.snapshot });
    expect(again.hits).toEqual(pinned.hits);
    const now = await fixture.search({ text: "report site" });
    expect(now.hits.map(({ id }) => id)).not.toContain("e1");
  });

  test("an eventual read sees what is indexed and says how stale it is", async () => {
    const fixture = new EntityFixture();
    await fill(fixture, 0, 2);
    fixture.nowMs += 1_000;
    await fixture.index();
    await fill(fixture, 2, 1);
    fixture.nowMs += 700;
    const eventual = await fixture.search({ text: "report", consistency: "eventual" });
    expect(eventual.hits.map(({ id }) => id).toSorted()).toEqual(["e0", "e1"]);
    expect(eventual.staleMs).toBe(700);
    expect(eventual.unindexedEvents).toBe(1);
    const written = await fixture.append([{ id: "e3", text: "report" }]);
    if (!written.ok) throw new Error(written.failure.reason);
    const including = await fixture.search({ text: "report", consistency: "eventual", at_least: written.value.token });
    expect(including.hits.map(({ id }) => id)).toContain("e3");
  });
});

describe("a part in memory", () => {
  test("is of use to the next instance, which has a storage of its own", async () => {
    const fixture = new EntityFixture();
    await fill(fixture, 0, 30);
    fixture.nowMs += 1_000;
    await fixture.index();
    const before = await fixture.search({ text: "report" });
    fixture.crash();
    const after = await fixture.search({ text: "report" });
    expect([after.hits, after.cache]).toEqual([before.hits, "memory"]);
    expect(await fixture.accept({ id: "e7", text: "another text" })).toMatchObject({ conflicts: ["e7"] });
  });
});
