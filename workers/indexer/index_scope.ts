/**
 * Works off what a tenant's index has to be built, until there is no more. The object plans and decides.
 */
import { logFault } from "../../adapters/platform/fault_log.ts";
import { type Failure, fail, ok, problemOf, type Result } from "../../core/errors.ts";
import { SCOPE_BUILDS_PER_NUDGE_MAX } from "../../core/limits.ts";
import type { ScopeWork } from "../../core/scope/scope_rpc.ts";
import { type BuiltShard, buildScopeShard } from "./build_scope_shard.ts";
import type { IndexerPorts } from "./ports.ts";

/** What fails is said to the object, which asks again: a nudge is never sent twice for it. */
export async function indexScope(ports: IndexerPorts, tenant: string): Promise<Result<{ readonly built: number }>> {
  const object = ports.scope(tenant);
  for (let built = 0; built < SCOPE_BUILDS_PER_NUDGE_MAX; built += 1) {
    const work = await object.nextScopeWork(tenant);
    if (!work.ok) return work;
    const task = work.value;
    if (task === null) return ok({ built });
    const shard = await attempt(ports, task);
    const outcome = shard.ok ? await object.proposeShard(proposalOf(task, shard.value)) : shard;
    if (outcome.ok) continue;
    const failed = await object.scopeWorkFailed(tenant, problemOf(outcome.failure).detail, isDeferred(outcome.failure));
    if (!failed.ok) return failed;
    if (isDeferred(outcome.failure)) return ok({ built });
  }
  return ok({ built: SCOPE_BUILDS_PER_NUDGE_MAX });
}

function proposalOf({ tenant, layer, headVersion, dayMs }: ScopeWork, shard: BuiltShard) {
  return { tenant, layer, headVersion, dayMs, ...shard };
}

/** What is down comes back. */
function isDeferred({ reason }: Failure): boolean {
  return reason === "unavailable" || reason === "rate_limited";
}

async function attempt(ports: IndexerPorts, task: ScopeWork): Promise<Result<BuiltShard>> {
  try {
    return await buildScopeShard(ports, task);
  } catch (cause) {
    logFault("build_failed", cause);
    return fail({ reason: "unavailable", what: "The shard could not be built.", retryAfterSeconds: 1 });
  }
}
