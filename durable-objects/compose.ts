/**
 * Builds an entity from the platform: the only place that sees `env`. The kernel's builder, the slab pool and the part
 * cache are made once an isolate and shared by its objects, since memory is the isolate's, not the object's.
 */
import { logFault } from "../adapters/platform/fault_log.ts";
import { nodeCompression, nodeDigest } from "../adapters/platform/node_compat.ts";
import { systemClock, systemTimer } from "../adapters/platform/system_clock.ts";
import { CHUNKER } from "../core/index/chunker.ts";
import { LineCache } from "../core/index/line_cache.ts";
import type { Revision } from "../core/index/part.ts";
import type { Checksum, Embedder, KernelBuilder, SlabPool } from "../core/ports.ts";
import { SlabResidency } from "../core/retrieval/residency.ts";
import { type EntityScope, entityObjectName } from "../core/rpc.ts";
import kernelModule from "../wasm/build/kernel.wasm";
import { createKernelBuilder } from "../wasm/kernel.ts";
import { createKernelChecksum } from "../wasm/kernel_checksum.ts";
import { createSlabPool } from "../wasm/slab_pool.ts";
import { Entity } from "./entity/entity.ts";
import { EntityTables } from "./entity/entity_tables.ts";
import type { Registry } from "./entity/ports.ts";
import type { Env } from "./env.ts";
import { embedderOf } from "./models.ts";
import { PartCache } from "./part_cache.ts";
import { ScopeTables } from "./scope/scope_tables.ts";
import { TenantScope } from "./scope/tenant_scope.ts";
import { entitySettings } from "./settings.ts";
import { durableAlarm, durableSql } from "./sql.ts";
import { storeOf } from "./store.ts";
import { WholeLineCache } from "./whole_line_cache.ts";

interface Shared {
  readonly builder: KernelBuilder;
  readonly checksum: Checksum;
  readonly slabs: SlabPool;
  readonly residency: SlabResidency;
  readonly cache: PartCache;
  readonly lines: LineCache;
  readonly wholeLines: WholeLineCache;
  readonly embedder: Embedder | null;
}

let shared: Shared | null = null;

function sharedOf(env: Env): Shared {
  if (shared !== null) return shared;
  const builder = createKernelBuilder(kernelModule);
  const slabs = createSlabPool(kernelModule);
  shared = {
    builder,
    checksum: createKernelChecksum(kernelModule),
    slabs,
    residency: new SlabResidency(slabs),
    cache: new PartCache(),
    lines: new LineCache(),
    wholeLines: new WholeLineCache(),
    embedder: embedderOf(env, builder),
  };
  return shared;
}

export function composeEntity(context: DurableObjectState, env: Env, scope: EntityScope): Entity {
  const { builder, checksum, slabs, residency, cache, lines, wholeLines, embedder } = sharedOf(env);
  const ports = {
    scope,
    tables: new EntityTables(durableSql(context.storage)),
    alarm: durableAlarm(context.storage),
    store: storeOf(env).forTenant(scope.tenant),
    clock: systemClock,
    timer: systemTimer,
    compression: nodeCompression,
    digest: nodeDigest,
    checksum,
    lines,
    wholeLines,
    registry: registryOf(env, scope.tenant),
    queue: { send: async (nudge: EntityScope) => void (await env.INDEX_QUEUE.send(nudge)) },
    builder,
    slabs,
    embedder,
    settings: entitySettings(env),
    logFault,
  };
  return new Entity(ports, revisionOf(builder, embedder), cache, residency);
}

export function composeScope(context: DurableObjectState, env: Env, tenant: string): TenantScope {
  const { builder, checksum, slabs, residency, cache, embedder } = sharedOf(env);
  return new TenantScope({
    tenant,
    tables: new ScopeTables(durableSql(context.storage)),
    alarm: durableAlarm(context.storage),
    store: storeOf(env).forTenant(tenant),
    clock: systemClock,
    compression: nodeCompression,
    digest: nodeDigest,
    checksum,
    builder,
    slabs,
    residency,
    cache,
    embedder,
    revision: revisionOf(builder, embedder),
    registry: env.TENANT.get(env.TENANT.idFromName(tenant)),
    queue: { send: async (nudge) => void (await env.INDEX_QUEUE.send(nudge)) },
    entityOf: (scope) => env.ENTITY.get(env.ENTITY.idFromName(entityObjectName(scope))),
    logFault,
  });
}

function revisionOf(builder: KernelBuilder, embedder: Embedder | null): Revision {
  return { analyzer: builder.analyzer, chunker: CHUNKER, embedder: embedder?.id ?? "none", metric: "cosine" };
}

function registryOf(env: Env, tenant: string): Registry {
  const object = () => env.TENANT.get(env.TENANT.idFromName(tenant));
  return {
    knows: (entity) => object().knows(tenant, entity),
    markDirty: (entity, commit) => object().markDirty(tenant, entity, commit),
    report: (counters) => object().report(tenant, counters),
    forget: (entity, incarnation) => object().forget(tenant, entity, incarnation),
  };
}
