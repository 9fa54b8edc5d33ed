/**
 * Looking terms up in the dictionary of a text section that text_check.ts proved whole. Nothing here reads outside it. The
 * postings of a term are proved when it is found first, and marked, so that what is found can be read without a check.
 */
import { BLOCK } from "./packed";
import { checkPostings } from "./postings_check";
import { NOT_READ, OK } from "./status";
import { TERM_BYTES_MAX } from "./term_table";
import {
  INDEX_SHIFT,
  PIECE_BYTES,
  PIECES_HEAD_BYTES,
  PIECES_MAGIC,
  POSTINGS_HEAD_BYTES,
  TERMS_IN_BLOCK,
  termBlocks,
  termKey,
  textDictionary,
  textDictionaryBytes,
  textDocuments,
  textIndex,
  textMarks,
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
/** From the start of the postings section, wherever they are read. */
export let foundOffset: u32 = 0;
export let foundPostingsBytes: u32 = 0;
/** Its number in the dictionary. */
let foundTerm: u32 = 0;

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

// --- Postings of a term ---------------------------------------------------------------------

/** OK, or why the postings of a term that `findTerm` met since `beginLookUps` cannot be read. */
export let lookUpStatus: i32 = OK;

export function beginLookUps(): void {
  lookUpStatus = OK;
}

/**
 * Looks a term of a part up, field byte first, whose postings are then safe to read. `postings` is the section, or the
 * pieces of it. Answers false of a term that nothing has; also of one whose postings cannot be read, and says so in
 * `lookUpStatus`: what it then found is no answer.
 */
export function findTerm(text: usize, postings: usize, term: usize, bytes: u32): bool {
  if (!locateTerm(text, term, bytes)) return false;
  foundPostings = load<u32>(postings) == PIECES_MAGIC ? pieceAt(postings) : postings + foundOffset;
  foundPostingsEnd = foundPostings + foundPostingsBytes;
  const status = foundPostings == 0 ? NOT_READ : proveFound(text);
  if (status != OK) lookUpStatus = status;
  return status == OK;
}

/** Where the postings that were located lie among the pieces, or 0. */
function pieceAt(pieces: usize): usize {
  let low: u32 = 0;
  let high = load<u32>(pieces, 4);
  while (low < high) {
    const middle = (low + high) >> 1;
    const piece = pieces + PIECES_HEAD_BYTES + <usize>middle * PIECE_BYTES;
    const offset = load<u32>(piece);
    if (offset == foundOffset) return load<u32>(piece, 4) == foundPostingsBytes ? pieces + load<u32>(piece, 8) : 0;
    if (offset < foundOffset) low = middle + 1;
    else high = middle;
  }
  return 0;
}

@inline
function proveFound(text: usize): i32 {
  const mark = textMarks(text) + ((<usize>(foundTerm / TERMS_IN_BLOCK)) << 2);
  const bit = <u32>1 << foundTerm % TERMS_IN_BLOCK;
  if ((load<u32>(mark) & bit) != 0) return OK;
  const status = checkPostings(foundPostings, foundPostingsEnd, foundDocuments, textDocuments(text));
  if (status == OK) store<u32>(mark, load<u32>(mark) | bit);
  return status;
}

// --- Dictionary -----------------------------------------------------------------------------

/** Looks a term up without its postings: where they lie is `foundOffset` and `foundPostingsBytes`. */
export function locateTerm(text: usize, term: usize, bytes: u32): bool {
  const block = lastBlockNotAfter(text, term, bytes);
  return block >= 0 && findInBlock(text, <u32>block, term, bytes);
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
function findInBlock(text: usize, block: u32, term: usize, bytes: u32): bool {
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
      found(block * TERMS_IN_BLOCK + i, POSTINGS_HEAD_BYTES + offset);
      return true;
    }
    if (matched == bytes || load<u8>(entryOther + equal) > load<u8>(term + matched)) return false;
  }
  return false;
}

function found(term: u32, offset: u32): void {
  foundTerm = term;
  foundDocuments = entryDocuments;
  foundOffset = offset;
  foundPostingsBytes = entryPostingsBytes;
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
