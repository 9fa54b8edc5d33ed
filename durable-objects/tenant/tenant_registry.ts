/**
 * The registry of a tenant: which entities exist, which wait to be indexed, and the jobs over them.
 *
 * Invariants
 *   - An entity is registered before its first put, so an entity nobody registered has no put under way.
 *   - An entity leaves the dirty set only when all that was announced of it is indexed.
 *   - Lost state is found again: entities are listed from the store and asked for their counters.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import {
  BULK_CONCURRENCY_MAX,
  INDEXED_PAGE_MAX,
  REGISTRY_COUNT_MS,
  SCOPE_NOTICE_INTERVAL_MS,
  STATUS_ENTITIES_MAX,
  SWEEP_ENTITIES_MAX,
} from "../../core/limits.ts";
import { decodeName, ENTITIES_PREFIX, SETTINGS_KEY } from "../../core/log/keys.ts";
import type {
  CancelledJob,
  DeadLetter,
  EntityCounters,
  EntityScope,
  ImportedStretch,
  ImportStretch,
  IndexedPage,
  Job,
  JobLook,
  JobOptions,
  JobType,
  TenantStatus,
  TenantSweep,
} from "../../core/rpc.ts";
import { readStored, storedSettingsSchema } from "../../core/schema/stored.ts";
import { firstPage } from "./first_page.ts";
import { JobRunner } from "./job_runner.ts";
import { JobTables } from "./job_tables.ts";
import type { TenantPorts } from "./ports.ts";
import { RegistryTables } from "./registry_tables.ts";

/** Enough that the feed of a registry that lost its state is not taken for the one before. */
const EPOCH_BYTES = 6;

function epochOf(bytes: Uint8Array): number {
  return bytes.reduce((epoch, byte) => epoch * 256 + byte, 1);
}

export class TenantRegistry {
  readonly #ports: TenantPorts;
  readonly #tables: RegistryTables;
  readonly #jobs: JobRunner;
  #recovering: Promise<void> | null = null;
  #toldMs = 0;
  #counted = { count: 0, atMs: Number.NEGATIVE_INFINITY };

  constructor(ports: TenantPorts) {
    this.#ports = ports;
    this.#tables = new RegistryTables(ports.sql);
    this.#jobs = new JobRunner(ports, this.#tables, new JobTables(ports.sql));
  }

  // --- called by entities ---

  async knows(entity: string): Promise<Result<{ readonly known: boolean }>> {
    await this.#recovered();
    return ok({ known: this.#tables.knows(entity) });
  }

  async markDirty(entity: string, commit: number): Promise<Result<{ readonly known: boolean }>> {
    await this.#recovered();
    const known = this.#tables.knows(entity);
    this.#tables.transaction(() => this.#tables.markDirty(entity, commit, this.#ports.clock.now()));
    return ok({ known });
  }

  async report(counters: EntityCounters): Promise<Result<null>> {
    await this.#recovered();
    const isNews = this.#tables.transaction(() => {
      // Its first put may have been under way when the state was lost that had it registered.
      if (counters.lastCommit > 0 && !this.#tables.knows(counters.entity))
        this.#tables.markDirty(counters.entity, counters.lastCommit, this.#ports.clock.now());
      this.#tables.report(counters);
      // What was given up on has been done after all.
      if (!counters.pending && !counters.sealed) this.#tables.dropDeadLettersOf(counters.entity);
      return this.#tables.putIndexed(counters);
    });
    if (isNews) await this.#tellScope();
    return ok(null);
  }

  async forget(entity: string, incarnation: number): Promise<Result<null>> {
    this.#tables.transaction(() => {
      this.#tables.forget(entity);
      if (this.#tables.incarnationOf(entity) <= incarnation)
        this.#tables.putIndexed({ entity, incarnation: incarnation + 1, indexedCommit: 0, redacted: 0 });
    });
    await this.#tellScope();
    return ok(null);
  }

  // --- the tenant's index ---

  async follow(on: boolean): Promise<Result<null>> {
    await this.#recovered();
    this.#tables.transaction(() => this.#tables.setFact("followed", Number(on)));
    if (on)
      for (const entity of this.#tables.unheard(SWEEP_ENTITIES_MAX)) await this.#ports.queue.send(this.#scope(entity));
    return ok(null);
  }

  async indexed(epoch: number, after: number): Promise<Result<IndexedPage>> {
    await this.#recovered();
    const own = this.#tables.fact("feed_epoch") ?? 0;
    const rows = this.#tables.indexedAfter(epoch === own ? after : 0, INDEXED_PAGE_MAX);
    const { count, unindexedEvents, sinceMs } = this.#tables.waitingSums();
    return ok({
      epoch: own,
      entities: rows.map(({ changed: _, ...row }) => row),
      next: rows.at(-1)?.changed ?? (epoch === own ? after : 0),
      more: rows.length === INDEXED_PAGE_MAX,
      known: this.#known(),
      waiting: count,
      unindexedEvents,
      // Since when what waited then had waited was lost with the rest.
      waitingSinceMs: sinceMs !== null && sinceMs <= (this.#tables.fact("recovered") ?? 0) ? 0 : sinceMs,
    });
  }

  #known(): number {
    const nowMs = this.#ports.clock.now();
    if (nowMs - this.#counted.atMs >= REGISTRY_COUNT_MS) this.#counted = { count: this.#tables.count(), atMs: nowMs };
    return this.#counted.count;
  }

  /** News that does not get through is found by the next sweep, or by whoever looks. */
  async #tellScope(): Promise<void> {
    const { tenant, clock, scope, logFault } = this.#ports;
    if (this.#tables.fact("followed") !== 1 || clock.now() - this.#toldMs < SCOPE_NOTICE_INTERVAL_MS) return;
    this.#toldMs = clock.now();
    try {
      await scope.noticed(tenant);
    } catch (cause) {
      logFault("scope_not_told", cause);
    }
  }

  // --- reads ---

  async entities(prefix: string, limit: number, cursor: string | null) {
    await this.#recovered();
    const { items, after } = firstPage(this.#tables.entities(prefix, cursor ?? "", limit + 1), limit);
    return ok({ entities: items, nextCursor: after?.entity ?? null });
  }

  /** Counters are pushed when something was indexed, so those of entities that wait are asked for first. */
  async status(): Promise<Result<TenantStatus>> {
    await this.#recovered();
    await Promise.all(this.#tables.waiting(STATUS_ENTITIES_MAX).map(({ entity }) => this.#refresh(entity)));
    return ok({
      ...this.#tables.totals(),
      entities: this.#tables.count(),
      waiting: this.#tables.waiting(SWEEP_ENTITIES_MAX),
      waitingEntities: this.#tables.dirtyCount(),
      deadLetters: this.#tables.deadLetterCount(),
      refused: this.#tables.refused(STATUS_ENTITIES_MAX),
      jobs: this.#jobs.countByStatus(),
      jobsWaiting: this.#jobs.waiting(),
      lastSweepAt: this.#tables.fact("last_sweep_ms"),
      lastReconcileAt: this.#tables.fact("last_reconcile_ms"),
    });
  }

  /** An entity that does not answer keeps the counters it last pushed. */
  async #refresh(entity: string): Promise<void> {
    const counters = await this.#ports.entityOf(entity).counters(this.#scope(entity));
    if (counters.ok) await this.report(counters.value);
  }

  // --- indexing ---

  /** Nudges the next SWEEP_ENTITIES_MAX dirty entities, by name: however many there are, each has its turn. */
  async sweep(): Promise<Result<TenantSweep>> {
    await this.#recovered();
    const { tenant, queue, clock } = this.#ports;
    const names = this.#nextDirty();
    for (let sent = 0; sent < names.length; sent += BULK_CONCURRENCY_MAX) {
      const some = names.slice(sent, sent + BULK_CONCURRENCY_MAX);
      await Promise.all(some.map((entity) => queue.send({ tenant, entity })));
    }
    this.#tables.transaction(() => {
      this.#tables.setFact("last_sweep_ms", clock.now());
      this.#tables.setSweepCursor(names.length < SWEEP_ENTITIES_MAX ? "" : (names.at(-1) ?? ""));
    });
    if (this.#tables.fact("followed") === 1) {
      for (const entity of this.#tables.unheard(SWEEP_ENTITIES_MAX)) await queue.send({ tenant, entity });
      await this.#tellScope();
    }
    const undriven = this.#jobs.undriven();
    await this.#jobs.wake();
    return ok({ nudged: names.length, undriven });
  }

  /** From where the last sweep ended to the end, and on from the beginning to there. */
  #nextDirty(): readonly string[] {
    const cursor = this.#tables.sweepCursor();
    const names = this.#tables.dirtyNames(cursor, SWEEP_ENTITIES_MAX);
    if (cursor === "" || names.length === SWEEP_ENTITIES_MAX) return names;
    const first = this.#tables.dirtyNames("", SWEEP_ENTITIES_MAX - names.length);
    return [...names, ...first.filter((name) => name <= cursor)];
  }

  async recordDeadLetter(letter: DeadLetter): Promise<Result<null>> {
    this.#tables.transaction(() => this.#tables.putDeadLetter(letter));
    return ok(null);
  }

  deadLetters(): Result<readonly DeadLetter[]> {
    return ok(this.#tables.deadLetters());
  }

  /** Sends the nudge again. The letter is dropped only after the queue has it. */
  async replay(id: string): Promise<Result<{ readonly replayed: string }>> {
    const letter = this.#tables.deadLetters().find((candidate) => candidate.id === id);
    if (letter === undefined) return fail({ reason: "not_found", what: "The dead letter" });
    const unsealed = await this.#ports.entityOf(letter.entity).unseal(this.#scope(letter.entity));
    if (!unsealed.ok) return unsealed;
    await this.#ports.queue.send({ tenant: this.#ports.tenant, entity: letter.entity });
    this.#tables.transaction(() => this.#tables.dropDeadLettersOf(letter.entity));
    return ok({ replayed: id });
  }

  // --- jobs ---

  async startJob(
    type: JobType,
    entity: string | null,
    options: JobOptions = {},
  ): Promise<Result<{ readonly job: string }>> {
    await this.#recovered();
    const isNew = type === "erase" || type === "import";
    if (entity !== null && !isNew && !this.#tables.knows(entity))
      return fail({ reason: "not_found", what: "The entity" });
    const admitted = this.#jobs.admits();
    if (!admitted.ok) return admitted;
    if (entity !== null && type === "erase") {
      // An erasure holds from the answer on: only the sweep is left to the job.
      const begun = await this.#ports.entityOf(entity).erase(this.#scope(entity));
      if (!begun.ok) return begun;
      const hidden = await this.#hideErased(entity);
      if (!hidden.ok) return hidden;
    }
    if (entity === null && type === "rebuild" && this.#tables.fact("followed") === 1) {
      const rebuilt = await this.#ports.scope.rebuildScope(this.#ports.tenant);
      if (!rebuilt.ok) return rebuilt;
    }
    return this.#jobs.start(type, entity, options);
  }

  /** What the tenant's index holds of the entity is searched no more from here on. */
  async #hideErased(entity: string): Promise<Result<null>> {
    if (this.#tables.fact("followed") !== 1) return ok(null);
    const counters = await this.#ports.entityOf(entity).counters(this.#scope(entity));
    if (!counters.ok) return counters;
    this.#tables.transaction(() => this.#tables.putIndexed(counters.value));
    return this.#ports.scope.eraseEntity(this.#ports.tenant, entity, counters.value.incarnation);
  }

  jobs(
    limit: number,
    cursor: string | null,
  ): Result<{ readonly jobs: readonly Job[]; readonly nextCursor: string | null }> {
    return ok(this.#jobs.page(limit, cursor));
  }

  job(id: string): Result<Job> {
    return this.#jobs.read(id);
  }

  cancelJob(id: string): Promise<Result<CancelledJob>> {
    return this.#jobs.cancel(id);
  }

  lookAtJob(id: string, generation: number): Promise<Result<JobLook>> {
    return this.#jobs.look(id, generation);
  }

  recordImport(id: string, stretch: ImportStretch, done: ImportedStretch): Promise<Result<null>> {
    return this.#jobs.recordImport(id, stretch, done);
  }

  failJob(id: string, error: string): Promise<Result<null>> {
    return this.#jobs.fail(id, error);
  }

  handOverJob(id: string, generation: number): Promise<Result<number | null>> {
    return this.#jobs.handOver(id, generation);
  }

  /** The alarm. Never throws. */
  wake(): Promise<void> {
    return this.#jobs.run();
  }

  // --- recovery ---

  async #recovered(): Promise<void> {
    if (this.#tables.fact("recovered") !== null) return;
    this.#recovering ??= this.#recover().finally(() => {
      this.#recovering = null;
    });
    await this.#recovering;
  }

  /** Registers every entity the store has a folder of, as dirty: their objects report counters when they are nudged. */
  async #recover(): Promise<void> {
    const { store, clock, random } = this.#ports;
    let cursor: string | null = null;
    do {
      const page: { readonly names: readonly string[]; readonly cursor: string | null } = await store.folders(
        ENTITIES_PREFIX,
        cursor,
      );
      this.#tables.transaction(() => {
        for (const name of page.names) {
          const entity = decodeName(name);
          if (entity !== null && !this.#tables.knows(entity)) this.#tables.markDirty(entity, 0, clock.now());
        }
      });
      cursor = page.cursor;
    } while (cursor !== null);
    const followed = await this.#isIndexOn();
    const epoch = epochOf(random.bytes(EPOCH_BYTES));
    this.#tables.transaction(() => {
      this.#tables.setFact("followed", Number(followed));
      this.#tables.setFact("feed_epoch", epoch);
      this.#tables.setFact("recovered", clock.now());
    });
  }

  /** As the tenant's settings say: whether it was told is lost with the rest. */
  async #isIndexOn(): Promise<boolean> {
    const { store } = this.#ports;
    const stored = await store.get(SETTINGS_KEY);
    if (stored === null) return false;
    const settings = readStored(storedSettingsSchema, stored.bytes, store.fullKey(SETTINGS_KEY));
    return settings.ok && (settings.value.tenant_index ?? "off") !== "off";
  }

  #scope(entity: string): EntityScope {
    return { tenant: this.#ports.tenant, entity };
  }
}
