/**
 * Chance that repeats: the same numbers from a seed, on every engine. A 32-bit Weyl sequence behind a finaliser with
 * good avalanche (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014); no floating-point
 * function that engines may round differently.
 */

export interface RandomNumbers {
  /** An integer in 0..2^32 − 1. */
  bits(): number;
  /** In [0, 1). */
  unit(): number;
  /** An integer in 0..below − 1. */
  below(below: number): number;
  /** Near enough to the standard normal distribution: mean 0, variance 1, within ±3.5. */
  normal(): number;
}

const GOLDEN = 0x9e3779b9;
/** Four uniform numbers, summed, have variance 4/12. */
const NORMAL_SCALE = Math.sqrt(3);

export function randomNumbers(seed: number): RandomNumbers {
  let state = seed >>> 0;
  const bits = (): number => {
    state = (state + GOLDEN) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  };
  const unit = (): number => bits() / 2 ** 32;
  return {
    bits,
    unit,
    below: (below) => Math.floor(unit() * below),
    normal: () => (unit() + unit() + unit() + unit() - 2) * NORMAL_SCALE,
  };
}
