import fc from "fast-check";
import { expect, test } from "vitest";
import { isDue, nextDelay } from "../../core/index/debt.ts";

const thresholds = { indexEvents: 100, indexBytes: 1_000_000, indexAgeMs: 60_000 };

test("nothing is never due, however old it is said to be", () => {
  expect(nextDelay({ events: 0, bytes: 0, ageMs: 1e12 }, thresholds)).toBeNull();
  expect(isDue({ events: 0, bytes: 0, ageMs: 1e12 }, thresholds)).toBe(false);
});

test("debt is due as soon as events, bytes or age reach their threshold", () => {
  const small = { events: 99, bytes: 999_999, ageMs: 59_999 };
  expect(isDue(small, thresholds)).toBe(false);
  expect(isDue({ ...small, events: 100 }, thresholds)).toBe(true);
  expect(isDue({ ...small, bytes: 1_000_000 }, thresholds)).toBe(true);
  expect(isDue({ ...small, ageMs: 60_000 }, thresholds)).toBe(true);
});

test("debt is due after its delay and not a millisecond sooner", () => {
  const debt = fc.record({
    events: fc.integer({ min: 1, max: 200 }),
    bytes: fc.nat(2_000_000),
    ageMs: fc.nat(120_000),
  });
  fc.assert(
    fc.property(debt, (now) => {
      const delay = nextDelay(now, thresholds) ?? Number.NaN;
      expect(isDue({ ...now, ageMs: now.ageMs + delay }, thresholds)).toBe(true);
      if (delay > 0) expect(isDue({ ...now, ageMs: now.ageMs + delay - 1 }, thresholds)).toBe(false);
    }),
  );
});
