import fc from "fast-check";
import { expect, it } from "vitest";
import { isBuildable, NO_LOAD, together } from "../../core/index/build_load.ts";
import {
  BUILD_MEMORY_BYTES_MAX,
  SEGMENT_DAY_GRACE_MS,
  SEGMENT_RAW_BYTES_MAX,
  SHARD_BYTES_MAX,
} from "../../core/limits.ts";
import { arrivalOf, gather, nextDay, type RequestSize } from "../../core/log/commit_plan.ts";

const DAY = 86_400_000;
const clock = fc.array(fc.integer({ min: 0, max: 50 * DAY }), { minLength: 1, maxLength: 30 });

it("the day in a key is a midnight and never decreases, whatever the clock does", () => {
  fc.assert(
    fc.property(clock, (times) => {
      let day = 0;
      for (const now of times) {
        const next = nextDay(day, now);
        expect(next % DAY).toBe(0);
        expect(next).toBeGreaterThanOrEqual(day);
        expect(now).toBeLessThan(next + DAY + SEGMENT_DAY_GRACE_MS);
        day = next;
      }
    }),
  );
});

it("the day in a key stays for a grace after it is over, and is then today", () => {
  expect(nextDay(DAY, 2 * DAY + SEGMENT_DAY_GRACE_MS - 1)).toBe(DAY);
  expect(nextDay(DAY, 2 * DAY + SEGMENT_DAY_GRACE_MS)).toBe(2 * DAY);
  expect(nextDay(DAY, 7 * DAY)).toBe(7 * DAY);
});

it("arrivals never decrease and are the clock's whenever it is ahead", () => {
  fc.assert(
    fc.property(clock, (times) => {
      let arrival: number | null = null;
      let greatest = 0;
      for (const now of times) {
        arrival = arrivalOf(arrival, now);
        greatest = Math.max(greatest, now);
        expect(arrival).toBe(greatest);
      }
    }),
  );
});

it("a commit takes the longest run of waiting requests that fits a segment and a build, and at least one", () => {
  const size = fc.record({
    rawBytes: fc.nat(SEGMENT_RAW_BYTES_MAX / 4),
    load: fc.record({ bytes: fc.nat(SHARD_BYTES_MAX / 4), memoryBytes: fc.nat(BUILD_MEMORY_BYTES_MAX / 4) }),
  });
  fc.assert(
    fc.property(fc.array(size), (sizes) => {
      const fits = (count: number) => {
        const first = sizes.slice(0, count);
        const rawBytes = first.reduce((sum, one) => sum + one.rawBytes, 0);
        return (
          rawBytes <= SEGMENT_RAW_BYTES_MAX && isBuildable(first.map(({ load }) => load).reduce(together, NO_LOAD))
        );
      };
      const fitting = sizes.map((_, i) => i + 1).filter(fits);
      expect(gather(sizes)).toBe(sizes.length === 0 ? 0 : Math.max(1, ...fitting));
    }),
  );
});

it("a commit may fill a segment and a build to the last byte", () => {
  const full = { bytes: SHARD_BYTES_MAX, memoryBytes: BUILD_MEMORY_BYTES_MAX };
  const rest = (change: Partial<RequestSize>) => [
    { rawBytes: SEGMENT_RAW_BYTES_MAX, load: full },
    { rawBytes: 0, load: NO_LOAD, ...change },
  ];
  expect(gather(rest({}))).toBe(2);
  expect(gather(rest({ rawBytes: 1 }))).toBe(1);
  expect(gather(rest({ load: { bytes: 1, memoryBytes: 0 } }))).toBe(1);
  expect(gather(rest({ load: { bytes: 0, memoryBytes: 1 } }))).toBe(1);
});
