/**
 * How a vector is stored: 15 bits a dimension, as two planes of 8, depending on the vector alone.
 *
 *   q        = nearest(v · 32512 / greatest |v|), so |q| ≤ 32512
 *   code     = (q + 128) >> 8, within ±127      residual = q − 256 · code, within −128 … 127
 *   scale    = cosine: f32(1 / |q|), so that the stored vector has length one; else f32(greatest |v| / 32512)
 *
 * Queries are put in the same form, but kept as 16-bit integers. Every inner product is then an integer, and the order
 * of additions cannot matter. What "exact" compares is this representation.
 *
 * Scores: cosine and dot are the similarity; l2 is minus the squared distance. Higher is better in all three.
 */

export const METRIC_COSINE: u32 = 0;
export const METRIC_DOT: u32 = 1;
export const METRIC_L2: u32 = 2;

export const CODE_STEP: i32 = 256;
const GREATEST: f64 = 32512.0;
/** Dimensions that the kernel looks at in one step; vectors are padded with zeros. */
export const STEP_DIMENSIONS: u32 = 16;
/** Makes up for every rounding between a residual and its bound. */
const BOUND_SLACK: f64 = 1.000001;

@inline
export function paddedDimensions(dimensions: u32): u32 {
  return (dimensions + STEP_DIMENSIONS - 1) & ~(STEP_DIMENSIONS - 1);
}

/** Σ q², exact. */
export let quantizedSquares: f64 = 0;
/** Σ residual², exact. */
let residualSquares: f64 = 0;
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

/** Can the vector stand in an index of this metric: finite and, for cosine, not zero. */
export function isEncodable(vector: usize, dimensions: u32, metric: u32): bool {
  return findGreatest(vector, dimensions) && (metric != METRIC_COSINE || greatest > 0);
}

export let encodedScale: f32 = 0;
/** At least |residual|. */
export let encodedResidualNorm: f32 = 0;

/**
 * Codes go to `codes`, STEP_DIMENSIONS at a time and `stride` bytes apart; residuals to `residuals`, in one row. Both
 * are zero beforehand. The vector is encodable.
 */
export function encodeVector(
  vector: usize,
  dimensions: u32,
  metric: u32,
  codes: usize,
  stride: usize,
  residuals: usize,
): void {
  findGreatest(vector, dimensions);
  const factor = factorOf();
  quantizedSquares = 0;
  residualSquares = 0;
  for (let i: u32 = 0; i < dimensions; i++) {
    const q = quantize(vector, i, factor);
    const code = (q + CODE_STEP / 2) >> 8;
    const residual = q - code * CODE_STEP;
    store<i8>(codes + <usize>(i / STEP_DIMENSIONS) * stride + (i % STEP_DIMENSIONS), code);
    store<i8>(residuals + i, residual);
    quantizedSquares += <f64>q * <f64>q;
    residualSquares += <f64>(residual * residual);
  }
  encodedScale = scaleOf(metric);
  encodedResidualNorm = <f32>(sqrt<f64>(residualSquares) * BOUND_SLACK);
}

// --- Queries --------------------------------------------------------------------------------

export let queryScale: f64 = 0;
export let querySquares: f64 = 0;
/** At least |q|. */
export let queryNorm: f64 = 0;

/** Writes 16-bit integers, padded with zeros to paddedDimensions. */
export function encodeQuery(vector: usize, dimensions: u32, metric: u32, to: usize): void {
  findGreatest(vector, dimensions);
  const factor = factorOf();
  memory.fill(to, 0, (<usize>paddedDimensions(dimensions)) << 1);
  quantizedSquares = 0;
  for (let i: u32 = 0; i < dimensions; i++) {
    const q = quantize(vector, i, factor);
    store<i16>(to + ((<usize>i) << 1), q);
    quantizedSquares += <f64>q * <f64>q;
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
