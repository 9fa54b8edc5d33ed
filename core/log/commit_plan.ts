/**
 * What the sequencer decides before a put. Pure: the object holds the state, these say what comes next.
 */
import { SEGMENT_RAW_BYTES_MAX, SHARD_BYTES_MAX } from "../limits.ts";

const DAY_MS = 86_400_000;

/** The day in the next segment's key: today, or a later day when the clock was once ahead. It never decreases. */
export function nextDay(previousDayMs: number | null, nowMs: number): number {
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS;
  return previousDayMs === null ? today : Math.max(previousDayMs, today);
}

/** The next commit's time of arrival: never before its predecessor's, whatever the clock says. */
export function arrivalOf(previousArrivalMs: number | null, nowMs: number): number {
  return previousArrivalMs === null ? nowMs : Math.max(previousArrivalMs, nowMs);
}

export interface RequestSize {
  readonly rawBytes: number;
  /** What its lines will take of a shard, which can hold no less than a commit. */
  readonly shardBytes: number;
}

/**
 * How many of the waiting requests, in order of arrival, the next commit takes: as many as fit in one segment and one
 * shard, and at least one, since a request is never split.
 */
export function gather(
  waiting: readonly RequestSize[],
  { rawBytes, shardBytes }: RequestSize = { rawBytes: SEGMENT_RAW_BYTES_MAX, shardBytes: SHARD_BYTES_MAX },
): number {
  let taken = 0;
  let raw = 0;
  let shard = 0;
  for (const request of waiting) {
    raw += request.rawBytes;
    shard += request.shardBytes;
    if (taken > 0 && (raw > rawBytes || shard > shardBytes)) break;
    taken++;
  }
  return taken;
}
