/**
 * Works off what an entity's object has to be built, until it has no more. The object plans and decides; this only
 * carries out, so running twice at once costs work, never correctness.
 */
import { logFault } from "../../adapters/platform/fault_log.ts";
import { type Failure, fail, ok, problemOf, type Result } from "../../core/errors.ts";
import { BUILDS_PER_NUDGE_MAX } from "../../core/limits.ts";
import type { EntityScope } from "../../core/rpc.ts";
import { buildShard } from "./build_shard.ts";
import type { IndexerPorts } from "./ports.ts";

/** A failure means that the nudge should be tried again. */
export async function indexEntity(
  ports: IndexerPorts,
  scope: EntityScope,
): Promise<Result<{ readonly built: number }>> {
  const object = ports.entity(scope);
  for (let built = 0; built < BUILDS_PER_NUDGE_MAX; built += 1) {
    const work = await object.nextWork(scope);
    if (!work.ok) return work;
    const task = work.value;
    if (task === null) return ok({ built });
    const { from, incarnation, purpose, headVersion, replaces } = task;
    const shard = await attempt(() => buildShard(ports, task));
    const outcome = shard.ok
      ? await object.proposeHead({ scope, incarnation, purpose, headVersion, replaces, sha256: shard.value })
      : shard;
    if (outcome.ok) continue;
    const deferred = isDeferred(outcome.failure);
    const counted = await object.workFailed(scope, from, problemOf(outcome.failure).detail, deferred, purpose);
    if (!counted.ok) return counted;
    if (counted.value.smaller) continue;
    return deferred ? ok({ built }) : outcome;
  }
  return ok({ built: BUILDS_PER_NUDGE_MAX });
}

/** What is down comes back, and the object nudges again; what is wrong stays wrong, and becomes a dead letter. */
function isDeferred({ reason }: Failure): boolean {
  return reason === "unavailable" || reason === "rate_limited";
}

/** What the store or a model threw: its work has to wait. */
async function attempt<T>(call: () => Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await call();
  } catch (cause) {
    logFault("build_failed", cause);
    return fail({ reason: "unavailable", what: "The shard could not be built.", retryAfterSeconds: 1 });
  }
}
