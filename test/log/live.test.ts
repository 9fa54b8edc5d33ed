import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Part } from "../../core/index/part.ts";
import { type Liveness, livenessOf, liveRows, liveRowsAt } from "../../core/log/live.ts";

/** A line of a log: an event's id, and what it withdraws if it is a tombstone. */
interface Line {
  readonly id: string;
  readonly target: string | null;
}
/** commits[n - 1] are the lines of commit n. */
type Log = readonly (readonly Line[])[];

const IDS = ["a", "b", "cc", "dd", "eee", "fff", "gggg"];
const anyLine: fc.Arbitrary<Line> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ id: fc.constantFrom(...IDS), target: fc.constant(null) }) },
  { weight: 1, arbitrary: fc.constantFrom(...IDS, "t:a").map((target) => ({ id: `t:${target}`, target })) },
  { weight: 1, arbitrary: fc.record({ id: fc.constantFrom(...IDS), target: fc.constantFrom(...IDS) }) },
);
const anyLog: fc.Arbitrary<Log> = fc.array(fc.array(anyLine, { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 7,
});
/** Where the log is cut into parts: a layout. */
const anyLayout = fc.array(fc.boolean(), { minLength: 7, maxLength: 7 });
/** A hash of ids under which many differ by nothing but the id. */
const anyHash = fc.constantFrom<(id: string) => bigint>(
  (id) => BigInt(id.length),
  () => 7n,
  (id) => BigInt(IDS.indexOf(id) + 1) * 0x1234_5678_9abc_def1n,
);

// --- The oracle: a fold over positions --------------------------------------------------------

/** Ids seen so far, and what is dead: the definition, read aloud. */
function deadAt(log: Log, commit: number): boolean[] {
  const lines = log.slice(0, commit).flat();
  return lines.map(({ id }, position) => {
    const isVoid = lines.slice(0, position).some((earlier) => earlier.id === id);
    const isWithdrawn = lines.slice(position + 1).some((later) => later.target === id);
    return isVoid || isWithdrawn;
  });
}

// --- Parts --------------------------------------------------------------------------------------

function partsOf(log: Log, cuts: readonly boolean[], hash: (id: string) => bigint): Part[] {
  const parts: Part[] = [];
  let from = 1;
  for (let to = 1; to <= log.length; to++) {
    if (to < log.length && !cuts[to - 1]) continue;
    parts.push(partOf(log, from, to, hash));
    from = to + 1;
  }
  return parts;
}

function partOf(log: Log, from: number, to: number, hash: (id: string) => bigint): Part {
  const commits = log.slice(from - 1, to);
  const lines = commits.flat();
  const sorted = lines
    .map(({ id }, row) => ({ hash: hash(id), row }))
    .sort((a, b) => (a.hash === b.hash ? a.row - b.row : a.hash < b.hash ? -1 : 1));
  const none = new Uint32Array(0);
  return {
    incarnation: 1,
    revision: "r",
    from,
    to,
    commits: commits.map((_, i) => ({
      commit: from + i,
      segment: "",
      arrivalMs: 0,
      firstRow: commits.slice(0, i).flat().length,
    })),
    rows: lines.length,
    documents: 0,
    rowTimes: new Float64Array(lines.length),
    times: null,
    withdrawals: lines.flatMap(({ target }, row) => (target === null ? [] : [{ row, target }])),
    columns: new Map(),
    columnCodes: () => undefined,
    rowOfDocument: none,
    chunkOfDocument: none,
    chunkFrom: none,
    chunkTo: none,
    hasOneDocumentARow: false,
    text: {
      text: new Uint8Array(0),
      postings: new Uint8Array(0),
      textBytes: 0,
      textStart: () => new Uint8Array(0),
      startBytes: 0,
      textPieces: () => [],
      postingsPieces: () => [],
    },
    vectors: { supplied: null, embedded: null },
    bytes: 0,
    hotBytes: 0,
    heldBytes: 0,
    idOfRow: (row) => lines[row]?.id ?? "",
    rowOfId: (id) => lines.findIndex((line) => line.id === id),
    mayHaveId: (id) => lines.some((line) => line.id === id),
    idHashes: new Uint32Array(BigUint64Array.from(sorted, (entry) => entry.hash).buffer),
    idRows: Uint32Array.from(sorted, (entry) => entry.row),
    lineOfRow: () => "",
  };
}

const viewOf = (parts: readonly Part[], commit: number) => ({
  parts,
  snapshot: { incarnation: 1, commit, vectorCommit: commit, revision: "r" },
});

/** Per line of the log up to the snapshot, whether it is dead; checks the shape on the way. */
function deadLines(rows: ReturnType<typeof liveRows>): boolean[] {
  return rows.flatMap(({ deadRows, rowEnd }) => {
    expect([...deadRows]).toEqual([...new Set(deadRows)].sort((a, b) => a - b));
    expect(deadRows.every((row) => row < rowEnd)).toBe(true);
    return Array.from({ length: rowEnd }, (_, row) => deadRows.includes(row));
  });
}

describe("what is live", () => {
  it("is what the fold says, at every commit, however the log is cut into parts", () => {
    fc.assert(
      fc.property(anyLog, anyLayout, anyHash, (log, cuts, hash) => {
        const parts = partsOf(log, cuts, hash);
        for (let commit = 0; commit <= log.length; commit++) {
          expect(deadLines(liveRows(viewOf(parts, commit)))).toEqual(deadAt(log, commit));
        }
      }),
      { numRuns: 400 },
    );
  });

  it("is the same when worked part by part as the log grows, and leading parts are not worked again", () => {
    fc.assert(
      fc.property(anyLog, anyLayout, anyHash, (log, cuts, hash) => {
        const parts = partsOf(log, cuts, hash);
        let known: Liveness | null = null;
        for (let count = 1; count <= parts.length; count++) {
          const next: Liveness = livenessOf(parts.slice(0, count), known);
          known?.parts.forEach((worked, index) => {
            expect(next.parts[index]).toBe(worked);
          });
          known = next;
        }
        expect(known).toEqual(livenessOf(parts, null));
        const merged = [partOf(log, 1, log.length, hash)];
        expect(livenessOf(merged, known)).toEqual(livenessOf(merged, null));
        expect(livenessOf(parts.slice(0, 1), known).parts).toHaveLength(1);
      }),
    );
  });

  it("is never more at an older snapshot than that snapshot saw", () => {
    fc.assert(
      fc.property(anyLog, anyLayout, (log, cuts) => {
        const liveness = livenessOf(
          partsOf(log, cuts, (id) => BigInt(id.length)),
          null,
        );
        for (let commit = 1; commit <= log.length; commit++) {
          const alone = livenessOf(
            partsOf(log.slice(0, commit), cuts, (id) => BigInt(id.length)),
            null,
          );
          expect(deadLines(liveRowsAt(liveness, commit))).toEqual(deadLines(liveRowsAt(alone, commit)));
        }
      }),
    );
  });
});

describe("by example", () => {
  const event = (id: string): Line => ({ id, target: null });
  const tombstone = (target: string): Line => ({ id: `t:${target}`, target });
  const hash = (id: string) => BigInt(id.length);
  const dead = (log: Log, commit = log.length) =>
    deadLines(liveRows(viewOf(partsOf(log, Array(7).fill(true), hash), commit)));

  it("an id that is sent again after its tombstone stays gone", () => {
    expect(dead([[event("a")], [tombstone("a")], [event("a")]])).toEqual([true, false, true]);
  });

  it("a tombstone that came first withdraws nothing that comes later", () => {
    expect(dead([[tombstone("a")], [event("a")]])).toEqual([false, false]);
  });

  it("before its tombstone an event is live", () => {
    expect(dead([[event("a")], [tombstone("a")]], 1)).toEqual([false]);
  });

  it("a tombstone whose id was claimed before withdraws all the same", () => {
    expect(dead([[event("t:a"), event("a")], [tombstone("a")]])).toEqual([false, true, true]);
  });

  it("a part that nothing touches has no dead rows", () => {
    const parts = partsOf([[event("a")], [event("b")]], [true], hash);
    expect(liveRows(viewOf(parts, 2))).toEqual([
      { deadRows: new Uint32Array(0), rowEnd: 1 },
      { deadRows: new Uint32Array(0), rowEnd: 1 },
    ]);
  });
});
