/**
 * The two queues: nudges, and what became of nudges that failed too often. Each message is settled by itself, so one
 * that fails does not bring the others back.
 */
import { problemOf, type Result } from "../../core/errors.ts";
import { INDEX_CONCURRENCY_MAX, RETRY_DELAY_S } from "../../core/limits.ts";
import type { IndexNudge } from "../../core/rpc.ts";
import { indexNudgeSchema, scopeNudgeSchema } from "../../core/schema/stored.ts";
import { indexEntity } from "./index_entity.ts";
import { indexScope } from "./index_scope.ts";
import type { IndexerPorts } from "./ports.ts";

interface NudgeMessage {
  readonly message: QueueMessage;
  readonly nudge: IndexNudge;
}

type QueueMessage = Pick<Message, "id" | "body" | "ack" | "retry">;

export async function consumeNudges(ports: IndexerPorts, messages: readonly QueueMessage[]): Promise<void> {
  const byEntity = new Map<string, NudgeMessage[]>();
  const tenants = new Map<string, QueueMessage[]>();
  for (const message of messages) {
    const scope = scopeNudgeSchema.safeParse(message.body);
    if (scope.success) {
      tenants.set(scope.data.tenant, [...(tenants.get(scope.data.tenant) ?? []), message]);
      continue;
    }
    const nudge = parseNudge(message);
    if (nudge === null) continue;
    const name = JSON.stringify([nudge.tenant, nudge.entity]);
    byEntity.set(name, [...(byEntity.get(name) ?? []), { message, nudge }]);
  }
  const groups = [...byEntity.values()];
  const work = async (): Promise<void> => {
    for (let group = groups.shift(); group !== undefined; group = groups.shift()) await settleGroup(ports, group);
  };
  await Promise.all(Array.from({ length: INDEX_CONCURRENCY_MAX }, work));
  for (const [tenant, group] of tenants) await settleScope(ports, tenant, group);
}

/** The tenant's index sends its nudge again by itself, for as long as there is work. */
async function settleScope(ports: IndexerPorts, tenant: string, group: readonly QueueMessage[]): Promise<void> {
  const outcome = await indexScope(ports, tenant);
  if (!outcome.ok) console.error(JSON.stringify({ event: "index_failed", tenant, reason: outcome.failure.reason }));
  for (const message of group) message.ack();
}

/** Messages of one entity share their fate. */
async function settleGroup(ports: IndexerPorts, group: readonly NudgeMessage[]): Promise<void> {
  const [first] = group;
  if (first === undefined) return;
  const outcome = await settle(ports, first.nudge);
  for (const { message } of group) {
    if (outcome.ok) message.ack();
    else message.retry({ delaySeconds: RETRY_DELAY_S });
  }
}

async function settle(ports: IndexerPorts, nudge: IndexNudge): Promise<Result<unknown>> {
  const outcome = await indexEntity(ports, nudge);
  if (!outcome.ok)
    console.error(JSON.stringify({ event: "index_failed", tenant: nudge.tenant, reason: outcome.failure.reason }));
  return outcome;
}

/** Nudges that the queue gave up on are kept by their tenant's object, where they can be seen and replayed. */
export async function consumeDeadLetters(ports: IndexerPorts, messages: readonly QueueMessage[]): Promise<void> {
  for (const message of messages) {
    const nudge = parseNudge(message);
    if (nudge === null) continue;
    const error = await lastError(ports, nudge);
    const letter = { id: message.id, entity: nudge.entity, at: ports.clock.now(), error };
    const recorded = await ports.tenant(nudge.tenant).recordDeadLetter(nudge.tenant, letter);
    if (recorded.ok) message.ack();
    else message.retry({ delaySeconds: RETRY_DELAY_S });
  }
}

/** Why the entity's work fails, asked of it anew: a message carries no error. */
async function lastError(ports: IndexerPorts, nudge: IndexNudge): Promise<string> {
  const failure = await ports.entity(nudge).lastFailure(nudge);
  if (!failure.ok) return problemOf(failure.failure).detail;
  return failure.value ?? "The entity did not say.";
}

/** A message that is no nudge can never be served: it is acknowledged and named in the log. */
function parseNudge(message: QueueMessage): IndexNudge | null {
  const parsed = indexNudgeSchema.safeParse(message.body);
  if (parsed.success) return parsed.data;
  console.error(JSON.stringify({ event: "message_refused", id: message.id }));
  message.ack();
  return null;
}
