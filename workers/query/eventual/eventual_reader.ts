/**
 * Eventual reads without the entity's object: σ = (i, c, min(m, c), r) of the newest head that the store tells of,
 * searched here by the code that objects search with. Hits and scores are those of the object for the same σ.
 */
import { type Failure, fail, ok, type Result } from "../../../core/errors.ts";
import { CHUNKER } from "../../../core/index/chunker.ts";
import { revisionOf } from "../../../core/index/revision.ts";
import { UNAVAILABLE_RETRY_SECONDS } from "../../../core/limits.ts";
import { liveRows } from "../../../core/log/live.ts";
import type { Clock, Embedder, KernelBuilder, Metric, SlabPool } from "../../../core/ports.ts";
import { type Answering, answerView, resolveForView } from "../../../core/retrieval/answer.ts";
import { SlabResidency } from "../../../core/retrieval/residency.ts";
import { chooseSnapshot, commitAsOf, type LogPosition, viewOf } from "../../../core/retrieval/snapshots.ts";
import type { EntityScope, SearchAnswer, SearchCommand } from "../../../core/rpc.ts";
import type { Head } from "../../../core/schema/stored.ts";
import { createHeadReader } from "./newest_head.ts";
import { ShardParts, type ShardPorts } from "./shard_parts.ts";

export interface EventualPorts extends ShardPorts {
  readonly clock: Clock;
  readonly builder: Pick<KernelBuilder, "analyzer" | "analyze">;
  readonly slabs: SlabPool;
  /** The one that objects and indexer have: another makes another revision, of which there is no head. */
  readonly embedder: Embedder | null;
}

export interface EventualReader {
  /**
   * `unavailable`, `conflict` or `corrupt` say that only the object can answer: nothing is indexed, what a token names is
   * not, or it is too much. A store fault rejects.
   */
  search(command: SearchCommand): Promise<Result<SearchAnswer>>;
}

const METRIC: Metric = "cosine";

export function createEventualReader(ports: EventualPorts): EventualReader {
  const { builder, embedder, digest, clock } = ports;
  const newestHead = createHeadReader(ports.store, clock);
  const shards = new ShardParts(ports);
  const residency = new SlabResidency(ports.slabs);
  const { analyzer } = builder;
  const revision = revisionOf({ analyzer, chunker: CHUNKER, embedder: embedder?.id ?? "none", metric: METRIC }, digest);

  const answering = (scope: EntityScope): Answering => {
    const store = ports.store.forTenant(scope.tenant);
    return { scope, builder, embedder, metric: METRIC, residency, digest, segmentKey: (key) => store.fullKey(key) };
  };

  return {
    async search({ scope, request, bm25 }) {
      const newest = await newestHead(scope);
      if (!newest.ok) return newest;
      const { head, confirmedMs } = newest.value;
      if (head.revision !== revision) return fail(anotherRevision());
      const read = await shards.read(scope, head.shards);
      if (!read.ok) return read;
      const { parts, tier } = read.value;
      const seen = chooseSnapshot(request, positionOf(head), scope, digest, (ms) => commitAsOf(parts, ms));
      if (!seen.ok) return seen;
      const { snapshot, pinnedVersion } = seen.value;
      const view = viewOf(parts, snapshot);
      const resolved = await resolveForView(request, view, bm25, answering(scope));
      if (!resolved.ok) return resolved;
      const live = liveRows(view);
      const through = { version: head.version, pinnedVersion };
      const answered = answerView(view, through, resolved.value, live, answering(scope), head.redacted);
      if (!answered.ok) return answered;
      // Whoever pinned something older asked for nothing newer.
      const staleMs = snapshot.commit < head.covered ? 0 : Math.max(0, clock.now() - confirmedMs);
      return ok({ ...answered.value.answer, staleMs, unindexedEvents: null, cache: tier });
    },
  };
}

/** The log as far as the head tells: what comes after it is not known here. */
function positionOf({ incarnation, revision, covered, redacted = 0 }: Head): LogPosition {
  return { incarnation, revision, last: covered, covered, redacted, vectorCommit: covered };
}

function anotherRevision(): Failure {
  const what = "What was indexed of the entity is of other settings than these.";
  return { reason: "unavailable", what, retryAfterSeconds: UNAVAILABLE_RETRY_SECONDS };
}
