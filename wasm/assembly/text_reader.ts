/**
 * Reading a text section: `checkText` proves it whole once, at loading; after that `findTerm` and the postings loops
 * trust it and never read outside it.
 */
import { checkSection } from "./section";
import { BAD_LENGTH, BAD_ORDER, BAD_VALUE, OK } from "./status";
import { FIELD_WHOLE, FIELD_WORD, TERM_BYTES_MAX } from "./term_table";
import {
  BLOCK_TERMS,
  blockCount,
  TEXT_HEAD_BYTES,
  TEXT_MAGIC,
  textDictionary,
  textDictionaryBytes,
  textDocuments,
  textIndex,
  textLengths,
  textPostings,
  textPostingsBytes,
  textSectionBytes,
  textTerms,
  textWholeBits,
  textWholeDocuments,
  textWordDocuments,
  textWords,
} from "./text_section";
import { readVarint, varintEnd } from "./varint";

const TERM: usize = memory.data(272);
const LAST: usize = memory.data(272);

let termBytes: u32 = 0;
let termDocuments: u32 = 0;
let termPostingsBytes: u32 = 0;

/** What `findTerm` found. */
export let foundDocuments: u32 = 0;
export let foundPostings: usize = 0;
export let foundPostingsEnd: usize = 0;

/** Takes one dictionary entry, whose shared bytes stand in TERM already. Answers where the next begins, or 0. */
function readEntry(at: usize, end: usize): usize {
  const shared = readVarint(at, end);
  if (varintEnd == 0) return 0;
  const other = readVarint(varintEnd, end);
  if (varintEnd == 0 || shared > termBytes || other > TERM_BYTES_MAX - shared || varintEnd + other > end) return 0;
  memory.copy(TERM + shared, varintEnd, other);
  termBytes = shared + other;
  termDocuments = readVarint(varintEnd + other, end);
  if (varintEnd == 0) return 0;
  termPostingsBytes = readVarint(varintEnd, end);
  return varintEnd;
}

function compare(a: usize, aBytes: u32, b: usize, bBytes: u32): i32 {
  const order = memory.compare(a, b, min(aBytes, bBytes));
  return order != 0 ? order : <i32>aBytes - <i32>bBytes;
}

/** Looks a term up, field byte first. */
export function findTerm(section: usize, term: usize, bytes: u32): bool {
  const dictionary = textDictionary(section);
  const end = dictionary + textDictionaryBytes(section);
  let low: u32 = 0;
  let high = blockCount(textTerms(section));
  // The last block whose first term is not after the one asked.
  while (low < high) {
    const middle = (low + high) >> 1;
    termBytes = 0;
    readEntry(dictionary + load<u32>(textIndex(section) + ((<usize>middle) << 3)), end);
    if (compare(TERM, termBytes, term, bytes) <= 0) low = middle + 1;
    else high = middle;
  }
  return low > 0 && findInBlock(section, low - 1, term, bytes);
}

function findInBlock(section: usize, block: u32, term: usize, bytes: u32): bool {
  const slot = textIndex(section) + ((<usize>block) << 3);
  const end = textDictionary(section) + textDictionaryBytes(section);
  let at = textDictionary(section) + load<u32>(slot);
  let postings = textPostings(section) + load<u32>(slot, 4);
  const terms = min(BLOCK_TERMS, textTerms(section) - block * BLOCK_TERMS);
  termBytes = 0;
  for (let i: u32 = 0; i < terms; i++) {
    at = readEntry(at, end);
    const order = compare(TERM, termBytes, term, bytes);
    if (order == 0) {
      foundDocuments = termDocuments;
      foundPostings = postings;
      foundPostingsEnd = postings + termPostingsBytes;
      return true;
    }
    if (order > 0) return false;
    postings += termPostingsBytes;
  }
  return false;
}

// --- Checks ---------------------------------------------------------------------------------

/** Everything the other functions rely on. `documents` is what the part says it has. */
export function checkText(section: usize, bytes: u32, documents: u32): i32 {
  const status = checkSection(section, bytes, TEXT_MAGIC, TEXT_HEAD_BYTES);
  if (status != OK) return status;
  if (textDocuments(section) != documents) return BAD_LENGTH;
  const expected = textSectionBytes(
    documents,
    textTerms(section),
    textDictionaryBytes(section),
    textPostingsBytes(section),
  );
  if (expected != bytes) return BAD_LENGTH;
  const lengths = checkLengths(section);
  return lengths != OK ? lengths : checkTerms(section);
}

function checkLengths(section: usize): i32 {
  const documents = textDocuments(section);
  let words: u64 = 0;
  let wordDocuments: u32 = 0;
  let wholeDocuments: u32 = 0;
  for (let i: u32 = 0; i < documents; i++) {
    const length = load<u32>(textLengths(section) + ((<usize>i) << 2));
    words += length;
    if (length > 0) wordDocuments += 1;
  }
  for (let at = textWholeBits(section); at < textIndex(section); at += 8)
    wholeDocuments += <u32>popcnt<u64>(load<u64>(at));
  for (let i = documents; i < <u32>((textIndex(section) - textWholeBits(section)) << 3); i++) {
    if (((<u32>load<u8>(textWholeBits(section) + (i >> 3)) >> (i & 7)) & 1) != 0) return BAD_VALUE;
  }
  const agrees = words == textWords(section) && wordDocuments == textWordDocuments(section);
  return agrees && wholeDocuments == textWholeDocuments(section) ? OK : BAD_VALUE;
}

let wordsCounted: u64 = 0;

function checkTerms(section: usize): i32 {
  const dictionary = textDictionary(section);
  const end = dictionary + textDictionaryBytes(section);
  const postingsEnd = textPostings(section) + textPostingsBytes(section);
  let at = dictionary;
  let postings = textPostings(section);
  let lastBytes: u32 = 0;
  wordsCounted = 0;
  for (let i: u32 = 0; i < textTerms(section); i++) {
    if (i % BLOCK_TERMS == 0) {
      const slot = textIndex(section) + ((<usize>(i / BLOCK_TERMS)) << 3);
      if (dictionary + load<u32>(slot) != at || textPostings(section) + load<u32>(slot, 4) != postings)
        return BAD_LENGTH;
      termBytes = 0;
    }
    at = readEntry(at, end);
    if (at == 0 || termPostingsBytes > postingsEnd - postings) return BAD_LENGTH;
    if (termBytes < 2 || load<u8>(TERM) < FIELD_WORD || load<u8>(TERM) > FIELD_WHOLE) return BAD_VALUE;
    if (i > 0 && compare(LAST, lastBytes, TERM, termBytes) >= 0) return BAD_ORDER;
    const status = checkPostings(postings, postings + termPostingsBytes, textDocuments(section));
    if (status != OK) return status;
    memory.copy(LAST, TERM, termBytes);
    lastBytes = termBytes;
    postings += termPostingsBytes;
  }
  if (at != end || postings != postingsEnd) return BAD_LENGTH;
  return wordsCounted == textWords(section) ? OK : BAD_VALUE;
}

function checkPostings(at: usize, end: usize, documents: u32): i32 {
  const isWord = load<u8>(TERM) == FIELD_WORD;
  let document: u64 = 0;
  let count: u32 = 0;
  while (at < end) {
    const head = readVarint(at, end);
    if (varintEnd == 0) return BAD_LENGTH;
    at = varintEnd;
    let tf: u32 = 1;
    if ((head & 1) == 0) {
      tf = readVarint(at, end);
      if (varintEnd == 0) return BAD_LENGTH;
      at = varintEnd;
    }
    // Gaps count from document -1, so `document` is one more than the document's number.
    document += head >> 1;
    if (head >> 1 == 0 || tf == 0) return BAD_VALUE;
    if (document > documents) return BAD_ORDER;
    if (isWord) wordsCounted += tf;
    count += 1;
  }
  return count == termDocuments && count > 0 ? OK : BAD_LENGTH;
}
