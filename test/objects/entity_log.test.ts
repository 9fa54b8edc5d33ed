import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SEGMENT_DAY_GRACE_MS } from "../../core/limits.ts";
import type { AppendResult } from "../../core/rpc.ts";
import { EntityFixture, type Fault } from "./entity_fixture.ts";

/** The answer; where its time went is no part of it. */
function accepted(result: Awaited<ReturnType<EntityFixture["append"]>>): Omit<AppendResult, "times"> {
  if (!result.ok) throw new Error(result.failure.reason);
  const { times: _, ...answer } = result.value;
  return answer;
}

describe("group commit", () => {
  test("numbers commits 1, 2, 3 and gives each append its token", async () => {
    const fixture = new EntityFixture();
    const first = accepted(await fixture.append([{ text: "one" }]));
    const second = accepted(await fixture.append([{ text: "two" }]));
    expect([first.commit, second.commit]).toEqual([1, 2]);
    expect(first.token).not.toBe(second.token);
  });

  test("puts what waits together into one segment", async () => {
    const fixture = new EntityFixture();
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) => fixture.append([{ id: `e${n}`, text: `event ${n}` }])),
    );
    const commits = results.map((result) => accepted(result).commit);
    expect(Math.max(...commits)).toBeLessThanOrEqual(2);
    expect((await fixture.ids()).toSorted()).toEqual(Array.from({ length: 20 }, (_, n) => `e${n}`).toSorted());
  });

  test("names with token and commit the last of what it answers, also where all of it is elsewhere", async () => {
    const fixture = new EntityFixture();
    const old = accepted(await fixture.append([{ id: "old" }]));
    const put = fixture.calls.hold("create", "/segments/", "before");
    const waiting = [fixture.append([{ id: "first" }])];
    await put.reached;
    waiting.push(fixture.append([{ id: "new" }]), fixture.append([{ id: "old" }]));
    waiting.push(fixture.append([{ id: "old" }, { id: "new" }]));
    put.release();
    const [, added, again, both] = (await Promise.all(waiting)).map(accepted);
    expect(added).toMatchObject({ commit: 3, accepted: 1 });
    expect(again).toMatchObject({ commit: old.commit, token: old.token, accepted: 0 });
    expect(both).toMatchObject({ commit: 3, token: added?.token, segment: added?.segment, accepted: 0 });
  });

  test("answers 503 when the store refuses, and takes the retry once", async () => {
    const fixture = new EntityFixture();
    fixture.fault = "refused";
    const refused = await fixture.append([{ id: "a", text: "x" }]);
    expect(refused).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
    expect(await fixture.ids()).toEqual([]);
    fixture.fault = "none";
    expect(accepted(await fixture.append([{ id: "a", text: "x" }]))).toMatchObject({ commit: 1, accepted: 1 });
    expect(await fixture.ids()).toEqual(["a"]);
  });

  test("adopts a put whose answer was lost: the retry is a duplicate", async () => {
    const fixture = new EntityFixture();
    fixture.fault = "lost";
    expect((await fixture.append([{ id: "a", text: "x" }])).ok).toBe(false);
    fixture.fault = "none";
    expect(accepted(await fixture.append([{ id: "a", text: "x" }]))).toMatchObject({
      commit: 1,
      accepted: 1,
      duplicates: 0,
    });
    expect(await fixture.ids()).toEqual(["a"]);
  });

  test("adopts a put of other events that landed under the key, and goes on behind it", async () => {
    const fixture = new EntityFixture();
    fixture.fault = "lost";
    expect((await fixture.append([{ id: "a", text: "x" }])).ok).toBe(false);
    fixture.fault = "none";
    expect(accepted(await fixture.append([{ id: "b", text: "y" }]))).toMatchObject({ commit: 2, accepted: 1 });
    expect(await fixture.ids()).toEqual(["a", "b"]);
  });

  test("a late put cannot land over a commit that took its place", async () => {
    const fixture = new EntityFixture();
    fixture.fault = "late";
    expect((await fixture.append([{ id: "a", text: "x" }])).ok).toBe(false);
    fixture.fault = "none";
    accepted(await fixture.append([{ id: "b", text: "y" }]));
    await fixture.landLatePuts();
    fixture.loseState();
    expect(await fixture.ids()).toEqual(["b"]);
  });
});

describe("the key of the next put", () => {
  const DAY_MS = 86_400_000;
  const keyDays = async (fixture: EntityFixture) =>
    (await fixture.keys()).flatMap((key) => /segments\/(\d+\/\d+\/\d+)\//.exec(key)?.[1] ?? []);

  test("is in SQLite before it, and an append writes no row for it but on another day", async () => {
    const fixture = new EntityFixture();
    const rows: string[] = [];
    fixture.onStatement = (statement) => {
      if (/^(INSERT|UPDATE|DELETE)/.test(statement)) rows.push(statement);
    };
    const rowsOf = async (id: string) => {
      rows.length = 0;
      await fixture.accept({ id });
      return rows.length;
    };
    expect(await rowsOf("first")).toBe(2);
    expect(await rowsOf("second")).toBe(1);
    fixture.crash();
    expect(await rowsOf("third")).toBe(1);
    fixture.nowMs += DAY_MS + SEGMENT_DAY_GRACE_MS;
    expect(await rowsOf("tomorrow")).toBe(2);
    expect(await rowsOf("then")).toBe(1);
    expect(await keyDays(fixture)).toEqual([...Array(3).fill("2026/01/01"), ...Array(2).fill("2026/01/02")]);
  });

  test("is that of the day before for as long as a put of that day may be under way", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" });
    fixture.nowMs += DAY_MS + SEGMENT_DAY_GRACE_MS - 1;
    await fixture.accept({ id: "b" });
    fixture.nowMs += 1;
    await fixture.accept({ id: "c" });
    expect(await keyDays(fixture)).toEqual(["2026/01/01", "2026/01/01", "2026/01/02"]);
  });

  test("stays where an instance that ended has put, however many days later it is found", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" });
    await fixture.crashInPut({ id: "never told" });
    fixture.nowMs += 5 * DAY_MS;
    expect(await fixture.accept({ id: "b" })).toMatchObject({ commit: 3 });
    expect(await fixture.ids()).toEqual(["a", "never told", "b"]);
    expect(await keyDays(fixture)).toEqual(["2026/01/01", "2026/01/01", "2026/01/06"]);
  });

  test("stays while the outcome is unknown, however late the put lands", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" });
    fixture.fault = "late";
    expect((await fixture.append([{ id: "b" }])).ok).toBe(false);
    fixture.fault = "none";
    fixture.crash();
    fixture.nowMs += 5 * DAY_MS;
    await fixture.accept({ id: "c" });
    await fixture.landLatePuts();
    expect(await keyDays(fixture)).toEqual(["2026/01/01", "2026/01/01"]);
    fixture.loseState();
    expect(await fixture.ids()).toEqual(["a", "c"]);
  });

  test("is asked for again when the store does not say whether the old one is taken", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" });
    fixture.nowMs += 5 * DAY_MS;
    const down = fixture.calls.break("getRange", "/segments/", "before");
    expect(await fixture.append([{ id: "b" }])).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
    down.mend();
    await fixture.accept({ id: "b" });
    expect(await keyDays(fixture)).toEqual(["2026/01/01", "2026/01/06"]);
  });
});

describe("duplicates", () => {
  test("the first event with an id wins, and other content is a conflict", async () => {
    const fixture = new EntityFixture();
    accepted(await fixture.append([{ id: "a", text: "first" }]));
    fixture.nowMs += 5_000;
    expect(accepted(await fixture.append([{ id: "a", text: "first" }]))).toMatchObject({
      accepted: 0,
      duplicates: 1,
      conflicts: [],
    });
    expect(accepted(await fixture.append([{ id: "a", text: "second" }]))).toMatchObject({
      accepted: 0,
      duplicates: 1,
      conflicts: ["a"],
    });
    const event = await fixture.entity.reader.event("a");
    expect(event).toMatchObject({ ok: true, value: { event: { text: "first" } } });
  });

  test("equal events without an id are one, in one request and over two", async () => {
    const fixture = new EntityFixture();
    expect(accepted(await fixture.append([{ text: "same" }, { text: "same" }]))).toMatchObject({
      accepted: 1,
      duplicates: 1,
    });
    expect(accepted(await fixture.append([{ text: "same" }]))).toMatchObject({ accepted: 0, duplicates: 1, commit: 1 });
  });

  test("are found in shards as in the tail", async () => {
    const fixture = new EntityFixture();
    accepted(await fixture.append([{ id: "a", text: "first" }]));
    fixture.nowMs += 2_000;
    expect(await fixture.index()).toBe(1);
    fixture.crash();
    expect(
      accepted(
        await fixture.append([
          { id: "a", text: "other" },
          { id: "b", text: "new" },
        ]),
      ),
    ).toMatchObject({
      accepted: 1,
      duplicates: 1,
      conflicts: ["a"],
      commit: 2,
    });
  });

  test("ten equal batches at once are accepted once", async () => {
    const fixture = new EntityFixture();
    const batch = [
      { id: "a", text: "x" },
      { id: "b", text: "y" },
    ];
    const results = await Promise.all(Array.from({ length: 10 }, () => fixture.append(batch)));
    expect(results.map((result) => accepted(result).accepted).toSorted()).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    expect(await fixture.ids()).toEqual(["a", "b"]);
  });
});

describe("idempotency keys", () => {
  const key = { key: "k", bodyDigest: "d1" };

  test("the same key and body give the same answer, at once and after a crash", async () => {
    const fixture = new EntityFixture();
    const results = await Promise.all(Array.from({ length: 5 }, () => fixture.append([{ text: "x" }], key)));
    const [first, ...others] = results.map(accepted);
    for (const other of others) expect(other).toEqual(first);
    fixture.crash();
    expect(accepted(await fixture.append([{ text: "x" }], key))).toEqual(first);
  });

  test("the same key with another body is a conflict and changes nothing", async () => {
    const fixture = new EntityFixture();
    accepted(await fixture.append([{ id: "a" }], key));
    const other = await fixture.append([{ id: "b" }], { key: "k", bodyDigest: "d2" });
    expect(other).toMatchObject({ ok: false, failure: { reason: "conflict" } });
    expect(await fixture.ids()).toEqual(["a"]);
  });
});

describe("vectors", () => {
  test("another dimension is refused, before and after indexing", async () => {
    const fixture = new EntityFixture();
    accepted(await fixture.append([{ id: "a", vector: [1, 0, 0] }]));
    expect(await fixture.append([{ id: "b", vector: [1, 0] }])).toMatchObject({
      ok: false,
      failure: { reason: "unprocessable" },
    });
    fixture.nowMs += 2_000;
    await fixture.index();
    fixture.loseState();
    expect(await fixture.append([{ id: "b", vector: [1, 0] }])).toMatchObject({
      ok: false,
      failure: { reason: "unprocessable" },
    });
  });
});

describe("recovery", () => {
  test("an object that lost its state finds log and shards again", async () => {
    const fixture = new EntityFixture();
    for (const id of ["a", "b", "c"]) accepted(await fixture.append([{ id, text: `text ${id}` }]));
    fixture.nowMs += 2_000;
    await fixture.index();
    accepted(await fixture.append([{ id: "d", text: "text d" }]));
    fixture.loseState();
    expect(await fixture.ids()).toEqual(["a", "b", "c", "d"]);
    expect(accepted(await fixture.append([{ id: "e" }])).commit).toBe(5);
  });

  test("with heads and shards gone too, the log alone is enough", async () => {
    const fixture = new EntityFixture();
    for (const id of ["a", "b", "c"]) accepted(await fixture.append([{ id, text: `text ${id}` }]));
    fixture.nowMs += 2_000;
    await fixture.index();
    const page = await fixture.store.list("entities/");
    await fixture.store.delete(page.objects.map(({ key }) => key).filter((key) => !key.includes("/segments/")));
    fixture.loseState();
    expect(await fixture.ids()).toEqual(["a", "b", "c"]);
  });

  test("whatever fails and crashes, every acknowledged event is there once", async () => {
    const fault = fc.constantFrom<Fault>("none", "none", "none", "refused", "lost", "late");
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          type: fc.constant("append" as const),
          ids: fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 3 }),
          fault,
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          type: fc.constantFrom("crash" as const, "lose" as const, "index" as const, "land" as const),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const fixture = new EntityFixture();
        const acknowledged = new Set<string>();
        for (const current of steps) {
          fixture.nowMs += 1_500;
          if (current.type === "append") {
            fixture.fault = current.fault;
            const result = await fixture.append(current.ids.map((n) => ({ id: `e${n}`, text: `event ${n}` })));
            fixture.fault = "none";
            if (result.ok) for (const id of result.value.eventIds) acknowledged.add(id);
          } else if (current.type === "crash") fixture.crash();
          else if (current.type === "lose") fixture.loseState();
          else if (current.type === "index") await fixture.index();
          else await fixture.landLatePuts();
        }
        const found = await fixture.ids();
        expect(new Set(found).size).toBe(found.length);
        for (const id of acknowledged) expect(found).toContain(id);
      }),
      { numRuns: 40 },
    );
  });
});
