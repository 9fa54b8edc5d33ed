/**
 * Everything an entity's object is built from. The classes here see ports only, so they run unchanged over simulated
 * stores, clocks and schedulers.
 */
import type { Result } from "../../core/errors.ts";
import type { LineCache } from "../../core/index/line_cache.ts";
import type { MaintenanceWindow } from "../../core/lifecycle/maintenance_window.ts";
import type {
  Checksum,
  Clock,
  Compression,
  Digest,
  Embedder,
  KernelBuilder,
  SlabPool,
  TenantStore,
  Timer,
} from "../../core/ports.ts";
import type { EntityCounters, EntityScope, IndexNudge } from "../../core/rpc.ts";
import type { Alarm } from "../sql.ts";
import type { WholeLineCache } from "../whole_line_cache.ts";
import type { EntityTables } from "./entity_tables.ts";

/** The tenant's object, as its entities see it. */
export interface Registry {
  /** Whether the entity was ever registered. One that was not has nothing in the store: registering comes first. */
  knows(entity: string): Promise<Result<{ readonly known: boolean }>>;
  /** Registers the entity and puts it into the dirty set, before commit `commit` is put; says whether it was known. */
  markDirty(entity: string, commit: number): Promise<Result<{ readonly known: boolean }>>;
  /** Takes the entity's counters, and it out of the dirty set when all of its commits are indexed. */
  report(counters: EntityCounters): Promise<Result<null>>;
  /** The incarnation was erased. */
  forget(entity: string, incarnation: number): Promise<Result<null>>;
}

export interface NudgeQueue {
  send(nudge: IndexNudge): Promise<void>;
}

/** Thresholds and deadlines of a deployment; defaults and meanings in `settings.ts`. */
export interface EntitySettings {
  readonly indexEvents: number;
  readonly indexBytes: number;
  readonly indexAgeMs: number;
  readonly nudgeRetryMs: number;
  readonly putDeadlineMs: number;
  readonly ssdIdleMs: number;
  readonly tailBytes: number;
  /** When heavy work may run; null: always. */
  readonly maintenanceWindow: MaintenanceWindow | null;
  readonly buildDeadlineMs: number;
  readonly collectAgeMs: number;
}

export interface EntityPorts {
  readonly scope: EntityScope;
  readonly tables: EntityTables;
  readonly alarm: Alarm;
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly compression: Compression;
  readonly digest: Digest;
  readonly checksum: Checksum;
  /** Lines of hits, kept for all objects of the isolate; none are when absent. */
  readonly lines?: LineCache;
  /** Likewise of events with vectors, as the log has them. */
  readonly wholeLines?: WholeLineCache;
  readonly registry: Registry;
  readonly queue: NudgeQueue;
  readonly builder: KernelBuilder;
  readonly slabs: SlabPool;
  readonly embedder: Embedder | null;
  readonly settings: EntitySettings;
  /** Writes what was thrown to the log: name and place, never content. */
  readonly logFault: (event: string, cause: unknown) => void;
}
