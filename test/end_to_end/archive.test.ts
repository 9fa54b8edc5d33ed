import { unzipSync, zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IMPORT_BYTES_MAX } from "../../core/limits.ts";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { append, json, pathOf, status, untilIndexed } from "./plane.ts";
import { newKey } from "./tenants.ts";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
  await fill();
});
afterAll(() => plane.close());

type Headers = Readonly<Record<string, string>>;

interface Imported {
  readonly accepted: number;
  readonly duplicates: number;
  readonly conflicts: readonly string[];
  readonly token: string | null;
}

const SOURCE = "account:source";
const WITHDRAWN = ["e3", "e17"];
const PAGE = "<h1>Handbook</h1><p>Refunds take a fortnight.</p>";
const QUERIES = [
  { text: "outage report", mode: "text", top_k: 30 },
  { text: "renewal TKT-1007", vector: [0.5, 0.5], top_k: 30 },
  { vector: [1, 0.2], top_k: 30, filter: { "attributes.team": "north" } },
  { text: "fortnight refunds", mode: "text" },
  { text: "invoice", from: "2026-01-05T00:00:00Z", to: "2026-01-20T00:00:00Z", include: ["attributes"] },
];

/** Events with and without ids, in several commits; some withdrawn, one of them indexed; documents, one replaced. */
async function fill(): Promise<void> {
  const topics = ["outage report", "renewal of contract", "invoice overdue", "meeting notes"];
  for (let from = 0; from < 40; from += 10) {
    const events = Array.from({ length: 10 }, (_, n) => ({
      ...(n % 5 === 4 ? {} : { id: `e${from + n}` }),
      ...(n % 7 === 6 ? {} : { ts: Date.UTC(2026, 0, 1 + ((from + n) % 28)) }),
      text: `${topics[(from + n) % topics.length]} TKT-${1000 + from + n} for site ${n}`,
      vector: [n / 10, 1 - n / 20],
      attributes: { team: n % 2 === 0 ? "north" : "south" },
    }));
    await append(plane.call, SOURCE, events);
  }
  await json(plane.call("DELETE", pathOf(SOURCE, `/events/${WITHDRAWN[0]}`)));
  await untilIndexed(plane.call, SOURCE);
  await json(plane.call("DELETE", pathOf(SOURCE, `/events/${WITHDRAWN[1]}`)));
  for (const content of ["<p>Refunds are never paid.</p>", PAGE]) {
    await json(plane.call("PUT", documentPath(SOURCE, "handbook"), content, { "content-type": "text/html" }), 201);
  }
  await json(
    plane.call("PUT", documentPath(SOURCE, "logo"), new Uint8Array([137, 80, 0, 255]), { "content-type": "image/png" }),
    201,
  );
}

function documentPath(entity: string, id: string): string {
  return pathOf(entity, `/documents/${id}`);
}

async function exported(entity: string, headers: Headers = {}): Promise<Uint8Array> {
  const response = await plane.call("GET", pathOf(entity, "/export"), undefined, headers);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/zip"]);
  return new Uint8Array(await response.arrayBuffer());
}

function importInto<T = Imported>(
  entity: string,
  archive: Uint8Array,
  headers: Headers = {},
  expected = 201,
): Promise<T> {
  const type = { "content-type": "application/zip", ...headers };
  return json<T>(plane.call("POST", pathOf(entity, "/import"), archive, type), expected);
}

/** What a reader sees, without what names the entity or where its lines lie. */
async function seen(entity: string, headers: Headers = {}): Promise<unknown> {
  const events = await json(plane.call("GET", pathOf(entity, "/events?limit=1000"), undefined, headers));
  const answers: unknown[] = [];
  for (const query of QUERIES) {
    const { hits } = await json<{ hits: { entity: string; citation: unknown }[] }>(
      plane.call("POST", pathOf(entity, "/search"), query, headers),
    );
    expect(hits.length).toBeGreaterThan(0);
    for (const hit of hits) expect(hit.entity).toBe(entity);
    answers.push(hits.map(({ entity: _, citation: __, ...hit }) => hit));
  }
  const page = await plane.call("GET", documentPath(entity, "handbook"), undefined, headers);
  const logo = await plane.call("GET", documentPath(entity, "logo"), undefined, headers);
  return { events, answers, page: await page.text(), logo: [...new Uint8Array(await logo.arrayBuffer())] };
}

async function expectNothing(entity: string): Promise<void> {
  expect((await plane.call("GET", pathOf(entity))).status).toBe(404);
  expect(await json(plane.call("GET", pathOf(entity, "/events")))).toEqual({ events: [], next_cursor: null });
  expect((await plane.call("GET", documentPath(entity, "handbook"))).status).toBe(404);
}

function flippedAt(bytes: Uint8Array, place: number): Uint8Array {
  const flipped = Uint8Array.from(bytes);
  flipped[place] = (flipped[place] ?? 0) ^ 0x10;
  return flipped;
}

interface Manifest {
  readonly entity: string;
  readonly events: number;
  readonly segments: readonly { readonly lines: number }[];
  readonly blobs: readonly { readonly sha256: string }[];
}

describe("an export", () => {
  test("holds every line of the log, every document, and a manifest of both", async () => {
    const files = unzipSync(await exported(SOURCE));
    const manifest = JSON.parse(new TextDecoder().decode(files["manifest.json"])) as Manifest;
    const names = Object.keys(files);
    const segments = names.filter((name) => /^segments\/\d+\.jsonl$/.test(name));
    const blobs = names.filter((name) => name.startsWith("blobs/"));
    expect(names.length).toBe(segments.length + blobs.length + 1);
    expect(manifest.entity).toBe(SOURCE);
    expect(blobs.toSorted()).toEqual(manifest.blobs.map(({ sha256 }) => `blobs/${sha256}`).toSorted());
    expect(blobs).toHaveLength(3);
    const lines = segments.flatMap((name) => new TextDecoder().decode(files[name]).trimEnd().split("\n"));
    expect(lines).toHaveLength(manifest.events);
    const ids = new Set(lines.map((line) => (JSON.parse(line) as { id: string }).id));
    for (const id of WITHDRAWN) expect(ids).toContain(id);
    expect(lines.filter((line) => line.includes('"kind":"tombstone"'))).toHaveLength(WITHDRAWN.length + 1);
  });

  test("of the same log is the same bytes", async () => {
    const [one, two] = [await exported(SOURCE), await exported(SOURCE)];
    expect(Buffer.compare(one, two)).toBe(0);
  });
});

describe("an import", () => {
  test.each([
    ["another entity", "account:copy", null],
    ["the same name in another tenant", SOURCE, "archive-other"],
  ])(
    "into %s gives the same timeline, hits and documents, before and after it is indexed",
    async (_, entity, tenant) => {
      const headers = tenant === null ? {} : await newKey(plane.call, tenant);
      const { events } = await status(plane.call, SOURCE);
      const imported = await importInto(entity, await exported(SOURCE), headers);
      expect(imported).toMatchObject({ duplicates: 0, conflicts: [], token: expect.any(String) });
      expect(imported.accepted).toBeGreaterThan(events);
      const original = await seen(SOURCE);
      expect(await seen(entity, headers)).toEqual(original);
      for (const id of WITHDRAWN) {
        expect((await plane.call("GET", pathOf(entity, `/events/${id}`), undefined, headers)).status).toBe(404);
      }
      await untilIndexed((method, path, body) => plane.call(method, path, body, headers), entity);
      expect(await seen(entity, headers)).toEqual(original);
    },
  );

  test("that is repeated changes nothing, nor does one of an entity into itself", async () => {
    const archive = await exported(SOURCE);
    const first = await importInto("account:twice", archive);
    await untilIndexed(plane.call, "account:twice");
    for (const entity of ["account:twice", SOURCE]) {
      const before = [await seen(entity), (await status(plane.call, entity)).commits];
      const again = await importInto(entity, archive);
      expect(again).toMatchObject({ accepted: 0, duplicates: first.accepted, conflicts: [] });
      expect([await seen(entity), (await status(plane.call, entity)).commits]).toEqual(before);
    }
  });

  test("adds to what is there, and names the ids that are taken by something else", async () => {
    const entity = "account:taken";
    await append(plane.call, entity, [{ id: "e0", text: "something of its own" }, { id: "mine" }]);
    const imported = await importInto(entity, await exported(SOURCE));
    expect(imported.conflicts).toEqual(["e0"]);
    expect(await json(plane.call("GET", pathOf(entity, "/events/e0")))).toMatchObject({ text: "something of its own" });
    expect((await plane.call("GET", pathOf(entity, "/events/mine"))).status).toBe(200);
  });

  test("of an import's export is the first one again", async () => {
    await importInto("account:first-copy", await exported(SOURCE));
    await importInto("account:second-copy", await exported("account:first-copy"));
    expect(await seen("account:second-copy")).toEqual(await seen(SOURCE));
  });
});

describe("an archive that is refused", () => {
  interface Problem {
    readonly code: string;
    readonly errors: readonly { readonly path: string }[];
  }

  test("for a flipped byte in any of its files names the file, and nothing of it is imported", async () => {
    const files = unzipSync(await exported(SOURCE));
    for (const name of Object.keys(files).filter((each) => each !== "manifest.json")) {
      const whole = files[name] ?? new Uint8Array(0);
      const bytes = flippedAt(whole, whole.length >> 1);
      const entity = `broken:${name}`;
      const problem = await importInto<Problem>(entity, zipSync({ ...files, [name]: bytes }), {}, 422);
      expect(problem).toMatchObject({ code: "unprocessable", errors: [{ path: name }] });
      await expectNothing(entity);
    }
  });

  test("for a flipped byte of what the zip has compressed imports nothing", async () => {
    const archive = await exported(SOURCE);
    // The first file is the log's, compressed right after its header.
    for (const at of [120, 300, 500]) {
      const entity = `flipped:${at}`;
      expect(await importInto<Problem>(entity, flippedAt(archive, at), {}, 422)).toMatchObject({
        code: "unprocessable",
      });
      await expectNothing(entity);
    }
  });

  test("for a flipped byte anywhere imports nothing, unless it is one that no file depends on", async () => {
    const archive = await exported(SOURCE);
    const original = await seen(SOURCE);
    let refused = 0;
    const flips = 12;
    for (let n = 0; n < flips; n += 1) {
      const entity = `flip:${n}`;
      const flipped = flippedAt(archive, Math.floor((archive.length * (n + 0.5)) / flips));
      const type = { "content-type": "application/zip" };
      const response = await plane.call("POST", pathOf(entity, "/import"), flipped, type);
      await response.arrayBuffer();
      if (response.status === 201) expect(await seen(entity)).toEqual(original);
      else {
        expect([n, response.status]).toEqual([n, 422]);
        await expectNothing(entity);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(flips / 2);
  });

  test("for a file that is missing, or one that is not listed, names it", async () => {
    const files = unzipSync(await exported(SOURCE));
    const [segment = ""] = Object.keys(files).filter((name) => name.startsWith("segments/"));
    const { [segment]: _, ...without } = files;
    for (const [name, archive] of [
      [segment, without],
      ["manifest.json", { [segment]: files[segment] ?? new Uint8Array() }],
      ["extra.txt", { ...files, "extra.txt": new Uint8Array(3) }],
    ] as const) {
      const problem = await importInto<Problem>("broken:list", zipSync(archive), {}, 422);
      expect(problem.errors.map(({ path }) => path)).toEqual([name]);
    }
    await expectNothing("broken:list");
  });

  test("for not being a zip, for its type or for its size says so", async () => {
    const entity = "broken:form";
    for (const bytes of [new Uint8Array(0), new TextEncoder().encode("not a zip at all"), new Uint8Array(1_000)]) {
      expect(await importInto<Problem>(entity, bytes, {}, 422)).toMatchObject({ code: "unprocessable" });
    }
    await importInto(entity, await exported(SOURCE), { "content-type": "application/json" }, 415);
    const large = new Uint8Array(IMPORT_BYTES_MAX + 1);
    expect(await importInto<Problem>(entity, large, {}, 413)).toMatchObject({ code: "too_large" });
    await expectNothing(entity);
  });

  test("for the credential's scope is not read", async () => {
    const reader = await newKey(plane.call, "archive-reader", { scopes: ["read"], tier: "T1" });
    await importInto("account:read-only", await exported(SOURCE), reader, 403);
  });
});
