/**
 * From a request and a view to what is answered: the same code wherever the parts came from, so that an object and a
 * front door that has only the shards say the same of the same snapshot.
 *
 *   resolveForView → (nothing asynchronous from here on) → answerView
 */
import { fail, ok, type Result } from "../errors.ts";
import { snapshotToken, writeToken } from "../log/token.ts";
import type { Digest, Embedder, KernelBuilder, Metric } from "../ports.ts";
import { type EntityScope, entityObjectName, type SearchAnswer, type SearchCommand } from "../rpc.ts";
import type { SearchRequest } from "../schema/search.ts";
import { oversizedAnswer } from "./answer_size.ts";
import { embedQuery } from "./embed_query.ts";
import type { SegmentKey } from "./hit.ts";
import type { SlabResidency } from "./residency.ts";
import { describeResolved, type ResolvedSearch, resolveSearch } from "./resolve.ts";
import { type SearchOutcome, searchView } from "./search.ts";
import { type LiveRows, spaceOfView, type View } from "./view.ts";

/** What answers are made with. */
export interface Answering {
  readonly scope: EntityScope;
  readonly builder: Pick<KernelBuilder, "analyze">;
  readonly embedder: Embedder | null;
  readonly metric: Metric;
  readonly residency: SlabResidency;
  readonly digest: Digest;
  readonly segmentKey: SegmentKey;
}

/** With the query embedded, if the search needs its vector. `bm25` null: the deployment's default. */
export async function resolveForView(
  request: SearchRequest,
  view: View,
  bm25: SearchCommand["bm25"],
  { builder, embedder, metric }: Answering,
): Promise<Result<ResolvedSearch>> {
  const resolved = resolveSearch(request, {
    vectorSpace: spaceOfView(view),
    metric,
    embedder,
    analyze: (text) => builder.analyze(text),
    ...(bm25 === null ? {} : { bm25 }),
  });
  return resolved.ok ? embedQuery(resolved.value, embedder) : resolved;
}

/** An answer but for what only its reader knows: how stale it is, what waits, and where the parts came from. */
export interface ViewAnswer {
  readonly answer: Omit<SearchAnswer, "staleMs" | "unindexedEvents" | "cache">;
  readonly brought: SearchOutcome["brought"];
}

/** The head that a view is read through, and the one that a pinned snapshot was read through first; null: not pinned. */
export interface ReadThrough {
  readonly version: number;
  readonly pinnedVersion: number | null;
}

/** `live[i]` is of `view.parts[i]`; `redacted` is the commit of the last redaction before it, 0 for none. */
export function answerView(
  view: View,
  through: ReadThrough,
  resolved: ResolvedSearch,
  live: readonly LiveRows[],
  answering: Answering,
  redacted = 0,
): Result<ViewAnswer> {
  const { scope, residency, digest, segmentKey } = answering;
  const { snapshot } = view;
  const version = through.pinnedVersion ?? through.version;
  // The graphs that the snapshot was first read by may be gone; what a scan finds does not depend on the layout.
  const search = version === through.version ? resolved : { ...resolved, exactOnly: true };
  const context = { entity: scope.entity, scope: entityObjectName(scope), residency, segmentKey };
  const outcome =
    view.parts.length === 0
      ? ok({ hits: [], plan: "exact" as const, planReason: "the snapshot holds no events", candidates: 0, brought: [] })
      : searchView(view, search, live, context);
  if (!outcome.ok) return outcome;
  const { hits, plan, planReason, candidates, brought } = outcome.value;
  const oversized = oversizedAnswer(hits);
  if (oversized !== null) return fail(oversized);
  const answer = {
    hits,
    snapshot: snapshotToken(scope, { snapshot, version, redacted }, digest),
    token: writeToken(scope, { incarnation: snapshot.incarnation, commit: snapshot.commit }, digest),
    plan,
    planReason,
    candidates,
    resolved: describeResolved(resolved),
    degraded: resolved.degraded,
  };
  return ok({ answer, brought });
}
