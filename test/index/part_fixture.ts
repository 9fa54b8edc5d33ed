/** Parts for tests: tools over the real adapters, a source from events, and arbitrary timelines. */
import fc from "fast-check";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { type BuildTools, buildPart } from "../../core/index/build_part.ts";
import { CHUNKER } from "../../core/index/chunker.ts";
import { openPart } from "../../core/index/open_part.ts";
import type { CommitLines, Part, PartSource } from "../../core/index/part.ts";
import { segmentKey } from "../../core/log/keys.ts";
import { keptLine, prepareLine, tombstoneLine } from "../../core/log/line.ts";
import type { LocalEmbedder } from "../../core/ports.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { createKernelChecksum } from "../../wasm/kernel_checksum.ts";
import { loadKernel } from "../kernel/load_kernel.ts";

const DAY_MS = Date.UTC(2026, 0, 5);
export const ARRIVAL_MS = DAY_MS + 12 * 60 * 60 * 1_000;

export const tools: BuildTools = {
  builder: createKernelBuilder(await loadKernel()),
  compression: nodeCompression,
  digest: nodeDigest,
  checksum: createKernelChecksum(await loadKernel()),
  embedder: null,
};

/** Six numbers that depend on the letters of a text; a text without letters is refused. */
export const letterEmbedder: LocalEmbedder = {
  kind: "local",
  id: "letters-6",
  dimensions: 6,
  queryWeight: 1,
  embed: (texts) =>
    texts.map((text) => {
      const vector = new Float32Array(6);
      for (const character of text) {
        const code = character.codePointAt(0) ?? 0;
        if (/\p{L}/u.test(character)) vector[code % 6] = (vector[code % 6] ?? 0) + 1;
      }
      return vector.some((x) => x !== 0) ? vector : null;
    }),
};

/** What a test appends: an event, or the id that a tombstone withdraws. */
export type Entry = EventInput | { readonly withdraw: string };

export function linesOf(entries: readonly Entry[]): readonly string[] {
  return entries.map((entry) =>
    "withdraw" in entry
      ? tombstoneLine(entry.withdraw, ARRIVAL_MS, nodeDigest).line
      : prepareLine(entry, ARRIVAL_MS, nodeDigest).line,
  );
}

export function commitsFrom(from: number, commits: readonly (readonly Entry[])[]): readonly CommitLines[] {
  return commits.map((entries, index) => {
    const arrivalMs = ARRIVAL_MS + index * 1_000;
    return {
      commit: from + index,
      segment: segmentKey("account:acme", DAY_MS, 1, from + index),
      arrivalMs,
      lines: linesOf(entries),
    };
  });
}

/** The commits as a part of them gives them back. */
export function asKept(commits: readonly CommitLines[]): readonly CommitLines[] {
  return commits.map((commit) => ({ ...commit, lines: commit.lines.map((line) => keptLine(line, nodeDigest)) }));
}

export function sourceOf(commits: readonly CommitLines[], embedder: string = "none"): PartSource {
  const revision = { analyzer: tools.builder.analyzer, chunker: CHUNKER, embedder, metric: "cosine" as const };
  return { incarnation: 1, revision, merged: [], commits, recorded: null };
}

export function opened(bytes: Uint8Array): Part {
  const part = openPart(bytes, tools);
  if (!part.ok) throw new Error(JSON.stringify(part.failure));
  return part.value;
}

export function partOf(commits: readonly (readonly Entry[])[]): Part {
  return opened(buildPart(sourceOf(commitsFrom(1, commits)), tools));
}

const name = fc
  .string({ unit: "binary", minLength: 1, maxLength: 12 })
  .filter((text) => !/\p{Cc}|\p{Surrogate}/u.test(text));
const text = fc.string({ unit: "binary", maxLength: 60 }).filter((value) => !/\p{Surrogate}/u.test(value));
const value = fc.oneof(
  text,
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.array(text, { maxLength: 3 }),
);

const eventArbitrary: fc.Arbitrary<EventInput> = fc.record(
  {
    id: name,
    ts: fc.integer({ min: 0, max: ARRIVAL_MS }),
    kind: fc.constantFrom("note", "message", "state"),
    text: fc.oneof(text, fc.lorem({ maxCount: 900 })),
    attributes: fc.dictionary(name, value, { maxKeys: 4 }),
    session: name,
    actor: name,
    agent: name,
    source: name,
  },
  { requiredKeys: [] },
);

/** Commits of one entity, tombstones and repeated ids among them. */
export const timelineArbitrary: fc.Arbitrary<readonly (readonly Entry[])[]> = fc.array(
  fc.array(fc.oneof({ weight: 9, arbitrary: eventArbitrary }, fc.record({ withdraw: name })), {
    minLength: 1,
    maxLength: 6,
  }),
  { minLength: 1, maxLength: 6 },
);
