/**
 * Exact nearest neighbours over the stored representation, without looking at all of it.
 *
 *   1. Scan the codes of every matching vector. With A = Σ code · query, the inner product is 256 · A + Σ residual ·
 *      query, and by Cauchy–Schwarz the second term is at most residual norm · query norm: an upper bound of every
 *      score. The `limit` vectors with the greatest bounds are gathered.
 *   2. Those are scored exactly. The worst of them sets a threshold that the answer cannot fall below.
 *   3. Every other vector whose bound reaches the threshold is scored exactly; the threshold only rises.
 * A vector that is never scored has a bound, and so a score, below the last of the answer: the answer is proved.
 *
 * Sums: |code · query| ≤ 128 · 32512, and each of four lanes takes a quarter of SEGMENT_STEPS · 16 dimensions, so a
 * lane stays within 32 bits; segments are added as f64, which holds them exactly.
 */
import { arenaMark, arenaRelease, arenaTake } from "./arena";
import { bitsetBytes } from "./text_section";
import { bitsGather, hasBit } from "./bitset";
import { BAD_ARGUMENT, CAPACITY } from "./status";
import { heapBegin, heapIsFull, heapOffer, heapSort, heapWorstScore, idOfKey, keyOf } from "./top_k";
import {
  CODE_STEP,
  encodeQuery,
  METRIC_COSINE,
  METRIC_L2,
  paddedDimensions,
  queryNorm,
  queryScale,
  querySquares,
  scoreOf,
  STEP_DIMENSIONS,
} from "./vector_codec";
import {
  codesOf,
  GROUP_VECTORS,
  groupCount,
  residualsOf,
  vectorCodes,
  vectorCount,
  vectorDimensions,
  vectorDocuments,
  vectorMetric,
  vectorResidualNorms,
  vectorScales,
  vectorSquares,
} from "./vector_section";

const SEGMENT_STEPS: u32 = 128;
const STEP_BYTES: usize = 16;
const GROUP_STEP_BYTES: usize = 64;

/** Scratch that `vectorSearch` takes for a part of so many vectors, besides its query and keys. */
export function vectorSearchBytes(vectors: u32): u64 {
  return <u64>groupCount(vectors) * GROUP_VECTORS * 4 + bitsetBytes(vectors);
}

let query: usize = 0;
let steps: u32 = 0;
let metric: u32 = 0;

function begin(section: usize, vector: usize): bool {
  const dimensions = vectorDimensions(section);
  metric = vectorMetric(section);
  steps = paddedDimensions(dimensions) / STEP_DIMENSIONS;
  query = arenaTake((<u64>paddedDimensions(dimensions)) << 1);
  if (query == 0) return false;
  encodeQuery(vector, dimensions, metric, query);
  return true;
}

/**
 * Writes to `out` at most `limit` keys of top_k.ts, best first, ids being documents, and answers how many. `matches`
 * is a bitset over documents; `vector` has the section's dimensions and is encodable. `out` has room for `limit` keys.
 */
export function vectorSearch(section: usize, vector: usize, matches: usize, limit: u32, out: usize): i32 {
  const mark = arenaMark();
  const count = vectorCount(section);
  const bytes = bitsetBytes(count);
  const bounds = arenaTake(<u64>groupCount(count) * GROUP_VECTORS * 4);
  const wanted = arenaTake(bytes);
  if (bounds == 0 || wanted == 0 || !begin(section, vector)) {
    arenaRelease(mark);
    return CAPACITY;
  }
  bitsGather(matches, vectorDocuments(section), count, wanted, <usize>bytes);
  heapBegin(out, min(limit, count));
  if (min(limit, count) > 0) {
    scan(section, wanted, bounds);
    const gathered = heapSort();
    rerank(section, wanted, bounds, gathered, min(limit, count), out);
  }
  arenaRelease(mark);
  const found = heapSort();
  toDocuments(section, out, found);
  return found;
}

// --- Scan -----------------------------------------------------------------------------------

function scan(section: usize, wanted: usize, bounds: usize): void {
  const groups = groupCount(vectorCount(section));
  const groupBytes = <usize>steps * GROUP_STEP_BYTES;
  const infinite = f32x4.splat(-Infinity);
  let threshold: f32 = -Infinity;
  for (let group: u32 = 0; group < groups; group++) {
    const lanes = (<u32>load<u8>(wanted + (group >> 1)) >> ((group & 1) << 2)) & 15;
    const to = bounds + ((<usize>group) << 4);
    if (lanes == 0) {
      v128.store(to, infinite);
      continue;
    }
    scanGroup(vectorCodes(section) + <usize>group * groupBytes);
    const chosen = i32x4.ne(v128.and(i32x4.splat(lanes), i32x4(1, 2, 4, 8)), i32x4.splat(0));
    const upper = v128.bitselect(upperBounds(section, group), infinite, chosen);
    v128.store(to, upper);
    if (!v128.any_true(f32x4.gt(upper, f32x4.splat(threshold)))) continue;
    for (let lane: u32 = 0; lane < GROUP_VECTORS; lane++) {
      if (((lanes >> lane) & 1) == 0) continue;
      const bound = load<f32>(to + ((<usize>lane) << 2));
      if (bound > threshold || !heapIsFull()) heapOffer(keyOf(bound, group * GROUP_VECTORS + lane));
    }
    if (heapIsFull()) threshold = heapWorstScore();
  }
}

/** Σ code · query of a group's four vectors, as f64. */
let productsLow: v128 = i64x2(0, 0);
let productsHigh: v128 = i64x2(0, 0);

function scanGroup(codes: usize): void {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  let from: u32 = 0;
  while (from < steps) {
    const to = min(from + SEGMENT_STEPS, steps);
    const sums = dotSegment(codes, from, to);
    low = f64x2.add(low, f64x2.convert_low_i32x4_s(sums));
    high = f64x2.add(high, f64x2.convert_low_i32x4_s(v128.shuffle<i64>(sums, sums, 1, 1)));
    from = to;
  }
  productsLow = low;
  productsHigh = high;
}

@inline
function dotSegment(codes: usize, from: u32, to: u32): v128 {
  let a = i32x4.splat(0);
  let b = i32x4.splat(0);
  let c = i32x4.splat(0);
  let d = i32x4.splat(0);
  let at = codes + <usize>from * GROUP_STEP_BYTES;
  let q = query + <usize>from * 2 * STEP_BYTES;
  for (const end = codes + <usize>to * GROUP_STEP_BYTES; at < end; at += GROUP_STEP_BYTES) {
    const queryLow = v128.load(q);
    const queryHigh = v128.load(q, 16);
    q += 2 * STEP_BYTES;
    a = i32x4.add(a, dotStep(v128.load(at), queryLow, queryHigh));
    b = i32x4.add(b, dotStep(v128.load(at, 16), queryLow, queryHigh));
    c = i32x4.add(c, dotStep(v128.load(at, 32), queryLow, queryHigh));
    d = i32x4.add(d, dotStep(v128.load(at, 48), queryLow, queryHigh));
  }
  // Lanes of a, b, c, d are partial sums: transpose and add.
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

@inline
function dotStep(codes: v128, queryLow: v128, queryHigh: v128): v128 {
  const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(codes), queryLow);
  const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(codes), queryHigh);
  return i32x4.add(low, high);
}

/** scoreOf of each vector's greatest possible product: the same operations in the same order, four at a time. */
function upperBounds(section: usize, group: u32): v128 {
  const slot = (<usize>group) << 4;
  const norms = v128.load(vectorResidualNorms(section) + slot);
  const scales = v128.load(vectorScales(section) + slot);
  const squares = vectorSquares(section) + (slot << 1);
  const low = upperPair(productsLow, norms, scales, squares);
  const high = upperPair(
    productsHigh,
    v128.shuffle<i64>(norms, norms, 1, 1),
    v128.shuffle<i64>(scales, scales, 1, 1),
    squares + 16,
  );
  return v128.shuffle<i64>(low, high, 0, 2);
}

@inline
function upperPair(products: v128, norms: v128, scales: v128, squares: usize): v128 {
  const slack = f64x2.mul(f64x2.promote_low_f32x4(norms), f64x2.splat(queryNorm));
  const most = f64x2.add(f64x2.mul(products, f64x2.splat(<f64>CODE_STEP)), slack);
  const scale = f64x2.promote_low_f32x4(scales);
  const similarity = f64x2.mul(most, f64x2.mul(scale, f64x2.splat(queryScale)));
  let score = similarity;
  let bound: f64 = 1.0;
  if (metric != METRIC_COSINE) bound = <f64>f32.MAX_VALUE;
  if (metric == METRIC_L2) {
    const stored = f64x2.mul(f64x2.mul(scale, scale), v128.load(squares));
    const distance = f64x2.sub(f64x2.add(stored, f64x2.splat(querySquares)), f64x2.mul(f64x2.splat(2.0), similarity));
    score = f64x2.sub(f64x2.splat(0), f64x2.max(distance, f64x2.splat(0)));
  }
  return f32x4.demote_f64x2_zero(f64x2.max(f64x2.min(score, f64x2.splat(bound)), f64x2.splat(-bound)));
}

// --- Rerank ---------------------------------------------------------------------------------

/** The exact score of vector `index`; `begin` has been called. */
function exactScore(section: usize, index: u32): f32 {
  const codes = dotRow(codesOf(section, index), GROUP_STEP_BYTES);
  const residuals = dotRow(residualsOf(section, index), STEP_BYTES);
  const product = <f64>CODE_STEP * <f64>codes + <f64>residuals;
  const slot = (<usize>index) << 2;
  return scoreOf(
    metric,
    product,
    load<f32>(vectorScales(section) + slot),
    load<f64>(vectorSquares(section) + (slot << 1)),
  );
}

function dotRow(row: usize, stride: usize): i64 {
  let total: i64 = 0;
  let from: u32 = 0;
  let q = query;
  while (from < steps) {
    const to = min(from + SEGMENT_STEPS, steps);
    let sums = i32x4.splat(0);
    for (; from < to; from++) {
      sums = i32x4.add(sums, dotStep(v128.load(row), v128.load(q), v128.load(q, 16)));
      row += stride;
      q += 2 * STEP_BYTES;
    }
    total += <i64>i32x4.extract_lane(sums, 0) + <i64>i32x4.extract_lane(sums, 1);
    total += <i64>i32x4.extract_lane(sums, 2) + <i64>i32x4.extract_lane(sums, 3);
  }
  return total;
}

/**
 * The first `gathered` keys at `out` are those with the greatest bounds; the heap of exact scores takes their place.
 */
function rerank(section: usize, wanted: usize, bounds: usize, gathered: u32, limit: u32, out: usize): void {
  // Key i is read before the heap, which has at most i keys then, can reach it.
  heapBegin(out, limit);
  for (let i: u32 = 0; i < gathered; i++) {
    const index = idOfKey(load<u64>(out + ((<usize>i) << 3)));
    store<f32>(bounds + ((<usize>index) << 2), -Infinity);
    heapOffer(keyOf(exactScore(section, index), index));
  }
  if (!heapIsFull()) return;
  let threshold = heapWorstScore();
  const groups = groupCount(vectorCount(section));
  for (let group: u32 = 0; group < groups; group++) {
    const at = bounds + ((<usize>group) << 4);
    if (!v128.any_true(f32x4.ge(v128.load(at), f32x4.splat(threshold)))) continue;
    for (let lane: u32 = 0; lane < GROUP_VECTORS; lane++) {
      const index = group * GROUP_VECTORS + lane;
      if (load<f32>(at + ((<usize>lane) << 2)) < threshold || !hasBit(wanted, index)) continue;
      heapOffer(keyOf(exactScore(section, index), index));
      threshold = heapWorstScore();
    }
  }
}

/** Vectors ascend as their documents do, so the order stays. */
function toDocuments(section: usize, out: usize, found: u32): void {
  for (let i: u32 = 0; i < found; i++) {
    const at = out + ((<usize>i) << 3);
    const key = load<u64>(at);
    const document = load<u32>(vectorDocuments(section) + ((<usize>idOfKey(key)) << 2));
    store<u64>(at, (key & 0xffffffff00000000) | <u64>~document);
  }
}

/** Writes the exact score of one document. Answers 1, 0 when it has no vector, or CAPACITY. */
export function vectorScore(section: usize, vector: usize, document: u32, out: usize): i32 {
  const index = vectorOf(section, document);
  if (index < 0) return 0;
  const mark = arenaMark();
  if (!begin(section, vector)) return CAPACITY;
  store<f32>(out, exactScore(section, index));
  arenaRelease(mark);
  return 1;
}

function vectorOf(section: usize, document: u32): i32 {
  let low: u32 = 0;
  let high = vectorCount(section);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(vectorDocuments(section) + ((<usize>middle) << 2)) < document) low = middle + 1;
    else high = middle;
  }
  if (low == vectorCount(section)) return BAD_ARGUMENT;
  return load<u32>(vectorDocuments(section) + ((<usize>low) << 2)) == document ? <i32>low : BAD_ARGUMENT;
}
