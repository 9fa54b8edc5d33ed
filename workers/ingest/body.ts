/**
 * From a request's bytes to parsed events. Every line and field is checked before anything is written.
 */
import type { z } from "zod";
import { type Failure, fail, invalid, ok, type Result, unprocessable } from "../../core/errors.ts";
import { JSON_TEXT_DEPTH_MAX, REQUEST_BYTES_MAX, REQUEST_EVENTS_MAX } from "../../core/limits.ts";
import { isTombstoneId } from "../../core/log/event_id.ts";
import type { Compression } from "../../core/ports.ts";
import type { RawBody } from "../../core/rpc.ts";
import { appendBodySchema, bulkBodySchema, type EventInput, RESERVED_KINDS } from "../../core/schema/event.ts";
import { invalidFields } from "../../core/schema/field_errors.ts";
import { jsonTextDepth } from "../../core/schema/json_depth.ts";

const NDJSON = "application/x-ndjson";
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

export type BulkEvent = z.infer<typeof bulkBodySchema>["events"][number];

/** The body as it was meant: decompressed, at most REQUEST_BYTES_MAX. */
export function decodeBody(body: RawBody, compression: Compression): Result<Uint8Array> {
  if (!body.gzip) return ok(body.bytes);
  const decoded = compression.gunzip(body.bytes, REQUEST_BYTES_MAX);
  if (decoded.ok) return decoded;
  return fail(
    decoded.failure.reason === "too_large"
      ? { ...decoded.failure, what: "The decoded body" }
      : invalid("", "is not valid gzip"),
  );
}

export function parseEvents(bytes: Uint8Array, contentType: string): Result<readonly EventInput[]> {
  const events = parseWith(appendBodySchema, bytes, contentType);
  if (!events.ok) return events;
  const reserved = reservedUse(events.value);
  return reserved === null ? events : fail(reserved);
}

export function parseBulkEvents(bytes: Uint8Array, contentType: string): Result<readonly BulkEvent[]> {
  const events = parseWith(bulkBodySchema, bytes, contentType);
  if (!events.ok) return events;
  const reserved = reservedUse(events.value);
  return reserved === null ? events : fail(reserved);
}

function parseWith<Event>(
  schema: z.ZodType<{ events: Event[] }>,
  bytes: Uint8Array,
  contentType: string,
): Result<readonly Event[]> {
  const json = readJson(bytes, contentType);
  if (!json.ok) return json;
  const count = eventsOf(json.value).length;
  if (count > REQUEST_EVENTS_MAX) {
    return fail({ reason: "too_large", what: "events", size: count, max: REQUEST_EVENTS_MAX, unit: "events" });
  }
  const unnameable = eventsOf(json.value).findIndex(hasPrototypeAttribute);
  if (unnameable !== -1)
    return fail(invalid(`events.${unnameable}.attributes.__proto__`, "cannot be an attribute's name"));
  const parsed = schema.safeParse(json.value);
  return parsed.success ? ok(parsed.data.events) : fail(invalidFields(parsed.error));
}

/** `{events}` as sent, or the lines of NDJSON under the same name. */
function readJson(bytes: Uint8Array, contentType: string): Result<unknown> {
  const text = readText(bytes);
  if (text === null) return fail(invalid("", "is not valid UTF-8"));
  if (contentType !== NDJSON) return parseJson(text);
  const events: unknown[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const json = parseJson(line);
    if (!json.ok) return fail(inLine(json.failure, events.length, index + 1));
    events.push(json.value);
  }
  return ok({ events });
}

/** The failure of a line of NDJSON, under the event it would have been. */
function inLine(failure: Failure, event: number, line: number): Failure {
  if (failure.reason !== "invalid") return failure;
  return {
    ...failure,
    errors: failure.errors.map(({ message }) => ({ path: `events.${event}`, message: `line ${line} ${message}` })),
  };
}

function readText(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** Deeper text than any event may be is refused unparsed: parsers and schemas recurse. */
function parseJson(text: string): Result<unknown> {
  const depth = jsonTextDepth(text);
  if (depth > JSON_TEXT_DEPTH_MAX)
    return fail(invalid("", `is nested ${depth} deep; at most ${JSON_TEXT_DEPTH_MAX} are taken`));
  try {
    return ok(JSON.parse(text));
  } catch {
    return fail(invalid("", "is not valid JSON"));
  }
}

/** What was sent as events, unchecked. */
function eventsOf(json: unknown): readonly unknown[] {
  const events = typeof json === "object" && json !== null && "events" in json ? json.events : null;
  return Array.isArray(events) ? events : [];
}

/** A map's schema would drop this one name without a word. */
function hasPrototypeAttribute(event: unknown): boolean {
  if (typeof event !== "object" || event === null || !("attributes" in event)) return false;
  const { attributes } = event;
  return typeof attributes === "object" && attributes !== null && Object.hasOwn(attributes, "__proto__");
}

/** Kinds and ids that only their own endpoints may write. */
function reservedUse(events: readonly EventInput[]): Failure | null {
  for (const [index, { id, kind }] of events.entries()) {
    if (kind !== undefined && RESERVED_KINDS.includes(kind)) {
      return unprocessable(`events.${index}.kind`, `\`${kind}\` is reserved for its own endpoint`);
    }
    if (id !== undefined && isTombstoneId(id)) {
      return unprocessable(`events.${index}.id`, "ids that begin with `tombstone:` are reserved");
    }
  }
  return null;
}
