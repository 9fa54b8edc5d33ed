/** Searches over the logs of corpus.ts, through the real kernel. */
import fc from "fast-check";
import { embeddedEmbedder } from "../../adapters/models/embedded.ts";
import { ok } from "../../core/errors.ts";
import type { CommitLines } from "../../core/index/part.ts";
import type { LocalEmbedder, SlabPool } from "../../core/ports.ts";
import { SlabResidency } from "../../core/retrieval/residency.ts";
import { type ResolvedSearch, resolveSearch, withQueryVector } from "../../core/retrieval/resolve.ts";
import { type SearchOutcome, searchView } from "../../core/retrieval/search.ts";
import { spaceOfView, type View } from "../../core/retrieval/view.ts";
import type { SearchHit } from "../../core/rpc.ts";
import type { Json } from "../../core/schema/scalar.ts";
import { searchBodySchema } from "../../core/schema/search.ts";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { createSlabPool } from "../../wasm/slab_pool.ts";
import { loadKernel } from "../kernel/load_kernel.ts";
import { type CorpusTools, liveRowsOf } from "./corpus.ts";
import { filterArbitrary } from "./filter_arbitrary.ts";

const kernel = await loadKernel();
export const builder = createKernelBuilder(kernel);
export const pool = createSlabPool(kernel);
export const embedder: LocalEmbedder = embeddedEmbedder((text) => builder.analyze(text));
export const supplied: CorpusTools = { builder, metric: "cosine", embedder: null };
export const embedded: CorpusTools = { builder, metric: "cosine", embedder };

const apart = createSlabPool(kernel);

/** Slabs none of which is ever large enough to stay in: of their own, since a residency knows what its slabs hold. */
export const streaming: SlabPool = {
  sizeOf: (sections) => apart.sizeOf(sections),
  lease: () => null,
  window: (scope) => apart.window(scope),
  isLeased: (scope) => apart.isLeased(scope),
  capacityBytes: 0,
  release: (scope) => apart.release(scope),
  residentBytes: apart.residentBytes,
};

export type Body = { readonly [key: string]: Json };

export function resolveFor(view: View, body: Body, tools: CorpusTools): ResolvedSearch {
  const { metric } = tools;
  const context = {
    vectorSpace: spaceOfView(view),
    metric,
    embedder: tools.embedder,
    analyze: builder.analyze.bind(builder),
  };
  const resolved = resolveSearch(searchBodySchema.parse(body), context);
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.failure));
  const { embedText } = resolved.value;
  const vector = embedText === null ? null : (tools.embedder?.embed([embedText])[0] ?? null);
  const ready = withQueryVector(resolved.value, ok(vector));
  if (!ready.ok) throw new Error(JSON.stringify(ready.failure));
  return ready.value;
}

export interface Run {
  readonly commits: readonly CommitLines[];
  readonly tools: CorpusTools;
  readonly residency?: SlabResidency;
}

/** The answer, without what the slab happened to hold before it. */
export function run(
  view: View,
  body: Body,
  { commits, tools, residency = new SlabResidency(pool) }: Run,
): Omit<SearchOutcome, "brought"> {
  const outcome = searchView(view, resolveFor(view, body, tools), liveRowsOf(view, commits), {
    entity: "account:acme",
    scope: "tenant/account:acme",
    residency,
    segmentKey: (key) => `bucket/${key}`,
  });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.failure));
  const { brought: _, ...answer } = outcome.value;
  return answer;
}

/** What names a hit: its place in the log. */
export function placeOf({ citation, chunk }: SearchHit): string {
  return `${citation.segment} ${citation.line} ${chunk}`;
}

// --- Random requests ------------------------------------------------------------------------

const queryWords = fc.constantFrom(
  "renewal",
  "risks",
  "invoices",
  "call",
  "promise",
  "harbour",
  "ORD-1042",
  "and/or",
  "1042",
  "a/b2.ts",
  "the",
);

export const queryText = fc
  .tuple(fc.constantFrom("renewal", "risk", "north"), fc.array(queryWords, { maxLength: 4 }))
  .map(([first, rest]) => [first, ...rest].join(" "));

/** Often nothing, and seldom all at once, so that most searches have hits. */
const restriction: fc.Arbitrary<Body> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Body>({}) },
  { weight: 2, arbitrary: filterArbitrary.map((filter): Body => ({ filter })) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 20 }).map((from): Body => ({ from })) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 20 }).map((to): Body => ({ to })) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 20 }).map((valid_at): Body => ({ valid_at })) },
  {
    weight: 2,
    arbitrary: fc.record({
      filter: filterArbitrary,
      from: fc.integer({ min: 0, max: 8 }),
      to: fc.integer({ min: 8, max: 20 }),
      valid_at: fc.integer({ min: 8, max: 20 }),
    }),
  },
);

export const topK = fc.constantFrom(1, 3, 10, 30);

/** `vector` is of this many dimensions; 0 means there is none. */
export function bodyArbitrary(dimensions: number): fc.Arbitrary<Body> {
  const vector = fc
    .array(fc.integer({ min: -8, max: 8 }), { minLength: dimensions, maxLength: dimensions })
    .filter((numbers) => numbers.some((number) => number !== 0));
  const sides = fc.record({
    text: queryText,
    ...(dimensions === 0 ? {} : { vector, mode: fc.constantFrom("hybrid", "text", "vector") }),
  });
  return fc
    .tuple(sides, restriction, topK, fc.boolean())
    .map(([asked, restricted, top_k, explain]): Body => ({ ...asked, ...restricted, top_k, explain }));
}
