import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { s3Store } from "../../adapters/storage/s3_store.ts";
import type { Variables } from "../../scripts/variables.ts";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { type S3Server, startS3Server } from "../storage/s3_server.ts";
import { withBucket } from "./bucket.ts";
import { answerOf, append, json, pathOf, search, timeline, until, untilIndexed } from "./plane.ts";

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
});
afterAll(() => server.close());

function onS3({ settings }: S3Server): Variables {
  return {
    OBJECT_STORE: "s3",
    S3_ENDPOINT: settings.endpoint,
    S3_BUCKET: settings.bucket,
    S3_REGION: settings.region,
    S3_ACCESS_KEY_ID: settings.accessKeyId,
    S3_SECRET_ACCESS_KEY: settings.secretAccessKey,
  };
}

describe("the plane on a store that speaks S3", () => {
  let plane: TestRuntime;
  beforeAll(async () => {
    plane = await bootTestRuntime({ variables: onS3(server) });
  });
  afterAll(() => plane.close());

  const objects = async (prefix: string): Promise<string[]> =>
    (await s3Store(server.settings).forTenant("dev").list(prefix)).objects.map(({ key }) => key);
  const events = (entity: string) => timeline(plane.call, entity).then((ids) => ids.sort());

  test("appends, indexes, searches, keeps documents, exports, forgets, and loses nothing when all else is lost", async () => {
    const entity = "account:acme / größe +1%";
    const question = { text: "renewal risk", mode: "text" };
    const appended = await append(plane.call, entity, [
      { id: "call-1", text: "The renewal is at risk: they worry about the migration." },
      { id: "call-2", text: "A note about something else." },
      { id: "call-3", text: "Renewal risk again, in another call." },
    ]);
    const document = pathOf(entity, "/documents/plan.md");
    const bytes = "# Plan\n\nThe renewal comes before the migration.\n";
    await json(plane.call("PUT", document, bytes, { "content-type": "text/markdown" }), 201);
    const early = await search(plane.call, entity, question);
    await untilIndexed(plane.call, entity);
    expect(answerOf(await search(plane.call, entity, question))).toEqual(answerOf(early));
    await json(plane.call("DELETE", pathOf(entity, "/events/call-3")));

    const before = await search(plane.call, entity, question);
    expect(before.hits.map(({ id }) => id)[0]).toBe("call-1");
    const known = await events(entity);
    const archive = await plane.call("GET", pathOf(entity, "/export"));
    expect(archive.status).toBe(200);
    const copy = new Uint8Array(await archive.arrayBuffer());

    const folder = `entities/${encodeURIComponent(entity)}/`;
    expect((await objects(`${folder}segments/`)).map((key) => `tenants/dev/${key}`)).toContain(appended.segment);
    for (const kind of ["blobs", "heads", "indexes"]) expect(await objects(`${folder}${kind}/`)).not.toEqual([]);

    await plane.restart({}, async () => {
      await withBucket(plane.stateDir, async (bucket) => expect((await bucket.list()).objects).toEqual([]));
      await rm(join(plane.stateDir, "v3", "do"), { recursive: true, force: true });
    });
    expect(answerOf(await search(plane.call, entity, question))).toEqual(answerOf(before));
    expect(await events(entity)).toEqual(known);
    expect(await (await plane.call("GET", document)).text()).toBe(bytes);

    const imported = "account:copy";
    await json(plane.call("POST", pathOf(imported, "/import"), copy, { "content-type": "application/zip" }), 201);
    expect(await events(imported)).toEqual(known);

    await json(plane.call("DELETE", pathOf(entity)), 202);
    await until("only the mark of the erasure is left", async () => (await objects(folder)).length === 1);
    expect(await objects(folder)).toEqual([`${folder}erased.json`]);
    expect((await plane.call("GET", pathOf(entity))).status).toBe(404);
    expect(await events(imported)).toEqual(known);
  });

  test("acknowledges nothing while the store asks to slow down, and each event once when it is sent again", async () => {
    const entity = "account:slow";
    const events = [{ id: "a", text: "one" }];
    const key = new RegExp(`/entities/${encodeURIComponent(encodeURIComponent(entity))}/segments/`);
    server.refuses = ({ method, url }) =>
      method === "PUT" && key.test(url) ? { status: 503, code: "SlowDown" } : null;
    expect((await plane.call("POST", pathOf(entity, "/events"), { events })).status).toBe(503);
    server.refuses = null;
    expect(await append(plane.call, entity, events)).toMatchObject({ accepted: 1, duplicates: 0 });
    expect(await timeline(plane.call, entity)).toEqual(["a"]);
  });
});

describe("the plane on a store that is unfit", () => {
  test("acknowledges nothing and says what the store lacks, without the settings of the store", async () => {
    const unfit = await startS3Server();
    unfit.lacks = "create_only";
    const plane = await bootTestRuntime({ variables: onS3(unfit) });
    const event = { events: [{ id: "a", text: "one" }] };
    const problem = await json<{ detail: string }>(plane.call("POST", pathOf("account:a", "/events"), event), 503);
    expect(problem.detail).toContain("create-only puts");
    expect(JSON.stringify(problem)).not.toContain(unfit.settings.endpoint);
    await plane.restart({ variables: { ...onS3(unfit), S3_BUCKET: "" } });
    const misset = await json<{ detail: string }>(plane.call("POST", pathOf("account:a", "/events"), event), 503);
    expect(misset.detail).toContain("S3_BUCKET");
    await plane.close();
    await unfit.close();
  });
});
