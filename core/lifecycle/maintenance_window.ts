/**
 * When heavy background work may run: a daily window in UTC, so that it has the quiet hours. Indexing of what is new
 * and what somebody asked for do not wait for it.
 *
 *   "02:00-05:00"   from two to five
 *   "22:30-04:00"   over midnight
 *   absent          always
 */
import { fail, ok, type Result, unprocessable } from "../errors.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const SHAPE = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/;

/** Milliseconds since midnight UTC; `end` is outside, and before `start` when the window lasts over midnight. */
export interface MaintenanceWindow {
  readonly startMs: number;
  readonly endMs: number;
}

/** "HH:MM-HH:MM", from 00:00 to 23:59; the two differ. */
export function parseMaintenanceWindow(text: string): Result<MaintenanceWindow> {
  const [, ...digits] = SHAPE.exec(text) ?? [];
  const [startHour, startMinute, endHour, endMinute] = digits.map(Number);
  const startMs = minutes(startHour, startMinute);
  const endMs = minutes(endHour, endMinute);
  if (startMs === null || endMs === null)
    return fail(unprocessable("MAINTENANCE_WINDOW_UTC", "must be HH:MM-HH:MM, such as 02:00-05:00"));
  if (startMs === endMs)
    return fail(unprocessable("MAINTENANCE_WINDOW_UTC", "must not end when it begins; leave it out for always"));
  return ok({ startMs, endMs });
}

function minutes(hour: number | undefined, minute: number | undefined): number | null {
  return hour === undefined || minute === undefined ? null : (hour * 60 + minute) * MINUTE_MS;
}

/** When heavy work may begin: `nowMs` inside the window (or without one), else when it opens next. */
export function mayBeginAtMs(window: MaintenanceWindow | null, nowMs: number): number {
  if (window === null) return nowMs;
  const midnightMs = nowMs - (nowMs % DAY_MS);
  const today = nowMs - midnightMs;
  const { startMs, endMs } = window;
  const isInside = startMs < endMs ? today >= startMs && today < endMs : today >= startMs || today < endMs;
  if (isInside) return nowMs;
  return midnightMs + startMs + (today < startMs ? 0 : DAY_MS);
}
