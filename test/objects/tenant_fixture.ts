/**
 * The shipped `TenantRegistry` over embedded SQLite and the entities of a test: shipped ones that share its store, or
 * stand-ins that answer as a test wishes.
 */
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { ok } from "../../core/errors.ts";
import type { MaintenanceWindow } from "../../core/lifecycle/maintenance_window.ts";
import type { EntityScope } from "../../core/rpc.ts";
import type { EntityControl, ScopeControl } from "../../durable-objects/tenant/ports.ts";
import { TenantRegistry } from "../../durable-objects/tenant/tenant_registry.ts";
import { embeddedSql } from "./embedded_sql.ts";
import { EntityFixture } from "./entity_fixture.ts";
import { MemoryAlarm } from "./memory_alarm.ts";

/** Of an entity with one commit, which is indexed. */
export const COUNTERS = {
  incarnation: 1,
  redacted: 0,
  events: 1,
  lastTs: null,
  lastCommit: 1,
  indexedCommit: 1,
  rebuiltCommit: null,
  unindexedEvents: 0,
  unindexedBytes: 0,
  full: false,
  pending: false,
  sealed: false,
};

export class TenantFixture {
  readonly tenant = "t";
  readonly objects = memoryStore();
  readonly nudges: EntityScope[] = [];
  readonly controls = new Map<string, EntityControl>();
  nowMs = Date.UTC(2026, 0, 1);
  maintenanceWindow: MaintenanceWindow | null = null;
  readonly alarm = new MemoryAlarm();
  sql = embeddedSql();
  /** What is drawn at random differs from one loss of state to the next. */
  #losses = 0;
  /** The object of the tenant's index; tests of it bring the shipped one. */
  scope: ScopeControl = {
    noticed: async () => ok(null),
    eraseEntity: async () => ok(null),
    rebuildScope: async () => ok(null),
  };
  registry = this.#compose();

  /** A shipped entity that tells this tenant about itself. */
  add(entity: string): EntityFixture {
    const fixture = new EntityFixture(entity, this.objects);
    fixture.registry = {
      knows: (name) => this.registry.knows(name),
      markDirty: (name, commit) => this.registry.markDirty(name, commit),
      report: (counters) => this.registry.report(counters),
      forget: (name, incarnation) => this.registry.forget(name, incarnation),
    };
    this.controls.set(entity, controlOf(fixture));
    return fixture;
  }

  /** An entity that does at once what it is asked for, but for what a test puts in its place. */
  async stand(entity: string, own: Partial<EntityControl> = {}): Promise<void> {
    await this.registry.markDirty(entity, 1);
    this.controls.set(entity, {
      counters: async () => ok({ entity, ...COUNTERS }),
      rebuild: async () => ok(null),
      compact: async () => ok(null),
      erase: async () => ok(null),
      unseal: async () => ok(null),
      erased: async () => ok(true),
      warm: async () => ok({ bytes: 0 }),
      ...own,
    });
  }

  /** The tenant's object forgets everything; its entities' objects do not. */
  loseState(): void {
    this.#losses += 1;
    this.sql = embeddedSql();
    this.registry = this.#compose();
  }

  /** The tenant's object is evicted: what it had in memory is gone. */
  evict(): void {
    this.registry = this.#compose();
  }

  /** The platform rings, when an alarm was set. False when none was. */
  async wake(): Promise<boolean> {
    if (this.alarm.atMs === null) return false;
    this.nowMs = Math.max(this.nowMs, this.alarm.atMs);
    this.alarm.atMs = null;
    await this.registry.wake();
    return true;
  }

  #compose(): TenantRegistry {
    return new TenantRegistry({
      tenant: this.tenant,
      sql: this.sql,
      alarm: this.alarm,
      store: this.objects.forTenant(this.tenant),
      clock: { now: () => this.nowMs },
      maintenanceWindow: this.maintenanceWindow,
      random: { bytes: (count) => new Uint8Array(count).fill(this.#losses) },
      entityOf: (entity) => this.#controlOf(entity),
      scope: {
        noticed: (tenant) => this.scope.noticed(tenant),
        eraseEntity: (tenant, entity, below) => this.scope.eraseEntity(tenant, entity, below),
        rebuildScope: (tenant) => this.scope.rebuildScope(tenant),
      },
      queue: { send: async (nudge) => void this.nudges.push(nudge) },
      logFault: () => undefined,
    });
  }

  #controlOf(entity: string): EntityControl {
    const control = this.controls.get(entity);
    if (control === undefined) throw new Error(`no entity ${entity}`);
    return control;
  }
}

function controlOf(fixture: EntityFixture): EntityControl {
  return {
    counters: () => fixture.serve((entity) => entity.counters()),
    rebuild: () => fixture.serve((entity) => entity.rebuild()),
    compact: () =>
      fixture.serve(async (entity) => {
        entity.compact();
        return ok(null);
      }),
    erase: () => fixture.serve((entity) => entity.erase()),
    unseal: () =>
      fixture.serve(async (entity) => {
        entity.unseal();
        return ok(null);
      }),
    erased: () => fixture.serve(async (entity) => ok(entity.erased())),
    warm: () => fixture.serve((entity) => entity.reader.warm()),
  };
}
