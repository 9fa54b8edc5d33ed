/**
 * Writing events, reading the timeline.
 */
import { fail, invalid, ok, type Result } from "../../../core/errors.ts";
import {
  appendResultSchema,
  bulkResultSchema,
  idempotencyKeySchema,
  writeTokenSchema,
} from "../../../core/schema/append.ts";
import { appendBodySchema, bulkBodySchema, eventIdSchema } from "../../../core/schema/event.ts";
import { noParametersSchema } from "../../../core/schema/query_parameter.ts";
import { entitySchema } from "../../../core/schema/scalar.ts";
import { citedEventSchema, eventPageSchema, timelineParametersSchema } from "../../../core/schema/timeline.ts";
import { READ_ENTITY, WRITE_ENTITY, WRITE_LISTED } from "../access_levels.ts";
import { eventsBody, noBody } from "../http/body_spec.ts";
import { mapped } from "../mapped.ts";
import { jsonAnswer, type Route, tenantRoute } from "../route.ts";
import { appendWire, bulkWire, citedEventWire, eventPageWire, someFailed } from "./wire.ts";

const IDEMPOTENCY_HEADER = {
  "Idempotency-Key": {
    schema: idempotencyKeySchema,
    description: "The same key with the same body answers the first result again; with another body it is a conflict.",
  },
};

const appendEvents = tenantRoute(
  WRITE_ENTITY,
  {
    operation: "appendEvents",
    summary: "Append events to an entity's timeline",
    method: "POST",
    path: "/v1/entities/{entity}/events",
    params: { entity: entitySchema },
    query: noParametersSchema,
    headers: IDEMPOTENCY_HEADER,
    body: eventsBody(appendBodySchema),
    answer: jsonAnswer(201, "durable, in order, and found by every read from now on", appendResultSchema),
  },
  async ({ services, tenant, params, body, headers, stages }) => {
    const key = idempotencyKey(headers);
    if (!key.ok) return key;
    const appended = await services.ingest.append({ tenant, entity: params.entity }, body, key.value);
    if (appended.ok) stages.add(appended.value.times ?? {});
    return mapped(appended, appendWire);
  },
);

const appendBulk = tenantRoute(
  WRITE_LISTED,
  {
    operation: "appendBulk",
    summary: "Append events to many entities: validated as a whole, atomic per entity",
    method: "POST",
    path: "/v1/events",
    params: {},
    query: noParametersSchema,
    headers: IDEMPOTENCY_HEADER,
    body: eventsBody(bulkBodySchema),
    answer: jsonAnswer(201, "every entity took its events", bulkResultSchema, {
      status: 207,
      description: "some entities failed: their results carry an error",
      when: someFailed,
    }),
  },
  async ({ services, tenant, principal, body, headers, requestId }) => {
    const key = idempotencyKey(headers);
    if (!key.ok) return key;
    const results = await services.ingest.appendBulk(tenant, principal.entityPrefix, body, key.value);
    return mapped(results, (value) => bulkWire(value, requestId));
  },
);

const listEvents = tenantRoute(
  READ_ENTITY,
  {
    operation: "listEvents",
    summary: "The timeline, by time of the event",
    method: "GET",
    path: "/v1/entities/{entity}/events",
    params: { entity: entitySchema },
    query: timelineParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "a page of events", eventPageSchema),
  },
  async ({ services, tenant, params, query }) => {
    const scope = { tenant, entity: params.entity };
    const page = await services.entity(scope).timeline({
      scope,
      from: query.from ?? null,
      to: query.to ?? null,
      kind: query.kind ?? null,
      session: query.session ?? null,
      order: query.order,
      limit: query.limit,
      cursor: query.cursor ?? null,
    });
    return mapped(page, eventPageWire);
  },
);

const eventParams = { entity: entitySchema, id: eventIdSchema };

const getEvent = tenantRoute(
  READ_ENTITY,
  {
    operation: "getEvent",
    summary: "One event and where it lies",
    method: "GET",
    path: "/v1/entities/{entity}/events/{id}",
    params: eventParams,
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "the event with its citation", citedEventSchema),
  },
  async ({ services, tenant, params }) => {
    const scope = { tenant, entity: params.entity };
    return mapped(await services.entity(scope).event(scope, params.id), citedEventWire);
  },
);

const withdrawEvent = tenantRoute(
  WRITE_ENTITY,
  {
    operation: "withdrawEvent",
    summary: "Withdraw an event by a tombstone",
    method: "DELETE",
    path: "/v1/entities/{entity}/events/{id}",
    params: eventParams,
    query: noParametersSchema,
    body: noBody,
    answer: jsonAnswer(200, "no read finds it from now on", writeTokenSchema),
  },
  async ({ services, tenant, params }) => {
    const scope = { tenant, entity: params.entity };
    return mapped(await services.entity(scope).withdraw(scope, params.id), ({ token }) => ({ token }));
  },
);

function idempotencyKey(headers: Headers): Result<string | null> {
  const header = headers.get("Idempotency-Key");
  if (header === null) return ok(null);
  const parsed = idempotencyKeySchema.safeParse(header);
  return parsed.success
    ? ok(parsed.data)
    : fail(invalid("Idempotency-Key", parsed.error.issues[0]?.message ?? "is not valid"));
}

export const eventRoutes: readonly Route[] = [appendEvents, appendBulk, listEvents, getEvent, withdrawEvent];
