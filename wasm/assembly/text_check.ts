/**
 * Proves the two sections of text at loading: their checksums, every length and offset, and the order of terms. After
 * that lookups are read without a check and never leave their section, whatever the bytes are. What is in the postings of
 * a term is proved when the term is looked up first (text_reader.ts): most never are.
 */
import { BLOCK } from "./packed";
import { checkSection, sectionChecksum } from "./section";
import { BAD_LENGTH, BAD_MAGIC, BAD_ORDER, BAD_VALUE, OK } from "./status";
import { FIELD_QUESTION, FIELD_WHOLE, FIELD_WORD, TERM_BYTES_MAX } from "./term_table";
import {
  DOCUMENTS,
  INDEX_SHIFT,
  lengthAt,
  OWN_POSTINGS_BYTES,
  PIECE_BYTES,
  PIECES_HEAD_BYTES,
  PIECES_MAGIC,
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

/** `documents` is what the part says it has. */
export function checkText(text: usize, bytes: u32, documents: u32): i32 {
  const status = checkSection(text, bytes, TEXT_MAGIC, TEXT_HEAD_BYTES);
  if (status != OK) return status;
  if (textDocuments(text) != documents || documents > TEXT_DOCUMENTS_MAX) return BAD_LENGTH;
  if (!isLengthBytes(textLengthBytes(text)) || load<u16>(text, RESERVED) != 0) return BAD_VALUE;
  if (textQuestionLengthBytes(text) != 0 && !isLengthBytes(textQuestionLengthBytes(text))) return BAD_VALUE;
  if (textSectionBytes(text) != bytes) return BAD_LENGTH;
  const lengths = checkLengths(text);
  return lengths == OK ? checkTerms(text) : lengths;
}

@inline
function isLengthBytes(bytes: u32): bool {
  return bytes == 1 || bytes == 2 || bytes == 4;
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
let termPostingsBytes: u32 = 0;

function checkTerms(text: usize): i32 {
  const dictionary = textDictionary(text);
  const end = dictionary + textDictionaryBytes(text);
  const terms = textTerms(text);
  const last = load<u32>(text, POSTINGS_BYTES);
  const fieldMost = textQuestionLengthBytes(text) == 0 ? FIELD_WHOLE : FIELD_QUESTION;
  let at = dictionary;
  let next: u32 = 0;
  termBytes = 0;
  for (let i: u32 = 0; i < terms; i++) {
    const isFirst = i % TERMS_IN_BLOCK == 0;
    const from = at;
    at = checkEntry(at, end, isFirst);
    if (at == 0) return entryStatus;
    const field = <u32>load<u8>(TERM);
    if (termBytes < 2 || field < FIELD_WORD || field > fieldMost) return BAD_VALUE;
    if (isFirst && !isIndexed(text, i, <u32>(from - dictionary), next)) return BAD_LENGTH;
    if (termPostingsBytes > last - next) return BAD_LENGTH;
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
  appendToTerm(shared, bytes, other, end);
  termBytes = shared + other;
  const termDocuments = readVarint(bytes + other, end);
  if (varintEnd == 0 || termDocuments == 0) return 0;
  termPostingsBytes = readVarint(varintEnd, end);
  if (termDocuments < BLOCK || varintEnd == 0) return varintEnd;
  readVarint(varintEnd, end);
  if (varintEnd == 0) return 0;
  readVarint(varintEnd, end);
  return varintEnd;
}

/** Sixteen bytes at once where nothing lies beyond `end`: most terms are shorter, and TERM has room for more. */
@inline
function appendToTerm(shared: u32, bytes: usize, other: u32, end: usize): void {
  if (other <= 16 && bytes + 16 <= end) {
    v128.store(TERM + shared, v128.load(bytes));
    return;
  }
  for (let i: u32 = 0; i < other; i++) store<u8>(TERM + shared + i, load<u8>(bytes + i));
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

/** Of a text section that `checkText` proved. */
export function checkPostingsSection(text: usize, postings: usize, bytes: u32): i32 {
  const status = checkSection(postings, bytes, POSTINGS_MAGIC, POSTINGS_HEAD_BYTES);
  if (status != OK) return status;
  const own = load<u32>(postings, OWN_POSTINGS_BYTES);
  if (load<u32>(postings, DOCUMENTS) != textDocuments(text) || postingsSectionBytes(own) != bytes) return BAD_LENGTH;
  return own == load<u32>(text, POSTINGS_BYTES) && sectionChecksum(postings) == load<u64>(text, POSTINGS_CHECKSUM)
    ? OK
    : BAD_LENGTH;
}

/** Likewise, where only some postings were read. What they hold was verified by whoever read them. */
export function checkPieces(text: usize, pieces: usize, bytes: u32): i32 {
  if (bytes < PIECES_HEAD_BYTES) return BAD_LENGTH;
  if (load<u32>(pieces) != PIECES_MAGIC) return BAD_MAGIC;
  const count = <u64>load<u32>(pieces, 4);
  const from = PIECES_HEAD_BYTES + count * PIECE_BYTES;
  if (from > bytes) return BAD_LENGTH;
  let end: u64 = POSTINGS_HEAD_BYTES;
  for (let piece = pieces + PIECES_HEAD_BYTES; piece < pieces + <usize>from; piece += PIECE_BYTES) {
    const length = <u64>load<u32>(piece, 4);
    const place = <u64>load<u32>(piece, 8);
    if (load<u32>(piece) < end) return BAD_ORDER;
    end = load<u32>(piece) + length;
    if (place < from || place + length > bytes) return BAD_LENGTH;
  }
  return end <= <u64>POSTINGS_HEAD_BYTES + load<u32>(text, POSTINGS_BYTES) ? OK : BAD_LENGTH;
}
