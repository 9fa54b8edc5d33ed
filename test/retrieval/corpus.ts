/**
 * Logs for the tests of retrieval: random commits, the live rows as the specification says them (naively), and the
 * same log cut into parts in any way.
 */
import fc from "fast-check";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { type BuildTools, buildPart, chunkTexts } from "../../core/index/build_part.ts";
import { CHUNKER } from "../../core/index/chunker.ts";
import { openPart } from "../../core/index/open_part.ts";
import type { CommitLines, Part, RecordedVectors, Revision } from "../../core/index/part.ts";
import { parseWholeLine, prepareLine, tombstoneLine, withdrawalTarget } from "../../core/log/line.ts";
import type { KernelBuilder, LocalEmbedder, Metric } from "../../core/ports.ts";
import type { LiveRows, View } from "../../core/retrieval/view.ts";
import type { EventInput, StoredEvent } from "../../core/schema/event.ts";
import { createKernelChecksum } from "../../wasm/kernel_checksum.ts";
import { loadKernel } from "../kernel/load_kernel.ts";

/** What one commit holds: events, and ids that it withdraws. */
export interface CommitPlan {
  readonly events: readonly EventInput[];
  readonly withdraw: readonly string[];
}

const checksum = createKernelChecksum(await loadKernel());

export function segmentName(commit: number): string {
  return `entities/e/segments/${commit}.jsonl.zst`;
}

export function commitLines(plans: readonly CommitPlan[]): readonly CommitLines[] {
  return plans.map(({ events, withdraw }, index) => ({
    commit: index + 1,
    segment: segmentName(index + 1),
    arrivalMs: index,
    lines: [
      ...events.map((event) => prepareLine(event, index, nodeDigest).line),
      ...withdraw.map((target) => tombstoneLine(target, index, nodeDigest).line),
    ],
  }));
}

// --- Views ----------------------------------------------------------------------------------

export interface Cutting {
  /** Ascending commits that end a part; the last commit ends one anyway. */
  readonly cuts: readonly number[];
  readonly commit: number;
  readonly vectorCommit?: number;
}

export interface CorpusTools {
  readonly builder: KernelBuilder;
  readonly metric: Metric;
  readonly embedder: LocalEmbedder | null;
  /** An embedder elsewhere, whose vectors are recorded for parts that end by commit `covered`. */
  readonly remote?: {
    readonly id: string;
    readonly covered: number;
    embed(texts: readonly string[]): RecordedVectors;
  };
}

export function viewOf(commits: readonly CommitLines[], cutting: Cutting, tools: CorpusTools): View {
  const ends = [...new Set([...cutting.cuts.filter((cut) => cut < commits.length), commits.length])].sort(
    (a, b) => a - b,
  );
  const parts = ends.map((end, index) => partOf(commits.slice(ends[index - 1] ?? 0, end), tools));
  const { commit, vectorCommit = commit } = cutting;
  return { snapshot: { incarnation: 1, commit, vectorCommit, revision: parts[0]?.revision ?? "" }, parts };
}

function partOf(commits: readonly CommitLines[], { builder, metric, embedder, remote }: CorpusTools): Part {
  const model = embedder?.id ?? remote?.id ?? "none";
  const revision: Revision = { analyzer: builder.analyzer, chunker: CHUNKER, embedder: model, metric };
  const tools: BuildTools = { builder, compression: nodeCompression, digest: nodeDigest, checksum, embedder };
  const isRecorded = remote !== undefined && (commits.at(-1)?.commit ?? 0) <= remote.covered;
  const recorded = isRecorded ? remote.embed(chunkTexts(commits)) : null;
  const opened = openPart(buildPart({ incarnation: 1, revision, merged: [], commits, recorded }, tools), tools);
  if (!opened.ok) throw new Error(JSON.stringify(opened.failure));
  return opened.value;
}

// --- What is live, naively ------------------------------------------------------------------

export interface PlacedEvent {
  readonly event: StoredEvent;
  readonly commit: number;
  /** 1-based. */
  readonly line: number;
}

/** Every line of the commits up to `commit`, in position order, and whether it is live. */
export function linesThrough(
  commits: readonly CommitLines[],
  commit: number,
): readonly (PlacedEvent & { readonly live: boolean })[] {
  const seen = commits.filter((candidate) => candidate.commit <= commit);
  const placed = seen.flatMap(({ commit: number, lines }) =>
    lines.map((line, index) => ({ event: parseWholeLine(line), commit: number, line: index + 1 })),
  );
  const withdrawn = new Set(placed.map(({ event }) => withdrawalTarget(event)));
  const first = new Map<string, PlacedEvent>();
  for (const line of placed) if (!first.has(line.event.id)) first.set(line.event.id, line);
  return placed.map((line) => ({ ...line, live: first.get(line.event.id) === line && !withdrawn.has(line.event.id) }));
}

export function liveRowsOf(view: View, commits: readonly CommitLines[]): readonly LiveRows[] {
  const lines = linesThrough(commits, view.snapshot.commit);
  return view.parts.map((part) => {
    const own = lines.filter(({ commit }) => commit >= part.from && commit <= part.to);
    const dead = own.flatMap(({ live }, row) => (live ? [] : [row]));
    return { deadRows: Uint32Array.from(dead), rowEnd: own.length };
  });
}

// --- Random logs ----------------------------------------------------------------------------

const WORDS = [
  "renewal",
  "risk",
  "invoice",
  "call",
  "promise",
  "north",
  "harbour",
  "ORD-1042",
  "and/or",
  "1042",
  "ORD-7",
  "a/b2.ts",
  "the",
];

const textArbitrary = fc
  .array(fc.constantFrom(...WORDS), { minLength: 0, maxLength: 12 })
  .map((words) => words.join(" "));

const attributesArbitrary = fc.record(
  {
    stage: fc.constantFrom("won", "lost", "", "\uFF01", "\u{1F600}"),
    amount: fc.constantFrom<number | string>(-1, 0, 2.5, 10, "10"),
    open: fc.boolean(),
    tags: fc.subarray(["red", "blue", "won"]),
  },
  { requiredKeys: [] },
);

export interface RandomLog {
  /** Dimensions of supplied vectors; 0 for none. */
  readonly dimensions: number;
  readonly eventsMax: number;
}

/** Ids repeat now and then, and later commits withdraw some of the earlier events. */
export function logArbitrary({ dimensions, eventsMax }: RandomLog): fc.Arbitrary<readonly CommitPlan[]> {
  const vector = fc
    .array(fc.integer({ min: -8, max: 8 }), { minLength: dimensions, maxLength: dimensions })
    .filter((numbers) => numbers.some((number) => number !== 0));
  const event = fc.record(
    {
      id: fc.integer({ min: 0, max: eventsMax * 2 }).map((number) => `e${number}`),
      kind: fc.constantFrom("note", "message", "call"),
      text: fc.option(textArbitrary, { nil: undefined, freq: 8 }),
      session: fc.constantFrom("s1", "s2"),
      attributes: attributesArbitrary,
      ...(dimensions === 0 ? {} : { vector: fc.option(vector, { nil: undefined, freq: 4 }) }),
    },
    { requiredKeys: ["id", "kind", "text"] },
  );
  const commit = fc.record({
    /** Most events of a commit are of one time, so that parts differ in theirs. */
    around: fc.integer({ min: 0, max: 18 }),
    events: fc.array(fc.record({ event, offset: fc.integer({ min: 0, max: 2 }) }), {
      minLength: 1,
      maxLength: Math.max(2, Math.ceil(eventsMax / 4)),
      size: "max",
    }),
    withdrawals: fc.array(fc.nat(), { maxLength: 2 }),
  });
  // Without the bias towards small values most logs would be too small for anything to be found.
  return fc.noBias(fc.array(commit, { minLength: 1, maxLength: 8, size: "max" })).map((commits) => {
    const ids: string[] = [];
    return commits.map(({ around, events, withdrawals }) => {
      const withdraw = ids.length === 0 ? [] : withdrawals.map((pick) => ids[pick % ids.length] ?? "");
      ids.push(...events.map(({ event: { id } }) => id));
      return {
        events: events.map(({ event: { text, vector, ...rest }, offset }) => ({
          ...rest,
          ts: around + offset,
          ...(text === undefined ? {} : { text }),
          ...(vector === undefined ? {} : { vector }),
        })),
        withdraw: [...new Set(withdraw)],
      };
    });
  });
}

/** Where to cut a log into parts: nowhere, everywhere, or anywhere. */
export const cutsArbitrary: fc.Arbitrary<readonly number[]> = fc.oneof(
  { weight: 1, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.constant([1, 2, 3, 4, 5, 6, 7]) },
  { weight: 3, arbitrary: fc.subarray([1, 2, 3, 4, 5, 6, 7]) },
);
