/**
 * What the sequencer decides before a put. Pure: the object holds the state, these say what comes next.
 */
import { type BuildLoad, isBuildable, NO_LOAD, together } from "../index/build_load.ts";
import { SEGMENT_DAY_GRACE_MS, SEGMENT_RAW_BYTES_MAX } from "../limits.ts";

const DAY_MS = 86_400_000;

/**
 * The day in the next segment's key: today, once SEGMENT_DAY_GRACE_MS have passed since the day before was over; until
 * then, and when the clock was once ahead, the day before. It never decreases.
 */
export function nextDay(previousDayMs: number, nowMs: number): number {
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS;
  return nowMs < previousDayMs + DAY_MS + SEGMENT_DAY_GRACE_MS ? previousDayMs : today;
}

/** The next commit's time of arrival: never before its predecessor's, whatever the clock says. */
export function arrivalOf(previousArrivalMs: number | null, nowMs: number): number {
  return previousArrivalMs === null ? nowMs : Math.max(previousArrivalMs, nowMs);
}

export interface RequestSize {
  readonly rawBytes: number;
  /** What building its lines into a shard takes. */
  readonly load: BuildLoad;
}

/**
 * How many of the waiting requests, in order of arrival, the next commit takes: as many as fit in one segment and in one
 * build, since a shard holds no less than a commit; and at least one, since a request is never split.
 */
export function gather(waiting: readonly RequestSize[]): number {
  let rawBytes = 0;
  let load = NO_LOAD;
  let taken = 0;
  for (const request of waiting) {
    rawBytes += request.rawBytes;
    load = together(load, request.load);
    if (taken > 0 && (rawBytes > SEGMENT_RAW_BYTES_MAX || !isBuildable(load))) break;
    taken++;
  }
  return taken;
}
