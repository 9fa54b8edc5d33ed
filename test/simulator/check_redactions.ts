/** What was redacted is told by nobody who is asked after the redaction was answered, and no snapshot from before it is. */
import type { RedactResult } from "../../core/rpc.ts";
import type { Call, CallOf } from "./history.ts";
import { placeOfSegment } from "./ledger.ts";
import { answered, erasuresBetween, forgivenMs, positionOf, type Told } from "./told.ts";
import type { Violation } from "./violation.ts";

interface TellingLine {
  readonly id: string;
  /** null: the reply does not say. */
  readonly incarnation: number | null;
}

export function checkRedactions(told: Told): readonly Violation[] {
  return answered(told, "redact").flatMap(({ call, value }) =>
    told.calls
      .filter(({ invoked, reply }) => invoked > call.replied && reply.kind === "ok")
      .flatMap((later) => checkLater(told, call, value, later)),
  );
}

function checkLater(told: Told, call: CallOf<"redact">, { token }: RedactResult, later: Call): readonly Violation[] {
  if (token === null) return [];
  const { reply } = later;
  const known = reply.kind === "ok" && "unindexedEvents" in reply.value && "hits" in reply.value ? reply.value : null;
  if (known !== null && later.invokedMs <= call.repliedMs + forgivenMs(known)) return [];
  const { incarnation, commit } = positionOf(token);
  const refuse = (what: string): Violation => ({
    invariant: "redacted stays redacted",
    what: `call ${later.id} of ${told.scope} ${what} after call ${call.id} was answered`,
  });
  const ids = new Set(call.request.ids);
  const isErased = erasuresBetween(told, call.invoked, later.replied) > 0;
  const telling = tellingLines(later).find(
    (line) => ids.has(line.id) && (line.incarnation === null ? !isErased : line.incarnation === incarnation),
  );
  const violations = telling === undefined ? [] : [refuse(`tells what ${telling.id} said`)];
  const pinned = later.request.type === "search" ? later.request.body.snapshot : undefined;
  if (typeof pinned !== "string") return violations;
  const asked = positionOf(pinned);
  const isFromBefore = asked.incarnation === incarnation && asked.redacted < commit;
  return isFromBefore ? [...violations, refuse(`is of ${pinned}, which is from before,`)] : violations;
}

/** Lines that the reply tells something of. */
function tellingLines({ reply, request }: Call): readonly TellingLine[] {
  if (reply.kind !== "ok") return [];
  const { value } = reply;
  if ("hits" in value) return value.hits.map(({ id, citation }) => ({ id, ...incarnationOf(citation.segment) }));
  if ("event" in value)
    return value.event.kind === "tombstone" ? [] : [{ id: value.event.id, ...incarnationOf(value.citation.segment) }];
  if (!Array.isArray(value)) return [];
  if (request.type === "timeline")
    return (value as readonly { id: string; kind: string }[]).flatMap(({ id, kind }) =>
      kind === "tombstone" ? [] : [{ id, incarnation: null }],
    );
  if (request.type !== "export") return [];
  return (value as readonly { segment: string; lines: readonly string[] }[]).flatMap(({ segment, lines }) =>
    lines.flatMap((line) => {
      const { id, kind } = JSON.parse(line) as { readonly id: string; readonly kind: string };
      return kind === "tombstone" ? [] : [{ id, ...incarnationOf(segment) }];
    }),
  );
}

function incarnationOf(segment: string): { readonly incarnation: number | null } {
  return { incarnation: placeOfSegment(segment)?.incarnation ?? null };
}
