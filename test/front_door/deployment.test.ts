/**
 * What a deployment's variables decide: whether it serves, whom it knows, which origins may call, how often.
 */
import { afterEach, describe, expect, it } from "vitest";
import { DEVELOPMENT_ADMIN_TOKEN, DEVELOPMENT_KEY } from "./credentials.ts";
import { type FrontDoor, type FrontDoorOptions, startFrontDoor } from "./front_door.ts";

const SECRETS = {
  ENVIRONMENT: "production",
  API_KEY_PEPPER: "a pepper of this deployment",
  ADMIN_TOKEN: "its-own-token",
};

let started: FrontDoor[] = [];
afterEach(async () => {
  await Promise.all(started.map((door) => door.dispose()));
  started = [];
});

async function start(options: FrontDoorOptions): Promise<FrontDoor> {
  const door = await startFrontDoor(options);
  started.push(door);
  return door;
}

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

describe("a deployment", () => {
  it.each([
    ["without a pepper", { ...SECRETS, API_KEY_PEPPER: "" }, "API_KEY_PEPPER"],
    ["with the admin token of development", { ...SECRETS, ADMIN_TOKEN: DEVELOPMENT_ADMIN_TOKEN }, "ADMIN_TOKEN"],
  ])("%s serves health only, and says what is wrong", async (_, variables, name) => {
    const door = await start({ variables });
    expect((await door.fetch("/healthz")).status).toBe(200);
    for (const token of [DEVELOPMENT_KEY, DEVELOPMENT_ADMIN_TOKEN, SECRETS.ADMIN_TOKEN]) {
      for (const path of ["/v1/entities", "/v1/admin/tenants", "/openapi.json"]) {
        const response = await door.fetch(path, bearer(token));
        expect([response.status, response.headers.has("Retry-After")]).toEqual([503, true]);
        expect(await response.json()).toMatchObject({ code: "unavailable", detail: expect.stringContaining(name) });
      }
    }
  });

  it("with secrets of its own serves, and knows nothing of development", async () => {
    const door = await start({ variables: SECRETS });
    expect((await door.fetch("/v1/admin/tenants", bearer("its-own-token"))).status).toBe(200);
    expect((await door.fetch("/v1/admin/tenants", bearer(DEVELOPMENT_ADMIN_TOKEN))).status).toBe(401);
    expect((await door.fetch("/v1/entities", bearer(DEVELOPMENT_KEY))).status).toBe(401);
  });
});

describe("origins", () => {
  const from = (origin: string, method = "GET") => ({
    method,
    headers: { Origin: origin, "Access-Control-Request-Method": "POST", Authorization: `Bearer ${DEVELOPMENT_KEY}` },
  });

  it("are none unless they are listed", async () => {
    const door = await start({});
    const response = await door.fetch("/v1/entities", from("https://app.example"));
    expect(response.headers.has("Access-Control-Allow-Origin")).toBe(false);
    expect((await door.fetch("/v1/entities", from("https://app.example", "OPTIONS"))).status).toBe(405);
  });

  it("that are listed may call, without credentials of the browser", async () => {
    const variables = { ENVIRONMENT: "development", CORS_ORIGINS: "https://app.example, https://b.example" };
    const door = await start({ variables });
    const listed = await door.fetch("/v1/entities", from("https://app.example"));
    expect(listed.headers.get("Access-Control-Allow-Origin")).toBe("https://app.example");
    expect(listed.headers.has("Access-Control-Allow-Credentials")).toBe(false);
    const preflight = await door.fetch("/v1/entities/a/events", from("https://b.example", "OPTIONS"));
    expect([preflight.status, preflight.headers.get("Access-Control-Allow-Origin")]).toEqual([
      204,
      "https://b.example",
    ]);
    const other = await door.fetch("/v1/entities", from("https://elsewhere.example"));
    expect(other.headers.has("Access-Control-Allow-Origin")).toBe(false);
  });
});

describe("a tenant that asks too often", () => {
  it("is told when to come back, and the deployment is not held up by it", async () => {
    const door = await start({ requestsPerPeriod: 3 });
    // The request that is one too many is answered yet, the next is not. Twice as many and one more: wherever a period
    // ends in between, one of the two has that one.
    const asked: Response[] = [];
    for (let i = 0; i < 2 * 4 + 1; i++) asked.push(await door.fetch("/v1/entities", bearer(DEVELOPMENT_KEY)));
    const refused = asked.filter(({ status }) => status === 429);
    expect(asked.slice(0, 3).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(refused.length).toBeGreaterThan(0);
    for (const { headers } of refused) expect(headers.get("Retry-After")).toBe("10");
    expect((await door.fetch("/v1/admin/tenants", bearer(DEVELOPMENT_ADMIN_TOKEN))).status).toBe(200);
  });
});
