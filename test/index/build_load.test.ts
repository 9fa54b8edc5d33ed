import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dimensionsIn, isBuildable, loadOfLines, loadOfShard } from "../../core/index/build_load.ts";
import { buildPart } from "../../core/index/build_part.ts";
import { shardEntry } from "../../core/index/head.ts";
import { BUILD_MEMORY_BYTES_MAX, SHARD_BYTES_MAX } from "../../core/limits.ts";
import { prepareEvents } from "../../core/log/prepare.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { ARRIVAL_MS, commitsFrom, letterEmbedder, opened, sourceOf, tools } from "./part_fixture.ts";

/** Prose: what this project says of itself. */
const DECISIONS = new URL("../../docs/decisions/", import.meta.url);
const PROSE = readdirSync(DECISIONS)
  .map((name) => readFileSync(new URL(name, DECISIONS), "utf8"))
  .join(" ")
  .split(/\s+/);

const textOf = (words: number, seed: number): string =>
  Array.from({ length: words }, (_, index) => PROSE[(seed * words + index) % PROSE.length]).join(" ");

const corpora: readonly {
  readonly name: string;
  readonly event: (n: number) => EventInput;
  readonly events: number;
  readonly embedded: boolean;
}[] = [
  { name: "tiny notes", event: (n) => ({ text: textOf(3, n) }), events: 400, embedded: false },
  { name: "paragraphs", event: (n) => ({ text: textOf(120, n) }), events: 100, embedded: false },
  { name: "long documents", event: (n) => ({ text: textOf(3_000, n) }), events: 4, embedded: true },
  { name: "notes with made vectors", event: (n) => ({ text: textOf(6, n) }), events: 400, embedded: true },
  {
    name: "notes with long vectors",
    event: (n) => ({ text: textOf(6, n), vector: Array.from({ length: 384 }, (_, d) => Math.sin(n * 384 + d)) }),
    events: 400,
    embedded: false,
  },
];

describe("what a build takes", () => {
  test.each(corpora)(
    "is told of $name from the sizes of their lines, roughly",
    ({ event, events: count, embedded }) => {
      const events = Array.from({ length: count }, (_, n) => ({ id: `event-${n}`, ts: n * 60_000, ...event(n) }));
      const prepared = prepareEvents(events, ARRIVAL_MS, tools);
      if (!prepared.ok) throw new Error(prepared.failure.reason);
      const { frames, lines } = prepared.value;
      const size = {
        lines: lines.length,
        rawBytes: frames.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
        vectors: lines.filter(({ dimensions }) => dimensions > 0).length,
        dimensions: lines[0]?.dimensions ?? 0,
        vectorBytes: lines.reduce((sum, { vectorBytes }) => sum + vectorBytes, 0),
      };
      const embedder = embedded ? letterEmbedder : null;
      const source = sourceOf(commitsFrom(1, [events]), embedder?.id);
      const part = opened(buildPart(source, { ...tools, embedder }));
      const told = loadOfLines(size, embedder?.dimensions ?? 0).bytes;
      expect(told / part.bytes).toBeGreaterThan(0.7);
      // With room for a graph, which is much beside short vectors.
      expect(told / part.bytes).toBeLessThan(2.5);
      const entry = shardEntry(part, "a".repeat(64));
      if (size.vectors > 0) expect(Math.abs(dimensionsIn(entry) / 384 - 1)).toBeLessThan(0.1);
      if (!embedded && size.vectors === 0) expect([entry.vectorBytes, dimensionsIn(entry)]).toEqual([0, 0]);
    },
  );

  test("of a shard is its bytes, with room for a graph where it has vectors", () => {
    const plain = { bytes: 1_000, chunks: 10, vectorBytes: 0 };
    expect(loadOfShard(plain).bytes).toBe(1_000);
    expect(loadOfShard({ ...plain, vectorBytes: 500 }).bytes).toBeGreaterThan(1_000);
    expect(dimensionsIn({ bytes: 64, chunks: 0, vectorBytes: 0 })).toBe(0);
  });

  test("is too much beyond the bytes of a shard or the memory of a builder, and not at their edge", () => {
    const [bytes, memoryBytes] = [SHARD_BYTES_MAX, BUILD_MEMORY_BYTES_MAX];
    expect(isBuildable({ bytes, memoryBytes })).toBe(true);
    expect(isBuildable({ bytes: bytes + 1, memoryBytes })).toBe(false);
    expect(isBuildable({ bytes, memoryBytes: memoryBytes + 1 })).toBe(false);
  });

  test("never shrinks by a line more, or a longer one", () => {
    const size = fc.record({
      lines: fc.nat(1_000),
      vectors: fc.nat(1_000),
      dimensions: fc.nat(4_096),
      text: fc.nat(),
      vectorBytes: fc.nat(),
    });
    fc.assert(
      fc.property(size, fc.nat(1_024), fc.nat(10), ({ text, ...one }, embedded, more) => {
        const of = (lines: number, textBytes: number) =>
          loadOfLines({ ...one, lines, rawBytes: textBytes + one.vectorBytes }, embedded);
        const [before, longer] = [of(one.lines, text), of(one.lines + more, text + more)];
        expect(longer.bytes).toBeGreaterThanOrEqual(before.bytes);
        expect(longer.memoryBytes).toBeGreaterThanOrEqual(before.memoryBytes);
      }),
    );
  });
});
