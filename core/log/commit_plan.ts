/**
 * What the sequencer decides before a put. Pure: the object holds the state, these say what comes next.
 */
import { SEGMENT_RAW_BYTES_MAX } from "../limits.ts";

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

/**
 * How many of the waiting requests, given by their raw bytes in order of arrival, the next commit takes: as many as fit
 * in one segment, and at least one, since a request is never split.
 */
export function gather(waitingRawBytes: readonly number[], rawBytesMax: number = SEGMENT_RAW_BYTES_MAX): number {
  let taken = 0;
  let total = 0;
  for (const rawBytes of waitingRawBytes) {
    total += rawBytes;
    if (taken > 0 && total > rawBytesMax) break;
    taken++;
  }
  return taken;
}
