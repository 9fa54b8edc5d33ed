/**
 * The text section: where things lie in it, and how it is written.
 *
 *   head        24 documents u32 · 28 terms u32 · 32 documents with words u32 · 36 documents with whole tokens u32 ·
 *               40 words u64 · 48 dictionary bytes u32 · 52 postings bytes u32
 *   lengths     u32 a document: its indexed words
 *   whole bits  one bit a document: it has a whole token
 *   index       a block of BLOCK_TERMS terms: dictionary offset u32 · postings offset u32
 *   dictionary  a term: shared bytes · other bytes (varints) · the other bytes · documents · postings bytes (varints);
 *               ascending by field byte, then term bytes; the first of a block shares nothing
 *   postings    of the terms in order; see term_table.ts
 * Each begins at a multiple of 16. The places follow from the counts, so none is stored.
 */
import { arenaTake } from "./arena";
import { padded16, sealSection } from "./section";
import { OK } from "./status";
import {
  recordDocuments,
  recordPostingsBytes,
  recordTerm,
  recordTermBytes,
  sortedRecords,
  tableStatus,
  termCount,
  writePostings,
} from "./term_table";
import { writeVarint } from "./varint";

export const TEXT_MAGIC: u32 = 0x58545043; // CPTX
export const TEXT_HEAD_BYTES: u32 = 64;
export const BLOCK_TERMS: u32 = 16;
const ENTRY_OVERHEAD_MAX: u64 = 16;
const ENTRY_SHIFT: usize = 4;

const DOCUMENTS: usize = 24;
const TERMS: usize = 28;
const WORD_DOCUMENTS: usize = 32;
const WHOLE_DOCUMENTS: usize = 36;
const WORDS: usize = 40;
const DICTIONARY_BYTES: usize = 48;
const POSTINGS_BYTES: usize = 52;

@inline
export function textDocuments(section: usize): u32 {
  return load<u32>(section, DOCUMENTS);
}

@inline
export function textTerms(section: usize): u32 {
  return load<u32>(section, TERMS);
}

@inline
export function textWordDocuments(section: usize): u32 {
  return load<u32>(section, WORD_DOCUMENTS);
}

@inline
export function textWholeDocuments(section: usize): u32 {
  return load<u32>(section, WHOLE_DOCUMENTS);
}

@inline
export function textWords(section: usize): u64 {
  return load<u64>(section, WORDS);
}

@inline
export function textDictionaryBytes(section: usize): u32 {
  return load<u32>(section, DICTIONARY_BYTES);
}

@inline
export function textPostingsBytes(section: usize): u32 {
  return load<u32>(section, POSTINGS_BYTES);
}

@inline
export function bitsetBytes(count: u32): u64 {
  return padded16((<u64>count + 7) >> 3);
}

@inline
export function blockCount(terms: u32): u32 {
  return (terms + BLOCK_TERMS - 1) / BLOCK_TERMS;
}

@inline
export function textLengths(section: usize): usize {
  return section + TEXT_HEAD_BYTES;
}

@inline
export function textWholeBits(section: usize): usize {
  return textLengths(section) + <usize>padded16((<u64>textDocuments(section)) << 2);
}

@inline
export function textIndex(section: usize): usize {
  return textWholeBits(section) + <usize>bitsetBytes(textDocuments(section));
}

@inline
export function textDictionary(section: usize): usize {
  return textIndex(section) + <usize>padded16((<u64>blockCount(textTerms(section))) << 3);
}

@inline
export function textPostings(section: usize): usize {
  return textDictionary(section) + <usize>padded16(textDictionaryBytes(section));
}

/** Bytes of a section with these counts. */
export function textSectionBytes(documents: u32, terms: u32, dictionaryBytes: u32, postingsBytes: u32): u64 {
  const fixed = padded16((<u64>documents) << 2) + bitsetBytes(documents) + padded16((<u64>blockCount(terms)) << 3);
  return TEXT_HEAD_BYTES + fixed + padded16(dictionaryBytes) + padded16(postingsBytes);
}

// --- Writing --------------------------------------------------------------------------------

let records: usize = 0;

@inline
function recordAt(index: u32): usize {
  return <usize>load<u32>(records + ((<usize>index) << ENTRY_SHIFT), 8);
}

/** Bytes of the section written last. */
export let writtenBytes: u32 = 0;

/**
 * Writes the section of the term table with the given lengths and whole-token bits (both padded to 16 bytes).
 * Answers its offset, or 0 when it does not fit.
 */
export function writeTextSection(documents: u32, lengths: usize, wholeBits: usize): usize {
  if (tableStatus != OK) return 0;
  records = sortedRecords();
  if (records == 0) return 0;
  const bytesMax = sizeMax(documents);
  const section = bytesMax > <u64>i32.MAX_VALUE ? 0 : arenaTake(bytesMax);
  if (section == 0) return 0;
  memory.fill(section, 0, <usize>bytesMax);
  store<u32>(section, documents, DOCUMENTS);
  store<u32>(section, termCount, TERMS);
  memory.copy(textLengths(section), lengths, (<usize>documents) << 2);
  memory.copy(textWholeBits(section), wholeBits, <usize>bitsetBytes(documents));
  countDocuments(section);
  writeTerms(section);
  const bytes = textSectionBytes(documents, termCount, textDictionaryBytes(section), textPostingsBytes(section));
  writtenBytes = <u32>bytes;
  sealSection(section, <u32>bytes, TEXT_MAGIC);
  return section;
}

function sizeMax(documents: u32): u64 {
  let bytes = textSectionBytes(documents, termCount, 0, 0) + 32;
  for (let i: u32 = 0; i < termCount; i++) {
    bytes += <u64>recordTermBytes(recordAt(i)) + ENTRY_OVERHEAD_MAX + recordPostingsBytes(recordAt(i));
  }
  return bytes;
}

function countDocuments(section: usize): void {
  const documents = textDocuments(section);
  let words: u64 = 0;
  let wordDocuments: u32 = 0;
  let wholeDocuments: u32 = 0;
  for (let i: u32 = 0; i < documents; i++) {
    const length = load<u32>(textLengths(section) + ((<usize>i) << 2));
    words += length;
    if (length > 0) wordDocuments += 1;
    wholeDocuments += (<u32>load<u8>(textWholeBits(section) + (i >> 3)) >> (i & 7)) & 1;
  }
  store<u32>(section, wordDocuments, WORD_DOCUMENTS);
  store<u32>(section, wholeDocuments, WHOLE_DOCUMENTS);
  store<u64>(section, words, WORDS);
}

function writeTerms(section: usize): void {
  const dictionary = textDictionary(section);
  let at = dictionary;
  let postings: u32 = 0;
  for (let i: u32 = 0; i < termCount; i++) {
    const record = recordAt(i);
    if (i % BLOCK_TERMS == 0) {
      const slot = textIndex(section) + ((<usize>(i / BLOCK_TERMS)) << 3);
      store<u32>(slot, <u32>(at - dictionary));
      store<u32>(slot, postings, 4);
    }
    const shared = i % BLOCK_TERMS == 0 ? 0 : sharedBytes(recordAt(i - 1), record);
    const other = recordTermBytes(record) - shared;
    at = writeVarint(writeVarint(at, shared), other);
    memory.copy(at, recordTerm(record) + shared, other);
    at = writeVarint(at + other, recordDocuments(record));
    at = writeVarint(at, recordPostingsBytes(record));
    postings += recordPostingsBytes(record);
  }
  store<u32>(section, <u32>(at - dictionary), DICTIONARY_BYTES);
  store<u32>(section, postings, POSTINGS_BYTES);
  at = textPostings(section);
  for (let i: u32 = 0; i < termCount; i++) at = writePostings(recordAt(i), at);
}

function sharedBytes(a: usize, b: usize): u32 {
  const bytes = min(recordTermBytes(a), recordTermBytes(b));
  let shared: u32 = 0;
  while (shared < bytes && load<u8>(recordTerm(a) + shared) == load<u8>(recordTerm(b) + shared)) shared++;
  return shared;
}
