/**
 * TenantObject: one for each tenant, SQLite-backed. It composes `TenantRegistry` from the platform and answers calls; all
 * that it does is there.
 */
import { DurableObject } from "cloudflare:workers";
import { logFault } from "../adapters/platform/fault_log.ts";
import { systemClock, systemRandom } from "../adapters/platform/system_clock.ts";
import { fail, type Result } from "../core/errors.ts";
import {
  type DeadLetter,
  type EntityCounters,
  entityObjectName,
  type ImportedStretch,
  type ImportStretch,
  type JobOptions,
  type JobType,
  type TenantApi,
  type TenantIndexApi,
} from "../core/rpc.ts";
import type { Env } from "./env.ts";
import { maintenanceWindowOf } from "./settings.ts";
import { durableAlarm, durableSql } from "./sql.ts";
import { storeOf } from "./store.ts";
import { TenantRegistry } from "./tenant/tenant_registry.ts";

export class TenantObject extends DurableObject<Env> implements TenantApi, TenantIndexApi {
  readonly #registry: TenantRegistry;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    const tenant = context.id.name ?? "";
    this.#registry = new TenantRegistry({
      tenant,
      sql: durableSql(context.storage),
      alarm: durableAlarm(context.storage),
      // Asked for when it is needed: an object that cannot be made would lose its alarm.
      get store() {
        return storeOf(env).forTenant(tenant);
      },
      // Likewise: a window that means nothing stops what waits for it, and says so.
      get maintenanceWindow() {
        return maintenanceWindowOf(env);
      },
      clock: systemClock,
      random: systemRandom,
      entityOf: (entity) => env.ENTITY.get(env.ENTITY.idFromName(entityObjectName({ tenant, entity }))),
      scope: env.SCOPE.get(env.SCOPE.idFromName(tenant)),
      logFault,
      queue: { send: async (nudge) => void (await env.INDEX_QUEUE.send(nudge)) },
    });
  }

  override alarm(): Promise<void> {
    return this.#registry.wake();
  }

  async entities(tenant: string, prefix: string, limit: number, cursor: string | null) {
    return this.#own(tenant) ?? this.#registry.entities(prefix, limit, cursor);
  }

  async tenantStatus(tenant: string) {
    return this.#own(tenant) ?? this.#registry.status();
  }

  async deadLetters(tenant: string) {
    return this.#own(tenant) ?? this.#registry.deadLetters();
  }

  async jobs(tenant: string, limit: number, cursor: string | null) {
    return this.#own(tenant) ?? this.#registry.jobs(limit, cursor);
  }

  async job(tenant: string, id: string) {
    return this.#own(tenant) ?? this.#registry.job(id);
  }

  async cancelJob(tenant: string, id: string) {
    return this.#own(tenant) ?? this.#registry.cancelJob(id);
  }

  async knows(tenant: string, entity: string) {
    return this.#own(tenant) ?? this.#registry.knows(entity);
  }

  async markDirty(tenant: string, entity: string, commit: number) {
    return this.#own(tenant) ?? this.#registry.markDirty(entity, commit);
  }

  async report(tenant: string, counters: EntityCounters) {
    return this.#own(tenant) ?? this.#registry.report(counters);
  }

  async forget(tenant: string, entity: string, incarnation: number) {
    return this.#own(tenant) ?? this.#registry.forget(entity, incarnation);
  }

  async indexed(tenant: string, epoch: number, after: number) {
    return this.#own(tenant) ?? this.#registry.indexed(epoch, after);
  }

  async follow(tenant: string, on: boolean) {
    return this.#own(tenant) ?? this.#registry.follow(on);
  }

  async sweep(tenant: string) {
    return this.#own(tenant) ?? this.#registry.sweep();
  }

  async recordDeadLetter(tenant: string, letter: DeadLetter) {
    return this.#own(tenant) ?? this.#registry.recordDeadLetter(letter);
  }

  async replay(tenant: string, id: string) {
    return this.#own(tenant) ?? this.#registry.replay(id);
  }

  async startJob(tenant: string, type: JobType, entity: string | null, options: JobOptions = {}) {
    return this.#own(tenant) ?? this.#registry.startJob(type, entity, options);
  }

  async lookAtJob(tenant: string, id: string, generation: number) {
    return this.#own(tenant) ?? this.#registry.lookAtJob(id, generation);
  }

  async recordImport(tenant: string, id: string, stretch: ImportStretch, done: ImportedStretch) {
    return this.#own(tenant) ?? this.#registry.recordImport(id, stretch, done);
  }

  async failJob(tenant: string, id: string, error: string) {
    return this.#own(tenant) ?? this.#registry.failJob(id, error);
  }

  async handOverJob(tenant: string, id: string, generation: number) {
    return this.#own(tenant) ?? this.#registry.handOverJob(id, generation);
  }

  /** A call that names another tenant than this object's reached the wrong object: it is refused, not answered. */
  #own(tenant: string): Result<never> | null {
    return this.ctx.id.name === tenant ? null : fail({ reason: "internal" });
  }
}
