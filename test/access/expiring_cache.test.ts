import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ExpiringCache } from "../../core/access/expiring_cache.ts";

const LIFE_MS = 10;
const step = fc.oneof(
  fc.record({ act: fc.constant("set" as const), name: fc.constantFrom("a", "b", "c", "d"), value: fc.nat(9) }),
  fc.record({ act: fc.constant("wait" as const), ms: fc.nat(6) }),
);

describe("an expiring cache", () => {
  it("answers what was set last within its life, and never more entries than its limit", () => {
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const clock = { ms: 0, now: () => clock.ms };
        const cache = new ExpiringCache<number>(clock, LIFE_MS, 2);
        const history: { name: string; value: number; ms: number }[] = [];
        for (const taken of steps) {
          if (taken.act === "wait") clock.ms += taken.ms;
          else {
            cache.set(taken.name, taken.value);
            history.push({ name: taken.name, value: taken.value, ms: clock.ms });
          }
        }
        const newest = [...new Map(history.map((entry) => [entry.name, entry])).values()];
        const youngest = newest.toSorted((a, b) => history.lastIndexOf(b) - history.lastIndexOf(a)).slice(0, 2);
        for (const name of ["a", "b", "c", "d"]) {
          const held = youngest.find((entry) => entry.name === name && entry.ms + LIFE_MS > clock.ms);
          expect(cache.get(name)).toBe(held?.value);
        }
      }),
    );
  });
});
