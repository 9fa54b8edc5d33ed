/**
 * Puts of the indexer happen only while the incarnation they are of still stands. A build takes minutes, an erasure's
 * last listing may be behind it by then, and nothing would sweep what came after.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import type { IndexWork } from "../../core/rpc.ts";
import type { BuildPorts } from "./ports.ts";

/** What has to stand: an incarnation, and the head that work of the entity's own was planned on. */
export type Standing = Pick<IndexWork, "scope" | "incarnation" | "from"> & {
  readonly plannedOn?: Pick<IndexWork, "purpose" | "headVersion">;
};

/** Of an entity's own work. */
export function standingOf({ scope, incarnation, from, purpose, headVersion }: IndexWork): Standing {
  return { scope, incarnation, from, plannedOn: { purpose, headVersion } };
}

export async function whileItStands<T>(
  ports: BuildPorts,
  { scope, incarnation, from, plannedOn }: Standing,
  put: () => Promise<T>,
): Promise<Result<T>> {
  const stands = await ports.entity(scope).stands(scope, incarnation, from, plannedOn);
  if (!stands.ok) return stands;
  if (!stands.value)
    return fail({ reason: "unavailable", what: "What was to be built is not wanted any more.", retryAfterSeconds: 1 });
  return ok(await put());
}
