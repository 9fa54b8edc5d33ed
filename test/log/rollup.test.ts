import { zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { ROLLUP_LIST_SPARES_MIN, ROLLUP_SPARES_MIN, STORE_CONCURRENCY_MAX } from "../../core/limits.ts";
import { rollupKey, segmentKey } from "../../core/log/keys.ts";
import { type FoundSegment, readSegments, type WantedSegment } from "../../core/log/read_segments.ts";
import { type RollupSlice, readRollup, writeRollup } from "../../core/log/rollup.ts";
import { frameLines, joinFrames } from "../../core/log/segment.ts";
import { hex } from "../../core/log/text_encoding.ts";
import type { TenantStore } from "../../core/ports.ts";
import { storedSegmentMetadata } from "../../core/schema/stored.ts";
import { valueIn } from "../objects/entity_fixture.ts";
import { watchedStore } from "../objects/store_calls.ts";

const ENTITY = "account:acme";

function sliceOf(commit: number, lines: readonly string[] = [`{"id":"e${commit}"}`]): RollupSlice {
  const { bytes, rawBytes } = joinFrames(frameLines(lines, nodeCompression));
  const facts = {
    commit,
    sha256: hex(nodeDigest.sha256(bytes)),
    lines: lines.length,
    rawBytes,
    vectors: 0,
    dimensions: 0,
    vectorBytes: 0,
    arrivalMs: commit,
  };
  return { segment: segmentKey(ENTITY, 0, 1, commit), bytes: bytes.length, facts, content: bytes };
}

describe("a rollup", () => {
  const slices = [1, 2, 4].map((commit) => sliceOf(commit, [`{"id":"a${commit}"}`, `{"id":"b${commit}"}`]));
  const bytes = writeRollup(slices, nodeCompression);

  test("is read back as it was written", () => {
    expect(readRollup(bytes, nodeCompression)).toEqual(slices);
  });

  test("decompresses to the lines of its segments", () => {
    const first = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true) + 8;
    const whole = slices.map(({ content }) => zstdDecompressSync(content).toString()).join("");
    expect(Buffer.from(valueIn(nodeCompression.unzstd(bytes.subarray(first), 10_000))).toString()).toBe(whole);
  });

  test("of which a byte is missing or another is never taken for whole", () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, change, cut) => {
        const damaged = cut ? bytes.slice(0, at) : bytes.map((byte, index) => (index === at ? byte ^ change : byte));
        const read = readRollup(damaged, nodeCompression) ?? [];
        const whole = read.filter(({ content, facts }) => hex(nodeDigest.sha256(content)) === facts.sha256);
        for (const slice of whole) expect(slices).toContainEqual(slice);
        expect(whole.length).toBeLessThan(slices.length);
      }),
    );
  });
});

describe("segments that are read together", () => {
  const COMMITS = 300;
  const all = Array.from({ length: COMMITS }, (_, index) => sliceOf(index + 1));

  async function stored(rollups: readonly (readonly [number, number])[]): Promise<TenantStore> {
    const store = memoryStore().forTenant("t");
    for (const { segment, content, facts } of all) {
      const metadata = storedSegmentMetadata({ ...facts, incarnation: 1, minTs: 0, maxTs: 0 });
      await store.create(segment, content, metadata);
    }
    for (const [from, to] of rollups)
      await store.put(rollupKey(ENTITY, 1, from, to), writeRollup(all.slice(from - 1, to), nodeCompression));
    return store;
  }

  const ports = (store: TenantStore) => ({ store, compression: nodeCompression, digest: nodeDigest });
  const wantedOf = (slices: readonly RollupSlice[]): WantedSegment[] =>
    slices.map(({ segment, facts }) => ({ commit: facts.commit, segment }));

  async function read(store: TenantStore, wanted: readonly WantedSegment[]): Promise<FoundSegment[]> {
    const found: FoundSegment[] = [];
    for await (const one of readSegments(ports(store), wanted)) found.push(valueIn(one));
    return found;
  }

  test("are the same, in order, whatever is rolled up", async () => {
    const range = fc.tuple(fc.integer({ min: 1, max: COMMITS }), fc.nat(120));
    await fc.assert(
      fc.asyncProperty(fc.array(range, { maxLength: 8 }), range, async (ranges, [from, more]) => {
        const store = await stored(ranges.map(([first, count]) => [first, Math.min(COMMITS, first + count)] as const));
        const wanted = all.slice(from - 1, from + more);
        const found = await read(store, wantedOf(wanted));
        expect(found.map(({ bytes }) => bytes)).toEqual(wanted.map(({ content }) => content));
        expect(found.map(({ facts }) => facts?.sha256)).toEqual(wanted.map(({ facts }) => facts.sha256));
        expect(found.map(({ lines }) => lines)).toEqual(wanted.map(({ facts }) => [`{"id":"e${facts.commit}"}`]));
      }),
      { numRuns: 50 },
    );
  });

  test("cost a listing, a request for each rollup, and one for each segment that is in none", async () => {
    const { store, calls } = watchedStore(
      await stored([
        [1, 100],
        [101, 290],
      ]),
    );
    await read(store, wantedOf(all));
    expect(calls.count).toBe(1 + 2 + 10);
    expect(calls.atOnceMax).toBeLessThanOrEqual(STORE_CONCURRENCY_MAX);
  });

  test("are read one by one where a listing or a rollup would spare too little", async () => {
    const { store, calls } = watchedStore(await stored([[1, 100]]));
    await read(store, wantedOf(all.slice(0, ROLLUP_LIST_SPARES_MIN - 1)));
    expect(calls.count).toBe(ROLLUP_LIST_SPARES_MIN - 1);
    calls.count = 0;
    await read(store, wantedOf(all.slice(0, ROLLUP_LIST_SPARES_MIN)));
    expect(calls.count).toBe(1 + 1);
    calls.count = 0;
    const few = ROLLUP_SPARES_MIN - 1;
    await read(store, wantedOf(all.slice(100 - few, 200)));
    expect(calls.count).toBe(1 + few + 100);
    calls.count = 0;
    await read(store, wantedOf(all.slice(100 - ROLLUP_SPARES_MIN, 200)));
    expect(calls.count).toBe(1 + 1 + 100);
  });

  test("come from the segments where a rollup is damaged, gone, or of other bytes than are expected", async () => {
    const key = rollupKey(ENTITY, 1, 1, 100);
    const intact = writeRollup(all.slice(0, 100), nodeCompression);
    const others = all.slice(0, 100).map(({ facts }) => sliceOf(facts.commit, ['{"id":"other"}']));
    const damages: Record<string, (store: TenantStore) => Promise<void>> = {
      flipped: (store) =>
        store.put(
          key,
          intact.map((byte, at) => (at === intact.length - 1 ? byte ^ 1 : byte)),
        ),
      cut: (store) => store.put(key, intact.slice(0, -1)),
      empty: (store) => store.put(key, new Uint8Array(0)),
      other: (store) => store.put(key, writeRollup(others, nodeCompression)),
    };
    for (const [name, damage] of Object.entries(damages)) {
      const store = await stored([[1, 100]]);
      await damage(store);
      const wanted = all.map(({ segment, facts }) => ({ commit: facts.commit, segment, expected: facts }));
      const found = await read(store, wanted);
      expect(
        found.map(({ bytes }) => bytes),
        name,
      ).toEqual(all.map(({ content }) => content));
    }
  });

  test("that are nowhere are named, and the others are still read", async () => {
    const store = await stored([[1, 100]]);
    const lost = all[199]?.segment ?? "";
    await store.delete([lost]);
    let found = 0;
    for await (const one of readSegments(ports(store), wantedOf(all))) {
      if (one.ok) found += 1;
      else expect(one.failure).toMatchObject({ reason: "corrupt", what: expect.stringContaining(lost) });
    }
    expect(found).toBe(COMMITS - 1);
  });
});
