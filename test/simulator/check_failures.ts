/** Requests that were refused: each for a reason that the callers gave. */

import { type Call, callsOf } from "./history.ts";
import { DIMENSIONS } from "./plan.ts";
import { erasuresBetween, type Told } from "./told.ts";
import type { Violation } from "./violation.ts";

export function checkFailures(told: Told): readonly Violation[] {
  return told.calls.flatMap((call): Violation[] => {
    const { reply } = call;
    const isSilent = reply.kind === "unknown" || (reply.kind === "failed" && reply.failure.reason === "unavailable");
    const isAtDoor = call.request.type === "search" && call.request.atDoor;
    if (isSilent && call.isFinal && !isAtDoor)
      return [
        {
          invariant: "what failed comes back",
          what: `call ${call.id} of ${told.scope} (${call.request.type}) is not answered though nothing fails any more`,
        },
      ];
    if (reply.kind !== "failed" || mayFail(told, call, reply.failure.reason)) return [];
    const invariant = invariantOf(call, reply.failure.reason);
    return [
      { invariant, what: `call ${call.id} of ${told.scope} (${call.request.type}): ${JSON.stringify(reply.failure)}` },
    ];
  });
}

function invariantOf({ request }: Call, reason: string): string {
  if (request.type !== "search") return "refusals have a reason";
  if (reason === "corrupt") return "what a head names is there";
  return reason.startsWith("snapshot") ? "snapshots reproduce" : "refusals have a reason";
}

function mayFail(told: Told, call: Call, reason: string): boolean {
  const { request } = call;
  const isErased = erasuresBetween(told, 0, call.replied) > 0;
  const isAtDoor = request.type === "search" && request.atDoor;
  switch (reason) {
    case "unavailable":
    case "rate_limited":
      return true;
    case "unprocessable":
      // A tombstone is neither withdrawn nor redacted, and vectors may have been redacted.
      return request.type === "withdraw" || request.type === "redact" || isAtDoor || sentVectors(told, call.replied);
    case "invalid":
      return request.type === "timeline" && isErased;
    case "conflict":
      if (request.type === "append") return isReused(told, request.key);
      // What was written after the head that it goes by is nothing that the front door knows.
      if (isAtDoor && request.body.snapshot !== undefined) return true;
      return request.type === "search" && (request.foreign || (request.body.at_least !== undefined && isErased));
    case "snapshot_erased":
      return request.type === "search" && request.body.snapshot !== undefined && (isErased || isRedacted(told, call));
    case "corrupt":
      // An instance that has been superseded may look for what was erased since.
      if (isErased && told.kills.length > 0) return true;
      return isAtDoor && (told.isDamaged || isErased || isRedacted(told, call));
    case "not_found":
      // Whether nothing was there is judged with the order of calls (linear.ts).
      return request.type !== "search" && request.type !== "append";
    default:
      return false;
  }
}

function isRedacted(told: Told, { replied }: Call): boolean {
  return callsOf(told, "redact").some(({ invoked }) => invoked < replied);
}

/** Vectors of another size than the usual were sent, or none: then one that is asked for may fit nowhere. */
function sentVectors(told: Told, before: number): boolean {
  if (callsOf(told, "redact").some(({ invoked }) => invoked < before)) return true;
  const sizes = callsOf(told, "append")
    .filter(({ invoked }) => invoked < before)
    .flatMap(({ request }) => request.events.map(({ vector }) => vector?.length ?? 0));
  return !sizes.includes(DIMENSIONS) || sizes.some((size) => size > 0 && size !== DIMENSIONS);
}

function isReused(told: Told, key: string | null): boolean {
  return (
    key !== null &&
    new Set(callsOf(told, "append").flatMap(({ request }) => (request.key === key ? [request.body] : []))).size > 1
  );
}
