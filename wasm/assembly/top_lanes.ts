/**
 * Offers the greatest of an array of f32 to the heap of top_k.ts, with few that do not stay there.
 *
 *   1. The array is cut into runs, of each of which the greatest number of every lane is kept.
 *   2. Bisection among those finds a number that as many of them are above as the heap holds. What is not above it cannot
 *      be among the best: each of those stands for a number of the array.
 *   3. Only runs, and in them only strides, with a number above it are looked at; once the heap is full, above its worst.
 *
 * A heap that has to find this out by itself takes in many times its size, each with a branch or more that nothing
 * foretells.
 */
import { heapCount, heapIsFull, heapLimit, heapOffer, heapWorstScore, keyOf } from "./top_k";

/** Numbers that are looked at together; the array is padded to a multiple of them with numbers that are never above. */
export const STRIDE: u32 = 32;
export const STRIDE_BYTES: usize = 128;
const RUNS_MAX: u32 = 512;
const RUNS_MIN: u32 = 64;
/** Of a run four lanes are kept: eight times as many as are wanted, so that hardly two of the best share one. */
const RUNS_PER_WANTED: u32 = 2;
/** Where the best differ by less than a factor of two, one step finds a number below them. */
const FIRST_STEP: i64 = 1 << 23;
const STEPS_MAX: u32 = 16;
/** Bisection ends when no more than this share too many are above. */
const SPARE_SHARE: u32 = 8;

/** Four lanes a run. */
const MOST: usize = memory.data(8192);
let runs: u32 = 0;

/**
 * Offers those of the `count` numbers at `values` that are above `least`, number i as id `firstId` + i, lower ids first;
 * of equal ones the first stay. `matches`: a bit for each, from the first on, or 0 for all.
 */
export function offerLanes(values: usize, count: u32, firstId: u32, matches: usize, least: f32): void {
  const strides = (count + STRIDE - 1) / STRIDE;
  const runsWanted = min(max(RUNS_PER_WANTED * heapLimit, RUNS_MIN), RUNS_MAX);
  const runBytes = <usize>((strides + runsWanted - 1) / runsWanted) * STRIDE_BYTES;
  const end = values + <usize>strides * STRIDE_BYTES;
  findMost(values, end, runBytes);
  let floor = least;
  if (heapIsFull()) floor = max<f32>(least, heapWorstScore());
  else if (heapCount == 0 && matches == 0) floor = floorOf(least);
  let most = MOST;
  for (let run = values; run < end; run += runBytes, most += 16) {
    if (!isAbove(v128.load(most), floor)) continue;
    for (let at = run, runEnd = min(run + runBytes, end); at < runEnd; at += STRIDE_BYTES) {
      if (!isAbove(mostOfStride(at), floor)) continue;
      const first = <u32>((at - values) >> 2);
      let bits = above(at, floor) | (above(at + 64, floor) << 16);
      if (matches != 0) bits &= load<u32>(matches + (first >> 3));
      floor = offerBits(at, bits, firstId + first, floor);
    }
  }
}

function offerBits(at: usize, bits: u32, firstId: u32, floor: f32): f32 {
  for (; bits != 0; bits &= bits - 1) {
    const index = ctz<u32>(bits);
    const value = load<f32>(at + ((<usize>index) << 2));
    if (!(value > floor)) continue;
    heapOffer(keyOf(value, firstId + index));
    if (heapIsFull()) floor = max<f32>(floor, heapWorstScore());
  }
  return floor;
}

@inline
function isAbove(lanes: v128, floor: f32): bool {
  return v128.any_true(f32x4.gt(lanes, f32x4.splat(floor)));
}

/** A bit for each of sixteen numbers. */
@inline
function above(at: usize, floor: f32): u32 {
  const bound = f32x4.splat(floor);
  const low = i16x8.narrow_i32x4_s(f32x4.gt(v128.load(at), bound), f32x4.gt(v128.load(at, 16), bound));
  const high = i16x8.narrow_i32x4_s(f32x4.gt(v128.load(at, 32), bound), f32x4.gt(v128.load(at, 48), bound));
  return i8x16.bitmask(i8x16.narrow_i16x8_s(low, high));
}

// --- Runs -----------------------------------------------------------------------------------

function findMost(values: usize, end: usize, runBytes: usize): void {
  runs = 0;
  for (let run = values; run < end; run += runBytes) {
    let most = f32x4.splat(-Infinity);
    for (let at = run, runEnd = min(run + runBytes, end); at < runEnd; at += STRIDE_BYTES)
      most = f32x4.pmax(most, mostOfStride(at));
    v128.store(MOST + ((<usize>runs) << 4), most);
    runs += 1;
  }
}

/** By lane. What is no number is not above anything, and must come second: `pmax` keeps the first when it cannot tell. */
@inline
function mostOfStride(at: usize): v128 {
  const none = f32x4.splat(-Infinity);
  let a = f32x4.pmax(f32x4.pmax(none, v128.load(at)), v128.load(at, 16));
  let b = f32x4.pmax(f32x4.pmax(none, v128.load(at, 32)), v128.load(at, 48));
  a = f32x4.pmax(f32x4.pmax(a, v128.load(at, 64)), v128.load(at, 80));
  b = f32x4.pmax(f32x4.pmax(b, v128.load(at, 96)), v128.load(at, 112));
  return f32x4.pmax(a, b);
}

// --- Bisection ------------------------------------------------------------------------------

/** A number not below `least` that at least as many of the kept ones are above as the heap holds; or `least`. */
function floorOf(least: f32): f32 {
  if (countAbove(least) < heapLimit) return least;
  const lowest = keyOfNumber(least);
  let high = keyOfNumber(greatestKept());
  let low = max(high - FIRST_STEP, lowest);
  let count = countAbove(numberOfKey(low));
  while (count < heapLimit && low > lowest) {
    const below = max(low - 2 * (high - low), lowest);
    high = low;
    low = below;
    count = countAbove(numberOfKey(low));
  }
  for (let step: u32 = 0; step < STEPS_MAX && count > heapLimit + heapLimit / SPARE_SHARE; step++) {
    const middle = low + ((high - low) >> 1);
    const above = countAbove(numberOfKey(middle));
    if (above < heapLimit) {
      high = middle;
    } else {
      low = middle;
      count = above;
    }
  }
  return numberOfKey(low);
}

function countAbove(floor: f32): u32 {
  const bound = f32x4.splat(floor);
  let counts = i32x4.splat(0);
  for (let run: u32 = 0; run < runs; run++)
    counts = i32x4.sub(counts, f32x4.gt(v128.load(MOST + ((<usize>run) << 4)), bound));
  const pairs = i32x4.add(counts, v128.shuffle<i64>(counts, counts, 1, 0));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}

function greatestKept(): f32 {
  let most = v128.load(MOST);
  for (let run: u32 = 1; run < runs; run++) most = f32x4.pmax(most, v128.load(MOST + ((<usize>run) << 4)));
  const pairs = f32x4.pmax(most, v128.shuffle<i64>(most, most, 1, 0));
  return max<f32>(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

/** Bits that order as the numbers do. */
@inline
function keyOfNumber(value: f32): i64 {
  const bits = reinterpret<i32>(value);
  return <i64>(bits ^ ((bits >> 31) & 0x7fffffff));
}

@inline
function numberOfKey(key: i64): f32 {
  const bits = <i32>key;
  return reinterpret<f32>(bits ^ ((bits >> 31) & 0x7fffffff));
}
