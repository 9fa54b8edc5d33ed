/** Redaction over HTTP, by the four scripts: who may, what it says, and that it is gone from the bucket. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { nodeCompression } from "../../adapters/platform/node_compat.ts";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { withBucket } from "./bucket.ts";
import { append, json, pathOf, search, untilIndexed } from "./plane.ts";

const ENTITY = "account:redacted";
const SECRET = "zebrafinch";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
});
afterAll(() => plane.close());

interface Redacted {
  readonly redacted: readonly string[];
  readonly lines: readonly { readonly id: string; readonly citation: { readonly line: number } }[];
  readonly token?: string;
}

test("takes events out for good, and says which", async () => {
  await append(plane.call, ENTITY, [
    { id: "a", text: "all is well" },
    { id: "s", text: `the ${SECRET} is well` },
  ]);
  await untilIndexed(plane.call, ENTITY);
  const before = await search(plane.call, ENTITY, { text: "well" });
  expect(before.hits.map(({ id }) => id).toSorted()).toEqual(["a", "s"]);
  const path = pathOf(ENTITY, "/redact");
  const told = await json<Redacted>(plane.call("POST", path, { ids: ["s"], dry_run: true }));
  expect(told).toMatchObject({ redacted: ["s"], lines: [{ id: "s", citation: { line: 2 } }] });
  expect(told.token).toBeUndefined();
  const done = await json<Redacted>(plane.call("POST", path, { ids: ["s"] }));
  expect(done).toMatchObject({ redacted: ["s"], lines: told.lines, token: expect.any(String) });
  const after = await search(plane.call, ENTITY, { text: "well", at_least: done.token });
  expect(after.hits.map(({ id }) => id)).toEqual(["a"]);
  const pinned = await plane.call("POST", pathOf(ENTITY, "/search"), { text: "well", snapshot: before.snapshot });
  expect([pinned.status, (await pinned.json()) as unknown]).toMatchObject([409, { code: "snapshot_erased" }]);
  await json(plane.call("POST", path, { ids: ["nobody"] }), 404);
  await json(plane.call("POST", path, { ids: ["s", "s"] }), 400);
  await untilIndexed(plane.call, ENTITY);
  expect((await search(plane.call, ENTITY, { text: "well" })).hits).toMatchObject(after.hits);
});

test("leaves none of it in the bucket", async () => {
  const keys: string[] = [];
  await plane.restart({}, () =>
    withBucket(plane.stateDir, async (bucket) => {
      const { objects } = await bucket.list({ prefix: "tenants/dev/entities/account%3Aredacted/" });
      for (const { key } of objects) {
        keys.push(key);
        const bytes = new Uint8Array((await (await bucket.get(key))?.arrayBuffer()) ?? new ArrayBuffer(0));
        const raw = nodeCompression.unzstd(bytes, 1_000_000);
        expect([key, Buffer.from(bytes).includes(SECRET)]).toEqual([key, false]);
        expect([key, raw.ok && Buffer.from(raw.value).includes(SECRET)]).toEqual([key, false]);
      }
    }),
  );
  expect(keys.filter((key) => key.includes("/segments/"))).toHaveLength(2);
});
