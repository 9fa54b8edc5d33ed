/** Objects of the store that were damaged or lost while the plane stood still: what is lost is named, all else answers. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEVELOPMENT_ADMIN_TOKEN } from "../front_door/credentials.ts";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { withBucket } from "./bucket.ts";
import { append, json, pathOf, search, until, untilIndexed } from "./plane.ts";
import { newKey } from "./tenants.ts";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
});
afterAll(() => plane.close());

interface ProblemBody {
  readonly code: string;
  readonly detail: string;
}

const problem = (answer: Promise<Response>) => json<ProblemBody>(answer, 500);
const documentPath = (id: string) => pathOf("kb:blobs", `/documents/${id}`);
const putDocument = (id: string, content: string) =>
  json(plane.call("PUT", documentPath(id), content, { "content-type": "text/markdown" }), 201);

/** Replaces every object whose key matches by `bytes`; null deletes it. With `alone` the objects' own state stays. */
function damage(keys: RegExp, bytes: Uint8Array | null, alone = true): Promise<void> {
  return plane.restart({}, async () => {
    await withBucket(plane.stateDir, async (bucket) => {
      const { objects } = await bucket.list();
      const hit = objects.filter(({ key }) => keys.test(key));
      expect(hit.length).toBeGreaterThan(0);
      for (const { key } of hit) {
        const stored = await bucket.get(key);
        if (bytes === null) await bucket.delete(key);
        else await bucket.put(key, bytes, { customMetadata: stored?.customMetadata ?? {} });
      }
    });
    if (!alone) await rm(join(plane.stateDir, "v3", "do"), { recursive: true, force: true });
  });
}

const OTHER_BYTES = new TextEncoder().encode("something else");

describe("a damaged object", () => {
  test("of a document is never handed out, and is whole again once the document was put again", async () => {
    await putDocument("handbook", "# Refunds\n\nWithin a fortnight.");
    for (const bytes of [OTHER_BYTES, null]) {
      await damage(/\/blobs\//, bytes);
      const refused = await problem(plane.call("GET", documentPath("handbook")));
      expect([refused.code, refused.detail]).toEqual(["corrupt", expect.stringContaining("kb%3Ablobs/blobs/")]);
      expect((await search(plane.call, "kb:blobs", { text: "fortnight" })).hits.length).toBe(1);
      await putDocument("handbook", "# Refunds\n\nWithin a fortnight.");
      expect(await (await plane.call("GET", documentPath("handbook"))).text()).toBe("# Refunds\n\nWithin a fortnight.");
    }
  });

  test("of a key lets nobody in, says so, and can be revoked", async () => {
    const key = await newKey(plane.call, "damaged-key");
    await damage(/^system\/keys\//, OTHER_BYTES);
    const refused = await problem(plane.call("GET", "/v1/entities", undefined, key));
    expect([refused.code, refused.detail]).toEqual(["corrupt", expect.stringContaining("system/keys/")]);
    const id = key.authorization?.split("_")[1] ?? "";
    const path = `/v1/admin/tenants/damaged-key/keys/${id}`;
    const admin = { authorization: `Bearer ${DEVELOPMENT_ADMIN_TOKEN}` };
    expect((await plane.call("DELETE", path, undefined, admin)).status).toBe(204);
    expect((await plane.call("GET", "/v1/entities", undefined, key)).status).toBe(401);
  });

  test("of the log breaks an export off by name, and takes no other event of the timeline with it", async () => {
    const entity = "account:damaged";
    await append(plane.call, entity, [{ id: "a", text: "kept", vector: [1, 0], ts: 1 }]);
    await append(plane.call, entity, [{ id: "b", text: "lost digits", vector: [0, 1], ts: 2 }]);
    await untilIndexed(plane.call, entity);
    await damage(/account%3Adamaged\/segments\/.*-000000000002\./, OTHER_BYTES);
    expect((await problem(plane.call("GET", pathOf(entity, "/export")))).code).toBe("corrupt");
    const page = await json<{ events: { id: string }[] }>(plane.call("GET", pathOf(entity, "/events")));
    expect(page.events.map(({ id }) => id)).toEqual(["a"]);
    expect((await problem(plane.call("GET", pathOf(entity, "/events/b")))).code).toBe("corrupt");
    expect((await search(plane.call, entity, { text: "digits" })).hits.map(({ id }) => id)).toEqual(["b"]);
  });

  test("of a log whose objects lost their state too is named, and what is indexed answers all the same", async () => {
    const entity = "account:hole";
    for (const id of ["a", "b", "c"]) await append(plane.call, entity, [{ id, text: `renewal ${id}` }]);
    await untilIndexed(plane.call, entity);
    await damage(/account%3Ahole\/segments\/.*-000000000002\./, null, false);
    expect((await search(plane.call, entity, { text: "renewal" })).hits.length).toBe(3);
    const { job } = await json<{ job: string }>(plane.call("POST", "/v1/admin/rebuild", { entity }), 202);
    const ended = async () => json<{ status: string; error?: string }>(plane.call("GET", `/v1/jobs/${job}`));
    await until("the rebuild ended", async () => (await ended()).status === "failed");
    const { sealed } = await json<{ sealed: { error: string } }>(plane.call("GET", pathOf(entity)));
    expect(sealed.error).toContain("commit 2 is missing");
  });

  test("of a tenant's index is built again, also when its object lost its state", async () => {
    const key = await newKey(plane.call, "damaged-index");
    await json(plane.call("PUT", "/v1/settings", { tenant_index: "full" }, key));
    await json(plane.call("POST", pathOf("x:1", "/events"), { events: [{ id: "a", text: "renewal" }] }, key), 201);
    const found = async () => {
      const { hits } = await json<{ hits: { id: string }[] }>(
        plane.call("POST", "/v1/search", { text: "renewal" }, key),
      );
      return hits.length === 1;
    };
    await until("the index has it", found);
    for (const keys of [/^tenants\/damaged-index\/indexes\/heads\//, /^tenants\/damaged-index\/indexes\/\d/]) {
      await damage(keys, OTHER_BYTES, false);
      await until("the index has it again", found);
      expect((await plane.call("GET", "/v1/status", undefined, key)).status).toBe(200);
    }
  });
});
