/**
 * How a vector is stored: 16 bits a dimension, as two planes of 8, depending on the vector alone.
 *
 *   q        = nearest(v · 32512 / greatest |v|), so |q| ≤ 32512
 *   code     = (q + 128) >> 8, within ±127      residual = q − 256 · code, within −128 … 127
 *   scale    = cosine: f32(1 / |q|), so that the stored vector has length one; else f32(greatest |v| / 32512)
 *
 * Both planes keep their numbers as bytes, 128 more than they are: `value & 255` and `value >> 8` of two neighbours are
 * then 16-bit integers at one instruction each. The 128 is taken back once a sum, as 128 · Σ query.
 *
 * Queries are put in the same form, but kept as 16-bit integers. Every inner product is an integer, and the order of
 * additions cannot matter. What "exact" compares is this representation.
 *
 * Scores: cosine and dot are the similarity; l2 is minus the squared distance. Higher is better in all three.
 */

import { BAD_VALUE } from "./status";

export const METRIC_COSINE: u32 = 0;
export const METRIC_DOT: u32 = 1;
export const METRIC_L2: u32 = 2;

export const CODE_STEP: i32 = 256;
/** What the planes keep above their numbers. */
export const PLANE_OFFSET: i32 = 128;
const GREATEST: f64 = 32512.0;
/** Makes up for every rounding between a residual and its bound. */
const BOUND_SLACK: f64 = 1.000001;
/**
 * Of a vector's length: more than all that 32-bit arithmetic can be off when it compares a bound (vector_scan.ts).
 */
const ROUNDING: f64 = 1.0 / 1048576.0;
/** The same for vectors so short that 32 bits lose them. */
const ROUNDING_LEAST: f64 = 1e-37;

/** Bytes of a row of a plane. */
@inline
export function rowBytes(dimensions: u32): u32 {
  return (dimensions + 3) & ~3;
}

/** Σ q², exact. */
export let quantizedSquares: f64 = 0;
let greatest: f64 = 0;

/** False when a number is not finite. Sets what the others need. */
function findGreatest(vector: usize, dimensions: u32): bool {
  greatest = 0;
  for (let i: u32 = 0; i < dimensions; i++) {
    const value = abs<f64>(<f64>load<f32>(vector + ((<usize>i) << 2)));
    if (!(value <= f32.MAX_VALUE)) return false;
    greatest = max<f64>(greatest, value);
  }
  return true;
}

@inline
function quantize(vector: usize, index: u32, factor: f64): i32 {
  const value = nearest<f64>(<f64>load<f32>(vector + ((<usize>index) << 2)) * factor);
  return <i32>max<f64>(min<f64>(value, GREATEST), -GREATEST);
}

@inline
function factorOf(): f64 {
  return greatest > 0 ? GREATEST / greatest : 0;
}

function scaleOf(metric: u32): f32 {
  if (greatest == 0) return 0;
  return metric == METRIC_COSINE ? <f32>(1.0 / sqrt<f64>(quantizedSquares)) : <f32>(greatest / GREATEST);
}

/** 1 when the vector can stand in an index of this metric, 0 when it has no direction, BAD_VALUE when it is not finite. */
export function isEncodable(vector: usize, dimensions: u32, metric: u32): i32 {
  if (!findGreatest(vector, dimensions)) return BAD_VALUE;
  return metric != METRIC_COSINE || greatest > 0 ? 1 : 0;
}

export let encodedScale: f32 = 0;
/** At least what the residuals and all rounding can add to the vector's product with a query of length one. */
export let encodedSlack: f32 = 0;

/** Writes a row to each plane. The vector is encodable. */
export function encodeVector(vector: usize, dimensions: u32, metric: u32, codes: usize, residuals: usize): void {
  findGreatest(vector, dimensions);
  const factor = factorOf();
  let residualSquares: f64 = 0;
  quantizedSquares = 0;
  for (let i: u32 = 0; i < dimensions; i++) {
    const q = quantize(vector, i, factor);
    const code = (q + CODE_STEP / 2) >> 8;
    const residual = q - code * CODE_STEP;
    store<u8>(codes + i, code + PLANE_OFFSET);
    store<u8>(residuals + i, residual + PLANE_OFFSET);
    quantizedSquares += <f64>q * <f64>q;
    residualSquares += <f64>(residual * residual);
  }
  encodedScale = scaleOf(metric);
  encodedSlack = slackOf(residualSquares);
}

function slackOf(residualSquares: f64): f32 {
  const bound = sqrt<f64>(residualSquares) + ROUNDING * sqrt<f64>(quantizedSquares);
  return <f32>min<f64>(<f64>encodedScale * bound * BOUND_SLACK + ROUNDING_LEAST, <f64>f32.MAX_VALUE);
}

/** What `encodeVector` found out of a vector, from its rows and its scale. */
export function measureRows(codes: usize, residuals: usize, dimensions: u32, scale: f32): void {
  let residualSquares: f64 = 0;
  quantizedSquares = 0;
  for (let i: u32 = 0; i < dimensions; i++) {
    const residual = <i32>load<u8>(residuals + i) - PLANE_OFFSET;
    const q = (<i32>load<u8>(codes + i) - PLANE_OFFSET) * CODE_STEP + residual;
    quantizedSquares += <f64>q * <f64>q;
    residualSquares += <f64>(residual * residual);
  }
  encodedScale = scale;
  encodedSlack = slackOf(residualSquares);
}

// --- Queries --------------------------------------------------------------------------------

/** Of the query encoded last. */
export let queryScale: f64 = 0;
export let querySquares: f64 = 0;
/** At least |q|. */
export let queryNorm: f64 = 0;
/** Σ q. */
export let querySum: i32 = 0;

/** Writes 16-bit integers. */
export function encodeQuery(vector: usize, dimensions: u32, metric: u32, to: usize): void {
  findGreatest(vector, dimensions);
  const factor = factorOf();
  quantizedSquares = 0;
  querySum = 0;
  for (let i: u32 = 0; i < dimensions; i++) {
    const q = quantize(vector, i, factor);
    store<i16>(to + ((<usize>i) << 1), q);
    quantizedSquares += <f64>q * <f64>q;
    querySum += q;
  }
  queryScale = <f64>scaleOf(metric);
  querySquares = queryScale * queryScale * quantizedSquares;
  queryNorm = sqrt<f64>(quantizedSquares) * BOUND_SLACK;
}

/**
 * The score of an integer inner product. Every step is monotone in `product`, so a bound on the product gives a bound
 * on the score. `squares` is Σ q² of the stored vector; only l2 looks at it. Never -0.
 */
export function scoreOf(metric: u32, product: f64, scale: f32, squares: f64): f32 {
  const similarity = product * (<f64>scale * queryScale);
  const most = metric == METRIC_COSINE ? 1.0 : <f64>f32.MAX_VALUE;
  let score = similarity;
  if (metric == METRIC_L2) {
    const stored = <f64>scale * <f64>scale * squares;
    score = 0.0 - max<f64>(stored + querySquares - 2.0 * similarity, 0.0);
  }
  return <f32>max<f64>(min<f64>(score, most), -most) + <f32>0.0;
}
