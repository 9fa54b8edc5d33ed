/**
 * Which snapshot a request sees, and through which parts. Pure: state in, snapshot out.
 */
import { type Failure, fail, invalid, ok, type Result } from "../errors.ts";
import type { Part } from "../index/part.ts";
import { parseSnapshotToken, parseWriteToken } from "../log/token.ts";
import type { Digest } from "../ports.ts";
import type { EntityScope } from "../rpc.ts";
import type { SearchRequest } from "../schema/search.ts";
import { type Snapshot, spaceOfView, type View, vectorsThrough } from "./view.ts";

/** What the log offers at the moment a request arrived. */
export interface LogPosition {
  readonly incarnation: number;
  readonly revision: string;
  /** s. */
  readonly last: number;
  /** c. */
  readonly covered: number;
  /** The commit of the last redaction; 0: none. */
  readonly redacted: number;
  /** m of a strong read. */
  readonly vectorCommit: number;
}

/** What a request sees. */
export interface Seen {
  readonly snapshot: Snapshot;
  /** The head that a pinned snapshot was first read through; null when it is not pinned. */
  readonly pinnedVersion: number | null;
}

type Wanted = Pick<SearchRequest, "snapshot" | "atLeast" | "asOf" | "consistency">;

/** `commitAsOf` gives the newest commit that had arrived by a time. */
export function chooseSnapshot(
  request: Wanted,
  log: LogPosition,
  scope: EntityScope,
  digest: Digest,
  commitAsOf: (ms: number) => number,
): Result<Seen> {
  const atLeast = request.atLeast === null ? ok(0) : readAtLeast(request.atLeast, log, scope, digest);
  if (!atLeast.ok) return atLeast;
  const base =
    request.snapshot === null
      ? ok({ snapshot: current(request, log, atLeast.value), pinnedVersion: null })
      : pinned(request.snapshot, log, scope, digest);
  if (!base.ok) return base;
  const { snapshot, pinnedVersion } = base.value;
  if (snapshot.commit < atLeast.value)
    return fail(conflict("The snapshot is older than the write that `at_least` names."));
  const asOf = request.asOf === null ? snapshot : restricted(snapshot, commitAsOf(request.asOf));
  return ok({ snapshot: asOf, pinnedVersion });
}

function current(request: Wanted, log: LogPosition, atLeast: number): Snapshot {
  const strong = request.consistency === "strong" || atLeast > log.covered;
  return snapshotAt(log, strong ? log.last : log.covered);
}

function restricted(snapshot: Snapshot, commit: number): Snapshot {
  if (commit >= snapshot.commit) return snapshot;
  return { ...snapshot, commit, vectorCommit: Math.min(snapshot.vectorCommit, commit) };
}

function readAtLeast(text: string, log: LogPosition, scope: EntityScope, digest: Digest): Result<number> {
  const read = parseWriteToken(scope, text, digest);
  if (read.kind === "malformed") return fail(invalid("at_least", "is not a write token"));
  if (read.kind === "foreign" || read.token.incarnation !== log.incarnation || read.token.commit > log.last) {
    return fail(conflict("`at_least` names a write that was never acknowledged for this entity."));
  }
  return ok(read.token.commit);
}

function pinned(text: string, log: LogPosition, scope: EntityScope, digest: Digest): Result<Seen> {
  const read = parseSnapshotToken(scope, text, digest);
  if (read.kind === "malformed") return fail(invalid("snapshot", "is not a snapshot token"));
  if (read.kind === "foreign") return fail(conflict("`snapshot` was never issued for this entity."));
  const { snapshot, redacted = 0 } = read.token;
  if (snapshot.incarnation < log.incarnation) {
    return fail({ reason: "snapshot_erased", detail: "What this snapshot saw was erased." });
  }
  if (snapshot.incarnation > log.incarnation || snapshot.commit > log.last) {
    return fail(conflict("`snapshot` was never issued for this entity."));
  }
  if (redacted < log.redacted) {
    return fail({ reason: "snapshot_erased", detail: "Some of what this snapshot saw was redacted." });
  }
  if (snapshot.revision !== log.revision) {
    return fail({ reason: "snapshot_expired", detail: "The settings that this snapshot was read under have changed." });
  }
  return ok({ snapshot, pinnedVersion: read.token.version });
}

/** σ at `commit`, which is not after the last. */
export function snapshotAt(log: LogPosition, commit: number): Snapshot {
  return {
    incarnation: log.incarnation,
    commit,
    vectorCommit: Math.min(log.vectorCommit, commit),
    revision: log.revision,
  };
}

/**
 * The parts that the snapshot sees something of. Where supplied vectors are searched, m is s: these count at once, and
 * how far an indexer has come must not show in the snapshot's name.
 */
export function viewOf(parts: readonly Part[], snapshot: Snapshot): View {
  const view = { snapshot, parts: parts.filter((part) => part.from <= snapshot.commit) };
  return { ...view, snapshot: { ...snapshot, vectorCommit: vectorsThrough(snapshot, spaceOfView(view)) } };
}

/** The newest commit that had arrived by `ms`; 0 when none had. Arrivals never decrease. */
export function commitAsOf(parts: readonly Part[], ms: number): number {
  let newest = 0;
  for (const part of parts) {
    for (const { commit, arrivalMs } of part.commits) if (arrivalMs <= ms) newest = commit;
  }
  return newest;
}

function conflict(detail: string): Failure {
  return { reason: "conflict", detail };
}
