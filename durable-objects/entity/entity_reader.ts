/**
 * Reads: every answer is made from one view, taken at one moment, of the parts that tile the log.
 * What is asynchronous (copying shards from the store, embedding the query) happens before or beside the view; the
 * search itself is synchronous and sees nothing change.
 */
import { fail, invalid, ok, type Result } from "../../core/errors.ts";
import type { Part } from "../../core/index/part.ts";
import { SCOPE_TAKEN_COMMITS_MAX, SUMMARY_SOURCE_BYTES_MAX } from "../../core/limits.ts";
import { parseWholeLine } from "../../core/log/line.ts";
import { type Liveness, livenessOf, liveRowsAt } from "../../core/log/live.ts";
import { snapshotToken } from "../../core/log/token.ts";
import type { Metric, TextStatistics } from "../../core/ports.ts";
import { type Answering, answerView, resolveForView } from "../../core/retrieval/answer.ts";
import { NO_STATISTICS } from "../../core/retrieval/bm25.ts";
import { citationOf } from "../../core/retrieval/hit.ts";
import type { SlabResidency } from "../../core/retrieval/residency.ts";
import { type ResolvedSearch, resolveSearch } from "../../core/retrieval/resolve.ts";
import { hydrateView, type Placed, rankView, type SearchContext, surveyView } from "../../core/retrieval/search.ts";
import { chooseSnapshot, commitAsOf, type LogPosition, snapshotAt, viewOf } from "../../core/retrieval/snapshots.ts";
import { countLive } from "../../core/retrieval/statistics.ts";
import { findRow, listRows, parseTimelineCursor } from "../../core/retrieval/timeline.ts";
import { commitOfRow, type LiveRows, spaceOfView, type View } from "../../core/retrieval/view.ts";
import {
  type CacheTier,
  type CitedEvent,
  type DocumentVersion,
  type EntityStatus,
  type EventPage,
  entityObjectName,
  type LogCommit,
  type SearchAnswer,
  type SearchCommand,
  type SearchHit,
  type SummarySource,
  type TimelineQuery,
} from "../../core/rpc.ts";
import type { SearchRequest } from "../../core/schema/search.ts";
import type { EntityRanking, SearchStep, SearchSurvey } from "../../core/scope/scope_rpc.ts";
import { newestTexts } from "../../core/scope/summary_sources.ts";
import type { AttemptedWork } from "./attempts.ts";
import { newestDocument } from "./documents.ts";
import type { EntityParts } from "./entity_parts.ts";
import type { EntityPorts } from "./ports.ts";
import type { EntityState } from "./state.ts";
import type { Tail } from "./tail.ts";
import { wholeLines } from "./whole_lines.ts";

export interface ReaderHost {
  readonly ports: EntityPorts;
  readonly parts: EntityParts;
  readonly residency: SlabResidency;
  /** The revision of this object's configuration. */
  readonly revision: string;
  readonly metric: Metric;
  state(): EntityState;
  tail(): Tail;
  ensureLocal(): Promise<Result<{ readonly fetched: number }>>;
}

/** What is said of work that died each time before it could say anything. */
const NO_ERROR = "The indexer did not report back.";

/** Of a log without events. */
const NOTHING_RANKED: EntityRanking = {
  text: null,
  vector: null,
  verbatim: { text: null, vector: null },
  candidates: 0,
  documents: 0,
  plan: "exact",
  planReason: "the snapshot holds no events",
};

/** The parts of the log at one moment. */
interface Layout {
  readonly parts: readonly Part[];
  readonly log: LogPosition;
  readonly headVersion: number;
  readonly cache: CacheTier;
  readonly unindexedEvents: number;
  readonly oldestUnindexedMs: number | null;
}

export class EntityReader {
  readonly #host: ReaderHost;
  /** Of the latest view: the same for every search until the log or the layout changes. */
  #live: { readonly liveness: Liveness; readonly commit: number; readonly rows: readonly LiveRows[] } | null = null;

  constructor(host: ReaderHost) {
    this.#host = host;
  }

  search(request: SearchRequest, bm25: SearchCommand["bm25"]): Promise<Result<SearchAnswer>> {
    return this.#host.parts.whileReading(() => this.#search(request, bm25));
  }

  async #search(request: SearchRequest, bm25: SearchCommand["bm25"]): Promise<Result<SearchAnswer>> {
    const layout = await this.#layout();
    if (!layout.ok) return layout;
    const { ports } = this.#host;
    const { log, parts } = layout.value;
    const seen = chooseSnapshot(request, log, ports.scope, ports.digest, (ms) => commitAsOf(parts, ms));
    if (!seen.ok) return seen;
    const { pinnedVersion } = seen.value;
    const view = viewOf(layout.value.parts, seen.value.snapshot);
    const resolved = await resolveForView(request, view, bm25, this.#answering());
    if (!resolved.ok) return resolved;
    return this.#answer(layout.value, view, resolved.value, pinnedVersion);
  }

  // --- a search over several entities, this one among them ---

  surveySearch({ request }: SearchCommand): Promise<Result<SearchSurvey>> {
    return this.#host.parts.whileReading(() => this.#surveySearch(request));
  }

  async #surveySearch(request: SearchRequest): Promise<Result<SearchSurvey>> {
    const layout = await this.#layout();
    if (!layout.ok) return layout;
    const { ports } = this.#host;
    const { log, parts, headVersion, unindexedEvents, cache } = layout.value;
    const snapshot = chooseSnapshot(request, log, ports.scope, ports.digest, (ms) => commitAsOf(parts, ms));
    if (!snapshot.ok) return snapshot;
    const view = viewOf(layout.value.parts, snapshot.value.snapshot);
    const statistics = this.#statisticsOf(view, request);
    if (!statistics.ok) return statistics;
    const token = { snapshot: view.snapshot, version: headVersion, redacted: log.redacted };
    return ok({
      snapshot: snapshotToken(ports.scope, token, ports.digest),
      statistics: statistics.value,
      space: spaceOfView(view),
      unindexedEvents,
      cache,
    });
  }

  #statisticsOf(view: View, request: SearchRequest): Result<TextStatistics> {
    const text = request.text?.trim() ?? "";
    if (view.parts.length === 0 || text === "" || request.mode === "vector") return ok(NO_STATISTICS);
    const { ports, metric } = this.#host;
    const analyze = (words: string) => ports.builder.analyze(words);
    const asked = { ...request, mode: "text" as const, vector: null };
    const resolved = resolveSearch(asked, { vectorSpace: null, metric, embedder: null, analyze });
    return resolved.ok ? surveyView(view, resolved.value, this.#liveRows(view), this.#searchContext()) : resolved;
  }

  rankSearch(step: SearchStep): Promise<Result<EntityRanking>> {
    return this.#step(step, (view) => {
      if (view.parts.length === 0) return ok(NOTHING_RANKED);
      const live = this.#liveRows(view);
      const ranked = rankView(view, step.search, step.statistics, live, this.#searchContext());
      if (!ranked.ok) return ranked;
      const { legs, ...rest } = ranked.value;
      return ok({ ...rest, text: legs.text, vector: legs.vector, candidates: legs.candidates });
    });
  }

  hydrateSearch(step: SearchStep, placed: readonly Placed[]): Promise<Result<readonly SearchHit[]>> {
    return this.#step(step, (view) => {
      const live = this.#liveRows(view);
      return hydrateView(view, step.search, step.statistics, placed, live, this.#searchContext());
    });
  }

  /** A later step of a search: at the snapshot of its first. */
  #step<T>({ snapshot }: SearchStep, answer: (view: View) => Result<T>): Promise<Result<T>> {
    return this.#host.parts.whileReading(async () => {
      const layout = await this.#layout();
      if (!layout.ok) return layout;
      const { ports } = this.#host;
      const pinned = { snapshot, atLeast: null, asOf: null, consistency: "strong" as const };
      const chosen = chooseSnapshot(pinned, layout.value.log, ports.scope, ports.digest, () => 0);
      return chosen.ok ? answer(viewOf(layout.value.parts, chosen.value.snapshot)) : chosen;
    });
  }

  #searchContext(): SearchContext {
    const { ports, residency } = this.#host;
    return {
      entity: ports.scope.entity,
      scope: entityObjectName(ports.scope),
      residency,
      segmentKey: (key) => ports.store.fullKey(key),
    };
  }

  #answer(layout: Layout, view: View, search: ResolvedSearch, pinnedVersion: number | null): Result<SearchAnswer> {
    const { snapshot } = view;
    const live = this.#liveRows(view);
    const through = { version: layout.headVersion, pinnedVersion };
    const answered = answerView(view, through, search, live, this.#answering(), layout.log.redacted);
    if (!answered.ok) return answered;
    const behind = snapshot.commit < layout.log.last && snapshot.commit >= layout.log.covered;
    const { oldestUnindexedMs } = layout;
    const { answer, brought } = answered.value;
    return ok({
      ...answer,
      staleMs: behind && oldestUnindexedMs !== null ? Math.max(0, this.#host.ports.clock.now() - oldestUnindexedMs) : 0,
      unindexedEvents: layout.unindexedEvents,
      cache: cacheTier(layout, brought),
    });
  }

  #answering(): Answering {
    const { ports, metric, residency } = this.#host;
    const { scope, embedder, digest, builder, store } = ports;
    return { scope, embedder, metric, residency, digest, builder, segmentKey: (key) => store.fullKey(key) };
  }

  timeline(query: TimelineQuery): Promise<Result<EventPage>> {
    return this.#host.parts.whileReading(() => this.#timeline(query));
  }

  async #timeline(query: TimelineQuery): Promise<Result<EventPage>> {
    const cursor = query.cursor === null ? ok(null) : parseTimelineCursor(query.cursor);
    if (!cursor.ok) return cursor;
    const layout = await this.#layout();
    if (!layout.ok) return layout;
    const { log } = layout.value;
    const at = cursor.value;
    if (at !== null && (at.incarnation !== log.incarnation || at.commit > log.last)) {
      return fail(invalid("cursor", "belongs to another state of this timeline"));
    }
    const view = viewOf(layout.value.parts, snapshotAt(log, at?.commit ?? log.last));
    const page = listRows(view, this.#liveRows(view), query, at);
    if (!page.ok) return page;
    const lines = await this.#linesOf(view, page.value.rows);
    if (!lines.ok) return lines;
    return ok({ events: lines.value.map(parseWholeLine), nextCursor: page.value.cursorAfter(lines.value.length) });
  }

  event(id: string): Promise<Result<CitedEvent>> {
    return this.#host.parts.whileReading(() => this.#event(id));
  }

  async #event(id: string): Promise<Result<CitedEvent>> {
    const view = await this.#strongView();
    if (!view.ok) return view;
    const found = findRow(view.value, this.#liveRows(view.value), id);
    if (found === null) return fail({ reason: "not_found", what: "The event" });
    const lines = await this.#linesOf(view.value, [found]);
    if (!lines.ok) return lines;
    const [line = ""] = lines.value;
    const { store } = this.#host.ports;
    return ok({
      event: parseWholeLine(line),
      citation: citationOf(found.part, found.row, (key) => store.fullKey(key)),
    });
  }

  /** Right after the view was taken. What was erased or redacted while it is read is not damaged. */
  async #linesOf({ snapshot }: View, rows: Parameters<typeof wholeLines>[1]): ReturnType<typeof wholeLines> {
    const { redacted } = this.#host.state();
    const lines = await wholeLines(this.#host, rows);
    const now = this.#host.state();
    const isErased = now.incarnation !== snapshot.incarnation;
    if (lines.ok || !(isErased || now.redaction !== null || now.redacted !== redacted)) return lines;
    const what = isErased ? "The entity was erased meanwhile." : "Lines of the entity are being redacted.";
    return fail({ reason: "unavailable", what, retryAfterSeconds: 1 });
  }

  async document(id: string): Promise<Result<DocumentVersion>> {
    const view = await this.#strongView();
    if (!view.ok) return view;
    const document = newestDocument(view.value, this.#liveRows(view.value), id, this.#host.ports.scope.entity);
    return document === null ? fail({ reason: "not_found", what: "The document" }) : ok(document);
  }

  async status(): Promise<Result<EntityStatus>> {
    const layout = await this.#layout();
    if (!layout.ok) return layout;
    const { log, parts, cache, unindexedEvents } = layout.value;
    if (log.last === 0) return fail({ reason: "not_found", what: "The entity" });
    const view = viewOf(layout.value.parts, snapshotAt(log, log.last));
    const { head, attempted, rebuilding, lastIndexedMs } = this.#host.state();
    const { ports } = this.#host;
    const space = spaceOfView(view);
    return ok({
      snapshot: snapshotToken(
        ports.scope,
        { snapshot: view.snapshot, version: head.version, redacted: log.redacted },
        ports.digest,
      ),
      events: countLive(view, this.#liveRows(view)).events,
      commits: log.last,
      segments: log.last,
      shards: head.shards.map(({ sha256, bytes, chunks, from, to, minTs, maxTs }) => ({
        id: sha256,
        bytes,
        chunks,
        from,
        to,
        minTs,
        maxTs,
      })),
      unindexedEvents,
      lastIndexedAt: lastIndexedMs,
      vector: space === null ? null : { dimensions: space.dimensions, model: space.model },
      cache: { tier: cache, bytes: parts.reduce((bytes, part) => bytes + part.bytes, 0) },
      sealed: sealedOf(attempted) ?? sealedOf(rebuilding?.attempted ?? null),
      collected: this.#host.state().collection.collected,
    });
  }

  /** Every segment in commit order, for export. */
  async segments(): Promise<Result<readonly { readonly commit: number; readonly segment: string }[]>> {
    const view = await this.#strongView();
    if (!view.ok) return view;
    if (view.value.parts.length === 0) return fail({ reason: "not_found", what: "The entity" });
    return ok(view.value.parts.flatMap((part) => part.commits.map(({ commit, segment }) => ({ commit, segment }))));
  }

  /** Commits as the tenant's index takes them in: the first SCOPE_TAKEN_COMMITS_MAX of the range. */
  async commits(incarnation: number, from: number, to: number): Promise<Result<readonly LogCommit[]>> {
    const view = await this.#strongView();
    if (!view.ok) return view;
    if (view.value.snapshot.incarnation !== incarnation) return ok([]);
    const last = Math.min(to, from + SCOPE_TAKEN_COMMITS_MAX - 1);
    return ok(
      view.value.parts.flatMap((part) => (part.to < from || part.from > last ? [] : commitsIn(part, from, last))),
    );
  }

  /** What the entity's summaries are made of, in order of position; null when it is another incarnation now. */
  async summarySources(incarnation: number): Promise<Result<readonly SummarySource[] | null>> {
    return this.#host.parts.whileReading(async () => {
      const view = await this.#strongView();
      if (!view.ok) return view;
      if (view.value.snapshot.incarnation !== incarnation) return ok(null);
      return ok(newestTexts(view.value, this.#liveRows(view.value), SUMMARY_SOURCE_BYTES_MAX));
    });
  }

  async counts(): Promise<Result<{ readonly events: number; readonly lastTs: number | null }>> {
    const view = await this.#strongView();
    if (!view.ok) return view;
    const lastTs = view.value.parts.reduce<number | null>(
      (last, { times }) => (times === null ? last : Math.max(last ?? times.max, times.max)),
      null,
    );
    return ok({ events: countLive(view.value, this.#liveRows(view.value)).events, lastTs });
  }

  async warm(): Promise<Result<{ readonly bytes: number }>> {
    const layout = await this.#layout();
    if (!layout.ok) return layout;
    if (layout.value.log.last === 0) return fail({ reason: "not_found", what: "The entity" });
    const { parts, log } = layout.value;
    if (parts.length > 0) {
      const space = spaceOfView(viewOf(layout.value.parts, snapshotAt(log, log.last)));
      const warmed = this.#host.residency.warm(entityObjectName(this.#host.ports.scope), parts, space);
      if (!warmed.ok) return warmed;
    }
    return ok({ bytes: parts.reduce((bytes, part) => bytes + part.bytes, 0) });
  }

  /** All parts of the log at one moment. */
  async everyPart(): Promise<Result<readonly Part[]>> {
    const layout = await this.#layout();
    return layout.ok ? ok(layout.value.parts) : layout;
  }

  async #strongView(): Promise<Result<View>> {
    const layout = await this.#layout();
    return layout.ok ? ok(viewOf(layout.value.parts, snapshotAt(layout.value.log, layout.value.log.last))) : layout;
  }

  /**
   * Copies what is missing, then takes everything at one moment: a head that changed meanwhile, or of which a shard was
   * mended, is looked at again.
   */
  async #layout(): Promise<Result<Layout>> {
    let fetched = 0;
    for (;;) {
      const { head, lost } = this.#host.state();
      const local = await this.#host.ensureLocal();
      if (!local.ok) return local;
      fetched += local.value.fetched;
      const now = this.#host.state();
      if (now.head === head && now.lost === lost) return this.#layoutNow(fetched);
    }
  }

  #layoutNow(fetched: number): Result<Layout> {
    const { ports, parts } = this.#host;
    const state = this.#host.state();
    const tail = this.#host.tail();
    const opened = parts.opened;
    const shards = parts.shards(state.head);
    if (!shards.ok) return shards;
    const tailParts = parts.tail(tail, state.incarnation);
    if (!tailParts.ok) return tailParts;
    return ok({
      parts: [...shards.value, ...tailParts.value],
      log: {
        incarnation: state.incarnation,
        revision: this.#host.revision,
        last: state.last,
        covered: state.head.covered,
        redacted: state.redacted,
        // A remote embedder's vectors are recorded when a shard is built, so the tail has none of them yet.
        vectorCommit: ports.embedder?.kind === "remote" ? state.head.covered : state.last,
      },
      headVersion: state.head.version,
      cache: fetched > 0 ? "cold" : parts.opened > opened ? "ssd" : "memory",
      unindexedEvents: tail.events,
      oldestUnindexedMs: tail.entries[0]?.facts.arrivalMs ?? null,
    });
  }

  #liveRows(view: View): readonly LiveRows[] {
    const known = this.#live;
    const liveness = livenessOf(view.parts, known?.liveness ?? null);
    const unchanged = known !== null && known.commit === view.snapshot.commit && sameParts(known.liveness, liveness);
    const rows = unchanged ? known.rows : liveRowsAt(liveness, view.snapshot.commit);
    this.#live = { liveness, commit: view.snapshot.commit, rows };
    return rows;
  }
}

/** A shard that another scope's had displaced from the slab was read again from SQLite; the tail lies in memory. */
function cacheTier({ cache, log }: Layout, brought: readonly Part[]): CacheTier {
  return cache === "memory" && brought.some(({ to }) => to <= log.covered) ? "ssd" : cache;
}

function commitsIn(part: Part, from: number, to: number): readonly LogCommit[] {
  const wanted = part.commits.filter(({ commit }) => commit >= from && commit <= to);
  const textBytes = new Map<number, number>();
  part.rowOfDocument.forEach((row, document) => {
    const { commit } = commitOfRow(part, row);
    const bytes = (part.chunkTo[document] ?? 0) - (part.chunkFrom[document] ?? 0);
    textBytes.set(commit, (textBytes.get(commit) ?? 0) + bytes);
  });
  const withdrawing = new Set(part.withdrawals.map(({ row }) => commitOfRow(part, row).commit));
  return wanted.map(({ commit, segment, arrivalMs }) => {
    return { commit, segment, arrivalMs, textBytes: textBytes.get(commit) ?? 0, withdraws: withdrawing.has(commit) };
  });
}

function sealedOf(attempted: AttemptedWork | null): EntityStatus["sealed"] {
  if (attempted?.sealed !== true) return null;
  return { from: attempted.from, to: attempted.to, error: attempted.error ?? NO_ERROR };
}

function sameParts(a: Liveness, b: Liveness): boolean {
  return a.parts.length === b.parts.length && a.parts.every(({ part }, index) => part === b.parts[index]?.part);
}
