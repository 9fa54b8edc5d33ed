/** The four scripts as bundled, under the limits of a deployment: written, read, indexed, restarted, erased. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { productionHarness, REFEREE_PATH } from "../../scripts/harness/production.ts";
import type { RefereeReport } from "../../scripts/harness/referee_in_workerd.ts";
import { answerOf, append, json, pathOf, search, status, timeline, until, untilIndexed } from "../end_to_end/plane.ts";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime({ ...(await productionHarness()), variables: { INDEX_EVENTS: "20" } });
});
afterAll(() => plane.close());

const QUERY = { text: "renewal of the contract", top_k: 50 };

async function fill(entity: string, appends: number): Promise<void> {
  for (let n = 0; n < appends; n++) {
    const events = Array.from({ length: 10 }, (_, i) => ({
      id: `e${10 * n + i}`,
      text: `renewal ${i} of contract ${n}`,
    }));
    await append(plane.call, entity, events);
  }
}

function referee(): Promise<RefereeReport> {
  return json(plane.call("GET", REFEREE_PATH));
}

test("what is written is read at once, the same from the tail, from shards, after a restart and from the store", async () => {
  await fill("account:acme", 6);
  const fromTail = await search(plane.call, "account:acme", QUERY);
  expect(fromTail.hits).toHaveLength(50);
  await untilIndexed(plane.call, "account:acme");
  const indexed = await search(plane.call, "account:acme", QUERY);
  expect(answerOf(indexed)).toEqual(answerOf(fromTail));
  // Alarms and messages of the queue are lost here.
  await plane.restart();
  const restarted = await search(plane.call, "account:acme", QUERY);
  expect(answerOf(restarted)).toEqual(answerOf(fromTail));
  expect(await timeline(plane.call, "account:acme")).toHaveLength(60);
});

test("appends side by side to one entity never write a key twice within a second", async () => {
  const before = await referee();
  await Promise.all(
    Array.from({ length: 12 }, (_, n) => append(plane.call, "account:busy", [{ id: `b${n}`, text: `call ${n}` }])),
  );
  await untilIndexed(plane.call, "account:busy");
  expect(await timeline(plane.call, "account:busy")).toHaveLength(12);
  const after = await referee();
  expect(after.refusedKeys).toEqual(before.refusedKeys);
  expect(after.writes).toBeGreaterThan(before.writes);
});

test("an erased entity is gone, and may begin again", async () => {
  await fill("account:gone", 1);
  const { job } = await json<{ job: string }>(plane.call("DELETE", pathOf("account:gone")), 202);
  expect((await plane.call("GET", pathOf("account:gone"))).status).toBe(404);
  await until("the erasure is done", async () => {
    const { status: now } = await json<{ status: string }>(plane.call("GET", `/v1/jobs/${job}`));
    return now === "done";
  });
  await append(plane.call, "account:gone", [{ text: "anew" }]);
  expect((await status(plane.call, "account:gone")).events).toBe(1);
});

test("nothing took longer than its script may compute", async () => {
  expect((await referee()).tookLong).toEqual([]);
});
