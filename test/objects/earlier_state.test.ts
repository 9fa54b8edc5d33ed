/** What an object wrote when every commit had a row of its own, which is read as it lies, and copies other tables. */
import { describe, expect, test } from "vitest";
import type { EntityState } from "../../durable-objects/entity/state.ts";
import { blobOf } from "../../durable-objects/sql.ts";
import { EntityFixture } from "./entity_fixture.ts";

const EARLIER_TABLES = [
  "DROP TABLE state",
  "DROP TABLE tail",
  "DROP TABLE shards",
  "DROP TABLE shard_bytes",
  "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL)",
  "CREATE TABLE tail (commit_no INTEGER, page INTEGER, facts TEXT, bytes BLOB NOT NULL, PRIMARY KEY (commit_no, page)) WITHOUT ROWID",
  "CREATE TABLE shard_copies (sha256 TEXT PRIMARY KEY, dimensions INTEGER NOT NULL) WITHOUT ROWID",
  "CREATE TABLE copy_pages (name TEXT, page INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (name, page)) WITHOUT ROWID",
];

/** Lays the state of a fixture as the earlier version did; `change` is made to its JSON. */
function layAsBefore(fixture: EntityFixture, change: (state: EntityState) => object = (state) => state): void {
  const ports = fixture.ports();
  const tail = [...ports.tables.tail.after(0)];
  const state = ports.tables.readState();
  if (state === null) throw new Error("there is no state to lay");
  const { sql } = fixture;
  for (const statement of EARLIER_TABLES) sql.run(statement);
  sql.run("INSERT INTO state (id, json) VALUES (1, ?)", JSON.stringify(change(state)));
  for (const { facts, bytes } of tail) {
    const insert = "INSERT INTO tail (commit_no, page, facts, bytes) VALUES (?, 0, ?, ?)";
    sql.run(insert, facts.commit, JSON.stringify(facts), blobOf(bytes));
  }
  for (const { sha256 } of state.head.shards) {
    sql.run("INSERT INTO shard_copies (sha256, dimensions) VALUES (?, 2)", sha256);
    sql.run("INSERT INTO copy_pages (name, page, bytes) VALUES (?, 0, ?)", sha256, new ArrayBuffer(8));
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
  test("answers as it did, once it has its shard anew", async () => {
    const fixture = await written();
    const before = await fixture.search({ text: "report", top_k: 10 });
    layAsBefore(fixture);
    fixture.calls.reset();
    expect((await fixture.search({ text: "report", top_k: 10 })).hits).toEqual(before.hits);
    expect(fixture.calls.count).toBe(1);
    const left = "SELECT name FROM sqlite_master WHERE name IN ('shard_copies', 'copy_pages')";
    expect(fixture.sql.run(left)).toEqual([]);
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
    for (const table of ["tail", "shard_bytes"]) expect(fixture.sql.run(`SELECT * FROM ${table}`)).toEqual([]);
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
});
