/** An entity that is sent more than is indexed refuses more, says so, and loses nothing that it took. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TestRuntime } from "../runtime/boot.ts";
import { bootTestRuntime } from "../runtime/boot.ts";
import { append, json, pathOf, search, status, timeline, until, untilIndexed } from "./plane.ts";

const ENTITY = "account:flooded";
const OTHER = "account:calm";
const TAIL_BYTES = 40_000;
const EVENT_BYTES = 8_000;

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime({ variables: { TAIL_BYTES: String(TAIL_BYTES) }, indexing: "paused" });
});
afterAll(() => plane.close());

const eventOf = (n: number) => ({ id: `e${n}`, text: `report ${n}`, body: "x".repeat(EVENT_BYTES) });
const send = (entity: string, n: number) => plane.call("POST", pathOf(entity, "/events"), { events: [eventOf(n)] });

interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly status: number;
}

test("an entity whose tail is full answers 429 until it is indexed; its reads stay right, and others go on", async () => {
  const acknowledged: string[] = [];
  let refused: Response | null = null;
  while (refused === null) {
    const answer = await send(ENTITY, acknowledged.length);
    if (answer.status === 201) acknowledged.push(`e${acknowledged.length}`);
    else refused = answer;
    // The edge: it takes the append that finds it below its limit, and not one more.
    expect(acknowledged.length).toBeLessThanOrEqual(TAIL_BYTES / EVENT_BYTES);
  }
  expect(acknowledged.length).toBe(Math.ceil(TAIL_BYTES / (EVENT_BYTES + 100)));
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await refused.json()).toMatchObject({ code: "rate_limited", detail: expect.stringContaining("indexed") });

  const bulk = await json<{ results: readonly { entity: string; accepted?: number; error?: Problem }[] }>(
    plane.call("POST", "/v1/events", {
      events: [
        { entity: ENTITY, ...eventOf(1_000) },
        { entity: OTHER, ...eventOf(1_000) },
      ],
    }),
    207,
  );
  expect(bulk.results).toMatchObject([
    { entity: ENTITY, error: { code: "rate_limited", status: 429 } },
    { entity: OTHER, accepted: 1 },
  ]);

  expect(await timeline(plane.call, ENTITY)).toEqual(acknowledged);
  const hits = (await search(plane.call, ENTITY, { text: "report", top_k: 100 })).hits.map(({ id }) => id);
  expect(hits.toSorted()).toEqual(acknowledged.toSorted());
  const tenant = await json<object>(plane.call("GET", "/v1/status"));
  expect(tenant).toMatchObject({ refused: 1, refused_entities: [{ entity: ENTITY, why: "full" }] });
  expect(await (await plane.call("GET", "/metrics")).text()).toMatch(/^context_plane_full_entities 1$/m);

  await plane.restart({ indexing: "running" });
  await untilIndexed(plane.call, ENTITY);
  await until("appends are taken again", async () => (await send(ENTITY, acknowledged.length)).status === 201);
  expect(await timeline(plane.call, ENTITY)).toEqual([...acknowledged, `e${acknowledged.length}`]);
  expect((await status(plane.call, ENTITY)).events).toBe(acknowledged.length + 1);
  await append(plane.call, OTHER, [eventOf(2_000)]);
  await until("nobody refuses any more", async () => {
    const { refused: left } = await json<{ refused: number }>(plane.call("GET", "/v1/status"));
    return left === 0;
  });
});
