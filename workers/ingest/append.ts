/** Appends to one entity, and to many: validated as a whole, then atomic per entity. */
import { logFault } from "../../adapters/platform/fault_log.ts";
import { fail, ok, type Result } from "../../core/errors.ts";
import { BULK_CONCURRENCY_MAX, REQUEST_ENTITIES_MAX } from "../../core/limits.ts";
import { prepareEvents } from "../../core/log/prepare.ts";
import { hex } from "../../core/log/text_encoding.ts";
import type { AppendCommand, AppendResult, BulkEntityResult, EntityScope, RawBody } from "../../core/rpc.ts";
import type { EventInput } from "../../core/schema/event.ts";
import { decodeBody, parseBulkEvents, parseEvents } from "./body.ts";
import type { IngestPorts } from "./ports.ts";

export async function append(
  ports: IngestPorts,
  scope: EntityScope,
  body: RawBody,
  idempotencyKey: string | null,
): Promise<Result<AppendResult>> {
  const sinceMs = ports.clock.now();
  const bytes = decodeBody(body, ports.compression);
  if (!bytes.ok) return bytes;
  const events = parseEvents(bytes.value, body.contentType);
  if (!events.ok) return events;
  const command = commandOf(ports, scope, events.value, idempotencyOf(ports, idempotencyKey, bytes.value));
  if (!command.ok) return command;
  const calledMs = ports.clock.now();
  const appended = await ports.entity(scope).append(command.value);
  if (!appended.ok) return appended;
  const times = { ...appended.value.times, ingest: calledMs - sinceMs, object: ports.clock.now() - calledMs };
  return ok({ ...appended.value, times });
}

export async function appendBulk(
  ports: IngestPorts,
  tenant: string,
  entityPrefix: string | null,
  body: RawBody,
  idempotencyKey: string | null,
): Promise<Result<readonly BulkEntityResult[]>> {
  const bytes = decodeBody(body, ports.compression);
  if (!bytes.ok) return bytes;
  const events = parseBulkEvents(bytes.value, body.contentType);
  if (!events.ok) return events;
  const byEntity = new Map<string, EventInput[]>();
  for (const { entity, ...event } of events.value) {
    if (entityPrefix !== null && !entity.startsWith(entityPrefix))
      return fail({ reason: "forbidden", needs: "access to one of the entities" });
    const group = byEntity.get(entity) ?? [];
    group.push(event);
    byEntity.set(entity, group);
  }
  if (byEntity.size > REQUEST_ENTITIES_MAX) {
    return fail({
      reason: "too_large",
      what: "entities",
      size: byEntity.size,
      max: REQUEST_ENTITIES_MAX,
      unit: "entities",
    });
  }
  const idempotency = idempotencyOf(ports, idempotencyKey, bytes.value);
  const commands: AppendCommand[] = [];
  for (const [entity, group] of byEntity) {
    const command = commandOf(ports, { tenant, entity }, group, idempotency);
    if (!command.ok) return command;
    commands.push(command.value);
  }
  return ok(await appendAll(ports, commands));
}

/** At most BULK_CONCURRENCY_MAX objects are asked at once. Results stand in the order of the commands. */
async function appendAll(ports: IngestPorts, commands: readonly AppendCommand[]): Promise<readonly BulkEntityResult[]> {
  const results: BulkEntityResult[] = [];
  const queue = [...commands.entries()];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, command] = next;
      results[index] = { entity: command.scope.entity, result: await appendOne(ports, command) };
    }
  };
  await Promise.all(Array.from({ length: BULK_CONCURRENCY_MAX }, work));
  return results;
}

/** An object that could not be reached fails its own entity, not the others. */
async function appendOne(ports: IngestPorts, command: AppendCommand): Promise<Result<AppendResult>> {
  try {
    return await ports.entity(command.scope).append(command);
  } catch (cause) {
    logFault("append_failed", cause);
    return fail({ reason: "unavailable", what: "The entity could not be reached.", retryAfterSeconds: 1 });
  }
}

export function commandOf(
  ports: IngestPorts,
  scope: EntityScope,
  events: readonly EventInput[],
  idempotency: AppendCommand["idempotency"],
): Result<AppendCommand> {
  const prepared = prepareEvents(events, ports.clock.now(), ports);
  return prepared.ok ? ok({ scope, prepared: prepared.value, idempotency }) : prepared;
}

function idempotencyOf(ports: IngestPorts, key: string | null, bytes: Uint8Array): AppendCommand["idempotency"] {
  return key === null ? null : { key, bodyDigest: hex(ports.digest.sha256(bytes)) };
}
