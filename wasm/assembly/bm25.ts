/**
 * BM25 as Lucene scores it: weight · tf / (tf + norm), without the constant (k1 + 1).
 *
 * The order of arithmetic is part of the answer:
 *   norm          = f32(k1 · (1 − b + b · length / averageLength)), computed in f64; f32(k1) for whole tokens
 *   contribution  = f32(weight · f32(tf / f32(tf + norm)))
 *   score         = contributions added in f32, terms in the order given
 * A document is a hit when its score is above zero. text_search.ts finds the best ones; here are the formula, what it
 * needs to know of a part, and why a document has its score.
 *
 * Words and questions each have lengths and an average length of their own.
 *
 * Terms are records of 16 bytes: offset u32 · bytes u32 (field byte first) · weight f32 · zero.
 */
import { hasBit } from "./bitset";
import { normOf } from "./norms";
import { BLOCK } from "./packed";
import {
  blockDecode,
  blockSkip,
  cursorBegin,
  cursorTf,
  decodedDocument,
  isInBlocks,
  NO_DOCUMENT,
  TAIL_DOCUMENT,
  tailNext,
} from "./postings";
import { FIELD_QUESTION, FIELD_WHOLE } from "./term_table";
import { findTerm, foundDocuments, foundPostings, foundPostingsEnd } from "./text_reader";
import {
  bitsetBytes,
  lengthAt,
  QUESTION_DOCUMENTS,
  QUESTION_WORDS,
  textDocuments,
  textLengthBytes,
  textLengths,
  textQuestionLengthBytes,
  textQuestionLengths,
  textWholeBits,
  WHOLE_DOCUMENTS,
  WORD_DOCUMENTS,
  WORDS,
} from "./text_section";

export const TERM_SHIFT: usize = 4;
const STATISTICS_BYTES: usize = 32;
const EXPLANATION_BYTES: usize = 12;

const CURSOR: usize = memory.data(64);
const DECODED: usize = memory.data(1088);

/** The parameters of the search that runs. */
export let k1: f64 = 0;
export let b: f64 = 0;
export let averageLength: f64 = 0;
export let averageQuestionLength: f64 = 0;

export function setParameters(saturation: f64, lengthWeight: f64, words: f64, questions: f64): void {
  k1 = saturation;
  b = lengthWeight;
  averageLength = words;
  averageQuestionLength = questions;
}

@inline
export function contribution(weight: f32, tf: f32, norm: f32): f32 {
  return weight * (tf / (tf + norm));
}

@inline
export function termWeight(term: usize): f32 {
  return load<f32>(term, 8);
}

@inline
export function termField(term: usize): u32 {
  return load<u8>(<usize>load<u32>(term));
}

@inline
export function lookUp(text: usize, postings: usize, term: usize): bool {
  return findTerm(text, postings, <usize>load<u32>(term), load<u32>(term, 4));
}

/** CURSOR before the postings of what `findTerm` found. */
function beginFound(): void {
  cursorBegin(CURSOR, foundPostings, foundPostingsEnd, foundDocuments, DECODED);
}

// --- Statistics -----------------------------------------------------------------------------

/**
 * Of the live documents: a bitset, or 0 for all. Writes to `out`: documents with words u32 · with whole tokens u32 ·
 * words u64 · documents with questions u32 · zero u32 · question words u64 · then the documents of each term, u32.
 */
export function textStatistics(text: usize, postings: usize, terms: usize, termCount: u32, live: usize, out: usize): void {
  const documents = textDocuments(text);
  if (live == 0) {
    store<u32>(out, load<u32>(text, WORD_DOCUMENTS));
    store<u32>(out, load<u32>(text, WHOLE_DOCUMENTS), 4);
    store<u64>(out, load<u64>(text, WORDS), 8);
    store<u32>(out, load<u32>(text, QUESTION_DOCUMENTS), 16);
    store<u64>(out, load<u64>(text, QUESTION_WORDS), 24);
  } else {
    countLive(textLengths(text), textLengthBytes(text), documents, live, out, out + 8);
    countLive(textQuestionLengths(text), textQuestionLengthBytes(text), documents, live, out + 16, out + 24);
    countLiveWholes(text, live, out + 4);
  }
  store<u32>(out, 0, 20);
  for (let i: u32 = 0; i < termCount; i++) {
    let df: u32 = 0;
    if (lookUp(text, postings, terms + ((<usize>i) << TERM_SHIFT))) df = live == 0 ? foundDocuments : liveDocuments(live);
    store<u32>(out + STATISTICS_BYTES + ((<usize>i) << 2), df);
  }
}

/** Live documents of a length above 0, and the sum of the lengths. There are none of 0 bytes. */
function countLive(lengths: usize, bytes: u32, documents: u32, live: usize, countOut: usize, sumOut: usize): void {
  let sum: u64 = 0;
  let count: u32 = 0;
  for (let i: u32 = 0; i < documents && bytes > 0; i++) {
    if (!hasBit(live, i)) continue;
    const length = lengthAt(lengths, bytes, i);
    sum += length;
    if (length > 0) count += 1;
  }
  store<u32>(countOut, count);
  store<u64>(sumOut, sum);
}

function countLiveWholes(text: usize, live: usize, out: usize): void {
  const bytes = <usize>bitsetBytes(textDocuments(text));
  let count: u64 = 0;
  for (let i: usize = 0; i < bytes; i += 8)
    count += popcnt<u64>(load<u64>(live + i) & load<u64>(textWholeBits(text) + i));
  store<u32>(out, <u32>count);
}

function liveDocuments(live: usize): u32 {
  let count: u32 = 0;
  beginFound();
  for (; isInBlocks(CURSOR); blockSkip(CURSOR)) {
    const decoded = blockDecode(CURSOR);
    for (let i: u32 = 0; i < BLOCK; i++) count += <u32>hasBit(live, decodedDocument(decoded, i));
  }
  for (; load<u32>(CURSOR, TAIL_DOCUMENT) != NO_DOCUMENT; tailNext(CURSOR))
    count += <u32>hasBit(live, load<u32>(CURSOR, TAIL_DOCUMENT));
  return count;
}

// --- Explanation ----------------------------------------------------------------------------

/** Writes for each term: tf u32 · norm f32 · contribution f32. By the parameters that were set. */
export function textExplain(text: usize, postings: usize, terms: usize, termCount: u32, document: u32, out: usize): void {
  const words = normOf(lengthAt(textLengths(text), textLengthBytes(text), document), k1, b, averageLength);
  const questionBytes = textQuestionLengthBytes(text);
  const questionLength = questionBytes == 0 ? 0 : lengthAt(textQuestionLengths(text), questionBytes, document);
  const questions = normOf(questionLength, k1, b, averageQuestionLength);
  for (let i: u32 = 0; i < termCount; i++) {
    const term = terms + ((<usize>i) << TERM_SHIFT);
    const field = termField(term);
    const norm = field == FIELD_WHOLE ? <f32>k1 : field == FIELD_QUESTION ? questions : words;
    let tf: u32 = 0;
    if (lookUp(text, postings, term)) {
      beginFound();
      tf = cursorTf(CURSOR, document);
    }
    const to = out + <usize>i * EXPLANATION_BYTES;
    store<u32>(to, tf);
    store<f32>(to, norm, 4);
    store<f32>(to, tf == 0 ? 0 : contribution(termWeight(term), <f32>tf, norm), 8);
  }
}
