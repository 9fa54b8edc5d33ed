/**
 * The word field: UTF-8 text to analysed words (after UAX #29, "Unicode Text Segmentation", word boundaries).
 *
 * A word is a run of letters, digits and marks. It goes on over
 *   - an apostrophe (U+0027, U+2019) between letters: don't
 *   - `.` or `,` between digits: 3.14, 1,000
 *   - `_` between letters or digits: snake_case
 * Letters of scripts without spaces (Han, kana, Hangul, Thai, Lao, Khmer, Myanmar) make overlapping bigrams, a lone one
 * a unigram. Words are lower-cased and their accents folded; a final 's is taken off; English stop words fall out;
 * words of a–z are stemmed. A word of more than FOLDED_BYTES_MAX folded bytes keeps the code points that fit, unstemmed.
 *
 * Deviations from UAX #29: `.` joins no letters (base.rkt is two words), no Hebrew double quotes, no dictionary.
 */
import { stem } from "./stemmer";
import { isStopWord } from "./stop_words";
import { tableAdd, tableCount } from "./term_table";
import {
  appendFolded,
  classOf,
  CONNECTOR,
  decode,
  decodedBytes,
  DIGIT,
  isAlphanumeric,
  isLetter,
  MARK_DROPPED,
  MARK_KEPT,
  UNSPACED,
} from "./unicode";
import { STOP_WORD, wordCacheFind, wordCacheKeep, WORD_BYTES_MAX as PLAIN_BYTES_MAX } from "./word_cache";

const FOLDED_BYTES_MAX: u32 = 64;
/** Field byte, word, and what the stemmer may add for a moment. */
const TERM: usize = memory.data(80);
const WORD: usize = TERM + 1;

/** Sixteen bytes set, then sixteen clear: read from 16 − n on, a mask of the first n. */
const LEADING: usize = memory.data<u64>([~0, ~0, 0, 0]);

const APOSTROPHE: u32 = 0x27;
const RIGHT_QUOTE: u32 = 0x2019;
const COMMA: u32 = 0x2c;
const STOP: u32 = 0x2e;
const UNDERSCORE: u32 = 0x5f;
const SMALL_S: u32 = 0x73;

/** Words seen, stop words included. */
export let wordsSeen: u32 = 0;
/** Words that became terms: the document's length. */
export let wordsIndexed: u32 = 0;

let document: u32 = 0;
let counting: bool = false;

let length: u32 = 0;
/** Only a–z and apostrophes so far. */
let plain: bool = true;
let cut: bool = false;

/** Counts the words of a text and adds no terms. */
export function countWordsOf(at: usize, end: usize): void {
  counting = true;
  scan(at, end);
}

/** Adds the words of a text of `ofDocument` to the term table, in a field. */
export function scanWords(at: usize, end: usize, ofDocument: u32, field: u32): void {
  document = ofDocument;
  counting = false;
  store<u8>(TERM, field);
  scan(at, end);
}

function scan(at: usize, end: usize): void {
  wordsSeen = 0;
  wordsIndexed = 0;
  while (at < end) {
    if (load<u8>(at) < 0x80) {
      at = scanAscii(at, end);
      continue;
    }
    const kind = classOf(decode(at, end));
    if (isAlphanumeric(kind)) at = scanWord(at, end);
    else if (kind == UNSPACED) at = scanUnspaced(at, end);
    else at += decodedBytes;
  }
}

@inline
function scanAscii(at: usize, end: usize): usize {
  const first = <u32>load<u8>(at);
  if (!isAlphanumeric(classOf(first))) return at + 1;
  const after = scanPlain(at, end);
  return after == 0 ? scanWord(at, end) : after;
}

/**
 * A short word of ASCII letters and digits that nothing continues: most words are. Answers where it ended, or 0 when it is
 * none of these; `scanWord` would say the same of each.
 */
function scanPlain(at: usize, end: usize): usize {
  if (end - at <= 16) return 0;
  const text = v128.load(at);
  const lower = v128.or(text, i8x16.splat(0x20));
  const digits = i8x16.lt_u(i8x16.sub(text, i8x16.splat(0x30)), i8x16.splat(10));
  const letters = i8x16.lt_u(i8x16.sub(lower, i8x16.splat(0x61)), i8x16.splat(26));
  const bytes = <u32>ctz<i32>(~i8x16.bitmask(v128.or(digits, letters)));
  if (bytes > PLAIN_BYTES_MAX) return 0;
  const next = <u32>load<u8>(at + bytes);
  if (next >= 0x80 || next == APOSTROPHE || next == UNDERSCORE) return 0;
  if ((next == STOP || next == COMMA) && <u32>load<u8>(at + bytes - 1) - 0x30 < 10) return 0;
  wordsSeen += 1;
  if (counting) return at + bytes;
  const word = v128.and(lower, v128.load(LEADING + 16 - bytes));
  const key = i8x16.replace_lane(word, 15, load<u8>(TERM));
  let record = wordCacheFind(key);
  if (record == 0) {
    v128.store(WORD, word);
    length = bytes;
    cut = false;
    plain = (i8x16.bitmask(digits) & ((1 << bytes) - 1)) == 0;
    record = addWord();
    if (record != 0) wordCacheKeep(key, record);
    return at + bytes;
  }
  if (record == STOP_WORD) return at + bytes;
  wordsIndexed += 1;
  tableCount(record, document);
  return at + bytes;
}

/** From the first letter or digit of a word; answers where it ended. */
function scanWord(at: usize, end: usize): usize {
  length = 0;
  plain = true;
  cut = false;
  let last: u32 = 0;
  while (at < end) {
    const point = decode(at, end);
    const bytes = decodedBytes;
    const kind = classOf(point);
    if (isAlphanumeric(kind) || kind == MARK_KEPT) {
      append(point, kind);
      last = kind == MARK_KEPT ? last : kind;
    } else if (kind != MARK_DROPPED) {
      if (!joins(point, kind, last, at + bytes, end)) break;
      append(point == RIGHT_QUOTE ? APOSTROPHE : point, kind);
    }
    at += bytes;
  }
  finishWord();
  return at;
}

@inline
function append(point: u32, kind: u32): void {
  // ASCII letters, the common case: lower case is one bit.
  if (point - 0x41 < 26 || point - 0x61 < 26) {
    if (length < FOLDED_BYTES_MAX && !cut) store<u8>(WORD + length++, point | 0x20);
    else cut = true;
    return;
  }
  appendOther(point);
}

function appendOther(point: u32): void {
  if (cut) return;
  const bytes = appendFolded(point, WORD + length, FOLDED_BYTES_MAX - length);
  if (bytes < 0) {
    cut = true;
    return;
  }
  for (let i: u32 = 0; i < <u32>bytes; i++) {
    const char = <u32>load<u8>(WORD + length + i);
    if (char - 0x61 >= 26 && char != APOSTROPHE) plain = false;
  }
  length += bytes;
}

/** Whether a word goes on over the sign `point`, which follows a `last` and stands before `next`. */
function joins(point: u32, kind: u32, last: u32, next: usize, end: usize): bool {
  if (next >= end) return false;
  if (point == APOSTROPHE || point == RIGHT_QUOTE) return isLetter(last) && isLetter(classOf(decode(next, end)));
  if (point == STOP || point == COMMA) return last == DIGIT && classOf(decode(next, end)) == DIGIT;
  if (kind != CONNECTOR) return false;
  while (next < end && load<u8>(next) == UNDERSCORE) next++;
  return next < end && isAlphanumeric(classOf(decode(next, end)));
}

function finishWord(): void {
  if (length == 0) return;
  wordsSeen += 1;
  if (!counting) addWord();
}

/** Makes the word a term. Answers its record, STOP_WORD when it makes none, or 0 when there is no room. */
function addWord(): usize {
  if (!cut) {
    if (length > 2 && load<u8>(WORD + length - 1) == SMALL_S && load<u8>(WORD + length - 2) == APOSTROPHE) length -= 2;
    if (plain) {
      if (isStopWord(WORD, length)) return STOP_WORD;
      length = stem(WORD, length);
    }
  }
  wordsIndexed += 1;
  return tableAdd(TERM, length + 1, document);
}

/** A run of letters of a script without spaces, as bigrams. */
function scanUnspaced(at: usize, end: usize): usize {
  let letters: u32 = 0;
  let firstBytes: u32 = 0;
  length = 0;
  while (at < end) {
    const point = decode(at, end);
    const bytes = decodedBytes;
    const kind = classOf(point);
    if (kind == UNSPACED) {
      const added = <u32>max(appendFolded(point, WORD + length, FOLDED_BYTES_MAX - length), 0);
      length += added;
      letters += 1;
      if (letters > 1) {
        addGram();
        memory.copy(WORD, WORD + firstBytes, length - firstBytes);
        length -= firstBytes;
      }
      firstBytes = added;
    } else if (kind != MARK_DROPPED) {
      break;
    }
    at += bytes;
  }
  if (letters == 1) addGram();
  return at;
}

function addGram(): void {
  wordsSeen += 1;
  if (counting) return;
  wordsIndexed += 1;
  tableAdd(TERM, length + 1, document);
}
