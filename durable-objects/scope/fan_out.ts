/**
 * A strong search over a short list of entities: each entity's own object answers, at one snapshot of its own, and the
 * answers are merged exactly (core/scope/fan_out.ts).
 *
 *   survey   snapshot, statistics, vectors' space    ┐
 *   rank     each leg's best, by summed statistics   ├ in every entity of the list, side by side
 *   hydrate  the hits of the answer                  ┘
 */
import { type Failure, fail, invalid, ok, type Result } from "../../core/errors.ts";
import { FAN_OUT_CONCURRENCY_MAX, TOP_K_MAX } from "../../core/limits.ts";
import { parseScopeToken, parseWriteToken, scopeToken } from "../../core/log/token.ts";
import { oversizedAnswer } from "../../core/retrieval/answer_size.ts";
import { embedQuery } from "../../core/retrieval/embed_query.ts";
import { describeResolved, type ResolvedSearch, resolveSearch } from "../../core/retrieval/resolve.ts";
import { legLimit, placeHits } from "../../core/retrieval/search.ts";
import { findVerbatim } from "../../core/retrieval/verbatim.ts";
import type { SearchHit } from "../../core/rpc.ts";
import type { Json } from "../../core/schema/scalar.ts";
import type { SearchRequest } from "../../core/schema/search.ts";
import {
  assign,
  commonSpace,
  mergeRankings,
  overallPlanOf,
  overallTierOf,
  sumStatistics,
} from "../../core/scope/fan_out.ts";
import type {
  EntityRanking,
  ScopeSearchAnswer,
  ScopeSearchCommand,
  SearchStep,
  SearchSurvey,
} from "../../core/scope/scope_rpc.ts";
import type { FanOutPorts } from "./ports.ts";

/** A slab of the smallest class is leased under this name, for the kernel's arithmetic alone. */
const SLAB_SCOPE = "fan_out";
const TOKEN_KIND = "entities";

export async function searchEntities(
  ports: FanOutPorts,
  { search: asked, bm25 }: ScopeSearchCommand,
): Promise<Result<ScopeSearchAnswer>> {
  const entities = [...(asked.entities ?? [])].sort();
  const requests = requestsOf(ports, entities, asked.request);
  if (!requests.ok) return requests;
  const surveys = await inEach(requests.value, ({ entity, request }) => {
    const scope = { tenant: ports.tenant, entity };
    return ports.entityOf(scope).surveySearch({ scope, request, bm25 });
  });
  if (!surveys.ok) return surveys;
  const search = await resolve(ports, asked.request, surveys.value, bm25);
  if (!search.ok) return search;
  const ranked = await rankAll(ports, entities, surveys.value, wide(search.value, asked.oneAnEntity));
  if (!ranked.ok) return ranked;
  const hits = await hydrateAll(ports, ranked.value, search.value, asked.oneAnEntity);
  if (!hits.ok) return hits;
  const oversized = oversizedAnswer(hits.value);
  if (oversized !== null) return fail(oversized);
  const { rankings } = ranked.value;
  const token = tokenOf(ports, entities, surveys.value);
  const unindexedEvents = surveys.value.reduce((sum, survey) => sum + survey.unindexedEvents, 0);
  return ok({
    hits: hits.value,
    snapshot: token,
    token,
    staleMs: 0,
    unindexedEvents,
    cache: overallTierOf(surveys.value),
    plan: overallPlanOf(rankings),
    planReason: rankings.map(({ planReason }, index) => `${entities[index]}: ${planReason}`).join(" "),
    candidates: rankings.reduce((sum, { candidates }) => sum + candidates, 0),
    resolved: describeResolved(search.value),
    degraded: search.value.degraded,
    coverage: {
      kind: "entities",
      statistics: "entities",
      entities: entities.length,
      knownEntities: entities.length,
      waitingEntities: 0,
      unindexedEvents,
      asOf: null,
    },
  });
}

// --- Requests -------------------------------------------------------------------------------

interface EntityRequest {
  readonly entity: string;
  readonly request: SearchRequest;
}

/** Each entity's own: with its part of a snapshot over all of them, and `at_least` where it names a write of it. */
function requestsOf(
  ports: FanOutPorts,
  entities: readonly string[],
  request: SearchRequest,
): Result<readonly EntityRequest[]> {
  const pinned = request.snapshot === null ? ok(null) : snapshotsIn(ports, entities, request.snapshot, "snapshot");
  if (!pinned.ok) return pinned;
  const writer = request.atLeast === null ? ok(null) : writerOf(ports, entities, request.atLeast);
  if (!writer.ok) return writer;
  return ok(
    entities.map((entity, index) => ({
      entity,
      request: {
        ...request,
        consistency: "strong",
        snapshot: pinned.value?.[index] ?? null,
        atLeast: writer.value === entity ? request.atLeast : null,
      },
    })),
  );
}

/** The entity that the write token is of; null for what an answer over this list gave, which a strong one always has. */
function writerOf(ports: FanOutPorts, entities: readonly string[], token: string): Result<string | null> {
  const { tenant, digest } = ports;
  const readings = entities.map((entity) => ({ entity, read: parseWriteToken({ tenant, entity }, token, digest) }));
  const own = readings.find(({ read }) => read.kind === "token");
  if (own !== undefined) return ok(own.entity);
  if (readings.some(({ read }) => read.kind === "foreign")) {
    return fail(conflict("`at_least` names a write that was never acknowledged for any of the entities."));
  }
  const answered = snapshotsIn(ports, entities, token, "at_least");
  return answered.ok ? ok(null) : answered;
}

/** One an entity, in their order. */
function snapshotsIn(
  { tenant, digest }: FanOutPorts,
  entities: readonly string[],
  token: string,
  field: "snapshot" | "at_least",
): Result<readonly string[]> {
  const read = parseScopeToken(tenant, token, digest, entityTokensOf);
  if (read.kind === "malformed") return fail(invalid(field, "is not a token of a search over listed entities"));
  const fits =
    read.kind === "token" &&
    read.token.entities.length === entities.length &&
    read.token.entities.every((entity, index) => entity === entities[index]);
  return fits ? ok(read.token.snapshots) : fail(conflict(`\`${field}\` was never issued for these entities.`));
}

interface EntityTokens {
  readonly entities: readonly string[];
  readonly snapshots: readonly string[];
}

function entityTokensOf([kind, entities, snapshots, ...rest]: readonly Json[]): EntityTokens | null {
  if (kind !== TOKEN_KIND || rest.length > 0 || !areTexts(entities) || !areTexts(snapshots)) return null;
  return entities.length === snapshots.length ? { entities, snapshots } : null;
}

function areTexts(value: Json | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function tokenOf(
  { tenant, digest }: FanOutPorts,
  entities: readonly string[],
  surveys: readonly SearchSurvey[],
): string {
  const snapshots = surveys.map(({ snapshot }) => snapshot);
  return scopeToken(tenant, [TOKEN_KIND, entities, snapshots], digest);
}

function conflict(detail: string): Failure {
  return { reason: "conflict", detail };
}

// --- Steps ----------------------------------------------------------------------------------

async function resolve(
  ports: FanOutPorts,
  request: SearchRequest,
  surveys: readonly SearchSurvey[],
  bm25: ScopeSearchCommand["bm25"],
): Promise<Result<ResolvedSearch>> {
  const { embedder, revision, builder } = ports;
  const resolved = resolveSearch(request, {
    vectorSpace: commonSpace(surveys),
    metric: revision.metric,
    embedder,
    analyze: (text) => builder.analyze(text),
    ...(bm25 === null ? {} : { bm25 }),
  });
  return resolved.ok ? embedQuery(resolved.value, embedder) : resolved;
}

/** The best of each entity may stand far below the best of all. */
function wide(search: ResolvedSearch, oneAnEntity: boolean): ResolvedSearch {
  return oneAnEntity ? { ...search, topK: TOP_K_MAX } : search;
}

interface Ranked {
  readonly steps: readonly SearchStep[];
  readonly rankings: readonly EntityRanking[];
}

async function rankAll(
  ports: FanOutPorts,
  entities: readonly string[],
  surveys: readonly SearchSurvey[],
  search: ResolvedSearch,
): Promise<Result<Ranked>> {
  const statistics = sumStatistics(surveys);
  const steps = surveys.map(({ snapshot }, index): SearchStep => {
    return { scope: { tenant: ports.tenant, entity: entities[index] ?? "" }, snapshot, search, statistics };
  });
  const rankings = await inEach(steps, (step) => ports.entityOf(step.scope).rankSearch(step));
  return rankings.ok ? ok({ steps, rankings: rankings.value }) : rankings;
}

async function hydrateAll(
  ports: FanOutPorts,
  { steps, rankings }: Ranked,
  { topK }: ResolvedSearch,
  oneAnEntity: boolean,
): Promise<Result<readonly SearchHit[]>> {
  const search = steps[0]?.search;
  const lease = ports.slabs.lease(`${ports.tenant}/${SLAB_SCOPE}`, 0);
  if (search === undefined || lease === null) return ok([]);
  const legs = mergeRankings(rankings, legLimit(search, search.topK));
  const lookedUp = findVerbatim(legs, ...legs.verbatim);
  const placed = placeHits(legs, lookedUp, search, lease.slab, search.topK);
  const lists = assign(placed, rankings, topK, oneAnEntity);
  const asked = steps.flatMap((step, index) => {
    const list = lists[index] ?? [];
    return list.length === 0 ? [] : [{ step, list }];
  });
  const hydrated = await inEach(asked, ({ step, list }) =>
    ports.entityOf(step.scope).hydrateSearch(
      step,
      list.map((one) => one.placed),
    ),
  );
  if (!hydrated.ok) return hydrated;
  const hits: SearchHit[] = [];
  asked.forEach(({ list }, index) => {
    list.forEach(({ at }, position) => {
      const hit = hydrated.value[index]?.[position];
      if (hit !== undefined) hits[at] = hit;
    });
  });
  return ok(hits);
}

/** At most FAN_OUT_CONCURRENCY_MAX at once; the first failure is the answer. */
async function inEach<From, To>(
  from: readonly From[],
  call: (one: From) => Promise<Result<To>>,
): Promise<Result<readonly To[]>> {
  const all: To[] = [];
  for (let start = 0; start < from.length; start += FAN_OUT_CONCURRENCY_MAX) {
    for (const result of await Promise.all(from.slice(start, start + FAN_OUT_CONCURRENCY_MAX).map(call))) {
      if (!result.ok) return result;
      all.push(result.value);
    }
  }
  return ok(all);
}
