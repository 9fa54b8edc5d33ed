/**
 * The exact scan of vector_scan.ts over vectors in rows: the same bound, the same proof.
 *
 * Short rows are read four abreast, as fast as blocks are. Long ones one after the other, as memory likes it: four
 * streams side by side leave the nearest cache.
 *
 * Rows do not lie in the order of documents, so a filter costs a look-up a row. `scanWanted` makes it before, and reads
 * wanted rows only; `scanRows` reads all rows, and makes it of the few that pass the bound.
 */
import { hasBit } from "./bitset";
import { METRIC_L2, PLANE_OFFSET, queryNorm, querySum } from "./vector_codec";
import {
  queryMetric,
  queryOfRows,
  queryRowBytes,
  rowProduct,
  rowSums,
  SHORT_DIMENSIONS_MAX,
  sumsOfFour,
} from "./vector_query";
import {
  beginScan,
  bitsOfLanes,
  keepProducts,
  leastShort,
  passingWide,
  PRODUCTS,
  score,
  wantedOf,
} from "./vector_scan";
import {
  BLOCK_VECTORS,
  blockCount,
  codeRow,
  documentOf,
  vectorBounds,
  vectorCount,
  vectorScales,
} from "./vector_section";

/** From this part of documents on that match, reading all rows costs less than finding out which are wanted. */
export const READ_ALL_SHARE: f64 = 0.3;
const ROWS_ABREAST_BYTES_MAX: u32 = 128;
/** Of 16 rows, so many are worth visiting one by one. */
const SPARSE_ROWS_MAX: u32 = 6;

/**
 * Offers to the heap every vector that may be among the best of it. `matches` is a bitset over documents, or 0 for all of
 * them.
 */
export function scanRows(codes: usize, residuals: usize, matches: usize): void {
  beginScan();
  scanBlocks(codes, residuals, 0, matches);
}

/** The same of the vectors in `wanted`, a bitset over vectors padded with zeros. */
export function scanWanted(codes: usize, residuals: usize, wanted: usize): void {
  beginScan();
  scanBlocks(codes, residuals, wanted, 0);
}

@inline
function scanBlocks(codes: usize, residuals: usize, wanted: usize, matches: usize): void {
  const count = vectorCount(codes);
  const isShort = queryMetric != METRIC_L2 && queryRowBytes <= SHORT_DIMENSIONS_MAX;
  for (let block: u32 = 0; block < blockCount(count); block++) {
    const bits = wantedOf(wanted, block, count);
    if (bits == 0) continue;
    const isWhole = (block + 1) * BLOCK_VECTORS <= count;
    let passing: u32;
    if (isShort && isWhole && popcnt(bits) > SPARSE_ROWS_MAX) passing = passingSixteen(codes, block, bits);
    else passing = passingRows(codes, block, bits);
    if (passing != 0 && matches != 0) passing = matching(codes, block, passing, matches);
    if (passing != 0) score(codes, residuals, block, passing);
  }
}

/** Which of a block's vectors are of documents in `matches`. */
function matching(codes: usize, block: u32, bits: u32, matches: usize): u32 {
  let kept: u32 = 0;
  for (; bits != 0; bits &= bits - 1) {
    const lane = <u32>ctz(bits);
    if (hasBit(matches, documentOf(codes, block * BLOCK_VECTORS + lane))) kept |= 1 << lane;
  }
  return kept;
}

/** One vector, as the scan would: for whoever found it otherwise. Between `beginScan` and the end of the search. */
export function offerVector(codes: usize, residuals: usize, index: u32): void {
  const block = index / BLOCK_VECTORS;
  const passing = passingRows(codes, block, 1 << (index % BLOCK_VECTORS));
  if (passing != 0) score(codes, residuals, block, passing);
}

/** A few rows of 16, one by one: which of `bits` may belong to the best. Their products stand in PRODUCTS. */
function passingRows(codes: usize, block: u32, bits: u32): u32 {
  for (let left = bits; left != 0; left &= left - 1) {
    const lane = <u32>ctz(left);
    const product = rowProduct(codeRow(codes, block * BLOCK_VECTORS + lane));
    store<f64>(PRODUCTS + ((<usize>lane) << 3), <f64>product);
  }
  return passingWide(codes, block, bits);
}

/** The same of sixteen rows at once, in 32 bits. */
@inline
function passingSixteen(codes: usize, block: u32, bits: u32): u32 {
  const four = (<usize>queryRowBytes) << 2;
  const at = codeRow(codes, block * BLOCK_VECTORS);
  const offset = i32x4.splat(PLANE_OFFSET * querySum);
  const a = i32x4.sub(sumFour(at), offset);
  const b = i32x4.sub(sumFour(at + four), offset);
  const c = i32x4.sub(sumFour(at + 2 * four), offset);
  const d = i32x4.sub(sumFour(at + 3 * four), offset);
  const slack = load<f32>(vectorBounds(codes) + ((<usize>block) << 3)) * <f32>(queryNorm / 256.0);
  const floor = f32x4.splat(leastShort() - slack);
  const scales = vectorScales(codes) + ((<usize>block) << 6);
  const belowA = f32x4.lt(f32x4.mul(f32x4.convert_i32x4_s(a), v128.load(scales)), floor);
  const belowB = f32x4.lt(f32x4.mul(f32x4.convert_i32x4_s(b), v128.load(scales, 16)), floor);
  const belowC = f32x4.lt(f32x4.mul(f32x4.convert_i32x4_s(c), v128.load(scales, 32)), floor);
  const belowD = f32x4.lt(f32x4.mul(f32x4.convert_i32x4_s(d), v128.load(scales, 48)), floor);
  const passing = bits & ~bitsOfLanes(belowA, belowB, belowC, belowD);
  if (passing != 0) keepProducts(a, b, c, d);
  return passing;
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

@inline
function dot(codes: v128, small: v128, even: v128, odd: v128): v128 {
  const low = i32x4.dot_i16x8_s(v128.and(codes, small), even);
  return i32x4.add(low, i32x4.dot_i16x8_s(i16x8.shr_u(codes, 8), odd));
}
