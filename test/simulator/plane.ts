/**
 * A whole plane, simulated: the shipped classes over simulated objects, store and queue. Calls between the scripts are
 * messages; an object answers them as durable-objects/entity_object.ts and tenant_object.ts do.
 */
import { extractiveSummarizer } from "../../adapters/models/extractive_summarizer.ts";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import { CHUNKER } from "../../core/index/chunker.ts";
import { LineCache } from "../../core/index/line_cache.ts";
import { TAIL_RAW_BYTES_MAX } from "../../core/limits.ts";
import { SETTINGS_KEY } from "../../core/log/keys.ts";
import type { KernelBuilder } from "../../core/ports.ts";
import { SlabResidency } from "../../core/retrieval/residency.ts";
import type { SearchCommand } from "../../core/rpc.ts";
import {
  type EntityApi,
  type EntityIndexApi,
  type EntityScope,
  entityObjectName,
  type JobOrder,
  type SearchAnswer,
} from "../../core/rpc.ts";
import { storedBytes, storedSettings } from "../../core/schema/stored.ts";
import type { EntityStepsApi } from "../../core/scope/scope_rpc.ts";
import { Entity } from "../../durable-objects/entity/entity.ts";
import type { EntitySettings, Registry } from "../../durable-objects/entity/ports.ts";
import { EntityTables } from "../../durable-objects/entity/state.ts";
import { PartCache } from "../../durable-objects/part_cache.ts";
import { TenantRegistry } from "../../durable-objects/tenant/tenant_registry.ts";
import { consumeDeadLetters, consumeNudges } from "../../workers/indexer/consume.ts";
import { type DurableSteps, driveJob } from "../../workers/indexer/drive_job.ts";
import type { IndexerPorts } from "../../workers/indexer/ports.ts";
import { append } from "../../workers/ingest/append.ts";
import { searchEventually } from "../../workers/query/search/search_eventually.ts";
import type { Chance } from "./chance.ts";
import { FrontDoors } from "./front_doors.ts";
import { builder, checksum, slabs } from "./kernel.ts";
import { type Faults, Network, Process } from "./network.ts";
import type { Scheduler } from "./scheduler.ts";
import { ScopeObjects, type ScopeSurroundings } from "./scope_objects.ts";
import { type Place, SimulatedObject } from "./simulated_object.ts";
import { SimulatedQueue } from "./simulated_queue.ts";
import { storeOf } from "./simulated_store.ts";
import type { Weather } from "./weather.ts";

/** Six seconds before a midnight: the day of arrival is part of keys. */
export const EPOCH_MS = Date.UTC(2026, 0, 1) - 6_000;

export const SETTINGS: EntitySettings = {
  indexEvents: 8,
  indexBytes: 1_000_000,
  indexAgeMs: 700,
  nudgeRetryMs: 2_000,
  putDeadlineMs: 600,
  ssdIdleMs: 86_400_000,
  tailBytes: TAIL_RAW_BYTES_MAX,
  maintenanceWindow: null,
  buildDeadlineMs: 6_000,
};

const STEP_RETRY_MS = 500;

export type TenantIndex = "off" | "summaries" | "full";

/** Objects of the store that can be built again. */
export type Derived = "shard" | "head" | "hint";

const DERIVED: Readonly<Record<Derived, RegExp>> = {
  shard: /\/indexes\/.*\.shard$/,
  head: /\/heads\/.*\.json$/,
  hint: /\/head\.json$/,
};

export const TENANTS = ["t1", "t2"] as const;
/** The same names in both tenants. */
export const ENTITIES = ["account:acme", "user:42"] as const;

type EntityObject = SimulatedObject<Entity>;
type TenantObject = SimulatedObject<TenantRegistry>;

export class Plane {
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly weather: Weather;
  readonly network: Network;
  readonly queue: SimulatedQueue;
  readonly #store = memoryStore();
  readonly #doors: FrontDoors;
  readonly scopes: ScopeObjects;
  readonly #entities = new Map<string, EntityObject>();
  readonly #tenants = new Map<string, TenantObject>();
  /** Of the isolate that all objects share. */
  #partCache = new PartCache();
  #lines = new LineCache();
  #residency = new SlabResidency(slabs);
  #indexers: Process[] = [];
  #begun = 0;

  constructor(scheduler: Scheduler, chance: Chance, weather: Weather) {
    this.scheduler = scheduler;
    this.chance = chance;
    this.weather = weather;
    this.network = new Network(scheduler, chance);
    this.#doors = new FrontDoors(
      (process) => this.storeFor(process),
      { now: () => Math.floor(EPOCH_MS + scheduler.nowMs) },
      chance,
    );
    this.scopes = new ScopeObjects(this.#aroundScopes());
    this.queue = new SimulatedQueue(
      this.network,
      { refused: weather.queueRefused, dropped: weather.queueDropped, repeated: weather.queueRepeated },
      () => this.#beginIndexer(),
      {
        nudges: (process, messages) => consumeNudges(this.#indexerPorts(process), messages),
        deadLetters: (process, messages) => consumeDeadLetters(this.#indexerPorts(process), messages),
      },
    );
  }

  /** Tenants have an index, or not, before anything happens. */
  async begin(): Promise<void> {
    for (const tenant of TENANTS) {
      const mode = this.chance.pick<TenantIndex>(`index of ${tenant}`, ["full", "full", "summaries", "off"]);
      await this.#store.forTenant(tenant).put(SETTINGS_KEY, storedBytes(storedSettings({ tenant_index: mode })));
    }
  }

  // --- what callers reach ---

  entityApi(from: Process, scope: EntityScope): EntityApi & EntityIndexApi & EntityStepsApi {
    const call = <T>(name: string, serve: (entity: Entity) => Promise<Result<T>>, forWrite = false) =>
      this.network.message(
        from,
        `${entityObjectName(scope)} ${name}`,
        () => this.entity(scope).call((entity) => this.#served(entity, serve, forWrite)),
        this.#callFaults(),
      );
    return {
      append: (command) => call("append", (entity) => entity.append(command), true),
      redact: (_, ids, dryRun) => call("redact", (entity) => entity.redact(ids, dryRun)),
      withdraw: (_, id) => call("withdraw", (entity) => entity.withdraw(id)),
      search: ({ request, bm25 }) => call("search", (entity) => entity.reader.search(request, bm25)),
      surveySearch: (command) => call("surveySearch", (entity) => entity.reader.surveySearch(command)),
      rankSearch: (step) => call("rankSearch", (entity) => entity.reader.rankSearch(step)),
      hydrateSearch: (step, placed) => call("hydrateSearch", (entity) => entity.reader.hydrateSearch(step, placed)),
      timeline: (query) => call("timeline", (entity) => entity.reader.timeline(query)),
      event: (_, id) => call("event", (entity) => entity.reader.event(id)),
      document: (_, id) => call("document", (entity) => entity.reader.document(id)),
      status: () => call("status", (entity) => entity.reader.status()),
      warm: () => call("warm", (entity) => entity.reader.warm()),
      segments: () => call("segments", (entity) => entity.reader.segments()),
      nextWork: () => call("nextWork", async (entity) => ok(await entity.nextWork())),
      proposeHead: (proposal) => call("proposeHead", (entity) => entity.proposeHead(proposal)),
      workFailed: (_, first, error, deferred, purpose) =>
        call("workFailed", async (entity) => ok({ smaller: entity.workFailed(first, error, deferred, purpose) })),
      stands: (_, incarnation, first, plannedOn) =>
        call("stands", async (entity) => ok(entity.stands(incarnation, first, plannedOn))),
      lastFailure: () => call("lastFailure", async (entity) => ok(entity.lastFailure())),
      unseal: () =>
        call("unseal", async (entity) => {
          entity.unseal();
          return ok(null);
        }),
      commits: (_, incarnation, first, last) =>
        call("commits", (entity) => entity.reader.commits(incarnation, first, last)),
      summarySources: (_, incarnation) => call("summarySources", (entity) => entity.reader.summarySources(incarnation)),
      counters: () => call("counters", (entity) => entity.counters()),
      rebuild: () => call("rebuild", (entity) => entity.rebuild()),
      compact: () =>
        call("compact", async (entity) => {
          entity.compact();
          return ok(null);
        }),
      erase: () => call("erase", (entity) => entity.erase()),
      erased: () => call("erased", async (entity) => ok(entity.erased())),
    };
  }

  /** In the order in which they were sent, nearly: a report that another overtakes stands until the next. */
  callTenant<T>(
    from: Process,
    tenant: string,
    name: string,
    serve: (registry: TenantRegistry) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    return this.network.message(from, `${tenant} ${name}`, () => this.tenant(tenant).call(serve), {
      ...this.#callFaults(),
      slow: 0,
    });
  }

  /** As the ingest script does it, in the caller's process. */
  append(from: Process, scope: EntityScope, body: string, key: string | null) {
    const ports = {
      clock: { now: () => Math.floor(EPOCH_MS + this.scheduler.nowMs) },
      compression: nodeCompression,
      digest: nodeDigest,
      store: this.storeFor(from),
      entity: (named: EntityScope) => this.entityApi(from, named),
    };
    const bytes = new TextEncoder().encode(body);
    return append(ports, scope, { bytes, contentType: "application/json", gzip: false }, key);
  }

  /** As the front door answers where the object is silent. */
  readAtDoor(command: SearchCommand) {
    return this.#doors.any().reader.search(command);
  }

  searchEventually(object: () => Promise<Result<SearchAnswer>>, command: SearchCommand) {
    const { reader, process } = this.#doors.any();
    return searchEventually(object, reader, command, this.network.timerOf(process));
  }

  storeFor(from: Process) {
    const { storeRefused, storeLost, putsLate } = this.weather;
    const weather = { refused: storeRefused, lost: storeLost, late: putsLate };
    return storeOf(from, this.network, this.#store, weather, SETTINGS.putDeadlineMs);
  }

  /** As the settings' route does it. */
  async setTenantIndex(from: Process, tenant: string, mode: TenantIndex): Promise<Result<null>> {
    await this.storeFor(from)
      .forTenant(tenant)
      .put(SETTINGS_KEY, storedBytes(storedSettings({ tenant_index: mode })));
    return this.scopes.api(from, tenant).configure(tenant);
  }

  /** Keys that are left of an entity: what its owner sees in the bucket. */
  async keysOf({ tenant, entity }: EntityScope): Promise<readonly string[]> {
    const page = await this.#store.forTenant(tenant).list(`entities/${encodeURIComponent(entity)}/`);
    return page.objects.map(({ key }) => key);
  }

  // --- what goes wrong ---

  entity(scope: EntityScope): EntityObject {
    const name = entityObjectName(scope);
    const known = this.#entities.get(name);
    if (known !== undefined) return known;
    const object = new SimulatedObject(name, EPOCH_MS, this.network, (place) => this.#composeEntity(scope, place));
    object.losesAlarms = this.weather.alarmsLost > 0;
    this.#entities.set(name, object);
    return object;
  }

  tenant(tenant: string): TenantObject {
    const known = this.#tenants.get(tenant);
    if (known !== undefined) return known;
    const object = new SimulatedObject(tenant, EPOCH_MS, this.network, (place) => this.#composeTenant(tenant, place));
    object.losesAlarms = this.weather.alarmsLost > 0;
    this.#tenants.set(tenant, object);
    return object;
  }

  objects(): readonly { crash(): void; lose(): void; close(): void }[] {
    return [...this.#entities.values(), ...this.#tenants.values(), ...this.scopes.all()];
  }

  endIndexers(): void {
    for (const process of this.#indexers) process.end();
    this.#indexers = [];
  }

  endDoors(): void {
    this.#doors.end();
  }

  /** One of the derived objects of an entity is damaged in a bit, or gone. */
  async damage(scope: EntityScope, derived: Derived, isMissing: boolean): Promise<void> {
    const store = this.#store.forTenant(scope.tenant);
    const keys = (await this.keysOf(scope)).filter((key) => DERIVED[derived].test(key));
    const subject = `damage ${entityObjectName(scope)}`;
    const key = keys[this.chance.below(subject, keys.length)];
    const stored = key === undefined ? null : await store.get(key);
    if (key === undefined || stored === null || !this.network.isFaulty) return;
    this.scheduler.note(`${key} is ${isMissing ? "gone" : "damaged"}`);
    if (isMissing) return store.delete([key]);
    const at = this.chance.below(subject, stored.bytes.length);
    const bit = 1 << this.chance.below(subject, 8);
    await store.put(
      key,
      stored.bytes.map((byte, index) => (index === at ? byte ^ bit : byte)),
      stored.metadata,
    );
  }

  /** The isolate of all objects ends, and what it kept in memory. */
  restart(): void {
    this.#partCache = new PartCache();
    this.#lines = new LineCache();
    this.#residency = new SlabResidency(slabs);
    for (const object of this.objects()) object.crash();
  }

  close(): void {
    for (const object of this.objects()) object.close();
  }

  // --- what it is made of ---

  #callFaults(): Faults {
    const { callsRefused, callsLost, callsSlow } = this.weather;
    return { refused: callsRefused, lost: callsLost, slow: callsSlow, late: 0, lateMs: 0 };
  }

  async #served<T>(
    entity: Entity,
    serve: (entity: Entity) => Promise<Result<T>>,
    forWrite: boolean,
  ): Promise<Result<T>> {
    try {
      const ready = await entity.ready(forWrite);
      return ready.ok ? await serve(entity) : ready;
    } catch (cause) {
      this.scheduler.note(`a call failed: ${String(cause)}`);
      return fail({ reason: "unavailable", what: "The entity could not answer.", retryAfterSeconds: 1 });
    }
  }

  #composeEntity(scope: EntityScope, { process, sql, alarm }: Place): Entity {
    const ports = {
      scope,
      tables: new EntityTables(sql),
      alarm,
      store: this.storeFor(process).forTenant(scope.tenant),
      clock: this.entity(scope).clock,
      timer: this.network.timerOf(process),
      compression: nodeCompression,
      digest: nodeDigest,
      checksum,
      lines: this.#lines,
      registry: this.#registryFor(process, scope.tenant),
      queue: { send: (nudge: EntityScope) => this.queue.send(process, nudge) },
      builder,
      slabs,
      embedder: null,
      settings: SETTINGS,
      logFault: (event: string, cause: unknown) => this.scheduler.note(`${process.name}: ${event}: ${String(cause)}`),
    };
    const revision = { analyzer: builder.analyzer, chunker: CHUNKER, embedder: "none", metric: "cosine" as const };
    return new Entity(ports, revision, this.#partCache, this.#residency);
  }

  #aroundScopes(): ScopeSurroundings {
    const isolate = () => ({ cache: this.#partCache, residency: this.#residency });
    return {
      network: this.network,
      epochMs: EPOCH_MS,
      losesAlarms: this.weather.alarmsLost > 0,
      faults: this.#callFaults(),
      storeFor: (from) => this.storeFor(from),
      entityOf: (from, scope) => this.entityApi(from, scope),
      registryOf: (from, tenant) => this.#tenantApi(from, tenant),
      nudge: (from, nudge) => this.queue.send(from, nudge),
      get isolate() {
        return isolate();
      },
    };
  }

  #registryFor(process: Process, tenant: string): Registry {
    return {
      knows: (entity) => this.callTenant(process, tenant, `knows ${entity}`, (registry) => registry.knows(entity)),
      markDirty: (entity, commit) =>
        this.callTenant(process, tenant, `markDirty ${entity}`, (registry) => registry.markDirty(entity, commit)),
      report: (counters) =>
        this.callTenant(process, tenant, `report ${counters.entity}`, (registry) => registry.report(counters)),
      forget: (entity, incarnation) =>
        this.callTenant(process, tenant, `forget ${entity}`, (registry) => registry.forget(entity, incarnation)),
    };
  }

  #composeTenant(tenant: string, { process, sql, alarm }: Place): TenantRegistry {
    return new TenantRegistry({
      tenant,
      sql,
      alarm,
      store: this.storeFor(process).forTenant(tenant),
      clock: this.tenant(tenant).clock,
      maintenanceWindow: null,
      random: {
        bytes: (count) => Uint8Array.from({ length: count }, () => this.chance.below(`${tenant} random`, 256)),
      },
      scope: this.scopes.api(process, tenant),
      entityOf: (entity) => this.entityApi(process, { tenant, entity }),
      queue: { send: (nudge) => this.queue.send(process, nudge) },
      logFault: (event, cause) => this.scheduler.note(`${process.name}: ${event}: ${String(cause)}`),
    });
  }

  #beginIndexer(): Process {
    this.#begun += 1;
    const process = new Process(`indexer#${this.#begun}`);
    this.#indexers = [...this.#indexers.filter(({ alive }) => alive), process];
    return process;
  }

  /** An instance of the workflow: a step that fails is tried again, and one that ends is not begun anew. */
  drive(order: JobOrder): void {
    const process = this.#beginIndexer();
    const timer = this.network.timerOf(process);
    const steps: DurableSteps = {
      do: (_, work) => work().catch(() => timer.sleep(STEP_RETRY_MS).then(() => ({ restMs: 0 }))),
      sleep: (_, ms) => timer.sleep(ms),
    };
    driveJob(this.#indexerPorts(process), steps, order).catch(() => undefined);
  }

  #indexerPorts(process: Process): IndexerPorts {
    return {
      clock: { now: () => Math.floor(EPOCH_MS + this.scheduler.nowMs) },
      compression: nodeCompression,
      digest: nodeDigest,
      checksum,
      store: this.storeFor(process),
      builder: this.#failingBuilder(),
      embedder: null,
      entity: (scope) => this.entityApi(process, scope),
      tenant: (tenant) => this.#tenantApi(process, tenant),
      summarizer: extractiveSummarizer((text) => builder.analyze(text)),
      scope: (tenant) => this.scopes.api(process, tenant),
      ingest: { importStretch: async () => fail({ reason: "not_found", what: "The archive" }) },
      drivers: { start: async (order) => this.drive(order), end: async () => undefined },
    };
  }

  #tenantApi(process: Process, tenant: string): ReturnType<IndexerPorts["tenant"]> {
    const registry = this.#registryFor(process, tenant);
    return {
      knows: (_, entity) => registry.knows(entity),
      markDirty: (_, entity, commit) => registry.markDirty(entity, commit),
      report: (_, counters) => registry.report(counters),
      forget: (_, entity, incarnation) => registry.forget(entity, incarnation),
      indexed: (_, epoch, after) =>
        this.callTenant(process, tenant, "indexed", (object) => object.indexed(epoch, after)),
      follow: (_, on) => this.callTenant(process, tenant, "follow", (object) => object.follow(on)),
      sweep: () => this.callTenant(process, tenant, "sweep", (object) => object.sweep()),
      recordDeadLetter: (_, letter) =>
        this.callTenant(process, tenant, "recordDeadLetter", (object) => object.recordDeadLetter(letter)),
      replay: (_, id) => this.callTenant(process, tenant, "replay", (object) => object.replay(id)),
      startJob: (_, type, entity) =>
        this.callTenant(process, tenant, `startJob ${type}`, (object) => object.startJob(type, entity)),
      lookAtJob: (_, job, generation) =>
        this.callTenant(process, tenant, "lookAtJob", (object) => object.lookAtJob(job, generation)),
      cancelJob: (_, job) => this.callTenant(process, tenant, "cancelJob", (object) => object.cancelJob(job)),
      recordImport: (_, job, stretch, done) =>
        this.callTenant(process, tenant, "recordImport", (object) => object.recordImport(job, stretch, done)),
      failJob: (_, job, error) => this.callTenant(process, tenant, "failJob", (object) => object.failJob(job, error)),
      handOverJob: (_, job, generation) =>
        this.callTenant(process, tenant, "handOverJob", (object) => object.handOverJob(job, generation)),
    };
  }

  /** Runs out of room now and then, which is held against the work. */
  #failingBuilder(): KernelBuilder {
    return {
      ...builder,
      textSections: (texts, questions) => {
        if (this.network.isFaulty && this.chance.happens("build", this.weather.buildsFail))
          throw new RangeError("no room");
        return builder.textSections(texts, questions);
      },
    };
  }
}
