/**
 * What an entity's object must not forget, and keeps in memory beside SQLite (entity_tables.ts): one record, written anew
 * in every transaction that changes it.
 */
import type { Head, RedactedLines, ShardEntry } from "../../core/schema/stored.ts";
import { type Attempts, NO_ATTEMPTS } from "./attempts.ts";

/** A put of a commit, and the key that it and every retry of it goes by. */
export interface Intent {
  readonly commit: number;
  readonly segment: string;
}

/**
 * Shards that are built anew from segments, one after another, to take the place of the head's over the same commits: of
 * all that it covers, or of a range whose shard is damaged or gone.
 */
export interface Rebuilding extends Attempts {
  readonly revision: string;
  readonly from: number;
  /** Last commit of the range; null: as far as the head goes. */
  readonly to: number | null;
  /** What there is so far: from `from` on, without a gap. */
  readonly shards: readonly ShardEntry[];
  /** Midnight UTC of the day under which the last commit in `shards` lies; null: not known. */
  readonly dayMs: number | null;
  /** Of this state of it; no two of an incarnation are alike. */
  readonly version: number;
}

/** A shard of the head that is damaged or gone. */
export interface LostShard {
  readonly from: number;
  readonly to: number;
  readonly sha256: string;
}

export interface Redaction {
  readonly ids: readonly string[];
  readonly lines: readonly RedactedLines[];
  /** Digests of blobs that only these lines name. */
  readonly blobs: readonly string[];
  /** Of its record in the log; null until that is there. */
  readonly commit: number | null;
  /** Model outputs are without those lines. */
  readonly outputsDone: boolean;
  /** Everything is done but for the last deletion, which is due then. */
  readonly sweepAtMs: number | null;
}

export interface LogCounts {
  /** Events but for tombstones, less one for each tombstone. */
  readonly events: number;
  /** Greatest event time, epoch milliseconds. */
  readonly lastTs: number | null;
}

/** How far the collection of what no head names has come (collect.ts). */
export interface Collection {
  readonly phase: "idle" | "marking" | "waiting" | "deleting";
  /** When the phase began. */
  readonly sinceMs: number;
  /** Since when there may be something to collect that no marking has looked for; null: there is nothing. */
  readonly litteredMs: number | null;
  /** Of the head when the last marking began: each one since has left something behind. */
  readonly markedVersion: number;
  /** Objects that were deleted. */
  readonly collected: number;
}

export interface EntityState extends Attempts {
  readonly incarnation: number;
  /** s: the last acknowledged commit. */
  readonly last: number;
  readonly lastArrivalMs: number;
  /** Midnight UTC of the day that the next put goes by: with `incarnation` and `last` it is the key of it. */
  readonly lastDayMs: number;
  /** A put whose outcome is unknown; null: none, or one that ended with its instance. */
  readonly intent: Intent | null;
  readonly head: Head;
  /** Since when something waits to be indexed; null when nothing does. */
  readonly dirtySinceMs: number | null;
  /** Up to which commit the tenant has been told that this entity needs indexing. */
  readonly registered: number;
  readonly lastNudgeMs: number;
  readonly lastIndexedMs: number | null;
  /** Of the log up to `last`; null after a recovery, until they are counted. */
  readonly counts: LogCounts | null;
  /** The newest head that `head.json` names, and when it was written. */
  readonly hint: { readonly version: number; readonly writtenMs: number };
  /** Dimensions of supplied vectors; 0 while none was supplied. */
  readonly dimensions: number;
  /** When a read or an append last needed copies of shards, to COPIES_USED_EXACT_MS; null before the first did. */
  readonly copiesUsedMs: number | null;
  readonly rebuilding: Rebuilding | null;
  /** Versions of `rebuilding` that there were. */
  readonly rebuildings: number;
  /** Of the head: each is answered from its segments, and built again. */
  readonly lost: readonly LostShard[];
  /** Commits up to this are in no shard of the head, and not in the tail either: there is no answer without a rebuild. */
  readonly unread: number;
  /**
   * The commit that records the last redaction: snapshots from before it are refused. 0: there was none. While one is
   * under way, the commit before its record.
   */
  readonly redacted: number;
  /** Set while a redaction is under way. */
  readonly redaction: Redaction | null;
  /** Merge all shards into as few as fit, at the next build. */
  readonly compact: boolean;
  readonly collection: Collection;
  /** Commits up to here are rolled up, or too large for it (rollups.ts); 0: it has to be looked up. */
  readonly rolled: number;
  /**
   * Set while a deleted incarnation is being swept from the store. `resumed`: by a recovery that found its mark; of the
   * incarnation after it a put may be under way, from before the state was lost.
   */
  readonly erasing: {
    readonly incarnation: number;
    readonly emptySinceMs: number | null;
    readonly resumed: boolean;
  } | null;
}

/** Before there is a head, or when the last one is not to be used: version numbers go on from `version`. */
export function noHead(incarnation: number, version: number): Head {
  return { version, incarnation, revision: "", covered: 0, shards: [] };
}

export function newState(incarnation: number, registered = 0): EntityState {
  return {
    incarnation,
    last: 0,
    lastArrivalMs: 0,
    lastDayMs: 0,
    intent: null,
    head: noHead(incarnation, 0),
    dirtySinceMs: null,
    registered,
    lastNudgeMs: 0,
    lastIndexedMs: null,
    counts: { events: 0, lastTs: null },
    hint: { version: 0, writtenMs: 0 },
    dimensions: 0,
    ...NO_ATTEMPTS,
    copiesUsedMs: null,
    rebuilding: null,
    rebuildings: 0,
    lost: [],
    unread: 0,
    redacted: 0,
    redaction: null,
    compact: false,
    collection: { phase: "idle", sinceMs: 0, litteredMs: null, markedVersion: 0, collected: 0 },
    rolled: 0,
    erasing: null,
  };
}

/** Where the tail begins: after this commit. */
export function tailAfter({ head, unread }: Pick<EntityState, "head" | "unread">): number {
  return Math.max(head.covered, unread);
}

/** What a head says of the last redaction. */
export function redactedOf({ redacted }: EntityState): Pick<Head, "redacted"> {
  return redacted === 0 ? {} : { redacted };
}

/** The head without the shards that were lost. */
export function wholeHead({ head, lost }: Pick<EntityState, "head" | "lost">): Head {
  if (lost.length === 0) return head;
  const gone = new Set(lost.map(({ sha256 }) => sha256));
  return { ...head, shards: head.shards.filter(({ sha256 }) => !gone.has(sha256)) };
}

/** Whether head and tail are the log, and answer the questions of this revision. */
export function isReadable({ head, unread }: EntityState, revision: string): boolean {
  return (head.covered === 0 || head.revision === revision) && unread <= head.covered;
}

/** An append's answer without the ids that the same body brings again: ten thousand of them would not fit in a row. */
export interface RecordedResult {
  readonly commit: number;
  readonly segment: string;
  readonly accepted: number;
  readonly duplicates: number;
  /** Which of the request's events are in conflict. */
  readonly conflicts: readonly number[];
  readonly token: string;
}

/** A commit of the tail, without its bytes. */
export interface TailCommit {
  readonly commit: number;
  readonly segment: string;
  readonly sha256: string;
  readonly arrivalMs: number;
  readonly lines: number;
  readonly rawBytes: number;
  /** Lines with a vector, its dimensions (0: none has one), and the bytes of all digits in `rawBytes`. */
  readonly vectors: number;
  readonly dimensions: number;
  readonly vectorBytes: number;
}
