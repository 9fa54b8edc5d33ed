import { afterAll, beforeAll, expect, test } from "vitest";
import { MODEL_KEY, type ModelServer, startModelServer } from "../models/model_server.ts";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { deleteDerived, withBucket } from "./bucket.ts";
import { answerOf, append, json, pathOf, search, until, untilIndexed } from "./plane.ts";

let server: ModelServer;
let plane: TestRuntime;
beforeAll(async () => {
  server = await startModelServer();
  plane = await bootTestRuntime({
    variables: {
      EMBEDDER: "openai",
      OPENAI_BASE_URL: `${server.origin}/v1`,
      OPENAI_API_KEY: MODEL_KEY,
      OPENAI_EMBEDDING_MODEL: "test-model",
    },
  });
});
afterAll(async () => {
  await plane.close();
  await server.close();
});

const asked = () => server.batches.flat();

test("what a remote embedder made is written once, searched by vector, and survives the loss of all else", async () => {
  const entity = "account:remote";
  const texts = ["the outage in March", "renewal of the contract", "a note on unspeakable things"];
  await append(
    plane.call,
    entity,
    texts.map((text, n) => ({ id: `e${n}`, text })),
  );
  const early = await search(plane.call, entity, { text: "outage", mode: "text" });
  expect(early.hits.map(({ id }) => id)).toEqual(["e0"]);
  await untilIndexed(plane.call, entity);
  for (const text of texts) expect(asked()).toContain(text);
  const query = { text: "renewal of the contract", mode: "vector", exact: true };
  const before = await search(plane.call, entity, query);
  expect(before.hits[0]?.id).toBe("e1");
  expect(before.hits.map(({ id }) => id)).not.toContain("e2");
  const outputs: string[] = [];
  await plane.restart({}, async () => {
    await deleteDerived(plane.stateDir);
    await withBucket(plane.stateDir, async (bucket) => {
      const { objects } = await bucket.list();
      outputs.push(...objects.map(({ key }) => key).filter((key) => key.includes("/outputs/")));
    });
  });
  expect(outputs.length).toBe(1);
  server.batches.length = 0;
  await json(plane.call("POST", "/v1/admin/rebuild", { entity }), 202);
  await until("vectors are searched again", async () => {
    const again = await search(plane.call, entity, query);
    return again.hits.length === before.hits.length;
  });
  expect(answerOf(await search(plane.call, entity, query))).toEqual(answerOf(before));
  expect(asked().filter((text) => text !== query.text)).toEqual([]);
});

test("while the model is down, events are taken, words are found, and what waits is said", async () => {
  const entity = "account:down";
  await append(plane.call, entity, [{ id: "a", text: "first words" }]);
  await untilIndexed(plane.call, entity);
  server.always = { kind: "status", status: 500, code: 0 };
  await append(plane.call, entity, [{ id: "b", text: "second words" }]);
  const found = await json<{ hits: { id: string }[]; degraded: string[] }>(
    plane.call("POST", pathOf(entity, "/search"), { text: "words" }),
  );
  expect(found.hits.map(({ id }) => id)).toEqual(["a", "b"]);
  expect(found.degraded.join()).toContain("embedder");
  const status = await json<{ unindexed_events: number }>(plane.call("GET", pathOf(entity)));
  expect(status.unindexed_events).toBe(1);
  server.always = null;
});
