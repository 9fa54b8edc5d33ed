/** With every object out of service, what is indexed can still be read: from R2, then from what is near. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { headHintKey } from "../../core/log/keys.ts";
import { storedBytes, storedHeadHint } from "../../core/schema/stored.ts";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { withBucket } from "./bucket.ts";
import { append, json, pathOf, search, untilIndexed } from "./plane.ts";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
});
afterAll(() => plane.close());

const ENTITY = "account:..";
/** An object that is told nonsense answers every call with 503. */
const OUT_OF_SERVICE = { variables: { INDEX_EVENTS: "nonsense" } };
const EVENTUAL = { text: "renewal risk", consistency: "eventual", explain: true };

/** The alarm that writes it may not have rung before the plane stopped. */
async function writeHint(): Promise<void> {
  await withBucket(plane.stateDir, async (bucket) => {
    const key = `tenants/dev/${headHintKey(ENTITY)}`;
    if ((await bucket.head(key)) !== null) return;
    await bucket.put(key, storedBytes(storedHeadHint({ version: 1, incarnation: 1, confirmedAt: Date.now() })));
  });
}

async function deleteShards(): Promise<void> {
  await withBucket(plane.stateDir, async (bucket) => {
    const { objects } = await bucket.list({ prefix: "tenants/dev/entities/" });
    const shards = objects.map(({ key }) => key).filter((key) => key.endsWith(".shard"));
    expect(shards.length).toBe(1);
    await bucket.delete(shards);
  });
}

test("eventual reads outlive the objects, and the shards in R2 once they were read here", async () => {
  const events = Array.from({ length: 40 }, (_, n) => ({
    id: `e${n}`,
    text: `renewal ${n} at ${n % 3 === 0 ? "some" : "no"} risk`,
    attributes: { n },
  }));
  await append(plane.call, ENTITY, events);
  await untilIndexed(plane.call, ENTITY);
  const whole = await search(plane.call, ENTITY, EVENTUAL);
  expect(whole).toMatchObject({ stale_ms: 0, index: { unindexed_events: 0 } });
  expect(whole.hits.length).toBe(10);

  await plane.restart(OUT_OF_SERVICE, writeHint);
  const strong = await plane.call("POST", pathOf(ENTITY, "/search"), { text: "renewal risk" });
  expect(strong.status).toBe(503);
  const ask = () => search(plane.call, ENTITY, EVENTUAL);
  const fromStore = await ask();
  expect(fromStore).toMatchObject({ hits: whole.hits, index: { unindexed_events: null } });
  expect(fromStore.snapshot).toBe(whole.snapshot);
  expect(fromStore.stale_ms).toBeGreaterThan(0);
  expect(fromStore.performance.cache).toBe("cold");
  expect((await ask()).performance.cache).toBe("memory");
  const wrong = await plane.call("POST", pathOf(ENTITY, "/search"), { ...EVENTUAL, filter: { nonsense: 1 } });
  expect(wrong.status).toBe(400);
  const unknown = await plane.call("POST", pathOf("account:other", "/search"), EVENTUAL);
  expect(unknown.status).toBe(503);

  // Another isolate, and no shard in R2: the data centre's cache has it.
  await plane.restart(OUT_OF_SERVICE, deleteShards);
  const near = await ask();
  expect(near.hits).toEqual(whole.hits);
  expect(near.performance.cache).toBe("ssd");

  await plane.restart();
  expect((await json<{ hits: unknown[] }>(plane.call("POST", pathOf(ENTITY, "/search"), EVENTUAL))).hits).toEqual(
    whole.hits,
  );
});
