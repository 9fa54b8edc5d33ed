/**
 * The shipped `Entity` over a memory store with switchable faults, embedded SQLite, and a clock that tests move.
 * `crash()` forgets the instance and keeps SQLite; `loseState()` forgets both. Puts under way go on by themselves.
 * Nothing here waits for time to pass: a put that is never answered has its deadline at once.
 */
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import { CHUNKER } from "../../core/index/chunker.ts";
import type { Revision } from "../../core/index/part.ts";
import { TAIL_RAW_BYTES_MAX } from "../../core/limits.ts";
import { prepareEvents } from "../../core/log/prepare.ts";
import type { Metric, ObjectStore, TenantStore, Timer } from "../../core/ports.ts";
import { SlabResidency } from "../../core/retrieval/residency.ts";
import type {
  AppendResult,
  EntityCounters,
  EntityScope,
  EventPage,
  HeadOutcome,
  IndexWork,
  SearchAnswer,
} from "../../core/rpc.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { searchBodySchema } from "../../core/schema/search.ts";
import { Entity } from "../../durable-objects/entity/entity.ts";
import { EntityTables } from "../../durable-objects/entity/entity_tables.ts";
import type { EntityPorts, EntitySettings, Registry } from "../../durable-objects/entity/ports.ts";
import { PartCache } from "../../durable-objects/part_cache.ts";
import type { Sql, SqlValue } from "../../durable-objects/sql.ts";
import type { WholeLineCache } from "../../durable-objects/whole_line_cache.ts";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { createKernelChecksum } from "../../wasm/kernel_checksum.ts";
import { createSlabPool } from "../../wasm/slab_pool.ts";
import { buildShard } from "../../workers/indexer/build_shard.ts";
import type { BuildPorts } from "../../workers/indexer/ports.ts";
import { loadKernel } from "../kernel/load_kernel.ts";
import { embeddedSql } from "./embedded_sql.ts";
import { MemoryAlarm } from "./memory_alarm.ts";
import { type StoreCalls, watchedStore } from "./store_calls.ts";

const kernelModule = await loadKernel();
const builder = createKernelBuilder(kernelModule);
const checksum = createKernelChecksum(kernelModule);
const slabs = createSlabPool(kernelModule);
/** The isolate's, which outlives instances. */
const residency = new SlabResidency(slabs);

/** What happens to the next create-only puts. `lost`: it took effect, and the answer never came. */
export type Fault = "none" | "refused" | "lost" | "late";

/** What an unanswered put rejects with: the fixture's timer takes it for a deadline that has passed. */
const NO_ANSWER = new Error("no answer");

const SETTINGS: EntitySettings = {
  indexEvents: 100,
  indexBytes: 1_000_000,
  indexAgeMs: 1_000,
  nudgeRetryMs: 5_000,
  putDeadlineMs: 50,
  ssdIdleMs: 7 * 86_400_000,
  tailBytes: TAIL_RAW_BYTES_MAX,
  maintenanceWindow: null,
  buildDeadlineMs: 20_000,
  collectAgeMs: 20_000,
};

/** Wakes after which an erasure without faults is over, and more. */
const ERASURE_WAKES = 6;

export class EntityFixture {
  readonly scope: EntityScope;
  readonly objects: ObjectStore;
  settings: EntitySettings = SETTINGS;
  readonly nudges: EntityScope[] = [];
  readonly registered = new Map<string, number>();
  readonly forgotten: string[] = [];
  readonly reports: EntityCounters[] = [];
  nowMs = Date.UTC(2026, 0, 1);
  fault: Fault = "none";
  readonly alarm = new MemoryAlarm();
  /** The tenant's object; replaced by tests that bring their own. */
  registry: Registry = this.#memoryRegistry();
  /** Part of the revision that the next instance has. */
  metric: Metric = "cosine";
  /** Opened parts of the isolate: they outlive an instance, whose storage does not. */
  partCache = new PartCache();
  /** The isolate's; none unless a test brings it. */
  wholeLines: WholeLineCache | null = null;
  /** What sleepers wait for besides their time. */
  rest: Promise<void> = Promise.resolve();
  /** Sees every SQL statement before it runs. */
  onStatement: (statement: string, bindings: readonly SqlValue[]) => void = () => undefined;
  #sql: Sql = embeddedSql();
  #storage = { isOpen: true };
  #entity: Entity | null = null;
  #late: (() => Promise<unknown>)[] = [];
  readonly #watched: { readonly store: TenantStore; readonly calls: StoreCalls };

  constructor(entity = "account:acme", objects: ObjectStore = memoryStore(), tenant = "t") {
    this.scope = { tenant, entity };
    this.objects = objects;
    this.#watched = watchedStore(this.store);
  }

  get entity(): Entity {
    this.#entity ??= this.#compose();
    return this.#entity;
  }

  /** The store itself: calls of it are not watched. */
  get store(): TenantStore {
    return this.objects.forTenant(this.scope.tenant);
  }

  /** What the entity asks of the store: to be held, failed or counted. */
  get calls(): StoreCalls {
    return this.#watched.calls;
  }

  /** What lies in SQLite, past `onStatement`. */
  get sql(): Sql {
    return this.#sql;
  }

  crash(): void {
    this.#entity = null;
    this.#storage.isOpen = false;
    this.#storage = { isOpen: true };
  }

  /** Ends the instance in the middle of an append whose put lands all the same. */
  async crashInPut(input: { readonly id: string }): Promise<void> {
    const put = this.calls.hold("create", "/segments/", "after");
    void this.append([input]);
    await put.reached;
    this.crash();
    put.release();
  }

  loseState(): void {
    this.#sql = embeddedSql();
    this.alarm.atMs = null;
    this.crash();
  }

  /** Lets puts that were held back land now. */
  async landLatePuts(): Promise<void> {
    const late = this.#late;
    this.#late = [];
    for (const put of late) await put();
  }

  /** One call as the object serves it: after recovery, and with a value in place of what is thrown. */
  async serve<T>(call: (entity: Entity) => Promise<Result<T>>): Promise<Result<T>> {
    try {
      const { entity } = this;
      const ready = await entity.ready();
      return ready.ok ? await call(entity) : ready;
    } catch (cause) {
      return fail({ reason: "unavailable", what: String(cause), retryAfterSeconds: 1 });
    }
  }

  /** The platform rings: the alarm that was set is gone by then. */
  async wake(): Promise<void> {
    this.nowMs = Math.max(this.nowMs, this.alarm.atMs ?? 0);
    this.alarm.atMs = null;
    await this.entity.wake();
  }

  /** The alarms that an erasure takes. */
  async sweep(): Promise<void> {
    for (let wake = 0; wake < ERASURE_WAKES; wake += 1) {
      await this.wake();
      this.nowMs += 2 * this.settings.putDeadlineMs;
    }
  }

  /** Keys of the entity in the store. */
  async keys(): Promise<string[]> {
    return (await this.store.list("entities/")).objects.map(({ key }) => key);
  }

  async append(
    events: readonly EventInput[],
    idempotency: { key: string; bodyDigest: string } | null = null,
  ): Promise<Result<AppendResult>> {
    const prepared = prepareEvents(events, this.nowMs, { compression: nodeCompression, digest: nodeDigest });
    if (!prepared.ok) return prepared;
    return this.entity.append({ scope: this.scope, prepared: prepared.value, idempotency });
  }

  /** An append that has to be accepted. */
  async accept(...events: readonly EventInput[]): Promise<AppendResult> {
    return valueIn(await this.append(events));
  }

  async search(body: object): Promise<SearchAnswer> {
    return valueIn(await this.serve((entity) => entity.reader.search(searchBodySchema.parse(body), null)));
  }

  /** What the indexer does for a nudge. */
  async index(): Promise<number> {
    valueIn(await this.entity.ready());
    for (let built = 0; ; built += 1) {
      const outcome = await this.buildNext();
      if (outcome === null) return built;
      if (valueIn(outcome) === "stale") throw new Error("a fresh proposal was not taken");
    }
  }

  /** One piece of index work, done and proposed; null when none is due. */
  async buildNext(): Promise<Result<HeadOutcome> | null> {
    const work = await this.entity.nextWork();
    if (work === null) return null;
    const shard = await this.tryBuild(work);
    if (!shard.ok) return shard;
    const { scope, incarnation, purpose, headVersion, replaces } = work;
    return this.entity.proposeHead({ scope, incarnation, purpose, headVersion, replaces, sha256: shard.value });
  }

  /** The digest of the shard that `work` asks for, put. */
  async build(work: IndexWork): Promise<string> {
    return valueIn(await this.tryBuild(work));
  }

  tryBuild(work: IndexWork): Promise<Result<string>> {
    return buildShard(this.#buildPorts(), work);
  }

  /** Ids of the timeline, in order of position. */
  async ids(): Promise<string[]> {
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const at: string | null = cursor;
      const query = { scope: this.scope, from: null, to: null, kind: null, session: null } as const;
      const page: EventPage = valueIn(
        await this.serve((entity) => entity.reader.timeline({ ...query, order: "asc", limit: 500, cursor: at })),
      );
      ids.push(...page.events.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    return ids;
  }

  /** What an entity of this fixture is built from. */
  ports(): EntityPorts {
    return {
      scope: this.scope,
      tables: new EntityTables(this.#watchedSql()),
      alarm: this.alarm,
      store: this.#faultyStore(),
      clock: { now: () => this.nowMs },
      timer: this.#timer(),
      checksum,
      compression: nodeCompression,
      digest: nodeDigest,
      ...(this.wholeLines !== null && { wholeLines: this.wholeLines }),
      registry: {
        knows: (entity) => this.registry.knows(entity),
        markDirty: (entity, commit) => this.registry.markDirty(entity, commit),
        report: (counters) => this.registry.report(counters),
        forget: (entity, incarnation) => this.registry.forget(entity, incarnation),
      },
      queue: { send: async (nudge) => void this.nudges.push(nudge) },
      builder,
      slabs,
      embedder: null,
      settings: this.settings,
      logFault: () => undefined,
    };
  }

  /** What the next instance is built for. */
  revision(): Revision {
    return { analyzer: builder.analyzer, chunker: CHUNKER, embedder: "none", metric: this.metric };
  }

  #compose(): Entity {
    return new Entity(this.ports(), this.revision(), this.partCache, residency);
  }

  #memoryRegistry(): Registry {
    return {
      knows: async (entity) => ok({ known: this.registered.has(entity) }),
      markDirty: async (entity, commit) => {
        const known = this.registered.has(entity);
        this.registered.set(entity, Math.max(commit, this.registered.get(entity) ?? 0));
        return ok({ known });
      },
      report: async (counters) => {
        this.reports.push(counters);
        return ok(null);
      },
      forget: async (entity) => {
        this.forgotten.push(entity);
        return ok(null);
      },
    };
  }

  /** As an instance sees it: one that has crashed may touch it no more. */
  #watchedSql(): Sql {
    const sql = this.#sql;
    const storage = this.#storage;
    return {
      run: (statement, ...bindings) => {
        if (!storage.isOpen) throw new Error("the storage of another instance");
        this.onStatement(statement, bindings);
        return sql.run(statement, ...bindings);
      },
      transaction: (body) => sql.transaction(body),
    };
  }

  #timer(): Timer {
    return {
      sleep: async (ms) => {
        await this.rest;
        this.nowMs += ms;
      },
      within: (_ms, work) =>
        work.catch((cause: unknown) => {
          if (cause === NO_ANSWER) return "timeout";
          throw cause;
        }),
    };
  }

  #faultyStore(): TenantStore {
    const { store } = this.#watched;
    return {
      ...store,
      create: async (key, bytes, metadata) => {
        const fault = key.includes("/segments/") ? this.fault : "none";
        if (fault === "refused") throw new Error("the store refused");
        if (fault === "late") {
          this.#late.push(() => this.store.create(key, bytes, metadata));
          throw NO_ANSWER;
        }
        const created = await store.create(key, bytes, metadata);
        if (fault === "lost") throw NO_ANSWER;
        return created;
      },
    };
  }

  #buildPorts(): BuildPorts {
    return {
      checksum,
      compression: nodeCompression,
      digest: nodeDigest,
      store: this.objects,
      builder,
      embedder: null,
      entity: () => ({
        stands: (_scope, incarnation, from, plannedOn) =>
          this.serve(async (entity) => ok(entity.stands(incarnation, from, plannedOn))),
      }),
    };
  }
}

/** The value of a call that has to succeed. */
export function valueIn<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}
