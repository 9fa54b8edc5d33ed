/**
 * Looking terms up in the dictionary of a text section that text_check.ts proved whole. Nothing here reads outside it.
 */
import { BLOCK } from "./packed";
import { TERM_BYTES_MAX } from "./term_table";
import {
  INDEX_SHIFT,
  POSTINGS_HEAD_BYTES,
  TERMS_IN_BLOCK,
  termBlocks,
  termKey,
  textDictionary,
  textDictionaryBytes,
  textIndex,
  textTerms,
} from "./text_section";
import { readVarint, varintEnd } from "./varint";

const TERM: usize = memory.data(272);

/** What `findTerm` found. The bounds are known from BLOCK documents on; before, they are 0. */
export let foundDocuments: u32 = 0;
export let foundPostings: usize = 0;
export let foundPostingsEnd: usize = 0;
export let foundTfMost: u32 = 0;
export let foundLengthLeast: u32 = 0;

let entryShared: u32 = 0;
let entryOther: usize = 0;
let entryOtherBytes: u32 = 0;
let entryDocuments: u32 = 0;
let entryPostingsBytes: u32 = 0;
let entryTfMost: u32 = 0;
let entryLengthLeast: u32 = 0;

/** Takes one dictionary entry apart; answers where the next begins. */
function readEntry(at: usize, end: usize): usize {
  entryShared = readVarint(at, end);
  entryOtherBytes = readVarint(varintEnd, end);
  entryOther = varintEnd;
  entryDocuments = readVarint(entryOther + entryOtherBytes, end);
  entryPostingsBytes = readVarint(varintEnd, end);
  entryTfMost = 0;
  entryLengthLeast = 0;
  if (entryDocuments < BLOCK) return varintEnd;
  entryTfMost = readVarint(varintEnd, end);
  entryLengthLeast = readVarint(varintEnd, end);
  return varintEnd;
}

/** Looks a term up, field byte first. `postings` is the section. */
export function findTerm(text: usize, postings: usize, term: usize, bytes: u32): bool {
  const block = lastBlockNotAfter(text, term, bytes);
  return block >= 0 && findInBlock(text, postings, <u32>block, term, bytes);
}

/** The last block whose first term is not after the one asked; −1 when there is none. */
function lastBlockNotAfter(text: usize, term: usize, bytes: u32): i32 {
  const index = textIndex(text);
  const key = termKey(term, bytes);
  let low: u32 = 0;
  let high = termBlocks(textTerms(text));
  while (low < high) {
    const middle = (low + high) >> 1;
    const slot = index + ((<usize>middle) << INDEX_SHIFT);
    const first = load<u64>(slot);
    const isAfter = first == key ? compareFirst(text, slot, term, bytes) > 0 : first > key;
    if (isAfter) high = middle;
    else low = middle + 1;
  }
  return <i32>low - 1;
}

function compareFirst(text: usize, slot: usize, term: usize, bytes: u32): i32 {
  const dictionary = textDictionary(text);
  readEntry(dictionary + load<u32>(slot, 8), dictionary + textDictionaryBytes(text));
  return compare(entryOther, entryOtherBytes, term, bytes);
}

function compare(a: usize, aBytes: u32, b: usize, bBytes: u32): i32 {
  const order = memory.compare(a, b, min(aBytes, bBytes));
  return order != 0 ? order : <i32>aBytes - <i32>bBytes;
}

/**
 * Terms are not put together: `matched` is how many of its first bytes the entry before, which is smaller, has in common
 * with the term asked. One that shares more with that entry is smaller too; one that shares less is greater.
 */
function findInBlock(text: usize, postings: usize, block: u32, term: usize, bytes: u32): bool {
  const slot = textIndex(text) + ((<usize>block) << INDEX_SHIFT);
  const dictionary = textDictionary(text);
  const end = dictionary + textDictionaryBytes(text);
  const terms = min(TERMS_IN_BLOCK, textTerms(text) - block * TERMS_IN_BLOCK);
  let at = dictionary + load<u32>(slot, 8);
  let offset = load<u32>(slot, 12);
  let matched: u32 = 0;
  for (let i: u32 = 0; i < terms; i++, offset += entryPostingsBytes) {
    at = readEntry(at, end);
    if (entryShared > matched) continue;
    if (entryShared < matched) return false;
    let equal: u32 = 0;
    const most = min(entryOtherBytes, bytes - matched);
    while (equal < most && load<u8>(entryOther + equal) == load<u8>(term + matched + equal)) equal++;
    matched += equal;
    if (equal == entryOtherBytes) {
      if (matched < bytes) continue;
      found(postings, offset);
      return true;
    }
    if (matched == bytes || load<u8>(entryOther + equal) > load<u8>(term + matched)) return false;
  }
  return false;
}

function found(postings: usize, offset: u32): void {
  foundDocuments = entryDocuments;
  foundPostings = postings + POSTINGS_HEAD_BYTES + offset;
  foundPostingsEnd = foundPostings + entryPostingsBytes;
  foundTfMost = entryTfMost;
  foundLengthLeast = entryLengthLeast;
}

// --- By prefix ------------------------------------------------------------------------------

/**
 * Writes to `out` the terms that begin with the `bytes` bytes at `prefix` (field byte first), in byte order, at most
 * `limit`: documents u32 · bytes u32 · the term, padded to 4. Each takes at most PREFIX_ENTRY_BYTES_MAX. Answers how many.
 */
export function termsWithPrefix(text: usize, prefix: usize, bytes: u32, limit: u32, out: usize): u32 {
  const dictionary = textDictionary(text);
  const end = dictionary + textDictionaryBytes(text);
  const block = <u32>max(lastBlockNotAfter(text, prefix, bytes), 0);
  let at = block < termBlocks(textTerms(text)) ? dictionary + load<u32>(blockSlot(text, block), 8) : end;
  let count: u32 = 0;
  while (at < end && count < limit) {
    at = readEntry(at, end);
    memory.copy(TERM + entryShared, entryOther, entryOtherBytes);
    const termBytes = entryShared + entryOtherBytes;
    const order = memory.compare(TERM, prefix, min(termBytes, bytes));
    if (order > 0) break;
    if (order < 0 || termBytes < bytes) continue;
    store<u32>(out, entryDocuments);
    store<u32>(out, termBytes, 4);
    memory.copy(out + 8, TERM, termBytes);
    out += 8 + ((termBytes + 3) & ~3);
    count += 1;
  }
  return count;
}

@inline
function blockSlot(text: usize, block: u32): usize {
  return textIndex(text) + ((<usize>block) << INDEX_SHIFT);
}

/** What one term that `termsWithPrefix` writes takes at most. */
export const PREFIX_ENTRY_BYTES_MAX: u32 = 8 + ((TERM_BYTES_MAX + 3) & ~3);
