/** What every object store must do. One suite, run over each adapter; keys of a case lie in a tenant of their own. */
import { describe, expect, it } from "vitest";
import { STORE_LIST_MAX } from "../../core/limits.ts";
import type { ObjectStore, TenantStore } from "../../core/ports.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

const KEYS_OUTSIDE = [
  "../b/secret",
  "a/../../b",
  "/secret",
  "a//b",
  "./a",
  "a/.",
  "..",
  ".",
  "",
  "a/",
  "a\\..\\b",
  "ä",
  "a b",
  "a\n",
];

export function objectStoreContract(name: string, open: () => Promise<ObjectStore>): void {
  let tenants = 0;
  const fresh = async (): Promise<TenantStore> => (await open()).forTenant(`t${++tenants}`);

  describe(`${name} keeps to the object store contract`, () => {
    it("gives back the bytes and the metadata that were put", async () => {
      const store = await fresh();
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const metadata = { sha256: "ab", note: "größe – 大小 🙂", empty: "" };
      await store.put("a/b.bin", bytes, metadata);
      expect(await store.get("a/b.bin")).toEqual({ bytes, metadata });
      await store.put("a/plain", new Uint8Array(0));
      expect(await store.get("a/plain")).toEqual({ bytes: new Uint8Array(0), metadata: {} });
    });

    it("answers null for what is not there", async () => {
      const store = await fresh();
      expect(await store.get("nothing")).toBeNull();
      expect(await store.getRange("nothing", 0, 1)).toBeNull();
      expect(await store.list("")).toEqual({ objects: [], cursor: null });
      expect(await store.folders("")).toEqual({ names: [], cursor: null });
      await store.delete(["nothing"]);
      await store.delete([]);
    });

    it("keeps its own copy of what it was given and gives copies out", async () => {
      const store = await fresh();
      const given = bytesOf("before");
      await store.put("copy", given);
      given.fill(0);
      (await store.get("copy"))?.bytes.fill(0);
      (await store.getRange("copy", 0, 6))?.fill(0);
      expect((await store.get("copy"))?.bytes).toEqual(bytesOf("before"));
    });

    it("overwrites on put and leaves the first object on create", async () => {
      const store = await fresh();
      await store.put("put", bytesOf("1"), { n: "1" });
      await store.put("put", bytesOf("2"));
      expect(await store.get("put")).toEqual({ bytes: bytesOf("2"), metadata: {} });
      expect(await store.create("made", bytesOf("1"), { n: "1" })).toBe(true);
      expect(await store.create("made", bytesOf("2"), { n: "2" })).toBe(false);
      expect(await store.get("made")).toEqual({ bytes: bytesOf("1"), metadata: { n: "1" } });
      await store.delete(["made"]);
      expect(await store.create("made", bytesOf("3"))).toBe(true);
    });

    it("lets exactly one of twenty racing creators win, and keeps what that one wrote", async () => {
      const store = await fresh();
      const won = await Promise.all(Array.from({ length: 20 }, (_, i) => store.create("race", Uint8Array.of(i))));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect((await store.get("race"))?.bytes).toEqual(Uint8Array.of(won.indexOf(true)));
    });

    it("reads ranges, cut at the object's end, and refuses one that begins beyond it", async () => {
      const store = await fresh();
      await store.put("range", bytesOf("0123456789"));
      expect(await store.getRange("range", 0, 1)).toEqual(bytesOf("0"));
      expect(await store.getRange("range", 3, 4)).toEqual(bytesOf("3456"));
      expect(await store.getRange("range", 8, 100)).toEqual(bytesOf("89"));
      await expect(store.getRange("range", 10, 1)).rejects.toThrow();
      await expect(store.getRange("range", -1, 1)).rejects.toThrow();
      await expect(store.getRange("range", 0, 0)).rejects.toThrow();
    });

    it("lists keys of a prefix in byte order with their sizes", async () => {
      const store = await fresh();
      const keys = ["b", "a/2", "a/10", "a/1", "A", "a.x", "a/%41", "a~"];
      for (const key of keys) await store.put(key, bytesOf(key));
      const all = await store.list("");
      expect(all.objects).toEqual(keys.sort().map((key) => ({ key, bytes: key.length })));
      expect((await store.list("a/1")).objects.map(({ key }) => key)).toEqual(["a/1", "a/10"]);
      expect((await store.list("a/")).objects.map(({ key }) => key)).toEqual(["a/%41", "a/1", "a/10", "a/2"]);
    });

    it("keeps keys apart whatever characters they have", async () => {
      const store = await fresh();
      const visible = Array.from({ length: 94 }, (_, at) => String.fromCharCode(0x21 + at)).filter((c) => c !== "\\");
      const keys = [visible.join(""), "%2F", "%252F", "a/%2e", "a+b", "a%20b", "x&amp;y", "x&y", "Account", "account"];
      for (const key of keys)
        expect(await store.create(key, bytesOf(key), { key_bytes: String(key.length) })).toBe(true);
      for (const key of keys) expect((await store.get(key))?.bytes).toEqual(bytesOf(key));
      expect((await store.list("")).objects).toEqual(keys.sort().map((key) => ({ key, bytes: key.length })));
      await store.delete(keys.slice(1));
      expect((await store.list("")).objects.map(({ key }) => key)).toEqual(keys.slice(0, 1));
    });

    it("names the folders below a prefix, once each, and no objects", async () => {
      const store = await fresh();
      for (const key of ["e/a/1", "e/a/2", "e/b/x/y", "e/%2E/1", "e/plain", "f/z"]) await store.put(key, bytesOf(key));
      expect(await store.folders("e/")).toEqual({ names: ["%2E", "a", "b"], cursor: null });
      expect(await store.folders("")).toEqual({ names: ["e", "f"], cursor: null });
      expect(await store.folders("e/a/")).toEqual({ names: [], cursor: null });
      await expect(store.folders("e")).rejects.toThrow();
    });

    it("pages through more keys and folders than one list takes, and deletes as many", {
      timeout: 60_000,
    }, async () => {
      const store = await fresh();
      const count = STORE_LIST_MAX + 5;
      const keys = Array.from({ length: count }, (_, i) => `page/${String(i).padStart(5, "0")}/x`);
      for (let from = 0; from < count; from += 50) {
        await Promise.all(keys.slice(from, from + 50).map((key) => store.put(key, bytesOf("x"))));
      }
      const listed = await everyPage((cursor) =>
        store
          .list("page/", cursor)
          .then((page) => ({ items: page.objects.map(({ key }) => key), cursor: page.cursor })),
      );
      expect(listed.pages).toBeGreaterThan(1);
      expect(listed.items).toEqual(keys);
      const folders = await everyPage((cursor) =>
        store.folders("page/", cursor).then((page) => ({ items: page.names, cursor: page.cursor })),
      );
      expect(folders.items).toEqual(keys.map((key) => key.split("/")[1]));
      await store.delete(keys);
      expect(await store.list("page/")).toEqual({ objects: [], cursor: null });
    });

    it("shows no tenant the objects of another, nor the system's", async () => {
      const objects = await open();
      const [a, b, system] = [objects.forTenant("iso"), objects.forTenant("iso-b"), objects.system()];
      await a.put("k", bytesOf("a"));
      await system.put("k", bytesOf("system"));
      expect(await b.get("k")).toBeNull();
      expect((await b.list("")).objects).toEqual([]);
      expect(await b.create("k", bytesOf("b"))).toBe(true);
      await b.delete(["k"]);
      expect((await a.get("k"))?.bytes).toEqual(bytesOf("a"));
      expect((await system.get("k"))?.bytes).toEqual(bytesOf("system"));
      expect(a.fullKey("k")).toBe("tenants/iso/k");
      expect(system.fullKey("k")).toBe("system/k");
      expect(() => objects.forTenant("../x")).toThrow();
      expect(() => objects.forTenant("")).toThrow();
    });

    it.each(KEYS_OUTSIDE)("refuses the key %j in every call", async (key) => {
      const store = await fresh();
      await expect(store.get(key)).rejects.toThrow();
      await expect(store.getRange(key, 0, 1)).rejects.toThrow();
      await expect(store.put(key, bytesOf("x"))).rejects.toThrow();
      await expect(store.create(key, bytesOf("x"))).rejects.toThrow();
      await expect(store.delete([key])).rejects.toThrow();
      expect(() => store.fullKey(key)).toThrow();
    });

    it.each(["../", "/", "a/../b", "a//"])("refuses the prefix %j", async (prefix) => {
      const store = await fresh();
      await expect(store.list(prefix)).rejects.toThrow();
      await expect(store.folders(prefix)).rejects.toThrow();
    });

    it("refuses metadata that no store would take", async () => {
      const store = await fresh();
      await expect(store.create("big", bytesOf("x"), { note: "ä".repeat(4_100) })).rejects.toThrow();
      expect(await store.get("big")).toBeNull();
    });
  });
}

async function everyPage(
  read: (cursor: string | null) => Promise<{ readonly items: readonly string[]; readonly cursor: string | null }>,
) {
  const items: string[] = [];
  let pages = 0;
  let cursor: string | null = null;
  do {
    const page = await read(cursor);
    items.push(...page.items);
    pages++;
    cursor = page.cursor;
  } while (cursor !== null);
  return { items, pages };
}
