import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeCompression } from "../../adapters/platform/node_compat.ts";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { append, json, pathOf, search, timeline } from "./plane.ts";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
});
afterAll(() => plane.close());

describe("read your writes", () => {
  test("fifty concurrent writers each find what was acknowledged to them", async () => {
    const entity = "account:busy";
    const write = async (writer: number): Promise<void> => {
      for (let n = 0; n < 4; n += 1) {
        const word = `w${writer}x${n}`;
        const written = await append(plane.call, entity, [{ id: word, text: `status ${word} reported` }]);
        const found = await search(plane.call, entity, { text: word, mode: "text", at_least: written.token });
        expect(found.hits.map(({ id }) => id)).toContain(word);
      }
    };
    await Promise.all(Array.from({ length: 50 }, (_, writer) => write(writer)));
    const ids = await timeline(plane.call, entity);
    expect(new Set(ids).size).toBe(200);
    expect(ids.length).toBe(200);
  });

  test("the same batch posted ten times at once is there once", async () => {
    const entity = "account:ten";
    const events = Array.from({ length: 20 }, (_, n) => ({ text: `event number ${n}` }));
    const answers = await Promise.all(Array.from({ length: 10 }, () => append(plane.call, entity, events)));
    expect(answers.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(20);
    expect((await timeline(plane.call, entity)).length).toBe(20);
    const ids = answers.map(({ event_ids }) => event_ids.join());
    expect(new Set(ids).size).toBe(1);
  });

  test("the same Idempotency-Key gives the same answer, and another body under it is refused", async () => {
    const entity = "account:once";
    const headers = { "Idempotency-Key": "import-7" };
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => append(plane.call, entity, [{ text: "x" }], headers)),
    );
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    await json(plane.call("POST", pathOf(entity, "/events"), { events: [{ text: "y" }] }, headers), 409);
    expect((await timeline(plane.call, entity)).length).toBe(1);
  });
});

describe("a segment", () => {
  test("is plain JSONL for whoever takes it from the bucket", async () => {
    const written = await append(plane.call, "account:audit", [
      { id: "a", text: "first", ts: "2026-01-02T03:04:05Z" },
      { id: "b", attributes: { z: 1, a: [" x "] } },
    ]);
    const wrangler = [
      "r2",
      "object",
      "get",
      `context-plane/${written.segment}`,
      "--local",
      "--pipe",
      "--persist-to",
      plane.stateDir,
    ];
    const { stdout } = await promisify(execFile)("wrangler", wrangler, {
      encoding: "buffer",
      env: { ...process.env, CI: "1" },
    });
    const raw = nodeCompression.unzstd(new Uint8Array(stdout), 1_000_000);
    if (!raw.ok) throw new Error("not whole zstd frames");
    const lines = new TextDecoder().decode(raw.value).trimEnd().split("\n");
    expect(lines[0]).toBe('{"id":"a","kind":"note","text":"first","ts":"2026-01-02T03:04:05.000Z"}');
    expect(JSON.parse(lines[1] ?? "")).toMatchObject({ id: "b", kind: "note", attributes: { a: [" x "], z: 1 } });
  });
});

describe("bulk", () => {
  test("is validated as a whole and written entity by entity", async () => {
    const events = [
      { entity: "user:1", id: "a", text: "x" },
      { entity: "user:2", id: "b", text: "y" },
      { entity: "user:1", id: "c", text: "z" },
    ];
    const written = await json<{ results: { entity: string; accepted: number }[]; accepted: number }>(
      plane.call("POST", "/v1/events", { events }),
      201,
    );
    expect(written.accepted).toBe(3);
    expect(written.results.map(({ entity, accepted }) => [entity, accepted])).toEqual([
      ["user:1", 2],
      ["user:2", 1],
    ]);
    await json(
      plane.call("POST", "/v1/events", {
        events: [
          { entity: "user:3", id: "d" },
          { entity: "user:3", nope: 1 },
        ],
      }),
      400,
    );
    await json(plane.call("GET", pathOf("user:3")), 404);
  });

  test("an entity that refuses its share does not hold up the others", async () => {
    await append(plane.call, "user:vectors", [{ id: "v", vector: [1, 0] }]);
    const events = [
      { entity: "user:vectors", id: "w", vector: [1, 0, 0] },
      { entity: "user:plain", id: "p", text: "fine" },
    ];
    const written = await json<{ results: { entity: string; error?: { code: string } }[] }>(
      plane.call("POST", "/v1/events", { events }),
      207,
    );
    expect(written.results[0]?.error?.code).toBe("unprocessable");
    expect(await timeline(plane.call, "user:plain")).toEqual(["p"]);
    expect(await timeline(plane.call, "user:vectors")).toEqual(["v"]);
  });
});
