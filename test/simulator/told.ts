/** What was told of one entity, and how its parts are read. */
import type { EntityScope } from "../../core/rpc.ts";
import type { Call, CallOf, History, Kill, Replies, Request } from "./history.ts";
import type { Ledgers } from "./ledger.ts";

export interface Circumstances {
  /** Clocks were set wrong: what depends on them is not judged. */
  readonly isSkewed: boolean;
  readonly scopes: readonly EntityScope[];
}

export interface Told {
  readonly scope: string;
  readonly calls: readonly Call[];
  readonly kills: readonly Kill[];
  readonly ledgers: Ledgers;
  readonly isSkewed: boolean;
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

/** Tokens carry their fields as JSON behind a check; incarnation and commit come first. */
export function positionOf(token: string): Position & { readonly name: string } {
  const json = Buffer.from(token.slice(1), "base64url").subarray(CHECK_BYTES).toString();
  const [incarnation, commit, ...rest] = JSON.parse(json) as [number, number, ...unknown[]];
  // The last field of a snapshot says through which head it was seen, which is no part of what it is.
  return { incarnation, commit, name: JSON.stringify([incarnation, commit, ...rest.slice(0, -1)]) };
}

/** Calls of a kind. */
export function callsOf<Type extends Request["type"]>({ calls }: Pick<Told, "calls">, type: Type): CallOf<Type>[] {
  return calls.filter((call) => call.request.type === type) as unknown as CallOf<Type>[];
}

/** Those that were answered, with their answers. */
export function answered<Type extends Request["type"]>(
  told: Pick<Told, "calls">,
  type: Type,
): { readonly call: CallOf<Type>; readonly value: Replies[Type] }[] {
  return callsOf(told, type).flatMap((call) => (call.reply.kind === "ok" ? [{ call, value: call.reply.value }] : []));
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
      (call.request.type === "append" || call.request.type === "withdraw") &&
      (call.reply.kind === "unknown" || (call.reply.kind === "failed" && call.reply.failure.reason === "unavailable")),
  );
}
