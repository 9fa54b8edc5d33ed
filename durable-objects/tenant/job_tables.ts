/**
 * Jobs as a tenant's object keeps them: the record that the API reads, and what its drivers need to go on.
 */
import { JOBS_MAX } from "../../core/limits.ts";
import type { Job, JobSelection, JobStatus, JobType } from "../../core/rpc.ts";
import type { Json } from "../../core/schema/scalar.ts";
import { addColumns, numberOf, type Sql, type SqlRow, textOf } from "../sql.ts";

const SCHEMA = `CREATE TABLE IF NOT EXISTS jobs (
   id TEXT PRIMARY KEY, type TEXT NOT NULL, entity TEXT, status TEXT NOT NULL, cursor TEXT NOT NULL, failures INTEGER NOT NULL,
   done INTEGER NOT NULL, total INTEGER NOT NULL, result TEXT, error TEXT
 ) WITHOUT ROWID`;
/** Of tables that were made before jobs had drivers. */
const LATER_COLUMNS: Readonly<Record<string, string>> = {
  created_ms: "INTEGER NOT NULL DEFAULT 0",
  waits_until_ms: "INTEGER",
  selection: "TEXT",
  background: "INTEGER NOT NULL DEFAULT 0",
  generation: "INTEGER NOT NULL DEFAULT 1",
  leased_until_ms: "INTEGER NOT NULL DEFAULT 0",
  memo: "TEXT",
};

/** What a job carries from one look to the next. */
export interface JobMemo {
  /** Entities of the batch whose work has been begun. */
  readonly begun: readonly string[];
  /** Since when the batch has come no further than `mark`; null before its first look. */
  readonly stalledSinceMs: number | null;
  /** When the batch was first looked at. */
  readonly batchSinceMs: number | null;
  /** Entities done and commits indexed of the batch: it only has to differ when something moved. */
  readonly mark: number;
  /** Some of the entities that could not be finished, and why. */
  readonly failed: readonly { readonly entity: string; readonly error: string }[];
  readonly imported: ImportMemo | null;
}

export interface ImportMemo {
  readonly phase: "check" | "import";
  readonly from: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly token: string | null;
}

export const NO_MEMO: JobMemo = {
  begun: [],
  stalledSinceMs: null,
  batchSinceMs: null,
  mark: -1,
  failed: [],
  imported: null,
};

export interface StoredJob extends Job {
  /** null: every entity of the tenant, or those of the selection. */
  readonly entity: string | null;
  readonly selection: JobSelection | null;
  /** It waits for the maintenance window. */
  readonly background: boolean;
  readonly type: JobType;
  /** The last entity this job has dealt with. */
  readonly cursor: string;
  /** Entities it could not finish. */
  readonly failures: number;
  /** Which driver's looks count. */
  readonly generation: number;
  /** Until when that driver is taken to be alive. */
  readonly leasedUntilMs: number;
  readonly memo: JobMemo;
}

export class JobTables {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.transaction(() => {
      sql.run(SCHEMA);
      addColumns(sql, "jobs", LATER_COLUMNS);
    });
  }

  put(job: StoredJob): void {
    this.#sql.run(
      `INSERT OR REPLACE INTO jobs (id, type, entity, status, cursor, failures, done, total, result, error,
         created_ms, waits_until_ms, selection, background, generation, leased_until_ms, memo)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      job.id,
      job.type,
      job.entity,
      job.status,
      job.cursor,
      job.failures,
      job.progress.done,
      job.progress.total,
      job.result === undefined ? null : JSON.stringify(job.result),
      job.error ?? null,
      job.createdAt,
      job.waitsUntil,
      job.selection === null ? null : JSON.stringify(job.selection),
      Number(job.background),
      job.generation,
      job.leasedUntilMs,
      JSON.stringify(job.memo),
    );
    this.#sql.run(
      `DELETE FROM jobs WHERE status NOT IN ('queued', 'running') AND id NOT IN (SELECT id FROM jobs ORDER BY id DESC LIMIT ?)`,
      JOBS_MAX,
    );
  }

  job(id: string): StoredJob | null {
    const row = this.#sql.run("SELECT * FROM jobs WHERE id = ?", id)[0];
    return row === undefined ? null : jobOf(row);
  }

  /** Newest first, before `before` (empty: from the newest). */
  page(before: string, limit: number): StoredJob[] {
    return this.#sql
      .run("SELECT * FROM jobs WHERE ?1 = '' OR id < ?1 ORDER BY id DESC LIMIT ?2", before, limit)
      .map(jobOf);
  }

  /** Jobs still to do, oldest first. */
  open(limit: number): StoredJob[] {
    return this.#sql
      .run("SELECT * FROM jobs WHERE status IN ('queued', 'running') ORDER BY id LIMIT ?", limit)
      .map(jobOf);
  }

  openCount(): number {
    const row = this.#sql.run("SELECT COUNT(*) AS count FROM jobs WHERE status IN ('queued', 'running')")[0];
    return numberOf(row?.count);
  }

  /** How many of the jobs that are remembered have each status. */
  countByStatus(): Readonly<Record<JobStatus, number>> {
    const counts = { queued: 0, running: 0, done: 0, failed: 0, cancelled: 0 };
    for (const row of this.#sql.run("SELECT status, COUNT(*) AS count FROM jobs GROUP BY status"))
      counts[textOf(row.status) as JobStatus] = numberOf(row.count);
    return counts;
  }

  /** Open jobs that wait for the maintenance window, and until when. */
  waiting(): { readonly count: number; readonly until: number | null } {
    const row = this.#sql.run(
      `SELECT COUNT(*) AS count, MIN(waits_until_ms) AS until FROM jobs
       WHERE status IN ('queued', 'running') AND waits_until_ms IS NOT NULL`,
    )[0];
    return { count: numberOf(row?.count), until: row === undefined || row.until === null ? null : numberOf(row.until) };
  }
}

function jobOf(row: SqlRow): StoredJob {
  return {
    id: textOf(row.id),
    type: textOf(row.type) as JobType,
    entity: row.entity === null ? null : textOf(row.entity),
    status: textOf(row.status) as JobStatus,
    createdAt: numberOf(row.created_ms),
    waitsUntil: row.waits_until_ms === null ? null : numberOf(row.waits_until_ms),
    cursor: textOf(row.cursor),
    failures: numberOf(row.failures),
    progress: { done: numberOf(row.done), total: numberOf(row.total) },
    selection: row.selection === null ? null : (JSON.parse(textOf(row.selection)) as JobSelection),
    background: numberOf(row.background) === 1,
    generation: numberOf(row.generation),
    leasedUntilMs: numberOf(row.leased_until_ms),
    memo: row.memo === null ? NO_MEMO : { ...NO_MEMO, ...(JSON.parse(textOf(row.memo)) as Partial<JobMemo>) },
    ...(row.result === null ? {} : { result: JSON.parse(textOf(row.result)) as Json }),
    ...(row.error === null ? {} : { error: textOf(row.error) }),
  };
}
