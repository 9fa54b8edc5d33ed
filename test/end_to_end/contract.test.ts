/** The conventions of the HTTP contract, held against the four scripts as they run. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { z } from "zod";
import { problemSchema } from "../../core/schema/problem.ts";
import { badInputCases } from "../front_door/bad_input_cases.ts";
import { checkBadInput } from "../front_door/bad_input_check.ts";
import { DEVELOPMENT_ADMIN_TOKEN, DEVELOPMENT_KEY } from "../front_door/credentials.ts";
import { documentSchema } from "../front_door/openapi_document.ts";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { append, json, pathOf, until, untilIndexed } from "./plane.ts";
import { newKey } from "./tenants.ts";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
});
afterAll(() => plane.close());

const get = <T>(path: string, headers?: Readonly<Record<string, string>>) =>
  json<T>(plane.call("GET", path, undefined, headers));
const day = (n: number) => Date.UTC(2026, 0, n);

describe("bad input", () => {
  /** The entity that the table's requests name. */
  const ENTITY = "account:a";

  async function everything(): Promise<unknown> {
    const { cache: _, ...state } = await get<{ cache: unknown }>(pathOf(ENTITY));
    return {
      state,
      events: await get(pathOf(ENTITY, "/events?limit=1000")),
      own: await get(pathOf(ENTITY, "/settings")),
      tenants: await get("/v1/settings"),
      entities: await get("/v1/entities?limit=1000"),
      jobs: await get("/v1/jobs"),
      letters: await get("/v1/admin/dead-letters"),
      status: { ...(await get<object>("/v1/status")), last_runs: null },
      deployment: await get("/v1/admin/tenants", { authorization: `Bearer ${DEVELOPMENT_ADMIN_TOKEN}` }),
    };
  }

  let before: unknown;
  beforeAll(async () => {
    await append(plane.call, ENTITY, [{ id: "e1", text: "all is well" }]);
    await json(plane.call("PUT", pathOf(ENTITY, "/settings"), { bm25: { k1: 1, b: 0.5 } }));
    await json(plane.call("PUT", "/v1/settings", { tenant_index: "off" }));
    await untilIndexed(plane.call, ENTITY);
    await until("nothing waits", async () => (await get<{ waiting: unknown[] }>("/v1/status")).waiting.length === 0);
    before = await everything();
  });

  test.each(badInputCases)("$name: $status $code", (input) => checkBadInput(new URL(plane.url()), input));

  test("changed nothing", async () => {
    expect(await everything()).toEqual(before);
    expect((await plane.call("GET", pathOf("a"))).status).toBe(404);
  });
});

describe("every documented operation", () => {
  type Document = z.infer<typeof documentSchema>;
  let document: Document;
  beforeAll(async () => {
    document = documentSchema.parse(await (await fetch(`${plane.url()}/openapi.json`)).json());
  });

  /** What API.md fixes and the plane serves. */
  const CONTRACT = [
    "POST /v1/entities/{entity}/events",
    "POST /v1/events",
    "GET /v1/entities/{entity}/events",
    "GET /v1/entities/{entity}/events/{id}",
    "DELETE /v1/entities/{entity}/events/{id}",
    "PUT /v1/entities/{entity}/documents/{id}",
    "GET /v1/entities/{entity}/documents/{id}",
    "GET /v1/entities",
    "GET /v1/entities/{entity}",
    "POST /v1/entities/{entity}/warm",
    "POST /v1/warm",
    "GET /v1/settings",
    "PUT /v1/settings",
    "GET /v1/entities/{entity}/settings",
    "PUT /v1/entities/{entity}/settings",
    "DELETE /v1/entities/{entity}",
    "POST /v1/entities/{entity}/redact",
    "GET /v1/entities/{entity}/export",
    "POST /v1/entities/{entity}/import",
    "POST /v1/entities/{entity}/search",
    "POST /v1/search",
    "POST /v1/entities/{entity}/recall",
    "GET /v1/jobs",
    "GET /v1/jobs/{id}",
    "DELETE /v1/jobs/{id}",
    "POST /v1/admin/tenants",
    "POST /v1/admin/tenants/{tenant}/keys",
    "GET /v1/admin/tenants/{tenant}/keys",
    "GET /v1/admin/tenants/{tenant}/keys/{id}",
    "DELETE /v1/admin/tenants/{tenant}/keys/{id}",
    "POST /v1/admin/rebuild",
    "POST /v1/admin/reconcile",
    "POST /v1/admin/compact",
    "GET /v1/admin/dead-letters",
    "POST /v1/admin/dead-letters/{id}/replay",
    "GET /v1/status",
    "GET /metrics",
    "GET /healthz",
    "GET /openapi.json",
  ];

  function operations(): readonly (readonly [method: string, path: string])[] {
    return Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method.toUpperCase(), path] as const),
    );
  }

  test("is there, and all of the contract is documented", () => {
    const documented = operations().map(([method, path]) => `${method} ${path}`);
    expect(documented).toEqual(expect.arrayContaining(CONTRACT));
  });

  test("refuses a parameter it does not know, in the problem's form, named and timed", async () => {
    for (const [method, path] of operations()) {
      const token = path.startsWith("/v1/admin/tenants") ? DEVELOPMENT_ADMIN_TOKEN : DEVELOPMENT_KEY;
      const named = path.replaceAll(/\{\w+\}/g, "x");
      const response = await plane.call(method, `${named}?misspelled=1`, undefined, {
        authorization: `Bearer ${token}`,
      });
      const problem = problemSchema.parse(await response.json());
      expect({ method, path, status: response.status, code: problem.code }).toEqual({
        method,
        path,
        status: 400,
        code: "invalid_request",
      });
      expect(problem.errors).toEqual([{ path: "misspelled", message: "is not a known field" }]);
      expect(problem.request_id).toBe(response.headers.get("x-request-id"));
      expect(response.headers.get("server-timing")).toMatch(/total;dur=\d/);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
    }
  });

  test("answers other methods with those that it knows", async () => {
    for (const path of Object.keys(document.paths)) {
      const response = await plane.call("PATCH", path.replaceAll(/\{\w+\}/g, "x"));
      expect([path, response.status]).toEqual([path, 405]);
      const allowed = (response.headers.get("allow") ?? "").split(", ").filter((method) => method !== "HEAD");
      expect(allowed.toSorted()).toEqual(
        Object.keys(document.paths[path] ?? {})
          .map((method) => method.toUpperCase())
          .toSorted(),
      );
    }
  });
});

describe("a good answer", () => {
  test("is named and timed too", async () => {
    const entity = "account:named";
    await append(plane.call, entity, [{ id: "e", text: "x" }]);
    const paths = ["/healthz", "/openapi.json", "/v1/entities", pathOf(entity), pathOf(entity, "/export"), "/metrics"];
    for (const path of paths) {
      const response = await plane.call("GET", path, undefined, { "x-request-id": "trace-1" });
      expect([path, response.status, response.headers.get("x-request-id")]).toEqual([path, 200, "trace-1"]);
      expect(response.headers.get("server-timing")).toMatch(/total;dur=\d/);
      await response.arrayBuffer();
    }
  });

  test("of an append and of a search says which stages took its time, by names that are known", async () => {
    const path = pathOf("account:timed");
    const stagesOf = (response: Response) =>
      (response.headers.get("server-timing") ?? "").split(", ").map((stage) => {
        const [, name] = /^([a-z]+);dur=\d+(?:\.\d+)?$/.exec(stage) ?? [];
        return name;
      });
    const appended = await plane.call("POST", `${path}/events`, { events: [{ text: "x" }] });
    expect(stagesOf(appended).toSorted()).toEqual(
      ["auth", "call", "ingest", "object", "parse", "put", "total", "wait"].toSorted(),
    );
    const searched = await plane.call("POST", `${path}/search`, { text: "x" });
    expect(stagesOf(searched).toSorted()).toEqual(["auth", "call", "object", "parse", "settings", "total"]);
  });

  test("of health needs no credential and says nothing more", async () => {
    expect(await get("/healthz", { authorization: "" })).toEqual({ status: "ok" });
  });

  test("of metrics counts what is there", async () => {
    await append(plane.call, "account:counted", [{ text: "x" }]);
    const response = await plane.call("GET", "/metrics");
    expect(response.headers.get("content-type")).toContain("text/plain");
    const [, entities] = /^context_plane_entities (\d+)$/m.exec(await response.text()) ?? [];
    expect(Number(entities)).toBe((await get<{ entities: number }>("/v1/status")).entities);
  });
});

describe("appends", () => {
  test("take JSON and lines, plain and compressed, to the same ids", async () => {
    const events = [
      { text: "one", ts: day(1), attributes: { n: 1 } },
      { text: "two", ts: day(2), attributes: { n: 2 } },
    ];
    const asJson = JSON.stringify({ events });
    const asLines = events.map((event) => `${JSON.stringify(event)}\r\n`).join("\n");
    const forms = [
      [asJson, { "content-type": "application/json; charset=utf-8" }],
      [asLines, { "content-type": "application/x-ndjson" }],
      [new Uint8Array(gzipSync(asJson)), { "content-type": "application/json", "content-encoding": "gzip" }],
      [new Uint8Array(gzipSync(asLines)), { "content-type": "application/x-ndjson", "content-encoding": "gzip" }],
    ] as const;
    const ids: string[] = [];
    for (const [n, [body, headers]] of forms.entries()) {
      const path = pathOf(`account:form-${n}`, "/events");
      const { accepted, event_ids } = await json<{ accepted: number; event_ids: string[] }>(
        plane.call("POST", path, body, headers),
        201,
      );
      expect(accepted).toBe(2);
      ids.push(event_ids.join());
      const again = await json(plane.call("POST", path, body, headers), 201);
      expect(again).toMatchObject({ accepted: 0, duplicates: 2, conflicts: [] });
    }
    expect(new Set(ids).size).toBe(1);
  });

  test("name the ids whose first event was another, and keep the first", async () => {
    const entity = "account:conflict";
    await append(plane.call, entity, [{ id: "e", text: "first" }]);
    expect(await append(plane.call, entity, [{ id: "e", text: "second" }, { id: "f" }])).toMatchObject({
      accepted: 1,
      conflicts: ["e"],
      event_ids: ["e", "f"],
    });
    expect(await get(pathOf(entity, "/events/e"))).toMatchObject({ text: "first" });
  });
});

describe("lists", () => {
  async function walk(path: string, of: string, limit: number, headers?: Readonly<Record<string, string>>) {
    const items: unknown[] = [];
    let cursor: string | null = null;
    do {
      const more: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page: Record<string, unknown[]> & { next_cursor: string | null } = await get(
        `${path}${path.includes("?") ? "&" : "?"}limit=${limit}${more}`,
        headers,
      );
      const some = page[of] ?? [];
      expect(some.length).toBeLessThanOrEqual(limit);
      items.push(...some);
      cursor = page.next_cursor;
    } while (cursor !== null);
    return items;
  }

  test("of entities, events, jobs and keys page to the end and are the same however long the pages", async () => {
    const names = Array.from({ length: 7 }, (_, n) => `list:${n}`);
    const events = names.flatMap((entity, n) =>
      Array.from({ length: n + 1 }, (_, k) => ({ entity, id: `e${k}`, ts: day(1 + ((k * 3) % 7)) })),
    );
    await json(plane.call("POST", "/v1/events", { events }), 201);
    for (const _ of names) await json(plane.call("POST", "/v1/admin/compact", { entity: "list:0" }), 202);
    for (const _ of names) await newKey(plane.call, "listed", { scopes: ["read"], tier: "T1" });
    const admin = { authorization: `Bearer ${DEVELOPMENT_ADMIN_TOKEN}` };
    const jobs = async (limit: number) =>
      (await walk("/v1/jobs", "jobs", limit)).map((job) => (job as { id: string }).id);
    for (const limit of [2, 7]) {
      const listed = await walk("/v1/entities?prefix=list:", "entities", limit);
      expect(listed.map((item) => (item as { entity: string }).entity)).toEqual(names);
      expect(await jobs(limit)).toEqual(await jobs(1_000));
      const path = "/v1/admin/tenants/listed/keys";
      expect(await walk(path, "keys", limit, admin)).toEqual(await walk(path, "keys", 1_000, admin));
    }
    expect((await jobs(1_000)).length).toBeGreaterThanOrEqual(names.length);
    expect(await walk("/v1/admin/tenants/listed/keys", "keys", 3, admin)).toHaveLength(names.length);
    for (const order of ["asc", "desc"]) {
      const path = pathOf("list:6", `/events?order=${order}`);
      const whole = await walk(path, "events", 1_000);
      expect(whole).toHaveLength(7);
      expect(await walk(path, "events", 2)).toEqual(whole);
    }
  });

  test("of a timeline are narrowed by time, kind and session", async () => {
    const entity = "account:narrowed";
    await append(plane.call, entity, [
      { id: "a", ts: day(1), kind: "message", session: "s1" },
      { id: "b", ts: day(2), kind: "note", session: "s1" },
      { id: "c", ts: day(3), kind: "message", session: "s2" },
      { id: "d", ts: day(3), kind: "message" },
    ]);
    const ids = async (query: string) =>
      (await get<{ events: { id: string }[] }>(pathOf(entity, `/events?${query}`))).events.map(({ id }) => id);
    expect(await ids("")).toEqual(["a", "b", "c", "d"]);
    expect(await ids("order=desc")).toEqual(["d", "c", "b", "a"]);
    expect(await ids("kind=message")).toEqual(["a", "c", "d"]);
    expect(await ids("session=s1")).toEqual(["a", "b"]);
    expect(await ids("from=2026-01-02T00:00:00Z")).toEqual(["b", "c", "d"]);
    expect(await ids(`to=${day(2)}`)).toEqual(["a", "b"]);
    expect(await ids(`from=${day(2)}&to=${day(2)}&kind=message`)).toEqual([]);
  });
});
