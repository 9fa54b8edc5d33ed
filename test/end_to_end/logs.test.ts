/** What the scripts log: a line a request, and nothing of what was in it, whatever goes wrong. */
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documentSchema } from "../front_door/openapi_document.ts";
import { type SpawnedRuntime, spawnRuntime, temporaryStateDir } from "../runtime/boot.ts";
import { json, pathOf, until, untilIndexed } from "./plane.ts";
import { newKey } from "./tenants.ts";

/** In every place where a caller can write something: none may come out in a log. */
const MARK = "MARKEDxq7";
/** Digits that no time, size or count has. */
const MARKED_NUMBER = 0.1928374650129;
const ENTITY = `account:${MARK}`;

let stateDir: string;
let plane: SpawnedRuntime;
let tenantKey: Readonly<Record<string, string>>;
beforeAll(async () => {
  stateDir = await temporaryStateDir();
  plane = await spawnRuntime(stateDir, 0, { INDEX_AGE_MS: "200" });
  tenantKey = await newKey(plane.call, "logged", { scopes: ["read", "write", "admin"], tier: "T3" });
});
afterAll(async () => {
  await plane.terminate();
  await rm(stateDir, { recursive: true, force: true });
});

interface Line {
  readonly event: string;
  readonly method: string;
  readonly route: string | null;
  readonly status: number;
  readonly ms: number;
  readonly request_id: string;
  readonly tenant?: string;
}

/** The log, a record a line; what the local runtime itself says is no record. */
function records(): Line[] {
  return plane
    .output()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line);
}

const requests = () => records().filter(({ event }) => event === "request");

async function hammer(): Promise<void> {
  const event = {
    id: `id-${MARK}`,
    kind: "message",
    text: `text ${MARK}`,
    body: { inner: MARK },
    attributes: { [`name_${MARK}`]: MARK },
    session: MARK,
    actor: MARK,
    vector: [MARKED_NUMBER, 1 - MARKED_NUMBER],
  };
  const call: SpawnedRuntime["call"] = (method, path, body, headers) =>
    plane.call(method, path, body, { ...tenantKey, ...headers });
  await json(call("POST", pathOf(ENTITY, "/events"), { events: [event] }, { "idempotency-key": MARK }), 201);
  await json(call("POST", pathOf(ENTITY, "/events"), { events: [{ text: MARK }] }, { "idempotency-key": MARK }), 409);
  await json(
    call("PUT", pathOf(ENTITY, `/documents/${MARK}`), `document ${MARK}`, { "content-type": "text/plain" }),
    201,
  );
  const search = { text: MARK, vector: event.vector, filter: { [`attributes.name_${MARK}`]: MARK }, explain: true };
  await json(call("POST", pathOf(ENTITY, "/search"), search));
  await untilIndexed(call, ENTITY);
  await json(call("POST", "/v1/warm", { prefix: MARK }), 202);
  await json(call("POST", "/v1/admin/rebuild", { entity: ENTITY }), 202);
  // Then everything that is wrong, at every documented operation.
  const document = documentSchema.parse(await (await fetch(`${plane.url}/openapi.json`)).json());
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const method of Object.keys(methods)) {
      const named = path.replaceAll(/\{\w+\}/g, MARK);
      const bodies: readonly [unknown, string][] =
        method === "get"
          ? [[undefined, "application/json"]]
          : [
              [`{"${MARK}": `, "application/json"],
              [MARK, MARK],
            ];
      for (const [body, type] of bodies) {
        await (await call(method.toUpperCase(), named, body, { "content-type": type })).arrayBuffer();
        await (
          await call(method.toUpperCase(), `${named}?${MARK}=${MARK}`, body, { "content-type": type })
        ).arrayBuffer();
      }
    }
  }
  for (const authorization of [`Bearer ck_dev_${MARK}`, `Bearer ${MARK}`, `Basic ${MARK}`])
    await (await plane.call("GET", `/v1/${MARK}`, undefined, { authorization })).arrayBuffer();
  await (await plane.call("GET", `/v1/entities?prefix=${MARK}`, undefined, { authorization: MARK })).arrayBuffer();
}

describe("the log", () => {
  test("has a line for each request, by the template of its route, with whose it was and how it ended", async () => {
    await (await plane.call("GET", pathOf("account:nobody"), undefined, { "x-request-id": "trace-1" })).arrayBuffer();
    await (await plane.call("GET", "/v1/nowhere", undefined, { "x-request-id": "trace-2" })).arrayBuffer();
    await (await fetch(`${plane.url}/v1/jobs`, { headers: { "x-request-id": "trace-3" } })).arrayBuffer();
    await until("the lines are written", async () => requests().some(({ request_id }) => request_id === "trace-3"));
    const line = (id: string) => requests().find(({ request_id }) => request_id === id);
    expect(line("trace-1")).toEqual({
      level: "info",
      event: "request",
      request_id: "trace-1",
      method: "GET",
      route: "/v1/entities/{entity}",
      status: 404,
      ms: expect.any(Number),
      tenant: "dev",
    });
    expect(line("trace-2")).toMatchObject({ route: null, status: 404 });
    expect(line("trace-3")).toMatchObject({ route: "/v1/jobs", status: 401 });
    expect(line("trace-3")).not.toHaveProperty("tenant");
  });

  test("holds no secret, name, text, vector or anything else that a caller sent", async () => {
    const before = requests().length;
    await hammer();
    const secret = tenantKey.authorization?.replace(/^Bearer ck_[^_]+_/, "") ?? "";
    expect(secret.length).toBeGreaterThan(20);
    await until("the lines are written", async () => requests().length - before > 100);
    const output = plane.output();
    for (const forbidden of [MARK, MARK.toLowerCase(), String(MARKED_NUMBER), secret])
      expect({ forbidden, at: output.indexOf(forbidden) }).toEqual({ forbidden, at: -1 });
  });
});
