/**
 * Writes the two sections of text from the term table: the postings first, growing on top of the arena, then the text
 * section, whose dictionary says how many bytes each term's postings have.
 *
 * A record's place in the sorted entries is used for what is found out about it: once a term is written its entry is
 * greatest tf u32 · least length u32 · record u32 · postings bytes u32.
 */
import { arenaExtend, arenaTake } from "./arena";
import { BLOCK, BLOCK_BYTES, pack, placeOf, widthOf } from "./packed";
import {
  BOUND_MAX,
  GAP_BITS,
  HEADER_BYTES,
  LENGTH_HALF,
  PACKED_BITS_MAX,
  TF_BITS,
  TF_MOST,
} from "./postings";
import { padded16, sealSection, sectionChecksum } from "./section";
import { CAPACITY, OK } from "./status";
import {
  ENTRY_RECORD,
  ENTRY_SHIFT,
  FIELD_QUESTION,
  FIELD_WORD,
  recordDocuments,
  recordPostingsBytesMax,
  recordTerm,
  recordTermBytes,
  sortedRecords,
  streamBegin,
  streamGap,
  streamNext,
  streamTf,
  tableStatus,
  termCount,
  writePostings,
} from "./term_table";
import {
  bitsetBytes,
  DICTIONARY_BYTES,
  DOCUMENTS,
  INDEX_SHIFT,
  LENGTH_BYTES,
  OWN_POSTINGS_BYTES,
  POSTINGS_BYTES,
  POSTINGS_CHECKSUM,
  POSTINGS_HEAD_BYTES,
  POSTINGS_MAGIC,
  postingsSectionBytes,
  QUESTION_DOCUMENTS,
  QUESTION_LENGTH_BYTES,
  QUESTION_WORDS,
  TERMS,
  TERMS_IN_BLOCK,
  TEXT_DOCUMENTS_MAX,
  TEXT_HEAD_BYTES,
  TEXT_MAGIC,
  termKey,
  textDictionary,
  textIndex,
  textLengths,
  textQuestionLengths,
  textSectionBytes,
  textWholeBits,
  WHOLE_DOCUMENTS,
  WORD_DOCUMENTS,
  WORDS,
} from "./text_section";
import { writeVarint } from "./varint";

/** Of a dictionary entry, besides its term: six varints. */
const ENTRY_OVERHEAD_MAX: u64 = 30;
const PACKED_BYTES_MAX: usize = 2 * (<usize>PACKED_BITS_MAX << 4);

const ENTRY_TF_MOST: usize = 0;
const ENTRY_LENGTH_LEAST: usize = 4;
const ENTRY_POSTINGS_BYTES: usize = 12;

const GAPS: usize = memory.data(512);
const COUNTS: usize = memory.data(512);

/** Offsets and bytes of the sections written last. */
export let writtenText: usize = 0;
export let writtenTextBytes: u32 = 0;
export let writtenPostings: usize = 0;
export let writtenPostingsBytes: u32 = 0;

let entries: usize = 0;
/** u32 a document. */
let wordLengths: usize = 0;
let questionLengths: usize = 0;

@inline
function entryAt(index: u32): usize {
  return entries + ((<usize>index) << ENTRY_SHIFT);
}

@inline
function recordOf(entry: usize): usize {
  return <usize>load<u32>(entry, ENTRY_RECORD);
}

/**
 * Writes both sections of the term table, with the lengths in words and in words of questions (u32 a document) and the
 * whole-token bits (padded to 16 bytes). Answers OK or CAPACITY.
 */
export function writeTextSections(documents: u32, words: usize, questions: usize, wholeBits: usize): i32 {
  if (tableStatus != OK) return tableStatus;
  if (documents > TEXT_DOCUMENTS_MAX) return CAPACITY;
  wordLengths = words;
  questionLengths = questions;
  entries = sortedRecords();
  if (entries == 0) return CAPACITY;
  const status = writePostingsSection(documents);
  return status == OK ? writeTextSection(documents, wholeBits) : status;
}

// --- Postings -------------------------------------------------------------------------------

function writePostingsSection(documents: u32): i32 {
  const section = arenaTake(POSTINGS_HEAD_BYTES);
  if (section == 0) return CAPACITY;
  memory.fill(section, 0, POSTINGS_HEAD_BYTES);
  const postings = section + POSTINGS_HEAD_BYTES;
  let at = postings;
  for (let i: u32 = 0; i < termCount; i++) {
    const from = at;
    at = writeTermPostings(entryAt(i), at);
    if (at == 0) return CAPACITY;
    store<u32>(entryAt(i), <u32>(at - from), ENTRY_POSTINGS_BYTES);
  }
  const bytes = postingsSectionBytes(<u32>(at - postings));
  if (bytes > <u64>i32.MAX_VALUE || !arenaExtend(section + <usize>bytes)) return CAPACITY;
  memory.fill(at, 0, section + <usize>bytes - at);
  store<u32>(section, documents, DOCUMENTS);
  store<u32>(section, <u32>(at - postings), OWN_POSTINGS_BYTES);
  sealSection(section, <u32>bytes, POSTINGS_MAGIC);
  writtenPostings = section;
  writtenPostingsBytes = <u32>bytes;
  return OK;
}

/** Answers one past the last byte, or 0 when it does not fit. */
function writeTermPostings(entry: usize, at: usize): usize {
  const record = recordOf(entry);
  const documents = recordDocuments(record);
  if (documents >= BLOCK) return writeBlocks(entry, at);
  if (!arenaExtend(at + recordPostingsBytesMax(record))) return 0;
  return writePostings(record, at);
}

let document: u32 = 0;
let tfMost: u32 = 0;
let lengthLeast: u32 = 0;

function writeBlocks(entry: usize, at: usize): usize {
  const record = recordOf(entry);
  const documents = recordDocuments(record);
  const blocks = documents / BLOCK;
  const field = <u32>load<u8>(recordTerm(record));
  const lengths = field == FIELD_WORD ? wordLengths : field == FIELD_QUESTION ? questionLengths : 0;
  let header = at;
  at += <usize>blocks * HEADER_BYTES;
  streamBegin(record);
  document = 0xffffffff;
  let termTfMost: u32 = 0;
  let termLengthLeast = u32.MAX_VALUE;
  for (let block: u32 = 0; block < blocks; block++) {
    if (!arenaExtend(at + PACKED_BYTES_MAX)) return 0;
    gatherBlock(lengths);
    at = writeBlock(header, at);
    header += HEADER_BYTES;
    termTfMost = max(termTfMost, tfMost);
    termLengthLeast = min(termLengthLeast, lengthLeast);
  }
  for (let i = blocks * BLOCK; i < documents; i++) {
    if (!arenaExtend(at + HEADER_BYTES * 2)) return 0;
    streamNext();
    document += streamGap + 1;
    at = writeVarint(at, (streamGap << 1) | (streamTf == 1 ? 1 : 0));
    if (streamTf != 1) at = writeVarint(at, streamTf);
    termTfMost = max(termTfMost, streamTf);
    termLengthLeast = min(termLengthLeast, lengthOf(lengths, document));
  }
  store<u32>(entry, termTfMost, ENTRY_TF_MOST);
  store<u32>(entry, termLengthLeast, ENTRY_LENGTH_LEAST);
  return at;
}

@inline
function lengthOf(lengths: usize, ofDocument: u32): u32 {
  return lengths == 0 ? 0 : load<u32>(lengths + ((<usize>ofDocument) << 2));
}

/** The next BLOCK postings of the stream to GAPS and COUNTS, each less one. */
function gatherBlock(lengths: usize): void {
  tfMost = 0;
  lengthLeast = u32.MAX_VALUE;
  for (let i: u32 = 0; i < BLOCK; i++) {
    streamNext();
    document += streamGap + 1;
    store<u32>(placeOf(GAPS, i), streamGap);
    store<u32>(placeOf(COUNTS, i), streamTf - 1);
    tfMost = max(tfMost, streamTf);
    lengthLeast = min(lengthLeast, lengthOf(lengths, document));
  }
}

function writeBlock(header: usize, at: usize): usize {
  const gapBits = widthOf(GAPS);
  const tfBits = widthOf(COUNTS);
  store<u32>(header, document);
  store<u8>(header, gapBits, GAP_BITS);
  store<u8>(header, tfBits, TF_BITS);
  store<u8>(header, min(tfMost, BOUND_MAX), TF_MOST);
  store<u8>(header, min(lengthLeast >> 1, BOUND_MAX), LENGTH_HALF);
  return pack(COUNTS, tfBits, pack(GAPS, gapBits, at));
}

// --- Text -----------------------------------------------------------------------------------

function writeTextSection(documents: u32, wholeBits: usize): i32 {
  const section = arenaTake(TEXT_HEAD_BYTES);
  if (section == 0) return CAPACITY;
  memory.fill(section, 0, TEXT_HEAD_BYTES);
  store<u32>(section, documents, DOCUMENTS);
  store<u32>(section, termCount, TERMS);
  store<u32>(section, load<u32>(writtenPostings, OWN_POSTINGS_BYTES), POSTINGS_BYTES);
  store<u64>(section, sectionChecksum(writtenPostings), POSTINGS_CHECKSUM);
  store<u8>(section, countLengths(section, wordLengths, WORD_DOCUMENTS, WORDS), LENGTH_BYTES);
  const questionBytes = countLengths(section, questionLengths, QUESTION_DOCUMENTS, QUESTION_WORDS);
  store<u8>(section, load<u32>(section, QUESTION_DOCUMENTS) == 0 ? 0 : questionBytes, QUESTION_LENGTH_BYTES);
  store<u32>(section, countWholes(documents, wholeBits), WHOLE_DOCUMENTS);
  const bytesMax = textSectionBytes(section) + dictionaryBytesMax();
  if (bytesMax > <u64>i32.MAX_VALUE || !arenaExtend(section + <usize>bytesMax)) return CAPACITY;
  memory.fill(section + TEXT_HEAD_BYTES, 0, <usize>bytesMax - TEXT_HEAD_BYTES);
  writeLengths(textLengths(section), load<u8>(section, LENGTH_BYTES), wordLengths, documents);
  writeLengths(textQuestionLengths(section), load<u8>(section, QUESTION_LENGTH_BYTES), questionLengths, documents);
  memory.copy(textWholeBits(section), wholeBits, <usize>bitsetBytes(documents));
  writeDictionary(section);
  writtenText = section;
  writtenTextBytes = <u32>textSectionBytes(section);
  sealSection(section, writtenTextBytes, TEXT_MAGIC);
  return OK;
}

/** Stores how many lengths are not 0 and their sum; answers the bytes that the longest needs. */
function countLengths(section: usize, lengths: usize, countAt: usize, sumAt: usize): u32 {
  const documents = load<u32>(section, DOCUMENTS);
  let sum: u64 = 0;
  let count: u32 = 0;
  let most: u32 = 0;
  for (let i: u32 = 0; i < documents; i++) {
    const length = load<u32>(lengths + ((<usize>i) << 2));
    sum += length;
    if (length > 0) count += 1;
    most = max(most, length);
  }
  store<u32>(section + countAt, count);
  store<u64>(section + sumAt, sum);
  return most < 1 << 8 ? 1 : most < 1 << 16 ? 2 : 4;
}

function countWholes(documents: u32, wholeBits: usize): u32 {
  let count: u64 = 0;
  const end = wholeBits + <usize>bitsetBytes(documents);
  for (let at = wholeBits; at < end; at += 8) count += popcnt<u64>(load<u64>(at));
  return <u32>count;
}

function writeLengths(to: usize, bytes: u32, lengths: usize, documents: u32): void {
  if (bytes == 0) return;
  for (let i: u32 = 0; i < documents; i++) {
    const length = load<u32>(lengths + ((<usize>i) << 2));
    if (bytes == 1) store<u8>(to + i, length);
    else if (bytes == 2) store<u16>(to + ((<usize>i) << 1), length);
    else store<u32>(to + ((<usize>i) << 2), length);
  }
}

function dictionaryBytesMax(): u64 {
  let bytes: u64 = 0;
  for (let i: u32 = 0; i < termCount; i++) bytes += <u64>recordTermBytes(recordOf(entryAt(i))) + ENTRY_OVERHEAD_MAX;
  return padded16(bytes);
}

function writeDictionary(section: usize): void {
  const dictionary = textDictionary(section);
  let at = dictionary;
  let postings: u32 = 0;
  for (let i: u32 = 0; i < termCount; i++) {
    const isFirst = i % TERMS_IN_BLOCK == 0;
    if (isFirst) writeIndexEntry(section, i, <u32>(at - dictionary), postings);
    at = writeEntry(i, isFirst, at);
    postings += load<u32>(entryAt(i), ENTRY_POSTINGS_BYTES);
  }
  store<u32>(section, <u32>(at - dictionary), DICTIONARY_BYTES);
}

function writeIndexEntry(section: usize, term: u32, dictionary: u32, postings: u32): void {
  const slot = textIndex(section) + ((<usize>(term / TERMS_IN_BLOCK)) << INDEX_SHIFT);
  const record = recordOf(entryAt(term));
  store<u64>(slot, termKey(recordTerm(record), recordTermBytes(record)));
  store<u32>(slot, dictionary, 8);
  store<u32>(slot, postings, 12);
}

function writeEntry(term: u32, isFirst: bool, at: usize): usize {
  const entry = entryAt(term);
  const record = recordOf(entry);
  const shared = isFirst ? 0 : sharedBytes(recordOf(entryAt(term - 1)), record);
  const other = recordTermBytes(record) - shared;
  at = writeVarint(writeVarint(at, shared), other);
  memory.copy(at, recordTerm(record) + shared, other);
  at = writeVarint(at + other, recordDocuments(record));
  at = writeVarint(at, load<u32>(entry, ENTRY_POSTINGS_BYTES));
  if (recordDocuments(record) < BLOCK) return at;
  return writeVarint(writeVarint(at, load<u32>(entry, ENTRY_TF_MOST)), load<u32>(entry, ENTRY_LENGTH_LEAST));
}

function sharedBytes(a: usize, b: usize): u32 {
  const bytes = min(recordTermBytes(a), recordTermBytes(b));
  let shared: u32 = 0;
  while (shared < bytes && load<u8>(recordTerm(a) + shared) == load<u8>(recordTerm(b) + shared)) shared++;
  return shared;
}
