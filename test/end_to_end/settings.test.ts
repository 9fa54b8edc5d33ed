import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { append, json, pathOf } from "./plane.ts";
import { newKey } from "./tenants.ts";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
});
afterAll(() => plane.close());

const DEFAULT = { k1: 0.9, b: 0.4 };
const PLAIN = { k1: 0, b: 0 };
const STEEP = { k1: 2, b: 1 };

const EVENTS = [
  { id: "short", text: "renewal" },
  { id: "often", text: "renewal renewal renewal of the contract" },
  { id: "long", text: `renewal ${"with many other words around it that say little ".repeat(8)}` },
];

interface Term {
  readonly weight: number;
  readonly tf: number;
  readonly norm: number;
  readonly score: number;
}

interface Explained {
  readonly hits: readonly {
    readonly id: string;
    readonly score: number;
    readonly explain: { readonly text: { readonly score: number; readonly terms: readonly Term[] } };
  }[];
  readonly resolved: { readonly bm25: typeof DEFAULT };
}

type Headers = Readonly<Record<string, string>>;

function explained(entity: string, headers?: Headers): Promise<Explained> {
  const body = { text: "renewal", mode: "text", explain: true };
  return json<Explained>(plane.call("POST", pathOf(entity, "/search"), body, headers));
}

function put(path: string, settings: object, headers?: Headers, status = 200): Promise<unknown> {
  return json(plane.call("PUT", path, settings, headers), status);
}

/** tf / (tf + norm) is what k1 and b do to a term; the norm that explain shows has them in it. */
function expectScoredBy(answer: Explained, bm25: typeof DEFAULT): void {
  expect(answer.resolved.bm25).toEqual(bm25);
  expect(answer.hits.length).toBe(EVENTS.length);
  for (const { score, explain } of answer.hits) {
    const sum = explain.text.terms.reduce((total, term) => total + (term.weight * term.tf) / (term.tf + term.norm), 0);
    expect(sum).toBeCloseTo(score, 4);
  }
  const norms = answer.hits.map(({ explain }) => explain.text.terms[0]?.norm ?? Number.NaN);
  if (bm25.b === 0) for (const norm of norms) expect(norm).toBeCloseTo(bm25.k1, 5);
  else expect(new Set(norms).size).toBeGreaterThan(1);
}

const scores = ({ hits }: Explained) => Object.fromEntries(hits.map(({ id, score }) => [id, score]));

describe("bm25", () => {
  test("of an entity changes its scores, over its tenant's, over the default", async () => {
    const entity = "account:scored";
    await append(plane.call, entity, EVENTS);
    const first = await explained(entity);
    expectScoredBy(first, DEFAULT);
    await put("/v1/settings", { bm25: STEEP });
    const byTenant = await explained(entity);
    expectScoredBy(byTenant, STEEP);
    await put(pathOf(entity, "/settings"), { bm25: PLAIN });
    const byEntity = await explained(entity);
    expectScoredBy(byEntity, PLAIN);
    expect(new Set([first, byTenant, byEntity].map((answer) => JSON.stringify(scores(answer)))).size).toBe(3);
    expect(new Set(byEntity.hits.map(({ score }) => score)).size).toBe(1);
    await put(pathOf(entity, "/settings"), {});
    expect(scores(await explained(entity))).toEqual(scores(byTenant));
    await put("/v1/settings", {});
    expect(scores(await explained(entity))).toEqual(scores(first));
  });

  test("of one tenant or entity touches no other", async () => {
    const entity = "account:theirs";
    const [one, two] = await Promise.all([newKey(plane.call, "settings-one"), newKey(plane.call, "settings-two")]);
    for (const headers of [one, two]) await append(plane.call, entity, EVENTS, headers);
    await append(plane.call, "account:beside", EVENTS, one);
    await put(pathOf(entity, "/settings"), { bm25: PLAIN }, one);
    await put("/v1/settings", { bm25: STEEP }, one);
    expectScoredBy(await explained(entity, one), PLAIN);
    expectScoredBy(await explained("account:beside", one), STEEP);
    expectScoredBy(await explained(entity, two), DEFAULT);
    expect(await json(plane.call("GET", "/v1/settings", undefined, two))).toEqual({});
    expect(await json(plane.call("GET", pathOf(entity, "/settings"), undefined, two))).toEqual({});
  });

  test("set before the first append is there for the first search, and after a restart", async () => {
    const entity = "account:prepared";
    expect((await plane.call("GET", pathOf(entity, "/settings"))).status).toBe(404);
    await put(pathOf(entity, "/settings"), { bm25: PLAIN });
    expect(await json(plane.call("GET", pathOf(entity, "/settings")))).toEqual({ bm25: PLAIN });
    expect((await plane.call("GET", pathOf(entity))).status).toBe(404);
    await append(plane.call, entity, EVENTS);
    expectScoredBy(await explained(entity), PLAIN);
    await plane.restart();
    expectScoredBy(await explained(entity), PLAIN);
  });
});

describe("settings that are refused", () => {
  test("change nothing", async () => {
    const entity = "account:kept";
    await put(pathOf(entity, "/settings"), { bm25: STEEP });
    await put("/v1/settings", { tenant_index: "off" });
    for (const path of [pathOf(entity, "/settings"), "/v1/settings"]) {
      await put(path, { bm26: PLAIN }, undefined, 400);
      await put(path, { bm25: { ...PLAIN, k2: 1 } }, undefined, 400);
      await put(path, { bm25: { k1: 0.9, b: 1.5 } }, undefined, 400);
      for (const later of [{ analyzer: "x" }, { metric: "dot" }, { embedder: "none" }]) {
        await put(path, { bm25: PLAIN, ...later }, undefined, 422);
      }
    }
    await put(pathOf(entity, "/settings"), { bm25: PLAIN, tenant_index: "full" }, undefined, 422);
    expect(await json(plane.call("GET", pathOf(entity, "/settings")))).toEqual({ bm25: STEEP });
    expect(await json(plane.call("GET", "/v1/settings"))).toEqual({ tenant_index: "off" });
  });

  test("are those of a credential that may not set them", async () => {
    const reader = await newKey(plane.call, "settings-three", { scopes: ["read", "write"], tier: "T3" });
    const confined = await newKey(plane.call, "settings-three", {
      scopes: ["admin"],
      tier: "T1",
      entity_prefix: "user:",
    });
    await put(pathOf("user:1", "/settings"), { bm25: PLAIN }, reader, 403);
    await put(pathOf("account:1", "/settings"), { bm25: PLAIN }, confined, 403);
    await put("/v1/settings", { bm25: PLAIN }, confined, 403);
    await put(pathOf("user:1", "/settings"), { bm25: PLAIN }, confined);
  });
});
