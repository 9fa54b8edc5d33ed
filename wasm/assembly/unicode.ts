/**
 * UTF-8 decoding, classes and folding of code points.
 *
 * `decode` is total: a byte that begins no valid sequence is U+FFFD and one byte long, so malformed text has a defined
 * meaning and no read passes `end`.
 */
import {
  ASCII_CLASSES,
  CLASS_PAGES,
  CLASS_STAGE,
  EXPANSION_ENDS,
  EXPANSIONS,
  FOLD_PAGES,
  FOLD_STAGE,
} from "./unicode_tables";

const LETTER: u32 = 1;
export const DIGIT: u32 = 2;
/** Belongs to the word and is kept, e.g. a vowel sign. */
export const MARK_KEPT: u32 = 3;
/** Belongs to the word and says nothing: an accent, a joiner. */
export const MARK_DROPPED: u32 = 4;
/** A letter of a script written without spaces. */
export const UNSPACED: u32 = 5;
export const SPACE: u32 = 6;
export const CONNECTOR: u32 = 7;
export const UPPER: u32 = 8;
export const LOWER: u32 = 9;

const REPLACEMENT: u32 = 0xfffd;
const EXPANSION_BASE: u32 = 0xd800;

/** Bytes of the code point that `decode` answered last. */
export let decodedBytes: u32 = 1;

export function decode(at: usize, end: usize): u32 {
  const first = <u32>load<u8>(at);
  decodedBytes = 1;
  if (first < 0x80) return first;
  if (first >= 0xc2 && first < 0xe0 && at + 1 < end) {
    const second = <u32>load<u8>(at, 1);
    if ((second & 0xc0) != 0x80) return REPLACEMENT;
    decodedBytes = 2;
    return ((first & 0x1f) << 6) | (second & 0x3f);
  }
  if (first >= 0xe0 && first < 0xf0 && at + 2 < end) return decodeThree(at, first);
  if (first >= 0xf0 && first < 0xf5 && at + 3 < end) return decodeFour(at, first);
  return REPLACEMENT;
}

function decodeThree(at: usize, first: u32): u32 {
  const second = <u32>load<u8>(at, 1);
  const third = <u32>load<u8>(at, 2);
  if ((second & 0xc0) != 0x80 || (third & 0xc0) != 0x80) return REPLACEMENT;
  const point = ((first & 0x0f) << 12) | ((second & 0x3f) << 6) | (third & 0x3f);
  if (point < 0x800 || (point >= 0xd800 && point < 0xe000)) return REPLACEMENT;
  decodedBytes = 3;
  return point;
}

function decodeFour(at: usize, first: u32): u32 {
  const second = <u32>load<u8>(at, 1);
  const third = <u32>load<u8>(at, 2);
  const fourth = <u32>load<u8>(at, 3);
  if ((second & 0xc0) != 0x80 || (third & 0xc0) != 0x80 || (fourth & 0xc0) != 0x80) return REPLACEMENT;
  const point = ((first & 0x07) << 18) | ((second & 0x3f) << 12) | ((third & 0x3f) << 6) | (fourth & 0x3f);
  if (point < 0x10000 || point > 0x10ffff) return REPLACEMENT;
  decodedBytes = 4;
  return point;
}

@inline
export function classOf(point: u32): u32 {
  if (point < 128) return load<u8>(ASCII_CLASSES + point);
  const page = <usize>load<u8>(CLASS_STAGE + (point >> 8));
  const pair = <u32>load<u8>(CLASS_PAGES + (page << 7) + ((point & 255) >> 1));
  return (pair >> ((point & 1) << 2)) & 15;
}

@inline
export function isLetter(kind: u32): bool {
  return kind == LETTER || kind >= UPPER;
}

@inline
export function isAlphanumeric(kind: u32): bool {
  return kind == LETTER || kind == DIGIT || kind >= UPPER;
}

/**
 * Writes the folded code point as UTF-8, at most `room` bytes. Answers the bytes written, or -1 when it does not fit.
 */
export function appendFolded(point: u32, to: usize, room: u32): i32 {
  const page = <usize>load<u8>(FOLD_STAGE + (point >> 8));
  const fold = <u32>load<u16>(FOLD_PAGES + (page << 9) + ((point & 255) << 1));
  if (fold == 0) return appendPoint(point, to, room);
  if (fold < EXPANSION_BASE) return appendPoint(fold, to, room);
  const slot = EXPANSION_ENDS + <usize>((fold - EXPANSION_BASE) << 1);
  const from = <usize>load<u16>(slot);
  const bytes = <u32>load<u16>(slot, 2) - <u32>from;
  if (bytes > room) return -1;
  memory.copy(to, EXPANSIONS + from, bytes);
  return bytes;
}

function appendPoint(point: u32, to: usize, room: u32): i32 {
  if (point < 0x80) {
    if (room < 1) return -1;
    store<u8>(to, point);
    return 1;
  }
  if (point < 0x800) {
    if (room < 2) return -1;
    store<u8>(to, 0xc0 | (point >> 6));
    store<u8>(to, 0x80 | (point & 0x3f), 1);
    return 2;
  }
  if (point < 0x10000) {
    if (room < 3) return -1;
    store<u8>(to, 0xe0 | (point >> 12));
    store<u8>(to, 0x80 | ((point >> 6) & 0x3f), 1);
    store<u8>(to, 0x80 | (point & 0x3f), 2);
    return 3;
  }
  if (room < 4) return -1;
  store<u8>(to, 0xf0 | (point >> 18));
  store<u8>(to, 0x80 | ((point >> 12) & 0x3f), 1);
  store<u8>(to, 0x80 | ((point >> 6) & 0x3f), 2);
  store<u8>(to, 0x80 | (point & 0x3f), 3);
  return 4;
}
