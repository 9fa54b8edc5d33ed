import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eventTimeMs } from "../../core/log/line.ts";
import { parseFilter } from "../../core/retrieval/filter.ts";
import { matchesEvent } from "../../core/retrieval/matches.ts";
import { SlabResidency } from "../../core/retrieval/residency.ts";
import type { View } from "../../core/retrieval/view.ts";
import type { SearchHit } from "../../core/rpc.ts";
import { commitLines, cutsArbitrary, logArbitrary, segmentName, viewOf } from "./corpus.ts";
import { naiveDocuments, naivePlace, naiveTextSearch } from "./naive_search.ts";
import {
  type Body,
  bodyArbitrary,
  builder,
  embedded,
  embedder,
  placeOf,
  pool,
  queryText,
  run,
  streaming,
  supplied,
  topK,
} from "./search_fixture.ts";

const DIMENSIONS = 3;
const plainLog = logArbitrary({ dimensions: 0, eventsMax: 24 }).map(commitLines);
const vectorLog = logArbitrary({ dimensions: DIMENSIONS, eventsMax: 24 }).map(commitLines);
/** Which commit of a log a search sees. */
const pick = fc.nat();

const bothSides = fc.oneof(
  fc.tuple(vectorLog, bodyArbitrary(DIMENSIONS), fc.constant(supplied)),
  fc.tuple(plainLog, bodyArbitrary(0), fc.constant(embedded)),
);

const idf = (documents: number, df: number): number => pool.window("t/idf").slab.idf(documents, df);

describe("against the definition", () => {
  test("text search is BM25 over the live documents of the snapshot, to the last bit", () => {
    fc.assert(
      fc.property(plainLog, cutsArbitrary, pick, queryText, topK, (commits, cuts, picked, text, top_k) => {
        const commit = 1 + (picked % commits.length);
        const outcome = run(viewOf(commits, { cuts, commit }, supplied), { text, top_k }, { commits, tools: supplied });
        const documents = naiveDocuments(commits, commit);
        const expected = naiveTextSearch(documents, () => true, text, { builder, idf, k1: 0.9, b: 0.4 }).slice(
          0,
          top_k,
        );
        expect(outcome.hits.map((hit) => [placeOf(hit), hit.score])).toEqual(
          expected.map((hit) => [naivePlace(hit), hit.score]),
        );
      }),
      { numRuns: 60 },
    );
  });

  test("a restriction lets through exactly the events that match it", () => {
    fc.assert(
      fc.property(bothSides, cutsArbitrary, ([commits, body, tools], cuts) => {
        const view = viewOf(commits, { cuts, commit: commits.length }, tools);
        const outcome = run(view, { ...body, top_k: 1_000 }, { commits, tools });
        const filter = parseFilter(body.filter ?? {});
        if (!filter.ok) throw new Error("the filter was not one");
        const within = ({ event }: { readonly event: Parameters<typeof matchesEvent>[1] }): boolean => {
          const time = eventTimeMs(event);
          const to = Math.min(Number(body.to ?? time), Number(body.valid_at ?? time));
          return time >= Number(body.from ?? time) && time <= to && matchesEvent(filter.value, event, "account:acme");
        };
        const eligible = naiveDocuments(commits, commits.length).filter(within);
        const places = new Set(eligible.map((document) => naivePlace({ document, score: 0 })));
        expect(outcome.candidates).toBe(eligible.length);
        for (const hit of outcome.hits) expect(places).toContain(placeOf(hit));
        if (body.mode === "text") {
          const all = naiveTextSearch(naiveDocuments(commits, commits.length), within, String(body.text), {
            builder,
            idf,
            k1: 0.9,
            b: 0.4,
          });
          expect(outcome.hits.map((hit) => [placeOf(hit), hit.score])).toEqual(
            all.map((hit) => [naivePlace(hit), hit.score]),
          );
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe("layout does not change an answer", () => {
  test("one part, many parts, resident or streamed", () => {
    fc.assert(
      fc.property(bothSides, cutsArbitrary, pick, pick, ([commits, body, tools], cuts, picked, m) => {
        const commit = 1 + (picked % commits.length);
        const vectorCommit = tools === embedded ? commit : m % (commit + 1);
        const whole = run(viewOf(commits, { cuts: [], commit, vectorCommit }, tools), body, { commits, tools });
        const view = viewOf(commits, { cuts, commit, vectorCommit }, tools);
        expect(run(view, body, { commits, tools })).toEqual(whole);
        const streamed = run(view, body, { commits, tools, residency: new SlabResidency(streaming) });
        expect(streamed).toEqual({ ...whole, resident: false });
      }),
      { numRuns: 150 },
    );
  });

  test("an older snapshot answers as the log that ended there", () => {
    fc.assert(
      fc.property(bothSides, cutsArbitrary, pick, ([commits, body, tools], cuts, picked) => {
        const commit = 1 + (picked % commits.length);
        const ended = commits.slice(0, commit);
        const restricted = run(viewOf(commits, { cuts, commit }, tools), body, { commits, tools });
        expect(restricted).toEqual(run(viewOf(ended, { cuts: [], commit }, tools), body, { commits: ended, tools }));
      }),
      { numRuns: 100 },
    );
  });

  test("a slab that followed shards and tails as they came and went answers as a fresh one", () => {
    const steps = fc.array(fc.record({ parts: pick, newTail: fc.boolean() }), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(bothSides, cutsArbitrary, steps, ([commits, body, tools], cuts, taken) => {
        const residency = new SlabResidency(pool);
        const { parts } = viewOf(commits, { cuts, commit: commits.length }, tools);
        for (const { parts: picked, newTail } of taken) {
          const seen = parts.slice(0, 1 + (picked % parts.length));
          const commit = seen.at(-1)?.to ?? 0;
          const tail = viewOf(commits.slice(0, commit), { cuts: [...cuts], commit }, tools).parts.at(-1);
          const view: View = {
            snapshot: { incarnation: 1, commit, vectorCommit: commit, revision: "" },
            parts: newTail && tail !== undefined ? [...seen.slice(0, -1), tail] : seen,
          };
          const fresh = run(view, body, { commits, tools, residency: new SlabResidency(streaming) });
          expect(run(view, body, { commits, tools, residency })).toEqual({ ...fresh, resident: true });
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("fusion", () => {
  /** Integer reciprocal ranks over the union of two legs; ties by place in the log. */
  function fused(
    legs: readonly { readonly hits: readonly SearchHit[]; readonly weight: number }[],
    k: number,
  ): ReadonlyMap<string, number> {
    const scores = new Map<string, bigint>();
    for (const { hits, weight } of legs) {
      hits.forEach((hit, index) => {
        const added = (2n ** 32n / BigInt(k + index + 1)) * BigInt(weight * 65_536);
        scores.set(placeOf(hit), (scores.get(placeOf(hit)) ?? 0n) + added);
      });
    }
    return new Map([...scores].map(([place, units]) => [place, Number(units) / 2 ** 48]));
  }

  test("is of the two legs' ranks, and its explanation adds up exactly", () => {
    const weights = fc.record({ text: fc.constantFrom(0.5, 1, 3), vector: fc.constantFrom(0, 1 / 64, 1, 2) });
    fc.assert(
      fc.property(
        vectorLog,
        cutsArbitrary,
        bodyArbitrary(DIMENSIONS),
        weights,
        fc.constantFrom(1, 60),
        (commits, cuts, asked, weight, k) => {
          const view = viewOf(commits, { cuts, commit: commits.length }, supplied);
          const body = { ...asked, mode: "hybrid", explain: true, top_k: 1_000, fusion: { k, weights: weight } };
          const hybrid = run(view, body, { commits, tools: supplied });
          const leg = (mode: "text" | "vector") =>
            run(view, { ...body, mode, explain: false }, { commits, tools: supplied }).hits;
          const expected = fused(
            [
              { hits: leg("text"), weight: weight.text },
              { hits: leg("vector"), weight: weight.vector },
            ],
            k,
          );
          expect(new Map(hybrid.hits.map((hit) => [placeOf(hit), hit.score]))).toEqual(expected);
          // A short answer is the beginning of a long one: its legs reach further than it does.
          expect(run(view, { ...body, top_k: 2 }, { commits, tools: supplied }).hits).toEqual(hybrid.hits.slice(0, 2));
          for (const { score, explain, scores } of hybrid.hits) {
            const contributions = explain?.fusion?.legs ?? [];
            expect(contributions.reduce((sum, { contribution }) => sum + contribution, 0)).toBe(score);
            expect(contributions.map(({ leg: name, rank }) => [name, rank])).toEqual(
              Object.entries(scores).map(([name, place]) => [name, place.rank]),
            );
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("the text explanation's terms add up to the text score, in the kernel's order", () => {
    fc.assert(
      fc.property(plainLog, cutsArbitrary, queryText, (commits, cuts, text) => {
        const view = viewOf(commits, { cuts, commit: commits.length }, supplied);
        for (const { score, explain } of run(view, { text, explain: true }, { commits, tools: supplied }).hits) {
          const terms = explain?.text?.terms ?? [];
          expect(terms.length).toBeGreaterThan(0);
          expect(terms.reduce((sum, term) => Math.fround(sum + term.score), 0)).toBe(score);
          for (const { weight, tf, norm, score: part } of terms) {
            expect(part).toBe(Math.fround(weight * Math.fround(tf / Math.fround(tf + norm))));
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("an identifier asked for verbatim", () => {
  const identifier = fc.constantFrom(
    "ORD-1042",
    "and/or",
    "528",
    "ORD-7",
    "lib/net/pool2.ts",
    "user@host7.com",
    "EMEA-2022-1",
    "v1.2.3",
  );
  const noise = fc.array(
    fc.constantFrom(
      "ord",
      "1042",
      "7",
      "lib",
      "net",
      "pool2",
      "ts",
      "user",
      "host7.com",
      "host7",
      "com",
      "emea",
      "2022",
      "1",
      "v1",
    ),
    { minLength: 1, maxLength: 12 },
  );
  const texts = fc.array(
    fc.record({ words: noise, repeats: fc.integer({ min: 1, max: 8 }), has: fc.option(identifier, { freq: 3 }) }),
    { minLength: 1, maxLength: 20 },
  );

  test("stands first wherever it stands, in text and in hybrid with the embedded embedder", () => {
    fc.assert(
      fc.property(
        texts,
        identifier,
        cutsArbitrary,
        fc.constantFrom("text", "hybrid"),
        fc.constantFrom(1, 60, 500),
        (plans, asked, cuts, mode, k) => {
          const events = plans.map(({ words, repeats, has }, index) => {
            const filler = Array.from({ length: repeats }, () => words.join(" ")).join(" ");
            return { id: `e${index}`, ts: index, text: has === null ? filler : `${filler} ${has} ${filler}` };
          });
          const commits = commitLines(events.map((event) => ({ events: [event], withdraw: [] })));
          const view = viewOf(commits, { cuts, commit: commits.length }, embedded);
          const { hits } = run(view, { text: asked, mode, fusion: { k } }, { commits, tools: embedded });
          const holders = events.filter(({ text }) => text.split(" ").includes(asked)).map(({ id }) => id);
          fc.pre(holders.length > 0);
          expect(holders).toContain(hits[0]?.id);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("the embedded embedder's own weight keeps the text leg's first in its place", () => {
    expect(embedder.queryWeight).toBeLessThan((1 / 61 - 1 / 62) / (1 / 61));
  });
});

describe("what a hit holds", () => {
  const commits = commitLines([
    { events: [{ id: "a", ts: 1, text: "renewal \u00e9t\u00e9 risk", attributes: { stage: "won" } }], withdraw: [] },
    {
      events: [
        { id: "b", ts: 2, kind: "call", text: "renewal" },
        { id: "c", ts: 3, vector: [1, 0] },
      ],
      withdraw: [],
    },
  ]);
  const view = viewOf(commits, { cuts: [1], commit: 2 }, supplied);
  const search = (body: Body) => run(view, body, { commits, tools: supplied }).hits;

  test("the piece of text, the attributes, and where they stand", () => {
    expect(search({ text: "risk" })).toEqual([
      {
        entity: "account:acme",
        id: "a",
        chunk: 0,
        ts: "1970-01-01T00:00:00.001Z",
        kind: "note",
        score: expect.any(Number),
        scores: { text: { score: expect.any(Number), rank: 1 } },
        text: "renewal \u00e9t\u00e9 risk",
        attributes: { stage: "won" },
        citation: { segment: `bucket/${segmentName(1)}`, line: 1 },
      },
    ]);
  });

  test("only what was asked to be included", () => {
    expect(Object.keys(search({ text: "risk", include: [] })[0] ?? {})).not.toContain("text");
    expect(Object.keys(search({ text: "risk", include: ["text"] })[0] ?? {})).not.toContain("attributes");
  });

  test("an event that is only a vector has no text", () => {
    const [hit] = search({ vector: [2, 0] });
    expect(hit).toMatchObject({ id: "c", citation: { segment: `bucket/${segmentName(2)}`, line: 2 } });
    expect(hit).not.toHaveProperty("text");
    expect(hit?.score).toBeCloseTo(1, 4);
  });

  test("every piece of a long text is cited by its own bytes", () => {
    const sentence = "The h\u00e4rbour was full of ships \u{1F6A2} and nobody knew why. ";
    const long = commitLines([{ events: [{ id: "long", ts: 1, text: sentence.repeat(200) }], withdraw: [] }]);
    const chunks = run(
      viewOf(long, { cuts: [], commit: 1 }, supplied),
      { text: "harbour", top_k: 100 },
      { commits: long, tools: supplied },
    ).hits;
    expect(chunks.length).toBeGreaterThan(2);
    const inOrder = [...chunks].sort((a, b) => a.chunk - b.chunk);
    expect(inOrder.map(({ chunk }) => chunk)).toEqual(inOrder.map((_, index) => index));
    expect(
      inOrder
        .map(({ text }) => text)
        .join("")
        .replaceAll(/\s/g, ""),
    ).toBe(sentence.repeat(200).replaceAll(/\s/g, ""));
  });

  test("the plan says whether something was restricted, with its numbers", () => {
    expect(run(view, { text: "renewal" }, { commits, tools: supplied })).toMatchObject({
      plan: "exact",
      candidates: 3,
    });
    const filtered = run(view, { text: "renewal", filter: { kind: "call" } }, { commits, tools: supplied });
    expect(filtered).toMatchObject({ plan: "filtered_exact", candidates: 1 });
    expect(filtered.planReason).toContain("1 live document");
  });

  test("an empty log has no hits", () => {
    const empty: View = { snapshot: { incarnation: 1, commit: 0, vectorCommit: 0, revision: "" }, parts: [] };
    for (const body of [{ text: "renewal" }, { vector: [1, 0] }, { text: "renewal", vector: [1, 0] }]) {
      expect(run(empty, body, { commits: [], tools: supplied })).toMatchObject({ hits: [], candidates: 0 });
    }
  });
});
