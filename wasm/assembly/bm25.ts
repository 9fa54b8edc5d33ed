/**
 * BM25 as Lucene scores it: weight · tf / (tf + norm), without the constant (k1 + 1).
 *
 * The order of arithmetic is part of the answer:
 *   norm          = f32(k1 · (1 − b + b · length / averageLength)), computed in f64; f32(k1) for whole tokens
 *   contribution  = f32(weight · f32(tf / f32(tf + norm)))
 *   score         = contributions added in f32, terms in the order given
 * A document is a hit when its score is above zero.
 *
 * Terms are records of 16 bytes: offset u32 · bytes u32 (field byte first) · weight f32 · zero.
 */
import { arenaMark, arenaRelease, arenaTake } from "./arena";
import { bitsCount, hasBit } from "./bitset";
import { CAPACITY } from "./status";
import { FIELD_WHOLE } from "./term_table";
import { findTerm, foundDocuments, foundPostings, foundPostingsEnd } from "./text_reader";
import {
  bitsetBytes,
  textDocuments,
  textLengths,
  textWholeBits,
  textWholeDocuments,
  textWordDocuments,
  textWords,
} from "./text_section";
import { heapBegin, heapIsFull, heapOffer, heapSort, heapWorstScore, keyOf } from "./top_k";
import { readVarint, varintEnd } from "./varint";

const TERM_SHIFT: usize = 4;
/** Documents that one step of the selection looks at. */
const STRIDE: u32 = 16;

let k1: f64 = 0;
let b: f64 = 0;
let averageLength: f64 = 0;

@inline
function normOf(length: u32): f32 {
  if (!(averageLength > 0)) return <f32>k1;
  return <f32>(k1 * (1.0 - b + (b * <f64>length) / averageLength));
}

@inline
function contribution(weight: f32, tf: f32, norm: f32): f32 {
  return weight * (tf / (tf + norm));
}

@inline
function lookUp(section: usize, term: usize): bool {
  return findTerm(section, <usize>load<u32>(term), load<u32>(term, 4));
}

@inline
function isWhole(term: usize): bool {
  return load<u8>(<usize>load<u32>(term)) == FIELD_WHOLE;
}

// --- Statistics -----------------------------------------------------------------------------

/**
 * Of the live documents. Writes to `out`: documents with words u32 · with whole tokens u32 · words u64 · then the
 * documents of each term, u32.
 */
export function textStatistics(section: usize, terms: usize, termCount: u32, live: usize, out: usize): void {
  const documents = textDocuments(section);
  const isAll = bitsCount(live, <usize>bitsetBytes(documents)) == documents;
  if (isAll) {
    store<u32>(out, textWordDocuments(section));
    store<u32>(out, textWholeDocuments(section), 4);
    store<u64>(out, textWords(section), 8);
  } else {
    countLive(section, live, out);
  }
  for (let i: u32 = 0; i < termCount; i++) {
    let df: u32 = 0;
    if (lookUp(section, terms + ((<usize>i) << TERM_SHIFT))) df = isAll ? foundDocuments : liveDocuments(live);
    store<u32>(out + ((<usize>i) << 2), df, 16);
  }
}

function countLive(section: usize, live: usize, out: usize): void {
  const documents = textDocuments(section);
  const lengths = textLengths(section);
  let words: u64 = 0;
  let wordDocuments: u32 = 0;
  let wholeDocuments: u64 = 0;
  for (let i: u32 = 0; i < documents; i++) {
    if (!hasBit(live, i)) continue;
    const length = load<u32>(lengths + ((<usize>i) << 2));
    words += length;
    if (length > 0) wordDocuments += 1;
  }
  const bytes = <usize>bitsetBytes(documents);
  for (let i: usize = 0; i < bytes; i += 8)
    wholeDocuments += popcnt<u64>(load<u64>(live + i) & load<u64>(textWholeBits(section) + i));
  store<u32>(out, wordDocuments);
  store<u32>(out, <u32>wholeDocuments, 4);
  store<u64>(out, words, 8);
}

function liveDocuments(live: usize): u32 {
  const end = foundPostingsEnd;
  let at = foundPostings;
  let document: u32 = 0;
  let count: u32 = 0;
  while (at < end) {
    const head = readVarint(at, end);
    at = varintEnd;
    if ((head & 1) == 0) {
      readVarint(at, end);
      at = varintEnd;
    }
    document += head >> 1;
    if (hasBit(live, document - 1)) count += 1;
  }
  return count;
}

// --- Search ---------------------------------------------------------------------------------

/** Scratch that `textSearch` takes for a part of `documents`, besides its inputs and keys. */
export function textSearchBytes(documents: u32): u64 {
  return (<u64>documents + STRIDE) << 2;
}

/**
 * Writes to `out` at most `limit` keys of top_k.ts, best first, and answers how many; CAPACITY when the scratch does
 * not fit. `matches` is a bitset over documents.
 */
export function textSearch(
  section: usize,
  terms: usize,
  termCount: u32,
  saturation: f64,
  lengthWeight: f64,
  mean: f64,
  matches: usize,
  limit: u32,
  out: usize,
): i32 {
  k1 = saturation;
  b = lengthWeight;
  averageLength = mean;
  const documents = textDocuments(section);
  const mark = arenaMark();
  const slots = (<usize>documents + STRIDE - 1) & ~(<usize>STRIDE - 1);
  const scores = arenaTake((<u64>slots) << 2);
  if (scores == 0) return CAPACITY;
  memory.fill(scores, 0, slots << 2);
  for (let i: u32 = 0; i < termCount; i++) {
    const term = terms + ((<usize>i) << TERM_SHIFT);
    if (!lookUp(section, term)) continue;
    const weight = load<f32>(term, 8);
    if (isWhole(term)) addWhole(scores, weight);
    else addWords(section, scores, weight);
  }
  heapBegin(out, min(limit, documents));
  select(scores, <u32>slots, matches);
  arenaRelease(mark);
  return heapSort();
}

function addWords(section: usize, scores: usize, weight: f32): void {
  const lengths = textLengths(section);
  const end = foundPostingsEnd;
  let at = foundPostings;
  let document: u32 = 0xffffffff;
  while (at < end) {
    const head = readVarint(at, end);
    at = varintEnd;
    document += head >> 1;
    let tf: u32 = 1;
    if ((head & 1) == 0) {
      tf = readVarint(at, end);
      at = varintEnd;
    }
    const slot = (<usize>document) << 2;
    const added = contribution(weight, <f32>tf, normOf(load<u32>(lengths + slot)));
    store<f32>(scores + slot, load<f32>(scores + slot) + added);
  }
}

function addWhole(scores: usize, weight: f32): void {
  const norm = <f32>k1;
  const end = foundPostingsEnd;
  let at = foundPostings;
  let document: u32 = 0xffffffff;
  while (at < end) {
    const head = readVarint(at, end);
    at = varintEnd;
    document += head >> 1;
    let tf: u32 = 1;
    if ((head & 1) == 0) {
      tf = readVarint(at, end);
      at = varintEnd;
    }
    const slot = (<usize>document) << 2;
    store<f32>(scores + slot, load<f32>(scores + slot) + contribution(weight, <f32>tf, norm));
  }
}

/** Sixteen documents at a time: only where one beats the worst of a full heap are they looked at. */
function select(scores: usize, slots: u32, matches: usize): void {
  if (heapIsFull()) return;
  let threshold: f32 = 0;
  for (let first: u32 = 0; first < slots; first += STRIDE) {
    const at = scores + ((<usize>first) << 2);
    const bound = f32x4.splat(threshold);
    const low = v128.or(f32x4.gt(v128.load(at), bound), f32x4.gt(v128.load(at, 16), bound));
    const high = v128.or(f32x4.gt(v128.load(at, 32), bound), f32x4.gt(v128.load(at, 48), bound));
    if (!v128.any_true(v128.or(low, high))) continue;
    let bits = <u32>load<u16>(matches + (first >> 3));
    while (bits != 0) {
      const index = first + ctz<u32>(bits);
      bits &= bits - 1;
      const score = load<f32>(scores + ((<usize>index) << 2));
      if (score > threshold) heapOffer(keyOf(score, index));
      if (heapIsFull()) threshold = heapWorstScore();
    }
  }
}

// --- Explanation ----------------------------------------------------------------------------

/** Writes for each term: tf u32 · norm f32 · contribution f32. */
export function textExplain(
  section: usize,
  terms: usize,
  termCount: u32,
  saturation: f64,
  lengthWeight: f64,
  mean: f64,
  document: u32,
  out: usize,
): void {
  k1 = saturation;
  b = lengthWeight;
  averageLength = mean;
  const length = load<u32>(textLengths(section) + ((<usize>document) << 2));
  for (let i: u32 = 0; i < termCount; i++) {
    const term = terms + ((<usize>i) << TERM_SHIFT);
    const tf = lookUp(section, term) ? tfOf(document) : 0;
    const norm = isWhole(term) ? <f32>k1 : normOf(length);
    const to = out + <usize>i * 12;
    store<u32>(to, tf);
    store<f32>(to, norm, 4);
    store<f32>(to, tf == 0 ? 0 : contribution(load<f32>(term, 8), <f32>tf, norm), 8);
  }
}

function tfOf(document: u32): u32 {
  const end = foundPostingsEnd;
  let at = foundPostings;
  let current: u32 = 0xffffffff;
  while (at < end) {
    const head = readVarint(at, end);
    at = varintEnd;
    current += head >> 1;
    let tf: u32 = 1;
    if ((head & 1) == 0) {
      tf = readVarint(at, end);
      at = varintEnd;
    }
    if (current == document) return tf;
  }
  return 0;
}
