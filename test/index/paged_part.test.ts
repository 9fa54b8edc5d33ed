/** A part over pages answers as one whose bytes are all in memory, and keeps little of them there. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildPart } from "../../core/index/build_part.ts";
import { commitsOf } from "../../core/index/open_part.ts";
import { openPagedPart, type TablesCache } from "../../core/index/paged_part.ts";
import type { Part, PartVectors } from "../../core/index/part.ts";
import { FRAME_RAW_BYTES_MAX, PART_FRAMES_KEPT_MAX } from "../../core/limits.ts";
import { commitsFrom, letterEmbedder, opened, sourceOf, timelineArbitrary, tools } from "./part_fixture.ts";

const letterTools = { ...tools, embedder: letterEmbedder };

/** Keeps the tables of one part for as long as the part. */
function keptTables(): TablesCache {
  let kept: Part | null = null;
  return {
    get: () => kept,
    put(tables) {
      kept = tables;
    },
  };
}

/** Keeps nothing: every table is read again whenever it is asked for. */
const forgetful: TablesCache = { get: () => null, put: () => {} };

function paged(bytes: Uint8Array, hotBytes: number, cache: TablesCache = keptTables()) {
  const reads = { count: 0 };
  const part = openPagedPart(
    {
      hotBytes,
      read(offset, length) {
        reads.count += 1;
        return bytes.slice(offset, offset + length);
      },
      readEach(ranges) {
        reads.count += 1;
        return ranges.map(({ offset, length }) => bytes.slice(offset, offset + length));
      },
      readPieces(offset, length) {
        reads.count += 1;
        const middle = offset + (length >> 1);
        return [bytes.slice(offset, middle), bytes.slice(middle, offset + length)];
      },
    },
    tools,
    cache,
  );
  return { part, reads };
}

function openPaged(bytes: Uint8Array, hotBytes: number): Part {
  const { part } = paged(bytes, hotBytes);
  if (!part.ok) throw new Error(JSON.stringify(part.failure));
  return part.value;
}

const sectionsOf = (vectors: PartVectors | null) =>
  vectors && {
    space: vectors.space,
    from: vectors.from,
    bytes: vectors.paged.bytes,
    codes: joined(vectors.paged.codes()),
    someResiduals: vectors.paged.residuals([
      { offset: 8, length: 40 },
      { offset: 0, length: 4 },
    ]),
    sections: { codes: vectors.sections.codes, residuals: vectors.sections.residuals, graph: vectors.sections.graph },
  };

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

/** All that a part says. */
function told(part: Part) {
  const { incarnation, revision, from, to, rows, documents, times, bytes, hotBytes } = part;
  return {
    numbers: { incarnation, revision, from, to, rows, documents, times, bytes, hotBytes },
    commits: commitsOf(part),
    rowTimes: [...part.rowTimes],
    ids: Array.from({ length: rows }, (_, row) => part.idOfRow(row)),
    idHashes: [...part.idHashes],
    withdrawals: part.withdrawals,
    columns: [...part.columns].map(([name, { codes, values }]) => [name, [...codes], values]),
    chunks: [part.rowOfDocument, part.chunkOfDocument, part.chunkFrom, part.chunkTo].map((table) => [...table]),
    text: { text: part.text.text, postings: part.text.postings },
    vectors: [sectionsOf(part.vectors.supplied), sectionsOf(part.vectors.embedded)],
  };
}

describe("a part over pages", () => {
  test("says what it says when all of it is in memory", () => {
    fc.assert(
      fc.property(timelineArbitrary, (timeline) => {
        const commits = commitsFrom(1, [...timeline, [{ id: "v", vector: [1, 2, 3] }]]);
        const bytes = buildPart(sourceOf(commits, letterEmbedder.id), letterTools);
        const whole = opened(bytes);
        const { part, reads } = paged(bytes, whole.hotBytes, forgetful);
        if (!part.ok) throw new Error(part.failure.reason);
        const expected = told(whole);
        expect(told(openPaged(bytes, whole.hotBytes))).toEqual(expected);
        const before = reads.count;
        expect(told(part.value)).toEqual(expected);
        expect(reads.count).toBeGreaterThan(before + whole.rows);
      }),
      { numRuns: 40 },
    );
  });

  const commits = commitsFrom(1, [
    Array.from({ length: 300 }, (_, n) => ({
      id: `e${n}`,
      text: `line ${n} ${"of some words ".repeat(20)}`,
      vector: Array.from({ length: 256 }, (_, d) => Math.sin(n * d)),
    })),
  ]);
  const bytes = buildPart(sourceOf(commits), tools);
  const whole = opened(bytes);

  test("opens in three reads, and keeps neither vectors nor lines nor the dictionary", () => {
    const { part, reads } = paged(bytes, whole.hotBytes);
    if (!part.ok) throw new Error(part.failure.reason);
    expect(reads.count).toBe(3);
    expect(part.value.heldBytes).toBeLessThan(bytes.length / 4);
    expect(part.value.lineOfRow(7)).toBe(whole.lineOfRow(7));
    expect(part.value.lineOfRow(8)).toBe(whole.lineOfRow(8));
    expect(reads.count).toBeLessThanOrEqual(4);
    expect(opened(bytes).heldBytes).toBe(bytes.length);
  });

  test("says what it has decoded since, up to its limits", () => {
    const kept = keptTables();
    if (!paged(bytes, whole.hotBytes, kept).part.ok) throw new Error("no part");
    const part = kept.get();
    if (part === null) throw new Error("no tables");
    const first = part.heldBytes;
    part.lineOfRow(0);
    expect(part.heldBytes).toBeGreaterThan(first);
    for (let row = 0; row < part.rows; row += 1) part.lineOfRow(row);
    expect(part.heldBytes - first).toBeGreaterThan(0);
    expect(part.heldBytes - first).toBeLessThanOrEqual(PART_FRAMES_KEPT_MAX * FRAME_RAW_BYTES_MAX);
    const lines = part.heldBytes;
    expect(part.columns.get("kind")?.codes.length).toBe(part.rows);
    const columns = part.heldBytes;
    expect(columns - lines).toBeGreaterThanOrEqual(4 * part.rows);
    expect(part.columnCodes("kind")?.length).toBe(part.rows);
    expect(part.heldBytes).toBe(columns);
    expect(part.idOfRow(0)).toBe(whole.idOfRow(0));
    expect(part.heldBytes).toBeGreaterThan(columns);
  });

  test("is refused by the name of what is damaged, unless that is left to the kernel or to a frame", () => {
    const tables = (part: Part) => ({
      ...told({ ...part, lineOfRow: () => "" }),
      commits: [],
      text: null,
      vectors: null,
    });
    const expected = tables(whole);
    let opens = 0;
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (at) => {
        const damaged = bytes.slice();
        damaged[at] = (damaged[at] ?? 0) ^ 1;
        const { part } = paged(damaged, whole.hotBytes);
        if (at < whole.hotBytes) expect(part.ok).toBe(false);
        if (!part.ok) expect(part.failure.reason).toBe("corrupt");
        else expect(tables(part.value)).toEqual(expected);
        opens += Number(part.ok);
      }),
      { numRuns: 200 },
    );
    expect(opens).toBeGreaterThan(0);
  });
});
