/** A part keeps lines without the digits of vectors; who reads an event gets them all the same. */
import { describe, expect, test } from "vitest";
import { EVENT_SEGMENTS_MAX, STORE_CONCURRENCY_MAX } from "../../core/limits.ts";
import type { EventPage } from "../../core/rpc.ts";
import { WholeLineCache } from "../../durable-objects/whole_line_cache.ts";
import { EntityFixture, valueIn } from "./entity_fixture.ts";

const vectorOf = (index: number): number[] => [index + 0.5, -1 / 3, 1e-7];

/** Few words in no order: long lines, each in a frame of its own, of which an index is small. */
const wordsOf = (seed: number, count: number): string =>
  Array.from({ length: count }, (_, n) => ` word${Math.imul(seed * 10_007 + n, 2_654_435_761) >>> 26}`).join("");

/** One event a commit, every second with a vector. */
async function withVectors(commits: number, words = 0): Promise<EntityFixture> {
  const fixture = new EntityFixture();
  for (let index = 0; index < commits; index += 1) {
    const vector = index % 2 === 0 ? { vector: vectorOf(index) } : {};
    await fixture.accept({ id: `e${index}`, text: `note ${index}${wordsOf(index, words)}`, ts: index, ...vector });
  }
  return fixture;
}

async function indexed(fixture: EntityFixture): Promise<EntityFixture> {
  fixture.nowMs += 10 * fixture.settings.indexAgeMs;
  await fixture.index();
  return fixture;
}

const page = (fixture: EntityFixture, cursor: string | null = null, limit = 1_000) =>
  fixture.serve((entity) =>
    entity.reader.timeline({
      scope: fixture.scope,
      from: null,
      to: null,
      kind: null,
      session: null,
      order: "asc",
      limit,
      cursor,
    }),
  );

const vectorsIn = ({ events }: EventPage) => events.map(({ vector }) => vector);

describe("the vectors of events", () => {
  const expected = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? vectorOf(index) : undefined));

  test("come back as they were sent, from the tail and from segments", async () => {
    const fixture = await withVectors(20);
    expect(vectorsIn(valueIn(await page(fixture)))).toEqual(expected);
    await indexed(fixture);
    expect(vectorsIn(valueIn(await page(fixture)))).toEqual(expected);
    await fixture.accept({ id: "new", vector: vectorOf(99), ts: 99 });
    expect(vectorsIn(valueIn(await page(fixture)))).toEqual([...expected, vectorOf(99)]);
    const one = valueIn(await fixture.serve((entity) => entity.reader.event("e4")));
    expect([one.event.vector, one.citation.line]).toEqual([vectorOf(4), 1]);
  });

  test("cost no read a second time, also when their shard was replaced, and are never those of what was redacted", async () => {
    const fixture = await indexed(await withVectors(20));
    fixture.wholeLines = new WholeLineCache();
    fixture.crash();
    expect(vectorsIn(valueIn(await page(fixture)))).toEqual(expected);
    fixture.calls.reset();
    expect(vectorsIn(valueIn(await page(fixture)))).toEqual(expected);
    expect(fixture.calls.count).toBe(0);
    valueIn(await fixture.serve((entity) => entity.rebuild()));
    await indexed(fixture);
    fixture.calls.reset();
    expect(vectorsIn(valueIn(await page(fixture)))).toEqual(expected);
    expect(fixture.calls.count).toBe(0);
    valueIn(await fixture.serve((entity) => entity.redact(["e4"], false)));
    await indexed(fixture);
    const { events } = valueIn(await page(fixture));
    expect(events.filter(({ id }) => id === "e4")).toEqual([]);
    expect(events.filter(({ vector }) => vector?.[0] === vectorOf(4)[0])).toEqual([]);
  });

  test("cost one read of each segment that has one, no more at once than the store takes", async () => {
    const fixture = await indexed(await withVectors(20));
    await page(fixture);
    fixture.calls.count = 0;
    await page(fixture);
    expect(fixture.calls.count).toBe(10);
    expect(fixture.calls.atOnceMax).toBeLessThanOrEqual(STORE_CONCURRENCY_MAX);
  });

  test("are read to the end when a merge takes the place of their shards meanwhile", async () => {
    // More than a part keeps of its lines.
    const fixture = await indexed(await withVectors(20, 3_000));
    const hold = fixture.calls.hold("get", "/segments/", "before");
    const reading = page(fixture);
    await hold.reached;
    await fixture.accept({ id: "later", text: "absorbed with the rest", ts: 1_000 });
    await indexed(fixture);
    hold.release();
    expect(vectorsIn(valueIn(await reading))).toEqual(expected);
    const copies = fixture.sql.run("SELECT sha256 FROM shards");
    expect(copies.length).toBe(valueIn(await fixture.entity.reader.status()).shards.length);
  });

  test("end a page early that would need too many segments, and the next page goes on", async () => {
    const fixture = await indexed(await withVectors(2 * EVENT_SEGMENTS_MAX + 10));
    const first = valueIn(await page(fixture));
    expect(first.events.filter(({ vector }) => vector !== undefined).length).toBe(EVENT_SEGMENTS_MAX);
    const second = valueIn(await page(fixture, first.nextCursor));
    expect([...first.events, ...second.events].map(({ id }) => id)).toEqual(
      Array.from({ length: 2 * EVENT_SEGMENTS_MAX + 10 }, (_, index) => `e${index}`),
    );
    expect(second.nextCursor).toBeNull();
  });

  test("are refused by the name of their segment when it does not say what the part kept", async () => {
    const fixture = await indexed(await withVectors(3));
    const [first = "", second = "", third = ""] = (await fixture.keys()).filter((key) => key.includes("/segments/"));
    const other = await fixture.store.get(second);
    await fixture.store.put(third, other?.bytes ?? new Uint8Array());
    const before = valueIn(await page(fixture));
    expect(before.events.map(({ id }) => id)).toEqual(["e0", "e1", "e2", "e3"].slice(0, before.events.length));
    const refused = await page(fixture, before.nextCursor);
    expect(refused).toMatchObject({ ok: false, failure: { reason: "corrupt", what: third } });
    await fixture.store.delete([first]);
    const lost = await fixture.serve((entity) => entity.reader.event("e0"));
    expect(lost).toMatchObject({ ok: false, failure: { reason: "corrupt", what: `${first}: it is missing` } });
    expect(valueIn(await fixture.serve((entity) => entity.reader.event("e1"))).event.text).toBe("note 1");
  });

  test("make an event that comes again a conflict when they differ, indexed or not", async () => {
    const fixture = await withVectors(1);
    const again = { id: "e0", text: "note 0", ts: 0 };
    for (const _ of ["in the tail", "in a shard"]) {
      expect(await fixture.accept({ ...again, vector: vectorOf(0) })).toMatchObject({ duplicates: 1, conflicts: [] });
      expect(await fixture.accept({ ...again, vector: vectorOf(1) })).toMatchObject({ conflicts: ["e0"] });
      await indexed(fixture);
    }
  });
});
