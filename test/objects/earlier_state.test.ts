/** What an object wrote when every commit, and every copy of a shard, had rows of its own: it is read as it lies. */
import { describe, expect, test } from "vitest";
import { openPart } from "../../core/index/open_part.ts";
import { SQLITE_SHARD_PAGE_BYTES } from "../../core/limits.ts";
import type { EntityState } from "../../durable-objects/entity/state.ts";
import { blobOf, bytesOf, textOf } from "../../durable-objects/sql.ts";
import { EntityFixture } from "./entity_fixture.ts";

const EARLIER_TABLES = [
  "DROP TABLE state",
  "DROP TABLE tail",
  "DROP TABLE shard_copies",
  "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL)",
  "CREATE TABLE tail (commit_no INTEGER, page INTEGER, facts TEXT, bytes BLOB NOT NULL, PRIMARY KEY (commit_no, page)) WITHOUT ROWID",
  "CREATE TABLE shard_copies (sha256 TEXT PRIMARY KEY, dimensions INTEGER NOT NULL) WITHOUT ROWID",
];

/** Lays the state of a fixture as the earlier version did; `change` is made to its JSON. */
function layAsBefore(fixture: EntityFixture, change: (state: EntityState) => object = (state) => state): void {
  const ports = fixture.ports();
  const tail = [...ports.tables.tail.after(0)];
  const state = ports.tables.readState();
  if (state === null) throw new Error("there is no state to lay");
  const copies = state.head.shards.map(({ sha256, bytes }) => ({
    sha256,
    bytes: ports.tables.copies.range(sha256, 0, bytes),
    ids: ports.tables.copies.ids(sha256),
    dimensions: ports.tables.copies.dimensions(sha256),
  }));
  const { sql } = fixture;
  for (const statement of EARLIER_TABLES) sql.run(statement);
  sql.run("INSERT INTO state (id, json) VALUES (1, ?)", JSON.stringify(change(state)));
  for (const { facts, bytes } of tail) {
    const insert = "INSERT INTO tail (commit_no, page, facts, bytes) VALUES (?, 0, ?, ?)";
    sql.run(insert, facts.commit, JSON.stringify(facts), blobOf(bytes));
  }
  const page = "INSERT OR REPLACE INTO copy_pages (name, page, bytes) VALUES (?, ?, ?)";
  for (const { sha256, bytes, ids, dimensions } of copies) {
    sql.run("INSERT INTO shard_copies (sha256, dimensions) VALUES (?, ?)", sha256, dimensions);
    sql.run(page, `ids:${sha256}`, 0, blobOf(ids));
    for (let at = 0; at * SQLITE_SHARD_PAGE_BYTES < bytes.length; at += 1) {
      const slice = bytes.subarray(at * SQLITE_SHARD_PAGE_BYTES, (at + 1) * SQLITE_SHARD_PAGE_BYTES);
      sql.run(page, sha256, at, blobOf(slice));
    }
  }
  fixture.crash();
}

/** An entity with a shard, and a tail of two commits. */
async function written(): Promise<EntityFixture> {
  const fixture = new EntityFixture();
  await fixture.accept({ id: "a", text: "report a", vector: [1, 0] });
  await fixture.accept({ id: "b", text: "report b" });
  fixture.nowMs += fixture.settings.indexAgeMs;
  await fixture.index();
  await fixture.accept({ id: "c", text: "report c" });
  await fixture.accept({ id: "d", text: "report d" });
  return fixture;
}

describe("an object of the earlier version", () => {
  test("answers as it did, without asking the store", async () => {
    const fixture = await written();
    const before = await fixture.search({ text: "report", top_k: 10 });
    layAsBefore(fixture);
    fixture.calls.reset();
    expect((await fixture.search({ text: "report", top_k: 10 })).hits).toEqual(before.hits);
    expect(fixture.calls.count).toBe(0);
    expect(await fixture.accept({ id: "a" }, { id: "c" })).toMatchObject({ accepted: 0, duplicates: 2 });
    expect(await fixture.append([{ id: "v", vector: [1, 0, 0] }])).toMatchObject({ ok: false });
  });

  test("goes on: appends join its tail, an index takes all of it, and nothing of it stays behind", async () => {
    const fixture = await written();
    layAsBefore(fixture);
    expect(await fixture.accept({ id: "e", text: "report e" })).toMatchObject({ commit: 5 });
    fixture.crash();
    expect(await fixture.ids()).toEqual(["a", "b", "c", "d", "e"]);
    fixture.nowMs += fixture.settings.indexAgeMs;
    expect(await fixture.index()).toBe(1);
    fixture.crash();
    expect(await fixture.ids()).toEqual(["a", "b", "c", "d", "e"]);
    for (const table of ["tail", "copy_pages"]) expect(fixture.sql.run(`SELECT * FROM ${table}`)).toEqual([]);
  });

  test("keeps to the key of a put that it had begun, on whatever day it goes on", async () => {
    const fixture = await written();
    fixture.fault = "late";
    expect((await fixture.append([{ id: "unknown" }])).ok).toBe(false);
    fixture.fault = "none";
    layAsBefore(fixture, (state) => ({ ...state, intent: { ...state.intent, sha256: "of what was put" } }));
    fixture.nowMs += 3 * 86_400_000;
    await fixture.landLatePuts();
    expect(await fixture.accept({ id: "e" })).toMatchObject({ commit: 6 });
    expect(await fixture.ids()).toEqual(["a", "b", "c", "d", "unknown", "e"]);
  });

  test("takes over what it had marked, condemned and deleted", async () => {
    const fixture = await written();
    fixture.crash();
    fixture.sql.run("DROP TABLE garbage_pages");
    fixture.sql.run("CREATE TABLE garbage (key TEXT PRIMARY KEY, fate TEXT NOT NULL) WITHOUT ROWID");
    for (const fate of ["marked", "condemned", "deleted"])
      fixture.sql.run("INSERT INTO garbage (key, fate) VALUES (?, ?)", `it is ${fate}`, fate);
    for (let opened = 0; opened < 2; opened += 1) {
      const { garbage } = fixture.ports().tables;
      for (const fate of ["marked", "condemned", "deleted"]) expect(garbage.fateOf(`it is ${fate}`)).toBe(fate);
      expect(garbage.fateOf("it is not there")).toBeNull();
    }
  });

  test("keeps a copy that was laid in pages until its shard is replaced", async () => {
    const fixture = await written();
    layAsBefore(fixture);
    await fixture.ids();
    const [copy] = fixture.sql.run("SELECT sha256, bytes FROM shard_copies");
    expect(copy?.bytes).toBeNull();
    const pages = fixture.sql.run("SELECT bytes FROM copy_pages WHERE name = ? ORDER BY page", textOf(copy?.sha256));
    const file = Buffer.concat(pages.map((row) => bytesOf(row.bytes)));
    expect(openPart(new Uint8Array(file), fixture.ports()).ok).toBe(true);
  });
});
