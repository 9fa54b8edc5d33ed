/**
 * The whole-token field: identifiers, addresses, paths and numbers, kept verbatim but for case and accents.
 *
 * A run lies between spaces, letters of scripts without spaces, and signs outside ASCII. It is stripped on both sides
 * of everything that is not a letter, digit or mark, and kept when it then looks like an identifier:
 *   - it has a digit, or one of / \ _ @ # : inside, or a `.` between letters (not e.g. or U.S.), or a capital after a
 *     small letter.
 * A plain number (digits, `.` and `,`) is not kept: the word field has it, verbatim too.
 *
 * A run is also taken apart, and its pieces of PIECE_BYTES_MIN bytes or more are judged in the same way: at quotes,
 * brackets, commas and their like (EMEA-2022-1 in `key="EMEA-2022-1"`); then at slashes too (base-2.rkt in
 * `collects/base-2.rkt`); then at dots too (min-racket-6 in `min-racket-6.9.0.4`). Each piece is kept once, beside its
 * run.
 *
 * More than WHOLE_BYTES_MAX folded bytes are kept as `~` and 16 hexadecimal digits of their FNV-1a hash; no other whole
 * token begins with `~`.
 */
import { FIELD_WHOLE, tableAdd } from "./term_table";
import {
  appendFolded,
  classOf,
  decode,
  decodedBytes,
  DIGIT,
  isAlphanumeric,
  isLetter,
  LOWER,
  MARK_DROPPED,
  MARK_KEPT,
  SPACE,
  UNSPACED,
  UPPER,
} from "./unicode";

const WHOLE_BYTES_MAX: u32 = 256;
const TERM: usize = memory.data(272);
const WHOLE: usize = TERM + 1;
/** One point may fold to several bytes. */
const FOLDED: usize = memory.data(64);
const FOLDED_BYTES_MAX: u32 = 64;
const HASH_DIGITS: u32 = 16;

const TILDE: u32 = 0x7e;
const COMMA: u32 = 0x2c;
const STOP: u32 = 0x2e;

/** ASCII signs that part a run, as bits: ! " % & ' ( ) * , : ; < = > ? @ # [ ] ^ ` { | } */
const PARTS_LOW: u64 = 0xfc0017ee00000000;
const PARTS_HIGH: u64 = 0x3800000168000001;
const SLASHES_LOW: u64 = 0x0000800000000000;
const SLASHES_HIGH: u64 = 0x0000000010000000;
const DOTS_LOW: u64 = 0x0000400000000000;
const PIECE_BYTES_MIN: usize = 3;
/** Signs that make an identifier when they stand inside: # / : and @ \ _. */
const INSIDE_LOW: u64 = 0x0400800800000000;
const INSIDE_HIGH: u64 = 0x0000000090000001;

/**
 * Digits and INSIDE signs by the halves of their bytes, a bit for each upper half that has some: 1 for 2x (# /), 2 for 3x
 * (0–9 :), 4 for 4x (@), 8 for 5x (\\ _).
 */
const SIGNS_BY_LOW: v128 = i8x16(6, 2, 2, 3, 2, 2, 2, 2, 2, 2, 2, 0, 8, 0, 0, 9);
const SIGNS_BY_HIGH: v128 = i8x16(0, 0, 1, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

let document: u32 = 0;
/** Whole tokens found in the text. */
export let wholesIndexed: u32 = 0;

/**
 * Looks for what only identifiers have, sixteen bytes at a time, and takes apart only the stretches between ASCII spaces
 * that have it. Such a space ends every run, so a stretch alone gives what it would give within the text.
 */
export function scanWholes(begin: usize, end: usize, ofDocument: u32): void {
  document = ofDocument;
  wholesIndexed = 0;
  store<u8>(TERM, FIELD_WHOLE);
  let at = begin;
  while (at < end) {
    const isLast = end - at <= 16;
    const signs = isLast ? 1 : signsOfIdentifiers(at);
    if (signs == 0) {
      at += 16;
      continue;
    }
    let from = at + <usize>ctz<u32>(signs);
    let to = isLast ? end : from + 1;
    while (from > begin && !isAsciiSpace(load<u8>(from - 1))) from--;
    while (to < end && !isAsciiSpace(load<u8>(to))) to++;
    scanRuns(from, to);
    begin = to;
    at = to;
  }
}

/**
 * A bit for each of sixteen bytes without which no run of ASCII looks like an identifier: a digit, a sign of INSIDE, a dot
 * before a letter, a small letter before a capital; and for each byte outside ASCII. Reads seventeen bytes.
 */
function signsOfIdentifiers(at: usize): u32 {
  const text = v128.load(at);
  const next = v128.load(at, 1);
  const low = i8x16.swizzle(SIGNS_BY_LOW, v128.and(text, i8x16.splat(15)));
  const high = i8x16.swizzle(SIGNS_BY_HIGH, i8x16.shr_u(text, 4));
  const signs = i8x16.ne(v128.and(low, high), i8x16.splat(0));
  const upper = i8x16.lt_u(i8x16.sub(next, i8x16.splat(0x41)), i8x16.splat(26));
  const letter = i8x16.lt_u(i8x16.sub(v128.or(next, i8x16.splat(0x20)), i8x16.splat(0x61)), i8x16.splat(26));
  const lower = i8x16.lt_u(i8x16.sub(text, i8x16.splat(0x61)), i8x16.splat(26));
  const names = v128.or(v128.and(i8x16.eq(text, i8x16.splat(<i8>STOP)), letter), v128.and(lower, upper));
  return i8x16.bitmask(v128.or(v128.or(signs, names), text));
}

@inline
function isAsciiSpace(byte: u32): bool {
  return byte <= 0x20 || byte == 0x7f;
}

function scanRuns(at: usize, end: usize): void {
  while (at < end) {
    while (at < end && isBoundary(decode(at, end))) at += decodedBytes;
    const from = at;
    while (at < end && !isBoundary(decode(at, end))) at += decodedBytes;
    if (at > from) scanRun(from, at);
  }
}

@inline
function hasBit(point: u32, low: u64, high: u64): bool {
  return ((point < 64 ? low >> point : high >> (point - 64)) & 1) != 0;
}

@inline
function isBoundary(point: u32): bool {
  if (point < 128) return isAsciiSpace(point);
  const kind = classOf(point);
  return kind == SPACE || kind == UNSPACED || !(isAlphanumeric(kind) || kind == MARK_KEPT || kind == MARK_DROPPED);
}

@inline
function isEdge(kind: u32): bool {
  return !(isAlphanumeric(kind) || kind == MARK_KEPT);
}

let runFrom: usize = 0;
let runTo: usize = 0;

/** Sets runFrom and runTo to what is left when both sides are stripped; false when nothing is. */
function strip(from: usize, to: usize): bool {
  while (from < to && isEdge(classOf(decode(from, to)))) from += decodedBytes;
  while (to > from && load<u8>(to - 1) < 128 && isEdge(classOf(load<u8>(to - 1)))) to--;
  let last = to;
  // Behind a byte outside ASCII the last sign is not known: look for the last one that is no edge.
  if (to > from && load<u8>(to - 1) >= 128) {
    last = from;
    for (let at = from; at < to; ) {
      const kind = classOf(decode(at, to));
      at += decodedBytes;
      if (!isEdge(kind)) last = at;
    }
  }
  runFrom = from;
  runTo = last;
  return last > from;
}

function scanRun(from: usize, to: usize): void {
  if (!strip(from, to)) return;
  from = runFrom;
  to = runTo;
  if (looksLikeIdentifier(from, to)) add(from, to);
  scanPieces(from, to, 0, 0, PARTS_LOW, PARTS_HIGH);
  scanPieces(from, to, PARTS_LOW, PARTS_HIGH, SLASHES_LOW, SLASHES_HIGH);
  scanPieces(from, to, PARTS_LOW | SLASHES_LOW, PARTS_HIGH | SLASHES_HIGH, DOTS_LOW, 0);
}

/** Pieces between `old` and `new` signs with a new one at an end: the others were found before. */
function scanPieces(from: usize, to: usize, oldLow: u64, oldHigh: u64, newLow: u64, newHigh: u64): void {
  let afterNew = false;
  let at = from;
  while (at < to) {
    const start = at;
    let byte: u32 = 0;
    let beforeNew = false;
    for (; at < to; at++) {
      byte = load<u8>(at);
      if (byte >= 128) continue;
      beforeNew = hasBit(byte, newLow, newHigh);
      if (beforeNew || hasBit(byte, oldLow, oldHigh)) break;
    }
    if (at == to) beforeNew = false;
    if (afterNew || beforeNew) addPiece(start, at);
    afterNew = beforeNew;
    at++;
  }
}

function addPiece(from: usize, to: usize): void {
  if (to - from < PIECE_BYTES_MIN || !strip(from, to) || runTo - runFrom < PIECE_BYTES_MIN) return;
  if (looksLikeIdentifier(runFrom, runTo)) add(runFrom, runTo);
}

function looksLikeIdentifier(at: usize, end: usize): bool {
  if (isNumber(at, end)) return false;
  let last: u32 = 0;
  let letters: u32 = 0;
  let lettersBefore: u32 = 0;
  let afterDot = false;
  while (at < end) {
    const point = decode(at, end);
    at += decodedBytes;
    const kind = classOf(point);
    if (kind == DIGIT) return true;
    if (point < 128 && hasBit(point, INSIDE_LOW, INSIDE_HIGH)) return true;
    if (kind == UPPER && last == LOWER) return true;
    if (kind == MARK_KEPT || kind == MARK_DROPPED) continue;
    last = kind;
    if (isLetter(kind)) {
      letters += 1;
      // Of two letters on either side at least: base.rkt is a name, e.g. is not.
      if (afterDot && (letters > 1 || lettersBefore > 1)) return true;
    } else {
      afterDot = point == STOP && letters > 0;
      lettersBefore = letters;
      letters = 0;
    }
  }
  return false;
}

function isNumber(at: usize, end: usize): bool {
  for (; at < end; at++) {
    const byte = <u32>load<u8>(at);
    if (byte - 0x30 >= 10 && byte != STOP && byte != COMMA) return false;
  }
  return true;
}

function add(at: usize, end: usize): void {
  let length: u32 = 0;
  let over = false;
  let hash: u64 = 0xcbf29ce484222325;
  while (at < end) {
    const point = decode(at, end);
    at += decodedBytes;
    if (classOf(point) == MARK_DROPPED) continue;
    const bytes = <u32>max(appendFolded(point, FOLDED, FOLDED_BYTES_MAX), 0);
    for (let i: u32 = 0; i < bytes; i++) hash = (hash ^ <u64>load<u8>(FOLDED + i)) * 0x100000001b3;
    if (length + bytes > WHOLE_BYTES_MAX) over = true;
    if (over) continue;
    memory.copy(WHOLE + length, FOLDED, bytes);
    length += bytes;
  }
  if (over) length = writeHash(hash);
  if (length == 0) return;
  wholesIndexed += 1;
  tableAdd(TERM, length + 1, document);
}

function writeHash(hash: u64): u32 {
  store<u8>(WHOLE, TILDE);
  for (let i: u32 = 0; i < HASH_DIGITS; i++) {
    const digit = <u32>(hash >> (60 - ((<u64>i) << 2))) & 15;
    store<u8>(WHOLE + 1 + i, digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
  return HASH_DIGITS + 1;
}
