/**
 * From a word as it stands in the text to the record of its term: most words of a text were seen before, and need no
 * stemming, hashing and comparing again.
 *
 *   key     16 bytes: the word in lower case, at most WORD_BYTES_MAX ASCII letters and digits, padded with zeros, and its
 *           field as the last byte
 *   entry   key · record u32 (0: empty, STOP_WORD: it makes no term) · 12 bytes of padding
 *
 * One entry a slot: a word that falls on another's slot takes it over. So what is found depends on the text before, and
 * what is indexed never does.
 */
import { arenaTake } from "./arena";

/** One byte of the key is the field's. */
export const WORD_BYTES_MAX: u32 = 15;
/** As a record: the word is known to make no term. No record lies there. */
export const STOP_WORD: usize = 1;

const ENTRY_SHIFT: usize = 5;
const RECORD: usize = 16;
const SLOTS_MAX: u64 = 8192;
const SLOTS_PER_DOCUMENT: u64 = 64;
const MULTIPLIER: u64 = 0x9e3779b97f4a7c15;

let entries: usize = 0;
let slotShift: u64 = 64;
/** Where the word looked for stands, or would. */
let slot: usize = 0;

/** Empties the cache; false when it does not fit. Few documents get a small one. */
export function wordCacheBegin(documents: u32): bool {
  const wanted = min(<u64>documents * SLOTS_PER_DOCUMENT, SLOTS_MAX);
  let slots: u64 = SLOTS_PER_DOCUMENT;
  while (slots < wanted) slots *= 2;
  slotShift = 1 + clz<u64>(slots);
  const bytes = slots << ENTRY_SHIFT;
  entries = arenaTake(bytes);
  if (entries != 0) memory.fill(entries, 0, <usize>bytes);
  return entries != 0;
}

/** The record of the word, or 0 when it is not known. */
@inline
export function wordCacheFind(key: v128): usize {
  const hash = (i64x2.extract_lane(key, 0) * MULTIPLIER) ^ i64x2.extract_lane(key, 1);
  slot = entries + ((<usize>((<u64>(hash * MULTIPLIER)) >> slotShift)) << ENTRY_SHIFT);
  return i8x16.all_true(i8x16.eq(v128.load(slot), key)) ? <usize>load<u32>(slot, RECORD) : 0;
}

/** Keeps the record of the word that `wordCacheFind` did not know. */
@inline
export function wordCacheKeep(key: v128, record: usize): void {
  v128.store(slot, key);
  store<u32>(slot, <u32>record, RECORD);
}
