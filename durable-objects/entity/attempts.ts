/**
 * Attempts at index work: when it is handed out, counted, made smaller, given up. Pure; whoever plans work keeps the
 * record with its state.
 */
import { WORK_ATTEMPTS_MAX, WORK_FORGIVEN_MAX, WORK_SILENT_ATTEMPTS_MAX } from "../../core/limits.ts";
import { passedMs } from "./elapsed.ts";

/**
 * The work that was handed out last. An attempt counts when it is handed out, so one that died without a word counts
 * too; after WORK_ATTEMPTS_MAX the work is sealed: visible, and no longer handed out.
 */
export interface AttemptedWork {
  readonly from: number;
  readonly to: number;
  readonly attempts: number;
  readonly sealed: boolean;
  /** Attempts that were not held against it, because the object itself ended in the middle of one. */
  readonly forgiven: number;
  /** When it was handed out, or its worker last said that it is at it; null once it has reported back. */
  readonly handedOutMs: number | null;
  /** Why the last attempt that reported back failed. */
  readonly error: string | null;
}

export interface Attempts {
  readonly attempted: AttemptedWork | null;
  /** Set when a build could not be done: the next takes so many commits at the most, and absorbs nothing. */
  readonly alone: number | null;
  /** Shards up to this commit are absorbed by no build any more, because one that was to failed; 0: none. */
  readonly unabsorbed: number;
}

export const NO_ATTEMPTS: Attempts = { attempted: null, alone: null, unabsorbed: 0 };

/** Now, and how long work is its worker's after it was handed out. */
export interface Lease {
  readonly nowMs: number;
  readonly leaseMs: number;
}

/** One more attempt at work that begins at `from`: what is appended meanwhile only moves its end. */
export function counted(before: AttemptedWork | null, from: number, to: number, nowMs: number): AttemptedWork {
  const known = before?.from === from ? before : null;
  const attempts = (known?.attempts ?? 0) + 1;
  return {
    from,
    to,
    attempts,
    forgiven: known?.forgiven ?? 0,
    error: known?.error ?? null,
    handedOutMs: nowMs,
    sealed: attempts > WORK_ATTEMPTS_MAX,
  };
}

/** Somebody was given this work, has not reported back, and may still be at it: a second nudge is not a failure. */
export function isUnderWay(attempted: AttemptedWork | null, from: number, { nowMs, leaseMs }: Lease): boolean {
  if (attempted?.from !== from || attempted.handedOutMs === null) return false;
  return passedMs(attempted.handedOutMs, nowMs) < leaseMs;
}

/** Its worker's time has hardly begun: that it is still at it need not be written down. */
export function isFresh({ handedOutMs }: AttemptedWork, { nowMs, leaseMs }: Lease): boolean {
  return handedOutMs !== null && passedMs(handedOutMs, nowMs) < leaseMs / 4;
}

/** Whoever was given the work has let its time pass again and again, and may have died of it. */
export function diedSilently(attempted: AttemptedWork | null, lease: Lease): boolean {
  if (attempted === null || attempted.handedOutMs === null || isUnderWay(attempted, attempted.from, lease))
    return false;
  return attempted.attempts >= WORK_SILENT_ATTEMPTS_MAX;
}

/**
 * The object was restarted. An attempt that had time left may have ended with it, and says nothing of the work; one
 * whose time was up had its chance: null.
 */
export function forgiven(attempted: AttemptedWork | null, lease: Lease): AttemptedWork | null {
  if (attempted === null || !isUnderWay(attempted, attempted.from, lease)) return null;
  if (attempted.forgiven >= WORK_FORGIVEN_MAX) return null;
  return {
    ...attempted,
    attempts: attempted.attempts - 1,
    forgiven: attempted.forgiven + 1,
    handedOutMs: null,
  };
}

/** Half of the commits after `covered` that were attempted, and no shards; null when there is no less. */
export function smaller({ attempted, unabsorbed }: Attempts, covered: number): Attempts | null {
  const commits = attempted === null ? 0 : attempted.to - covered;
  const absorbs = attempted !== null && attempted.from <= covered;
  if (commits < 1 || (commits === 1 && !absorbs)) return null;
  return {
    attempted: null,
    alone: Math.max(1, Math.floor(commits / 2)),
    unabsorbed: absorbs ? covered : unabsorbed,
  };
}

/** Its worker reported that it failed. `deferred`: it had to wait for something else, and does not count. */
export function reported(attempted: AttemptedWork, error: string, deferred: boolean): AttemptedWork {
  return { ...attempted, error, handedOutMs: null, attempts: attempted.attempts - Number(deferred) };
}
