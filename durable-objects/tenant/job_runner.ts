/**
 * Jobs over the entities of a tenant: rebuild, compact, reconcile, erase. A job is a row; each step deals with one
 * entity and moves the row's cursor in the same transaction, so a job killed between two steps goes on at the next
 * alarm where it was.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import { JOBS_MAX } from "../../core/limits.ts";
import type { EntityScope, Job, JobType } from "../../core/rpc.ts";
import type { EntityControl, TenantPorts } from "./ports.ts";
import type { RegistryTables, StoredJob } from "./registry_tables.ts";

type Outcome = "done" | "wait" | "failed";

/** Entities that a job over all of them deals with side by side. */
const JOB_ENTITIES_AT_ONCE = 32;
/** Wait between looks at an entity that is not finished yet. */
const STEP_RETRY_MS = 250;
/** Looks at the same entities before a job gives up on it. */
const LOOKS_MAX = 1_200;
const ID_TIME_DIGITS = 9;
const ID_RANDOM_BYTES = 6;

export class JobRunner {
  readonly #ports: TenantPorts;
  readonly #tables: RegistryTables;
  /** Looks at the entities a job waits for; lost with the isolate, which only makes it more patient. */
  readonly #waits = new Map<string, number>();
  /** Entities whose work a job has begun; lost with the isolate, then begun again. */
  readonly #begun = new Map<string, Set<string>>();
  #running = false;

  constructor(ports: TenantPorts, tables: RegistryTables) {
    this.#ports = ports;
    this.#tables = tables;
  }

  async start(type: JobType, entity: string | null): Promise<Result<{ readonly job: string }>> {
    const total = entity === null ? this.#tables.registered() : 1;
    const id = this.#newId();
    this.#tables.transaction(() =>
      this.#tables.putJob({
        id,
        type,
        entity,
        status: "queued",
        cursor: "",
        failures: 0,
        progress: { done: 0, total },
      }),
    );
    await this.wake();
    return ok({ job: id });
  }

  read(id: string): Result<Job> {
    const job = this.#tables.job(id);
    return job === null ? fail({ reason: "not_found", what: "The job" }) : ok(publicJob(job));
  }

  page(limit: number, cursor: string | null): { readonly jobs: readonly Job[]; readonly nextCursor: string | null } {
    const jobs = this.#tables.jobs(cursor ?? "", limit);
    const last = jobs.at(-1);
    return { jobs: jobs.map(publicJob), nextCursor: jobs.length === limit && last !== undefined ? last.id : null };
  }

  /** An erasure that has begun cannot be taken back. */
  cancel(id: string): Result<Job> {
    const job = this.#tables.job(id);
    if (job === null) return fail({ reason: "not_found", what: "The job" });
    if (!isOpen(job)) return ok(publicJob(job));
    if (job.type === "erase") return fail({ reason: "conflict", detail: "An erasure cannot be cancelled." });
    const cancelled: StoredJob = { ...job, status: "cancelled" };
    this.#tables.transaction(() => this.#tables.putJob(cancelled));
    return ok(publicJob(cancelled));
  }

  async wake(): Promise<void> {
    await this.#ports.alarm.set(this.#ports.clock.now());
  }

  /** Takes every open job as far as it goes for now. Never throws; re-arms while any is open. */
  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (const job of this.#tables.openJobs(JOBS_MAX)) await this.#advance(job);
    } catch (cause) {
      this.#ports.logFault("job_step_failed", cause);
    } finally {
      this.#running = false;
      if (this.#tables.openJobs(1).length > 0) await this.#ports.alarm.set(this.#ports.clock.now() + STEP_RETRY_MS);
    }
  }

  /** Batch after batch, until one has to wait or the job has ended. */
  async #advance(started: StoredJob): Promise<void> {
    let job: StoredJob | null = started;
    while (job !== null && isOpen(job) && (await this.#step(job))) job = this.#tables.job(job.id);
  }

  /** Deals with the next entities. False when they need another look later. */
  async #step(job: StoredJob): Promise<boolean> {
    const entities = job.entity === null ? this.#tables.names(job.cursor, JOB_ENTITIES_AT_ONCE) : [job.entity];
    const outcomes = await Promise.all(entities.map((entity) => this.#deal(job, entity)));
    const current = this.#tables.job(job.id);
    if (current === null || !isOpen(current)) return false;
    if (outcomes.includes("wait") && this.#mayLookAgain(current)) return false;
    this.#waits.delete(job.id);
    this.#begun.delete(job.id);
    const failed = entities.filter((_, index) => outcomes[index] !== "done");
    this.#save(advanced(current, entities, failed.length));
    return true;
  }

  /** False after LOOKS_MAX: what has not finished by then counts as failed, and the job goes on. */
  #mayLookAgain(job: StoredJob): boolean {
    const looks = (this.#waits.get(job.id) ?? 0) + 1;
    this.#waits.set(job.id, looks);
    if (job.status === "queued") this.#save({ ...job, status: "running" });
    return looks < LOOKS_MAX;
  }

  /** What throws or is unavailable now may be there at the next look; looks are counted. */
  async #deal(job: StoredJob, entity: string): Promise<Outcome> {
    try {
      const finished = await this.#tryOnce(job, entity);
      if (finished.ok) return finished.value ? "done" : "wait";
      return finished.failure.reason === "unavailable" ? "wait" : "failed";
    } catch (cause) {
      this.#ports.logFault("job_step_failed", cause);
      return "wait";
    }
  }

  /** Begins the work on an entity once, then asks whether it is finished. */
  async #tryOnce(job: StoredJob, entity: string): Promise<Result<boolean>> {
    const scope: EntityScope = { tenant: this.#ports.tenant, entity };
    const control = this.#ports.entityOf(entity);
    const begun = this.#begun.get(job.id) ?? new Set<string>();
    this.#begun.set(job.id, begun);
    if (!begun.has(entity)) {
      const began = await this.#begin(job.type, control, scope);
      if (!began.ok) return began;
      begun.add(entity);
    }
    return job.type === "erase" ? control.erased(scope) : this.#isIndexed(job.type, control, scope);
  }

  #begin(type: JobType, control: EntityControl, scope: EntityScope): Promise<Result<null>> {
    switch (type) {
      case "rebuild":
        return control.rebuild(scope);
      case "compact":
        return control.compact(scope);
      case "erase":
        return control.erase(scope);
      case "reconcile":
        return this.#nudge(scope);
    }
  }

  async #nudge(scope: EntityScope): Promise<Result<null>> {
    await this.#ports.queue.send(scope);
    return ok(null);
  }

  /** Whether nothing of the entity waits. Work that was sealed does not: it stays visible in status. */
  async #isIndexed(type: JobType, control: EntityControl, scope: EntityScope): Promise<Result<boolean>> {
    const counters = await control.counters(scope);
    if (!counters.ok) return counters;
    this.#tables.transaction(() => this.#tables.report(counters.value));
    return ok(type === "reconcile" || !counters.value.pending);
  }

  #save(job: StoredJob): void {
    this.#tables.transaction(() => this.#tables.putJob(job));
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

/** The job after `entities`; ended when there were none, or the one it is about. Failures do not stop it. */
function advanced(job: StoredJob, entities: readonly string[], failed: number): StoredJob {
  const last = entities.at(-1);
  const done = job.progress.done + entities.length;
  const progress = { done, total: Math.max(done, job.progress.total) };
  const failures = job.failures + failed;
  const moved = { ...job, cursor: last ?? job.cursor, progress, failures };
  if (last !== undefined && job.entity === null) return { ...moved, status: "running" };
  const result = { entities: done, failed: failures };
  if (failures === 0) return { ...moved, status: "done", result };
  return { ...moved, status: "failed", result, error: `${failures} of ${done} entities failed; their status says why` };
}

function publicJob({ entity: _, cursor: __, failures: ___, ...job }: StoredJob): Job {
  return job;
}
