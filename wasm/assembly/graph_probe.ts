/**
 * How near vectors in rows are to one probe: a query, or a vector of the section. Higher is nearer.
 *
 * What a traversal finds is scored exactly afterwards (graph_search.ts); on its way it knows a vector by its codes and a
 * step, by which they are multiplied:
 *
 *   cosine    1 / |codes|. The scale makes the stored vector one long, not its codes: where all vectors point nearly one
 *             way, what rounding does to lengths is more than lies between neighbours
 *   dot, l2   256 · scale, as a part of the section's greatest: nothing passes what 32 bits hold
 *
 * With P = Σ code · probe, in codes, nearness is
 *
 *   cosine, dot  P · (step · probe's step)
 *   l2           2 (step · probe's step) P − (step² Σ code² + probe's step² Σ probe²): minus the squared distance of
 *                the points that codes and steps stand for, so that it is as sharp far from the origin as near it
 *
 * P is an integer; whatever follows is done in one order, and a pair has the same nearness from either side. Steps are
 * not stored: they are measured when a part is loaded, and when a building goes on.
 */
import { arenaTake } from "./arena";
import { CODE_STEP, METRIC_COSINE, METRIC_L2, PLANE_OFFSET, quantizedSquares, queryScale, rowBytes } from "./vector_codec";
import { dot, queryOfRows, SHORT_DIMENSIONS_MAX, sumOfLanes, sumsOfFour } from "./vector_query";
import { vectorCount, vectorDimensions, vectorMetric, vectorScales } from "./vector_section";

const GROUP: u32 = 16;

let rows: usize = 0;
let stride: usize = 0;
/** Of each vector its step f32 · Σ code² u32. */
let steps: usize = 0;
const STEP_SHIFT: usize = 3;
let isL2: bool = false;
/** 1 / the greatest scale. */
let inverseScale: f32 = 0;
/** 16-bit integers as vector_query.ts arranges them for rows; zeros behind the last. */
let probe: usize = 0;
let probeEnd: usize = 0;
/** 128 · Σ probe. */
let probeOffset: i32 = 0;
let probeStep: f64 = 0;
/** probe's step² Σ probe². */
let probeLength: f64 = 0;
/** Which 16-bit halves of a row's last group belong to it. */
let tailLow: v128 = i64x2(0, 0);
let tailHigh: v128 = i64x2(0, 0);

@inline
function groups(codes: usize): u32 {
  return (rowBytes(vectorDimensions(codes)) + GROUP - 1) / GROUP;
}

export function probeBytes(dimensions: u32): u64 {
  return <u64>((dimensions + GROUP - 1) / GROUP) * GROUP * 2 + 64;
}

/**
 * Probes are of `codes`, whose rows begin at `rowsAt`. `stepsAt` is what `measureSteps` wrote. False when there is no
 * room.
 */
export function beginProbes(codes: usize, rowsAt: usize, stepsAt: usize, greatestScale: f32): bool {
  const count = groups(codes);
  setRows(codes, rowsAt, greatestScale);
  steps = stepsAt;
  isL2 = vectorMetric(codes) == METRIC_L2;
  probe = arenaTake((<u64>count) << 5);
  probeEnd = probe + ((<usize>count) << 5);
  return probe != 0;
}

function setRows(codes: usize, rowsAt: usize, greatestScale: f32): void {
  rows = rowsAt;
  stride = <usize>rowBytes(vectorDimensions(codes));
  inverseScale = <f32>min<f64>(1.0 / <f64>greatestScale, <f64>f32.MAX_VALUE);
  setTail(<u32>stride - (groups(codes) - 1) * GROUP);
}

const TAIL: usize = memory.data(16);

/** `bytes` of the last group belong to the row. */
function setTail(bytes: u32): void {
  memory.fill(TAIL, 0, GROUP);
  memory.fill(TAIL, 0xff, bytes);
  const whole = v128.load(TAIL);
  tailLow = v128.and(whole, i16x8.splat(255));
  tailLow = i16x8.ne(tailLow, i16x8.splat(0));
  tailHigh = i16x8.ne(i16x8.shr_u(whole, 8), i16x8.splat(0));
}

// --- Steps ----------------------------------------------------------------------------------

export function stepsBytes(vectors: u32): u64 {
  return (<u64>vectors) << STEP_SHIFT;
}

/** Writes `stepsBytes` to `to`. */
export function measureSteps(codes: usize, rowsAt: usize, greatestScale: f32, to: usize): void {
  setRows(codes, rowsAt, greatestScale);
  for (let i: u32 = 0; i < vectorCount(codes); i++) {
    const squares = squaresOfRow(rows + <usize>i * stride);
    store<f32>(to, stepOf(codes, i, squares));
    store<u32>(to, squares, 4);
    to += 1 << STEP_SHIFT;
  }
}

/** Σ code². */
function squaresOfRow(row: usize): u32 {
  const small = i16x8.splat(255);
  const offset = i16x8.splat(<i16>PLANE_OFFSET);
  let sums = i32x4.splat(0);
  const last = row + ((stride - 1) & ~<usize>(GROUP - 1));
  for (let at = row; at <= last; at += GROUP) {
    const codes = v128.load(at);
    let low = i16x8.sub(v128.and(codes, small), offset);
    let high = i16x8.sub(i16x8.shr_u(codes, 8), offset);
    if (at == last) {
      low = v128.and(low, tailLow);
      high = v128.and(high, tailHigh);
    }
    sums = i32x4.add(sums, i32x4.add(i32x4.dot_i16x8_s(low, low), i32x4.dot_i16x8_s(high, high)));
  }
  return <u32>sumOfLanes(sums);
}

/** No cosine's codes are all zero, unless someone made them so. */
@inline
function stepOf(codes: usize, index: u32, squares: u32): f32 {
  if (vectorMetric(codes) == METRIC_COSINE) return <f32>(1.0 / sqrt<f64>(<f64>max<u32>(squares, 1)));
  return load<f32>(vectorScales(codes) + ((<usize>index) << 2)) * inverseScale;
}

@inline
function entryOf(index: u32): usize {
  return steps + ((<usize>index) << STEP_SHIFT);
}

// --- Probes ---------------------------------------------------------------------------------

/** The probe is vector `index`. */
export function probeVector(index: u32): void {
  const small = i16x8.splat(255);
  const offset = i16x8.splat(<i16>PLANE_OFFSET);
  const ones = i16x8.splat(1);
  let sums = i32x4.splat(0);
  let to = probe;
  let at = rows + <usize>index * stride;
  for (; to < probeEnd; to += 32, at += 16) {
    const codes = v128.load(at);
    let low = i16x8.sub(v128.and(codes, small), offset);
    let high = i16x8.sub(i16x8.shr_u(codes, 8), offset);
    if (to + 32 == probeEnd) {
      low = v128.and(low, tailLow);
      high = v128.and(high, tailHigh);
    }
    v128.store(to, low);
    v128.store(to, high, 16);
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(i16x8.add(low, high), ones));
  }
  probeOffset = PLANE_OFFSET * sumOfLanes(sums);
  probeStep = <f64>load<f32>(entryOf(index));
  probeLength = probeStep * probeStep * <f64>load<u32>(entryOf(index), 4);
}

/** The probe is the query of vector_query.ts. Above SHORT_DIMENSIONS_MAX with fewer bits: sums stay within 32. */
export function probeQuery(): void {
  const bits = queryBits((<u32>(probeEnd - probe)) >> 1);
  const ones = i16x8.splat(1);
  let sums = i32x4.splat(0);
  let from = queryOfRows;
  for (let to = probe; to < probeEnd; to += 16, from += 16) {
    const values = i16x8.shr_s(v128.load(from), bits);
    v128.store(to, values);
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(values, ones));
  }
  probeOffset = PLANE_OFFSET * sumOfLanes(sums);
  probeStep = isL2 ? <f64>inverseScale * queryScale * <f64>(1 << bits) / <f64>CODE_STEP : 1;
  probeLength = probeStep * probeStep * quantizedSquares / <f64>(1 << (2 * bits));
}

function queryBits(dimensions: u32): i32 {
  let bits = 0;
  while (dimensions >> bits > SHORT_DIMENSIONS_MAX) bits++;
  return bits;
}

// --- Nearness -------------------------------------------------------------------------------

/** f32 of four vectors. */
export function nearnessOfFour(a: u32, b: u32, c: u32, d: u32): v128 {
  let atA = rows + <usize>a * stride;
  let atB = rows + <usize>b * stride;
  let atC = rows + <usize>c * stride;
  let atD = rows + <usize>d * stride;
  const small = i16x8.splat(255);
  let sumA = i32x4.splat(0);
  let sumB = i32x4.splat(0);
  let sumC = i32x4.splat(0);
  let sumD = i32x4.splat(0);
  for (let from = probe, end = probeEnd; from < end; from += 32) {
    const even = v128.load(from);
    const odd = v128.load(from, 16);
    sumA = i32x4.add(sumA, dot(v128.load(atA), small, even, odd));
    sumB = i32x4.add(sumB, dot(v128.load(atB), small, even, odd));
    sumC = i32x4.add(sumC, dot(v128.load(atC), small, even, odd));
    sumD = i32x4.add(sumD, dot(v128.load(atD), small, even, odd));
    atA += 16;
    atB += 16;
    atC += 16;
    atD += 16;
  }
  const products = i32x4.sub(sumsOfFour(sumA, sumB, sumC, sumD), i32x4.splat(probeOffset));
  const ab = pair(a, b);
  const cd = pair(c, d);
  if (isL2) {
    const low = nearnessL2(products, ab);
    const high = nearnessL2(v128.shuffle<i64>(products, products, 1, 1), cd);
    return v128.shuffle<i64>(low, high, 0, 2);
  }
  const factors = f32x4.mul(v128.shuffle<i32>(ab, cd, 0, 2, 4, 6), f32x4.splat(<f32>probeStep));
  return f32x4.mul(f32x4.convert_i32x4_s(products), factors);
}

/** The entries of two vectors. */
@inline
function pair(a: u32, b: u32): v128 {
  return v128.load64_lane(entryOf(b), v128.load64_zero(entryOf(a)), 1);
}

/** f32 of two vectors, whose products are the lower ones. */
@inline
function nearnessL2(products: v128, entries: v128): v128 {
  const stepsOfTwo = f64x2.promote_low_f32x4(v128.shuffle<i32>(entries, entries, 0, 2, 0, 2));
  const squares = f64x2.convert_low_i32x4_u(v128.shuffle<i32>(entries, entries, 1, 3, 1, 3));
  const lengths = f64x2.add(f64x2.mul(f64x2.mul(stepsOfTwo, stepsOfTwo), squares), f64x2.splat(probeLength));
  const factors = f64x2.mul(f64x2.splat(2), f64x2.mul(stepsOfTwo, f64x2.splat(probeStep)));
  const between = f64x2.mul(factors, f64x2.convert_low_i32x4_s(products));
  return f32x4.demote_f64x2_zero(f64x2.sub(between, lengths));
}

/** The same number as a lane of `nearnessOfFour`. */
export function nearness(index: u32): f32 {
  return f32x4.extract_lane(nearnessOfFour(index, index, index, index), 0);
}

/** Equal in codes and step: all that nearness is made of. */
export function isEqual(a: u32, b: u32): bool {
  if (load<u64>(entryOf(a)) != load<u64>(entryOf(b))) return false;
  const atA = rows + <usize>a * stride;
  const atB = rows + <usize>b * stride;
  for (let i: usize = 0; i < stride; i += 4) if (load<u32>(atA + i) != load<u32>(atB + i)) return false;
  return true;
}
