/** Appends against the log: what was acknowledged is there, once, whole and in order, and nothing else is. */
import type { AppendResult } from "../../core/rpc.ts";
import type { StoredEvent } from "../../core/schema/event.ts";
import { type CallOf, callsOf, type SentEvent } from "./history.ts";
import { type Ledger, placeOfSegment } from "./ledger.ts";
import { answered, erasuresBetween, positionOf, shown, type Told } from "./told.ts";
import type { Violation } from "./violation.ts";

export function checkAppends(told: Told): readonly Violation[] {
  const appends = answered(told, "append");
  return [
    ...appends.flatMap(({ call, value }) => [...checkNames(told, call, value), ...checkContent(told, call, value)]),
    ...answered(told, "withdraw").flatMap(({ call, value }) => checkTombstone(told, call, value.token)),
    ...checkIdempotency(told),
    ...incarnationsOf(told).flatMap((ledger) => [...checkOrigins(told, ledger), ...checkWhole(told, ledger)]),
  ].map(({ invariant, what }) => ({ invariant, what: `${told.scope}: ${what}` }));
}

function incarnationsOf({ scope, ledgers }: Told): readonly Ledger[] {
  const found: Ledger[] = [];
  for (let incarnation = 1; incarnation < 50; incarnation += 1) {
    const ledger = ledgers.of(scope, incarnation);
    if (ledger !== null) found.push(ledger);
  }
  return found;
}

/** Token, commit and segment of an answer name the same place, and its counts add up. */
function checkNames(_: Told, { id, request }: CallOf<"append">, value: AppendResult): readonly Violation[] {
  const violations: Violation[] = [];
  const token = positionOf(value.token);
  const place = placeOfSegment(value.segment);
  if (token.commit !== value.commit || place?.commit !== value.commit || place.incarnation !== token.incarnation)
    violations.push({
      invariant: "tokens name what they say",
      what: `call ${id}: token ${shown(token)}, commit ${value.commit}, segment ${value.segment}`,
    });
  if (value.accepted + value.duplicates !== request.events.length || value.eventIds.length !== request.events.length)
    violations.push({
      invariant: "duplicates",
      what: `call ${id}: ${value.accepted} and ${value.duplicates} of ${request.events.length} events`,
    });
  return violations;
}

function checkContent(told: Told, { id, request }: CallOf<"append">, value: AppendResult): readonly Violation[] {
  const { incarnation, commit } = positionOf(value.token);
  const lines = told.ledgers.through(told.scope, incarnation, commit);
  if (lines === null) return [];
  // An id whose event was redacted is in conflict with whatever is sent, from some moment on.
  const redacted = new Set(callsOf(told, "redact").flatMap(({ request: { ids } }) => ids));
  const violations: Violation[] = [];
  const conflicts: string[] = [];
  let newest = 0;
  let own = 0;
  for (const [index, sent] of request.events.entries()) {
    const eventId = value.eventIds[index] ?? "";
    const first = lines.find(({ event }) => event.id === eventId);
    if (first === undefined) {
      violations.push({
        invariant: "durable before acknowledged",
        what: `call ${id}: event ${eventId} is not in the log up to ${commit}`,
      });
      continue;
    }
    newest = Math.max(newest, first.commit);
    const isOther = first.event.attributes?.by !== sent.attributes.by;
    if (isOther && !redacted.has(eventId)) conflicts.push(eventId);
    else if (first.commit === commit) own += 1;
    if (sent.id !== undefined && sent.id !== eventId)
      violations.push({ invariant: "one log", what: `call ${id}: event ${sent.id} became ${eventId}` });
  }
  if (newest < commit && violations.length === 0)
    violations.push({
      invariant: "tokens name what they say",
      what: `call ${id}: nothing of it is in commit ${commit}`,
    });
  if (value.accepted > own)
    violations.push({ invariant: "duplicates", what: `call ${id}: ${value.accepted} accepted, ${own} in the log` });
  const said = value.conflicts.filter((eventId) => !redacted.has(eventId));
  if (JSON.stringify(conflicts) !== JSON.stringify(said))
    violations.push({
      invariant: "duplicates",
      what: `call ${id}: conflicts ${said.join()} are not ${conflicts.join()}`,
    });
  return violations;
}

function checkTombstone(
  { scope, ledgers }: Told,
  { id, request }: CallOf<"withdraw">,
  token: string,
): readonly Violation[] {
  const { incarnation, commit } = positionOf(token);
  const lines = ledgers.through(scope, incarnation, commit);
  if (lines === null || lines.some((line) => line.commit === commit && line.withdraws === request.id)) return [];
  return [
    { invariant: "durable before acknowledged", what: `call ${id}: commit ${commit} does not withdraw ${request.id}` },
  ];
}

/** Every line was sent, by a caller of this entity, and no id is there twice. */
function checkOrigins(told: Told, ledger: Ledger): readonly Violation[] {
  const sent = new Map<string, SentEvent>();
  const refused = new Set<string>();
  for (const { request, reply } of callsOf(told, "append")) {
    for (const event of request.events) {
      if (!sent.has(event.attributes.by)) refused.add(event.attributes.by);
      if (reply.kind !== "failed" || reply.failure.reason === "unavailable") refused.delete(event.attributes.by);
      sent.set(event.attributes.by, event);
    }
  }
  const withdrawn = new Set(callsOf(told, "withdraw").map(({ request }) => request.id));
  const redacted = new Set(callsOf(told, "redact").flatMap(({ request }) => request.ids));
  const violations: Violation[] = [];
  const ids = new Set<string>();
  for (const { event, withdraws, redacts, commit } of ledger.at(0).lines) {
    if (ids.has(event.id))
      violations.push({ invariant: "once", what: `${event.id} is there again, in commit ${commit}` });
    ids.add(event.id);
    const by = String(event.attributes?.by);
    const isAsked =
      event.kind === "tombstone"
        ? withdrawn.has(withdraws ?? "") || (redacts.length > 0 ? redacts : [event.id]).every((id) => redacted.has(id))
        : isSame(sent.get(by), event);
    if (!isAsked)
      violations.push({ invariant: "nothing is made up", what: `commit ${commit} has ${event.id}, which nobody sent` });
    if (refused.has(by))
      violations.push({ invariant: "nothing is made up", what: `commit ${commit} has ${event.id}, which was refused` });
  }
  return violations;
}

function isSame(sent: SentEvent | undefined, event: StoredEvent): boolean {
  if (sent === undefined) return false;
  const { id = event.id, kind = "note", text, vector, ts = Date.parse(event.ts) } = sent;
  const { vector: kept, ...rest } = event;
  return (
    id === rest.id &&
    kind === rest.kind &&
    text === rest.text &&
    ts === Date.parse(rest.ts) &&
    JSON.stringify(vector) === JSON.stringify(kept)
  );
}

/** What a request added was added by one commit, in its order. */
function checkWhole(told: Told, ledger: Ledger): readonly Violation[] {
  const { lines } = ledger.at(0);
  const violations: Violation[] = [];
  for (const { id, request } of callsOf(told, "append")) {
    const own = new Set(request.events.map(({ attributes }) => attributes.by));
    const found = lines.filter(({ event }) => own.has(String(event.attributes?.by)));
    const order = found.map(({ event }) => String(event.attributes?.by));
    if (new Set(found.map(({ commit }) => commit)).size > 1 && !isChanged(told, request.key))
      violations.push({ invariant: "atomic", what: `call ${id} is in several commits` });
    if (order.join() !== order.toSorted((a, b) => a.localeCompare(b)).join() && !isChanged(told, request.key))
      violations.push({ invariant: "atomic", what: `call ${id} is out of order` });
  }
  return violations;
}

/** Whether two bodies were sent under the key, which share events. */
function isChanged(told: Told, key: string | null): boolean {
  return (
    key !== null &&
    new Set(callsOf(told, "append").flatMap(({ request }) => (request.key === key ? [request.body] : []))).size > 1
  );
}

/** The same request under the same key has the same answer, and another one is refused, unless the object lost its state. */
function checkIdempotency(told: Told): readonly Violation[] {
  if (told.isSkewed) return [];
  const violations: Violation[] = [];
  for (const { call, value } of answered(told, "append")) {
    const { key, body } = call.request;
    if (key === null) continue;
    for (const other of callsOf(told, "append")) {
      if (other.request.key !== key || other.invoked < call.replied) continue;
      if (forgot(told, call.invoked, other.replied)) continue;
      if (other.request.body === body && other.reply.kind === "ok" && recorded(other.reply.value) !== recorded(value))
        violations.push({
          invariant: "idempotency",
          what: `call ${other.id} repeats call ${call.id} and is answered otherwise`,
        });
      if (other.request.body !== body && other.reply.kind === "ok")
        violations.push({
          invariant: "idempotency",
          what: `call ${other.id} has the key of call ${call.id} and another body`,
        });
    }
  }
  return violations;
}

function forgot(told: Told, from: number, to: number): boolean {
  const lost = told.kills.some(({ at, lost: isLost }) => isLost && at > from && at < to);
  return lost || erasuresBetween(told, from, to) > 0;
}

/** What an answer says, without how long it took. */
function recorded({ commit, segment, accepted, duplicates, conflicts, eventIds, token }: AppendResult): string {
  return JSON.stringify([commit, segment, accepted, duplicates, conflicts, eventIds, token]);
}
