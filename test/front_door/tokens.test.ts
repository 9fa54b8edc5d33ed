/**
 * JSON Web Tokens of a configured issuer, whose key set is served over HTTP.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEVELOPMENT_ADMIN_TOKEN, DEVELOPMENT_KEY } from "./credentials.ts";
import { type FrontDoor, startFrontDoor } from "./front_door.ts";

const ISSUER = "https://issuer.example";
const AUDIENCE = "context-plane";
const ALGORITHMS = ["RS256", "ES256", "EdDSA"] as const;

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;
const keys = new Map<string, Keys>();
let server: Server;
let frontDoor: FrontDoor;

beforeAll(async () => {
  const published: JWK[] = [];
  for (const algorithm of [...ALGORITHMS, "RS512"]) {
    const pair = await generateKeyPair(algorithm, { extractable: true });
    keys.set(algorithm, pair);
    published.push({ ...(await exportJWK(pair.publicKey)), kid: algorithm, alg: algorithm, use: "sig" });
  }
  server = createServer((_, response) =>
    response.setHeader("Content-Type", "application/json").end(JSON.stringify({ keys: published })),
  );
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  frontDoor = await startFrontDoor({ variables: issuerAt(`http://127.0.0.1:${port}/jwks`) });
  await createTenant(frontDoor);
});

afterAll(async () => {
  await frontDoor.dispose();
  server.close();
});

function issuerAt(url: string) {
  return { ENVIRONMENT: "development", JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE, JWT_JWKS_URL: url };
}

function createTenant(door: FrontDoor): Promise<Response> {
  const headers = { Authorization: `Bearer ${DEVELOPMENT_ADMIN_TOKEN}`, "Content-Type": "application/json" };
  return door.fetch("/v1/admin/tenants", { method: "POST", headers, body: JSON.stringify({ tenant: "acme" }) });
}

const claims: JWTPayload = {
  iss: ISSUER,
  aud: AUDIENCE,
  exp: Math.floor(Date.now() / 1000) + 600,
  tenant: "acme",
  scopes: ["read"],
  tier: "T1",
  entity_prefix: "user:",
};

function sign(payload: JWTPayload, algorithm: string, kid = algorithm): Promise<string> {
  const pair = keys.get(algorithm);
  if (pair === undefined) throw new Error(`no key for ${algorithm}`);
  return new SignJWT(payload).setProtectedHeader({ alg: algorithm, kid }).sign(pair.privateKey);
}

async function read(token: string, path = "/v1/entities/user%3A1", door = frontDoor): Promise<number> {
  const response = await door.fetch(path, { headers: { Authorization: `Bearer ${token}` } });
  await response.text();
  return response.status;
}

describe("a token of the issuer", () => {
  it.each(ALGORITHMS)("signed with %s is its tenant's, within its scopes and prefix", async (algorithm) => {
    const token = await sign(claims, algorithm);
    expect(await read(token)).toBe(200);
    expect(await read(token, "/v1/entities/account%3Aa")).toBe(403);
    expect(await read(token, "/v1/status")).toBe(403);
    expect(await read(token, "/v1/admin/tenants")).toBe(403);
  });

  it.each([
    ["of another issuer", { iss: "https://elsewhere.example" }],
    ["for another audience", { aud: "someone-else" }],
    ["that has expired", { exp: 1 }],
    ["that never expires", { exp: undefined }],
    ["that is not valid yet", { nbf: Math.floor(Date.now() / 1000) + 600 }],
    ["for a tenant that is not there", { tenant: "nobody" }],
    ["without scopes", { scopes: undefined }],
    ["with an unknown tier", { tier: "T9" }],
  ])("%s is refused", async (_, change) => {
    const changed = JSON.parse(JSON.stringify({ ...claims, ...change }));
    expect(await read(await sign(changed, "ES256"))).toBe(401);
  });

  it("signed with an algorithm that we do not take is refused, though its key is published", async () => {
    expect(await read(await sign(claims, "RS512"))).toBe(401);
  });

  it("signed with another's key under a published name is refused", async () => {
    const other = await generateKeyPair("ES256");
    const token = await new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid: "ES256" }).sign(other.privateKey);
    expect(await read(token)).toBe(401);
  });

  it("that is not signed at all is refused", async () => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    expect(await read(`${part({ alg: "none" })}.${part(claims)}.x`)).toBe(401);
  });

  it("whose claims were altered is refused", async () => {
    const [header, , signature] = (await sign(claims, "EdDSA")).split(".");
    const altered = Buffer.from(JSON.stringify({ ...claims, scopes: ["admin"] })).toString("base64url");
    expect(await read(`${header}.${altered}.${signature}`)).toBe(401);
  });

  it("stands beside keys, which still work", async () => {
    expect(await read(DEVELOPMENT_KEY)).toBe(200);
  });
});

describe("an issuer that does not answer", () => {
  it("is a 503 that may be tried again, not a refusal", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => {
      closed.listen(0, "127.0.0.1", resolve);
    });
    const { port } = closed.address() as AddressInfo;
    closed.close();
    const door = await startFrontDoor({ variables: issuerAt(`http://127.0.0.1:${port}/jwks`) });
    const response = await door.fetch("/v1/entities/user%3A1", {
      headers: { Authorization: `Bearer ${await sign(claims, "ES256")}` },
    });
    expect([response.status, response.headers.get("Retry-After")]).toEqual([503, "1"]);
    await door.dispose();
  });
});
