/** Two operations on one entity, the second while the first waits for the store. */
import { describe, expect, test } from "vitest";
import { ok, type Result } from "../../core/errors.ts";
import type { HeadProposal, IndexWork } from "../../core/rpc.ts";
import { EntityFixture, valueIn } from "./entity_fixture.ts";
import { TenantFixture } from "./tenant_fixture.ts";

async function proposalOf(fixture: EntityFixture): Promise<HeadProposal> {
  const work = await fixture.entity.nextWork();
  if (work === null) throw new Error("work was due");
  const { scope, incarnation, headVersion, replaces } = work;
  return { scope, incarnation, headVersion, replaces, sha256: await fixture.build(work) };
}

function rows(fixture: EntityFixture, table: string): number {
  return fixture.sql.run(`SELECT * FROM ${table}`).length;
}

/** Asks for a rebuild and for its first work, for which the log is read. */
async function planRebuild(fixture: EntityFixture): Promise<Result<IndexWork | null>> {
  await fixture.entity.ready();
  await fixture.entity.rebuild();
  return fixture.serve(async (entity) => ok(await entity.nextWork()));
}

describe("a rebuild", () => {
  test("that an erasure overtakes leaves nothing of the old incarnation in SQLite", async () => {
    const fixture = new EntityFixture();
    for (const id of ["a", "b", "c"]) await fixture.append([{ id, text: "secret" }], { key: id, bodyDigest: "d" });
    fixture.nowMs += 1_000;
    await fixture.index();
    const read = fixture.calls.hold("get", "/segments/", "after");
    const planning = planRebuild(fixture);
    await read.reached;
    await fixture.entity.erase();
    read.release();
    expect(await planning).toEqual(ok(null));
    for (const table of ["tail", "shards", "shard_bytes", "idempotency"]) expect(rows(fixture, table)).toBe(0);
    await fixture.sweep();
    await fixture.accept({ id: "new" });
    fixture.crash();
    expect(await fixture.accept({ id: "b", text: "secret" })).toMatchObject({ accepted: 1, commit: 2 });
    expect(await fixture.ids()).toEqual(["new", "b"]);
    expect(await fixture.entity.counters()).toMatchObject({ ok: true, value: { events: 2, lastCommit: 2 } });
  });

  test("that an erasure overtakes while it lists drops nothing of the new incarnation", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" });
    fixture.nowMs += 1_000;
    await fixture.index();
    const listing = fixture.calls.hold("list", "/segments/", "after");
    const planning = planRebuild(fixture);
    await listing.reached;
    await fixture.entity.erase();
    listing.release();
    expect(await planning).toEqual(ok(null));
    await fixture.sweep();
    expect(fixture.entity.erased()).toBe(true);
    await fixture.accept({ id: "new" });
    expect(await fixture.ids()).toEqual(["new"]);
  });

  test("that ends while a commit is put leaves every id taken, and the count right", async () => {
    const fixture = new EntityFixture();
    for (const id of ["a", "b"]) {
      await fixture.accept({ id, text: "first" });
      fixture.nowMs += 1_000;
      const work = await fixture.entity.nextWork();
      if (work === null) throw new Error("nothing to index");
      // A shard for each, which the rebuild makes one of.
      const sha256 = await fixture.build({ ...work, from: work.to, replaces: 0, shards: [] });
      const { scope, incarnation, headVersion } = work;
      valueIn(await fixture.entity.proposeHead({ scope, incarnation, headVersion, replaces: 0, sha256 }));
    }
    valueIn(await fixture.entity.rebuild());
    const put = fixture.calls.hold("create", "/segments/", "after");
    const withdrawal = fixture.entity.withdraw("a");
    await put.reached;
    await fixture.index();
    put.release();
    expect(await withdrawal).toMatchObject({ ok: true });
    const again = await fixture.append([{ id: "b", text: "second" }]);
    expect(again).toMatchObject({ ok: true, value: { accepted: 0, conflicts: ["b"] } });
    expect(await fixture.entity.counters()).toMatchObject({ ok: true, value: { events: 1 } });
    expect(valueIn(await fixture.entity.reader.status()).shards).toHaveLength(1);
  });

  test("goes as far as a head that was taken while it began", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" });
    fixture.nowMs += 1_000;
    await fixture.index();
    await fixture.accept({ id: "b" });
    fixture.nowMs += 1_000;
    const proposal = await proposalOf(fixture);
    const put = fixture.calls.hold("create", "/heads/", "after");
    const proposed = fixture.entity.proposeHead(proposal);
    await put.reached;
    expect(await fixture.entity.rebuild()).toEqual(ok(null));
    put.release();
    expect(await proposed).toEqual(ok("committed"));
    expect(await fixture.entity.nextWork()).toMatchObject({ purpose: "rebuild", from: 1, to: 2 });
    fixture.nowMs += fixture.settings.nudgeRetryMs;
    expect(await fixture.index()).toBe(1);
    expect(await fixture.entity.counters()).toMatchObject({ ok: true, value: { indexedCommit: 2, pending: false } });
    fixture.loseState();
    expect(await fixture.ids()).toEqual(["a", "b"]);
  });

  test("keeps what is appended while it reads the log", async () => {
    const fixture = new EntityFixture();
    for (const id of ["a", "b"]) await fixture.accept({ id });
    fixture.nowMs += 1_000;
    await fixture.index();
    const read = fixture.calls.hold("get", "/segments/", "after");
    const planning = planRebuild(fixture);
    await read.reached;
    await fixture.accept({ id: "c" });
    read.release();
    expect(await planning).toMatchObject({ ok: true, value: { from: 1, to: 2 } });
    expect(await fixture.ids()).toEqual(["a", "b", "c"]);
  });
});

test("a redaction that an erasure overtakes while it is announced begins nothing in the next incarnation", async () => {
  const fixture = new EntityFixture();
  await fixture.accept({ id: "a", text: "secret" });
  const { registry } = fixture;
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  fixture.registry = {
    ...registry,
    markDirty: async (entity, commit) => {
      reached.resolve();
      await released.promise;
      return registry.markDirty(entity, commit);
    },
  };
  const redacting = fixture.entity.redact(["a"], false);
  await reached.promise;
  fixture.registry = registry;
  valueIn(await fixture.entity.erase());
  released.resolve();
  expect(await redacting).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
  await fixture.sweep();
  await fixture.accept({ id: "new" });
  await fixture.wake();
  expect(await fixture.index()).toBe(1);
  expect((await fixture.keys()).filter((key) => key.endsWith("/redacted.json"))).toEqual([]);
});

test("a timeline that an erasure overtakes says so, and names no damage", async () => {
  const fixture = new EntityFixture();
  await fixture.accept({ id: "a", vector: [1, 2] });
  fixture.nowMs += 1_000;
  await fixture.index();
  const read = fixture.calls.hold("get", "/segments/", "before");
  const listing = fixture.ids();
  await read.reached;
  await fixture.entity.erase();
  await fixture.sweep();
  read.release();
  await expect(listing).rejects.toThrow("erased meanwhile");
});

describe("index work", () => {
  test("under way is not handed out again, and a second nudge is no attempt", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" });
    fixture.nowMs += 1_000;
    expect(await fixture.entity.nextWork()).not.toBeNull();
    for (let nudge = 0; nudge < 50; nudge += 1) expect(await fixture.entity.nextWork()).toBeNull();
    fixture.entity.workFailed(1, "the builder was out of memory", false);
    expect(await fixture.entity.nextWork()).toMatchObject({ from: 1, to: 1 });
    expect(await fixture.entity.reader.status()).toMatchObject({ ok: true, value: { sealed: null } });
  });

  test("a head reported while a commit is put leaves the entity dirty", async () => {
    const tenant = new TenantFixture();
    const fixture = tenant.add("account:acme");
    await fixture.accept({ id: "a" });
    fixture.nowMs += 1_000;
    const proposal = await proposalOf(fixture);
    const put = fixture.calls.hold("create", "/segments/", "before");
    const appended = fixture.append([{ id: "b" }]);
    await put.reached;
    expect(await fixture.entity.proposeHead(proposal)).toEqual(ok("committed"));
    put.release();
    expect(await appended).toMatchObject({ ok: true });
    fixture.crash();
    expect(await tenant.registry.sweep()).toEqual(ok({ nudged: 1, undriven: [] }));
  });

  test("a proposal of an incarnation that was erased meanwhile is stale", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" });
    fixture.nowMs += 1_000;
    const proposal = await proposalOf(fixture);
    const put = fixture.calls.hold("create", "/heads/", "after");
    const proposed = fixture.entity.proposeHead(proposal);
    await put.reached;
    await fixture.entity.erase();
    put.release();
    expect(await proposed).toEqual(ok("stale"));
    expect(rows(fixture, "shards")).toBe(0);
    await fixture.sweep();
    expect(await fixture.ids()).toEqual([]);
  });
});
