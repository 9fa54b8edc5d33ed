/** Eventual reads that the front door answers by itself: what the object says of the same snapshot, or nothing. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import {
  EVENTUAL_HEAD_CACHE_MS,
  EVENTUAL_OBJECT_MS,
  EVENTUAL_SCOPE_BYTES_MAX,
  SHARD_SMALL_BYTES,
} from "../../core/limits.ts";
import { headHintKey, headKey } from "../../core/log/keys.ts";
import type { BlockCache, ObjectStore, Timer } from "../../core/ports.ts";
import type { SearchAnswer, SearchCommand } from "../../core/rpc.ts";
import { searchBodySchema } from "../../core/schema/search.ts";
import { headSchema, readStored, storedBytes, storedHead } from "../../core/schema/stored.ts";
import { createEventualReader, type EventualReader } from "../../workers/query/eventual/eventual_reader.ts";
import { searchEventually } from "../../workers/query/search/search_eventually.ts";
import { ballast } from "../objects/ballast.ts";
import { EntityFixture, valueIn } from "../objects/entity_fixture.ts";
import { watchedStore } from "../objects/store_calls.ts";

class MemoryBlocks implements BlockCache {
  readonly blocks = new Map<string, Uint8Array>();

  async get(name: string) {
    return this.blocks.get(name)?.slice() ?? null;
  }

  async put(name: string, bytes: Uint8Array) {
    this.blocks.set(name, bytes.slice());
  }
}

/** As a new isolate of the front door would be. */
function readerOf(fixture: EntityFixture, blocks: BlockCache = new MemoryBlocks(), store = fixture.objects) {
  const { compression, digest, checksum, builder, slabs, embedder } = fixture.ports();
  const clock = { now: () => fixture.nowMs };
  return createEventualReader({ store, blocks, clock, compression, digest, checksum, builder, slabs, embedder });
}

function commandOf({ scope }: EntityFixture, body: object, bm25: SearchCommand["bm25"] = null): SearchCommand {
  return { scope, request: searchBodySchema.parse({ consistency: "eventual", ...body }), bm25 };
}

async function index(fixture: EntityFixture): Promise<void> {
  fixture.nowMs += fixture.settings.indexAgeMs;
  await fixture.index();
  // head.json follows with the alarm.
  while (!(await fixture.keys()).some((key) => key.endsWith("/head.json"))) await fixture.wake();
}

const KINDS = ["note", "message"];

/** Three shards with vectors, a void duplicate and a withdrawal, and a tail that none of them holds. */
async function storyOf(fixture: EntityFixture): Promise<void> {
  for (let shard = 0; shard < 3; shard += 1) {
    const events = Array.from({ length: 30 }, (_, n) => ({
      id: `e${shard}-${n}`,
      ts: Date.UTC(2026, 0, 1 + shard, n % 24),
      kind: KINDS[n % 2] ?? "note",
      text: `report ${n % 7} about renewal ${shard} ${"risk ".repeat(n % 4)} filler${n}`,
      ...(n === 0 && { body: ballast(SHARD_SMALL_BYTES * 2, shard) }),
      attributes: { stage: n % 3 },
      vector: [Math.sin(n), Math.cos(n), shard],
    }));
    await fixture.accept(...events);
    if (shard === 1) valueIn(await fixture.entity.withdraw("e0-3"));
    await index(fixture);
  }
  while (await hintLags(fixture)) await fixture.wake();
  await fixture.accept({ id: "waits", text: "report that waits", vector: [0, 0, 1] });
}

async function hintLags(fixture: EntityFixture): Promise<boolean> {
  const hint = await fixture.store.get(headHintKey(fixture.scope.entity));
  const version = (await fixture.keys()).filter((key) => key.includes("/heads/")).length;
  return JSON.parse(new TextDecoder().decode(hint?.bytes)).v < version;
}

/** What does not depend on who answers. */
function said({ staleMs: _, unindexedEvents: _waiting, cache: _tier, ...answer }: SearchAnswer) {
  return answer;
}

const requests = fc.record(
  {
    text: fc.constantFrom("renewal risk", "report 3", "filler4", "nothing of the kind"),
    vector: fc.constantFrom([1, 0, 0], [0, 1, 2], null),
    mode: fc.constantFrom("hybrid", "text", null),
    top_k: fc.integer({ min: 1, max: 100 }),
    filter: fc.constantFrom({ kind: "note" }, { "attributes.stage": { $gt: 0 } }, { id: "e1-4" }, null),
    from: fc.constantFrom("2026-01-02T00:00:00Z", null),
    to: fc.constantFrom("2026-01-02T12:00:00Z", null),
    exact: fc.boolean(),
    explain: fc.boolean(),
    include: fc.constantFrom([], ["text"], ["text", "attributes"]),
  },
  { requiredKeys: ["text"] },
);

describe("an eventual read of what is indexed", () => {
  const fixture = new EntityFixture();
  let reader: EventualReader;
  beforeAll(async () => {
    await storyOf(fixture);
    reader = readerOf(fixture);
  });

  test("is what the object answers for the same snapshot", async () => {
    const scores = fc.constantFrom(null, { k1: 1.5, b: 0.2 });
    await fc.assert(
      fc.asyncProperty(requests, scores, async (body, bm25) => {
        const command = commandOf(fixture, body, bm25);
        const object = valueIn(await fixture.serve((entity) => entity.reader.search(command.request, bm25)));
        expect(said(valueIn(await reader.search(command)))).toEqual(said(object));
      }),
      { numRuns: 60 },
    );
    const found = valueIn(await reader.search(commandOf(fixture, { text: "report", top_k: 200 })));
    expect(found.hits.length).toBe(89);
  });

  test("says how long ago its head was confirmed, and not what waits", async () => {
    const stored = await fixture.store.get(headHintKey(fixture.scope.entity));
    const confirmed = Date.parse(JSON.parse(new TextDecoder().decode(stored?.bytes)).confirmed_at);
    const answer = valueIn(await reader.search(commandOf(fixture, { text: "report" })));
    expect(answer).toMatchObject({ staleMs: fixture.nowMs - confirmed, unindexedEvents: null });
  });

  test("does not say that it is fresh where something had waited for long when its head was confirmed", async () => {
    const fixture = new EntityFixture("account:waiting");
    await fixture.accept({ id: "a", text: "report" });
    fixture.nowMs += fixture.settings.indexAgeMs;
    const work = await fixture.entity.nextWork();
    if (work === null) throw new Error("work was due");
    const waitsSinceMs = fixture.nowMs;
    await fixture.accept({ id: "waits", text: "report" });
    fixture.nowMs += 60_000;
    const { scope, incarnation, purpose, headVersion, replaces } = work;
    const sha256 = await fixture.build(work);
    valueIn(await fixture.entity.proposeHead({ scope, incarnation, purpose, headVersion, replaces, sha256 }));
    while (!(await fixture.keys()).some((key) => key.endsWith("/head.json"))) await fixture.wake();
    const { hits, staleMs } = valueIn(await readerOf(fixture).search(commandOf(fixture, { text: "report" })));
    expect(hits.map(({ id }) => id)).toEqual(["a"]);
    expect(staleMs).toBeGreaterThanOrEqual(fixture.nowMs - waitsSinceMs);
  });

  test("answers pinned snapshots and older times as the object does", async () => {
    const first = valueIn(await reader.search(commandOf(fixture, { text: "report" })));
    for (const body of [{ snapshot: first.snapshot }, { as_of: new Date(fixture.nowMs - 1_500).toISOString() }]) {
      const command = commandOf(fixture, { text: "renewal", top_k: 50, ...body });
      const object = valueIn(await fixture.serve((entity) => entity.reader.search(command.request, null)));
      expect(said(valueIn(await reader.search(command)))).toEqual(said(object));
    }
  });

  test("honours a write that it must include, or leaves it to the object", async () => {
    const { token } = valueIn(await reader.search(commandOf(fixture, { text: "report" })));
    expect((await reader.search(commandOf(fixture, { text: "report", at_least: token }))).ok).toBe(true);
    const { token: later } = await fixture.search({ text: "report" });
    const refused = await reader.search(commandOf(fixture, { text: "report", at_least: later }));
    expect(refused).toMatchObject({ ok: false, failure: { reason: "conflict" } });
  });

  test("of a strong snapshot that is not indexed is left to the object", async () => {
    const { snapshot } = await fixture.search({ text: "report" });
    const refused = await reader.search(commandOf(fixture, { text: "report", snapshot }));
    expect(refused).toMatchObject({ ok: false, failure: { reason: "conflict" } });
  });

  test("under other settings than the index's is left to the object", async () => {
    const { builder } = fixture.ports();
    const ports = { ...fixture.ports(), store: fixture.objects, blocks: new MemoryBlocks() };
    const other = createEventualReader({ ...ports, builder: { ...builder, analyzer: "another" } });
    const refused = await other.search(commandOf(fixture, { text: "report" }));
    expect(refused).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
  });
});

describe("what an eventual read asks of the store", () => {
  async function watched() {
    const fixture = new EntityFixture();
    await storyOf(fixture);
    const { store, calls } = watchedStore(fixture.store);
    const objects: ObjectStore = { ...fixture.objects, forTenant: () => store };
    return { fixture, calls, objects, blocks: new MemoryBlocks() };
  }

  test("is the head, then its shards; from then on what is near", async () => {
    const { fixture, calls, objects, blocks } = await watched();
    const ask = async (reader: EventualReader) => {
      calls.reset();
      const { cache } = valueIn(await reader.search(commandOf(fixture, { text: "report" })));
      return { cache, count: calls.count, waves: calls.waves };
    };
    const reader = readerOf(fixture, blocks, objects);
    expect(await ask(reader)).toEqual({ cache: "cold", count: 3 + 3, waves: 3 });
    expect(await ask(reader)).toEqual({ cache: "memory", count: 0, waves: 0 });
    expect(await ask(readerOf(fixture, blocks, objects))).toEqual({ cache: "ssd", count: 3, waves: 2 });
    fixture.nowMs += EVENTUAL_HEAD_CACHE_MS;
    expect(await ask(reader)).toEqual({ cache: "memory", count: 3, waves: 2 });
  });

  test("does not depend on a cache that forgets everything", async () => {
    const { fixture } = await watched();
    const forgetful: BlockCache = { get: async () => null, put: async () => undefined };
    const reader = readerOf(fixture, forgetful);
    for (const cache of ["cold", "memory"]) {
      expect(valueIn(await reader.search(commandOf(fixture, { text: "report" }))).cache).toBe(cache);
    }
  });

  test("replaces what lies damaged in the cache", async () => {
    const { fixture, blocks, objects } = await watched();
    const first = valueIn(await readerOf(fixture, blocks, objects).search(commandOf(fixture, { text: "report" })));
    for (const bytes of blocks.blocks.values()) bytes[300] = (bytes[300] ?? 0) ^ 1;
    const second = valueIn(await readerOf(fixture, blocks, objects).search(commandOf(fixture, { text: "report" })));
    expect(second).toEqual(first);
    expect(valueIn(await readerOf(fixture, blocks).search(commandOf(fixture, { text: "report" }))).cache).toBe("ssd");
  });

  test.each([
    ["as much as it reads", EVENTUAL_SCOPE_BYTES_MAX, true],
    ["a byte more", EVENTUAL_SCOPE_BYTES_MAX + 1, false],
  ])("of an entity with %s is bounded", async (_, bytes, answers) => {
    const fixture = new EntityFixture();
    await fixture.accept({ id: "a", text: "report" });
    await index(fixture);
    const key = headKey(fixture.scope.entity, 1);
    const stored = await fixture.store.get(key);
    const head = valueIn(readStored(headSchema, stored?.bytes ?? new Uint8Array(), key));
    const shards = head.shards.map((shard) => ({ ...shard, bytes }));
    await fixture.store.put(key, storedBytes(storedHead({ ...head, shards })));
    const reader = readerOf(fixture);
    const both = await Promise.all([1, 2].map(() => reader.search(commandOf(fixture, { text: "report" }))));
    expect(both.map(({ ok }) => ok)).toEqual([answers, false]);
    expect((await reader.search(commandOf(fixture, { text: "report" }))).ok).toBe(answers);
  });

  test("that was never written, or never indexed, is nothing it can answer with", async () => {
    const fixture = new EntityFixture();
    const ask = () => readerOf(fixture).search(commandOf(fixture, { text: "report" }));
    expect(await ask()).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
    await fixture.accept({ id: "a", text: "report" });
    expect(await ask()).toMatchObject({ ok: false, failure: { reason: "unavailable" } });
  });
});

describe("an entity that is erased", () => {
  test("is read no more by the time that is stated, and its successor alone after it", async () => {
    const fixture = new EntityFixture();
    await storyOf(fixture);
    const reader = readerOf(fixture);
    const ask = (by = reader) => by.search(commandOf(fixture, { text: "report" }));
    expect((await ask()).ok).toBe(true);
    valueIn(await fixture.serve((entity) => entity.erase()));
    expect((await ask(readerOf(fixture))).ok).toBe(false);
    fixture.nowMs += EVENTUAL_HEAD_CACHE_MS;
    expect((await ask()).ok).toBe(false);
    await fixture.sweep();
    await fixture.accept({ id: "new", text: "report of another life" });
    await index(fixture);
    expect(valueIn(await ask()).hits.map(({ id }) => id)).toEqual(["new"]);
  });
});

describe("tenants whose entities have the same name", () => {
  test("never meet, in one isolate and one data centre", async () => {
    const objects = memoryStore();
    const blocks = new MemoryBlocks();
    const fixtures = ["t", "u"].map((tenant) => new EntityFixture("account:acme", objects, tenant));
    for (const fixture of fixtures) {
      await fixture.accept({
        id: `${fixture.scope.tenant}-1`,
        text: "report",
        attributes: { of: fixture.scope.tenant },
      });
      await index(fixture);
    }
    const [first] = fixtures;
    if (first === undefined) throw new Error("there are two");
    const reader = readerOf(first, blocks);
    for (const fixture of [...fixtures, ...fixtures]) {
      const { hits } = valueIn(await reader.search(commandOf(fixture, { text: "report" })));
      expect(hits.map(({ id }) => id)).toEqual([`${fixture.scope.tenant}-1`]);
      expect(hits[0]?.citation.segment).toContain(`tenants/${fixture.scope.tenant}/`);
    }
    const owners = [...blocks.blocks.keys()].map((name) => name.split("/").slice(0, 4).join("/"));
    expect(owners).toEqual(fixtures.map(({ scope }) => `tenants/${scope.tenant}/entities/account%3Aacme`));
  });

  test("meet in nothing even when one has the other's cache: bytes that are not its own are refused", async () => {
    const objects = memoryStore();
    const [mine, theirs] = ["t", "u"].map((tenant) => new EntityFixture("account:acme", objects, tenant));
    if (mine === undefined || theirs === undefined) throw new Error("there are two");
    for (const fixture of [mine, theirs]) {
      await fixture.accept({ id: fixture.scope.tenant, text: "report" });
      await index(fixture);
    }
    const blocks = new MemoryBlocks();
    await readerOf(theirs, blocks).search(commandOf(theirs, { text: "report" }));
    const [foreign] = blocks.blocks.values();
    const swapped: BlockCache = { get: async () => foreign ?? null, put: async () => undefined };
    const { hits, cache } = valueIn(await readerOf(mine, swapped).search(commandOf(mine, { text: "report" })));
    expect({ ids: hits.map(({ id }) => id), cache }).toEqual({ ids: ["t"], cache: "cold" });
  });
});

describe("who answers an eventual search", () => {
  const command = commandOf(new EntityFixture(), { text: "x" });
  const answerBy = (who: string) => ok({ token: who } as SearchAnswer);
  const unavailable = (what: string) => fail({ reason: "unavailable", what, retryAfterSeconds: 1 });
  const reader = (answer: Result<SearchAnswer>): EventualReader => ({ search: async () => answer });
  const broken: EventualReader = { search: () => Promise.reject(new Error("the store is down")) };
  /** Whatever is not there at once is late. */
  const timer: Timer = {
    sleep: async () => undefined,
    within: (ms, work) => {
      expect(ms).toBe(EVENTUAL_OBJECT_MS);
      const late = new Promise<"timeout">((resolve) => setTimeout(resolve, 0, "timeout"));
      return Promise.race([work, late]);
    },
  };
  const search = (object: () => Promise<Result<SearchAnswer>>, own: EventualReader) =>
    searchEventually(object, own, command, timer);
  const later = <T>(value: T): Promise<T> => new Promise((resolve) => setTimeout(resolve, 20, value));
  const silent = () => new Promise<never>(() => undefined);
  const throwing = () => Promise.reject(new Error("the object is gone"));

  test("the object, when it does", async () => {
    expect(await search(async () => answerBy("object"), broken)).toEqual(answerBy("object"));
    const mistake = fail({ reason: "conflict", detail: "never issued" });
    expect(await search(async () => mistake, reader(answerBy("reader")))).toEqual(mistake);
  });

  test.each<[string, () => Promise<Result<SearchAnswer>>]>([
    ["throws", throwing],
    [
      "throws at once",
      () => {
        throw new Error("no such object");
      },
    ],
    ["is unavailable", async () => unavailable("object")],
    ["is silent", silent],
  ])("the reader, when the object %s", async (_, object) => {
    expect(await search(object, reader(answerBy("reader")))).toEqual(answerBy("reader"));
  });

  test("the object in the end, when the reader cannot", async () => {
    for (const own of [broken, reader(unavailable("reader")), reader(fail({ reason: "conflict", detail: "later" }))]) {
      expect(await search(() => later(answerBy("object")), own)).toEqual(answerBy("object"));
      expect(await search(async () => unavailable("object"), own)).toEqual(unavailable("object"));
      await expect(search(throwing, own)).rejects.toThrow("the object is gone");
    }
  });

  test("the reader, of what is wrong with the request", async () => {
    const wrong = fail({ reason: "invalid", errors: [{ path: "filter", message: "is no filter" }] });
    expect(await search(async () => unavailable("object"), reader(wrong))).toEqual(wrong);
  });
});
