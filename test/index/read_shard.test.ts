import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import type { Result } from "../../core/errors.ts";
import { buildPart } from "../../core/index/build_part.ts";
import { openPart } from "../../core/index/open_part.ts";
import type { CommitLines, Part } from "../../core/index/part.ts";
import { type ByteRange, planRanges, type ShardNeeds } from "../../core/index/plan_ranges.ts";
import { type ReadShard, readShardForSearch } from "../../core/index/read_shard.ts";
import { SECTION, SECTION_KINDS } from "../../core/index/sections.ts";
import {
  PAGE_CHECKSUMS,
  readShardFile,
  SHARD_PAGE_BYTES,
  type ShardSection,
  writeShardFile,
} from "../../core/index/shard_file.ts";
import {
  SHARD_RANGE_GAP_BYTES,
  SHARD_RANGES_MAX,
  SHARD_WHOLE_READ_BYTES,
  STORE_CONCURRENCY_MAX,
} from "../../core/limits.ts";
import type { TenantStore } from "../../core/ports.ts";
import { columnOrderOf } from "../../core/retrieval/matches.ts";
import type { View } from "../../core/retrieval/view.ts";
import { type Body, run, supplied } from "../retrieval/search_fixture.ts";
import { commitsFrom, type Entry, sourceOf, tools } from "./part_fixture.ts";

const KEY = "entities/e/indexes/one.shard";
const DIMENSIONS = 64;

/** The same numbers in [0, 1) every time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function noise(length: number, random: () => number): string {
  let text = "";
  for (let index = 0; index < length; index++) text += BASE64[Math.floor(random() * BASE64.length)];
  return text;
}

interface Shape {
  /** Of the vocabulary. */
  readonly words: number;
  readonly wordsInText: number;
  readonly hasVectors: boolean;
}

const HYBRID: Shape = { words: 500, wordsInText: 30, hasVectors: true };

/** Bodies that do not compress make a shard large without making it slow to build. */
function entriesOf(
  count: number,
  bodyCharacters: number,
  { words: vocabulary, wordsInText, hasVectors }: Shape,
  random: () => number,
): readonly Entry[] {
  const words = Array.from({ length: vocabulary }, () => noise(3, random).toLowerCase());
  return Array.from({ length: count }, (_, index) => ({
    id: `event ${index}`,
    ts: index * 1_000,
    kind: index % 3 === 0 ? "note" : "message",
    text: Array.from({ length: wordsInText }, () => words[Math.floor(random() ** 2 * words.length)]).join(" "),
    attributes: {
      stage: ["won", "lost", "open"][index % 3] ?? "",
      owner: `owner ${index % 40}`,
      serial: `${index}`.padStart(40, "serial "),
    },
    ...(hasVectors ? { vector: vectorOf(random) } : {}),
    body: { noise: noise(bodyCharacters, random) },
  }));
}

function vectorOf(random: () => number): number[] {
  return Array.from({ length: DIMENSIONS }, () => Math.round((random() - 0.5) * 100));
}

interface Sample {
  readonly commits: readonly CommitLines[];
  readonly bytes: Uint8Array;
  readonly part: Part;
}

function sampleOf(count: number, bodyCharacters: number, shape = HYBRID): Sample {
  const entries = entriesOf(count, bodyCharacters, shape, numbers(7));
  const commits = commitsFrom(1, [entries.slice(0, count / 2), entries.slice(count / 2)]);
  const bytes = buildPart(sourceOf(commits), tools);
  const part = openPart(bytes, tools);
  if (!part.ok) throw new Error(JSON.stringify(part.failure));
  return { commits, bytes, part: part.value };
}

/** A memory store that counts requests, how many wait at once, and how often they began when none waited. */
async function countingStore(bytes: Uint8Array) {
  const plain = memoryStore().forTenant("t");
  await plain.put(KEY, bytes);
  const calls = { get: 0, ranges: [] as ByteRange[], waves: 0, waiting: 0, mostWaiting: 0 };
  const store: TenantStore = {
    ...plain,
    async get(key) {
      calls.get++;
      return plain.get(key);
    },
    async getRange(key, offset, length) {
      calls.ranges.push({ offset, length });
      if (calls.waiting++ === 0) calls.waves++;
      calls.mostWaiting = Math.max(calls.mostWaiting, calls.waiting);
      try {
        await Promise.resolve();
        return await plain.getRange(key, offset, length);
      } finally {
        calls.waiting--;
      }
    },
  };
  return { store, calls };
}

const storedAs = ({ bytes, part }: Sample) => ({ key: KEY, bytes: bytes.length, hotBytes: part.hotBytes });
const NOTHING: ShardNeeds = { terms: [], vectors: null, columns: [], rowTimes: false, ids: false, lines: false };
/** What any search by text and vectors without a filter on attributes asks of a part. */
const hybridNeeds = (part: Part, text: string): ShardNeeds => ({
  terms: tools.builder.analyze(text),
  vectors: "supplied",
  columns: columnOrderOf(part),
  rowTimes: true,
  ids: true,
  lines: true,
});

const read = (store: TenantStore, sample: Sample, needs: ShardNeeds): Promise<Result<ReadShard>> =>
  readShardForSearch(store, storedAs(sample), needs, tools);

function sound<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

const large = sampleOf(2_000, 3_000);
const viewOf = (part: Part): View => ({
  snapshot: { incarnation: 1, commit: part.to, vectorCommit: part.to, revision: part.revision },
  parts: [part],
});
const search = (part: Part, body: Body) => run(viewOf(part), body, { commits: large.commits, tools: supplied }).hits;

describe("a small shard", () => {
  test("is read whole in one request, lines and all", async () => {
    const small = sampleOf(20, 100);
    const { store, calls } = await countingStore(small.bytes);
    const shard = sound(await read(store, small, NOTHING));
    expect(await shard.readLines([0, 19])).toEqual({ ok: true, value: null });
    expect(shard.part.lineOfRow(19)).toBe(small.part.lineOfRow(19));
    expect(shard.part.text.text).toEqual(small.part.text.text);
    expect(shard.part.text.postings).toEqual(small.part.text.postings);
    expect([calls.get, calls.ranges]).toEqual([1, []]);
  });

  test("is one of up to the limit, and no other", async () => {
    const { store, calls } = await countingStore(large.bytes);
    const stored = { ...storedAs(large), bytes: SHARD_WHOLE_READ_BYTES };
    expect((await readShardForSearch(store, stored, NOTHING, tools)).ok).toBe(true);
    expect([calls.get, calls.ranges.length]).toEqual([1, 0]);
    await readShardForSearch(store, { ...stored, bytes: SHARD_WHOLE_READ_BYTES + 1 }, NOTHING, tools);
    expect([calls.get, calls.ranges.length]).toEqual([1, 1]);
  });
});

describe("a large shard", () => {
  test("is above the limit, and hot in a small part of it", () => {
    expect(large.bytes.length).toBeGreaterThan(SHARD_WHOLE_READ_BYTES);
    expect(large.part.hotBytes).toBeLessThan(large.bytes.length / 20);
  });

  test("costs one request for its start when nothing else is asked", async () => {
    const { store, calls } = await countingStore(large.bytes);
    const { part } = sound(await read(store, large, NOTHING));
    expect(calls.ranges).toEqual([{ offset: 0, length: large.part.hotBytes }]);
    expect(calls.get).toBe(0);
    expect([part.rows, part.documents, part.times, part.bytes]).toEqual([
      2_000,
      2_000,
      large.part.times,
      large.bytes.length,
    ]);
    expect(part.commits.map(({ segment }) => segment)).toEqual(large.commits.map(({ segment }) => segment));
    expect([part.mayHaveId("event 7"), part.mayHaveId("no event 1")]).toEqual([true, false]);
    expect(part.columns.has("kind")).toBe(true);
    expect(() => part.columns.get("kind")).toThrow("kind was not read");
  });

  test("gives the hits of the whole one, after one wave of few ranges, and their lines after another", async () => {
    const { store, calls } = await countingStore(large.bytes);
    const [line = ""] = large.commits[0]?.lines ?? [];
    const text = JSON.parse(line).text.split(" ").slice(0, 4).join(" ");
    const shard = sound(await read(store, large, hybridNeeds(large.part, text)));
    const ranges = calls.ranges.length - 1;
    expect(ranges).toBeLessThanOrEqual(SHARD_RANGES_MAX);
    expect(calls.waves).toBe(2);
    expect(calls.mostWaiting).toBeLessThanOrEqual(STORE_CONCURRENCY_MAX);
    expect(calls.ranges.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(large.bytes.length / 4);

    const vector = vectorOf(numbers(3));
    for (const asked of [{ text }, { text, vector }, { vector, mode: "vector" }] as const) {
      const body = { ...asked, from: 100_000, filter: { kind: "note" } };
      const bare = search(shard.part, { ...body, include: [] });
      expect(bare).toEqual(search(large.part, { ...body, include: [] }));
      expect(bare.length).toBe(10);
      const rows = bare.map(({ id }) => shard.part.rowOfId(id));
      const before = calls.ranges.length;
      expect(sound(await shard.readLines(rows))).toBeNull();
      expect(calls.ranges.length - before).toBeLessThanOrEqual(SHARD_RANGES_MAX);
      expect(search(shard.part, body)).toEqual(search(large.part, body));
      expect(sound(await shard.readLines(rows))).toBeNull();
    }
    expect(calls.get).toBe(0);
  });

  test("reads nothing twice: lines that are there cost no request", async () => {
    const { store, calls } = await countingStore(large.bytes);
    const shard = sound(await read(store, large, { ...NOTHING, lines: true }));
    sound(await shard.readLines([1_000, 3]));
    const before = calls.ranges.length;
    sound(await shard.readLines([3, 1_000, 3]));
    sound(await shard.readLines([]));
    expect(calls.ranges.length).toBe(before);
    for (const row of [3, 1_000]) expect(shard.part.lineOfRow(row)).toBe(large.part.lineOfRow(row));
  });

  test("throws at what was not asked for, since that is a bug", async () => {
    const { store } = await countingStore(large.bytes);
    const { part, readLines } = sound(await read(store, large, { ...NOTHING, columns: ["attributes.stage"] }));
    expect(part.columns.get("attributes.stage")?.values).toEqual(["won", "lost", "open"]);
    expect(part.text.postings).toEqual([]);
    const unread = [
      () => part.rowTimes,
      () => part.idHashes,
      () => part.rowOfId("event 1"),
      () => part.lineOfRow(0),
      () => part.vectors.supplied?.sections.codes,
      () => part.vectors.supplied?.sections.residuals,
      () => readLines([0]),
    ];
    for (const ask of unread) expect(ask).toThrow(RangeError);
  });

  test("gives of each kind of need what the whole one has", async () => {
    const { store } = await countingStore(large.bytes);
    const names = ["attributes.owner", "attributes.serial", "kind"];
    const { part } = sound(await read(store, large, { ...hybridNeeds(large.part, ""), columns: names }));
    expect(part.text.text).toEqual(large.part.text.text);
    const [ranged, entire] = [part, large.part].map(({ vectors }) => vectors.supplied?.sections);
    expect([ranged?.codes, ranged?.residuals]).toEqual([entire?.codes, entire?.residuals]);
    expect(part.rowTimes).toEqual(large.part.rowTimes);
    expect([part.idHashes, part.idRows]).toEqual([large.part.idHashes, large.part.idRows]);
    for (const name of names) {
      const column = large.part.columns.get(name);
      expect(part.columns.get(name)?.codes).toEqual(column?.codes);
      expect(part.columns.get(name)?.values).toEqual(column?.values);
    }
  });
});

describe("a shard of much text", () => {
  const wordy = sampleOf(6_000, 800, { words: 4_000, wordsInText: 80, hasVectors: false });
  const directory = sound(readShardFile(wordy.bytes, SECTION_KINDS, tools.checksum));
  const section = directory.places.get(SECTION.postings) ?? { offset: 0, length: 0 };
  const words = [...new Set(wordy.commits.flatMap(({ lines }) => JSON.parse(lines[0] ?? "").text.split(" ")))];
  const textNeeds = (text: string): ShardNeeds => ({ ...hybridNeeds(wordy.part, text), vectors: null, lines: false });
  /** The postings of the words of a text, as bytes of the file. */
  const placesOf = (text: string): readonly ByteRange[] =>
    sound(tools.builder.postingsPlaces(wordy.part.text.text, tools.builder.analyze(text))).map(
      ({ offset, length }) => ({ offset: section.offset + offset, length }),
    );
  const searchText = (part: Part, body: Body) =>
    run(viewOf(part), { ...body, mode: "text", include: [] }, { commits: wordy.commits, tools: supplied }).hits;

  test("has far more postings than a question needs", () => {
    expect(wordy.bytes.length).toBeGreaterThan(SHARD_WHOLE_READ_BYTES);
    expect(section.length).toBeGreaterThan(8 * SHARD_RANGE_GAP_BYTES);
  });

  test("is read for any question in two waves, of postings only the pages of its terms, and answers as the whole one", async () => {
    const { store, calls } = await countingStore(wordy.bytes);
    const anyText = fc
      .array(fc.constantFrom(...words, "order-1", "nowhere"), { minLength: 1, maxLength: 6 })
      .map((some) => some.join(" "));
    await fc.assert(
      fc.asyncProperty(anyText, fc.boolean(), async (text, isFiltered) => {
        Object.assign(calls, { ranges: [], waves: 0 });
        const { part } = sound(await read(store, wordy, textNeeds(text)));
        const [start, ...others] = calls.ranges;
        expect([calls.get, calls.waves, start]).toEqual([0, 2, { offset: 0, length: wordy.part.hotBytes }]);
        expect(others.length).toBeLessThanOrEqual(SHARD_RANGES_MAX);
        const body = { text, top_k: 20, ...(isFiltered ? { filter: { kind: "note" } } : {}) };
        expect(searchText(part, body)).toEqual(searchText(wordy.part, body));
      }),
      { numRuns: 40 },
    );
  });

  test("is read for one rare word in one small range, and for none in none", async () => {
    const { store, calls } = await countingStore(wordy.bytes);
    const rare = words.findLast((word) => placesOf(word).length === 1 && (placesOf(word)[0]?.length ?? 0) < 100);
    await read(store, wordy, { ...NOTHING, terms: tools.builder.analyze(rare) });
    expect(calls.ranges.slice(1)).toEqual(planRanges(placesOf(rare), directory));
    expect(calls.ranges[1]?.length).toBeLessThanOrEqual(2 * SHARD_PAGE_BYTES);
    Object.assign(calls, { ranges: [] });
    await read(store, wordy, { ...NOTHING, terms: tools.builder.analyze("nowhere") });
    expect(calls.ranges).toHaveLength(1);
  });

  test("gives no answer about words that it was not read for", async () => {
    const { store } = await countingStore(wordy.bytes);
    const [asked = "", other = ""] = words.filter((word) => placesOf(word).length === 1);
    const { part } = sound(await read(store, wordy, textNeeds(asked)));
    expect(searchText(part, { text: asked })).toHaveLength(10);
    expect(() => searchText(part, { text: `${asked} ${other}` })).toThrow(RangeError);
    expect(searchText(part, { text: `${asked} nowhere` })).toEqual(
      searchText(wordy.part, { text: `${asked} nowhere` }),
    );
  });

  test("is refused by the name of its postings whichever byte of what was read of them was flipped", async () => {
    const damaged = wordy.bytes.slice();
    const plain = memoryStore().forTenant("t");
    const getRange = async (_key: string, from: number, count: number) => damaged.slice(from, from + count);
    const store: TenantStore = { ...plain, getRange };
    const text = words
      .filter((word) => (placesOf(word)[0]?.length ?? 0) > 100)
      .slice(0, 2)
      .join(" ");
    const needs = { ...NOTHING, terms: tools.builder.analyze(text) };
    const places = placesOf(text);
    const ofTerms = places.flatMap(({ offset, length }) => Array.from({ length }, (_, index) => offset + index));
    const ofRanges = planRanges(places, directory).flatMap(({ offset, length }) =>
      Array.from({ length: Math.floor(length / 257) }, (_, index) => offset + index * 257),
    );
    expect((await read(store, wordy, needs)).ok).toBe(true);
    const end = section.offset + section.length;
    const unnoticed: number[] = [];
    for (const at of [...ofTerms, ...ofRanges].filter((byte) => byte < end)) {
      const original = damaged[at] ?? 0;
      damaged[at] = original ^ (1 << (at % 8));
      const shard = await read(store, wordy, needs);
      const isNamed =
        !shard.ok && shard.failure.reason === "corrupt" && shard.failure.what === "postings (page checksum)";
      if (!isNamed) unnoticed.push(at);
      damaged[at] = original;
    }
    expect(unnoticed).toEqual([]);
  });
});

describe("a large shard that is damaged", () => {
  // Few rows, so that all but the lines is small; every page but those of the lines is read in wave 2.
  const sample = sampleOf(8, 700_000);
  const text: string = JSON.parse(sample.part.lineOfRow(0)).text;
  const damaged = sample.bytes.slice();
  const plain = memoryStore().forTenant("t");
  let length = damaged.length;
  /** Over bytes that are damaged in place: copying them for every flip would take minutes. */
  const store: TenantStore = {
    ...plain,
    get: async () => ({ bytes: damaged.subarray(0, length), metadata: {} }),
    getRange: async (_key, offset, bytes) => {
      if (offset >= length) throw new RangeError("beyond the end");
      return damaged.slice(offset, Math.min(offset + bytes, length));
    },
    list: async () => ({ objects: [{ key: KEY, bytes: length }], cursor: null }),
  };
  const rows = Array.from({ length: 8 }, (_, row) => row);

  /** null when it was read, every line included. */
  async function failureOf(): Promise<string | null> {
    const shard = await read(store, sample, hybridNeeds(sample.part, text));
    if (!shard.ok) return shard.failure.reason === "corrupt" ? shard.failure.what : shard.failure.reason;
    const lines = await shard.value.readLines(rows);
    if (!lines.ok) return lines.failure.reason === "corrupt" ? lines.failure.what : lines.failure.reason;
    for (const row of rows) shard.value.part.lineOfRow(row);
    return null;
  }

  /** Every byte up to the lines, and some of the lines. */
  const places = (): readonly number[] => {
    const directory = sound(readShardFile(sample.bytes, SECTION_KINDS, tools.checksum));
    const frames = directory.places.get(SECTION.frames)?.offset ?? 0;
    const ofLines = Array.from(
      { length: 40 },
      (_, index) => frames + Math.floor(((damaged.length - frames) / 40) * index),
    );
    return [...Array.from({ length: frames }, (_, at) => at), ...ofLines, damaged.length - 1];
  };

  test("is read as it was written", async () => {
    expect(await failureOf()).toBeNull();
  });

  test("is refused by name whichever byte was flipped", async () => {
    const unnoticed: number[] = [];
    for (const at of places()) {
      const original = damaged[at] ?? 0;
      damaged[at] = original ^ (1 << (at % 8));
      const failure = await failureOf();
      if (failure === null || failure.length === 0) unnoticed.push(at);
      damaged[at] = original;
    }
    expect(unnoticed).toEqual([]);
  });

  test("is refused by name wherever it was cut", async () => {
    const unnoticed: number[] = [];
    const cuts = places().filter((at) => at > 0);
    for (const cut of cuts) {
      length = cut;
      const failure = await failureOf();
      if (failure === null || failure.length === 0) unnoticed.push(cut);
    }
    length = damaged.length;
    expect(unnoticed).toEqual([]);
  });

  test("is refused when it is missing, or not what the head says", async () => {
    const { store: counted } = await countingStore(sample.bytes);
    const stored = storedAs(sample);
    const tried = [
      { ...stored, key: "entities/e/indexes/none.shard" },
      { ...stored, key: "entities/e/indexes/none.shard", bytes: 1 },
      { ...stored, bytes: stored.bytes + 64 },
      { ...stored, hotBytes: stored.hotBytes - 64 },
      { ...stored, hotBytes: stored.hotBytes + 64 },
    ];
    for (const shard of tried)
      expect(await readShardForSearch(counted, shard, hybridNeeds(sample.part, text), tools)).toMatchObject({
        ok: false,
        failure: { reason: "corrupt" },
      });
  });

  test("lets a fault of the store through: it says nothing about the shard", async () => {
    const { store: counted } = await countingStore(sample.bytes);
    const failing: TenantStore = { ...counted, getRange: () => Promise.reject(new Error("the store is down")) };
    await expect(read(failing, sample, NOTHING)).rejects.toThrow("the store is down");
  });

  /** Checksums that fit do not make a structure. */
  test("with checksums that fit is refused, or answers, but never throws at opening", async () => {
    const directory = sound(readShardFile(sample.bytes, SECTION_KINDS, tools.checksum));
    const sections: ShardSection[] = [...directory.places]
      .filter(([type]) => type !== PAGE_CHECKSUMS)
      .map(([type, place]) => ({
        type,
        hot: place.offset < directory.hotBytes,
        required: true,
        bytes: sample.bytes.subarray(place.offset, place.offset + place.length),
      }));
    const firstCold = sections.findIndex(({ hot }) => !hot);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(sections.length - 2),
        fc.nat(),
        fc.nat(255),
        fc.nat(firstCold),
        async (which, at, value, hot) => {
          const forged = sections.map((one, index) => {
            const content = index === which ? one.bytes.slice() : one.bytes;
            if (index === which && content.length > 0) content[at % content.length] = value;
            return { ...one, hot: index < hot, bytes: content };
          });
          const bytes = writeShardFile(directory.identity, forged, tools.checksum);
          const written = {
            ...store,
            getRange: async (_key: string, from: number, count: number) => bytes.slice(from, from + count),
          };
          const view = new DataView(bytes.buffer);
          const stored = { key: KEY, bytes: bytes.length, hotBytes: Number(view.getBigUint64(56, true)) };
          const opened = await readShardForSearch(written, stored, hybridNeeds(sample.part, text), tools);
          if (!opened.ok) expect(opened.failure.reason).toBe("corrupt");
        },
      ),
      { numRuns: 60 },
    );
  });
});
