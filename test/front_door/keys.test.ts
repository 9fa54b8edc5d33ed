/**
 * The life of a tenant and its keys, through the front door.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keyIssuedSchema, keyPageSchema } from "../../core/schema/admin.ts";
import { DEVELOPMENT_ADMIN_TOKEN } from "./credentials.ts";
import { type FrontDoor, startFrontDoor } from "./front_door.ts";

let frontDoor: FrontDoor;
beforeAll(async () => {
  frontDoor = await startFrontDoor();
});
afterAll(() => frontDoor.dispose());

function send(credential: string, method: string, path: string, body?: unknown): Promise<Response> {
  const headers = {
    Authorization: `Bearer ${credential}`,
    ...(body === undefined ? {} : { "Content-Type": "application/json" }),
  };
  return frontDoor.fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

const administer = (method: string, path: string, body?: unknown) =>
  send(DEVELOPMENT_ADMIN_TOKEN, method, `/v1/admin/tenants${path}`, body);
const statusOf = async (response: Promise<Response>) => (await response).status;

async function issue(tenant: string, grant: Record<string, unknown>): Promise<{ id: string; key: string }> {
  const response = await administer("POST", `/${tenant}/keys`, { scopes: ["read"], tier: "T1", ...grant });
  expect(response.status).toBe(201);
  return keyIssuedSchema.parse(await response.json());
}

describe("a tenant", () => {
  it("is made once, and listed", async () => {
    expect(await statusOf(administer("POST", "", { tenant: "once" }))).toBe(201);
    expect(await statusOf(administer("POST", "", { tenant: "once" }))).toBe(409);
    expect(await (await administer("GET", "")).text()).toContain('{"tenant":"once"}');
  });
});

describe("a key", () => {
  beforeAll(async () => {
    await administer("POST", "", { tenant: "acme" });
    await administer("POST", "", { tenant: "other" });
  });

  it("opens its own tenant", async () => {
    const { key } = await issue("acme", {});
    const listed = await send(key, "GET", "/v1/entities");
    expect(listed.status).toBe(200);
    expect(await listed.text()).toContain('tenant\\":\\"acme');
  });

  it("is shown once: neither list nor look-up has it", async () => {
    const { id, key } = await issue("acme", { entity_prefix: "user:", expires_at: "2100-01-01T00:00:00Z" });
    const secret = key.slice(key.lastIndexOf(id) + id.length + 1);
    const shown = await (await administer("GET", `/acme/keys/${id}`)).text();
    const listed = await (await administer("GET", "/acme/keys?limit=1000")).text();
    expect(JSON.parse(shown)).toMatchObject({
      id,
      scopes: ["read"],
      tier: "T1",
      entity_prefix: "user:",
      expires_at: "2100-01-01T00:00:00.000Z",
    });
    expect(keyPageSchema.parse(JSON.parse(listed)).keys.map((listedKey) => listedKey.id)).toContain(id);
    expect(shown + listed).not.toContain(secret);
    expect(shown + listed).not.toContain("hmac");
  });

  it("pages without repeating or leaving out one", async () => {
    await administer("POST", "", { tenant: "paged" });
    const issued = await Promise.all(Array.from({ length: 5 }, () => issue("paged", {})));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await administer("GET", `/paged/keys?limit=2${cursor === null ? "" : `&cursor=${cursor}`}`);
      const { keys, next_cursor } = keyPageSchema.parse(await page.json());
      seen.push(...keys.map(({ id }) => id));
      cursor = next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(issued.map(({ id }) => id).toSorted());
  });

  it("that was never used is refused from its deletion on", async () => {
    const { id, key } = await issue("acme", {});
    expect(await statusOf(administer("DELETE", `/other/keys/${id}`))).toBe(404);
    expect(await statusOf(administer("DELETE", `/acme/keys/${id}`))).toBe(204);
    expect(await statusOf(administer("DELETE", `/acme/keys/${id}`))).toBe(404);
    expect(await statusOf(send(key, "GET", "/v1/entities"))).toBe(401);
  });

  it("that has expired is refused", async () => {
    const { key } = await issue("acme", { expires_at: 1 });
    expect(await statusOf(send(key, "GET", "/v1/entities"))).toBe(401);
  });

  it("may do what its scopes say, and no more", async () => {
    const reader = await issue("acme", { scopes: ["read"] });
    const writer = await issue("acme", { scopes: ["write"] });
    const admin = await issue("acme", { scopes: ["admin"], tier: "T2" });
    const append = (key: string) => statusOf(send(key, "POST", "/v1/entities/a/events", { events: [] }));
    const read = (key: string) => statusOf(send(key, "GET", "/v1/entities/a"));
    const operate = (key: string) => statusOf(send(key, "GET", "/v1/status"));
    const erase = (key: string) => statusOf(send(key, "DELETE", "/v1/entities/a"));
    const redact = (key: string) => statusOf(send(key, "POST", "/v1/entities/a/redact", { ids: ["e1"] }));
    const attempts = [read, append, operate, erase, redact];
    const outcome = (key: string) => Promise.all(attempts.map((attempt) => attempt(key)));
    expect(await outcome(reader.key)).toEqual([200, 403, 403, 403, 403]);
    expect(await outcome(writer.key)).toEqual([403, 201, 403, 403, 403]);
    expect(await outcome(admin.key)).toEqual([200, 201, 200, 403, 403]);
  });

  it("erases only with the highest tier", async () => {
    const { key } = await issue("acme", { scopes: ["admin"], tier: "T3" });
    expect(await statusOf(send(key, "DELETE", "/v1/entities/a"))).toBe(202);
  });

  it("with a prefix reaches nothing outside of it", async () => {
    const { key } = await issue("acme", { scopes: ["admin"], tier: "T3", entity_prefix: "user:" });
    const outside = [
      send(key, "GET", "/v1/entities/account%3Aa"),
      send(key, "POST", "/v1/entities/account%3Aa/search", { text: "x" }),
      send(key, "DELETE", "/v1/entities/account%3Aa"),
      send(key, "POST", "/v1/warm", { entities: ["user:1", "account:a"] }),
      send(key, "POST", "/v1/admin/rebuild", { entity: "account:a" }),
      send(key, "POST", "/v1/admin/rebuild", {}),
      send(key, "POST", "/v1/admin/reconcile"),
      send(key, "GET", "/v1/status"),
      send(key, "GET", "/metrics"),
      send(key, "GET", "/v1/jobs"),
      send(key, "PUT", "/v1/settings", {}),
    ];
    expect(await Promise.all(outside.map(statusOf))).toEqual(outside.map(() => 403));
    const inside = [
      send(key, "GET", "/v1/entities/user%3A1"),
      send(key, "POST", "/v1/admin/rebuild", { entity: "user:1" }),
    ];
    expect(await Promise.all(inside.map(statusOf))).toEqual([200, 202]);
  });

  it("with a prefix lists within it, whatever it asks for", async () => {
    const { key } = await issue("acme", { scopes: ["admin"], entity_prefix: "user:" });
    const listed = async (query: string) => (await send(key, "GET", `/v1/entities${query}`)).text();
    expect(await listed("")).toContain('prefix\\":\\"user:\\"');
    expect(await listed("?prefix=us")).toContain('prefix\\":\\"user:\\"');
    expect(await listed("?prefix=user%3A4")).toContain('prefix\\":\\"user:4\\"');
    expect(JSON.parse(await listed("?prefix=account"))).toEqual({ entities: [], next_cursor: null });
    const letters = await (await send(key, "GET", "/v1/admin/dead-letters")).text();
    expect(JSON.parse(letters)).toEqual({ dead_letters: [], next_cursor: null });
  });

  it("with a prefix tells ingest so", async () => {
    const { key } = await issue("acme", { scopes: ["write"], entity_prefix: "user:" });
    const bulk = await send(key, "POST", "/v1/events", { events: [{ entity: "user:1" }] });
    expect(await bulk.text()).toContain('entityPrefix\\":\\"user:');
  });
});
