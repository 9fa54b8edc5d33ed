/**
 * What every connector yields: an event for an entity, or a place in the input that was no event, and why. Nothing is
 * dropped without a word: whoever imports counts the refusals and shows them.
 */
import { bulkEventSchema, type EventInput, RESERVED_KINDS } from "../../core/schema/event.ts";

export type ConnectorItem =
  | { readonly ok: true; readonly entity: string; readonly event: EventInput }
  | { readonly ok: false; readonly where: string; readonly reason: string };

/** An event as the API takes it (so `ts` may be text), checked against the API's own schema. */
export function checkedItem(
  where: string,
  candidate: { readonly entity: string; readonly [field: string]: unknown },
): ConnectorItem {
  const parsed = bulkEventSchema.safeParse(candidate);
  if (parsed.success) {
    const { entity, ...event } = parsed.data;
    if (RESERVED_KINDS.includes(event.kind ?? "")) return refused(where, `kind: ${event.kind} is reserved`);
    return { ok: true, entity, event };
  }
  const [issue] = parsed.error.issues;
  const path = issue?.path.join(".") ?? "";
  return refused(where, path === "" ? (issue?.message ?? "is no event") : `${path}: ${issue?.message}`);
}

export function refused(where: string, reason: string): ConnectorItem {
  return { ok: false, where, reason };
}
