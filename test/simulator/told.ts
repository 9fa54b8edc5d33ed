/** What was told of one entity, and how its parts are read. */
import type { EntityScope, EntityStatus, SearchAnswer } from "../../core/rpc.ts";
import { type Call, type CallOf, callsOf, type History, type Kill, type Replies, type Request } from "./history.ts";
import type { Ledgers } from "./ledger.ts";

export interface Circumstances {
  /** Clocks were set wrong: what depends on them is not judged. */
  readonly isSkewed: boolean;
  /** What is derived was damaged: the front door may find nothing. */
  readonly isDamaged: boolean;
  readonly scopes: readonly EntityScope[];
  /** When simulated time began. */
  readonly epochMs: number;
}

export interface Told {
  readonly scope: string;
  readonly calls: readonly Call[];
  readonly kills: readonly Kill[];
  readonly ledgers: Ledgers;
  readonly isSkewed: boolean;
  readonly isDamaged: boolean;
}

/** Where an entity's log is. */
export interface Position {
  readonly incarnation: number;
  readonly commit: number;
}

export const BEGINNING: Position = { incarnation: 1, commit: 0 };

export function isBefore(a: Position, b: Position): boolean {
  return a.incarnation < b.incarnation || (a.incarnation === b.incarnation && a.commit < b.commit);
}

export function later(a: Position, b: Position): Position {
  return isBefore(a, b) ? b : a;
}

export function shown({ incarnation, commit }: Position): string {
  return `(${incarnation}, ${commit})`;
}

const CHECK_BYTES = 8;

export interface NamedPosition extends Position {
  /** What a snapshot is, however it was read. */
  readonly name: string;
  /** The commit that records the last redaction before it; 0: none. */
  readonly redacted: number;
}

/** Tokens carry their fields as JSON behind a check; incarnation and commit come first. */
export function positionOf(token: string): NamedPosition {
  const json = Buffer.from(token.slice(1), "base64url").subarray(CHECK_BYTES).toString();
  // Of a snapshot one field says through which head it was seen, which is no part of what it is.
  const [incarnation, commit, vectors, revision, , redacted = 0] = JSON.parse(json) as [
    number,
    number,
    number?,
    string?,
    number?,
    number?,
  ];
  return { incarnation, commit, redacted, name: JSON.stringify([incarnation, commit, vectors, revision]) };
}

/** Those that were answered, with their answers. */
export function answered<Type extends Request["type"]>(
  told: Pick<Told, "calls">,
  type: Type,
): { readonly call: CallOf<Type>; readonly value: Replies[Type] }[] {
  return callsOf(told, type).flatMap((call) => (call.reply.kind === "ok" ? [{ call, value: call.reply.value }] : []));
}

/**
 * When the incarnation was known to be erased: an erasure was answered before the call began, which itself began after
 * something of the incarnation was acknowledged. null: there is none.
 */
export function erasedBefore(
  told: Pick<Told, "calls">,
  { invoked }: Pick<Call, "invoked">,
  incarnation: number,
): number | null {
  const seen = answered(told, "append").filter(({ value }) => positionOf(value.token).incarnation >= incarnation);
  const erasures = answered(told, "job").flatMap(({ call }) => {
    const isOfIt = seen.some(({ call: append }) => append.replied < call.invoked);
    return call.request.job === "erase" && call.replied < invoked && isOfIt ? [call.repliedMs] : [];
  });
  return erasures.length === 0 ? null : Math.min(...erasures);
}

/** The front door goes by a head for so long. */
const DOOR_HEAD_MS = 5_000;

/** How long what was erased or redacted may still be answered. Only the object knows what is not indexed yet. */
export function forgivenMs({
  unindexedEvents,
}: Pick<SearchAnswer, "unindexedEvents"> | Pick<EntityStatus, "unindexedEvents">): number {
  return unindexedEvents === null ? DOOR_HEAD_MS : 0;
}

/** The last redaction of an incarnation of which a reply told that ended before a moment; 0: of none. */
export function redactedBefore(told: Pick<Told, "calls">, incarnation: number, moment: number): number {
  let last = 0;
  for (const { replied, reply } of told.calls) {
    if (replied >= moment || reply.kind !== "ok") continue;
    const { value } = reply;
    const token = "snapshot" in value ? value.snapshot : "redacted" in value ? value.token : null;
    if (token === null) continue;
    const position = positionOf(token);
    if (position.incarnation !== incarnation) continue;
    // The token of a redaction is that of the commit that records it.
    last = Math.max(last, "snapshot" in value ? position.redacted : position.commit);
  }
  return last;
}

/** Erasures that may have had their effect between two moments. */
export function erasuresBetween(told: Pick<Told, "calls">, from: number, to: number): number {
  return callsOf(told, "job").filter((call) => {
    const endedAt = call.reply.kind === "ok" ? call.replied : Number.POSITIVE_INFINITY;
    return call.request.job === "erase" && call.invoked < to && endedAt > from;
  }).length;
}

/** Whether a write of the entity may have been put that nobody heard of. */
export function isUncertain(history: History, tenant: string, entity: string): boolean {
  return unheardOf(history, tenant, entity).length > 0;
}

/**
 * Whether such a write may lie in the store and nothing says so: its instance ended before it knew, and the state that
 * the next write would have gone by is lost.
 */
export function isUnnoticed(history: History, tenant: string, entity: string): boolean {
  const kills = history.kills.filter(({ object }) => object === `${tenant}/${entity}`);
  return unheardOf(history, tenant, entity).some(
    ({ invoked, replied }) =>
      kills.some(({ at }) => at > invoked && at < replied) && kills.some(({ at, lost }) => lost && at > invoked),
  );
}

function unheardOf({ calls }: Pick<History, "calls">, tenant: string, entity: string): readonly Call[] {
  return calls.filter(
    (call) =>
      call.tenant === tenant &&
      call.entity === entity &&
      ["append", "withdraw", "redact"].includes(call.request.type) &&
      (call.reply.kind === "unknown" || (call.reply.kind === "failed" && call.reply.failure.reason === "unavailable")),
  );
}
