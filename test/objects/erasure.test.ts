import { describe, expect, test } from "vitest";
import { fail, ok } from "../../core/errors.ts";
import { blobKey, entitySettingsKey, erasedKey } from "../../core/log/keys.ts";
import { searchBodySchema } from "../../core/schema/search.ts";
import { EntityFixture } from "./entity_fixture.ts";

const MARK = erasedKey("account:acme");
const REFUSED = { ok: false, failure: { reason: "unavailable" } };

async function filled(): Promise<EntityFixture> {
  const fixture = new EntityFixture();
  for (const id of ["a", "b"]) await fixture.accept({ id, text: "report" });
  return fixture;
}

/** Nothing of the erased incarnation is there, now or after a recovery, and commits begin at 1. */
async function expectNewBeginning(fixture: EntityFixture): Promise<void> {
  expect(fixture.entity.erased()).toBe(true);
  expect(await fixture.ids()).toEqual([]);
  expect(await fixture.keys()).toEqual([MARK]);
  const added = await fixture.accept({ id: "after" });
  expect(added).toMatchObject({ commit: 1, accepted: 1 });
  expect(added.segment).toContain("/000002-000000000001");
  fixture.loseState();
  expect(await fixture.ids()).toEqual(["after"]);
}

describe("erasure", () => {
  test("leaves nothing but its mark, refuses old snapshots, and begins a new incarnation", async () => {
    const fixture = await filled();
    fixture.nowMs += 1_000;
    await fixture.index();
    const { snapshot } = await fixture.search({ text: "report" });
    await fixture.entity.erase();
    expect(await fixture.append([{ id: "x" }])).toMatchObject(REFUSED);
    await fixture.sweep();
    await expectNewBeginning(fixture);
    const pinned = await fixture.entity.reader.search(searchBodySchema.parse({ text: "report", snapshot }), null);
    expect(pinned).toMatchObject({ ok: false, failure: { reason: "snapshot_erased" } });
  });

  test("removes blobs and settings of an entity that has no events", async () => {
    const fixture = new EntityFixture();
    await fixture.store.put(blobKey(fixture.scope.entity, "0".repeat(64)), new Uint8Array(3));
    await fixture.store.put(entitySettingsKey(fixture.scope.entity), new Uint8Array(3));
    expect(await fixture.serve((entity) => entity.erase())).toEqual(ok(null));
    expect(fixture.entity.erased()).toBe(false);
    await fixture.sweep();
    await expectNewBeginning(fixture);
  });

  test("that follows one whose state was lost ends what was put under way between them", async () => {
    const fixture = await filled();
    await fixture.entity.erase();
    await fixture.sweep();
    fixture.fault = "late";
    expect(await fixture.append([{ id: "unknown" }])).toMatchObject(REFUSED);
    fixture.fault = "none";
    fixture.loseState();
    expect(await fixture.serve((entity) => entity.erase())).toEqual(ok(null));
    await fixture.sweep();
    await fixture.landLatePuts();
    await fixture.accept({ id: "after" });
    expect(await fixture.ids()).toEqual(["after"]);
    fixture.loseState();
    expect(await fixture.ids()).toEqual(["after"]);
  });

  test("that begins during the last sweep of an earlier one is swept and marked by itself", async () => {
    const fixture = await filled();
    await fixture.entity.erase();
    await fixture.sweep();
    fixture.loseState();
    await fixture.entity.ready();
    await fixture.wake();
    fixture.nowMs += 2 * fixture.settings.putDeadlineMs;
    const hold = fixture.calls.hold("list", "entities/", "before");
    const sweeping = fixture.wake();
    await hold.reached;
    await fixture.entity.erase();
    hold.release();
    await sweeping;
    expect(fixture.entity.erased()).toBe(false);
    await fixture.sweep();
    expect(fixture.entity.erased()).toBe(true);
    const mark = await fixture.store.get(MARK);
    expect(JSON.parse(new TextDecoder().decode(mark?.bytes))).toMatchObject({ i: 2 });
  });

  test("is forgotten by the tenant at the alarm after one that could not tell it", async () => {
    for (const refusal of [() => Promise.reject(new Error("down")), async () => fail({ reason: "internal" })]) {
      const fixture = await filled();
      const { registry } = fixture;
      fixture.registry = { ...registry, forget: refusal };
      await fixture.entity.erase();
      await fixture.sweep();
      expect(fixture.entity.erased()).toBe(false);
      expect(fixture.forgotten).toEqual([]);
      fixture.registry = registry;
      expect(fixture.alarm.atMs).not.toBeNull();
      await fixture.wake();
      expect(fixture.entity.erased()).toBe(true);
      expect(fixture.forgotten).toEqual([fixture.scope.entity]);
    }
  });
});

describe("erasure beside appends", () => {
  test("a put under way is not acknowledged, and nothing of it comes back", async () => {
    for (const moment of ["before", "after"] as const) {
      const fixture = await filled();
      const put = fixture.calls.hold("create", "/segments/", moment);
      const appended = fixture.append([{ id: "during", text: "report" }]);
      await put.reached;
      await fixture.entity.erase();
      put.release();
      expect(await appended).toMatchObject(REFUSED);
      await fixture.sweep();
      await expectNewBeginning(fixture);
    }
  });

  test("a put that lands between two sweeps is swept by the second", async () => {
    const fixture = await filled();
    fixture.fault = "late";
    expect(await fixture.append([{ id: "during" }])).toMatchObject(REFUSED);
    fixture.fault = "none";
    await fixture.entity.erase();
    await fixture.wake();
    await fixture.landLatePuts();
    await fixture.sweep();
    await expectNewBeginning(fixture);
  });

  test("appends that waited behind a put are refused with it", async () => {
    const fixture = await filled();
    const put = fixture.calls.hold("create", "/segments/", "before");
    const first = fixture.append([{ id: "first" }]);
    await put.reached;
    const waiting = fixture.append([{ id: "waiting" }]);
    await fixture.entity.erase();
    const during = fixture.append([{ id: "during" }]);
    put.release();
    expect(await Promise.all([first, waiting, during])).toMatchObject([REFUSED, REFUSED, REFUSED]);
    await fixture.sweep();
    await expectNewBeginning(fixture);
  });

  test("a put of an earlier attempt is not adopted, whenever the erasure comes", async () => {
    for (const call of ["create", "get"] as const) {
      const fixture = await filled();
      fixture.fault = "lost";
      await fixture.append([{ id: "lost" }]);
      fixture.fault = "none";
      const held = fixture.calls.hold(call, "/segments/", "after");
      const appended = fixture.append([{ id: "behind" }]);
      await held.reached;
      await fixture.entity.erase();
      held.release();
      expect(await appended).toMatchObject(REFUSED);
      await fixture.sweep();
      await expectNewBeginning(fixture);
    }
  });
});

describe("erasure beside faults", () => {
  test("that was answered goes on though the object's state was lost before its first alarm", async () => {
    const fixture = await filled();
    expect(await fixture.serve((entity) => entity.erase())).toEqual(ok(null));
    fixture.loseState();
    await fixture.entity.ready();
    expect(fixture.entity.erased()).toBe(false);
    expect(await fixture.append([{ id: "x" }])).toMatchObject(REFUSED);
    await fixture.sweep();
    await expectNewBeginning(fixture);
  });

  test("a state lost in the middle of the sweep does not stop it", async () => {
    const fixture = await filled();
    await fixture.entity.erase();
    const deletion = fixture.calls.break("delete", "/segments/", "before");
    await fixture.wake();
    fixture.loseState();
    deletion.mend();
    await fixture.entity.ready();
    expect(fixture.entity.erased()).toBe(false);
    expect(await fixture.append([{ id: "x" }])).toMatchObject(REFUSED);
    await fixture.sweep();
    await expectNewBeginning(fixture);
  });

  test("that a write found under way is followed by one that registers the entity again before it puts anything", async () => {
    const fixture = await filled();
    await fixture.entity.erase();
    fixture.loseState();
    expect(await fixture.append([{ id: "x" }])).toMatchObject(REFUSED);
    await fixture.sweep();
    // The tenant has forgotten it by now.
    fixture.registered.set(fixture.scope.entity, 0);
    await fixture.accept({ id: "x" });
    expect(fixture.registered.get(fixture.scope.entity)).toBe(1);
  });

  test("completes though its mark could not be put at first, and nothing is acknowledged meanwhile", async () => {
    for (const moment of ["before", "after"] as const) {
      const fixture = await filled();
      const mark = fixture.calls.break("put", "erased.json", moment);
      await fixture.serve((entity) => entity.erase());
      await fixture.wake();
      await fixture.wake();
      expect(await fixture.append([{ id: "old" }])).toMatchObject(REFUSED);
      expect(await fixture.ids()).toEqual([]);
      fixture.crash();
      expect(await fixture.append([{ id: "old" }])).toMatchObject(REFUSED);
      mark.mend();
      await fixture.sweep();
      await expectNewBeginning(fixture);
    }
  });
});
