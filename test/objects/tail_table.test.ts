/** The tail as SQLite holds it, beside a map that holds the same. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TAIL_SHARED_BYTES_MAX, TAIL_SHARED_COMMIT_BYTES_MAX } from "../../core/limits.ts";
import { EntityTables } from "../../durable-objects/entity/entity_tables.ts";
import { newState, type TailCommit } from "../../durable-objects/entity/state.ts";
import type { StoredCommit } from "../../durable-objects/entity/tail_table.ts";
import type { Sql } from "../../durable-objects/sql.ts";
import { embeddedSql } from "./embedded_sql.ts";

const PAGE = 1024 * 1024;

function commitOf(commit: number, size: number, fill = commit): StoredCommit {
  const facts: TailCommit = {
    commit,
    segment: `entities/account%3Aacme/segments/2026/01/01/000001-${String(commit).padStart(12, "0")}.jsonl.zst`,
    sha256: "0".repeat(64),
    arrivalMs: commit,
    lines: 1,
    rawBytes: size,
    vectors: 0,
    dimensions: 0,
    vectorBytes: 0,
  };
  return { facts, bytes: new Uint8Array(size).fill(fill) };
}

/** As the log appends: with the state. */
function append(tables: EntityTables, commit: StoredCommit): void {
  tables.transaction(() => {
    tables.tail.append(commit);
    tables.writeState({ ...newState(1), last: commit.facts.commit });
  });
}

function expectHolds(tables: EntityTables, commits: readonly StoredCommit[], after = 0): void {
  const wanted = commits.filter(({ facts }) => facts.commit > after);
  expect(tables.tail.factsAfter(after)).toEqual(wanted.map(({ facts }) => facts));
  const held = [...tables.tail.after(after)];
  expect(held.map(({ facts }) => facts)).toEqual(wanted.map(({ facts }) => facts));
  for (const [at, { bytes }] of held.entries()) expect(Buffer.compare(bytes, wanted[at]?.bytes ?? bytes)).toBe(0);
}

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 2_000 }) },
  {
    weight: 2,
    arbitrary: fc.integer({ min: TAIL_SHARED_COMMIT_BYTES_MAX - 2, max: TAIL_SHARED_COMMIT_BYTES_MAX + 2 }),
  },
  { weight: 1, arbitrary: fc.integer({ min: PAGE - 1, max: PAGE + 1 }) },
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("append" as const), size }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("drop" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("replace" as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      size,
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("restart" as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("undo" as const), size }) },
);

describe("the tail", () => {
  test("holds what was appended and not dropped, with the bytes it was last given, whatever shares a row", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const sql = embeddedSql();
        let tables = new EntityTables(sql);
        let commits: readonly StoredCommit[] = [];
        let last = 0;
        for (const one of steps) {
          const chosen = "share" in one ? Math.floor(one.share * last) : 0;
          if (one.type === "append") {
            last += 1;
            const commit = commitOf(last, one.size);
            append(tables, commit);
            commits = [...commits, commit];
          } else if (one.type === "drop") {
            tables.transaction(() => tables.tail.drop(chosen));
            commits = commits.filter(({ facts }) => facts.commit > chosen);
          } else if (one.type === "replace" && commits.some(({ facts }) => facts.commit === chosen)) {
            const other = commitOf(chosen, one.size, chosen + 100);
            tables.transaction(() => tables.tail.put(other));
            commits = commits.map((commit) => (commit.facts.commit === chosen ? other : commit));
          } else if (one.type === "restart") {
            tables = new EntityTables(sql);
          } else if (one.type === "undo") {
            const undone = () =>
              tables.transaction(() => {
                tables.tail.append(commitOf(last + 1, one.size));
                throw new Error("undone");
              });
            expect(undone).toThrow("undone");
          }
        }
        expectHolds(tables, commits);
        expectHolds(new EntityTables(sql), commits, Math.floor(last / 2));
      }),
      { numRuns: 40 },
    );
  });

  test("takes a row for each append and one more for as many as fill it", () => {
    const { sql, written } = counting(embeddedSql());
    const tables = new EntityTables(sql);
    const commits = Array.from({ length: 200 }, (_, at) => commitOf(at + 1, 400));
    for (const commit of commits) append(tables, commit);
    const fillRow = Math.floor(TAIL_SHARED_BYTES_MAX / 800);
    expect(written()).toBeLessThanOrEqual(200 + Math.ceil(200 / fillRow));
    expectHolds(new EntityTables(sql), commits);
  });

  test("that is read while it is dropped ends where it is gone", () => {
    const tables = new EntityTables(embeddedSql());
    for (let commit = 1; commit <= 8; commit += 1) append(tables, commitOf(commit, TAIL_SHARED_COMMIT_BYTES_MAX + 1));
    const read: number[] = [];
    for (const { facts } of tables.tail.after(0)) {
      read.push(facts.commit);
      if (facts.commit === 3) tables.transaction(() => tables.tail.drop(5));
    }
    expect(read).toEqual([1, 2, 3]);
  });

  test("is not the log of the incarnation before when that was erased", () => {
    const tables = new EntityTables(embeddedSql());
    append(tables, commitOf(1, 10));
    tables.transaction(() => {
      tables.clear();
      tables.writeState(newState(2));
    });
    expectHolds(tables, []);
  });
});

/** Rows that statements wrote since the tables were made: each of ours writes one. */
function counting(inner: Sql): { readonly sql: Sql; written(): number } {
  let rows = 0;
  const sql: Sql = {
    run(statement, ...bindings) {
      if (/^(INSERT|UPDATE)/.test(statement)) rows += 1;
      return inner.run(statement, ...bindings);
    },
    transaction: (body) => inner.transaction(body),
  };
  return { sql, written: () => rows };
}
