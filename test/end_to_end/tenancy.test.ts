import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { append, json, pathOf, search } from "./plane.ts";
import { newKey } from "./tenants.ts";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
});
afterAll(() => plane.close());

describe("two tenants with entities of the same name", () => {
  test("see nothing of each other by any read", async () => {
    const one = await newKey(plane.call, "one", { scopes: ["read", "write"], tier: "T2" });
    const two = await newKey(plane.call, "two", { scopes: ["read", "write", "admin"], tier: "T3" });
    const written = await append(
      plane.call,
      "account:x",
      [{ id: "secret-1", text: "the merger is called bluebird" }],
      one,
    );
    await plane.call("PUT", pathOf("account:x", "/documents/plan"), "bluebird in detail", {
      ...one,
      "content-type": "text/plain",
    });
    for (const path of ["/events/secret-1", "", "/documents/plan", "/export"]) {
      expect((await plane.call("GET", pathOf("account:x", path), undefined, two)).status).toBe(404);
    }
    expect(await json(plane.call("GET", pathOf("account:x", "/events"), undefined, two))).toMatchObject({ events: [] });
    expect(await json(plane.call("GET", "/v1/entities", undefined, two))).toMatchObject({ entities: [] });
    const searched = (body: object) => plane.call("POST", pathOf("account:x", "/search"), body, two);
    expect(await json(searched({ text: "bluebird" }))).toMatchObject({ hits: [] });
    expect((await searched({ text: "bluebird", at_least: written.token })).status).toBe(409);
    expect((await plane.call("DELETE", pathOf("account:x", "/events/secret-1"), undefined, two)).status).toBe(404);
    await append(plane.call, "account:x", [{ id: "secret-1", text: "something else" }], two);
    expect(await json(plane.call("GET", pathOf("account:x", "/events/secret-1"), undefined, one))).toMatchObject({
      text: "the merger is called bluebird",
    });
    const found = await json<{ hits: { id: string }[] }>(searched({ text: "bluebird merger", mode: "text" }));
    expect(found.hits).toEqual([]);
  });

  test("erase and rebuild their own only", async () => {
    const one = await newKey(plane.call, "three", { scopes: ["read", "write"], tier: "T1" });
    const two = await newKey(plane.call, "four", { scopes: ["admin"], tier: "T3" });
    await append(plane.call, "account:y", [{ id: "a", text: "keep me" }], one);
    await append(plane.call, "account:y", [{ id: "b", text: "erase me" }], two);
    await json(plane.call("DELETE", pathOf("account:y"), undefined, two), 202);
    await json(plane.call("POST", "/v1/admin/rebuild", {}, two), 202);
    const hits = await json<{ hits: { id: string }[] }>(
      plane.call("POST", pathOf("account:y", "/search"), { text: "keep" }, one),
    );
    expect(hits.hits.map(({ id }) => id)).toEqual(["a"]);
  });
});

describe("a key", () => {
  test("that is not known is refused with an answer, however much was sent with it", async () => {
    for (const bytes of [100_000, 5_000_000, 60_000_000]) {
      const refused = await fetch(`${plane.url()}${pathOf("account:x", "/events")}`, {
        method: "POST",
        headers: { authorization: "Bearer ck_dev_unknown", "content-type": "application/x-ndjson" },
        body: "x".repeat(bytes),
      });
      expect([refused.status, (await json<{ code: string }>(Promise.resolve(refused), 401)).code]).toEqual([
        401,
        "unauthorized",
      ]);
    }
  });

  test("is held to its scopes, tier and entity prefix", async () => {
    const reader = await newKey(plane.call, "five", { scopes: ["read"], tier: "T1" });
    const mine = await newKey(plane.call, "five", { scopes: ["read", "write"], tier: "T1", entity_prefix: "user:" });
    expect((await plane.call("POST", pathOf("user:1", "/events"), { events: [{ text: "x" }] }, reader)).status).toBe(
      403,
    );
    await append(plane.call, "user:1", [{ id: "a", text: "x" }], mine);
    expect((await plane.call("POST", pathOf("account:1", "/events"), { events: [{ text: "x" }] }, mine)).status).toBe(
      403,
    );
    const bulk = {
      events: [
        { entity: "user:2", id: "b" },
        { entity: "account:2", id: "c" },
      ],
    };
    expect((await plane.call("POST", "/v1/events", bulk, mine)).status).toBe(403);
    expect((await plane.call("GET", pathOf("user:2"), undefined, mine)).status).toBe(404);
    expect((await plane.call("DELETE", pathOf("user:1"), undefined, mine)).status).toBe(403);
    expect((await search(plane.call, "user:1", { text: "x" })).hits).toEqual([]);
  });
});
