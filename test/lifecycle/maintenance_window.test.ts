import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mayBeginAtMs, parseMaintenanceWindow } from "../../core/lifecycle/maintenance_window.ts";

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
const minute = fc.integer({ min: 0, max: DAY_MINUTES - 1 });
const text = (of: number) => `${String(Math.floor(of / 60)).padStart(2, "0")}:${String(of % 60).padStart(2, "0")}`;

/** By walking the minutes from `now` on: the first that the window holds. */
function naive(start: number, end: number, now: number): number {
  for (let at = now; ; at += 1) {
    const today = at % DAY_MINUTES;
    const open = start < end ? today >= start && today < end : today >= start || today < end;
    if (open) return at;
  }
}

describe("a maintenance window", () => {
  test("is open when walking through the minutes finds it so, over midnight too", () => {
    fc.assert(
      fc.property(minute, minute, fc.integer({ min: 0, max: 20_000 }), (start, end, now) => {
        fc.pre(start !== end);
        const window = parseMaintenanceWindow(`${text(start)}-${text(end)}`);
        if (!window.ok) throw new Error(window.failure.reason);
        expect(mayBeginAtMs(window.value, now * MINUTE_MS)).toBe(naive(start, end, now) * MINUTE_MS);
      }),
      { numRuns: 500 },
    );
  });

  test("opens with its first millisecond and is closed with its end", () => {
    const window = parseMaintenanceWindow("22:30-04:00");
    if (!window.ok) throw new Error(window.failure.reason);
    const at = (clock: string) => Date.parse(`2026-01-02T${clock}Z`);
    expect(mayBeginAtMs(window.value, at("22:29:59.999"))).toBe(at("22:30:00.000"));
    for (const open of ["22:30:00.000", "23:59:59.999", "00:00:00.000", "03:59:59.999"])
      expect(mayBeginAtMs(window.value, at(open))).toBe(at(open));
    expect(mayBeginAtMs(window.value, at("04:00:00.000"))).toBe(at("22:30:00.000"));
  });

  test("that is absent is always open", () => expect(mayBeginAtMs(null, 12_345)).toBe(12_345));

  test.each(["", "always", "2:00-5:00", "02:00", "02:00-24:00", "02:60-03:00", "02:00-02:00", " 02:00-03:00"])(
    "cannot be %j",
    (wrong) => expect(parseMaintenanceWindow(wrong)).toMatchObject({ ok: false, failure: { reason: "unprocessable" } }),
  );
});
