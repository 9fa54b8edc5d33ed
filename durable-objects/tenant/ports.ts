/**
 * What a tenant's object is built from.
 */
import type { Result } from "../../core/errors.ts";
import type { MaintenanceWindow } from "../../core/lifecycle/maintenance_window.ts";
import type { Clock, Random, TenantStore } from "../../core/ports.ts";
import type { EntityCounters, EntityScope, IndexNudge } from "../../core/rpc.ts";
import type { Alarm, Sql } from "../sql.ts";

/** An entity's object, as its tenant sees it. */
export interface EntityControl {
  counters(scope: EntityScope): Promise<Result<EntityCounters>>;
  rebuild(scope: EntityScope): Promise<Result<null>>;
  compact(scope: EntityScope): Promise<Result<null>>;
  erase(scope: EntityScope): Promise<Result<null>>;
  /** Lets index work that was sealed be tried again. */
  unseal(scope: EntityScope): Promise<Result<null>>;
  /** Whether an erasure has swept everything. */
  erased(scope: EntityScope): Promise<Result<boolean>>;
  warm(scope: EntityScope): Promise<Result<{ readonly bytes: number }>>;
}

/** The object that keeps the tenant's index, as the registry sees it. */
export interface ScopeControl {
  noticed(tenant: string): Promise<Result<null>>;
  eraseEntity(tenant: string, entity: string, below: number): Promise<Result<null>>;
  rebuildScope(tenant: string): Promise<Result<null>>;
}

export interface TenantPorts {
  readonly tenant: string;
  readonly sql: Sql;
  readonly alarm: Alarm;
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly scope: ScopeControl;
  /** When heavy work may run; null: always. */
  readonly maintenanceWindow: MaintenanceWindow | null;
  readonly entityOf: (entity: string) => EntityControl;
  readonly queue: { send(nudge: IndexNudge): Promise<void> };
  readonly logFault: (event: string, cause: unknown) => void;
}
