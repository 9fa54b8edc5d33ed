/**
 * A tenant of shipped classes: entities, registry, index and indexer over one memory store and embedded SQLite. Time
 * passes only when a test says so; the queue is worked by `settle`.
 */
import { extractiveSummarizer } from "../../adapters/models/extractive_summarizer.ts";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import { SCOPE_COMMIT_INTERVAL_MS } from "../../core/limits.ts";
import { SETTINGS_KEY } from "../../core/log/keys.ts";
import { SlabResidency } from "../../core/retrieval/residency.ts";
import type { EntityScope } from "../../core/rpc.ts";
import { tenantSearchBodySchema } from "../../core/schema/search.ts";
import { storedBytes, storedSettings } from "../../core/schema/stored.ts";
import type { ScopeIndexApi, ScopeSearchAnswer } from "../../core/scope/scope_rpc.ts";
import { PartCache } from "../../durable-objects/part_cache.ts";
import type { TakenEntity } from "../../durable-objects/scope/ports.ts";
import { ScopeTables } from "../../durable-objects/scope/scope_tables.ts";
import { TenantScope } from "../../durable-objects/scope/tenant_scope.ts";
import type { Sql } from "../../durable-objects/sql.ts";
import { indexScope } from "../../workers/indexer/index_scope.ts";
import type { IndexerPorts } from "../../workers/indexer/ports.ts";
import { embeddedSql } from "../objects/embedded_sql.ts";
import { EntityFixture, valueIn } from "../objects/entity_fixture.ts";
import { MemoryAlarm } from "../objects/memory_alarm.ts";
import { TenantFixture } from "../objects/tenant_fixture.ts";

/** Rounds after which everything that was appended is in the index, and more. */
const ROUNDS_MAX = 60;

export class ScopeFixture {
  readonly tenant = new TenantFixture();
  readonly entities = new Map<string, EntityFixture>();
  readonly alarm = new MemoryAlarm();
  nudges = 0;
  /** What the registry said is held up by it. */
  looking: () => Promise<void> = async () => undefined;
  #sql: Sql = embeddedSql();
  #scope: TenantScope | null = null;
  readonly #model = new EntityFixture("model").ports();

  constructor() {
    this.tenant.scope = this.api;
  }

  entity(name: string): EntityFixture {
    const known = this.entities.get(name);
    if (known !== undefined) return known;
    const added = this.tenant.add(name);
    added.nowMs = this.tenant.nowMs;
    this.entities.set(name, added);
    return added;
  }

  get scope(): TenantScope {
    this.#scope ??= this.#compose();
    return this.#scope;
  }

  /** As the object serves it. */
  async serve<T>(call: (scope: TenantScope) => Promise<Result<T>>): Promise<Result<T>> {
    try {
      const ready = await this.scope.index.ready();
      return ready.ok ? await call(this.scope) : ready;
    } catch (cause) {
      return fail({ reason: "unavailable", what: String(cause), retryAfterSeconds: 1 });
    }
  }

  get api(): ScopeIndexApi {
    return {
      configure: () => this.serve(({ index }) => index.configure()),
      noticed: () =>
        this.serve(async ({ index }) => {
          index.noticed();
          return ok(null);
        }),
      eraseEntity: (_, entity, below) => this.serve(({ index }) => index.eraseEntity(entity, below)),
      rebuildScope: () => this.serve(({ index }) => index.rebuild()),
      nextScopeWork: () => this.serve(async ({ index }) => ok(index.nextWork())),
      proposeShard: (proposal) => this.serve(({ index }) => index.propose(proposal)),
      scopeWorkFailed: (_, error, deferred) => this.serve(({ index }) => index.failed(error, deferred)),
    };
  }

  async set(mode: "off" | "summaries" | "full"): Promise<void> {
    const store = this.tenant.objects.forTenant("t");
    await store.put(SETTINGS_KEY, storedBytes(storedSettings({ tenant_index: mode })));
    valueIn(await this.api.configure("t"));
  }

  pass(ms: number): void {
    this.tenant.nowMs += ms;
    for (const fixture of this.entities.values()) fixture.nowMs = this.tenant.nowMs;
  }

  /** Everything that is due is done: shards of entities, their reports, and the tenant's index over them. */
  async settle(): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      this.pass(SCOPE_COMMIT_INTERVAL_MS);
      for (const fixture of this.entities.values()) {
        await fixture.index();
        if (fixture.alarm.atMs !== null) await fixture.wake();
      }
      const isIdle = this.alarm.atMs === null || this.alarm.atMs > this.tenant.nowMs + SCOPE_COMMIT_INTERVAL_MS;
      if (isIdle && round > 1) return;
      this.alarm.atMs = null;
      await this.scope.index.wake();
      valueIn(await indexScope(this.indexer(), "t"));
    }
    throw new Error("the index has more to do again and again");
  }

  async ask(body: object, entityPrefix: string | null = null): Promise<Result<ScopeSearchAnswer>> {
    const search = tenantSearchBodySchema.parse(body);
    return this.serve((scope) => scope.search({ tenant: "t", search, entityPrefix, bm25: null }));
  }

  async search(body: object, entityPrefix: string | null = null): Promise<ScopeSearchAnswer> {
    return valueIn(await this.ask(body, entityPrefix));
  }

  /** The index forgets its instance; `loseState`: its SQLite too. */
  crash(): void {
    this.#scope = null;
  }

  loseState(): void {
    this.#sql = embeddedSql();
    this.alarm.atMs = null;
    this.crash();
  }

  /** Keys of the tenant's index in the store. */
  async keys(): Promise<string[]> {
    const page = await this.tenant.objects.forTenant("t").list("indexes/");
    return page.objects.map(({ key }) => key);
  }

  #compose(): TenantScope {
    const { builder, slabs, checksum } = this.#model;
    return new TenantScope({
      tenant: "t",
      tables: new ScopeTables(this.#sql),
      alarm: this.alarm,
      store: this.tenant.objects.forTenant("t"),
      clock: { now: () => this.tenant.nowMs },
      compression: nodeCompression,
      digest: nodeDigest,
      checksum,
      builder,
      slabs,
      residency: new SlabResidency(slabs),
      cache: new PartCache(),
      embedder: null,
      revision: new EntityFixture("model").revision(),
      registry: {
        indexed: async (_, epoch, after) => {
          const page = await this.tenant.registry.indexed(epoch, after);
          await this.looking();
          return page;
        },
        follow: (_, on) => this.tenant.registry.follow(on),
      },
      queue: {
        send: async () => {
          this.nudges += 1;
        },
      },
      entityOf: (scope) => this.#taken(scope),
      logFault: (event, cause) => {
        throw new Error(event, { cause });
      },
    });
  }

  #taken({ entity }: EntityScope): TakenEntity {
    const fixture = this.entity(entity);
    return {
      surveySearch: (command) => fixture.serve(({ reader }) => reader.surveySearch(command)),
      rankSearch: (step) => fixture.serve(({ reader }) => reader.rankSearch(step)),
      hydrateSearch: (step, placed) => fixture.serve(({ reader }) => reader.hydrateSearch(step, placed)),
      commits: (_, incarnation, from, to) => fixture.serve(({ reader }) => reader.commits(incarnation, from, to)),
    };
  }

  /** What the indexer is built from. */
  indexer(): IndexerPorts {
    const { builder, checksum } = this.#model;
    return {
      clock: { now: () => this.tenant.nowMs },
      compression: nodeCompression,
      digest: nodeDigest,
      checksum,
      store: this.tenant.objects,
      builder,
      embedder: null,
      summarizer: extractiveSummarizer((text) => builder.analyze(text)),
      scope: () => this.api,
      ingest: unused("ingest"),
      drivers: unused("drivers"),
      tenant: () => {
        throw new Error("the index asks nothing of the registry through the indexer");
      },
      entity: ({ entity }) =>
        ({
          stands: (_: EntityScope, incarnation: number, from: number) =>
            this.entity(entity).serve(async (one) => ok(one.stands(incarnation, from))),
          summarySources: (_: EntityScope, incarnation: number) =>
            this.entity(entity).serve(({ reader }) => reader.summarySources(incarnation)),
        }) as ReturnType<IndexerPorts["entity"]>,
    };
  }
}

/** What the index of a tenant has no use for. */
function unused<T extends object>(what: string): T {
  const refuse = () => {
    throw new Error(`the index of a tenant uses no ${what}`);
  };
  return new Proxy({} as T, { get: refuse });
}
