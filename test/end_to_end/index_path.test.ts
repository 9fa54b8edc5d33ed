import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { deleteDerived, withBucket } from "./bucket.ts";
import { answerOf, append, json, pathOf, search, status, timeline, until, untilIndexed } from "./plane.ts";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
});
afterAll(() => plane.close());

const QUERIES = [
  { text: "outage report", mode: "text", top_k: 20 },
  { text: "renewal of contract TKT-1007", top_k: 20 },
  { text: "renewal", filter: { "attributes.team": "north" }, top_k: 20 },
  { text: "invoice", from: "2026-01-05T00:00:00Z", to: "2026-01-20T00:00:00Z" },
];

async function fill(entity: string, count: number): Promise<void> {
  const topics = ["outage report", "renewal of contract", "invoice overdue", "meeting notes"];
  for (let from = 0; from < count; from += 10) {
    const events = Array.from({ length: 10 }, (_, n) => ({
      id: `e${from + n}`,
      ts: Date.UTC(2026, 0, 1 + ((from + n) % 28)),
      text: `${topics[(from + n) % topics.length]} TKT-${1000 + from + n} for site ${n}`,
      attributes: { team: n % 2 === 0 ? "north" : "south" },
    }));
    await append(plane.call, entity, events);
  }
}

const answers = (entity: string, snapshot?: string) =>
  Promise.all(
    QUERIES.map(async (query) =>
      answerOf(await search(plane.call, entity, snapshot === undefined ? query : { ...query, snapshot })),
    ),
  );

describe("with the queue consumer paused", () => {
  test("answers come from the tail, and status counts what waits; running again, they stay the same", async () => {
    const entity = "account:paused";
    await plane.restart({ indexing: "paused" });
    await fill(entity, 60);
    const waiting = await status(plane.call, entity);
    expect(waiting).toMatchObject({ events: 60, unindexed_events: 60, shards: [] });
    const fromTail = await answers(entity);
    const { snapshot } = await search(plane.call, entity, { text: "outage" });
    await plane.restart({ indexing: "running" });
    await untilIndexed(plane.call, entity);
    expect((await status(plane.call, entity)).shards.length).toBeGreaterThan(0);
    expect(await answers(entity)).toEqual(fromTail);
    await append(plane.call, entity, [{ id: "later", text: "outage report later" }]);
    expect(await answers(entity, snapshot)).toEqual(fromTail);
    expect(await answers(entity)).not.toEqual(fromTail);
  });
});

describe("rebuild", () => {
  test("with every object's state, shard and head gone, gives identical hits", async () => {
    const entity = "account:lost";
    await fill(entity, 40);
    await json(plane.call("DELETE", pathOf(entity, "/events/e3")));
    await untilIndexed(plane.call, entity);
    const before = await answers(entity);
    const { token } = await search(plane.call, entity, { text: "outage" });
    await plane.restart({}, () => deleteDerived(plane.stateDir));
    const { job } = await json<{ job: string }>(plane.call("POST", "/v1/admin/rebuild", {}), 202);
    await until("the rebuild is done", async () => {
      const { status: state } = await json<{ status: string }>(plane.call("GET", `/v1/jobs/${job}`));
      return state === "done";
    });
    expect(await answers(entity)).toEqual(before);
    expect((await timeline(plane.call, entity)).length).toBe(39);
    const found = await search(plane.call, entity, { text: "outage", at_least: token });
    expect(found.token).toBe(token);
    expect((await status(plane.call, entity)).unindexed_events).toBe(0);
  });
});

describe("a damaged segment", () => {
  test("becomes a dead letter that names it, and is replayed when it is whole again", async () => {
    const entity = "account:damaged";
    await plane.restart({ indexing: "paused" });
    const { segment } = await append(plane.call, entity, [{ id: "a", text: "hello there" }]);
    let metadata: Record<string, string> = {};
    let whole = new Uint8Array();
    await plane.restart({}, () =>
      withBucket(plane.stateDir, async (bucket) => {
        const object = await bucket.get(segment);
        if (object === null) throw new Error("the segment is not there");
        whole = new Uint8Array(await object.arrayBuffer());
        metadata = object.customMetadata ?? {};
        const damaged = whole.slice();
        const middle = damaged.length >> 1;
        damaged[middle] = (damaged[middle] ?? 0) ^ 0x40;
        await bucket.put(segment, damaged, { customMetadata: metadata });
      }),
    );
    type Letters = { dead_letters: { id: string; entity: string; error: string }[] };
    let letters: Letters = { dead_letters: [] };
    await until("a dead letter", async () => {
      letters = await json<Letters>(plane.call("GET", "/v1/admin/dead-letters"));
      return letters.dead_letters.length > 0;
    });
    expect(letters.dead_letters[0]?.entity).toBe(entity);
    expect(letters.dead_letters[0]?.error).toContain("000001-000000000001");
    expect((await search(plane.call, entity, { text: "hello" })).hits.length).toBe(1);
    await plane.restart({}, () =>
      withBucket(
        plane.stateDir,
        async (bucket) => void (await bucket.put(segment, whole, { customMetadata: metadata })),
      ),
    );
    await json(plane.call("POST", `/v1/admin/dead-letters/${letters.dead_letters[0]?.id}/replay`), 202);
    await untilIndexed(plane.call, entity);
    expect(await json<Letters>(plane.call("GET", "/v1/admin/dead-letters"))).toMatchObject({ dead_letters: [] });
  });
});
