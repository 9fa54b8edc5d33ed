/**
 * Exact nearest neighbours in one pass over the codes.
 *
 * With A = Σ code · query, the inner product is 256 · A + Σ residual · query, and by Cauchy–Schwarz the second term is
 * at most residual norm · query norm. So A gives an upper bound of the score. A vector whose bound reaches the worst of
 * the best so far is scored exactly, there and then; any other has a score below it and so below the last of the answer,
 * since that worst only rises: the answer is proved.
 *
 *   bound ≥ worst   ⇔   A · scale ≥ worst / (256 · query scale) − slack · (query norm / 256)
 *
 * The right side is one number a block, so the test is a conversion, a product and a comparison a vector. It is made in
 * 32 bits; slack is greater than what that can be off (vector_codec.ts). With l2, whose right side has the vector's own
 * length in it, and above SHORT_DIMENSIONS_MAX, the test is made in 64 bits.
 */
import { heapIsFull, heapOffer, heapWorstScore, keyOf } from "./top_k";
import { METRIC_L2, PLANE_OFFSET, queryNorm, queryScale, querySquares, querySum } from "./vector_codec";
import {
  LANE_PRODUCTS_MAX,
  queryMetric,
  queryOfBlocks,
  queryRowBytes,
  SHORT_DIMENSIONS_MAX,
  scoreOfProduct,
} from "./vector_query";
import {
  BLOCK_VECTORS,
  blockCount,
  documentOf,
  vectorCodes,
  vectorCount,
  vectorScales,
  vectorBounds,
  vectorSquares,
} from "./vector_section";

/** A score in f32 may be above the f64 it was rounded from by less than this part of itself, or by the least. */
const SCORE_ROUNDING: f64 = 1.0 / 4194304.0;
const SCORE_ROUNDING_LEAST: f64 = 1e-37;

/** Σ code · query of the vectors of a block, f64. */
export const PRODUCTS: usize = memory.data(128);

/** The worst of a full heap; what every candidate must reach. */
let worst: f64 = -Infinity;
/** Of A · scale, in a score of 1. */
let perScore: f64 = 0;

/**
 * Offers to the heap every vector that may be among the best of it. `codes` lies in blocks. `wanted` is a bitset over
 * vectors, padded with zeros, or 0 for all of them.
 */
export function scan(codes: usize, residuals: usize, wanted: usize): void {
  beginScan();
  if (queryMetric != METRIC_L2 && queryRowBytes <= SHORT_DIMENSIONS_MAX) scanShort(codes, residuals, wanted);
  else scanWide(codes, residuals, wanted);
}

/** After the query and the heap are set. */
export function beginScan(): void {
  perScore = 1.0 / (256.0 * queryScale);
  updateWorst();
}

@inline
function updateWorst(): void {
  worst = -Infinity;
  if (!heapIsFull()) return;
  const score = <f64>heapWorstScore();
  // A query without length, and what was clamped at the end of the numbers, cannot be bounded.
  if (queryScale > 0 && score > -<f64>f32.MAX_VALUE) worst = score;
}

/** Which of a block's vectors are asked for. */
@inline
export function wantedOf(wanted: usize, block: u32, count: u32): u32 {
  if (wanted != 0) return load<u16>(wanted + ((<usize>block) << 1));
  const left = count - block * BLOCK_VECTORS;
  return left >= BLOCK_VECTORS ? 0xffff : (1 << left) - 1;
}

// --- In 32 bits -----------------------------------------------------------------------------

function scanShort(codes: usize, residuals: usize, wanted: usize): void {
  const count = vectorCount(codes);
  const blocks = blockCount(count);
  const blockBytes = (<usize>queryRowBytes) << 4;
  const offset = i32x4.splat(-PLANE_OFFSET * querySum);
  const slackFactor = <f32>(queryNorm / 256.0);
  const query = queryOfBlocks;
  const small = i16x8.splat(255);
  let least = leastShort();
  let at = vectorCodes(codes);
  let bounds = vectorBounds(codes);
  for (let block: u32 = 0; block < blocks; block++, at += blockBytes, bounds += 8) {
    const bits = wantedOf(wanted, block, count);
    if (bits == 0) continue;
    let a = offset;
    let b = offset;
    let c = offset;
    let d = offset;
    let dimension = query;
    for (let from = at, end = at + blockBytes; from < end; from += 64) {
      const even = v128.load32_splat(dimension);
      const odd = v128.load32_splat(dimension, 4);
      dimension += 8;
      a = i32x4.add(a, dot(v128.load(from), small, even, odd));
      b = i32x4.add(b, dot(v128.load(from, 16), small, even, odd));
      c = i32x4.add(c, dot(v128.load(from, 32), small, even, odd));
      d = i32x4.add(d, dot(v128.load(from, 48), small, even, odd));
    }
    const floor = least - load<f32>(bounds) * slackFactor;
    const splat = f32x4.splat(floor);
    if (floor > 0) {
      // No vector of the block reaches the floor whose sum does not reach it with the greatest scale.
      const greatest = i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, d));
      const most = f32x4.mul(f32x4.convert_i32x4_s(greatest), v128.load32_splat(bounds, 4));
      if (i32x4.all_true(f32x4.lt(most, splat))) continue;
    }
    const scales = vectorScales(codes) + ((<usize>block) << 6);
    const belowA = f32x4.lt(f32x4.mul(f32x4.convert_i32x4_s(a), v128.load(scales)), splat);
    const belowB = f32x4.lt(f32x4.mul(f32x4.convert_i32x4_s(b), v128.load(scales, 16)), splat);
    const belowC = f32x4.lt(f32x4.mul(f32x4.convert_i32x4_s(c), v128.load(scales, 32)), splat);
    const belowD = f32x4.lt(f32x4.mul(f32x4.convert_i32x4_s(d), v128.load(scales, 48)), splat);
    const passing = bits & ~bitsOfLanes(belowA, belowB, belowC, belowD);
    if (passing == 0) continue;
    keepProducts(a, b, c, d);
    score(codes, residuals, block, passing);
    least = leastShort();
  }
}

@inline
export function bitsOfLanes(a: v128, b: v128, c: v128, d: v128): u32 {
  return i32x4.bitmask(a) | (i32x4.bitmask(b) << 4) | (i32x4.bitmask(c) << 8) | (i32x4.bitmask(d) << 12);
}

/** What A · scale − slack must reach, as f32. */
export function leastShort(): f32 {
  const least = worst * perScore;
  if (!(least > -<f64>f32.MAX_VALUE)) return -Infinity;
  return <f32>min<f64>(least, <f64>f32.MAX_VALUE);
}

let sums0: v128 = i64x2(0, 0);
let sums1: v128 = i64x2(0, 0);
let sums2: v128 = i64x2(0, 0);
let sums3: v128 = i64x2(0, 0);
/** Sums of 16 vectors in a block. */
@inline
function sumBlock(at: usize): void {
  let a = i32x4.splat(0);
  let b = i32x4.splat(0);
  let c = i32x4.splat(0);
  let d = i32x4.splat(0);
  const small = i16x8.splat(255);
  let query = queryOfBlocks;
  for (const end = at + ((<usize>queryRowBytes) << 4); at < end; at += 64) {
    const even = v128.load32_splat(query);
    const odd = v128.load32_splat(query, 4);
    query += 8;
    const codesA = v128.load(at);
    const codesB = v128.load(at, 16);
    const codesC = v128.load(at, 32);
    const codesD = v128.load(at, 48);
    a = i32x4.add(a, dot(codesA, small, even, odd));
    b = i32x4.add(b, dot(codesB, small, even, odd));
    c = i32x4.add(c, dot(codesC, small, even, odd));
    d = i32x4.add(d, dot(codesD, small, even, odd));
  }
  sums0 = a;
  sums1 = b;
  sums2 = c;
  sums3 = d;
}

@inline
function dot(codes: v128, small: v128, even: v128, odd: v128): v128 {
  const low = i32x4.dot_i16x8_s(v128.and(codes, small), even);
  return i32x4.add(low, i32x4.dot_i16x8_s(i16x8.shr_u(codes, 8), odd));
}

export function keepProducts(a: v128, b: v128, c: v128, d: v128): void {
  keepFour(PRODUCTS, a);
  keepFour(PRODUCTS + 32, b);
  keepFour(PRODUCTS + 64, c);
  keepFour(PRODUCTS + 96, d);
}

@inline
function keepFour(to: usize, sums: v128): void {
  v128.store(to, f64x2.convert_low_i32x4_s(sums));
  v128.store(to, f64x2.convert_low_i32x4_s(v128.shuffle<i64>(sums, sums, 1, 1)), 16);
}

// --- In 64 bits -----------------------------------------------------------------------------

function scanWide(codes: usize, residuals: usize, wanted: usize): void {
  const count = vectorCount(codes);
  const blocks = blockCount(count);
  const blockBytes = (<usize>queryRowBytes) << 4;
  let at = vectorCodes(codes);
  for (let block: u32 = 0; block < blocks; block++, at += blockBytes) {
    const bits = wantedOf(wanted, block, count);
    if (bits == 0) continue;
    if (queryRowBytes <= SHORT_DIMENSIONS_MAX) productsShort(at);
    else productsLong(at);
    const passing = passingWide(codes, block, bits);
    if (passing != 0) score(codes, residuals, block, passing);
  }
}

function productsShort(at: usize): void {
  const offset = i32x4.splat(PLANE_OFFSET * querySum);
  sumBlock(at);
  keepProducts(
    i32x4.sub(sums0, offset),
    i32x4.sub(sums1, offset),
    i32x4.sub(sums2, offset),
    i32x4.sub(sums3, offset),
  );
}

/** A segment at a time, each within 32 bits with the offset in it. */
function productsLong(at: usize): void {
  const offset = f64x2.splat(-<f64>PLANE_OFFSET * <f64>querySum);
  for (let i: usize = 0; i < 128; i += 16) v128.store(PRODUCTS + i, offset);
  let query = queryOfBlocks;
  const small = i16x8.splat(255);
  for (let from: u32 = 0; from < queryRowBytes; from += LANE_PRODUCTS_MAX) {
    const dimensions = min(LANE_PRODUCTS_MAX, queryRowBytes - from);
    let a = i32x4.splat(0);
    let b = i32x4.splat(0);
    let c = i32x4.splat(0);
    let d = i32x4.splat(0);
    for (const end = at + ((<usize>dimensions) << 4); at < end; at += 64) {
      const even = v128.load32_splat(query);
      const odd = v128.load32_splat(query, 4);
      query += 8;
      a = i32x4.add(a, dot(v128.load(at), small, even, odd));
      b = i32x4.add(b, dot(v128.load(at, 16), small, even, odd));
      c = i32x4.add(c, dot(v128.load(at, 32), small, even, odd));
      d = i32x4.add(d, dot(v128.load(at, 48), small, even, odd));
    }
    addFour(PRODUCTS, a);
    addFour(PRODUCTS + 32, b);
    addFour(PRODUCTS + 64, c);
    addFour(PRODUCTS + 96, d);
  }
}

@inline
function addFour(to: usize, sums: v128): void {
  const high = v128.shuffle<i64>(sums, sums, 1, 1);
  v128.store(to, f64x2.add(v128.load(to), f64x2.convert_low_i32x4_s(sums)));
  v128.store(to, f64x2.add(v128.load(to, 16), f64x2.convert_low_i32x4_s(high)), 16);
}

/** Which of `bits`, whose products stand in PRODUCTS, may belong to the best. */
export function passingWide(codes: usize, block: u32, bits: u32): u32 {
  const slack = <f64>load<f32>(vectorBounds(codes) + ((<usize>block) << 3)) * (queryNorm / 256.0);
  const least = worst - abs<f64>(worst) * SCORE_ROUNDING - SCORE_ROUNDING_LEAST;
  let passing: u32 = 0;
  for (; bits != 0; bits &= bits - 1) {
    const lane = <u32>ctz(bits);
    const slot = (<usize>(block * BLOCK_VECTORS + lane)) << 2;
    const scale = <f64>load<f32>(vectorScales(codes) + slot);
    let similarity = least;
    if (queryMetric == METRIC_L2) {
      const stored = scale * scale * load<f64>(vectorSquares(codes) + (slot << 1));
      similarity = (least + stored + querySquares) * 0.5;
    }
    const reached = load<f64>(PRODUCTS + ((<usize>lane) << 3)) * scale;
    // Where there is no bound, the right side is -∞ or no number.
    if (!(reached < similarity * perScore - slack)) passing |= 1 << lane;
  }
  return passing;
}

// --- Scores ---------------------------------------------------------------------------------

/** Offers the exact scores of `passing`, whose products stand in PRODUCTS. */
export function score(codes: usize, residuals: usize, block: u32, passing: u32): void {
  while (passing != 0) {
    const lane = <u32>ctz(passing);
    passing &= passing - 1;
    const index = block * BLOCK_VECTORS + lane;
    const product = load<f64>(PRODUCTS + ((<usize>lane) << 3));
    heapOffer(keyOf(scoreOfProduct(codes, residuals, index, product), documentOf(codes, index)));
  }
  updateWorst();
}
