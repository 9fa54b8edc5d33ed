/**
 * Vectors through the whole search: which space a snapshot searches, how long m delays, and every metric, against the
 * definition and against a log that ended at the snapshot.
 */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SUPPLIED_MODEL } from "../../core/index/build_part.ts";
import type { CommitLines, Part } from "../../core/index/part.ts";
import type { KernelSlab, LoadedVectors, LocalEmbedder, PartSections, SlabPool } from "../../core/ports.ts";
import { SlabResidency } from "../../core/retrieval/residency.ts";
import { describeResolved } from "../../core/retrieval/resolve.ts";
import { searchView } from "../../core/retrieval/search.ts";
import { spaceOfView, type View } from "../../core/retrieval/view.ts";
import { createSlabPool } from "../../wasm/slab_pool.ts";
import { loadKernel } from "../kernel/load_kernel.ts";
import {
  type CorpusTools,
  commitLines,
  cutsArbitrary,
  linesThrough,
  liveRowsOf,
  logArbitrary,
  viewOf,
} from "./corpus.ts";
import { type NaiveDocument, naiveDocuments, naivePlace, naiveVectorSearch } from "./naive_search.ts";
import { type Body, bodyArbitrary, placeOf, pool, resolveFor, run, streaming, supplied } from "./search_fixture.ts";

const MIB = 1024 * 1024;
const kernel = await loadKernel();
const DIMENSIONS = 3;
const EVERYWHERE = [1, 2, 3, 4, 5, 6, 7];
const vectorLog = logArbitrary({ dimensions: DIMENSIONS, eventsMax: 24 });
const body = bodyArbitrary(DIMENSIONS);

/** As many numbers as supplied vectors have, so that a query fits either space; none for a text without letters. */
const letters: LocalEmbedder = {
  kind: "local",
  id: "letters-3",
  dimensions: DIMENSIONS,
  queryWeight: 0.5,
  embed: (texts) =>
    texts.map((text) => {
      const vector = new Float32Array(DIMENSIONS);
      for (const letter of text.match(/[a-z]/g) ?? []) {
        const at = letter.charCodeAt(0) % DIMENSIONS;
        vector[at] = (vector[at] ?? 0) + 1;
      }
      return vector.some((x) => x !== 0) ? vector : null;
    }),
};
const mixed: CorpusTools = { ...supplied, embedder: letters };

/** Text alone at first, then vectors too: from any commit on, or never. */
const mixedLog = fc.tuple(vectorLog, fc.integer({ min: 1, max: 9 })).map(([plans, supply]) =>
  commitLines(
    plans.map(({ events, withdraw }, index) => ({
      events: index + 1 >= supply ? events : events.map(({ vector: _, ...event }) => event),
      withdraw,
    })),
  ),
);

/** Rarely drawn: a log that nobody has vectors for. */
const withoutVectors = commitLines([{ events: [{ id: "n", ts: 1, text: "17" }], withdraw: [] }]);

const anyBody = fc
  .tuple(body, fc.boolean())
  .map(([{ vector, ...rest }, keep]): Body => (keep && vector !== undefined ? { ...rest, vector } : rest));

function letterVector({ text }: Pick<NaiveDocument, "text">): readonly number[] | null {
  const [vector] = letters.embed([text]);
  return vector === null || vector === undefined ? null : [...vector];
}

/** By the log alone. */
function spaceAt(commits: readonly CommitLines[], commit: number): "supplied" | "embedded" | "none" {
  const lines = linesThrough(commits, commit);
  if (lines.some(({ event }) => event.vector !== undefined)) return "supplied";
  return lines.some(({ event }) => letterVector({ text: event.text ?? "" }) !== null) ? "embedded" : "none";
}

/** All that a caller learns: the answer with its resolved request, or the refusal. */
function answer(
  view: View,
  asked: Body,
  commits: readonly CommitLines[],
  residency = new SlabResidency(pool),
): unknown {
  try {
    const resolved = describeResolved(resolveFor(view, asked, mixed));
    const { resident: _, ...outcome } = run(view, asked, { commits, tools: mixed, residency });
    return { ...outcome, resolved };
  } catch (error) {
    return String(error);
  }
}

describe("a log whose first vectors were embedded and whose later ones were supplied", () => {
  test("answers at every snapshot as the log that ended there, whatever the layout", () => {
    const seen = new Set<string>();
    const residency = new SlabResidency(createSlabPool(kernel, [{ bytes: MIB, count: 1 }]));
    fc.assert(
      fc.property(mixedLog, cutsArbitrary, anyBody, (commits, cuts, asked) => {
        const last = commits.length;
        const layouts = [[], EVERYWHERE, cuts].map((at) => viewOf(commits, { cuts: at, commit: last }, mixed).parts);
        for (let commit = last; commit > 0; commit--) {
          const ended = commits.slice(0, commit);
          const whole = viewOf(ended, { cuts: [], commit }, mixed);
          const expected = answer(whole, asked, ended);
          seen.add(spaceAt(commits, commit));
          for (const parts of layouts) {
            const view: View = { ...whole, parts };
            expect(spaceOfView(view)).toEqual(spaceOfView(whole));
            expect(answer(view, asked, commits, residency)).toEqual(expected);
            expect(answer(view, asked, commits, new SlabResidency(streaming))).toEqual(expected);
          }
        }
      }),
      { numRuns: 60, examples: [[withoutVectors, [], { text: "17" }]] },
    );
    expect(seen).toEqual(new Set(["supplied", "embedded", "none"]));
  });

  test("is searched in one space, by the definition of nearest", () => {
    fc.assert(
      fc.property(mixedLog, cutsArbitrary, fc.nat(), body, (commits, cuts, picked, { vector, top_k }) => {
        const commit = 1 + (picked % commits.length);
        const view = viewOf(commits, { cuts, commit }, mixed);
        const space = spaceAt(commits, commit);
        const model = { supplied: SUPPLIED_MODEL, embedded: letters.id, none: undefined }[space];
        expect(spaceOfView(view)?.model).toBe(model);
        const { hits } = run(
          view,
          { vector: vector ?? [], mode: "vector", top_k: top_k ?? 1 },
          { commits, tools: mixed },
        );
        const vectorOf = space === "supplied" ? (document: NaiveDocument) => document.vector : letterVector;
        const expected = naiveVectorSearch(
          naiveDocuments(commits, commit),
          vector as readonly number[],
          "cosine",
          vectorOf,
        );
        expect(hits.map((hit) => [placeOf(hit), hit.score])).toEqual(
          expected.slice(0, Number(top_k)).map((hit) => [naivePlace(hit), hit.score]),
        );
      }),
      { numRuns: 100 },
    );
  });

  test("has never both kinds of vectors in a slab, and loads only parts whose vectors change", () => {
    const text = (id: string) => ({ events: [{ id, ts: 1, text: "renewal" }], withdraw: [] });
    const commits = commitLines([
      text("a"),
      text("b"),
      { events: [{ id: "c", ts: 1, text: "risk", vector: [1, 0, 0] }], withdraw: [] },
    ]);
    const { parts } = viewOf(commits, { cuts: [1], commit: 3 }, mixed);
    const [first, second] = parts;
    const loads: PartSections[] = [];
    const residency = new SlabResidency(recording(createSlabPool(kernel, [{ bytes: MIB, count: 1 }]), loads));
    const search = (commit: number, vector: readonly number[]) => {
      const snapshot = { incarnation: 1, commit, vectorCommit: commit, revision: "" };
      const { hits } = run({ snapshot, parts }, { vector, mode: "vector" }, { commits, tools: mixed, residency });
      return [hits.map(({ id }) => id), loads.splice(0).map(({ vectors }) => kindOf(vectors, first, second))];
    };
    expect(search(3, [1, 0, 0])).toEqual([["c"], ["none", "supplied"]]);
    expect(search(3, [0, 1, 0])).toEqual([["c"], []]);
    expect(search(2, [1, 1, 1])).toEqual([
      ["a", "b"],
      ["embedded", "embedded"],
    ]);
    expect(search(1, [1, 1, 1])).toEqual([["a"], []]);
    expect(search(3, [1, 0, 0])).toEqual([["c"], ["none", "supplied"]]);
  });
});

/** Notes what is loaded into its slabs. */
function recording(slabs: SlabPool, loads: PartSections[]): SlabPool {
  const noted = new Map<KernelSlab, KernelSlab>();
  const noting = (slab: KernelSlab): KernelSlab => {
    const load: KernelSlab["load"] = (sections) => {
      loads.push(sections);
      return slab.load(sections);
    };
    const known = noted.get(slab) ?? { ...slab, load };
    noted.set(slab, known);
    return known;
  };
  return {
    sizeOf: (sections) => slabs.sizeOf(sections),
    lease: (scope, bytes) => {
      const lease = slabs.lease(scope, bytes);
      return lease && { ...lease, slab: noting(lease.slab) };
    },
    window: (scope) => {
      const lease = slabs.window(scope);
      return { ...lease, slab: noting(lease.slab) };
    },
    isLeased: (scope) => slabs.isLeased(scope),
    capacityBytes: slabs.capacityBytes,
    release: (scope) => slabs.release(scope),
    residentBytes: slabs.residentBytes,
  };
}

function kindOf(sections: LoadedVectors | null, ...parts: readonly (Part | undefined)[]): string {
  if (sections === null) return "none";
  const has = (kind: "supplied" | "embedded"): boolean =>
    parts.some((part) => isDeepStrictEqual(part?.vectors[kind]?.sections.codes, sections.codes));
  return has("supplied") ? "supplied" : has("embedded") ? "embedded" : "unknown";
}

test.each(["cosine", "dot", "l2"] as const)(
  "vector search by %s is the nearest live vectors, to the last bit",
  (metric) => {
    const tools: CorpusTools = { ...supplied, metric };
    fc.assert(
      fc.property(
        vectorLog.map(commitLines),
        cutsArbitrary,
        fc.nat(),
        fc.nat(),
        body,
        (commits, cuts, picked, m, asked) => {
          const commit = 1 + (picked % commits.length);
          const vector = asked.vector as readonly number[];
          // Supplied vectors count at once, whatever m is.
          const view = viewOf(commits, { cuts, commit, vectorCommit: m % (commit + 1) }, tools);
          const { hits } = run(view, { vector, mode: "vector", top_k: 5 }, { commits, tools });
          const expected = naiveVectorSearch(naiveDocuments(commits, commit), vector, metric);
          expect(hits.map((hit) => [placeOf(hit), hit.score])).toEqual(
            expected.slice(0, 5).map((hit) => [naivePlace(hit), hit.score]),
          );
        },
      ),
      { numRuns: 60 },
    );
  },
);

describe("recorded vectors", () => {
  /** The same letters from elsewhere, which refuses what has no letters and every text about risk. */
  const vectorOf = ({ text }: Pick<NaiveDocument, "text">): readonly number[] | null =>
    text.includes("risk") ? null : letterVector({ text });
  const remote = (covered: number): CorpusTools => ({
    ...supplied,
    remote: {
      id: "remote-3",
      covered,
      embed: (texts) => texts.map((text) => vectorOf({ text })).map((vector) => vector && Float32Array.from(vector)),
    },
  });

  test("are searched up to m, nulls left out, and however much has been recorded since", () => {
    const log = logArbitrary({ dimensions: 0, eventsMax: 24 }).map(commitLines);
    fc.assert(
      fc.property(log, cutsArbitrary, fc.nat(), fc.nat(), body, (commits, cuts, c, picked, asked) => {
        const covered = c % (commits.length + 1);
        const commit = 1 + (picked % commits.length);
        const vectorCommit = Math.min(covered, commit);
        const then = remote(covered);
        const since = remote(commits.length);
        const view = viewOf(commits, { cuts: [...cuts, covered].filter(Boolean), commit, vectorCommit }, then);
        const later = viewOf(commits, { cuts: [], commit, vectorCommit }, since);
        expect(spaceOfView(later)).toEqual(spaceOfView(view));
        expect(run(later, asked, { commits, tools: since })).toEqual(run(view, asked, { commits, tools: then }));
        const vector = asked.vector as readonly number[];
        const { hits } = run(view, { vector, mode: "vector", top_k: 5 }, { commits, tools: then });
        const documents = naiveDocuments(commits, commit).filter((document) => document.commit <= vectorCommit);
        expect(hits.map((hit) => [placeOf(hit), hit.score])).toEqual(
          naiveVectorSearch(documents, vector, "cosine", vectorOf)
            .slice(0, 5)
            .map((hit) => [naivePlace(hit), hit.score]),
        );
      }),
      { numRuns: 100 },
    );
  });

  test("give way at once to vectors that are supplied later than m", () => {
    const commits = commitLines([
      { events: [{ id: "a", ts: 1, text: "renewal" }], withdraw: [] },
      { events: [{ id: "b", ts: 2, text: "invoice", vector: [1, 0, 0] }], withdraw: [] },
    ]);
    const tools = remote(1);
    for (const cuts of [[], [1]]) {
      const found = (commit: number) =>
        run(viewOf(commits, { cuts, commit, vectorCommit: 1 }, remote(2)), { vector: [1, 1, 1] }, { commits, tools })
          .hits;
      expect(found(2).map(({ id }) => id)).toEqual(["b"]);
      expect(found(1).map(({ id }) => id)).toEqual(["a"]);
    }
  });
});

test("a part whose codes are larger than the largest slab is refused by name, with both sizes", () => {
  const vector = Array.from({ length: 1_024 }, (_, n) => n + 1);
  const events = Array.from({ length: 1_100 }, (_, n) => ({ id: `e${n}`, ts: n, text: "renewal", vector }));
  const commits = commitLines([{ events, withdraw: [] }]);
  const view = viewOf(commits, { cuts: [], commit: 1 }, supplied);
  const slabs = createSlabPool(kernel, [{ bytes: MIB, count: 1 }]);
  const outcome = searchView(view, resolveFor(view, { vector }, supplied), liveRowsOf(view, commits), {
    entity: "account:acme",
    scope: "tenant/account:acme",
    residency: new SlabResidency(slabs),
    segmentKey: (key) => key,
  });
  const { capacityBytes } = slabs;
  expect(outcome).toEqual({
    ok: false,
    failure: { reason: "too_large", what: "a part", size: expect.any(Number), max: capacityBytes, unit: "bytes" },
  });
  if (outcome.ok || outcome.failure.reason !== "too_large") throw new Error("not refused");
  expect(outcome.failure.size).toBeGreaterThan(capacityBytes);
});
