/**
 * Decides, before the put, which lines of the waiting requests are new: the first event with an id wins, in the log and
 * among those that wait. Pure but for the look-up of earlier ids, which is passed in.
 */
import { fail, ok, type Result, unprocessable } from "../../core/errors.ts";
import { sameContent } from "../../core/log/line.ts";
import type { Digest } from "../../core/ports.ts";
import type { PreparedLine } from "../../core/rpc.ts";

/** Where an id already stands. */
export interface Earlier {
  readonly commit: number;
  readonly segment: string;
  /** As it came, or as a part keeps it. */
  readonly line: string;
}

export interface Candidate {
  readonly prepared: readonly PreparedLine[];
  /** The request's lines, canonical; decoded when first asked for. */
  readonly lines: () => Result<readonly string[]>;
}

export interface Admission {
  /** Indexes of the request's lines that are already in the log, ascending. */
  readonly dropped: readonly number[];
  /** Indexes of dropped lines whose first event has other content. */
  readonly conflicts: readonly number[];
  /** The newest commit that one of the dropped lines stands in; null when one of them stands in this group, or none was dropped. */
  readonly earlier: { readonly commit: number; readonly segment: string } | null;
  readonly dimensions: number;
}

/** Ids admitted by requests of the same group commit. */
export type AdmittedIds = Map<string, () => Result<string>>;

/**
 * `dimensions` is the entity's (0: no vector was supplied yet). On success the request's new ids are added to
 * `admitted`; on failure nothing is.
 */
export function admit(
  request: Candidate,
  dimensions: number,
  earlierOf: (id: string) => Earlier | null,
  admitted: AdmittedIds,
  digest: Digest,
): Result<Admission> {
  const fresh: AdmittedIds = new Map();
  const dropped: number[] = [];
  const conflicts: number[] = [];
  let earlier: Admission["earlier"] = null;
  let isBesideSibling = false;
  let space = dimensions;
  for (const [index, line] of request.prepared.entries()) {
    const logged = earlierOf(line.id);
    const sibling = admitted.get(line.id) ?? fresh.get(line.id);
    if (logged === null && sibling === undefined) {
      if (line.dimensions > 0) {
        if (space !== 0 && space !== line.dimensions) return fail(wrongDimensions(index, line.dimensions, space));
        space = line.dimensions;
      }
      fresh.set(line.id, () => lineAt(request, index));
      continue;
    }
    dropped.push(index);
    if (logged === null) isBesideSibling = true;
    if (logged !== null && (earlier === null || logged.commit > earlier.commit)) earlier = logged;
    const first = logged !== null ? ok(logged.line) : sibling?.();
    if (first === undefined || !first.ok) return first ?? fail({ reason: "internal" });
    const incoming = lineAt(request, index);
    if (!incoming.ok) return incoming;
    if (!sameContent(first.value, incoming.value, line.tsDefaulted, digest)) conflicts.push(index);
  }
  for (const [id, line] of fresh) admitted.set(id, line);
  return ok({ dropped, conflicts, earlier: isBesideSibling ? null : earlier, dimensions: space });
}

function wrongDimensions(index: number, got: number, expected: number) {
  return unprocessable(`events.${index}.vector`, `has ${got} dimensions; this entity's vectors have ${expected}`);
}

function lineAt(request: Candidate, index: number): Result<string> {
  const lines = request.lines();
  if (!lines.ok) return lines;
  const line = lines.value[index];
  return line === undefined ? fail({ reason: "internal" }) : ok(line);
}
