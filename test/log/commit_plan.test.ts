import fc from "fast-check";
import { expect, it } from "vitest";
import { arrivalOf, gather, nextDay } from "../../core/log/commit_plan.ts";

const DAY = 86_400_000;
const clock = fc.array(fc.integer({ min: 0, max: 50 * DAY }), { minLength: 1, maxLength: 30 });

it("the day in a key is a midnight and never decreases, whatever the clock does", () => {
  fc.assert(
    fc.property(clock, (times) => {
      let day: number | null = null;
      for (const now of times) {
        const next = nextDay(day, now);
        expect(next % DAY).toBe(0);
        expect(next).toBe(Math.max(day ?? 0, now - (now % DAY)));
        day = next;
      }
    }),
  );
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

it("a commit takes the longest run of waiting requests that fits a segment and a shard, and at least one", () => {
  const size = fc.record({ rawBytes: fc.nat(40), shardBytes: fc.nat(40) });
  const room = fc.record({ rawBytes: fc.nat(100), shardBytes: fc.nat(100) });
  fc.assert(
    fc.property(fc.array(size), room, (sizes, max) => {
      const fits = (count: number, of: keyof typeof max) =>
        sizes.slice(0, count).reduce((total, one) => total + one[of], 0) <= max[of];
      const fitting = sizes
        .map((_, i) => i + 1)
        .filter((count) => fits(count, "rawBytes") && fits(count, "shardBytes"));
      expect(gather(sizes, max)).toBe(sizes.length === 0 ? 0 : Math.max(1, ...fitting));
    }),
  );
});
