/**
 * Jobs of a tenant. A job is a row; each look takes it one bounded stretch further and moves the row's cursor in the same
 * transaction, so a job that lost its driver between two looks goes on where it was.
 *
 * Who looks: an instance of a workflow, which the indexer starts (workers/indexer/drive_job.ts). Its lease is renewed
 * with every look. When the lease has lapsed, this object's alarm looks instead, until a sweep has called a new driver;
 * only imports wait for that driver, since the work of one is not in this object's reach.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import { mayBeginAtMs } from "../../core/lifecycle/maintenance_window.ts";
import {
  IMPORT_ARRIVAL_MS_MAX,
  IMPORT_LEASE_MS,
  JOB_BATCHES_PER_LOOK_MAX,
  JOB_CALL_MS,
  JOB_LEASE_MS,
  JOB_REST_MS_MIN,
  JOB_STALLED_MS_MAX,
  JOB_TAKEOVER_MS,
  JOB_WINDOW_REST_MS_MAX,
  JOBS_OPEN_MAX,
  UNAVAILABLE_RETRY_SECONDS,
} from "../../core/limits.ts";
import { importKey } from "../../core/log/keys.ts";
import type {
  CancelledJob,
  ImportedStretch,
  ImportStretch,
  Job,
  JobLook,
  JobOptions,
  JobStatus,
  JobType,
  TenantSweep,
} from "../../core/rpc.ts";
import { EntityBatches } from "./entity_batches.ts";
import { firstPage } from "./first_page.ts";
import { type ImportMemo, type JobTables, NO_MEMO, type StoredJob } from "./job_tables.ts";
import type { TenantPorts } from "./ports.ts";
import type { RegistryTables } from "./registry_tables.ts";

const ID_TIME_DIGITS = 9;
const ID_RANDOM_BYTES = 6;
const IMPORT_BEGINS: ImportMemo = { phase: "check", from: 0, accepted: 0, duplicates: 0, conflicts: 0, token: null };

export class JobRunner {
  readonly #ports: TenantPorts;
  readonly #registry: RegistryTables;
  readonly #tables: JobTables;
  readonly #batches: EntityBatches;
  /** Jobs that a look is at: a second one has nothing to do. */
  readonly #busy = new Set<string>();

  constructor(ports: TenantPorts, registry: RegistryTables, tables: JobTables) {
    this.#ports = ports;
    this.#registry = registry;
    this.#tables = tables;
    this.#batches = new EntityBatches(ports, registry, tables);
  }

  // --- what callers ask for ---

  /** Whether another job may be started. */
  admits(): Result<null> {
    if (this.#tables.openCount() < JOBS_OPEN_MAX) return ok(null);
    const what = `${JOBS_OPEN_MAX} jobs of this tenant are not done yet`;
    return fail({ reason: "rate_limited", retryAfterSeconds: UNAVAILABLE_RETRY_SECONDS, what });
  }

  async start(type: JobType, entity: string | null, options: JobOptions): Promise<Result<{ readonly job: string }>> {
    const waiting = options.background === true ? this.#waitingLike(type, entity) : undefined;
    if (waiting !== undefined) return ok({ job: waiting.id });
    const admitted = this.admits();
    if (!admitted.ok) return admitted;
    const { clock } = this.#ports;
    const id = this.#newId();
    const selection = options.selection ?? null;
    const job: StoredJob = {
      id,
      type,
      entity,
      selection,
      background: options.background ?? type === "compact",
      status: "queued",
      createdAt: clock.now(),
      waitsUntil: null,
      cursor: "",
      failures: 0,
      progress: { done: 0, total: this.#batches.total(type, entity, selection) },
      generation: 1,
      leasedUntilMs: clock.now() + JOB_TAKEOVER_MS,
      memo: NO_MEMO,
    };
    this.#save(job);
    await this.#arm(job.leasedUntilMs);
    return ok({ job: id });
  }

  /** What nobody asked for is not wanted twice. */
  #waitingLike(type: JobType, entity: string | null): StoredJob | undefined {
    return this.#tables.open(JOBS_OPEN_MAX).find((job) => job.type === type && job.entity === entity && job.background);
  }

  read(id: string): Result<Job> {
    const job = this.#tables.job(id);
    return job === null ? fail({ reason: "not_found", what: "The job" }) : ok(publicJob(job));
  }

  page(limit: number, cursor: string | null): { readonly jobs: readonly Job[]; readonly nextCursor: string | null } {
    const { items, after } = firstPage(this.#tables.page(cursor ?? "", limit + 1), limit);
    return { jobs: items.map(publicJob), nextCursor: after?.id ?? null };
  }

  countByStatus(): Readonly<Record<JobStatus, number>> {
    return this.#tables.countByStatus();
  }

  /** Those that wait for the maintenance window. */
  waiting(): { readonly count: number; readonly until: number | null } {
    return this.#tables.waiting();
  }

  /** What was done stays done. An erasure that has begun cannot be taken back. */
  async cancel(id: string): Promise<Result<CancelledJob>> {
    const job = this.#tables.job(id);
    if (job === null) return fail({ reason: "not_found", what: "The job" });
    if (isOpen(job) && job.type === "erase")
      return fail({ reason: "conflict", detail: "An erasure cannot be cancelled." });
    await this.#end(id, (open) => ({ ...open, status: "cancelled" }));
    const ended = this.#tables.job(id) ?? job;
    return ok({ job: publicJob(ended), generation: ended.generation });
  }

  // --- what drivers ask for ---

  async look(id: string, generation: number): Promise<Result<JobLook>> {
    const job = this.#tables.job(id);
    if (job === null || !isOpen(job) || job.generation !== generation) return ok({ next: "end" });
    if (job.type === "import") return this.#lookAtImport(job);
    const restMs = await this.#advance(job);
    const after = this.#tables.job(id);
    if (after === null || !isOpen(after) || after.generation !== generation) return ok({ next: "end" });
    await this.#lease(after, restMs + JOB_LEASE_MS);
    return ok({ next: "rest", restMs });
  }

  async #lookAtImport(job: StoredJob): Promise<Result<JobLook>> {
    const nowMs = this.#ports.clock.now();
    const imported = job.memo.imported ?? IMPORT_BEGINS;
    const stalledSinceMs = job.memo.stalledSinceMs ?? nowMs;
    if (nowMs - stalledSinceMs >= JOB_STALLED_MS_MAX) {
      const failed = await this.fail(job.id, "The import came no further for too long; send the archive again.");
      return failed.ok ? ok({ next: "end" }) : failed;
    }
    const running: StoredJob = { ...job, status: "running", memo: { ...job.memo, stalledSinceMs, imported } };
    await this.#lease(running, IMPORT_LEASE_MS);
    const { phase, from } = imported;
    const entity = job.entity ?? "";
    const stretch: ImportStretch = { entity, archive: importKey(entity, job.id), phase, from };
    return ok({ next: "import", stretch, mayStillArrive: nowMs - job.createdAt < IMPORT_ARRIVAL_MS_MAX });
  }

  async recordImport(id: string, stretch: ImportStretch, done: ImportedStretch): Promise<Result<null>> {
    const job = this.#tables.job(id);
    const before = job?.memo.imported ?? null;
    if (job === null || !isOpen(job) || before === null) return ok(null);
    // Another driver was here first: its record stands, and its events are this one's.
    if (before.phase !== stretch.phase || before.from !== stretch.from) return ok(null);
    const imported = importedAfter(before, done);
    if (imported !== null) {
      const checked = imported.phase === "import" ? done.files : 0;
      const progress = { done: checked + imported.from, total: 2 * done.files };
      this.#save({ ...job, progress, memo: { ...job.memo, stalledSinceMs: this.#ports.clock.now(), imported } });
      return ok(null);
    }
    const { accepted, duplicates, conflicts, token } = added(before, done);
    const progress = { done: 2 * done.files, total: 2 * done.files };
    const result = { accepted, duplicates, conflicts, token };
    await this.#end(id, (open) => ({ ...open, status: "done", progress, result }));
    return ok(null);
  }

  async fail(id: string, error: string): Promise<Result<null>> {
    await this.#end(id, (open) => ({ ...open, status: "failed", error }));
    return ok(null);
  }

  /** Answers the same when it is asked again. null: this generation does not drive any more. */
  async handOver(id: string, generation: number): Promise<Result<number | null>> {
    const job = this.#tables.job(id);
    if (job === null || !isOpen(job)) return ok(null);
    if (job.generation === generation + 1) return ok(job.generation);
    if (job.generation !== generation) return ok(null);
    await this.#lease({ ...job, generation: generation + 1 }, JOB_CALL_MS);
    return ok(generation + 1);
  }

  /** Jobs whose driver is lost, each under the generation of the driver that is to be called. */
  undriven(): TenantSweep["undriven"] {
    const nowMs = this.#ports.clock.now();
    const lost = this.#tables.open(JOBS_OPEN_MAX).filter(({ leasedUntilMs }) => leasedUntilMs <= nowMs);
    return lost.map((job) => {
      const generation = job.generation + 1;
      this.#save({ ...job, generation, leasedUntilMs: nowMs + JOB_CALL_MS });
      return { job: job.id, generation };
    });
  }

  // --- the alarm ---

  /** Looks at every job that has no driver. Never throws; re-arms while there may be one. */
  async run(): Promise<void> {
    try {
      for (const job of this.#tables.open(JOBS_OPEN_MAX)) {
        if (this.#drivesItself(job)) await this.#advance(job);
      }
    } catch (cause) {
      this.#ports.logFault("job_step_failed", cause);
    }
    await this.wake();
  }

  /** Sets the alarm for the job that needs it first. */
  async wake(): Promise<void> {
    const nowMs = this.#ports.clock.now();
    const dueMs = this.#tables
      .open(JOBS_OPEN_MAX)
      .filter(({ type }) => type !== "import")
      .map(({ leasedUntilMs, waitsUntil }) => Math.max(leasedUntilMs, waitsUntil ?? 0, nowMs + JOB_REST_MS_MIN));
    if (dueMs.length > 0) await this.#arm(Math.min(...dueMs));
  }

  #drivesItself({ type, leasedUntilMs }: StoredJob): boolean {
    return type !== "import" && leasedUntilMs <= this.#ports.clock.now();
  }

  async #arm(atMs: number): Promise<void> {
    const armedMs = await this.#ports.alarm.get();
    if (armedMs === null || armedMs > atMs) await this.#ports.alarm.set(atMs);
  }

  // --- a job ---

  /** Takes a job as far as a look may. Milliseconds to rest before the next one; 0 when there is more to do at once. */
  async #advance(job: StoredJob): Promise<number> {
    if (this.#busy.has(job.id)) return JOB_REST_MS_MIN;
    this.#busy.add(job.id);
    try {
      const waitMs = this.#waitForWindow(job);
      if (waitMs > 0) return Math.min(waitMs, JOB_WINDOW_REST_MS_MAX);
      for (let batch = 0; batch < JOB_BATCHES_PER_LOOK_MAX; batch += 1) {
        const current = this.#tables.job(job.id);
        if (current === null || !isOpen(current)) return 0;
        const restMs = await this.#batches.deal(current);
        if (restMs > 0) return restMs;
      }
      return 0;
    } finally {
      this.#busy.delete(job.id);
    }
  }

  /** Milliseconds until a job of the background may begin, or go on. It stalls only inside the window. */
  #waitForWindow(job: StoredJob): number {
    const nowMs = this.#ports.clock.now();
    const beginsAtMs = job.background ? mayBeginAtMs(this.#ports.maintenanceWindow, nowMs) : nowMs;
    const waitsUntil = beginsAtMs > nowMs ? beginsAtMs : null;
    if (waitsUntil !== job.waitsUntil)
      this.#save({ ...job, waitsUntil, memo: { ...job.memo, stalledSinceMs: null, batchSinceMs: null } });
    return beginsAtMs - nowMs;
  }

  /** Ends a job that is open, its archive gone first: whoever fails at that is asked again. */
  async #end(id: string, ended: (open: StoredJob) => StoredJob): Promise<void> {
    const job = this.#tables.job(id);
    if (job === null || !isOpen(job)) return;
    if (job.type === "import") await this.#ports.store.delete([importKey(job.entity ?? "", id)]);
    const open = this.#tables.job(id);
    if (open !== null && isOpen(open)) this.#save({ ...ended(open), waitsUntil: null });
  }

  async #lease(job: StoredJob, leaseMs: number): Promise<void> {
    const leasedUntilMs = this.#ports.clock.now() + leaseMs;
    this.#save({ ...job, leasedUntilMs });
    if (job.type !== "import") await this.#arm(leasedUntilMs);
  }

  #save(job: StoredJob): void {
    this.#registry.transaction(() => this.#tables.put(job));
  }

  /** Ascending with time, so that the list is newest first by id. */
  #newId(): string {
    const time = this.#ports.clock.now().toString(36).padStart(ID_TIME_DIGITS, "0");
    const random = [...this.#ports.random.bytes(ID_RANDOM_BYTES)]
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join("");
    return `job_${time}${random}`;
  }
}

function isOpen({ status }: StoredJob): boolean {
  return status === "queued" || status === "running";
}

/** Where an import stands after a stretch; null when it has ended. */
function importedAfter(before: ImportMemo, done: ImportedStretch): ImportMemo | null {
  if (done.next !== null) return { ...added(before, done), from: done.next };
  return before.phase === "check" ? { ...before, phase: "import", from: 0 } : null;
}

function added(before: ImportMemo, done: ImportedStretch): ImportMemo {
  return {
    ...before,
    accepted: before.accepted + done.accepted,
    duplicates: before.duplicates + done.duplicates,
    conflicts: before.conflicts + done.conflicts,
    token: done.token ?? before.token,
  };
}

function publicJob({ id, type, status, createdAt, waitsUntil, progress, result, error }: StoredJob): Job {
  return {
    id,
    type,
    status,
    createdAt,
    waitsUntil,
    progress,
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error }),
  };
}
