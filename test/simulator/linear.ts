/**
 * Linearizability of one entity. Calls are taken in the order in which they began. Each is given the earliest position
 * that explains its reply and is not before the positions of calls that ended before it began: if there is any way to
 * order them, this is one, since a position that is earlier than need be never hinders a later call.
 */

import type { Call, CallOf } from "./history.ts";
import { isBeingRedacted, type LedgerLine, liveEvents, liveLines } from "./ledger.ts";
import {
  BEGINNING,
  erasuresBetween,
  forgivenMs,
  isBefore,
  later,
  type Position,
  positionOf,
  redactedBefore,
  shown,
  type Told,
} from "./told.ts";
import type { Violation } from "./violation.ts";

interface Placed {
  readonly call: Call;
  readonly position: Position;
}

export function checkOrder(told: Told): readonly Violation[] {
  const violations: Violation[] = [];
  const placed: Placed[] = [];
  for (const call of told.calls) {
    if (call.reply.kind === "unknown") continue;
    const outcome = place(told, call, floorAt(placed, begunAt(told, call)), floorAt(placed, call.invoked));
    if (outcome === null) continue;
    if ("invariant" in outcome)
      violations.push({ ...outcome, what: `call ${call.id} of ${told.scope}: ${outcome.what}` });
    else placed.push({ call, position: outcome });
  }
  return [...violations, ...unexplainedErasures(told, placed)];
}

/** The latest position that was seen by a call that had ended. */
function floorAt(placed: readonly Placed[], moment: number): Position {
  return placed
    .filter(({ call }) => call.replied < moment)
    .reduce((latest, { position }) => later(latest, position), BEGINNING);
}

/** A request that is repeated under its key is answered as the first was, whenever that was. */
function begunAt(told: Told, call: Call): number {
  const { request } = call;
  if (request.type !== "append" || request.key === null) return call.invoked;
  const first = told.calls.find(
    ({ request: other }) => other.type === "append" && other.key === request.key && other.body === request.body,
  );
  return first?.invoked ?? call.invoked;
}

/** null: the reply says nothing of a position. */
function place(told: Told, call: Call, floor: Position, own: Position): Position | Violation | null {
  switch (call.request.type) {
    case "append":
      return placeAppend(told, call as CallOf<"append">, floor, own.incarnation);
    case "search":
      return placeSearch(call as CallOf<"search">, floor);
    case "withdraw":
      return placeWithdraw(told, call as CallOf<"withdraw">, floor);
    case "redact":
      return placeRedaction(told, call as CallOf<"redact">, floor);
    case "status":
      return placeStatus(told, call as CallOf<"status">, floor);
    case "export":
      return placeExport(told, call as CallOf<"export">, floor);
    case "event":
    case "timeline":
      return earliest(told, call, floor, (lines) => explains(call, lines));
    case "job":
      return placeErasure(call as CallOf<"job">, floor);
    default:
      return null;
  }
}

function placeAppend(
  told: Told,
  { id, request, reply, invoked }: CallOf<"append">,
  floor: Position,
  incarnation: number,
): Position | Violation | null {
  if (reply.kind !== "ok") return null;
  const position = positionOf(reply.value.token);
  if (position.incarnation < incarnation)
    return { invariant: "erased stays erased", what: `commit ${shown(position)} is of what was erased before` };
  const isRepeated = told.calls.some(
    (other) =>
      other.id !== id &&
      other.request.type === "append" &&
      other.request.body === request.body &&
      other.invoked < invoked,
  );
  const mayBeEarlier = reply.value.accepted === 0 || (isRepeated && request.key !== null);
  if (!mayBeEarlier && !isBefore(floor, position))
    return {
      invariant: "read your writes",
      what: `commit ${shown(position)} is not after ${shown(floor)}, which was seen before`,
    };
  return position;
}

function placeSearch({ request, reply }: CallOf<"search">, floor: Position): Position | Violation | null {
  if (reply.kind !== "ok") return null;
  const position = positionOf(reply.value.snapshot);
  const { body } = request;
  const isStrong = body.snapshot === undefined && body.consistency !== "eventual";
  if (isStrong && isBefore(position, floor))
    return {
      invariant: "read your writes",
      what: `a strong search sees ${shown(position)}, after ${shown(floor)} was seen`,
    };
  if (typeof body.at_least === "string" && isBefore(position, positionOf(body.at_least)))
    return { invariant: "read your writes", what: `sees ${shown(position)}, without the write that at_least names` };
  return position;
}

function placeWithdraw(told: Told, call: CallOf<"withdraw">, floor: Position): Position | Violation | null {
  const { request, reply, invoked } = call;
  if (reply.kind === "ok") {
    const position = positionOf(reply.value.token);
    const before = told.calls.some(
      (other) => other.request.type === "withdraw" && other.request.id === request.id && other.invoked < invoked,
    );
    if (!before && !isBefore(floor, position))
      return {
        invariant: "read your writes",
        what: `the tombstone at ${shown(position)} is not after ${shown(floor)}`,
      };
    return position;
  }
  if (reply.kind !== "failed" || reply.failure.reason !== "not_found") return null;
  return earliest(told, call, floor, (lines) => !lines.some(({ event }) => event.id === request.id));
}

/** Ids that were redacted before have the token of that redaction. */
function placeRedaction(told: Told, call: CallOf<"redact">, floor: Position): Position | Violation | null {
  const { reply, request } = call;
  if (reply.kind === "ok") return reply.value.token === null ? null : positionOf(reply.value.token);
  if (reply.kind !== "failed" || reply.failure.reason !== "not_found") return null;
  return earliest(told, call, floor, (lines) => request.ids.some((id) => !lines.some(({ event }) => event.id === id)));
}

function placeStatus(told: Told, call: CallOf<"status">, floor: Position): Position | Violation | null {
  const { reply } = call;
  if (reply.kind === "failed") return reply.failure.reason === "not_found" ? emptyAt(told, call, floor) : null;
  if (reply.kind !== "ok") return null;
  const position = positionOf(reply.value.snapshot);
  if (isBefore(position, floor))
    return { invariant: "read your writes", what: `a status of ${shown(position)}, after ${shown(floor)}` };
  if (reply.value.commits !== position.commit)
    return { invariant: "tokens name what they say", what: `${reply.value.commits} commits at ${shown(position)}` };
  const ledger = told.ledgers.of(told.scope, position.incarnation);
  if (isBeingRedacted(ledger, position.redacted)) return position;
  const lines = told.ledgers.through(told.scope, position.incarnation, position.commit, position.redacted);
  const live = lines === null ? null : liveEvents(lines).length;
  if (live !== null && live !== reply.value.events)
    return {
      invariant: "counts are right",
      what: `a status of ${reply.value.events} events, of which ${live} are live`,
    };
  return position;
}

function placeExport(told: Told, call: CallOf<"export">, floor: Position): Position | Violation | null {
  const { reply } = call;
  if (reply.kind === "failed") return reply.failure.reason === "not_found" ? emptyAt(told, call, floor) : null;
  if (reply.kind !== "ok") return null;
  const digits = /(\d{6})-\d{12}\.jsonl\.zst$/.exec(reply.value[0]?.segment ?? "")?.[1];
  const position = { incarnation: Number(digits), commit: reply.value.length };
  return isBefore(position, floor)
    ? {
        invariant: "durable before acknowledged",
        what: `the log ends at ${shown(position)}, after ${shown(floor)} was seen`,
      }
    : position;
}

function emptyAt(told: Told, call: Call, floor: Position): Position | Violation {
  return earliest(told, call, floor, (lines) => lines.length === 0);
}

/** An erasure that was answered has ended what was there, if anything was. */
function placeErasure({ request, reply }: CallOf<"job">, floor: Position): Position | null {
  if (request.job !== "erase" || reply.kind !== "ok") return null;
  return floor.commit > 0 ? { incarnation: floor.incarnation + 1, commit: 0 } : floor;
}

/**
 * The earliest position from `floor` on at which the log explains the reply. Where the log is not known anything does, as
 * while lines are redacted.
 */
function earliest(
  told: Told,
  call: Call,
  floor: Position,
  isExplained: (lines: readonly LedgerLine[]) => boolean,
): Position | Violation {
  const newest = BEGINNING.incarnation + erasuresBetween(told, 0, call.replied);
  // What an incarnation held that was erased later may not be known to its end.
  const isErasedLater = erasuresBetween(told, call.invoked, Number.POSITIVE_INFINITY) > 0;
  for (let incarnation = floor.incarnation; incarnation <= newest; incarnation += 1) {
    const first = incarnation === floor.incarnation ? floor.commit : 0;
    const redacted = redactedBefore(told, incarnation, call.invoked);
    const found = explainedFrom(told, { incarnation, commit: first }, redacted, isExplained);
    if (found !== null) return found;
    // It may have been at any commit, and so tells of none.
    if (isErasedLater || mayBeRedacted(told, incarnation, redacted)) return { incarnation, commit: 0 };
  }
  const isSeen = call.request.type === "event" || call.request.type === "timeline" ? call.request.type : "absence";
  return {
    invariant: "read your writes",
    what: `no log from ${shown(floor)} on explains the ${isSeen} that was answered`,
  };
}

/** In one incarnation, with the lines gone that are known to be redacted, or those that are later as well. */
function explainedFrom(
  { scope, ledgers }: Told,
  { incarnation, commit: first }: Position,
  redacted: number,
  isExplained: (lines: readonly LedgerLine[]) => boolean,
): Position | null {
  const ledger = ledgers.of(scope, incarnation);
  const later = (ledger?.redactions ?? []).map(({ commit }) => commit).filter((commit) => commit > redacted);
  for (let commit = first; commit <= (ledger?.commits.length ?? 0); commit += 1) {
    for (const last of [redacted, ...later.filter((record) => record <= commit)]) {
      const lines = ledgers.through(scope, incarnation, commit, last);
      if (lines === null || isExplained(lines)) return { incarnation, commit };
    }
  }
  return null;
}

/** Of some lines it is not known when they went. */
function mayBeRedacted({ scope, ledgers }: Told, incarnation: number, redacted: number): boolean {
  return ledgers.of(scope, incarnation)?.redactions.some(({ commit }) => commit > redacted) ?? false;
}

function explains({ request, reply }: Call, lines: readonly LedgerLine[]): boolean {
  const live = liveEvents(lines);
  if (request.type === "event") {
    // Of an event that was redacted a tombstone is left under its id.
    const event = liveLines(lines).find(({ id }) => id === request.id);
    if (reply.kind === "ok" && "event" in reply.value)
      return JSON.stringify(event) === JSON.stringify(reply.value.event);
    return reply.kind === "failed" && (reply.failure.reason !== "not_found" || event === undefined);
  }
  if (request.type !== "timeline") return true;
  if (reply.kind !== "ok") return true;
  const tombstones = liveLines(lines).filter(({ kind }) => kind === "tombstone");
  const listed = request.kind === null ? [...live] : tombstones;
  listed.sort((a, b) => Date.parse(a.ts) - Date.parse(b.ts));
  return JSON.stringify(listed) === JSON.stringify(reply.value);
}

/** The front door may see what was erased a little while before (check_searches.ts). */
function isAtDoor({ reply }: Call): boolean {
  return reply.kind === "ok" && "hits" in reply.value && forgivenMs(reply.value) > 0;
}

/** Incarnations end by erasures that were asked for, each once. */
function unexplainedErasures(told: Told, placed: readonly Placed[]): readonly Violation[] {
  for (const [index, { call, position }] of placed.entries()) {
    for (const earlier of placed.slice(0, index)) {
      const more = position.incarnation - earlier.position.incarnation;
      if (more <= 0 || earlier.position.commit === 0 || isAtDoor(earlier.call)) continue;
      if (erasuresBetween(told, earlier.call.invoked, call.replied) < more) {
        const what = `call ${call.id} of ${told.scope} is of incarnation ${position.incarnation}, and what call ${earlier.call.id} saw was never asked to be erased`;
        return [{ invariant: "durable before acknowledged", what }];
      }
    }
  }
  return [];
}
