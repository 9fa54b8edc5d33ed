/** Index work that cannot be done as it was planned is planned smaller, until it can be done or one commit is to blame. */
import { describe, expect, test } from "vitest";
import { problemOf } from "../../core/errors.ts";
import { SHARD_BYTES_MAX, WORK_ATTEMPTS_MAX, WORK_SILENT_ATTEMPTS_MAX } from "../../core/limits.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { EntityFixture, valueIn } from "./entity_fixture.ts";

const DIMENSIONS = 4_096;

/** Few bytes of JSON, many of a shard. */
const wide = (id: string): EventInput => ({
  id,
  vector: Array.from({ length: DIMENSIONS }, (_, index) => Number(index % 7 === id.length % 7)),
});

const manyWide = (name: string, count: number) => Array.from({ length: count }, (_, n) => wide(`${name}-${n}`));

async function filled(commits: number): Promise<EntityFixture> {
  const fixture = new EntityFixture();
  for (let n = 1; n <= commits; n += 1) await fixture.accept({ id: `e${n}`, text: `note ${n}` });
  fixture.nowMs += fixture.settings.indexAgeMs;
  return fixture;
}

/** What an indexer does: builds, and reports what could not be built. */
async function workOff(fixture: EntityFixture): Promise<void> {
  for (let work = await fixture.entity.nextWork(); work !== null; work = await fixture.entity.nextWork()) {
    const { scope, incarnation, headVersion, replaces, from } = work;
    const built = await fixture.tryBuild(work);
    if (built.ok) await fixture.entity.proposeHead({ scope, incarnation, headVersion, replaces, sha256: built.value });
    else fixture.entity.workFailed(from, problemOf(built.failure).detail, false);
  }
}

const statusOf = async (fixture: EntityFixture) => valueIn(await fixture.entity.reader.status());

describe("work that fails", () => {
  test("is halved until the one commit that is wrong is sealed, and what stands before it is indexed", async () => {
    const fixture = await filled(11);
    const segments = (await fixture.keys()).filter((key) => key.includes("/segments/"));
    await fixture.store.put(segments[6] ?? "", new Uint8Array([1]));
    await workOff(fixture);
    const status = await statusOf(fixture);
    expect(status.sealed).toMatchObject({ from: 7, to: 7, error: expect.stringContaining(segments[6] ?? "none") });
    expect(status.shards.at(-1)?.to).toBe(6);
    expect((await fixture.search({ text: "note" })).hits.length).toBe(10);
  });

  test("is done without a shard that it was to absorb and that is damaged", async () => {
    const fixture = await filled(2);
    await fixture.index();
    const [shard = ""] = (await fixture.keys()).filter((key) => key.endsWith(".shard"));
    await fixture.accept({ id: "e3", text: "note 3" });
    fixture.nowMs += fixture.settings.indexAgeMs;
    await fixture.store.put(shard, new Uint8Array([1]));
    await workOff(fixture);
    expect(await statusOf(fixture)).toMatchObject({
      sealed: null,
      shards: [
        { from: 1, to: 2 },
        { from: 3, to: 3 },
      ],
    });
  });

  test("is halved as well when its workers die without a word, but not at once", async () => {
    const fixture = await filled(8);
    const planned: number[] = [];
    for (let attempt = 0; attempt <= WORK_SILENT_ATTEMPTS_MAX; attempt += 1) {
      planned.push((await fixture.entity.nextWork())?.to ?? 0);
      fixture.nowMs += fixture.settings.nudgeRetryMs;
    }
    expect(planned).toEqual([...Array.from({ length: WORK_SILENT_ATTEMPTS_MAX }, () => 8), 4]);
  });

  test("at a single commit is sealed after its attempts", async () => {
    const fixture = await filled(1);
    for (let attempt = 0; attempt < WORK_ATTEMPTS_MAX; attempt += 1) {
      expect(await fixture.entity.nextWork()).toMatchObject({ from: 1, to: 1 });
      expect(fixture.entity.workFailed(1, "it cannot be built", false)).toBe(false);
    }
    expect(await fixture.entity.nextWork()).toBeNull();
    expect((await statusOf(fixture)).sealed).toMatchObject({ from: 1, to: 1, error: "it cannot be built" });
  });
});

describe("vectors that are larger than the lines they come in", () => {
  test("are built into shards that fit", async () => {
    const fixture = new EntityFixture();
    for (const name of ["a", "b", "c", "d"]) await fixture.accept(...manyWide(name, 850));
    fixture.nowMs += fixture.settings.indexAgeMs;
    await workOff(fixture);
    const status = await statusOf(fixture);
    expect(status).toMatchObject({ sealed: null, unindexedEvents: 0, events: 3_400 });
    expect(status.shards.length).toBeGreaterThan(1);
    for (const { bytes } of status.shards) expect(bytes).toBeLessThanOrEqual(SHARD_BYTES_MAX);
  });

  test("are refused when those of one request would not fit in a shard, which changes nothing", async () => {
    const fixture = new EntityFixture();
    const tooMany = Math.ceil(SHARD_BYTES_MAX / (2 * DIMENSIONS));
    const refused = await fixture.append(manyWide("a", tooMany));
    expect(refused).toMatchObject({ ok: false, failure: { reason: "too_large", max: SHARD_BYTES_MAX } });
    expect(await fixture.ids()).toEqual([]);
  });
});
