/**
 * Proves the two sections of text whole, once, at loading: after that lookups and postings are read without a check and
 * never leave their section, whatever the bytes are. Every length and offset, the order of terms and the documents of
 * all postings are proved; tfs and bounds only say how much a hit is worth.
 */
import { BLOCK, packedBytes, unpackSums } from "./packed";
import { GAP_BITS, HEADER_BYTES, NO_DOCUMENT, PACKED_BITS_MAX, TF_BITS } from "./postings";
import { checkSection, sectionChecksum } from "./section";
import { BAD_LENGTH, BAD_ORDER, BAD_VALUE, OK } from "./status";
import { FIELD_QUESTION, FIELD_WHOLE, FIELD_WORD, TERM_BYTES_MAX } from "./term_table";
import {
  DOCUMENTS,
  INDEX_SHIFT,
  lengthAt,
  OWN_POSTINGS_BYTES,
  POSTINGS_BYTES,
  POSTINGS_CHECKSUM,
  POSTINGS_HEAD_BYTES,
  POSTINGS_MAGIC,
  postingsSectionBytes,
  QUESTION_DOCUMENTS,
  QUESTION_WORDS,
  RESERVED,
  TERMS_IN_BLOCK,
  TEXT_DOCUMENTS_MAX,
  TEXT_HEAD_BYTES,
  TEXT_MAGIC,
  termKey,
  textDictionary,
  textDictionaryBytes,
  textDocuments,
  textIndex,
  textLengthBytes,
  textLengths,
  textQuestionLengthBytes,
  textQuestionLengths,
  textSectionBytes,
  textTerms,
  textWholeBits,
  WHOLE_DOCUMENTS,
  WORD_DOCUMENTS,
  WORDS,
} from "./text_section";
import { readVarint, varintEnd } from "./varint";

const TERM: usize = memory.data(288);
const SUMS: usize = memory.data(512);

/** Whether the fault that `checkText` found lies in the postings section. */
export let faultInPostings: bool = false;

/** `documents` is what the part says it has. */
export function checkText(text: usize, textBytes: u32, postings: usize, postingsBytes: u32, documents: u32): i32 {
  faultInPostings = false;
  const status = checkSection(text, textBytes, TEXT_MAGIC, TEXT_HEAD_BYTES);
  if (status != OK) return status;
  if (textDocuments(text) != documents || documents > TEXT_DOCUMENTS_MAX) return BAD_LENGTH;
  if (!isLengthBytes(textLengthBytes(text)) || load<u16>(text, RESERVED) != 0) return BAD_VALUE;
  if (textQuestionLengthBytes(text) != 0 && !isLengthBytes(textQuestionLengthBytes(text))) return BAD_VALUE;
  if (textSectionBytes(text) != textBytes) return BAD_LENGTH;
  const lengths = checkLengths(text);
  if (lengths != OK) return lengths;
  faultInPostings = true;
  const own = checkPostingsSection(text, postings, postingsBytes, documents);
  if (own != OK) return own;
  faultInPostings = false;
  return checkTerms(text, postings);
}

@inline
function isLengthBytes(bytes: u32): bool {
  return bytes == 1 || bytes == 2 || bytes == 4;
}

function checkPostingsSection(text: usize, postings: usize, bytes: u32, documents: u32): i32 {
  const status = checkSection(postings, bytes, POSTINGS_MAGIC, POSTINGS_HEAD_BYTES);
  if (status != OK) return status;
  const own = load<u32>(postings, OWN_POSTINGS_BYTES);
  if (load<u32>(postings, DOCUMENTS) != documents || postingsSectionBytes(own) != bytes) return BAD_LENGTH;
  return own == load<u32>(text, POSTINGS_BYTES) && sectionChecksum(postings) == load<u64>(text, POSTINGS_CHECKSUM)
    ? OK
    : BAD_LENGTH;
}

// --- Lengths --------------------------------------------------------------------------------

function checkLengths(text: usize): i32 {
  const documents = textDocuments(text);
  if (!areLengths(textLengths(text), textLengthBytes(text), documents, load<u32>(text, WORD_DOCUMENTS), load<u64>(text, WORDS)))
    return BAD_VALUE;
  const questions = textQuestionLengthBytes(text);
  const questionDocuments = load<u32>(text, QUESTION_DOCUMENTS);
  const questionWords = load<u64>(text, QUESTION_WORDS);
  if (questions == 0 && (questionDocuments != 0 || questionWords != 0)) return BAD_VALUE;
  if (questions != 0 && !areLengths(textQuestionLengths(text), questions, documents, questionDocuments, questionWords))
    return BAD_VALUE;
  return checkWholeBits(text);
}

function areLengths(lengths: usize, bytes: u32, documents: u32, withWords: u32, words: u64): bool {
  let sum: u64 = 0;
  let count: u32 = 0;
  for (let i: u32 = 0; i < documents; i++) {
    const length = lengthAt(lengths, bytes, i);
    sum += length;
    count += <u32>(length > 0);
  }
  return sum == words && count == withWords;
}

function checkWholeBits(text: usize): i32 {
  const bits = textWholeBits(text);
  const documents = textDocuments(text);
  let count: u64 = 0;
  for (let at = bits; at < textIndex(text); at += 8) count += popcnt<u64>(load<u64>(at));
  for (let i = documents; i < <u32>((textIndex(text) - bits) << 3); i++) {
    if (((<u32>load<u8>(bits + (i >> 3)) >> (i & 7)) & 1) != 0) return BAD_VALUE;
  }
  return count == load<u32>(text, WHOLE_DOCUMENTS) ? OK : BAD_VALUE;
}

// --- Terms ----------------------------------------------------------------------------------

let termBytes: u32 = 0;
let termDocuments: u32 = 0;
let termPostingsBytes: u32 = 0;

function checkTerms(text: usize, postings: usize): i32 {
  const dictionary = textDictionary(text);
  const end = dictionary + textDictionaryBytes(text);
  const terms = textTerms(text);
  const first = postings + POSTINGS_HEAD_BYTES;
  const last = first + load<u32>(postings, OWN_POSTINGS_BYTES);
  const fieldMost = textQuestionLengthBytes(text) == 0 ? FIELD_WHOLE : FIELD_QUESTION;
  let at = dictionary;
  let next = first;
  termBytes = 0;
  for (let i: u32 = 0; i < terms; i++) {
    const isFirst = i % TERMS_IN_BLOCK == 0;
    const from = at;
    at = checkEntry(at, end, isFirst);
    if (at == 0) return entryStatus;
    const field = <u32>load<u8>(TERM);
    if (termBytes < 2 || field < FIELD_WORD || field > fieldMost) return BAD_VALUE;
    if (isFirst && !isIndexed(text, i, <u32>(from - dictionary), <u32>(next - first))) return BAD_LENGTH;
    if (termPostingsBytes > last - next) return BAD_LENGTH;
    const status = checkPostings(next, next + termPostingsBytes, textDocuments(text));
    if (status != OK) {
      faultInPostings = true;
      return status;
    }
    next += termPostingsBytes;
  }
  return at == end && next == last ? OK : BAD_LENGTH;
}

function isIndexed(text: usize, term: u32, dictionary: u32, postings: u32): bool {
  const slot = textIndex(text) + ((<usize>(term / TERMS_IN_BLOCK)) << INDEX_SHIFT);
  return load<u64>(slot) == termKey(TERM, termBytes) && load<u32>(slot, 8) == dictionary && load<u32>(slot, 12) == postings;
}

let entryStatus: i32 = OK;

/** Takes one entry; TERM holds the term before, then this one. Answers where the next begins, or 0 and `entryStatus`. */
function checkEntry(at: usize, end: usize, isFirst: bool): usize {
  entryStatus = BAD_LENGTH;
  const shared = readVarint(at, end);
  if (varintEnd == 0 || shared > termBytes) return 0;
  const other = readVarint(varintEnd, end);
  if (varintEnd == 0 || other > TERM_BYTES_MAX - shared || other > end - varintEnd) return 0;
  const bytes = varintEnd;
  if (isFirst ? shared != 0 || !isAfterTerm(bytes, other) : !goesOn(shared, bytes, other)) {
    entryStatus = BAD_ORDER;
    return 0;
  }
  for (let i: u32 = 0; i < other; i++) store<u8>(TERM + shared + i, load<u8>(bytes + i));
  termBytes = shared + other;
  termDocuments = readVarint(bytes + other, end);
  if (varintEnd == 0 || termDocuments == 0) return 0;
  termPostingsBytes = readVarint(varintEnd, end);
  if (termDocuments < BLOCK || varintEnd == 0) return varintEnd;
  readVarint(varintEnd, end);
  if (varintEnd == 0) return 0;
  readVarint(varintEnd, end);
  return varintEnd;
}

/** Whether a term that shares exactly its first `shared` bytes with TERM comes after it. */
@inline
function goesOn(shared: u32, bytes: usize, other: u32): bool {
  return other > 0 && (shared == termBytes || load<u8>(bytes) > load<u8>(TERM + shared));
}

function isAfterTerm(bytes: usize, other: u32): bool {
  const order = memory.compare(bytes, TERM, min(other, termBytes));
  return order > 0 || (order == 0 && other > termBytes);
}

// --- Postings -------------------------------------------------------------------------------

/** Of one term with `termDocuments`. */
function checkPostings(at: usize, end: usize, documents: u32): i32 {
  let document = NO_DOCUMENT;
  const blocks = termDocuments / BLOCK;
  if (blocks > 0) {
    let header = at;
    if (<u64>blocks * HEADER_BYTES > <u64>(end - at)) return BAD_LENGTH;
    at += <usize>blocks * HEADER_BYTES;
    for (let i: u32 = 0; i < blocks; i++, header += HEADER_BYTES) {
      const status = checkBlock(header, at, end, document, documents);
      if (status != OK) return status;
      at += packedBytes(<u32>load<u8>(header, GAP_BITS) + <u32>load<u8>(header, TF_BITS));
      document = load<u32>(header);
    }
  }
  return checkTail(at, end, document, documents);
}

function checkBlock(header: usize, at: usize, end: usize, before: u32, documents: u32): i32 {
  const gapBits = <u32>load<u8>(header, GAP_BITS);
  const tfBits = <u32>load<u8>(header, TF_BITS);
  if (gapBits > PACKED_BITS_MAX || tfBits > PACKED_BITS_MAX) return BAD_VALUE;
  if (packedBytes(gapBits + tfBits) > end - at) return BAD_LENGTH;
  unpackSums(at, gapBits, SUMS);
  // 128 gaps of at most 2^24 and a document below 2^24: no sum leaves 32 bits.
  let last = before;
  for (let lane: usize = 0; lane < 16; lane += 4) last += load<u32>(SUMS + 31 * 16 + lane);
  return last == load<u32>(header) && last < documents ? OK : BAD_ORDER;
}

function checkTail(at: usize, end: usize, before: u32, documents: u32): i32 {
  // One more than the last document.
  let next: u64 = <u64>(before + 1);
  for (let left = termDocuments % BLOCK; left > 0; left--) {
    if (at >= end) return BAD_LENGTH;
    let head = <u32>load<u8>(at++);
    if (head >= 0x80) {
      head = readVarint(at - 1, end);
      if (varintEnd == 0) return BAD_LENGTH;
      at = varintEnd;
    }
    next += (head >> 1) + 1;
    if ((head & 1) != 0) continue;
    if (at >= end) return BAD_LENGTH;
    const tf = <u32>load<u8>(at++);
    if (tf == 0) return BAD_VALUE;
    if (tf < 0x80) continue;
    if (readVarint(at - 1, end) == 0) return varintEnd == 0 ? BAD_LENGTH : BAD_VALUE;
    at = varintEnd;
  }
  if (next > documents) return BAD_ORDER;
  return at == end ? OK : BAD_LENGTH;
}
