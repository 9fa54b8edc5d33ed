/**
 * The query of a search, in the shapes its loops read, and the exact product and score of one vector with it.
 *
 * Sums: a plane's bytes are at most 255, a query's numbers 32512, so LANE_PRODUCTS_MAX of them a lane stay
 * within 32 bits.
 */
import { arenaTake } from "./arena";
import { CODE_STEP, encodeQuery, METRIC_L2, PLANE_OFFSET, querySum, rowBytes, scoreOf } from "./vector_codec";
import { residualRow, vectorDimensions, vectorMetric, vectorScales, vectorSquares } from "./vector_section";

/** 255 · 32512 · 256 is the greatest multiple of 256 such products below 2^31. */
export const LANE_PRODUCTS_MAX: u32 = 256;
const LANES: u32 = 4;
/** Up to here the product of a plane's row and the query is within 32 bits: 128 · 32512 · 512 < 2^31. */
export const SHORT_DIMENSIONS_MAX: u32 = 512;

export let queryMetric: u32 = 0;
/** Bytes of a row of either plane. */
export let queryRowBytes: u32 = 0;
/** A row's 16 dimensions at a time: 0, 2, 4 … 14, then 1, 3, 5 … 15. Zeros behind the last. */
export let queryOfRows: usize = 0;
/** A block's four dimensions at a time: 0, 2, then 1, 3. */
export let queryOfBlocks: usize = 0;

/** `vector` is encodable. False when there is no room. */
export function beginQuery(codes: usize, vector: usize): bool {
  return beginQueryOf(vectorDimensions(codes), vectorMetric(codes), vector);
}

export function beginQueryOf(dimensions: u32, metric: u32, vector: usize): bool {
  queryMetric = metric;
  queryRowBytes = rowBytes(dimensions);
  const padded = (<usize>dimensions + 15) & ~15;
  const plain = arenaTake(padded << 1);
  queryOfRows = arenaTake(padded << 1);
  queryOfBlocks = arenaTake(padded << 1);
  if (plain == 0 || queryOfRows == 0 || queryOfBlocks == 0) return false;
  memory.fill(plain, 0, padded << 1);
  encodeQuery(vector, dimensions, queryMetric, plain);
  arrange(plain, padded);
  return true;
}

function arrange(plain: usize, count: usize): void {
  for (let at: usize = 0; at < count << 1; at += 32) {
    const low = v128.load(plain + at);
    const high = v128.load(plain + at, 16);
    v128.store(queryOfRows + at, v128.shuffle<i16>(low, high, 0, 2, 4, 6, 8, 10, 12, 14));
    v128.store(queryOfRows + at, v128.shuffle<i16>(low, high, 1, 3, 5, 7, 9, 11, 13, 15), 16);
    v128.store(queryOfBlocks + at, v128.shuffle<i16>(low, low, 0, 2, 1, 3, 4, 6, 5, 7));
    v128.store(queryOfBlocks + at, v128.shuffle<i16>(high, high, 0, 2, 1, 3, 4, 6, 5, 7), 16);
  }
}

/** Σ of a plane's row and the query, without the plane's offset. */
export function rowProduct(row: usize): i64 {
  if (queryRowBytes <= SHORT_DIMENSIONS_MAX) return <i64>shortProduct(row);
  let total: i64 = 0;
  let from: u32 = 0;
  while (from < queryRowBytes) {
    const to = min(from + LANE_PRODUCTS_MAX * LANES, queryRowBytes);
    const sums = rowSums(row + from, to - from, queryOfRows + ((<usize>from) << 1));
    total += <i64>i32x4.extract_lane(sums, 0) + <i64>i32x4.extract_lane(sums, 1);
    total += <i64>i32x4.extract_lane(sums, 2) + <i64>i32x4.extract_lane(sums, 3);
    from = to;
  }
  return total - <i64>PLANE_OFFSET * querySum;
}

/** Sums may pass 2^31 on the way, and come back: the product itself does not. */
@inline
function shortProduct(row: usize): i32 {
  return sumOfLanes(rowSums(row, queryRowBytes, queryOfRows)) - PLANE_OFFSET * querySum;
}

@inline
export function sumOfLanes(sums: v128): i32 {
  const pairs = i32x4.add(sums, v128.shuffle<i64>(sums, sums, 1, 0));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}

/** Partial sums of 16 bytes of a plane with the query's numbers for the even and the odd ones. `small`: 255 a lane. */
@inline
export function dot(bytes: v128, small: v128, even: v128, odd: v128): v128 {
  const low = i32x4.dot_i16x8_s(v128.and(bytes, small), even);
  return i32x4.add(low, i32x4.dot_i16x8_s(i16x8.shr_u(bytes, 8), odd));
}

/** Four partial sums. */
@inline
export function rowSums(row: usize, bytes: u32, query: usize): v128 {
  let low = i32x4.splat(0);
  let high = i32x4.splat(0);
  const small = i16x8.splat(255);
  for (const end = row + bytes; row < end; row += 16) {
    const codes = v128.load(row);
    low = i32x4.add(low, i32x4.dot_i16x8_s(v128.and(codes, small), v128.load(query)));
    high = i32x4.add(high, i32x4.dot_i16x8_s(i16x8.shr_u(codes, 8), v128.load(query, 16)));
    query += 32;
  }
  return i32x4.add(low, high);
}

/** The lanes of each are partial sums: transposed and added, the lanes of the answer are the sums of the four. */
@inline
export function sumsOfFour(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

/** The exact score of vector `index`, whose codes have this product with the query. */
@inline
export function scoreOfProduct(codes: usize, residuals: usize, index: u32, product: f64): f32 {
  const row = residualRow(residuals, index);
  return scoreOfRow(product, row, scaleOfVector(codes, index), squaresOfVector(codes, index));
}

/** The exact score of a vector with these residuals, whose codes have this product with the query. */
@inline
export function scoreOfRow(product: f64, residuals: usize, scale: f32, squares: f64): f32 {
  return scoreOf(queryMetric, <f64>CODE_STEP * product + <f64>rowProduct(residuals), scale, squares);
}

@inline
export function scaleOfVector(codes: usize, index: u32): f32 {
  return load<f32>(vectorScales(codes) + ((<usize>index) << 2));
}

/** Σ q²; 0 where no score looks at it. */
@inline
export function squaresOfVector(codes: usize, index: u32): f64 {
  return queryMetric == METRIC_L2 ? load<f64>(vectorSquares(codes) + ((<usize>index) << 3)) : 0;
}
