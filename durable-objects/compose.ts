/**
 * Builds an entity from the platform: the only place that sees `env`. The kernel's builder, the slab pool and the part
 * cache are made once an isolate and shared by its objects, since memory is the isolate's, not the object's.
 */
import { logFault } from "../adapters/platform/fault_log.ts";
import { nodeCompression, nodeDigest } from "../adapters/platform/node_compat.ts";
import { systemClock, systemTimer } from "../adapters/platform/system_clock.ts";
import { CHUNKER } from "../core/index/chunker.ts";
import { LineCache } from "../core/index/line_cache.ts";
import type { Checksum, Embedder, KernelBuilder, SlabPool } from "../core/ports.ts";
import { SlabResidency } from "../core/retrieval/residency.ts";
import type { EntityScope } from "../core/rpc.ts";
import kernelModule from "../wasm/build/kernel.wasm";
import { createKernelBuilder } from "../wasm/kernel.ts";
import { createKernelChecksum } from "../wasm/kernel_checksum.ts";
import { createSlabPool } from "../wasm/slab_pool.ts";
import { Entity } from "./entity/entity.ts";
import type { Registry } from "./entity/ports.ts";
import { EntityTables } from "./entity/state.ts";
import type { Env } from "./env.ts";
import { embedderOf } from "./models.ts";
import { PartCache } from "./part_cache.ts";
import { entitySettings } from "./settings.ts";
import { durableAlarm, durableSql } from "./sql.ts";
import { storeOf } from "./store.ts";

interface Shared {
  readonly builder: KernelBuilder;
  readonly checksum: Checksum;
  readonly slabs: SlabPool;
  readonly residency: SlabResidency;
  readonly cache: PartCache;
  readonly lines: LineCache;
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
    embedder: embedderOf(env, builder),
  };
  return shared;
}

export function composeEntity(context: DurableObjectState, env: Env, scope: EntityScope): Entity {
  const { builder, checksum, slabs, residency, cache, lines, embedder } = sharedOf(env);
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
    registry: registryOf(env, scope.tenant),
    queue: { send: async (nudge: EntityScope) => void (await env.INDEX_QUEUE.send(nudge)) },
    builder,
    slabs,
    embedder,
    settings: entitySettings(env),
    logFault,
  };
  const revision = {
    analyzer: builder.analyzer,
    chunker: CHUNKER,
    embedder: embedder?.id ?? "none",
    metric: "cosine" as const,
  };
  return new Entity(ports, revision, cache, residency);
}

function registryOf(env: Env, tenant: string): Registry {
  const object = () => env.TENANT.get(env.TENANT.idFromName(tenant));
  return {
    knows: (entity) => object().knows(tenant, entity),
    markDirty: (entity, commit) => object().markDirty(tenant, entity, commit),
    report: (counters) => object().report(tenant, counters),
    forget: (entity) => object().forget(tenant, entity),
  };
}
