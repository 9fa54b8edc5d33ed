/** Vectors enough for a graph, sent over HTTP: merged, walked, and found as exactly as by a scan. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { append, json, pathOf, type SearchBody, search, status, until, untilIndexed } from "./plane.ts";

const ENTITY = "kb:vectors";
const DIMENSIONS = 256;
const BATCH_EVENTS = 4_000;
/** Enough that a walk costs less than a scan. */
const BATCHES = 4;
const CLUSTERS = 40;
const QUERIES = 20;
const WANTED_RECALL = 0.95;

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
});
afterAll(() => plane.close());

/** Near the centre of its cluster; few digits, so that there is little to send. */
const vectorOf = (index: number): number[] =>
  Array.from({ length: DIMENSIONS }, (_, dimension) => {
    const centre = Math.sin((index % CLUSTERS) * 57 + dimension * 3);
    // JSON has no -0.
    return Math.round(10 * (centre + 0.4 * Math.sin(index * 13 + dimension * index))) / 10 + 0;
  });

const isDone = async (job: string): Promise<boolean> =>
  (await json<{ status: string }>(plane.call("GET", `/v1/jobs/${job}`))).status === "done";

test("a search says that it walked a graph, and finds what a scan finds", async () => {
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const events = Array.from({ length: BATCH_EVENTS }, (_, n) => batch * BATCH_EVENTS + n);
    await append(
      plane.call,
      ENTITY,
      events.map((index) => ({ id: `e${index}`, vector: vectorOf(index) })),
    );
  }
  await untilIndexed(plane.call, ENTITY);
  const { job } = await json<{ job: string }>(plane.call("POST", "/v1/admin/compact", { entity: ENTITY }), 202);
  await until("the shards are merged", () => isDone(job));
  expect((await status(plane.call, ENTITY)).shards.length).toBe(1);

  let found = 0;
  const ids = ({ hits }: SearchBody) => hits.map(({ id }) => id);
  for (let query = 0; query < QUERIES; query += 1) {
    const asked = { vector: vectorOf(query * 101), mode: "vector", top_k: 10 };
    const walked = await search(plane.call, ENTITY, asked);
    const scanned = await search(plane.call, ENTITY, { ...asked, exact: true });
    expect([walked.performance.plan, scanned.performance.plan]).toEqual(["hnsw", "exact"]);
    const exact = new Set(ids(scanned));
    found += ids(walked).filter((id) => exact.has(id)).length;
  }
  expect(found / (10 * QUERIES)).toBeGreaterThanOrEqual(WANTED_RECALL);

  const event = await json<{ vector: number[] }>(plane.call("GET", pathOf(ENTITY, "/events/e4711")));
  expect(event.vector).toEqual(vectorOf(4_711));
});
