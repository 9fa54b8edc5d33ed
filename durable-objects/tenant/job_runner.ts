/**
 * Jobs over the entities of a tenant: rebuild, compact, reconcile, erase. A job is a row; each step deals with one
 * entity and moves the row's cursor in the same transaction, so a job killed between two steps goes on at the next
 * alarm where it was.
 */
import { logFault } from "../../adapters/platform/fault_log.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import type { EntityScope, Job, JobType } from "../../core/rpc.ts";
import type { TenantPorts } from "./ports.ts";
import type { RegistryTables, StoredJob } from "./registry_tables.ts";

/** Wait between looks at an entity that is not finished yet. */
const STEP_RETRY_MS = 250;
/** Looks at one entity before a job gives up on it. */
const LOOKS_MAX = 1_200;
const ID_TIME_DIGITS = 9;
const ID_RANDOM_BYTES = 6;

export class JobRunner {
  readonly #ports: TenantPorts;
  readonly #tables: RegistryTables;
  /** Looks at the entity a job waits for; lost with the isolate, which only makes it more patient. */
  readonly #looks = new Map<string, number>();
  #running = false;

  constructor(ports: TenantPorts, tables: RegistryTables) {
    this.#ports = ports;
    this.#tables = tables;
  }

  async start(type: JobType, entity: string | null): Promise<Result<{ readonly job: string }>> {
    const total = entity === null ? this.#tables.registered() : 1;
    const id = this.#newId();
    this.#tables.transaction(() =>
      this.#tables.putJob({ id, type, entity, status: "queued", cursor: "", progress: { done: 0, total } }),
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
    if (job.status !== "queued" && job.status !== "running") return ok(publicJob(job));
    if (job.type === "erase") return fail({ reason: "conflict", detail: "An erasure cannot be cancelled." });
    const cancelled: StoredJob = { ...job, status: "cancelled" };
    this.#tables.transaction(() => this.#tables.putJob(cancelled));
    return ok(publicJob(cancelled));
  }

  async wake(): Promise<void> {
    await this.#ports.alarm.set(this.#ports.clock.now());
  }

  /** Works off open jobs until one has to wait. Never throws; re-arms while any is open. */
  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (let job = this.#next(); job !== null; job = this.#next()) {
        if (!(await this.#step(job))) break;
      }
    } catch (cause) {
      logFault("job_step_failed", cause);
    } finally {
      this.#running = false;
      if (this.#next() !== null) await this.#ports.alarm.set(this.#ports.clock.now() + STEP_RETRY_MS);
    }
  }

  #next(): StoredJob | null {
    return this.#tables.openJobs(1)[0] ?? null;
  }

  /** One entity. False when it needs another look later. */
  async #step(job: StoredJob): Promise<boolean> {
    const entity = job.entity ?? this.#tables.names(job.cursor, 1)[0];
    if (entity === undefined || job.progress.done >= job.progress.total) {
      this.#save({ ...job, status: "done", result: { entities: job.progress.done } });
      return true;
    }
    const outcome = await this.#deal(job, entity);
    const current = this.#tables.job(job.id);
    if (current === null || current.status === "cancelled") return true;
    if (!outcome.ok) {
      this.#save({ ...job, status: "failed", error: outcome.failure.reason });
      return true;
    }
    if (!outcome.value) return this.#lookAgain(job);
    this.#looks.delete(job.id);
    const done = job.progress.done + 1;
    const finished = job.entity !== null || done >= job.progress.total;
    this.#save({
      ...job,
      status: finished ? "done" : "running",
      cursor: entity,
      progress: { done, total: job.progress.total },
      ...(finished ? { result: { entities: done } } : {}),
    });
    return true;
  }

  #lookAgain(job: StoredJob): boolean {
    const looks = (this.#looks.get(job.id) ?? 0) + 1;
    this.#looks.set(job.id, looks);
    if (looks >= LOOKS_MAX) {
      this.#save({ ...job, status: "failed", error: "an entity did not finish in time" });
      return true;
    }
    if (job.status === "queued") this.#save({ ...job, status: "running" });
    return false;
  }

  /** true when the entity is finished. */
  async #deal(job: StoredJob, entity: string): Promise<Result<boolean>> {
    const scope: EntityScope = { tenant: this.#ports.tenant, entity };
    const control = this.#ports.entityOf(entity);
    const first = !this.#looks.has(job.id);
    switch (job.type as JobType) {
      case "rebuild": {
        const begun = first ? await control.rebuild(scope) : ok(null);
        return begun.ok ? this.#indexed(entity) : begun;
      }
      case "compact": {
        const begun = first ? await control.compact(scope) : ok(null);
        return begun.ok ? this.#indexed(entity) : begun;
      }
      case "erase": {
        const begun = first ? await control.erase(scope) : ok(null);
        return begun.ok ? control.erased(scope) : begun;
      }
      case "reconcile": {
        const counters = await control.counters(scope);
        if (!counters.ok) return counters;
        this.#tables.transaction(() => this.#tables.report(counters.value));
        if (counters.value.pending) {
          await this.#ports.queue.send({ tenant: this.#ports.tenant, entity });
        }
        return ok(true);
      }
    }
  }

  /** Whether nothing of the entity waits: index work that was sealed counts as finished, and stays visible in status. */
  async #indexed(entity: string): Promise<Result<boolean>> {
    const counters = await this.#ports.entityOf(entity).counters({ tenant: this.#ports.tenant, entity });
    if (!counters.ok) return counters;
    this.#tables.transaction(() => this.#tables.report(counters.value));
    return ok(!counters.value.pending);
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

function publicJob({ entity: _, cursor: __, ...job }: StoredJob): Job {
  return job;
}
