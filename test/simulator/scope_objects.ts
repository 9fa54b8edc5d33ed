/** The objects that search whole tenants and keep their indexes, and how they are called: as scope_object.ts answers. */
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import { CHUNKER } from "../../core/index/chunker.ts";
import type { ObjectStore } from "../../core/ports.ts";
import type { SlabResidency } from "../../core/retrieval/residency.ts";
import type { EntityScope } from "../../core/rpc.ts";
import type { ScopeApi, ScopeIndexApi, ScopeNudge } from "../../core/scope/scope_rpc.ts";
import type { PartCache } from "../../durable-objects/part_cache.ts";
import type { IndexedFeed, TakenEntity } from "../../durable-objects/scope/ports.ts";
import { ScopeTables } from "../../durable-objects/scope/scope_tables.ts";
import { TenantScope } from "../../durable-objects/scope/tenant_scope.ts";
import { builder, checksum, slabs } from "./kernel.ts";
import type { Faults, Network, Process } from "./network.ts";
import { type Place, SimulatedObject } from "./simulated_object.ts";

/** What they reach, from the process that they run in. */
export interface ScopeSurroundings {
  readonly network: Network;
  readonly epochMs: number;
  readonly losesAlarms: boolean;
  readonly faults: Faults;
  storeFor(from: Process): ObjectStore;
  entityOf(from: Process, scope: EntityScope): TakenEntity;
  registryOf(from: Process, tenant: string): IndexedFeed;
  nudge(from: Process, nudge: ScopeNudge): Promise<void>;
  /** Of the isolate that all objects share. */
  readonly isolate: { readonly cache: PartCache; readonly residency: SlabResidency };
}

interface Hosted {
  readonly scope: TenantScope;
  wake(): Promise<void>;
}

type ScopeObject = SimulatedObject<Hosted>;

export class ScopeObjects {
  readonly #around: ScopeSurroundings;
  readonly #objects = new Map<string, ScopeObject>();

  constructor(around: ScopeSurroundings) {
    this.#around = around;
  }

  all(): readonly ScopeObject[] {
    return [...this.#objects.values()];
  }

  of(tenant: string): ScopeObject {
    const known = this.#objects.get(tenant);
    if (known !== undefined) return known;
    const { network, epochMs, losesAlarms } = this.#around;
    const object = new SimulatedObject(`${tenant} scope`, epochMs, network, (place) => this.#compose(tenant, place));
    object.losesAlarms = losesAlarms;
    this.#objects.set(tenant, object);
    return object;
  }

  api(from: Process, tenant: string): ScopeApi & ScopeIndexApi {
    const { network, faults } = this.#around;
    const call = <T>(name: string, serve: (scope: TenantScope) => Promise<Result<T>>): Promise<Result<T>> =>
      network.message(
        from,
        `${tenant} scope ${name}`,
        () => this.of(tenant).call(({ scope }) => this.#served(scope, serve)),
        faults,
      );
    return {
      searchScope: (command) => call("search", (scope) => scope.search(command)),
      scopeStatus: () => call("status", (scope) => scope.status()),
      configure: () => call("configure", ({ index }) => index.configure()),
      noticed: () =>
        call("noticed", async ({ index }) => {
          index.noticed();
          return ok(null);
        }),
      redactEntity: (_, entity) => call(`redact ${entity}`, ({ index }) => index.redactEntity(entity)),
      eraseEntity: (_, entity, below) => call(`erase ${entity}`, ({ index }) => index.eraseEntity(entity, below)),
      rebuildScope: () => call("rebuild", ({ index }) => index.rebuild()),
      nextScopeWork: () => call("nextWork", async ({ index }) => ok(index.nextWork())),
      proposeShard: (proposal) => call("proposeShard", ({ index }) => index.propose(proposal)),
      scopeWorkFailed: (_, error, deferred) => call("workFailed", ({ index }) => index.failed(error, deferred)),
    };
  }

  async #served<T>(scope: TenantScope, serve: (scope: TenantScope) => Promise<Result<T>>): Promise<Result<T>> {
    try {
      const ready = await scope.index.ready();
      return ready.ok ? await serve(scope) : ready;
    } catch (cause) {
      this.#around.network.scheduler.note(`a call failed: ${String(cause)}`);
      return fail({ reason: "unavailable", what: "The tenant could not be searched.", retryAfterSeconds: 1 });
    }
  }

  #compose(tenant: string, { process, sql, alarm }: Place): Hosted {
    const { network, isolate, storeFor, entityOf, registryOf, nudge } = this.#around;
    const scope = new TenantScope({
      tenant,
      tables: new ScopeTables(sql),
      alarm,
      store: storeFor(process).forTenant(tenant),
      clock: this.of(tenant).clock,
      compression: nodeCompression,
      digest: nodeDigest,
      checksum,
      builder,
      slabs,
      residency: isolate.residency,
      cache: isolate.cache,
      embedder: null,
      revision: { analyzer: builder.analyzer, chunker: CHUNKER, embedder: "none", metric: "cosine" },
      registry: registryOf(process, tenant),
      queue: { send: (body) => nudge(process, body) },
      entityOf: (named) => entityOf(process, named),
      logFault: (event, cause) => network.scheduler.note(`${process.name}: ${event}: ${String(cause)}`),
    });
    return { scope, wake: () => scope.index.wake() };
  }
}
