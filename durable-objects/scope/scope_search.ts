/**
 * An eventual search over a tenant's index. It runs the code that searches an entity, over parts of all entities: live
 * rows, statistics and hits are of the whole tenant, whatever the search restricts itself to.
 *
 *   prefilter ─ summaries ─ the entities they name ┐
 *   listed entities ───────────────────────────────┴─ filter ─ events ─ hits
 *
 * What a credential may not see is not filtered, it is not there: neither in hits nor in any statistic or count.
 */
import { type Failure, fail, invalid, ok, type Result, unprocessable } from "../../core/errors.ts";
import { PREFILTER_ENTITIES_MAX } from "../../core/limits.ts";
import { type Liveness, livenessOf, liveRowsAt } from "../../core/log/live.ts";
import { parseScopeToken, parseWriteToken, scopeToken } from "../../core/log/token.ts";
import { oversizedAnswer } from "../../core/retrieval/answer_size.ts";
import { embedQuery } from "../../core/retrieval/embed_query.ts";
import type { Filter } from "../../core/retrieval/filter.ts";
import { describeResolved, type ResolvedSearch, resolveSearch } from "../../core/retrieval/resolve.ts";
import { type SearchContext, type SearchOutcome, searchView } from "../../core/retrieval/search.ts";
import { type LiveRows, spaceOfView, type View } from "../../core/retrieval/view.ts";
import type { CacheTier } from "../../core/rpc.ts";
import type { Json } from "../../core/schema/scalar.ts";
import type { TenantSearchRequest } from "../../core/schema/search.ts";
import { coveredBy, type Erased, erasedAmong, type LayerName, type ScopeHead } from "../../core/scope/scope_head.ts";
import { liveInScope } from "../../core/scope/scope_live.ts";
import { scopeNames } from "../../core/scope/scope_names.ts";
import type { ScopeCoverage, ScopeSearchAnswer, ScopeSearchCommand } from "../../core/scope/scope_rpc.ts";
import type { EntityLife } from "../../core/scope/scoped_line.ts";
import type { ScopePorts } from "./ports.ts";
import type { ScopeIndex } from "./scope_index.ts";
import type { ScopeParts } from "./scope_parts.ts";

const TOKEN_KIND = "tenant";

/** What a search of the tenant's index sees: of both logs so many commits, and so many erasures. */
interface ScopeSnapshot {
  readonly incarnation: number;
  readonly events: number;
  readonly summaries: number;
  readonly revision: string;
  readonly erasures: number;
}

interface LiveView {
  readonly view: View;
  readonly live: readonly LiveRows[];
}

export class ScopeSearch {
  readonly #ports: ScopePorts;
  readonly #index: ScopeIndex;
  readonly #parts: ScopeParts;
  readonly #liveness = new Map<LayerName, Liveness>();

  constructor(ports: ScopePorts, index: ScopeIndex, parts: ScopeParts) {
    this.#ports = ports;
    this.#index = index;
    this.#parts = parts;
  }

  async search(command: ScopeSearchCommand): Promise<Result<ScopeSearchAnswer>> {
    await this.#index.lookAgain();
    const { head, mode } = this.#index.state;
    if (head === null || mode === "off") return fail(noIndex());
    const refused = unfit(command.search, mode);
    if (refused !== null) return fail(refused);
    const snapshot = this.#snapshot(command, head);
    if (!snapshot.ok) return snapshot;
    return this.#parts.whileReading(() => this.#searchAt(command, head, snapshot.value));
  }

  async #searchAt(
    command: ScopeSearchCommand,
    head: ScopeHead,
    snapshot: ScopeSnapshot,
  ): Promise<Result<ScopeSearchAnswer>> {
    const { opened } = this.#parts;
    const { search: asked } = command;
    const layer = this.#index.state.mode === "full" ? "events" : "summaries";
    const named = asked.prefilter ? await this.#prefilter(command, head, snapshot) : ok(asked.entities);
    if (!named.ok) return named;
    const found = await this.#searchLayer(command, head, layer, snapshot, named.value, asked.oneAnEntity);
    if (!found.ok) return found;
    const { outcome, search } = found.value;
    const oversized = oversizedAnswer(outcome.hits);
    if (oversized !== null) return fail(oversized);
    const token = this.#tokenOf(snapshot);
    const coverage = this.coverage(layer, command.entityPrefix);
    const { asOf } = coverage;
    return ok({
      hits: outcome.hits,
      snapshot: token,
      token,
      staleMs: Math.max(0, this.#ports.clock.now() - (asOf ?? 0)),
      unindexedEvents: coverage.unindexedEvents,
      cache: cacheTier(outcome, this.#parts.opened > opened),
      plan: outcome.plan,
      planReason: outcome.planReason,
      candidates: outcome.candidates,
      resolved: describeResolved(search),
      degraded: outcome.cut ? [...search.degraded, "group_by: only the best hits were grouped"] : search.degraded,
      coverage: { ...coverage, entities: named.value?.length ?? coverage.entities },
    });
  }

  /** `prefix`: of the entities that may be counted; null: all. */
  coverage(layer: LayerName, prefix: string | null): ScopeCoverage {
    const { seen, state } = this.#index;
    const { tables } = this.#ports;
    const since = [seen?.waitingSinceMs ?? null, state.behindSinceMs].filter((ms) => ms !== null);
    const entities = tables.takenCount(prefix ?? "");
    const behind = tables.behindCount(layer, prefix ?? "");
    return {
      kind: layer === "events" ? "full" : "summaries",
      statistics: "tenant",
      entities,
      knownEntities: prefix === null ? (seen?.known ?? 0) : entities,
      waitingEntities: prefix === null ? (seen?.waiting ?? 0) + behind : behind,
      unindexedEvents: prefix === null ? (seen?.unindexedEvents ?? 0) : 0,
      asOf: seen === null ? null : Math.min(seen.atMs, ...since),
    };
  }

  // --- snapshots ---

  #snapshot({ search }: ScopeSearchCommand, head: ScopeHead): Result<ScopeSnapshot> {
    const now: ScopeSnapshot = {
      incarnation: head.incarnation,
      events: coveredBy(head.layers.events),
      summaries: coveredBy(head.layers.summaries),
      revision: head.revision,
      erasures: head.erasures,
    };
    const { snapshot, atLeast } = search.request;
    const included = atLeast === null ? ok(null) : this.#includes(atLeast, search.entities, now);
    if (!included.ok) return included;
    if (snapshot === null) return ok(now);
    const pinned = this.#pinned(snapshot, now, "snapshot");
    const readsSummaries = search.prefilter || this.#index.state.mode === "summaries";
    if (!pinned.ok || !readsSummaries || pinned.value.summaries >= head.summariesFrom) return pinned;
    return fail({ reason: "snapshot_expired", detail: "Summaries that this snapshot saw have been overtaken." });
  }

  #pinned(token: string, now: ScopeSnapshot, field: "snapshot" | "at_least"): Result<ScopeSnapshot> {
    const read = parseScopeToken(this.#ports.tenant, token, this.#ports.digest, snapshotOf);
    if (read.kind === "malformed") return fail(invalid(field, "is not a token of a search over the tenant"));
    if (read.kind === "foreign") return fail(conflict(`\`${field}\` was never issued for this tenant.`));
    const pinned = read.token;
    if (pinned.incarnation !== now.incarnation || pinned.revision !== now.revision) {
      const detail = "The index that this snapshot was read from has been built anew.";
      return fail({ reason: "snapshot_expired", detail });
    }
    if (pinned.erasures !== now.erasures) {
      return fail({ reason: "snapshot_erased", detail: "Something that this snapshot saw was erased." });
    }
    const ahead = pinned.events > now.events || pinned.summaries > now.summaries;
    return ahead ? fail(conflict(`\`${field}\` was never issued for this tenant.`)) : ok(pinned);
  }

  /** What an answer saw stays in the index; a write of an entity is there when its commit was covered. */
  #includes(token: string, entities: readonly string[] | null, now: ScopeSnapshot): Result<unknown> {
    const { tenant, digest, tables } = this.#ports;
    for (const entity of entities ?? []) {
      const read = parseWriteToken({ tenant, entity }, token, digest);
      if (read.kind !== "token") continue;
      const taken = tables.taken(entity);
      const isTaken = taken?.incarnation === read.token.incarnation && taken.commit >= read.token.commit;
      return isTaken && !tables.hasPending(entity)
        ? ok(null)
        : fail(conflict("The tenant's index does not hold the write that `at_least` names yet; ask for `strong`."));
    }
    const answered = this.#pinned(token, now, "at_least");
    if (answered.ok || answered.failure.reason !== "invalid") return answered;
    return fail(invalid("at_least", "names no write of the listed `entities`, and no answer of this tenant"));
  }

  #tokenOf({ incarnation, events, summaries, revision, erasures }: ScopeSnapshot): string {
    const fields = [TOKEN_KIND, incarnation, events, summaries, revision, erasures];
    return scopeToken(this.#ports.tenant, fields, this.#ports.digest);
  }

  // --- searching ---

  /** The entities whose summaries fit the query best. */
  async #prefilter(
    command: ScopeSearchCommand,
    head: ScopeHead,
    snapshot: ScopeSnapshot,
  ): Promise<Result<readonly string[]>> {
    const { search } = command;
    const request = {
      ...search.request,
      topK: PREFILTER_ENTITIES_MAX,
      filter: null,
      from: null,
      to: null,
      validAt: null,
      include: [],
      explain: false,
    };
    const summaries = { ...command, search: { ...search, request } };
    const found = await this.#searchLayer(summaries, head, "summaries", snapshot, search.entities, true);
    return found.ok ? ok(found.value.outcome.hits.map(({ entity }) => entity)) : found;
  }

  async #searchLayer(
    { search: asked, entityPrefix, bm25 }: ScopeSearchCommand,
    head: ScopeHead,
    layer: LayerName,
    snapshot: ScopeSnapshot,
    entities: readonly string[] | null,
    oneAnEntity: boolean,
  ): Promise<Result<{ readonly outcome: SearchOutcome; readonly search: ResolvedSearch }>> {
    const { builder, embedder, revision } = this.#ports;
    const seen = await this.#view(head, layer, snapshot[layer], entityPrefix);
    if (!seen.ok) return seen;
    const { view, live } = seen.value;
    const resolved = resolveSearch(asked.request, {
      vectorSpace: spaceOfView(view),
      metric: revision.metric,
      embedder,
      analyze: (text) => builder.analyze(text),
      ...(bm25 === null ? {} : { bm25 }),
    });
    const embedded = resolved.ok ? await embedQuery(resolved.value, embedder) : resolved;
    if (!embedded.ok) return embedded;
    const search = confined(embedded.value, entities);
    if (view.parts.length === 0) return ok({ outcome: NOTHING_FOUND, search });
    const outcome = searchView(view, search, live, this.#context(layer, oneAnEntity));
    return outcome.ok ? ok({ outcome: outcome.value, search }) : outcome;
  }

  #context(layer: LayerName, oneAnEntity: boolean): SearchContext {
    const { tenant, residency, store } = this.#ports;
    return {
      entity: "",
      // No entity has an empty name, so no entity's slab has this one.
      scope: `${tenant}//${layer}`,
      residency,
      segmentKey: (key) => store.fullKey(key),
      names: scopeNames(layer),
      oneAnEntity,
    };
  }

  async #view(head: ScopeHead, layer: LayerName, through: number, prefix: string | null): Promise<Result<LiveView>> {
    const shards = head.layers[layer].filter(({ from }) => from <= through);
    const parts = await this.#parts.open(shards);
    if (!parts.ok) return parts;
    const { incarnation, revision, erased } = head;
    const view = {
      snapshot: { incarnation, commit: through, vectorCommit: through, revision },
      parts: parts.value,
    };
    const liveness = livenessOf(parts.value, this.#liveness.get(layer) ?? null);
    this.#liveness.set(layer, liveness);
    return ok({ view, live: liveInScope(view, layer, liveRowsAt(liveness, through), hidden(erased, prefix)) });
  }
}

const NOTHING_FOUND: SearchOutcome = {
  hits: [],
  plan: "exact",
  planReason: "the snapshot holds no events",
  candidates: 0,
  resident: true,
  cut: false,
};

/** Lives that are not to be seen; null when there are none. */
function hidden(erased: readonly Erased[], prefix: string | null): ((life: EntityLife) => boolean) | null {
  if (erased.length === 0 && prefix === null) return null;
  const isErased = erasedAmong(erased);
  return (life) => isErased(life) || !life.entity.startsWith(prefix ?? "");
}

/** The search, restricted to the entities that were named. */
function confined(search: ResolvedSearch, entities: readonly string[] | null): ResolvedSearch {
  if (entities === null) return search;
  const named: Filter = { type: "condition", field: "entity", test: { op: "in", values: new Set(entities) } };
  return { ...search, restricted: true, filter: { type: "and", filters: [search.filter, named] } };
}

function cacheTier({ resident }: SearchOutcome, opened: boolean): CacheTier {
  return opened || !resident ? "ssd" : "memory";
}

function snapshotOf([kind, incarnation, events, summaries, revision, erasures, ...rest]: readonly Json[]) {
  if (kind !== TOKEN_KIND || rest.length > 0 || typeof revision !== "string") return null;
  if (!isCount(incarnation) || !isCount(events) || !isCount(summaries) || !isCount(erasures)) return null;
  return { incarnation, events, summaries, revision, erasures };
}

function isCount(value: Json | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

// --- What cannot be asked -------------------------------------------------------------------

function unfit({ request, prefilter }: TenantSearchRequest, mode: "summaries" | "full"): Failure | null {
  if (request.asOf !== null)
    return unprocessable(
      "as_of",
      "is answered by a strong search that lists its `entities`: the index keeps no arrivals",
    );
  if (prefilter && mode === "summaries")
    return unprocessable("prefilter", "comes before a search of all events, which needs `tenant_index` full");
  return null;
}

export function noIndex(): Failure {
  return conflict(
    "The tenant has no index over its entities: set `tenant_index`, or list `entities` and ask for `strong`.",
  );
}

function conflict(detail: string): Failure {
  return { reason: "conflict", detail };
}
