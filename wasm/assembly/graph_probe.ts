/**
 * How near vectors in rows are to one probe: a query, or a vector of the section. Higher is nearer.
 *
 * It is made from codes alone: what a traversal finds is scored exactly afterwards (graph_search.ts). With t = 256 ·
 * scale of a vector and P = Σ code · probe,
 *
 *   cosine, dot   P · (t · probe's t)
 *   l2            −(t² Σ code² + probe's t² Σ probe² − 2 (t · probe's t) P): of the points that the codes stand for, so
 *                 that it is as sharp far from the origin as near it
 *
 * Scales are relative to the section's greatest: nothing passes what 32 bits hold. P is an integer; whatever follows is
 * done in one order, and a pair has the same nearness from either side.
 */
import { arenaTake } from "./arena";
import { METRIC_L2, PLANE_OFFSET, quantizedSquares, queryScale, rowBytes } from "./vector_codec";
import { dot, queryOfRows, SHORT_DIMENSIONS_MAX, sumOfLanes, sumsOfFour } from "./vector_query";
import { vectorDimensions, vectorMetric, vectorScales } from "./vector_section";

const GROUP: u32 = 16;

let rows: usize = 0;
let stride: usize = 0;
let scales: usize = 0;
let isL2: bool = false;
/** 1 / the greatest scale. */
let inverseScale: f32 = 0;
/** 16-bit integers as vector_query.ts arranges them for rows; zeros behind the last. */
let probe: usize = 0;
let probeEnd: usize = 0;
/** 128 · Σ probe. */
let probeOffset: i32 = 0;
let probeScale: f32 = 0;
let probeT: f64 = 0;
let probeSquares: f64 = 0;
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

/** Probes are of `codes`, whose rows begin at `rowsAt`. False when there is no room. */
export function beginProbes(codes: usize, rowsAt: usize, greatestScale: f32): bool {
  const count = groups(codes);
  rows = rowsAt;
  stride = <usize>rowBytes(vectorDimensions(codes));
  scales = vectorScales(codes);
  isL2 = vectorMetric(codes) == METRIC_L2;
  inverseScale = <f32>min<f64>(1.0 / <f64>greatestScale, <f64>f32.MAX_VALUE);
  probe = arenaTake((<u64>count) << 5);
  probeEnd = probe + ((<usize>count) << 5);
  setTail(<u32>stride - (count - 1) * GROUP);
  return probe != 0;
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

/** The probe is vector `index`. */
export function probeVector(index: u32): void {
  const small = i16x8.splat(255);
  const offset = i16x8.splat(<i16>PLANE_OFFSET);
  const ones = i16x8.splat(1);
  let sums = i32x4.splat(0);
  let squares = i32x4.splat(0);
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
    squares = i32x4.add(squares, product(low, high, low, high));
  }
  probeOffset = PLANE_OFFSET * sumOfLanes(sums);
  probeScale = scaleOf(index);
  probeT = <f64>probeScale;
  probeSquares = probeT * probeT * <f64>sumOfLanes(squares);
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
  probeScale = 1;
  probeT = <f64>inverseScale * queryScale * <f64>(1 << bits) / 256.0;
  probeSquares = probeT * probeT * quantizedSquares / <f64>(1 << (2 * bits));
}

function queryBits(dimensions: u32): i32 {
  let bits = 0;
  while (dimensions >> bits > SHORT_DIMENSIONS_MAX) bits++;
  return bits;
}

@inline
function scaleOf(index: u32): f32 {
  return load<f32>(scales + ((<usize>index) << 2)) * inverseScale;
}

// --- Nearness -------------------------------------------------------------------------------

/** f32 of four vectors. */
export function nearnessOfFour(a: u32, b: u32, c: u32, d: u32): v128 {
  if (isL2) {
    let all = f32x4.splat(nearnessL2(a));
    all = f32x4.replace_lane(all, 1, nearnessL2(b));
    all = f32x4.replace_lane(all, 2, nearnessL2(c));
    return f32x4.replace_lane(all, 3, nearnessL2(d));
  }
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
  const sums = sumsOfFour(sumA, sumB, sumC, sumD);
  let factors = v128.load32_zero(scales + ((<usize>a) << 2));
  factors = v128.load_lane<f32>(scales + ((<usize>b) << 2), factors, 1);
  factors = v128.load_lane<f32>(scales + ((<usize>c) << 2), factors, 2);
  factors = v128.load_lane<f32>(scales + ((<usize>d) << 2), factors, 3);
  factors = f32x4.mul(f32x4.mul(factors, f32x4.splat(inverseScale)), f32x4.splat(probeScale));
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(sums, i32x4.splat(probeOffset))), factors);
}

/** Partial sums of 16 products. */
@inline
function product(low: v128, high: v128, even: v128, odd: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(low, even), i32x4.dot_i16x8_s(high, odd));
}

/** The same number as a lane of `nearnessOfFour`. */
export function nearness(index: u32): f32 {
  return f32x4.extract_lane(nearnessOfFour(index, index, index, index), 0);
}

function nearnessL2(index: u32): f32 {
  const small = i16x8.splat(255);
  const offset = i16x8.splat(<i16>PLANE_OFFSET);
  let sums = i32x4.splat(0);
  let squares = i32x4.splat(0);
  let from = probe;
  let at = rows + <usize>index * stride;
  const last = probeEnd - 32;
  for (; from < last; from += 32, at += 16) {
    const codes = v128.load(at);
    const low = i16x8.sub(v128.and(codes, small), offset);
    const high = i16x8.sub(i16x8.shr_u(codes, 8), offset);
    sums = i32x4.add(sums, product(low, high, v128.load(from), v128.load(from, 16)));
    squares = i32x4.add(squares, product(low, high, low, high));
  }
  const codes = v128.load(at);
  const low = v128.and(i16x8.sub(v128.and(codes, small), offset), tailLow);
  const high = v128.and(i16x8.sub(i16x8.shr_u(codes, 8), offset), tailHigh);
  sums = i32x4.add(sums, product(low, high, v128.load(from), v128.load(from, 16)));
  squares = i32x4.add(squares, product(low, high, low, high));
  const t = <f64>scaleOf(index);
  const lengths = t * t * <f64>sumOfLanes(squares) + probeSquares;
  return <f32>(2.0 * (t * probeT) * <f64>sumOfLanes(sums) - lengths);
}

/** Equal in codes and scale. */
export function isEqual(a: u32, b: u32): bool {
  if (load<u32>(scales + ((<usize>a) << 2)) != load<u32>(scales + ((<usize>b) << 2))) return false;
  const atA = rows + <usize>a * stride;
  const atB = rows + <usize>b * stride;
  for (let i: usize = 0; i < stride; i += 4) if (load<u32>(atA + i) != load<u32>(atB + i)) return false;
  return true;
}
