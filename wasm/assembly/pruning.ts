/**
 * MaxScore in windows (Turtle and Flood, "Query evaluation: strategies and optimizations"; in windows over block bounds as
 * Grand, Muir, Ferenczi and Lin describe for Lucene in "From MaxScore to Block-Max WAND").
 *
 *   1. What each term can give at most in the window follows from the bounds of its blocks there.
 *   2. The weakest terms whose bounds together do not reach the k-th best score so far are not essential: a document that
 *      has none of the others cannot be a hit.
 *   3. Essential terms are summed; documents that could still be hits with all the rest are candidates.
 *   4. The other terms are added, strongest first: to the candidates one by one, or to the whole window where that is
 *      cheaper; who can no longer be a hit falls out.
 *   5. Who is left is scored anew, in the order of the terms, and offered. So the answer is that of summing everything.
 *
 * Bounds and sums in other orders are off by rounding; SLACK is more than 1,024 terms can add up to.
 */
import { arenaTake } from "./arena";
import { b, contribution, k1 } from "./bm25";
import { hasBit } from "./bitset";
import { normOfLength } from "./norms";
import { BLOCK } from "./packed";
import {
  BEFORE,
  blockSkip,
  BOUND_MAX,
  CURSOR_BYTES,
  cursorTf,
  DECODED,
  DECODED_BYTES,
  HEADER,
  HEADER_BYTES,
  HEADERS_END,
  isInBlocks,
  LENGTH_HALF,
  NORMS,
  TAIL_BOUND,
  TAIL_DOCUMENT,
  TAIL_POSTINGS,
  TF_MOST,
  WEIGHT,
  WINDOW_POSTINGS,
} from "./postings";
import { addPostings, cursorAt, cursorCount, DECODED_COUNT, normAt, searchWindow, sumAt, windowClear } from "./text_window";
import { heapCount, heapOffer, heapWorstScore, keyOf } from "./top_k";

/** Documents that are asked together what they can hold. */
export const WINDOW: u32 = 16_384;
const SLACK: f64 = 1.0 + 1.0 / 2048.0;
const TERMS_MAX: u32 = 1024;
/** Looking one document up in a term's postings costs about as much as adding so many postings to the window. */
const LOOK_UP_POSTINGS: u32 = 64;
/** Each posting of an essential term may make a candidate: leaving terms out pays when they have so many times more. */
const SPARE_FACTOR: u32 = 6;
/** Of the k best so far, how many a window replaces: those are scored anew. */
const REPLACED_SHARE: u32 = 4;

/** Cursors that lag behind: they look candidates up. */
let finders: usize = 0;
/** One that runs ahead within a window and is thrown away. */
let scout: usize = 0;
/** Terms of the window, weakest first: bound f64 · index u32 · zero. */
let order: usize = 0;
let ordered: u32 = 0;
/** u32 a document. */
let candidates: usize = 0;
let candidateCount: u32 = 0;

/** With a given number of terms at most TERMS_MAX. */
export function prunedBytes(): u64 {
  const perTerm = <u64>CURSOR_BYTES + 16;
  return (TERMS_MAX + 1) * perTerm + DECODED_COUNT * DECODED_BYTES + ((<u64>WINDOW) << 2) + 5 * 64;
}

/**
 * After the cursors were begun: 1 when the search may be pruned; 0 when its weights or parameters are such that a greater
 * tf or a lesser length could lower a score; −1 when the scratch does not fit.
 */
export function prunedBegin(): i32 {
  if (cursorCount == 0 || cursorCount > TERMS_MAX) return 0;
  if (!(k1 >= 0) || !(b >= 0) || !(b <= 1)) return 0;
  for (let i: u32 = 0; i < cursorCount; i++) {
    const weight = load<f32>(cursorAt(i), WEIGHT);
    if (!(weight > 0) || !(weight < f32.MAX_VALUE)) return 0;
  }
  finders = arenaTake(<u64>(cursorCount + 1) * CURSOR_BYTES);
  order = arenaTake(<u64>cursorCount << 4);
  candidates = arenaTake(<u64>WINDOW << 2);
  const decoded = arenaTake(<u64>DECODED_COUNT * DECODED_BYTES);
  if (finders == 0 || order == 0 || candidates == 0 || decoded == 0) return -1;
  scout = finderAt(cursorCount);
  for (let i: u32 = 0; i < cursorCount; i++) {
    copyCursor(cursorAt(i), finderAt(i));
    const slot = decoded + <usize>(i & (DECODED_COUNT - 1)) * DECODED_BYTES;
    memory.fill(slot, 0, DECODED_BYTES);
    store<u32>(finderAt(i), <u32>slot, DECODED);
  }
  return 1;
}

@inline
function finderAt(index: u32): usize {
  return finders + <usize>index * CURSOR_BYTES;
}

@inline
function copyCursor(from: usize, to: usize): void {
  for (let i: usize = 0; i < CURSOR_BYTES; i += 16) v128.store(to + i, v128.load(from + i));
}

/** `from` to `to`: a window in which only a score above the worst of a full heap counts. */
export function searchPruned(from: u32, to: u32, matches: usize): void {
  orderTerms(from, to);
  const threshold = <f64>heapWorstScore();
  let rest: f64 = 0;
  let spare: u32 = 0;
  while (spare < ordered && (rest + boundAt(spare)) * SLACK <= threshold) rest += boundAt(spare++);
  if (spare == ordered) return;
  const anew = (heapCount / REPLACED_SHARE) * ordered * LOOK_UP_POSTINGS;
  if (postingsOf(0, spare) < SPARE_FACTOR * postingsOf(spare, ordered) + anew) {
    searchWindow(from, to, matches);
    return;
  }
  windowClear(from, to);
  for (let i = spare; i < ordered; i++) addPostings(cursorAt(indexAt(i)), from, to);
  gatherCandidates(from, to, matches, threshold / SLACK - rest);
  while (spare > 0 && candidateCount > 0) {
    spare -= 1;
    rest -= boundAt(spare);
    addSpare(indexAt(spare), from, to);
    keepCandidates(from, threshold / SLACK - max(rest, 0));
  }
  offerCandidates();
}

// --- Bounds ---------------------------------------------------------------------------------

@inline
function boundAt(place: u32): f64 {
  return load<f64>(order + ((<usize>place) << 4));
}

@inline
function indexAt(place: u32): u32 {
  return load<u32>(order + ((<usize>place) << 4), 8);
}

function postingsOf(from: u32, to: u32): u32 {
  let sum: u32 = 0;
  for (let place = from; place < to; place++) sum += load<u32>(cursorAt(indexAt(place)), WINDOW_POSTINGS);
  return sum;
}

/** The terms that have postings in the window, by what they can give there. */
function orderTerms(from: u32, to: u32): void {
  ordered = 0;
  for (let i: u32 = 0; i < cursorCount; i++) {
    const bound = windowBound(cursorAt(i), from, to);
    if (!(bound > 0)) continue;
    let place = ordered++;
    for (; place > 0 && boundAt(place - 1) > bound; place--)
      v128.store(order + ((<usize>place) << 4), v128.load(order + ((<usize>(place - 1)) << 4)));
    store<f64>(order + ((<usize>place) << 4), bound);
    store<u64>(order + ((<usize>place) << 4), i, 8);
  }
}

/** Also counts the postings of the blocks that reach into the window, and leaves behind what lies before it. */
function windowBound(cursor: usize, from: u32, to: u32): f64 {
  while (isInBlocks(cursor) && load<u32>(<usize>load<u32>(cursor, HEADER)) < from) blockSkip(cursor);
  const norms = <usize>load<u32>(cursor, NORMS);
  const headersEnd = <usize>load<u32>(cursor, HEADERS_END);
  let before = load<u32>(cursor, BEFORE);
  let ratio: f64 = 0;
  let postings: u32 = 0;
  let header = <usize>load<u32>(cursor, HEADER);
  const inBlocks = header < headersEnd;
  for (; header < headersEnd && before + 1 < to; header += HEADER_BYTES) {
    ratio = max(ratio, blockRatio(norms, header));
    postings += BLOCK;
    before = load<u32>(header);
  }
  const tail = load<u32>(cursor, TAIL_POSTINGS);
  const tailFrom = inBlocks ? before + 1 : load<u32>(cursor, TAIL_DOCUMENT);
  if (header == headersEnd && tail > 0 && tailFrom < to) {
    ratio = max(ratio, <f64>load<f32>(cursor, TAIL_BOUND));
    postings += tail;
  }
  store<u32>(cursor, postings, WINDOW_POSTINGS);
  return ratio * <f64>load<f32>(cursor, WEIGHT);
}

@inline
function blockRatio(norms: usize, header: usize): f64 {
  const tf = <u32>load<u8>(header, TF_MOST);
  if (tf == BOUND_MAX) return 1;
  return ratioOf(tf, norms == 0 ? <f32>k1 : normOfLength(norms, (<u32>load<u8>(header, LENGTH_HALF)) << 1));
}

@inline
function ratioOf(tf: u32, norm: f32): f64 {
  return <f64>tf / (<f64>tf + <f64>norm);
}

/** The same of a whole term, by the norms of its field; 1 when its bounds are not known. */
export function tailRatio(norms: usize, tfMost: u32, lengthLeast: u32): f32 {
  if (tfMost == 0) return 1;
  return <f32>ratioOf(tfMost, norms == 0 ? <f32>k1 : normOfLength(norms, lengthLeast));
}

// --- Candidates -----------------------------------------------------------------------------

/** Matches whose sum is above `least`, which is not below 0. */
function gatherCandidates(from: u32, to: u32, matches: usize, least: f64): void {
  candidateCount = 0;
  const bound = f32x4.splat(roundedDown(least));
  for (let first = from; first < to; first += 4) {
    const lanes = <u32>i32x4.bitmask(f32x4.gt(v128.load(sumAt(first - from)), bound));
    if (lanes == 0) continue;
    for (let bits = lanes; bits != 0; bits &= bits - 1) {
      const document = first + ctz<u32>(bits);
      if (document >= to || (matches != 0 && !hasBit(matches, document))) continue;
      store<u32>(candidates + (<usize>(candidateCount++) << 2), document);
    }
  }
}

@inline
function roundedDown(value: f64): f32 {
  return <f32>max(value - value / 1048576.0, 0);
}

/** Adds what a term gives to the candidates; to the whole window where that is cheaper. */
function addSpare(index: u32, from: u32, to: u32): void {
  const cursor = cursorAt(index);
  if (candidateCount * LOOK_UP_POSTINGS >= load<u32>(cursor, WINDOW_POSTINGS)) {
    addPostings(cursor, from, to);
    return;
  }
  copyCursor(finderAt(index), scout);
  const norms = <usize>load<u32>(cursor, NORMS);
  const weight = load<f32>(cursor, WEIGHT);
  for (let i: u32 = 0; i < candidateCount; i++) {
    const document = load<u32>(candidates + ((<usize>i) << 2));
    const tf = cursorTf(scout, document);
    if (tf == 0) continue;
    const at = sumAt(document - from);
    store<f32>(at, load<f32>(at) + contribution(weight, <f32>tf, normAt(norms, document)));
  }
}

function keepCandidates(from: u32, least: f64): void {
  const bound = roundedDown(least);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < candidateCount; i++) {
    const document = load<u32>(candidates + ((<usize>i) << 2));
    if (!(load<f32>(sumAt(document - from)) > bound)) continue;
    store<u32>(candidates + (<usize>(kept++) << 2), document);
  }
  candidateCount = kept;
}

function offerCandidates(): void {
  for (let i: u32 = 0; i < candidateCount; i++) {
    const document = load<u32>(candidates + ((<usize>i) << 2));
    const score = scoreOf(document);
    if (score > heapWorstScore()) heapOffer(keyOf(score, document));
  }
}

/** As summing all terms in the order given. */
function scoreOf(document: u32): f32 {
  let score: f32 = 0;
  for (let i: u32 = 0; i < cursorCount; i++) {
    const finder = finderAt(i);
    const tf = cursorTf(finder, document);
    if (tf > 0) score += contribution(load<f32>(finder, WEIGHT), <f32>tf, normAt(<usize>load<u32>(finder, NORMS), document));
  }
  return score;
}
