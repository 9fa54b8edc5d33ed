/**
 * What a job does to entities, a batch at a time: begins the work on each, and looks until each has finished it or come
 * no further for too long. Beginning twice is harmless, and so is looking twice.
 */
import { type Failure, fail, ok, problemOf, type Result } from "../../core/errors.ts";
import { restMs } from "../../core/lifecycle/job_pace.ts";
import {
  BULK_CONCURRENCY_MAX,
  JOB_ENTITIES_AT_ONCE,
  JOB_FAILURES_NAMED_MAX,
  JOB_STALLED_MS_MAX,
  RECONCILE_ENTITIES_MAX,
} from "../../core/limits.ts";
import type { EntityCounters, EntityScope, JobSelection, JobType } from "../../core/rpc.ts";
import type { Json } from "../../core/schema/scalar.ts";
import { type JobTables, NO_MEMO, type StoredJob } from "./job_tables.ts";
import type { EntityControl, TenantPorts } from "./ports.ts";
import type { RegistryTables } from "./registry_tables.ts";

/** What one look at an entity found. `counters` when it was asked for them. */
interface Dealt {
  readonly entity: string;
  readonly outcome: "done" | "wait" | "failed";
  readonly error: string | null;
  readonly counters: EntityCounters | null;
}

interface Finished {
  readonly finished: boolean;
  readonly counters: EntityCounters | null;
}

const GIVEN_UP: Failure = {
  reason: "conflict",
  detail: "Index work of the entity was given up; its status says why, and it can be asked for again.",
};

/** Of an erased entity. Decided by the platform and its operator, not by this project. */
const RETAINED_AFTER_ERASURE: readonly string[] = [
  "the store: erased.json, with the number of the incarnation and the time of its erasure",
  "object storage of the entity: what the platform keeps for point-in-time recovery, for 30 days",
  "queue: messages that name the entity, until they are delivered or expire",
  "logs and traces: routes, statuses and times, never content, for as long as the account keeps them",
  "this job, and the dead letters of the tenant, which name the entity",
];

export class EntityBatches {
  readonly #ports: TenantPorts;
  readonly #registry: RegistryTables;
  readonly #tables: JobTables;

  constructor(ports: TenantPorts, registry: RegistryTables, tables: JobTables) {
    this.#ports = ports;
    this.#registry = registry;
    this.#tables = tables;
  }

  /** How many entities a job is about, as far as it is known when it starts. */
  total(type: JobType, entity: string | null, selection: JobSelection | null): number {
    if (entity !== null) return 1;
    if (selection !== null)
      return "entities" in selection ? selection.entities.length : this.#registry.count(selection.prefix);
    if (type === "reconcile") return Math.min(this.#registry.dirtyCount(), RECONCILE_ENTITIES_MAX);
    return this.#registry.registered();
  }

  /** Deals with the next entities. Milliseconds to rest when they need another look; 0 when the job moved on or ended. */
  async deal(job: StoredJob): Promise<number> {
    const entities = this.#next(job);
    const begun = new Set(job.memo.begun);
    const dealt = await Promise.all(entities.map((entity) => this.#dealWith(job, entity, begun)));
    const current = this.#tables.job(job.id);
    if (current === null || (current.status !== "queued" && current.status !== "running")) return 0;
    if (dealt.some(({ outcome }) => outcome === "wait")) {
      const waiting = this.#waiting(current, dealt, begun);
      if (waiting !== null) return waiting;
    }
    this.#save(advanced(current, dealt));
    const ended = this.#tables.job(job.id)?.status;
    if (job.type === "reconcile" && (ended === "done" || ended === "failed")) this.#reconciled();
    return 0;
  }

  #next(job: StoredJob): readonly string[] {
    const { type, entity, selection, cursor, progress } = job;
    if (entity !== null) return [entity];
    // Warming is work for the isolate that asks: fewer at once.
    const limit = type === "warm" ? BULK_CONCURRENCY_MAX : JOB_ENTITIES_AT_ONCE;
    if (selection !== null && "entities" in selection)
      return selection.entities.filter((name) => name > cursor).slice(0, limit);
    if (selection !== null)
      return this.#registry.entities(selection.prefix, cursor, limit).map(({ entity: name }) => name);
    if (type !== "reconcile") return this.#registry.names(cursor, limit);
    return progress.done < RECONCILE_ENTITIES_MAX ? this.#registry.dirtyNames(cursor, limit) : [];
  }

  /** Milliseconds until the next look at a batch that is not finished; null when it is given up. */
  #waiting(job: StoredJob, dealt: readonly Dealt[], begun: ReadonlySet<string>): number | null {
    const nowMs = this.#ports.clock.now();
    const mark = markOf(dealt);
    const moved = mark !== job.memo.mark || job.memo.stalledSinceMs === null;
    const stalledSinceMs = moved ? nowMs : (job.memo.stalledSinceMs ?? nowMs);
    const batchSinceMs = job.memo.batchSinceMs ?? nowMs;
    // An erasure is never given up: the entity's own alarm goes on with it.
    if (job.type !== "erase" && nowMs - stalledSinceMs >= JOB_STALLED_MS_MAX) return null;
    const memo = { ...job.memo, begun: [...begun], mark, stalledSinceMs, batchSinceMs };
    this.#save({ ...job, status: "running", progress: progressOf(job, dealt), memo });
    return restMs(nowMs - batchSinceMs);
  }

  /** What throws or is unavailable now may be there at the next look. */
  async #dealWith(job: StoredJob, entity: string, begun: Set<string>): Promise<Dealt> {
    try {
      const looked = await this.#tryOnce(job, entity, begun);
      if (looked.ok) {
        const { finished, counters } = looked.value;
        return { entity, outcome: finished ? "done" : "wait", error: null, counters };
      }
      const { reason } = looked.failure;
      const outcome = reason === "unavailable" || reason === "rate_limited" ? "wait" : "failed";
      return { entity, outcome, error: problemOf(looked.failure).detail, counters: null };
    } catch (cause) {
      this.#ports.logFault("job_step_failed", cause);
      return { entity, outcome: "wait", error: "The entity could not be reached.", counters: null };
    }
  }

  /** Begins the work on an entity once, then asks whether it is finished. */
  async #tryOnce(job: StoredJob, entity: string, begun: Set<string>): Promise<Result<Finished>> {
    const scope: EntityScope = { tenant: this.#ports.tenant, entity };
    const control = this.#ports.entityOf(entity);
    if (!begun.has(entity)) {
      const began = await this.#begin(job.type, control, scope);
      if (!began.ok) return began;
      begun.add(entity);
    }
    switch (job.type) {
      case "warm":
        return ok({ finished: true, counters: null });
      case "erase": {
        const erased = await control.erased(scope);
        return erased.ok ? ok({ finished: erased.value, counters: null }) : erased;
      }
      default:
        return this.#isIndexed(job.type, control, scope);
    }
  }

  async #begin(type: JobType, control: EntityControl, scope: EntityScope): Promise<Result<unknown>> {
    switch (type) {
      case "rebuild":
        return control.rebuild(scope);
      case "compact":
        return control.compact(scope);
      case "erase":
        // It was begun before there was a job; begun again, it would end what was written since.
        return ok(null);
      case "warm":
        return control.warm(scope);
      case "reconcile":
        await this.#ports.queue.send(scope);
        return ok(null);
      case "import":
        return fail({ reason: "internal" });
    }
  }

  /** Whether nothing of the entity waits. Work that was sealed waits for nobody, and is not done either. */
  async #isIndexed(type: JobType, control: EntityControl, scope: EntityScope): Promise<Result<Finished>> {
    const counters = await control.counters(scope);
    if (!counters.ok) return counters;
    this.#registry.transaction(() => this.#registry.report(counters.value, this.#ports.clock.now()));
    if (type !== "reconcile" && counters.value.sealed && !counters.value.pending) return fail(GIVEN_UP);
    return ok({ finished: type === "reconcile" || !counters.value.pending, counters: counters.value });
  }

  #reconciled(): void {
    this.#registry.transaction(() => this.#registry.setFact("last_reconcile_ms", this.#ports.clock.now()));
  }

  #save(job: StoredJob): void {
    this.#registry.transaction(() => this.#tables.put(job));
  }
}

function markOf(dealt: readonly Dealt[]): number {
  return dealt.reduce((mark, { outcome, counters }) => {
    const { indexedCommit = 0, rebuiltCommit = 0 } = counters ?? {};
    return mark + Number(outcome === "done") + indexedCommit + (rebuiltCommit ?? 0);
  }, 0);
}

/** Of a job about one entity, commits that are indexed, or are again; of others it moves with the batch. */
function progressOf(job: StoredJob, dealt: readonly Dealt[]): StoredJob["progress"] {
  const counters = job.entity === null ? null : dealt[0]?.counters;
  if (counters === null || counters === undefined || counters.lastCommit === 0) return job.progress;
  const through = counters.rebuiltCommit ?? counters.indexedCommit;
  return { done: Math.min(through, counters.lastCommit), total: counters.lastCommit };
}

/** The job after a batch; ended when there was none, or it is about one entity. Failures do not stop it. */
function advanced(job: StoredJob, dealt: readonly Dealt[]): StoredJob {
  const last = dealt.at(-1)?.entity;
  const failed = dealt.filter(({ outcome }) => outcome !== "done");
  const failures = job.failures + failed.length;
  const named = failed.map(({ entity, error }) => ({ entity, error: error ?? "It came no further." }));
  const memo = { ...NO_MEMO, failed: [...job.memo.failed, ...named].slice(0, JOB_FAILURES_NAMED_MAX) };
  const done = job.entity === null ? job.progress.done + dealt.length : dealt.length;
  const total = job.entity === null ? Math.max(done, job.progress.total) : done;
  const moved = { ...job, cursor: last ?? job.cursor, failures, memo, progress: { done, total } };
  if (last !== undefined && job.entity === null) return { ...moved, status: "running" };
  const result = resultOf(moved);
  if (failures === 0) return { ...moved, status: "done", result };
  return { ...moved, status: "failed", result, error: `${failures} of ${done} entities failed; the result names them` };
}

function resultOf({ type, progress, failures, memo }: StoredJob): Json {
  return {
    entities: progress.done,
    failed: failures,
    ...(memo.failed.length === 0 ? {} : { failures: memo.failed.map((failure) => ({ ...failure })) }),
    ...(type === "erase" ? { retained: [...RETAINED_AFTER_ERASURE] } : {}),
  };
}
