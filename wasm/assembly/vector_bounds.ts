/**
 * The exact search of vectors in two steps, for where their codes are at hand and their residuals are not: the first tells
 * what may be among the best and between which bounds its score is, the second scores those whose residuals were brought.
 *
 *   bound   0 document u32 · 4 vector u32 · 8 least score f32 · 12 greatest score f32 · 16 product f64 · 24 squares f64 ·
 *           32 scale f32 · 36 zero u32
 *
 * The product is that of the codes, A; the whole one is 256 · A + Σ residual · query. The second term is at most
 * residual norm · query norm, which the slack of a vector's block is not below (vector_scan.ts). A score is monotone in
 * the product, rounding included, so the scores of the least and the greatest product are bounds of the score itself,
 * to the last bit: what has its greatest score below the limit-th least of all is not in the answer, not even by a tie.
 */
import { CAPACITY } from "./status";
import { CODE_STEP, queryNorm, rowBytes, scoreOf } from "./vector_codec";
import { beginQueryOf, queryMetric, scaleOfVector, scoreOfRow, squaresOfVector } from "./vector_query";
import { findReaching, GROUPS, nextReaching, openReaching, productOf, reachingGroup } from "./vector_scan";
import { BLOCK_VECTORS, documentOf, vectorBounds } from "./vector_section";

export const BOUND_BYTES: u32 = 40;
const GROUP_VECTORS: u32 = BLOCK_VECTORS / GROUPS;

/** The group that the next call goes on from; 0 when everything was told. */
export let boundsNext: u32 = 0;

/**
 * Writes to `out` at most `most` bounds of wanted vectors that may be among the best `limit` of them and score `floor` or
 * more: from group `from` on, all of them unless `boundsNext` says where to go on. Answers how many. `room` and `chosen` as
 * in `scan`; `most` is the vectors of a group at least.
 */
export function boundAll(
  codes: usize,
  wanted: usize,
  room: usize,
  chosen: usize,
  limit: u32,
  floor: f32,
  from: u32,
  most: u32,
  out: usize,
): i32 {
  findReaching(codes, wanted, room, chosen, limit, floor, from);
  let count: u32 = 0;
  boundsNext = 0;
  while (openReaching()) {
    for (let index = nextReaching(); index >= 0; index = nextReaching()) {
      putBound(codes, <u32>index, out + <usize>count * BOUND_BYTES);
      count++;
    }
    if (count + GROUP_VECTORS <= most) continue;
    boundsNext = reachingGroup;
    break;
  }
  return <i32>count;
}

function putBound(codes: usize, index: u32, to: usize): void {
  const product = productOf(index);
  const scale = scaleOfVector(codes, index);
  const squares = squaresOfVector(codes, index);
  const whole = <f64>CODE_STEP * product;
  const off = offOf(codes, index, scale);
  store<u32>(to, documentOf(codes, index));
  store<u32>(to, index, 4);
  store<f32>(to, scoreOf(queryMetric, whole - off, scale, squares), 8);
  store<f32>(to, scoreOf(queryMetric, whole + off, scale, squares), 12);
  store<f64>(to, product, 16);
  store<f64>(to, squares, 24);
  store<f32>(to, scale, 32);
  store<u32>(to, 0, 36);
}

/** What residuals can add to a product, or take from it. */
@inline
function offOf(codes: usize, index: u32, scale: f32): f64 {
  // Without a scale every product has the same score.
  if (!(scale > 0)) return 0;
  const slack = load<f32>(vectorBounds(codes) + ((<usize>(index / BLOCK_VECTORS)) << 2));
  return (<f64>slack / <f64>scale) * queryNorm;
}

/**
 * Writes the exact scores, f32, of `count` bounds whose residuals lie at `rows`, a padded row each, with 16 bytes readable
 * behind the last. `vector` is the query that they were found for. Answers `count`, or CAPACITY.
 */
export function scoreBounded(
  dimensions: u32,
  metric: u32,
  vector: usize,
  bounds: usize,
  rows: usize,
  count: u32,
  out: usize,
): i32 {
  if (!beginQueryOf(dimensions, metric, vector)) return CAPACITY;
  const bytes = rowBytes(dimensions);
  for (let i: u32 = 0; i < count; i++) {
    const bound = bounds + <usize>i * BOUND_BYTES;
    const score = scoreOfRow(load<f64>(bound, 16), rows + <usize>i * bytes, load<f32>(bound, 32), load<f64>(bound, 24));
    store<f32>(out + ((<usize>i) << 2), score);
  }
  return <i32>count;
}
