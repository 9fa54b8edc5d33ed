/**
 * The best documents of one part for weighed terms: scores as bm25.ts says, window by window. In a part of
 * PRUNED_DOCUMENTS_MIN and more a window is first asked what it can hold at most: see pruning.ts.
 */
import { arenaMark, arenaRelease } from "./arena";
import { averageLength, averageQuestionLength, b, k1, lookUp, TERM_SHIFT, termField, termWeight } from "./bm25";
import { normsBegin } from "./norms";
import { cursorBegin, NORMS, TAIL_BOUND, WEIGHT } from "./postings";
import { prunedBegin, prunedBytes, searchPruned, tailRatio, WINDOW } from "./pruning";
import { CAPACITY } from "./status";
import { FIELD_WHOLE, FIELD_WORD } from "./term_table";
import { foundDocuments, foundLengthLeast, foundPostings, foundPostingsEnd, foundTfMost } from "./text_reader";
import {
  textDocuments,
  textLengthBytes,
  textLengths,
  textQuestionLengthBytes,
  textQuestionLengths,
} from "./text_section";
import { cursorCount, decodedOf, nextCursor, searchWindow, windowBegin, windowBytes } from "./text_window";
import { heapBegin, heapEnd, heapIsFull } from "./top_k";

/** Below it the sums of all documents cost less than asking windows what they can hold: one window is the whole part. */
const PRUNED_DOCUMENTS_MIN: u32 = 32_768;

/** Scratch that depends on the part. What every search takes besides is a fixed amount: see slab_parts.ts. */
export function textSearchBytes(documents: u32): u64 {
  return documents < PRUNED_DOCUMENTS_MIN ? windowBytes(documents) : windowBytes(WINDOW) + prunedBytes();
}

/**
 * Writes to `out` at most `limit` hits of top_k.ts, best first, and answers how many; CAPACITY when the scratch does not
 * fit. `matches` is a bitset over documents, or 0 for all. By the parameters that were set in bm25.ts.
 */
export function textSearch(
  text: usize,
  postings: usize,
  wordNorms: usize,
  questionNorms: usize,
  terms: usize,
  termCount: u32,
  matches: usize,
  limit: u32,
  out: usize,
): i32 {
  const documents = textDocuments(text);
  heapBegin(out, min(limit, documents));
  if (heapIsFull()) return 0;
  const mark = arenaMark();
  const window = documents < PRUNED_DOCUMENTS_MIN ? documents : WINDOW;
  if (!windowBegin(window, termCount)) return CAPACITY;
  for (let i: u32 = 0; i < termCount; i++) {
    const term = terms + ((<usize>i) << TERM_SHIFT);
    if (lookUp(text, postings, term)) beginTerm(text, term, wordNorms, questionNorms);
  }
  const pruned = documents >= PRUNED_DOCUMENTS_MIN ? prunedBegin() : 0;
  if (pruned < 0) return CAPACITY;
  for (let from: u32 = 0; from < documents && cursorCount > 0; from += window) {
    const to = min(from + window, documents);
    if (!hasMatch(matches, from, to)) continue;
    if (pruned > 0 && heapIsFull()) searchPruned(from, to, matches);
    else searchWindow(from, to, matches);
  }
  arenaRelease(mark);
  return heapEnd();
}

/** A cursor for the term that was looked up. */
function beginTerm(text: usize, term: usize, wordNorms: usize, questionNorms: usize): void {
  const decoded = decodedOf(cursorCount);
  const cursor = nextCursor();
  cursorBegin(cursor, foundPostings, foundPostingsEnd, foundDocuments, decoded);
  const norms = normsOfField(text, termField(term), wordNorms, questionNorms);
  store<f32>(cursor, termWeight(term), WEIGHT);
  store<u32>(cursor, <u32>norms, NORMS);
  store<f32>(cursor, tailRatio(norms, foundTfMost, foundLengthLeast), TAIL_BOUND);
}

/** Of norms.ts; 0 for whole tokens, whose norm is k1. */
function normsOfField(text: usize, field: u32, wordNorms: usize, questionNorms: usize): usize {
  if (field == FIELD_WHOLE) return 0;
  if (field == FIELD_WORD) {
    normsBegin(wordNorms, textLengths(text), textLengthBytes(text), k1, b, averageLength);
    return wordNorms;
  }
  normsBegin(questionNorms, textQuestionLengths(text), textQuestionLengthBytes(text), k1, b, averageQuestionLength);
  return questionNorms;
}

/** `from` is a multiple of 128. */
function hasMatch(matches: usize, from: u32, to: u32): bool {
  if (matches == 0) return true;
  const end = matches + ((<usize>(to + 127) >> 7) << 4);
  for (let at = matches + (from >> 3); at < end; at += 16) if (v128.any_true(v128.load(at))) return true;
  return false;
}
