/**
 * The shipped `Entity` over a memory store with switchable faults, embedded SQLite, and a clock that tests move.
 * `crash()` forgets the instance and keeps SQLite; `loseState()` forgets both. Puts under way go on by themselves.
 */
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { systemTimer } from "../../adapters/platform/system_clock.ts";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { ok, type Result } from "../../core/errors.ts";
import { CHUNKER } from "../../core/index/chunker.ts";
import { prepareEvents } from "../../core/log/prepare.ts";
import type { TenantStore } from "../../core/ports.ts";
import { SlabResidency } from "../../core/retrieval/residency.ts";
import type { AppendResult, EntityCounters, EntityScope, IndexWork } from "../../core/rpc.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { Entity } from "../../durable-objects/entity/entity.ts";
import type { EntityPorts, EntitySettings } from "../../durable-objects/entity/ports.ts";
import { EntityTables } from "../../durable-objects/entity/state.ts";
import { PartCache } from "../../durable-objects/part_cache.ts";
import type { Sql } from "../../durable-objects/sql.ts";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { createSlabPool } from "../../wasm/slab_pool.ts";
import { buildShard } from "../../workers/indexer/build_shard.ts";
import type { BuildPorts } from "../../workers/indexer/ports.ts";
import { loadKernel } from "../kernel/load_kernel.ts";
import { embeddedSql } from "./embedded_sql.ts";

const kernelModule = await loadKernel();
const builder = createKernelBuilder(kernelModule);
const slabs = createSlabPool(kernelModule);

/** What happens to the next create-only puts. `lost`: it took effect, and the answer never came. */
export type Fault = "none" | "refused" | "lost" | "late";

const SETTINGS: EntitySettings = {
  indexEvents: 100,
  indexBytes: 1_000_000,
  indexAgeMs: 1_000,
  nudgeRetryMs: 5_000,
  putDeadlineMs: 50,
};

export class EntityFixture {
  readonly scope: EntityScope;
  readonly objects = memoryStore();
  readonly settings = SETTINGS;
  readonly nudges: EntityScope[] = [];
  readonly registered = new Map<string, number>();
  readonly reports: EntityCounters[] = [];
  nowMs = Date.UTC(2026, 0, 1);
  fault: Fault = "none";
  #sql: Sql = embeddedSql();
  #entity: Entity | null = null;
  #late: (() => Promise<unknown>)[] = [];

  constructor(entity = "account:acme") {
    this.scope = { tenant: "t", entity };
  }

  get entity(): Entity {
    this.#entity ??= this.#compose();
    return this.#entity;
  }

  get store(): TenantStore {
    return this.objects.forTenant(this.scope.tenant);
  }

  crash(): void {
    this.#entity = null;
  }

  loseState(): void {
    this.#sql = embeddedSql();
    this.crash();
  }

  /** Lets puts that were held back land now. */
  async landLatePuts(): Promise<void> {
    const late = this.#late;
    this.#late = [];
    for (const put of late) await put();
  }

  async append(
    events: readonly EventInput[],
    idempotency: { key: string; bodyDigest: string } | null = null,
  ): Promise<Result<AppendResult>> {
    const prepared = prepareEvents(events, this.nowMs, { compression: nodeCompression, digest: nodeDigest });
    if (!prepared.ok) return prepared;
    return this.entity.append({ scope: this.scope, prepared: prepared.value, idempotency });
  }

  /** What the indexer does for a nudge. */
  async index(): Promise<number> {
    const ready = await this.entity.ready();
    if (!ready.ok) throw new Error(ready.failure.reason);
    for (let built = 0; ; built += 1) {
      const work = await this.entity.nextWork();
      if (work === null) return built;
      const sha256 = await this.build(work);
      const { scope, incarnation, headVersion, replaces } = work;
      const outcome = await this.entity.proposeHead({ scope, incarnation, headVersion, replaces, sha256 });
      if (!outcome.ok || outcome.value === "stale") throw new Error("a fresh proposal was not taken");
    }
  }

  /** The digest of the shard that `work` asks for, put. */
  async build(work: IndexWork): Promise<string> {
    const shard = await buildShard(this.#buildPorts(), work);
    if (!shard.ok) throw new Error(shard.failure.reason);
    return shard.value;
  }

  /** Ids of the timeline, in order of position. */
  async ids(): Promise<string[]> {
    const ready = await this.entity.ready();
    if (!ready.ok) throw new Error(ready.failure.reason);
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await this.entity.reader.timeline({
        scope: this.scope,
        from: null,
        to: null,
        kind: null,
        session: null,
        order: "asc",
        limit: 500,
        cursor,
      });
      if (!page.ok) throw new Error(page.failure.reason);
      ids.push(...page.value.events.map(({ id }) => id));
      cursor = page.value.nextCursor;
    } while (cursor !== null);
    return ids;
  }

  #compose(): Entity {
    const revision = { analyzer: builder.analyzer, chunker: CHUNKER, embedder: "none", metric: "cosine" as const };
    return new Entity(this.#ports(), revision, new PartCache(), new SlabResidency(slabs));
  }

  #ports(): EntityPorts {
    return {
      scope: this.scope,
      tables: new EntityTables(this.#sql),
      alarm: { get: async () => null, set: async () => undefined },
      store: this.#faultyStore(),
      clock: { now: () => this.nowMs },
      timer: systemTimer,
      compression: nodeCompression,
      digest: nodeDigest,
      registry: {
        knows: async (entity) => ok({ known: this.registered.has(entity) }),
        markDirty: async (entity, commit) => {
          const known = this.registered.has(entity);
          this.registered.set(entity, commit);
          return ok({ known });
        },
        report: async (counters) => {
          this.reports.push(counters);
          return ok(null);
        },
        forget: async () => ok(null),
      },
      queue: { send: async (nudge) => void this.nudges.push(nudge) },
      builder,
      slabs,
      embedder: null,
      settings: SETTINGS,
      logFault: () => undefined,
    };
  }

  #faultyStore(): TenantStore {
    const store = this.store;
    return {
      ...store,
      create: async (key, bytes, metadata) => {
        const fault = key.includes("/segments/") ? this.fault : "none";
        if (fault === "refused") throw new Error("the store refused");
        if (fault === "late") {
          this.#late.push(() => store.create(key, bytes, metadata));
          return new Promise(() => undefined);
        }
        const created = await store.create(key, bytes, metadata);
        if (fault === "lost") return new Promise(() => undefined);
        return created;
      },
    };
  }

  #buildPorts(): BuildPorts {
    return {
      compression: nodeCompression,
      digest: nodeDigest,
      store: this.objects,
      builder,
      embedder: null,
      entity: () => ({ stands: async (_scope, incarnation) => ok(this.entity.stands(incarnation)) }),
    };
  }
}
