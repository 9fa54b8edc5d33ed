import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ExpiringCache } from "../../core/access/expiring_cache.ts";

const LIFE_MS = 10;
const ENTRIES_MAX = 2;
const anyName = fc.constantFrom("a", "b", "c", "d");
const step = fc.oneof(
  fc.record({ act: fc.constant("set" as const), name: anyName, value: fc.nat(9) }),
  fc.record({ act: fc.constant("drop" as const), name: anyName }),
  fc.record({ act: fc.constant("wait" as const), ms: fc.nat(6) }),
);

interface Held {
  readonly name: string;
  readonly value: number;
  readonly setMs: number;
}

describe("an expiring cache", () => {
  it("answers what was set last within its life and not dropped, and never more entries than its limit", () => {
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const clock = { ms: 0, now: () => clock.ms };
        const cache = new ExpiringCache<number>(clock, LIFE_MS, ENTRIES_MAX);
        let held: readonly Held[] = [];
        for (const taken of steps) {
          if (taken.act === "wait") {
            clock.ms += taken.ms;
            continue;
          }
          held = held.filter(({ name }) => name !== taken.name);
          if (taken.act === "drop") cache.drop(taken.name);
          else {
            cache.set(taken.name, taken.value);
            held = [...held, { name: taken.name, value: taken.value, setMs: clock.ms }].slice(-ENTRIES_MAX);
          }
        }
        for (const name of ["a", "b", "c", "d"]) {
          const alive = held.find((entry) => entry.name === name && entry.setMs + LIFE_MS > clock.ms);
          expect(cache.get(name)).toBe(alive?.value);
        }
      }),
    );
  });
});
