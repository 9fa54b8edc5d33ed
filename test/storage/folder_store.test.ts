/** The folder adapter over the file system of this machine. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { folderStore } from "../../adapters/storage/folder_store.ts";
import { objectStoreContract } from "./object_store_contract.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "folder-store-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

objectStoreContract("a folder", async () => folderStore(folder));

const bytesOf = (text: string) => new TextEncoder().encode(text);
const filesOf = (tenant: string) => readdir(join(folder, "tenants", tenant));

describe("a folder", () => {
  it("keeps its objects for another process", async () => {
    await folderStore(folder).forTenant("kept").put("a/b", bytesOf("x"), { n: "1" });
    expect(await folderStore(folder).forTenant("kept").get("a/b")).toEqual({
      bytes: bytesOf("x"),
      metadata: { n: "1" },
    });
  });

  it("shows nothing of what was being written when the process ended", async () => {
    const store = folderStore(folder).forTenant("torn");
    await store.put("whole", bytesOf("x"));
    await writeFile(join(folder, "staging", "left-behind"), "half of it");
    expect((await store.list("")).objects).toEqual([{ key: "whole", bytes: 1 }]);
  });

  it("leaves nothing behind in staging, whether a create won or lost", async () => {
    const before = (await readdir(join(folder, "staging"))).length;
    const store = folderStore(folder).forTenant("clean");
    await store.create("a", bytesOf("1"));
    await store.create("a", bytesOf("2"));
    await store.put("a", bytesOf("3"));
    expect((await readdir(join(folder, "staging"))).length).toBe(before);
  });

  it("refuses a file that is cut short instead of giving out part of an object", async () => {
    const store = folderStore(folder).forTenant("cut");
    await store.put("a", bytesOf("x"));
    await writeFile(join(folder, "tenants", "cut", "a"), Uint8Array.of(255, 0, 0, 0, 123));
    await expect(store.get("a")).rejects.toThrow();
    await expect(store.list("")).rejects.toThrow();
  });

  it("names no two keys alike where letters' case is ignored, and no file longer than a file system takes", async () => {
    const segment = fc.string({ unit: fc.constantFrom(..."aAbB%=.~-_3"), minLength: 1, maxLength: 300 });
    const key = fc
      .array(segment, { minLength: 1, maxLength: 3 })
      .filter((segments) => segments.every((each) => each !== "." && each !== ".."))
      .map((segments) => segments.join("/"));
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(key, { minLength: 1, maxLength: 12 }), async (keys) => {
        const tenant = `names${++run}`;
        const store = folderStore(folder).forTenant(tenant);
        for (const each of keys) expect(await store.create(each, bytesOf(each))).toBe(true);
        const files = await filesOf(tenant);
        expect(new Set(files.map((file) => file.toLowerCase())).size).toBe(keys.length);
        expect(Math.max(...files.map((file) => file.length))).toBeLessThanOrEqual(255);
        const listed = (await store.list("")).objects;
        expect(listed).toEqual([...keys].sort().map((each) => ({ key: each, bytes: each.length })));
        for (const each of keys) expect((await store.get(each))?.bytes).toEqual(bytesOf(each));
      }),
      { numRuns: 30 },
    );
  });
});
