import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DOCUMENT_BYTES_MAX } from "../../core/limits.ts";
import { bootTestRuntime, type TestRuntime } from "../runtime/boot.ts";
import { json, pathOf, search, status, timeline, untilIndexed } from "./plane.ts";
import { newKey } from "./tenants.ts";

let plane: TestRuntime;
beforeAll(async () => {
  plane = await bootTestRuntime();
});
afterAll(() => plane.close());

type Headers = Readonly<Record<string, string>>;
type Bytes = Uint8Array;

interface Put {
  readonly accepted: number;
  readonly duplicates: number;
  readonly event_ids: readonly string[];
  readonly searchable: boolean;
}

function documentPath(entity: string, id: string): string {
  return pathOf(entity, `/documents/${encodeURIComponent(id)}`);
}

function put(entity: string, id: string, type: string, content: string | Bytes, headers: Headers = {}): Promise<Put> {
  return json<Put>(plane.call("PUT", documentPath(entity, id), content, { "content-type": type, ...headers }), 201);
}

async function got(entity: string, id: string, headers: Headers = {}): Promise<{ type: string | null; bytes: Bytes }> {
  const response = await plane.call("GET", documentPath(entity, id), undefined, headers);
  expect(response.status).toBe(200);
  return { type: response.headers.get("content-type"), bytes: new Uint8Array(await response.arrayBuffer()) };
}

async function found(entity: string, text: string): Promise<readonly string[]> {
  const answer = await search(plane.call, entity, { text, mode: "text", top_k: 50 });
  return [...new Set(answer.hits.map(({ id }) => id))];
}

interface Listed {
  readonly id: string;
  readonly kind: string;
  readonly text?: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

async function listed(entity: string): Promise<readonly Listed[]> {
  return (await json<{ events: Listed[] }>(plane.call("GET", pathOf(entity, "/events?kind=document")))).events;
}

const text = (bytes: Bytes) => new TextDecoder().decode(bytes);
const sha256 = (bytes: Bytes) => createHash("sha256").update(bytes).digest("hex");
/** Every byte there is, over and over. */
const allBytes = (length: number): Bytes => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff);

describe("a document's bytes and type", () => {
  test.each([
    ["application/octet-stream", allBytes(70_000)],
    ["Text/HTML; Charset=UTF-8", new TextEncoder().encode("<p>r\u00e9sum\u00e9</p>\r\n")],
    ['application/x-thing; a="b; c"; v=1', allBytes(300)],
    ["text/plain", new Uint8Array(0)],
  ])("%s come back unchanged", async (type, bytes) => {
    const entity = "kb:bytes";
    const id = `a/b %\u20ac ${type}`;
    await put(entity, id, type, bytes);
    const back = await got(entity, id);
    expect(back.type).toBe(type);
    expect(sha256(back.bytes)).toBe(sha256(bytes));
  });

  test("are never run by a browser that is sent there", async () => {
    await put("kb:bytes", "page", "text/html", "<script>alert(1)</script>");
    const { headers } = await plane.call("GET", documentPath("kb:bytes", "page"));
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toContain("sandbox");
  });
});

describe("a document's text", () => {
  test.each([
    ["text/plain", "the quokka sleeps", "quokka"],
    [
      "text/html; charset=utf-8",
      "<html><head><title>hidden</title></head><body><p>the num<b>bat</b></p></body>",
      "numbat",
    ],
    ["text/markdown", "# Wombats\n\nA *wombat* digs.", "wombat"],
    ["application/json", '{"animal":"potoroo","legs":4}', "potoroo"],
    ["TEXT/CSV; header=present", "name,legs\nbandicoot,4\n", "bandicoot"],
    ["text/plain; charset=us-ascii", "a bilby", "bilby"],
    ['text/plain; charset="UTF-8"', "ein K\u00e4nguru", "k\u00e4nguru"],
  ])("%s is searchable", async (type, content, word) => {
    const entity = "kb:animals";
    const { searchable, event_ids } = await put(entity, type, type, content);
    expect(searchable).toBe(true);
    expect(await found(entity, word)).toEqual(event_ids);
  });

  test.each([
    ["image/png", allBytes(500)],
    ["text/plain; charset=iso-8859-1", new TextEncoder().encode("a dingo, in ASCII all the same")],
    ["text/plain; charset=utf-16le", new Uint8Array([0x64, 0, 0x69, 0])],
    ["text/plain", new Uint8Array([0x64, 0xff, 0xfe])],
  ])("%s is kept, listed, and said to be unsearchable", async (type, bytes) => {
    const entity = "kb:opaque";
    const written = await put(entity, type, type, bytes);
    expect(written.searchable).toBe(false);
    expect((await got(entity, type)).type).toBe(type);
    const [id] = written.event_ids;
    const event = (await listed(entity)).find((candidate) => candidate.id === id);
    expect(event).not.toHaveProperty("text");
    expect(event?.attributes).toMatchObject({
      document: type,
      content_type: type,
      media_type: type.split(";")[0],
      bytes: bytes.length,
      sha256: sha256(bytes),
      searchable: false,
    });
    expect(await found(entity, "dingo")).toEqual([]);
  });

  test("of 300 KB becomes several events, and all its parts are found", async () => {
    const entity = "kb:long";
    const paragraph = (n: number) => `Paragraph ${n} of marker${n} tells a tale of no importance whatever. `.repeat(3);
    const content = Array.from({ length: 1_500 }, (_, n) => paragraph(n)).join("\n\n");
    expect(content.length).toBeGreaterThan(300_000);
    const { event_ids, searchable } = await put(entity, "tale", "text/plain", content);
    expect(searchable).toBe(true);
    expect(event_ids.length).toBeGreaterThan(1);
    expect((await listed(entity)).map((event) => event.text).join("")).toBe(content);
    const check = async () => {
      const holders = new Set<string>();
      for (const n of [0, 1, 399, 400, 700, 1_000, 1_499]) {
        const [holder, ...others] = await found(entity, `marker${n}`);
        expect({ n, others, known: event_ids.includes(holder ?? "") }).toEqual({ n, others: [], known: true });
        holders.add(holder ?? "");
      }
      expect(holders.size).toBe(event_ids.length);
    };
    await check();
    await untilIndexed(plane.call, entity);
    await check();
    expect(text((await got(entity, "tale")).bytes)).toBe(content);
  });
});

describe("versions of a document", () => {
  const entity = "kb:versions";

  test("replace each other in search, in the list and in what is read back; also back to an older one", async () => {
    const contents = ["the first says alpha", "the second says beta", "the first says alpha"] as const;
    const ids = new Set<string>();
    for (const content of contents) {
      const { event_ids } = await put(entity, "note", "text/plain", content);
      for (const id of event_ids) ids.add(id);
      expect(text((await got(entity, "note")).bytes)).toBe(content);
      expect(await found(entity, content)).toEqual(event_ids);
      expect((await listed(entity)).map(({ id }) => id)).toEqual(event_ids);
    }
    expect(ids.size).toBe(contents.length);
    expect(await found(entity, "beta")).toEqual([]);
    expect((await status(plane.call, entity)).events).toBe(1);
  });

  test("of the same bytes are one", async () => {
    const first = await put(entity, "same", "text/plain", "gamma");
    const before = await status(plane.call, entity);
    const second = await put(entity, "same", "text/plain", "gamma");
    expect(second).toMatchObject({ accepted: 0, duplicates: 1, event_ids: first.event_ids });
    expect(await found(entity, "gamma")).toEqual(first.event_ids);
    expect(await status(plane.call, entity)).toMatchObject({ events: before.events, commits: before.commits });
  });

  test("of the same bytes as another type are two", async () => {
    await put(entity, "retyped", "text/plain", "<i>delta</i>");
    await put(entity, "retyped", "text/html", "<i>delta</i>");
    expect((await got(entity, "retyped")).type).toBe("text/html");
    const answer = await json<{ hits: { text: string }[] }>(
      plane.call("POST", pathOf(entity, "/search"), { text: "delta", mode: "text" }),
    );
    expect(answer.hits.map((hit) => hit.text)).toEqual(["delta"]);
  });

  test("that shrink leave no part of the longer one", async () => {
    const long = Array.from({ length: 30_000 }, (_, n) => `epsilon${n}`).join(" ");
    expect((await put(entity, "shrinking", "text/plain", long)).event_ids.length).toBeGreaterThan(1);
    const short = await put(entity, "shrinking", "text/plain", "zeta");
    expect(await found(entity, "epsilon29999 epsilon0")).toEqual([]);
    const events = (await listed(entity)).filter(({ attributes }) => attributes.document === "shrinking");
    expect(events.map(({ id }) => id)).toEqual(short.event_ids);
  });

  test("that were withdrawn are not there, until they are put again, however often", async () => {
    const ids = new Set<string>();
    for (let n = 1; n <= 3; n += 1) {
      const { event_ids } = await put(entity, "gone", "text/plain", "eta");
      expect(text((await got(entity, "gone")).bytes)).toBe("eta");
      expect(await found(entity, "eta")).toEqual(event_ids);
      for (const id of event_ids) {
        ids.add(id);
        await json(plane.call("DELETE", pathOf(entity, `/events/${encodeURIComponent(id)}`)));
      }
      expect(ids.size).toBe(n);
      expect((await plane.call("GET", documentPath(entity, "gone"))).status).toBe(404);
      expect(await found(entity, "eta")).toEqual([]);
    }
  });

  test("that lost a part are whole again when they are put again", async () => {
    const content = Array.from({ length: 30_000 }, (_, n) => `theta${n}`).join("\n");
    const { event_ids } = await put(entity, "torn", "text/plain", content);
    await json(plane.call("DELETE", pathOf(entity, `/events/${encodeURIComponent(event_ids[0] ?? "")}`)));
    expect(await found(entity, "theta1")).toEqual([]);
    const again = await put(entity, "torn", "text/plain", content);
    const events = (await listed(entity)).filter(({ attributes }) => attributes.document === "torn");
    expect(events.map((event) => event.text).join("")).toBe(content);
    expect(await found(entity, "theta1")).toEqual([again.event_ids[0]]);
  });
});

describe("the largest document", () => {
  test("is taken and given back, and one byte more is refused", async () => {
    const entity = "kb:large";
    const bytes = allBytes(DOCUMENT_BYTES_MAX);
    expect((await put(entity, "most", "application/octet-stream", bytes)).searchable).toBe(false);
    expect(sha256((await got(entity, "most")).bytes)).toBe(sha256(bytes));
    const more = plane.call("PUT", documentPath(entity, "more"), allBytes(DOCUMENT_BYTES_MAX + 1));
    expect(await json<object>(more, 413)).toMatchObject({ code: "too_large" });
    expect((await plane.call("GET", documentPath(entity, "more"))).status).toBe(404);
    expect(await timeline(plane.call, entity)).toHaveLength(1);
  });

  test("of text is searched to its end, as are its versions, and no part of an older one is left", async () => {
    const line = (n: number) => `line ${n} of a long tale that goes on and on and says little that is new\n`;
    const most = (last: string) => {
      let content = "";
      for (let n = 0; content.length < DOCUMENT_BYTES_MAX; n += 1) content += line(n);
      return content.slice(0, DOCUMENT_BYTES_MAX - last.length) + last;
    };
    const first = most(" omegafirst");
    expect(new TextEncoder().encode(first).length).toBe(DOCUMENT_BYTES_MAX);
    const { accepted, event_ids, searchable } = await put("kb:longest", "tale", "text/plain", first);
    expect([accepted, searchable]).toEqual([event_ids.length, true]);
    expect(await found("kb:longest", "omegafirst")).toEqual(event_ids.slice(-1));
    const again = await put("kb:longest", "tale", "text/plain", first);
    expect([again.accepted, again.duplicates]).toEqual([0, event_ids.length]);
    const second = await put("kb:longest", "tale", "text/plain", most(" omegasecond"));
    expect(await found("kb:longest", "omegasecond")).toEqual(second.event_ids.slice(-1));
    expect(await found("kb:longest", "omegafirst")).toEqual([]);
    await untilIndexed(plane.call, "kb:longest");
    expect(await found("kb:longest", "omegasecond")).toEqual(second.event_ids.slice(-1));
  });

  test("of text that JSON would blow up is kept all the same, and said to be unsearchable", async () => {
    const bytes = new Uint8Array(DOCUMENT_BYTES_MAX).fill(1);
    expect((await put("kb:large", "controls", "text/plain", bytes)).searchable).toBe(false);
    expect(sha256((await got("kb:large", "controls")).bytes)).toBe(sha256(bytes));
  });
});

describe("documents of two tenants", () => {
  test("of one name have nothing to do with each other", async () => {
    const entity = "kb:shared-name";
    const [one, two] = await Promise.all([newKey(plane.call, "documents-one"), newKey(plane.call, "documents-two")]);
    await put(entity, "plan", "text/plain", "theta of one", one);
    expect((await plane.call("GET", documentPath(entity, "plan"), undefined, two)).status).toBe(404);
    await put(entity, "plan", "text/plain", "theta of two", two);
    expect(text((await got(entity, "plan", one)).bytes)).toBe("theta of one");
    expect(text((await got(entity, "plan", two)).bytes)).toBe("theta of two");
  });
});
