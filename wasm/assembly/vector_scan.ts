/**
 * Exact nearest neighbours, most of them by a bound.
 *
 * With A = Σ code · query, the inner product is 256 · A + Σ residual · query, and by Cauchy–Schwarz the second term is
 * at most residual norm · query norm. So A gives an upper bound of the score:
 *
 *   reach = A · scale + slack · (query norm / 256) ≥ score / (256 · query scale)          cosine, dot
 *   reach − squared length / (512 · query scale)   ≥ (score + |query|²) / (512 · query scale)        l2
 *
 *   1. One pass over the codes, without a branch on the data, keeps the greatest reach of every four vectors.
 *   2. The `limit` groups of four with the greatest reaches are scored exactly. Each has a vector whose score is at most
 *      twice its slack below its reach, which is a score that the answer cannot fall below; soon the worst of the heap is a
 *      higher one.
 *   3. Every other group whose reach comes up to it is scored exactly.
 *
 * A vector that is never scored has a bound, and so a score, below the last of the answer: the answer is proved.
 *
 * Reaches are kept in 32 bits. Slack is greater than what those can be off (vector_codec.ts).
 */
import { hasBit } from "./bitset";
import { heapBegin, heapCount, heapIsFull, heapOffer, heapWorstScore, idOfKey, keyOf } from "./top_k";
import { offerLanes, STRIDE_BYTES } from "./top_lanes";
import { METRIC_L2, PLANE_OFFSET, queryNorm, queryScale, querySquares, querySum } from "./vector_codec";
import {
  dot,
  LANE_PRODUCTS_MAX,
  queryMetric,
  queryOfBlocks,
  queryOfRows,
  queryRowBytes,
  rowProduct,
  rowSums,
  SHORT_DIMENSIONS_MAX,
  scoreOfProduct,
  sumsOfFour,
} from "./vector_query";
import {
  BLOCK_VECTORS,
  blockCount,
  codeRow,
  documentOf,
  LAYOUT_BLOCKS,
  vectorBounds,
  vectorCodes,
  vectorCount,
  vectorLayout,
  vectorScales,
  vectorSquares,
} from "./vector_section";

/** Of a block: group g has its vectors g, g + 4, g + 8, g + 12, which lie in lane g of its four sums. */
export const GROUPS: u32 = 4;
/** Longer rows are read one after the other, as memory likes it; shorter ones four abreast. */
const ROWS_ABREAST_BYTES_MAX: u32 = 128;
/** Rows of a block that are read one by one rather than with the others: long ones, and those that are read four abreast. */
const SPARSE_LONG_ROWS_MAX: u32 = 6;
const SPARSE_SHORT_ROWS_MAX: u32 = 2;
/** More than what rounding to 32 bits changes of a number. */
const REACH_ROUNDING: f64 = 1.0 / 4194304.0;
const REACH_ROUNDING_LEAST: f64 = 1e-37;

let codes: usize = 0;
let residuals: usize = 0;
/** A bitset over vectors, padded with zeros, or 0 for all of them. */
let wanted: usize = 0;
/** A bitset over documents, or 0 for all of them. */
let accepted: usize = 0;
/** f32 a group: the greatest reach of its vectors; no number once they were scored. */
let reaches: usize = 0;
/** Σ code · query a vector: i32 where that is enough, else f64. */
let products: usize = 0;
let isShort: bool = false;

/** Bytes that a scan of so many vectors works in. */
export function scanBytes(vectors: u32): u64 {
  return reachBytes(vectors) + <u64>blockCount(vectors) * BLOCK_VECTORS * 8;
}

@inline
function reachBytes(vectors: u32): u64 {
  return ((<u64>blockCount(vectors) << 4) + STRIDE_BYTES - 1) & ~(<u64>STRIDE_BYTES - 1);
}

/** Where so many match, finding out which vectors those are costs more than scanning the others too. */
export const READ_ALL_SHARE: f64 = 0.375;
/** Groups that are scored before the others when not all of a group need be accepted: so many times the limit. */
export const CHOSEN_PER_ACCEPTED: u32 = 4;

/**
 * Puts the best `limit` of the wanted vectors into a heap at `out`, unsorted. Where most are wanted but which is costly to
 * tell, `wantedAt` is 0 and `acceptedAt` a bitset over documents that is asked of the few that are scored. `room` has
 * `scanBytes`, `chosen` room for `limit` keys, CHOSEN_PER_ACCEPTED times as many with `acceptedAt`.
 */
export function scan(
  codesAt: usize,
  residualsAt: usize,
  wantedAt: usize,
  acceptedAt: usize,
  room: usize,
  chosen: usize,
  limit: u32,
  out: usize,
): void {
  residuals = residualsAt;
  accepted = acceptedAt;
  findReaches(codesAt, wantedAt, room);
  const groups = choose(chosen, accepted == 0 ? limit : limit * CHOSEN_PER_ACCEPTED);
  heapBegin(out, limit);
  beginLeast(chosen, groups, limit);
  for (let i: u32 = 0; i < groups; i++) {
    const group = idOfKey(load<u64>(chosen + ((<usize>i) << 3)));
    if (reachOf(group) >= least) scoreGroup(group);
  }
  scoreRest();
}

/** The first step: reaches and products of the wanted vectors, in a `room` of `scanBytes`. */
function findReaches(codesAt: usize, wantedAt: usize, room: usize): void {
  codes = codesAt;
  wanted = wantedAt;
  reaches = room;
  products = room + <usize>reachBytes(vectorCount(codes));
  isShort = queryRowBytes <= SHORT_DIMENSIONS_MAX;
  if (vectorLayout(codes) != LAYOUT_BLOCKS) reachRows();
  else if (isShort) reachShort();
  else reachLong();
}

/**
 * The first two steps without residuals: what of the wanted vectors may be among the best `limit` of them, if scores
 * below `floor` need not be found. Which those are is told from group `from` on by `openReaching` and `nextReaching`.
 */
export function findReaching(
  codesAt: usize,
  wantedAt: usize,
  room: usize,
  chosen: usize,
  limit: u32,
  floor: f32,
  from: u32,
): void {
  accepted = 0;
  findReaches(codesAt, wantedAt, room);
  beginLeast(chosen, choose(chosen, limit), limit);
  if (queryScale > 0 && floor > -f32.MAX_VALUE) raiseLeast(<f64>floor);
  reachingGroup = from;
  reachingBits = 0;
}

/** The first group that was not opened. */
export let reachingGroup: u32 = 0;
/** Vectors of the group before it that were not told yet. */
let reachingBits: u32 = 0;

/** Opens the next group that comes up to what is needed. False when there is none. */
export function openReaching(): bool {
  const groups = blockCount(vectorCount(codes)) * GROUPS;
  while (reachingGroup < groups) {
    const group = reachingGroup++;
    if (!(reachOf(group) >= least)) continue;
    reachingBits = wantedOf(group / GROUPS) & (0x1111 << (group % GROUPS));
    return true;
  }
  return false;
}

/** A vector of the open group that comes up to it, or -1 when all were told. */
export function nextReaching(): i32 {
  while (reachingBits != 0) {
    const index = ((reachingGroup - 1) / GROUPS) * BLOCK_VECTORS + <u32>ctz(reachingBits);
    reachingBits &= reachingBits - 1;
    if (reachOfVector(index) >= <f64>least) return <i32>index;
  }
  return -1;
}

/** Which of a block's vectors are asked for. */
@inline
function wantedOf(block: u32): u32 {
  if (wanted != 0) return load<u16>(wanted + ((<usize>block) << 1));
  const left = vectorCount(codes) - block * BLOCK_VECTORS;
  return left >= BLOCK_VECTORS ? 0xffff : (1 << left) - 1;
}

// --- Reaches --------------------------------------------------------------------------------

function reachShort(): void {
  const blocks = blockCount(vectorCount(codes));
  const blockBytes = (<usize>queryRowBytes) << 4;
  const offset = i32x4.splat(-PLANE_OFFSET * querySum);
  const query = queryOfBlocks;
  const small = i16x8.splat(255);
  let at = vectorCodes(codes);
  for (let block: u32 = 0; block < blocks; block++, at += blockBytes) {
    const bits = wantedOf(block);
    if (bits == 0) {
      keepNothing(block);
      continue;
    }
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
    keepSums(block, bits, a, b, c, d);
  }
}

@inline
function keepNothing(block: u32): void {
  v128.store(reaches + ((<usize>block) << 4), f32x4.splat(NaN));
}

/** The products of a block, without the plane's offset, and the reaches of its groups. */
@inline
function keepSums(block: u32, bits: u32, a: v128, b: v128, c: v128, d: v128): void {
  const sums = products + ((<usize>block) << 6);
  v128.store(sums, a);
  v128.store(sums, b, 16);
  v128.store(sums, c, 32);
  v128.store(sums, d, 48);
  const scales = vectorScales(codes) + ((<usize>block) << 6);
  let reachA = f32x4.mul(f32x4.convert_i32x4_s(a), v128.load(scales));
  let reachB = f32x4.mul(f32x4.convert_i32x4_s(b), v128.load(scales, 16));
  let reachC = f32x4.mul(f32x4.convert_i32x4_s(c), v128.load(scales, 32));
  let reachD = f32x4.mul(f32x4.convert_i32x4_s(d), v128.load(scales, 48));
  if (queryMetric == METRIC_L2) {
    const squares = vectorSquares(codes) + ((<usize>block) << 7);
    reachA = without(reachA, lengths(v128.load(scales), squares));
    reachB = without(reachB, lengths(v128.load(scales, 16), squares + 32));
    reachC = without(reachC, lengths(v128.load(scales, 32), squares + 64));
    reachD = without(reachD, lengths(v128.load(scales, 48), squares + 96));
  }
  // What left the numbers downwards comes back: with an infinite slack it would be no number, and never be scored.
  const lowest = f32x4.splat(-f32.MAX_VALUE);
  reachA = greatest(reachA, lowest);
  reachB = greatest(reachB, lowest);
  reachC = greatest(reachC, lowest);
  reachD = greatest(reachD, lowest);
  if (bits != 0xffff) {
    reachA = where(reachA, bits);
    reachB = where(reachB, bits >> 4);
    reachC = where(reachC, bits >> 8);
    reachD = where(reachD, bits >> 12);
  }
  const slack = load<f32>(vectorBounds(codes) + ((<usize>block) << 2)) * <f32>(queryNorm / 256.0);
  const most = greatest(greatest(reachA, reachB), greatest(reachC, reachD));
  v128.store(reaches + ((<usize>block) << 4), f32x4.add(most, f32x4.splat(slack)));
}

/** ∞, which reaches everything, where the numbers are too great to tell. */
@inline
function without(reach: v128, length: v128): v128 {
  const left = f32x4.sub(reach, length);
  return v128.bitselect(left, f32x4.splat(Infinity), f32x4.eq(left, left));
}

/** What l2 takes from a reach, of four vectors: not more than it is. */
@inline
function lengths(scales: v128, squares: usize): v128 {
  const factor = f64x2.splat(queryScale > 0 ? (1.0 - REACH_ROUNDING) / (512.0 * queryScale) : 0);
  const low = f64x2.promote_low_f32x4(scales);
  const high = f64x2.promote_low_f32x4(v128.shuffle<i64>(scales, scales, 1, 1));
  const lowLengths = f64x2.mul(f64x2.mul(f64x2.mul(low, low), v128.load(squares)), factor);
  const highLengths = f64x2.mul(f64x2.mul(f64x2.mul(high, high), v128.load(squares, 16)), factor);
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(lowLengths), f32x4.demote_f64x2_zero(highLengths), 0, 2);
}

/** One instruction, unlike f32x4.max; reaches that are no numbers are not compared. */
@inline
function greatest(a: v128, b: v128): v128 {
  return f32x4.pmax(a, b);
}

/** Lanes whose bit is set; -∞ in the others. */
@inline
function where(reach: v128, bits: u32): v128 {
  const lanes = i32x4.ne(v128.and(i32x4.splat(bits), i32x4(1, 2, 4, 8)), i32x4.splat(0));
  return v128.bitselect(reach, f32x4.splat(-Infinity), lanes);
}

/** In 64 bits. */
function reachLong(): void {
  const blocks = blockCount(vectorCount(codes));
  for (let block: u32 = 0; block < blocks; block++) {
    const bits = wantedOf(block);
    if (bits != 0) longProducts(block);
    keepReaches(block, bits);
  }
}

function reachRows(): void {
  const count = vectorCount(codes);
  const whole = count / BLOCK_VECTORS;
  const four = (<usize>queryRowBytes) << 2;
  const offset = i32x4.splat(-PLANE_OFFSET * querySum);
  const sparse = queryRowBytes > ROWS_ABREAST_BYTES_MAX ? SPARSE_LONG_ROWS_MAX : SPARSE_SHORT_ROWS_MAX;
  for (let block: u32 = 0; block < blockCount(count); block++) {
    const bits = wantedOf(block);
    if (!isShort || block == whole || <u32>popcnt(bits) <= sparse) {
      rowProducts(block, bits);
      keepReaches(block, bits);
      continue;
    }
    const at = codeRow(codes, block * BLOCK_VECTORS);
    const a = i32x4.add(sumFour(at), offset);
    const b = i32x4.add(sumFour(at + four), offset);
    const c = i32x4.add(sumFour(at + 2 * four), offset);
    keepSums(block, bits, a, b, c, i32x4.add(sumFour(at + 3 * four), offset));
  }
}

/** Sums of four rows. */
@inline
function sumFour(at: usize): v128 {
  const bytes = <usize>queryRowBytes;
  let a = i32x4.splat(0);
  let b = i32x4.splat(0);
  let c = i32x4.splat(0);
  let d = i32x4.splat(0);
  if (queryRowBytes > ROWS_ABREAST_BYTES_MAX) {
    a = rowSums(at, queryRowBytes, queryOfRows);
    b = rowSums(at + bytes, queryRowBytes, queryOfRows);
    c = rowSums(at + 2 * bytes, queryRowBytes, queryOfRows);
    d = rowSums(at + 3 * bytes, queryRowBytes, queryOfRows);
  } else {
    const small = i16x8.splat(255);
    let query = queryOfRows;
    for (const end = at + bytes; at < end; at += 16) {
      const even = v128.load(query);
      const odd = v128.load(query, 16);
      query += 32;
      a = i32x4.add(a, dot(v128.load(at), small, even, odd));
      b = i32x4.add(b, dot(v128.load(at + bytes), small, even, odd));
      c = i32x4.add(c, dot(v128.load(at + 2 * bytes), small, even, odd));
      d = i32x4.add(d, dot(v128.load(at + 3 * bytes), small, even, odd));
    }
  }
  return sumsOfFour(a, b, c, d);
}

/** Of the products of a block. */
function keepReaches(block: u32, bits: u32): void {
  const to = reaches + ((<usize>block) << 4);
  v128.store(to, bits == 0 ? f32x4.splat(NaN) : f32x4.splat(-Infinity));
  for (; bits != 0; bits &= bits - 1) {
    const lane = <u32>ctz(bits);
    const reach = reachOfVector(block * BLOCK_VECTORS + lane);
    const slot = to + ((<usize>(lane % GROUPS)) << 2);
    store<f32>(slot, max<f32>(load<f32>(slot), <f32>(reach + abs<f64>(reach) * REACH_ROUNDING)));
  }
}

@inline
export function productOf(index: u32): f64 {
  if (isShort) return <f64>load<i32>(products + ((<usize>index) << 2));
  return load<f64>(products + ((<usize>index) << 3));
}

function reachOfVector(index: u32): f64 {
  const bound = vectorBounds(codes) + ((<usize>(index / BLOCK_VECTORS)) << 2);
  const slack = <f64>load<f32>(bound) * (queryNorm / 256.0);
  const slot = (<usize>index) << 2;
  const scale = <f64>load<f32>(vectorScales(codes) + slot);
  const reach = productOf(index) * scale + slack;
  // Without a length, a query tells nothing apart: everything is scored.
  if (queryMetric != METRIC_L2 || !(queryScale > 0)) return reach;
  return reach - (scale * scale * load<f64>(vectorSquares(codes) + (slot << 1))) / (512.0 * queryScale);
}

// --- Products -------------------------------------------------------------------------------

/** Of a block in blocks, a segment at a time: each is within 32 bits, with the offset in it. */
function longProducts(block: u32): void {
  const to = products + ((<usize>block) << 7);
  let at = vectorCodes(codes) + (((<usize>block) * queryRowBytes) << 4);
  const offset = f64x2.splat(-<f64>PLANE_OFFSET * <f64>querySum);
  for (let i: usize = 0; i < 128; i += 16) v128.store(to + i, offset);
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
    addFour(to, a);
    addFour(to + 32, b);
    addFour(to + 64, c);
    addFour(to + 96, d);
  }
}

@inline
function addFour(to: usize, sums: v128): void {
  const high = v128.shuffle<i64>(sums, sums, 1, 1);
  v128.store(to, f64x2.add(v128.load(to), f64x2.convert_low_i32x4_s(sums)));
  v128.store(to, f64x2.add(v128.load(to, 16), f64x2.convert_low_i32x4_s(high)), 16);
}

/** Of some vectors of a block in rows. */
function rowProducts(block: u32, bits: u32): void {
  for (; bits != 0; bits &= bits - 1) {
    const index = block * BLOCK_VECTORS + <u32>ctz(bits);
    const product = rowProduct(codeRow(codes, index));
    if (isShort) store<i32>(products + ((<usize>index) << 2), <i32>product);
    else store<f64>(products + ((<usize>index) << 3), <f64>product);
  }
}

// --- Scores ---------------------------------------------------------------------------------

/** What a reach must come up to. */
let least: f32 = -Infinity;
/** The heap's worst that it was raised by. */
let worstOfLeast: f32 = 0;

/** Every chosen group has a wanted vector whose score is at most twice its slack below its reach. */
function beginLeast(chosen: usize, groups: u32, limit: u32): void {
  least = -Infinity;
  worstOfLeast = Infinity;
  if (groups < limit || accepted != 0 || !(queryScale > 0)) return;
  let lowest = Infinity;
  for (let i: u32 = 0; i < groups; i++) {
    const group = idOfKey(load<u64>(chosen + ((<usize>i) << 3)));
    const bound = load<f32>(vectorBounds(codes) + ((<usize>(group / GROUPS)) << 2));
    if (reachOf(group) == Infinity) return;
    lowest = min<f64>(lowest, <f64>reachOf(group) - <f64>bound * (queryNorm / 128.0));
  }
  const unit = 256.0 * queryScale;
  const score = queryMetric == METRIC_L2 ? 2.0 * lowest * unit - querySquares : lowest * unit;
  if (score > -<f64>f32.MAX_VALUE) raiseLeast(score);
}

function updateLeast(): void {
  if (!heapIsFull() || heapWorstScore() == worstOfLeast) return;
  worstOfLeast = heapWorstScore();
  // What was clamped at the end of the numbers, or has a query without length, cannot be told apart.
  if (queryScale > 0 && worstOfLeast > -f32.MAX_VALUE) raiseLeast(<f64>worstOfLeast);
}

/** To what a score below `score`, in f32 or before it was rounded, cannot reach. */
function raiseLeast(score: f64): void {
  const isL2 = queryMetric == METRIC_L2;
  const rounding = (abs<f64>(score) + (isL2 ? querySquares : 0)) * REACH_ROUNDING + REACH_ROUNDING_LEAST;
  const reach = (isL2 ? (score - rounding + querySquares) * 0.5 : score - rounding) / (256.0 * queryScale);
  const lower = reach - abs<f64>(reach) * REACH_ROUNDING;
  if (lower > -<f64>f32.MAX_VALUE) least = max<f32>(least, <f32>min<f64>(lower, <f64>f32.MAX_VALUE));
}

@inline
function reachOf(group: u32): f32 {
  return load<f32>(reaches + ((<usize>group) << 2));
}

/** The `count` groups with the greatest reaches, as keys at `to`, in no order. Answers how many there are. */
function choose(to: usize, count: u32): u32 {
  const groups = blockCount(vectorCount(codes)) * GROUPS;
  for (let at = reaches + ((<usize>groups) << 2); at < products; at += 16) v128.store(at, f32x4.splat(NaN));
  heapBegin(to, count);
  offerLanes(reaches, groups, 0, 0, -Infinity);
  return heapCount;
}

/** Every group that is left and comes up to the worst of the heap. */
function scoreRest(): void {
  const end = reaches + <usize>reachBytes(vectorCount(codes));
  for (let at = reaches; at < end; at += 16) {
    let bits = <u32>i32x4.bitmask(f32x4.ge(v128.load(at), f32x4.splat(least)));
    for (; bits != 0; bits &= bits - 1) {
      const group = <u32>((at - reaches) >> 2) + <u32>ctz(bits);
      if (reachOf(group) >= least) scoreGroup(group);
    }
  }
}

/** Offers the wanted vectors of a group that come up to the worst of the heap. */
function scoreGroup(group: u32): void {
  const block = group / GROUPS;
  store<f32>(reaches + ((<usize>group) << 2), NaN);
  for (let bits = wantedOf(block) & (0x1111 << (group % GROUPS)); bits != 0; bits &= bits - 1) {
    const index = block * BLOCK_VECTORS + <u32>ctz(bits);
    if (reachOfVector(index) < <f64>least) continue;
    const document = documentOf(codes, index);
    if (accepted != 0 && !hasBit(accepted, document)) continue;
    heapOffer(keyOf(scoreOfProduct(codes, residuals, index, productOf(index)), document));
    updateLeast();
  }
}
