import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FILTER_IN_VALUES_MAX, STRONG_ENTITIES_MAX } from "../../core/limits.ts";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { deleteDerived, withBucket } from "./bucket.ts";
import { append, type Hit, json, pathOf, until } from "./plane.ts";
import { newKey } from "./tenants.ts";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
});
afterAll(() => plane.close());

type Headers = Readonly<Record<string, string>>;

interface TenantAnswer {
  readonly hits: readonly (Hit & { readonly entity: string; readonly kind: string })[];
  readonly snapshot: string;
  readonly stale_ms: number;
  readonly coverage: { readonly kind: string; readonly waiting_entities: number; readonly entities: number };
}

const searchAll = (body: object, headers?: Headers) =>
  json<TenantAnswer>(plane.call("POST", "/v1/search", body, headers));

const turn = (mode: string, headers?: Headers) =>
  json(plane.call("PUT", "/v1/settings", { tenant_index: mode }, headers));

interface Status {
  readonly waiting: readonly unknown[];
  readonly tenant_index: {
    readonly pending_commits: number;
    readonly error: string | null;
    readonly coverage: { readonly waiting_entities: number; readonly entities: number } | null;
  };
}

/** Until everything that was appended is in the tenant's index. */
function untilCovered(entities: number, headers?: Headers): Promise<void> {
  return until(`${entities} entities are covered`, async () => {
    const { waiting, tenant_index } = await json<Status>(plane.call("GET", "/v1/status", undefined, headers));
    const { coverage, pending_commits } = tenant_index;
    return (
      waiting.length === 0 &&
      pending_commits === 0 &&
      coverage?.waiting_entities === 0 &&
      coverage.entities === entities
    );
  });
}

const essence = ({ entity, id, score, citation }: TenantAnswer["hits"][number]) => ({ entity, id, score, citation });

describe("a search over the tenant", () => {
  test("is refused while it has no index, but for a few entities that are listed", async () => {
    const headers = await newKey(plane.call, "scope-off");
    for (const name of ["account:a", "account:b"])
      await append(plane.call, name, [{ id: "x", text: `renewal ${name}` }], headers);
    const refused = await json<{ code: string; detail: string }>(
      plane.call("POST", "/v1/search", { text: "renewal" }, headers),
      409,
    );
    expect(refused).toMatchObject({ code: "conflict" });
    expect(refused.detail).toContain("tenant_index");
    const strong = { text: "renewal", consistency: "strong", entities: ["account:a", "account:b", "account:none"] };
    const answer = await searchAll(strong, headers);
    expect(answer.hits.map(({ entity }) => entity)).toEqual(["account:a", "account:b"]);
    expect(answer.coverage).toMatchObject({ kind: "entities", statistics: "entities" });
    const entities = Array.from({ length: STRONG_ENTITIES_MAX + 1 }, (_, index) => `account:${index}`);
    await json(plane.call("POST", "/v1/search", { ...strong, entities }, headers), 400);
    await json(plane.call("PUT", pathOf("account:a", "/settings"), { tenant_index: "full" }, headers), 422);
  });

  test("finds what all entities hold, forgets what is withdrawn or erased, and stays within a key's prefix", async () => {
    const headers = await newKey(plane.call, "scope-full");
    const names = ["account:a", "account:b", "user:c"];
    await append(plane.call, "account:a", [{ id: "before", text: "renewal before the index" }], headers);
    await turn("full", headers);
    for (const name of names) {
      await append(
        plane.call,
        name,
        [
          { id: "x", text: `renewal of ${name}` },
          { id: "y", text: "invoice" },
        ],
        headers,
      );
    }
    await untilCovered(3, headers);
    const body = { text: "renewal", mode: "text", top_k: 50 };
    const found = await searchAll(body, headers);
    expect(found.hits.map(({ entity, id }) => `${entity} ${id}`).sort()).toEqual([
      "account:a before",
      "account:a x",
      "account:b x",
      "user:c x",
    ]);
    const strong = await searchAll({ ...body, consistency: "strong", entities: names }, headers);
    const byPlace = (hits: TenantAnswer["hits"]) =>
      hits.map(essence).sort((a, b) => (a.entity + a.id < b.entity + b.id ? -1 : 1));
    expect(byPlace(found.hits)).toEqual(byPlace(strong.hits));
    const thousands = Array.from({ length: FILTER_IN_VALUES_MAX - 1 }, (_, index) => `nobody:${index}`);
    const listed = await searchAll({ ...body, entities: [...thousands, "user:c"] }, headers);
    expect(listed.hits.map(({ entity }) => entity)).toEqual(["user:c"]);

    const confined = await newKey(plane.call, "scope-full", { scopes: ["read"], tier: "T1", entity_prefix: "user:" });
    expect((await searchAll(body, confined)).hits.map(({ entity }) => entity)).toEqual(["user:c"]);
    await json(plane.call("POST", "/v1/search", { ...body, entities: ["account:a"] }, confined), 403);
    const other = await newKey(plane.call, "scope-other");
    await turn("full", other);
    expect((await searchAll(body, other)).hits).toEqual([]);
    await json(plane.call("POST", "/v1/search", { ...body, snapshot: found.snapshot }, other), 409);

    await json(plane.call("DELETE", pathOf("account:b", "/events/x"), undefined, headers));
    await json(plane.call("DELETE", pathOf("account:a"), undefined, headers), 202);
    expect((await searchAll(body, headers)).hits.map(({ entity }) => entity)).not.toContain("account:a");
    await json(plane.call("POST", "/v1/search", { ...body, snapshot: found.snapshot }, headers), 409);
    await untilCovered(2, headers);
    expect((await searchAll(body, headers)).hits.map(({ entity, id }) => `${entity} ${id}`)).toEqual(["user:c x"]);
    let left: readonly string[] = [];
    await plane.restart({}, () =>
      withBucket(plane.stateDir, async (bucket) => {
        const { objects } = await bucket.list({ prefix: "tenants/scope-full/" });
        const named = await Promise.all(
          objects.map(async ({ key }) => {
            const text = `${key} ${await (await bucket.get(key))?.text()}`;
            return /account(:|%3A)a/.test(text) ? [key] : [];
          }),
        );
        left = named.flat();
      }),
    );
    expect(left.filter((key) => key.includes("/indexes/"))).toEqual([]);
  });

  test("comes back from the entities' logs when everything of it is lost, and after a rebuild", async () => {
    const headers = await newKey(plane.call, "scope-lost");
    await turn("full", headers);
    for (const name of ["account:a", "account:b"])
      await append(plane.call, name, [{ id: "x", text: `renewal of ${name}` }], headers);
    await untilCovered(2, headers);
    const body = { text: "renewal", mode: "text", top_k: 50 };
    const before = (await searchAll(body, headers)).hits.map(essence);
    await plane.restart();
    expect((await searchAll(body, headers)).hits.map(essence)).toEqual(before);
    await plane.restart({}, () => deleteDerived(plane.stateDir));
    await untilCovered(2, headers);
    expect((await searchAll(body, headers)).hits.map(({ score }) => score)).toEqual(before.map(({ score }) => score));
    await json(plane.call("POST", "/v1/admin/rebuild", {}, headers), 202);
    await untilCovered(2, headers);
    const after = (await searchAll(body, headers)).hits.map(essence);
    expect(after.map(({ score }) => score)).toEqual(before.map(({ score }) => score));
  });

  test("over summaries has one of each entity", async () => {
    const headers = await newKey(plane.call, "scope-summaries");
    await turn("summaries", headers);
    await append(
      plane.call,
      "account:a",
      [{ id: "x", text: "The renewal is at risk. They like the product." }],
      headers,
    );
    await append(plane.call, "account:b", [{ id: "x", text: "The ferry leaves at noon." }], headers);
    await untilCovered(2, headers);
    const { hits, coverage } = await searchAll({ text: "ferry", mode: "text" }, headers);
    expect(coverage.kind).toBe("summaries");
    expect(hits).toMatchObject([{ entity: "account:b", kind: "summary", text: "The ferry leaves at noon." }]);
    await turn("full", headers);
    await untilCovered(2, headers);
    const first = await searchAll({ text: "risk", mode: "text", prefilter: "l0", group_by: "entity" }, headers);
    expect(first.hits.map(({ entity, id }) => [entity, id])).toEqual([["account:a", "x"]]);
  });
});
