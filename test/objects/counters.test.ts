import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeDigest } from "../../adapters/platform/node_compat.ts";
import { tombstoneId } from "../../core/log/event_id.ts";
import { TOMBSTONE_KIND, WITHDRAWS } from "../../core/log/line.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { EntityFixture } from "./entity_fixture.ts";

const IDS = 6;

function tombstoneOf(target: string): EventInput {
  return {
    id: tombstoneId(target, nodeDigest),
    ts: Date.UTC(2025, 0, 1),
    kind: TOMBSTONE_KIND,
    relations: [{ type: WITHDRAWS, target }],
  };
}

/** What an import appends: the lines of an export, in which a tombstone comes after what it withdraws. */
function exported(events: readonly { readonly id: number; readonly withdrawn: boolean }[]): EventInput[] {
  return events.flatMap(({ id, withdrawn }) => {
    const event = { id: `e${id}`, ts: Date.UTC(2025, 0, 1), text: "from elsewhere" };
    return withdrawn ? [event, tombstoneOf(`e${id}`)] : [event];
  });
}

async function expectAgreement(fixture: EntityFixture): Promise<void> {
  const counters = await fixture.serve((entity) => entity.counters());
  const status = await fixture.serve((entity) => entity.reader.status());
  if (!counters.ok) throw new Error(counters.failure.reason);
  if (!status.ok) return expect(counters.value).toMatchObject({ events: 0, lastCommit: 0 });
  expect(counters.value.events).toBe(status.value.events);
  expect(counters.value.unindexedEvents).toBe(status.value.unindexedEvents);
  expect((await fixture.ids()).length).toBe(status.value.events);
}

describe("counters", () => {
  test("a tombstone is not withdrawn, and none is counted twice", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" }, { id: "b" });
    const first = await fixture.serve((entity) => entity.withdraw("a"));
    expect(first.ok).toBe(true);
    expect(await fixture.serve((entity) => entity.withdraw("a"))).toEqual(first);
    for (const layout of ["tail", "shard"]) {
      const refused = await fixture.serve((entity) => entity.withdraw(tombstoneId("a", nodeDigest)));
      expect(refused, layout).toMatchObject({ ok: false, failure: { reason: "unprocessable" } });
      await expectAgreement(fixture);
      fixture.nowMs += 1_000;
      await fixture.index();
    }
    expect(await fixture.ids()).toEqual(["b"]);
  });

  test("two withdrawals of one event at once count once", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" }, { id: "b" });
    const [first, second] = await Promise.all([fixture.entity.withdraw("a"), fixture.entity.withdraw("a")]);
    expect(first).toEqual(second);
    await expectAgreement(fixture);
  });

  test("agree with the log after whatever is appended, withdrawn and imported", async () => {
    const id = fc.integer({ min: 0, max: IDS - 1 });
    const step = fc.oneof(
      fc.record({ type: fc.constant("append" as const), ids: fc.array(id, { minLength: 1, maxLength: 4 }) }),
      fc.record({ type: fc.constant("withdraw" as const), ids: fc.array(id, { minLength: 1, maxLength: 3 }) }),
      fc.record({
        type: fc.constant("import" as const),
        events: fc.array(fc.record({ id, withdrawn: fc.boolean() }), { minLength: 1, maxLength: 4 }),
      }),
      fc.record({ type: fc.constantFrom("index" as const, "crash" as const, "lose" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const fixture = new EntityFixture();
        await fixture.entity.ready();
        for (const current of steps) {
          fixture.nowMs += 1_500;
          if (current.type === "append")
            await fixture.accept(...current.ids.map((n) => ({ id: `e${n}`, text: "own" })));
          else if (current.type === "withdraw")
            await Promise.all(current.ids.map((n) => fixture.serve((entity) => entity.withdraw(`e${n}`))));
          else if (current.type === "import") await fixture.accept(...exported(current.events));
          else if (current.type === "index") await fixture.index();
          else if (current.type === "crash") fixture.crash();
          else fixture.loseState();
          await expectAgreement(fixture);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("agree with the log when an archive withdraws what it does not hold, or holds it later", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" }, tombstoneOf("b"));
    await expectAgreement(fixture);
    await fixture.accept({ id: "b" });
    await expectAgreement(fixture);
  });
});
