/** Redaction: nothing of the text is left anywhere, and everything else is as it was. */
import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { nodeCompression } from "../../adapters/platform/node_compat.ts";
import { decodeVectors, encodeVectors } from "../../core/index/vector_outputs.ts";
import { blobKey, headHintKey, headKey, outputsKey, rollupKey } from "../../core/log/keys.ts";
import { writeRollup } from "../../core/log/rollup.ts";
import { parseMetadata } from "../../durable-objects/entity/segment_facts.ts";
import type { EntityState } from "../../durable-objects/entity/state.ts";
import { EntityFixture, valueIn } from "./entity_fixture.ts";
import { placesOf } from "./whats_left.ts";

const SECRET = "zebrafinch";
const secret = (id: string) => ({
  id,
  text: `report about the ${SECRET}`,
  body: { note: SECRET },
  attributes: { about: SECRET },
  vector: [1, 2],
});
const plain = (id: string) => ({ id, text: `report about ${id}`, vector: [2, id.length] });

async function indexed(fixture: EntityFixture): Promise<void> {
  fixture.nowMs += fixture.settings.indexAgeMs;
  await fixture.index();
}

/** A secret in a shard, one in the tail, and others around them. */
async function withSecrets(): Promise<EntityFixture> {
  const fixture = new EntityFixture();
  await fixture.accept(plain("a"), secret("s1"), plain("b"));
  await fixture.accept(plain("c"));
  await indexed(fixture);
  await fixture.accept(plain("d"), secret("s2"));
  return fixture;
}

const redact = (fixture: EntityFixture, ids: readonly string[], dryRun = false) =>
  fixture.serve((entity) => entity.redact(ids, dryRun));

/** Erased while the redaction waits for the first such call about a segment, and swept. */
async function erasedWhileRedacting(method: "get" | "put"): Promise<EntityFixture> {
  const fixture = await withSecrets();
  const hold = fixture.calls.hold(method, "/segments/", "before");
  const redacting = redact(fixture, ["s1"]);
  await hold.reached;
  valueIn(await fixture.serve((entity) => entity.erase()));
  hold.release();
  expect((await redacting).ok).toBe(false);
  await fixture.sweep();
  return fixture;
}

function stateOf(fixture: EntityFixture): EntityState {
  const [{ json } = {}] = fixture.sql.run("SELECT json FROM state");
  return JSON.parse(String(json)) as EntityState;
}

async function finish(fixture: EntityFixture): Promise<void> {
  for (let wakes = 0; wakes < 10; wakes += 1) {
    fixture.nowMs += 2 * fixture.settings.putDeadlineMs;
    await fixture.wake();
  }
  expect(stateOf(fixture).redaction).toBeNull();
}

async function idsFound(fixture: EntityFixture): Promise<string[]> {
  return (await fixture.search({ text: "report", top_k: 100 })).hits.map(({ id }) => id).toSorted();
}

describe("what was redacted", () => {
  test("is nowhere: in no object, in no table, from the answer on", async () => {
    const fixture = await withSecrets();
    expect(await placesOf(fixture, SECRET)).toHaveLength(5);
    valueIn(await redact(fixture, ["s1", "s2"]));
    expect(await placesOf(fixture, SECRET)).toEqual([]);
    expect((await fixture.search({ text: SECRET, mode: "text" })).hits).toEqual([]);
    expect(await fixture.ids()).toEqual(["a", "b", "c", "d"]);
    await finish(fixture);
    await indexed(fixture);
    expect(await placesOf(fixture, SECRET)).toEqual([]);
  });

  test("is first only told of by a dry run, which changes nothing", async () => {
    const fixture = await withSecrets();
    const keys = await fixture.keys();
    const told = valueIn(await redact(fixture, ["s2", "s1"], true));
    expect(told).toMatchObject({ redacted: ["s2", "s1"], token: null });
    expect(told.lines.map(({ id, segment, line }) => [id, segment.slice(-13), line])).toEqual([
      ["s2", "003.jsonl.zst", 2],
      ["s1", "001.jsonl.zst", 2],
    ]);
    expect(await fixture.keys()).toEqual(keys);
    expect(await placesOf(fixture, SECRET)).toHaveLength(5);
  });

  test("keeps its id and its place, and tells nothing of what it said", async () => {
    const fixture = await withSecrets();
    const { lines } = valueIn(await redact(fixture, ["s1"]));
    const event = valueIn(await fixture.serve((entity) => entity.reader.event("s1")));
    expect(event).toEqual({
      event: { id: "s1", kind: "tombstone", ts: "2026-01-01T00:00:00.000Z" },
      citation: { segment: lines[0]?.segment, line: lines[0]?.line },
    });
    for (const again of [secret("s1"), { id: "s1", text: "another" }])
      expect(await fixture.accept(again)).toMatchObject({ accepted: 0, duplicates: 1, conflicts: ["s1"] });
    expect(await fixture.ids()).not.toContain("s1");
  });

  test("is redacted once: asked for again it says when it was", async () => {
    const fixture = await withSecrets();
    const first = valueIn(await redact(fixture, ["s1"]));
    const again = valueIn(await redact(fixture, ["s1"]));
    expect(again).toEqual({ redacted: ["s1"], lines: [], token: first.token });
  });

  test("must all be there, and be no tombstone", async () => {
    const fixture = await withSecrets();
    valueIn(await fixture.serve((entity) => entity.withdraw("c")));
    const tombstone = valueIn(
      await fixture.serve((entity) =>
        entity.reader.timeline({
          scope: fixture.scope,
          from: null,
          to: null,
          kind: "tombstone",
          session: null,
          order: "asc",
          limit: 10,
          cursor: null,
        }),
      ),
    ).events[0]?.id;
    expect(await redact(fixture, ["s1", "nobody"])).toMatchObject({ ok: false, failure: { reason: "not_found" } });
    expect(await redact(fixture, [tombstone ?? ""])).toMatchObject({ ok: false, failure: { reason: "unprocessable" } });
    expect(await placesOf(fixture, SECRET)).toHaveLength(5);
  });

  test("is gone where it had been withdrawn before, and the counts agree", async () => {
    const fixture = await withSecrets();
    valueIn(await fixture.serve((entity) => entity.withdraw("s1")));
    valueIn(await redact(fixture, ["s1", "s2"]));
    expect(await fixture.serve((entity) => entity.counters())).toMatchObject({ value: { events: 4 } });
    expect(await placesOf(fixture, SECRET)).toEqual([]);
  });
});

describe("what was not", () => {
  test("is answered alike from memory, from shards built again, rebuilt and recovered", async () => {
    const fixture = await withSecrets();
    await indexed(fixture);
    valueIn(await redact(fixture, ["s1", "s2"]));
    const search = async () => {
      const { hits, snapshot } = await fixture.search({ text: "report about c", vector: [2, 1], top_k: 100 });
      return { hits, snapshot: snapshot.length };
    };
    const answer = await search();
    expect(answer.hits.map(({ id }) => id).toSorted()).toEqual(["a", "b", "c", "d"]);
    await finish(fixture);
    await indexed(fixture);
    expect(await search()).toEqual(answer);
    valueIn(await fixture.serve((entity) => entity.rebuild()));
    await fixture.index();
    expect(await search()).toEqual(answer);
    fixture.loseState();
    expect(await search()).toEqual(answer);
    await fixture.store.delete((await fixture.keys()).filter((key) => key.endsWith(".shard")));
    fixture.loseState();
    expect(await search()).toEqual(answer);
  });

  test("is no more told by snapshots from before, also after a loss of state; those from after hold", async () => {
    const fixture = await withSecrets();
    const { snapshot } = await fixture.search({ text: "report" });
    valueIn(await redact(fixture, ["s1"]));
    const { snapshot: after, hits } = await fixture.search({ text: "report", consistency: "eventual" });
    await finish(fixture);
    for (const _ of ["as it is", "recovered"]) {
      await expect(fixture.search({ text: "report", snapshot })).rejects.toThrow("snapshot_erased");
      expect((await fixture.search({ text: "report", snapshot: after })).hits).toEqual(hits);
      fixture.loseState();
    }
  });

  test("is read meanwhile by snapshots that are refused afterwards", async () => {
    const fixture = await withSecrets();
    const hold = fixture.calls.hold("put", "/segments/", "before");
    const redacting = redact(fixture, ["s1"]);
    await hold.reached;
    const { snapshot, hits } = await fixture.search({ text: "report" });
    expect(hits.map(({ id }) => id)).toContain("s1");
    hold.release();
    valueIn(await redacting);
    await expect(fixture.search({ text: "report", snapshot })).rejects.toThrow("snapshot_erased");
  });

  test("is not called damaged where its segment is rewritten and its shard is not forgotten yet", async () => {
    const fixture = await withSecrets();
    const hold = fixture.calls.hold("put", "/segments/", "after");
    const redacting = redact(fixture, ["s1"]);
    await hold.reached;
    const read = await fixture.serve((entity) => entity.reader.event("s1"));
    expect(read).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
    hold.release();
    valueIn(await redacting);
    expect((await fixture.serve((entity) => entity.reader.event("a"))).ok).toBe(true);
  });

  test("is counted once where it was withdrawn by a put of which nobody heard before it was gone", async () => {
    const fixture = await withSecrets();
    const hold = fixture.calls.hold("put", "/segments/", "before");
    const redacting = redact(fixture, ["s1"]);
    await hold.reached;
    const putting = fixture.calls.break("create", "/segments/", "after");
    expect((await fixture.serve((entity) => entity.withdraw("s1"))).ok).toBe(false);
    putting.mend();
    hold.release();
    valueIn(await redacting);
    valueIn(await fixture.serve((entity) => entity.counters()));
    await fixture.accept(plain("e"));
    const { events } = valueIn(await fixture.serve((entity) => entity.reader.status()));
    expect(valueIn(await fixture.serve((entity) => entity.counters())).events).toBe(events);
  });

  test("is recorded after what was redacted since it was first tried and lost", async () => {
    const fixture = await withSecrets();
    const marking = fixture.calls.break("put", "/redacted.json", "before");
    expect((await redact(fixture, ["s1"])).ok).toBe(false);
    marking.mend();
    fixture.loseState();
    valueIn(await redact(fixture, ["s2"]));
    await finish(fixture);
    const { snapshot } = await fixture.search({ text: "report" });
    valueIn(await redact(fixture, ["s1"]));
    await expect(fixture.search({ text: "report", snapshot })).rejects.toThrow("snapshot_erased");
  });

  test("keeps its blobs and its model outputs", async () => {
    const fixture = new EntityFixture();
    const [mine, shared] = ["a".repeat(64), "b".repeat(64)];
    const piece = (id: string, sha256: string) => ({
      id,
      kind: "document",
      text: `page ${id}`,
      attributes: { sha256 },
    });
    await fixture.accept(piece("p1", mine), piece("p2", shared));
    await fixture.accept(piece("p3", shared), { id: "n", text: "note" });
    const { entity } = fixture.scope;
    for (const sha256 of [mine, shared]) await fixture.store.put(blobKey(entity, sha256), new Uint8Array([1]));
    const outputs = outputsKey(entity, "model", 1, 1, 2);
    const vectors = [1, 2, 3, 4].map((value) => Float32Array.of(value));
    await fixture.store.put(outputs, encodeVectors(vectors, nodeCompression));
    const unfit = outputsKey(entity, "other", 1, 1, 1);
    await fixture.store.put(unfit, encodeVectors(vectors.slice(0, 1), nodeCompression));
    await indexed(fixture);
    valueIn(await redact(fixture, ["p1", "p3"]));
    const left = await fixture.keys();
    expect(left).not.toContain(blobKey(entity, mine));
    expect(left).toContain(blobKey(entity, shared));
    const stored = await fixture.store.get(outputs);
    expect(valueIn(decodeVectors(stored?.bytes ?? new Uint8Array(), outputs, nodeCompression))).toEqual([
      vectors[1],
      vectors[3],
    ]);
    expect(left).toContain(unfit);
    valueIn(await redact(fixture, ["p2"]));
    expect(await fixture.keys()).not.toContain(blobKey(entity, shared));
  });
});

describe("a redaction", () => {
  /** Before and after each of the two segments is looked at, before anything is begun. */
  const MOMENTS_BEFORE = 4;

  /** Stops answering after so many of the moments before and after calls of the store. */
  function stopAfter(fixture: EntityFixture, moments: number): void {
    let left = moments;
    fixture.calls.turns = () => {
      left -= 1;
      if (left < 0) throw new Error("the store is gone");
      return 0;
    };
  }

  test.each(["crash", "lose"])("that is cut short anywhere by a %s is finished, or never began", async (how) => {
    for (let moments = 0, done = false; !done; moments += 1) {
      const fixture = await withSecrets();
      await fixture.entity.ready();
      stopAfter(fixture, moments);
      done = (await redact(fixture, ["s1", "s2"])).ok;
      fixture.calls.turns = () => 0;
      if (how === "crash") fixture.crash();
      else fixture.loseState();
      expect((await fixture.serve((entity) => entity.ready())).ok).toBe(true);
      await finish(fixture);
      const places = await placesOf(fixture, SECRET);
      if (done) expect(places).toEqual([]);
      else if (how === "crash" && moments > MOMENTS_BEFORE) expect(places, `after ${moments}`).toEqual([]);
      else if (places.length > 0) expect(await idsFound(fixture)).toEqual(["a", "b", "c", "d", "s1", "s2"]);
      valueIn(await redact(fixture, ["s1", "s2"]));
      await finish(fixture);
      await indexed(fixture);
      expect(await placesOf(fixture, SECRET), `after ${moments}`).toEqual([]);
      expect(await idsFound(fixture)).toEqual(["a", "b", "c", "d"]);
    }
  });

  test("finds what an indexer puts late of the old lines, and takes none of it", async () => {
    const fixture = await withSecrets();
    fixture.nowMs += fixture.settings.indexAgeMs;
    const work = await fixture.entity.nextWork();
    if (work === null) throw new Error("work was due");
    const { scope, incarnation, purpose, headVersion, replaces } = work;
    const sha256 = await fixture.build(work);
    const key = (await fixture.keys()).find((name) => name.includes(sha256)) ?? "";
    const bytes = (await fixture.store.get(key))?.bytes ?? new Uint8Array();
    valueIn(await redact(fixture, ["s1", "s2"]));
    expect(fixture.entity.stands(incarnation, work.from, work)).toBe(false);
    await fixture.store.put(key, bytes);
    const proposal = { scope, incarnation, purpose, headVersion, replaces, sha256 };
    expect(await fixture.entity.proposeHead(proposal)).toEqual({ ok: true, value: "stale" });
    await finish(fixture);
    expect(await placesOf(fixture, SECRET)).toEqual([]);
    expect(await fixture.entity.proposeHead(proposal)).toEqual({ ok: true, value: "stale" });
    await indexed(fixture);
    expect(await idsFound(fixture)).toEqual(["a", "b", "c", "d"]);
  });

  test("lets nothing be put from the moment on that it began", async () => {
    const fixture = await withSecrets();
    fixture.nowMs += fixture.settings.indexAgeMs;
    const work = await fixture.entity.nextWork();
    if (work === null) throw new Error("work was due");
    expect(fixture.entity.stands(work.incarnation, work.from, work)).toBe(true);
    const hold = fixture.calls.hold("put", "/segments/", "before");
    const redacting = redact(fixture, ["s1"]);
    await hold.reached;
    expect(fixture.entity.stands(work.incarnation, work.from, work)).toBe(false);
    expect(await fixture.entity.nextWork()).toBeNull();
    hold.release();
    valueIn(await redacting);
  });

  test("takes what a rebuild has built of the old lines", async () => {
    const fixture = await withSecrets();
    await indexed(fixture);
    valueIn(await fixture.serve((entity) => entity.rebuild()));
    expect(await fixture.buildNext()).toMatchObject({ value: "committed" });
    valueIn(await redact(fixture, ["s1", "s2"]));
    await finish(fixture);
    await fixture.index();
    expect(await placesOf(fixture, SECRET)).toEqual([]);
    expect(await idsFound(fixture)).toEqual(["a", "b", "c", "d"]);
    expect(stateOf(fixture)).toMatchObject({ rebuilding: null, lost: [] });
  });

  test("is gone from what was being read in place of a lost shard meanwhile", async () => {
    const fixture = await withSecrets();
    await indexed(fixture);
    // Cut short after its record; the state is lost with it, and with the state what the shards were.
    const cut = fixture.calls.hold("put", "redacted.json", "after");
    const first = redact(fixture, ["s1"]);
    await cut.reached;
    fixture.loseState();
    cut.release();
    await first;
    expect((await fixture.serve((entity) => entity.ready())).ok).toBe(true);
    expect(stateOf(fixture).redaction).not.toBeNull();
    await fixture.store.delete((await fixture.keys()).filter((key) => key.endsWith(".shard")));
    // What s1 says has been read when another segment of the shard is waited for.
    const hold = fixture.calls.hold("get", "-000000000002.jsonl", "after");
    const reading = fixture.search({ text: SECRET, mode: "text" });
    await hold.reached;
    const waking = fixture.wake();
    while (stateOf(fixture).redaction?.sweepAtMs === null) await setImmediate();
    hold.release();
    await Promise.all([reading, waking]);
    expect((await fixture.search({ text: SECRET, mode: "text" })).hits.map(({ id }) => id)).toEqual(["s2"]);
  });

  test("takes a rollup that lands late of the old lines, though the state was lost meanwhile", async () => {
    const fixture = await withSecrets();
    const old = await Promise.all(
      (await fixture.keys()).map(async (key) => [key, await fixture.store.get(key)] as const),
    );
    const commits = [1, 2, 3].map((commit) => {
      const [segment, stored] = old.find(([key]) => key.endsWith(`${commit}.jsonl.zst`)) ?? [];
      const facts = parseMetadata(stored?.metadata ?? {});
      if (segment === undefined || stored == null || facts === null) throw new Error(`no segment of commit ${commit}`);
      return { segment, bytes: stored.bytes.length, facts, content: stored.bytes };
    });
    valueIn(await redact(fixture, ["s1", "s2"]));
    const late = rollupKey(fixture.scope.entity, 1, 1, 3);
    fixture.loseState();
    await fixture.store.put(late, writeRollup(commits, nodeCompression));
    await fixture.serve((entity) => entity.ready());
    await finish(fixture);
    expect(await fixture.keys()).not.toContain(late);
    expect(await placesOf(fixture, SECRET)).toEqual([]);
  });

  test("is recorded, and finished, where so much waits to be indexed that appends are refused", async () => {
    const fixture = new EntityFixture();
    fixture.settings = { ...fixture.settings, tailBytes: 1 };
    await fixture.accept(secret("s1"));
    expect(await fixture.append([plain("a")])).toMatchObject({ ok: false, failure: { reason: "rate_limited" } });
    valueIn(await redact(fixture, ["s1"]));
    expect(await placesOf(fixture, SECRET)).toEqual([]);
    await finish(fixture);
    await indexed(fixture);
    expect(await fixture.accept(plain("a"))).toMatchObject({ accepted: 1 });
  });

  test("does not begin where a segment is gone, and so holds nothing up", async () => {
    const fixture = await withSecrets();
    const [segment = ""] = (await fixture.keys()).filter((key) => key.includes("/segments/"));
    await fixture.store.delete([segment]);
    expect(await redact(fixture, ["s1"])).toMatchObject({ ok: false, failure: { reason: "corrupt" } });
    expect(stateOf(fixture).redaction).toBeNull();
    await indexed(fixture);
    expect(stateOf(fixture)).toMatchObject({ last: 3, head: { covered: 3 } });
  });

  test("of the tail alone leaves a head in the store that outlives a collection, and is told of again", async () => {
    const fixture = await withSecrets();
    await indexed(fixture);
    await fixture.accept(secret("s3"));
    valueIn(await redact(fixture, ["s3"]));
    const { shards } = stateOf(fixture).head;
    for (let wakes = 0; wakes < 10; wakes += 1) {
      fixture.nowMs += fixture.settings.buildDeadlineMs;
      await fixture.wake();
    }
    expect(stateOf(fixture).collection).toMatchObject({ phase: "idle", litteredMs: null });
    const { head } = stateOf(fixture);
    expect((await fixture.keys()).filter((key) => /\/head(s\/.*)?\.json$/.test(key))).toEqual([
      headHintKey(fixture.scope.entity),
      headKey(fixture.scope.entity, head.version),
    ]);
    fixture.loseState();
    await fixture.entity.ready();
    expect(stateOf(fixture).head).toMatchObject({ version: head.version, redacted: 5, shards });
  });

  test("goes on beside another, and both are recorded", async () => {
    const fixture = await withSecrets();
    const both = await Promise.all([redact(fixture, ["s1"]), redact(fixture, ["s2"])]);
    for (const one of both) expect(valueIn(one).lines).toHaveLength(1);
    expect(stateOf(fixture).last).toBe(5);
    expect(await placesOf(fixture, SECRET)).toEqual([]);
  });

  test("of an entity that is erased while its segments are looked at does not begin in what comes after", async () => {
    const fixture = await erasedWhileRedacting("get");
    expect(stateOf(fixture)).toMatchObject({ redaction: null, last: 0 });
  });

  test("of an entity that is erased meanwhile ends with it", async () => {
    const fixture = await erasedWhileRedacting("put");
    expect((await fixture.keys()).map((key) => key.split("/").at(-1))).toEqual(["erased.json"]);
  });
});
