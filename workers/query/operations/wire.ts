/**
 * Jobs, dead letters and the tenant's status as the wire writes them.
 */
import type { z } from "zod";
import type { DeadLetter, Job, TenantStatus } from "../../../core/rpc.ts";
import type { deadLetterPageSchema, tenantStatusSchema } from "../../../core/schema/admin.ts";
import type { jobPageSchema, jobSchema } from "../../../core/schema/job.ts";
import { formatTime } from "../../../core/schema/scalar.ts";
import type { ScopeStatus } from "../../../core/scope/scope_rpc.ts";
import { coverageWire } from "../coverage_wire.ts";
import { pageOf } from "../page.ts";

export function jobWire(job: Job): z.infer<typeof jobSchema> {
  return {
    id: job.id,
    type: job.type,
    status: job.status,
    created_at: formatTime(job.createdAt),
    ...(job.waitsUntil === null ? {} : { waits_until: formatTime(job.waitsUntil) }),
    progress: { done: job.progress.done, total: job.progress.total },
    ...(job.result === undefined ? {} : { result: job.result }),
    ...(job.error === undefined ? {} : { error: job.error }),
  };
}

export function jobPageWire(page: {
  readonly jobs: readonly Job[];
  readonly nextCursor: string | null;
}): z.infer<typeof jobPageSchema> {
  return { jobs: page.jobs.map(jobWire), next_cursor: page.nextCursor };
}

export function deadLetterPageWire(
  letters: readonly DeadLetter[],
  limit: number,
  cursor: string | undefined,
): z.infer<typeof deadLetterPageSchema> {
  const { items, nextCursor } = pageOf(letters, limit, cursor);
  return { dead_letters: items.map((letter) => ({ ...letter, at: formatTime(letter.at) })), next_cursor: nextCursor };
}

export function tenantStatusWire(status: TenantStatus, index: ScopeStatus): z.infer<typeof tenantStatusSchema> {
  return {
    entities: status.entities,
    waiting: status.waiting.map(({ entity, unindexedEvents, since }) => {
      return { entity, unindexed_events: unindexedEvents, since: formatTime(since) };
    }),
    waiting_entities: status.waitingEntities,
    unindexed_events: status.unindexedEvents,
    unindexed_bytes: status.unindexedBytes,
    failed: status.deadLetters,
    refused: status.sealed + status.full,
    refused_entities: status.refused.map(({ entity, why }) => ({ entity, why })),
    drift: null,
    jobs: { ...status.jobs },
    maintenance: { waiting_jobs: status.jobsWaiting.count, opens_at: timeOrNull(status.jobsWaiting.until) },
    last_runs: { sweep: timeOrNull(status.lastSweepAt), reconcile: timeOrNull(status.lastReconcileAt) },
    tenant_index: {
      mode: index.mode,
      coverage: index.coverage && coverageWire(index.coverage),
      shards: { events: index.shards.events, summaries: index.shards.summaries },
      pending_commits: index.pending,
      last_committed_at: index.lastCommittedAt === null ? null : formatTime(index.lastCommittedAt),
      error: index.error,
      unreadable_segments: index.unreadable,
    },
  };
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : formatTime(ms);
}
