import { describe, expect, test } from "vitest";
import {
  APPEND_WAITING_BYTES_MAX,
  BUILD_MEMORY_BYTES_MAX,
  IDEMPOTENCY_RECORDS_MAX,
  IDEMPOTENCY_WINDOW_MS,
  REQUEST_BYTES_MAX,
  REQUEST_EVENTS_MAX,
  SHARD_SMALL_BYTES,
  TAIL_PART_RAW_BYTES_MAX,
} from "../../core/limits.ts";
import { prepareLine } from "../../core/log/line.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { EntityParts } from "../../durable-objects/entity/entity_parts.ts";
import { Tail } from "../../durable-objects/entity/tail.ts";
import { PartCache } from "../../durable-objects/part_cache.ts";
import type { SqlValue } from "../../durable-objects/sql.ts";
import { EntityFixture } from "./entity_fixture.ts";

/** What one row of an object's SQLite may hold. */
const ROW_BYTES_MAX = 2_000_000;
const KEY = { key: "k", bodyDigest: "d" };

function sizeOf(values: readonly SqlValue[]): number {
  return values.reduce<number>((size, value) => {
    if (typeof value === "string") return size + value.length;
    return size + (value instanceof ArrayBuffer ? value.byteLength : 8);
  }, 0);
}

/** An event of `bytes` whose text is one long word: it is large and costs the analyzer little. */
function wideEvent(id: string, bytes: number): EventInput {
  return { id, text: `report ${"x".repeat(bytes)}` };
}

describe("shards larger than the part cache", () => {
  async function indexedWithoutCache(): Promise<{ fixture: EntityFixture; opened: () => number }> {
    const fixture = new EntityFixture();
    fixture.partCache = new PartCache(1);
    let opened = 0;
    fixture.onStatement = (statement, bindings) => {
      const isOfIds = bindings.some((binding) => String(binding).startsWith("ids:"));
      if (/^SELECT .*\bAS bytes FROM (shard_bytes|shards)/.test(statement) && !isOfIds) opened += 1;
    };
    for (let n = 0; n < 20; n += 1) await fixture.accept({ id: `e${n}`, text: `report ${n}` });
    fixture.nowMs += 1_000;
    await fixture.index();
    fixture.crash();
    opened = 0;
    return { fixture, opened: () => opened };
  }

  test("are not opened by an append of new ids", async () => {
    const { fixture, opened } = await indexedWithoutCache();
    const events = Array.from({ length: 200 }, (_, n) => ({ id: `new${n}` }));
    expect(await fixture.accept(...events)).toMatchObject({ accepted: 200 });
    expect(opened()).toBe(0);
  });

  test("are opened for a duplicate, which is found", async () => {
    const { fixture, opened } = await indexedWithoutCache();
    const answer = await fixture.accept({ id: "e7", text: "report 7" }, { id: "e9", text: "other" }, { id: "new" });
    expect(answer).toMatchObject({ accepted: 1, duplicates: 2, conflicts: ["e9"] });
    expect(opened()).toBeGreaterThan(0);
  });
});

describe("idempotency records", () => {
  test("of ten thousand long ids fit in a row and replay the whole answer", async () => {
    const fixture = new EntityFixture();
    let largest = 0;
    fixture.onStatement = (statement, bindings) => {
      if (statement.includes("INTO idempotency")) largest = Math.max(largest, sizeOf(bindings));
    };
    const ids = Array.from({ length: REQUEST_EVENTS_MAX }, (_, n) => String(n).padStart(240, "i"));
    await fixture.accept(...ids.map((id) => ({ id, text: "first" })));
    const events = ids.map((id) => ({ id, text: "second" }));
    const first = await fixture.append(events, KEY);
    expect(first).toMatchObject({ ok: true, value: { accepted: 0, conflicts: ids, eventIds: ids } });
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(ROW_BYTES_MAX);
    fixture.crash();
    expect(await fixture.append(events, KEY)).toEqual(first);
  });

  test("are trimmed by appends alone, those past their window and those above the limit", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" });
    const insert = (prefix: string, count: number, atMs: number) =>
      fixture.sql.run(
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
         INSERT INTO idempotency (key, body_digest, result, at_ms) SELECT ?2 || i, 'd', '{}', ?3 FROM n`,
        count,
        prefix,
        atMs,
      );
    insert("past", 50, fixture.nowMs - IDEMPOTENCY_WINDOW_MS);
    insert("old", IDEMPOTENCY_RECORDS_MAX, fixture.nowMs - 1);
    const appends = 1_000;
    for (let n = 0; n < appends; n += 1) await fixture.append([{ id: "a" }], { key: `new${n}`, bodyDigest: "d" });
    const count = (like: string) => fixture.sql.run("SELECT key FROM idempotency WHERE key LIKE ?", like).length;
    expect(count("past%")).toBe(0);
    expect(count("%")).toBeLessThan(IDEMPOTENCY_RECORDS_MAX + appends);
    expect(count("new%")).toBe(appends);
  });
});

describe("the tail", () => {
  test("is built in parts below their limit, but for a commit that is larger by itself", () => {
    const fixture = new EntityFixture();
    const ports = fixture.ports();
    const parts = new EntityParts(ports, new PartCache(), fixture.revision());
    const tail = new Tail();
    const sizes = [0.3, 0.3, 0.4, 0.2, 0.9, 1.5, 0.1, 0.05, 0.9, 0.5, 0.2].map((share) =>
      Math.floor(share * TAIL_PART_RAW_BYTES_MAX),
    );
    for (const [index, size] of sizes.entries()) {
      const { line } = prepareLine(wideEvent(`e${index}`, size), fixture.nowMs, ports.digest);
      const commit = index + 1;
      const facts = {
        commit,
        segment: `s${commit}`,
        sha256: "",
        arrivalMs: 0,
        lines: 1,
        rawBytes: line.length + 1,
        vectors: 0,
        dimensions: 0,
        vectorBytes: 0,
      };
      tail.add(facts, [line]);
      const built = parts.tail(tail, 1);
      if (!built.ok) throw new Error(built.failure.reason);
      expect(built.value.flatMap((part) => part.commits.map((known) => known.commit))).toEqual(
        Array.from({ length: commit }, (_, n) => n + 1),
      );
      for (const { commits } of built.value) {
        const bytes = commits.reduce((sum, known) => sum + (sizes[known.commit - 1] ?? 0), 0);
        expect(commits.length === 1 || bytes <= TAIL_PART_RAW_BYTES_MAX).toBe(true);
      }
    }
  });

  test("gives the answers that one shard gives, in however many parts it is", async () => {
    const fixture = new EntityFixture();
    for (let n = 0; n < 12; n += 1)
      await fixture.accept({ id: `e${n}`, text: `report ${n} ${"filler ".repeat(n % 5)}${"x".repeat(600_000)}` });
    const ask = async () => (await fixture.search({ text: "report filler 7", include: [] })).hits;
    const fromTail = await ask();
    expect(fromTail.length).toBeGreaterThan(9);
    await fixture.index();
    expect(await ask()).toEqual(fromTail);
  });
});

describe("appends that wait", () => {
  test("are bounded by their bytes, and those that were let in are committed", async () => {
    const fixture = new EntityFixture();
    const request = (n: number) => Array.from({ length: 9 }, (_, k) => wideEvent(`e${n}-${k}`, 1_000_000));
    const put = fixture.calls.hold("create", "/segments/", "before");
    const first = fixture.append(request(0));
    await put.reached;
    const waiting: ReturnType<EntityFixture["append"]>[] = [];
    let accepted = 0;
    for (let n = 1; n < 8; n += 1) waiting.push(fixture.append(request(n)));
    put.release();
    const answers = await Promise.all(waiting);
    for (const answer of answers) {
      if (answer.ok) accepted += 9 * 1_000_000;
      else expect(answer.failure.reason).toBe("unavailable");
    }
    expect((await first).ok).toBe(true);
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThanOrEqual(APPEND_WAITING_BYTES_MAX + REQUEST_BYTES_MAX);
  });
});

describe("a request", () => {
  const events = (textBytes: number): EventInput[] =>
    Array.from({ length: Math.ceil(textBytes / 1_000_000) }, (_, k) => wideEvent(`e${k}`, 1_000_000));

  test("is acknowledged when one build can index it, and refused before it is put when none can", async () => {
    const fixture = new EntityFixture();
    expect(await fixture.append(events(11_000_000))).toMatchObject({
      ok: false,
      failure: { reason: "too_large", max: BUILD_MEMORY_BYTES_MAX },
    });
    expect(await fixture.keys()).toEqual([]);
    await fixture.accept(...events(9_000_000));
    expect(await fixture.index()).toBe(1);
  });
});

describe("a compaction that fits nothing any more", () => {
  test("does not stop the tail from being indexed", async () => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a" });
    fixture.nowMs += 1_000;
    await fixture.index();
    fixture.sql.run("UPDATE state SET json = json_set(json, '$.compact', json('true'))");
    fixture.crash();
    await fixture.accept({ id: "b" });
    fixture.nowMs += 1_000;
    expect(await fixture.index()).toBe(1);
    expect(await fixture.entity.counters()).toMatchObject({ ok: true, value: { indexedCommit: 2, pending: false } });
  });
});

describe("a sealed compaction", () => {
  /** Two shards that no build of the tail merges. */
  async function twoShards(): Promise<EntityFixture> {
    const fixture = new EntityFixture();
    const words = (from: number) => Array.from({ length: 30_000 }, (_, n) => `w${from + n}`).join(" ");
    for (let n = 0; n < 2; n += 1) {
      await fixture.accept(
        { id: `e${n}a`, text: words(60_000 * n) },
        { id: `e${n}b`, text: words(60_000 * n + 30_000) },
      );
      fixture.nowMs += 1_000;
      await fixture.index();
    }
    const status = await fixture.entity.reader.status();
    if (!status.ok) throw new Error(status.failure.reason);
    expect(status.value.shards.map(({ bytes }) => bytes > SHARD_SMALL_BYTES)).toEqual([true, true]);
    return fixture;
  }

  test("does not stop the tail from being indexed", async () => {
    const fixture = await twoShards();
    fixture.entity.compact();
    for (let attempt = 0; attempt < 20; attempt += 1) {
      await fixture.entity.nextWork();
      fixture.nowMs += fixture.settings.nudgeRetryMs;
    }
    expect(await fixture.entity.counters()).toMatchObject({ ok: true, value: { pending: false } });
    await fixture.accept({ id: "later", text: "report" });
    fixture.nowMs += 1_000;
    expect(await fixture.index()).toBe(1);
    expect(await fixture.entity.counters()).toMatchObject({ ok: true, value: { indexedCommit: 3, sealed: false } });
  });
});
