/** Reading back what was written, by every way the HTTP contract names. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { append, json, pathOf, search, status, timeline, until, untilIndexed } from "./plane.ts";
import { newKey } from "./tenants.ts";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
});
afterAll(() => plane.close());

const get = <T>(path: string) => json<T>(plane.call("GET", path));
const day = (n: number) => Date.UTC(2026, 0, n);
const idsOf = ({ hits }: { readonly hits: readonly { readonly id: string }[] }) => hits.map(({ id }) => id);

describe("an entity that was never written", () => {
  test("is empty to the timeline and to searches, and not found by anything else", async () => {
    const entity = "account:never";
    expect(await get(pathOf(entity, "/events"))).toEqual({ events: [], next_cursor: null });
    expect(await search(plane.call, entity, { text: "x" })).toMatchObject({ hits: [] });
    expect(await search(plane.call, entity, { vector: [1, 0], top_k: 3 })).toMatchObject({ hits: [] });
    for (const rest of ["", "/events/e", "/documents/d", "/export", "/settings"]) {
      expect([rest, (await plane.call("GET", pathOf(entity, rest))).status]).toEqual([rest, 404]);
    }
    for (const rest of ["/warm", "/recall"]) {
      const body = rest === "/warm" ? undefined : {};
      expect([rest, (await plane.call("POST", pathOf(entity, rest), body)).status]).toEqual([rest, 404]);
    }
    expect((await plane.call("DELETE", pathOf(entity, "/events/e"))).status).toBe(404);
    expect(await get("/v1/entities?prefix=account:never")).toMatchObject({ entities: [] });
  });
});

describe("an event", () => {
  test("is read back as it was sent, with the line of the segment that holds it", async () => {
    const entity = "account:evidence";
    const event = {
      id: "a/b?c#d %\u20ac",
      ts: "2026-01-02T03:04:05.678Z",
      kind: "message",
      text: "caf\u00e9 \u{1f600}",
      body: { deep: [1, null, { x: "y" }] },
      attributes: { n: 1.5, s: "x", b: false, l: ["p", "q"] },
      session: "s",
      actor: "user:1",
      agent: "agent:2",
      source: "mail",
      vector: [0.25, -1],
      relations: [{ type: "parent", target: "e0" }],
    };
    const written = await append(plane.call, entity, [{ id: "e0", text: "before" }, event]);
    const path = pathOf(entity, `/events/${encodeURIComponent(event.id)}`);
    const back = await get<typeof event>(path);
    expect(back).toEqual({ ...event, citation: { segment: written.segment, line: 2 } });
    const { hits } = await search(plane.call, entity, { text: "caf\u00e9", mode: "text" });
    expect(hits).toMatchObject([
      { id: event.id, entity, ts: event.ts, citation: { segment: written.segment, line: 2 } },
    ]);
    await untilIndexed(plane.call, entity);
    expect(await get(path)).toEqual(back);
    const { token } = await json<{ token: string }>(plane.call("DELETE", path));
    expect(await json(plane.call("DELETE", path))).toEqual({ token });
    expect((await plane.call("GET", path)).status).toBe(404);
    expect(await timeline(plane.call, entity)).toEqual(["e0"]);
    expect(await search(plane.call, entity, { text: "caf\u00e9", mode: "text", at_least: token })).toMatchObject({
      hits: [],
    });
  });
});

describe("tokens", () => {
  test("are 400 when malformed, 409 when never issued or of another entity or tenant", async () => {
    const written = await append(plane.call, "account:tokens", [{ text: "x" }]);
    const other = await append(plane.call, "account:other", [{ text: "x" }]);
    const later = await append(plane.call, "account:other", [{ text: "y" }]);
    const theirs = await append(plane.call, "account:tokens", [{ text: "x" }], await newKey(plane.call, "tokens"));
    const { snapshot } = await search(plane.call, "account:other", { text: "x" });
    const code = async (body: object) => {
      const response = await plane.call("POST", pathOf("account:tokens", "/search"), { text: "x", ...body });
      const { code: said } = (await response.json()) as { code?: string };
      return [response.status, said];
    };
    for (const malformed of ["", "x", "!!", `${written.token}x`, written.token.slice(1), snapshot]) {
      expect([malformed, ...(await code({ at_least: malformed }))]).toEqual([malformed, 400, "invalid_request"]);
    }
    for (const malformed of ["", "x", "!!", `${snapshot}x`, written.token]) {
      expect([malformed, ...(await code({ snapshot: malformed }))]).toEqual([malformed, 400, "invalid_request"]);
    }
    for (const foreign of [other.token, later.token, theirs.token]) {
      expect(await code({ at_least: foreign })).toEqual([409, "conflict"]);
    }
    expect(await code({ snapshot })).toEqual([409, "conflict"]);
    expect(await code({ at_least: written.token })).toEqual([200, undefined]);
  });

  test("of a write are answered by reads that are eventual, and a snapshot older than them is refused", async () => {
    const entity = "account:at-least";
    await append(plane.call, entity, [{ id: "a", text: "word" }]);
    const { snapshot } = await search(plane.call, entity, { text: "word" });
    const { token } = await append(plane.call, entity, [{ id: "b", text: "word" }]);
    const eventual = await search(plane.call, entity, { text: "word", consistency: "eventual", at_least: token });
    expect(idsOf(eventual)).toEqual(["a", "b"]);
    expect(idsOf(await search(plane.call, entity, { text: "word", snapshot }))).toEqual(["a"]);
    const refused = plane.call("POST", pathOf(entity, "/search"), { text: "word", snapshot, at_least: token });
    expect(await json<object>(refused, 409)).toMatchObject({ code: "conflict" });
  });
});

describe("time in a search", () => {
  test("is when it happened, when it was valid, or when it was known", async () => {
    const entity = "account:times";
    await append(
      plane.call,
      entity,
      [1, 2, 3].map((n) => ({ id: `d${n}`, ts: day(n), text: "word" })),
    );
    const ids = async (body: object) => idsOf(await search(plane.call, entity, { text: "word", ...body })).toSorted();
    expect(await ids({ from: "2026-01-02T00:00:00Z" })).toEqual(["d2", "d3"]);
    expect(await ids({ to: day(2) })).toEqual(["d1", "d2"]);
    expect(await ids({ from: day(2), to: day(2) })).toEqual(["d2"]);
    expect(await ids({ valid_at: day(2) })).toEqual(["d1", "d2"]);
    expect(await ids({ filter: { ts: { $gte: "2026-01-03T00:00:00Z" } } })).toEqual(["d3"]);
    expect(await ids({ as_of: 0 })).toEqual([]);
    const known = Date.now();
    await until("the clock moved", async () => Date.now() > known);
    await append(plane.call, entity, [{ id: "d0", ts: day(1), text: "word" }]);
    expect(await ids({ as_of: known })).toEqual(["d1", "d2", "d3"]);
    expect(await ids({ as_of: known, valid_at: day(1) })).toEqual(["d1"]);
    expect(await ids({ as_of: null, from: null, to: null, valid_at: null })).toEqual(["d0", "d1", "d2", "d3"]);
  });
});

describe("a search", () => {
  const ENTITY = "account:searched";
  beforeAll(async () => {
    await append(plane.call, ENTITY, [
      { id: "a", text: "renewal of contract TKT-1", attributes: { stage: "won" }, vector: [1, 0] },
      { id: "b", text: "renewal at risk", attributes: { stage: "lost" }, vector: [0.8, 0.6] },
      { id: "c", text: "something else", vector: [0, 1] },
    ]);
  });

  interface Explained {
    readonly hits: readonly {
      readonly score: number;
      readonly scores: Readonly<Record<string, { readonly score: number; readonly rank: number }>>;
      readonly explain: {
        readonly text: { readonly score: number; readonly terms: readonly { readonly score: number }[] } | null;
        readonly vector: { readonly score: number; readonly distance: number } | null;
        readonly fusion: { readonly legs: readonly { readonly leg: string; readonly contribution: number }[] };
      };
    }[];
    readonly performance: { readonly plan: string; readonly plan_reason: string };
  }

  test("is explained by sums that come to its scores", async () => {
    const body = { text: "renewal risk TKT-1", vector: [1, 0], explain: true };
    const { hits, performance } = await json<Explained>(plane.call("POST", pathOf(ENTITY, "/search"), body));
    expect(performance.plan_reason).not.toBe("");
    expect(hits).toHaveLength(3);
    for (const { score, scores, explain } of hits) {
      expect(explain.fusion.legs.map(({ leg }) => leg).toSorted()).toEqual(Object.keys(scores).toSorted());
      expect(explain.fusion.legs.reduce((sum, { contribution }) => sum + contribution, 0)).toBeCloseTo(score, 9);
      const terms = explain.text?.terms.reduce((sum, term) => sum + term.score, 0);
      if (terms !== undefined) expect(terms).toBeCloseTo(scores.text?.score ?? Number.NaN, 4);
      expect(explain.vector?.distance).toBeCloseTo(1 - (scores.vector?.score ?? Number.NaN), 6);
    }
  });

  test("gives the fields that it is asked to include", async () => {
    const hit = async (body: object) => {
      const { hits } = await search(plane.call, ENTITY, { text: "contract", mode: "text", ...body });
      return Object.keys(hits[0] ?? {}).filter((key) => key === "text" || key === "attributes");
    };
    expect(await hit({})).toEqual(["text", "attributes"]);
    expect(await hit({ include: ["text"] })).toEqual(["text"]);
    expect(await hit({ include: ["attributes"] })).toEqual(["attributes"]);
    expect(await hit({ include: [] })).toEqual([]);
  });

  test("takes `limit` for `top_k`", async () => {
    const two = await search(plane.call, ENTITY, { text: "renewal", limit: 1 });
    expect(two.hits).toEqual((await search(plane.call, ENTITY, { text: "renewal", top_k: 1 })).hits);
    expect(two.hits).toHaveLength(1);
  });

  test("is ordered by score, then position, by each leg alone and by both", async () => {
    for (const mode of ["text", "vector", "hybrid"]) {
      const { hits } = await search(plane.call, ENTITY, { text: "renewal", vector: [0.9, 0.1], mode });
      expect(hits.length).toBeGreaterThan(1);
      expect(hits.map(({ score }) => score)).toEqual(hits.map(({ score }) => score).toSorted((a, b) => b - a));
    }
    const wrong = plane.call("POST", pathOf(ENTITY, "/search"), { vector: [1, 0, 0] });
    expect(await json<object>(wrong, 422)).toMatchObject({ code: "unprocessable" });
  });

  test("has its recall measured", async () => {
    const measured = await json(plane.call("POST", pathOf(ENTITY, "/recall"), { samples: 2, top_k: 2 }));
    expect(measured).toMatchObject({ recall: 1, samples: 2 });
  });
});

describe("warming and jobs", () => {
  /** What the job that was started says in the end. */
  async function done(started: Promise<Response>, expected: string): Promise<unknown> {
    const { job } = await json<{ job: string }>(started, 202);
    let found: { status: string; result?: unknown } = { status: "queued" };
    await until("the job has ended", async () => {
      found = await json(plane.call("GET", `/v1/jobs/${job}`));
      return found.status !== "queued" && found.status !== "running";
    });
    expect(found.status).toBe(expected);
    return found.result;
  }

  test("of one says what is resident; of a list or a prefix, the job names those that could not be", async () => {
    await append(plane.call, "warm:1", [{ text: "x" }]);
    await append(plane.call, "warm:2", [{ text: "x" }]);
    const one = await json<{ bytes: number }>(plane.call("POST", pathOf("warm:1", "/warm")), 202);
    expect(one).toMatchObject({ entity: "warm:1" });
    expect(one.bytes).toBeGreaterThan(0);
    const named = await done(plane.call("POST", "/v1/warm", { entities: ["warm:2", "warm:none"] }), "failed");
    expect(named).toMatchObject({ entities: 2, failed: 1, failures: [{ entity: "warm:none" }] });
    const prefixed = await done(plane.call("POST", "/v1/warm", { prefix: "warm:" }), "done");
    expect(prefixed).toEqual({ entities: 2, failed: 0 });
  });

  test("run to their end and change no answer", async () => {
    const entity = "account:jobs";
    await append(plane.call, entity, [{ id: "a", text: "word" }]);
    const answer = await search(plane.call, entity, { text: "word" });
    for (const [operation, body] of [
      ["rebuild", { entity }],
      ["compact", { entity }],
      ["reconcile", undefined],
    ] as const) {
      const { job } = await json<{ job: string }>(plane.call("POST", `/v1/admin/${operation}`, body), 202);
      let last: { status: string; type: string } = { status: "", type: "" };
      await until(`${operation} is done`, async () => {
        last = await get(`/v1/jobs/${job}`);
        return last.status !== "queued" && last.status !== "running";
      });
      expect(last).toMatchObject({ id: job, type: operation, status: "done" });
      expect((await search(plane.call, entity, { text: "word" })).hits).toEqual(answer.hits);
    }
  });

  test("that erase leave nothing of the entity, and its tokens say so", async () => {
    const entity = "account:erased";
    await append(plane.call, entity, [{ id: "a", text: "word" }]);
    const { snapshot } = await search(plane.call, entity, { text: "word" });
    const { job } = await json<{ job: string }>(plane.call("DELETE", pathOf(entity)), 202);
    await until("it is erased", async () => (await get<{ status: string }>(`/v1/jobs/${job}`)).status === "done");
    expect((await plane.call("GET", pathOf(entity))).status).toBe(404);
    expect(await timeline(plane.call, entity)).toEqual([]);
    const old = plane.call("POST", pathOf(entity, "/search"), { text: "word", snapshot });
    expect(await json<object>(old, 409)).toMatchObject({ code: "snapshot_erased" });
    await append(plane.call, entity, [{ id: "a", text: "another word" }]);
    expect((await status(plane.call, entity)).events).toBe(1);
  });
});
