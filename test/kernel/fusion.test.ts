import fc from "fast-check";
import { expect, test } from "vitest";
import { FUSION_KEYS_MAX, LEG_CANDIDATES_MAX } from "../../core/limits.ts";
import { slab } from "./fixture.ts";

interface Leg {
  readonly keys: readonly number[];
  readonly units: number;
}

const anyLeg: fc.Arbitrary<Leg> = fc.record({
  keys: fc.uniqueArray(fc.oneof(fc.nat(60), fc.constantFrom(2 ** 31, 2 ** 32 - 1)), { maxLength: 40 }),
  units: fc.oneof(fc.constant(65_536), fc.nat(65_536_000)),
});

function fuseNaively(legs: readonly Leg[], k: number): readonly { readonly key: number; readonly units: bigint }[] {
  const sums = new Map<number, bigint>();
  for (const { keys, units } of legs) {
    keys.forEach((key, index) => {
      const added = (2n ** 32n / BigInt(k + index + 1)) * BigInt(units);
      sums.set(key, (sums.get(key) ?? 0n) + added);
    });
  }
  return [...sums]
    .map(([key, units]) => ({ key, units }))
    .sort((a, b) => (a.units === b.units ? a.key - b.key : a.units < b.units ? 1 : -1));
}

test("fusion adds integer reciprocal ranks over the union, ties by key", () => {
  fc.assert(
    fc.property(fc.array(anyLeg, { maxLength: 4 }), fc.nat(10_000), fc.nat(200), (legs, k, limit) => {
      const asked = legs.map(({ keys, units }) => ({ keys: Uint32Array.from(keys), weight: units / 65_536 }));
      const expected = fuseNaively(legs, k).slice(0, limit);
      const fused = slab.fuse(asked, k, limit);
      expect([...fused.keys]).toEqual(expected.map(({ key }) => key));
      expect([...fused.scores]).toEqual(expected.map(({ units }) => Number(units) / 2 ** 48));
    }),
    { numRuns: 200 },
  );
});

test("fusion takes the widest legs that a search may have", () => {
  const keys = Uint32Array.from({ length: LEG_CANDIDATES_MAX }, (_, i) => i * 2);
  const others = keys.map((key) => key + 1);
  const fused = slab.fuse(
    [
      { keys, weight: 1 },
      { keys: others, weight: 1 },
    ],
    60,
    FUSION_KEYS_MAX,
  );
  expect([...fused.keys]).toEqual(Array.from({ length: FUSION_KEYS_MAX }, (_, i) => i));
});

test("fusion refuses a weight that is no multiple of 2^-16", () => {
  expect(() => slab.fuse([{ keys: Uint32Array.of(1), weight: 0.3 }], 60, 1)).toThrow("weight");
  expect(() => slab.fuse([{ keys: Uint32Array.of(1), weight: -1 }], 60, 1)).toThrow("weight");
});
