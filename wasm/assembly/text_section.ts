/**
 * The two sections of text: where things lie in them. text_writer.ts writes them, text_check.ts proves them whole but for
 * the postings of each term, which text_reader.ts proves when it looks a term up first; postings.ts reads them.
 *
 * text, read before a search can be planned:
 *   head              24 documents u32 · 28 terms u32 · 32 documents with words u32 · 36 documents with whole tokens u32 ·
 *                     40 words u64 · 48 dictionary bytes u32 · 52 postings bytes u32 · 56 documents with questions u32 ·
 *                     60 bytes of a word length u8 · 61 bytes of a question length u8, 0 when there are no questions ·
 *                     62 zero u16 · 64 question words u64 · 72 checksum of the postings section u64
 *   lengths           a document: its indexed words, in 1, 2 or 4 bytes
 *   question lengths  likewise, of its questions
 *   whole bits        one bit a document: it has a whole token
 *   index             a block of TERMS_IN_BLOCK terms: its first term's first eight bytes, as a number that orders as they
 *                     do, u64 · dictionary offset u32 · postings offset u32
 *   dictionary        a term: shared bytes · other bytes (varints) · the other bytes · documents · postings bytes
 *                     (varints) · from BLOCK documents on, greatest tf · least length (varints);
 *                     ascending by field byte, then term bytes; the first of a block shares nothing
 * Each begins at a multiple of 16. The places follow from the counts, so none is stored.
 *
 * postings, of which a search reads only its terms':
 *   head              24 documents u32 · 28 postings bytes u32
 *   postings          of the terms in order
 *
 * pieces, in place of a postings section of which only some terms' were read; never stored:
 *   head              0 magic u32 · 4 pieces u32 · 8 zero u64
 *   pieces            a term's: offset in the postings section u32 · bytes u32 · where they lie in this one u32; ascending
 *   postings          of those terms
 *
 * marks, behind a text section in a part: a block of terms u32, a bit of it for each term whose postings were proved.
 */
import { aligned } from "./arena";
import { padded16 } from "./section";

export const TEXT_MAGIC: u32 = 0x58545043; // CPTX
export const POSTINGS_MAGIC: u32 = 0x4f505043; // CPPO
export const PIECES_MAGIC: u32 = 0x50505043; // CPPP
export const TEXT_HEAD_BYTES: u32 = 80;
export const POSTINGS_HEAD_BYTES: u32 = 32;
export const PIECES_HEAD_BYTES: u32 = 16;
export const PIECE_BYTES: u32 = 12;
/** Also the bits of a mark. */
export const TERMS_IN_BLOCK: u32 = 32;
/** Of a term: three varints and a field byte at least, and a byte of the term. */
const ENTRY_BYTES_MIN: u32 = 5;
export const INDEX_SHIFT: usize = 4;
/** So that 128 gaps, each below it, cannot leave 32 bits. */
export const TEXT_DOCUMENTS_MAX: u32 = 1 << 24;

export const DOCUMENTS: usize = 24;
export const TERMS: usize = 28;
export const WORD_DOCUMENTS: usize = 32;
export const WHOLE_DOCUMENTS: usize = 36;
export const WORDS: usize = 40;
export const DICTIONARY_BYTES: usize = 48;
export const POSTINGS_BYTES: usize = 52;
export const QUESTION_DOCUMENTS: usize = 56;
export const LENGTH_BYTES: usize = 60;
export const QUESTION_LENGTH_BYTES: usize = 61;
export const RESERVED: usize = 62;
export const QUESTION_WORDS: usize = 64;
export const POSTINGS_CHECKSUM: usize = 72;
/** Of the postings section. */
export const OWN_POSTINGS_BYTES: usize = 28;

@inline
export function textDocuments(text: usize): u32 {
  return load<u32>(text, DOCUMENTS);
}

@inline
export function textTerms(text: usize): u32 {
  return load<u32>(text, TERMS);
}

@inline
export function textDictionaryBytes(text: usize): u32 {
  return load<u32>(text, DICTIONARY_BYTES);
}

@inline
export function textLengthBytes(text: usize): u32 {
  return load<u8>(text, LENGTH_BYTES);
}

@inline
export function textQuestionLengthBytes(text: usize): u32 {
  return load<u8>(text, QUESTION_LENGTH_BYTES);
}

@inline
export function bitsetBytes(count: u32): u64 {
  return padded16((<u64>count + 7) >> 3);
}

@inline
export function termBlocks(terms: u32): u32 {
  return (terms + TERMS_IN_BLOCK - 1) / TERMS_IN_BLOCK;
}

@inline
export function textLengths(text: usize): usize {
  return text + TEXT_HEAD_BYTES;
}

@inline
export function textQuestionLengths(text: usize): usize {
  return textLengths(text) + <usize>padded16(<u64>textDocuments(text) * textLengthBytes(text));
}

@inline
export function textWholeBits(text: usize): usize {
  return textQuestionLengths(text) + <usize>padded16(<u64>textDocuments(text) * textQuestionLengthBytes(text));
}

@inline
export function textIndex(text: usize): usize {
  return textWholeBits(text) + <usize>bitsetBytes(textDocuments(text));
}

@inline
export function textDictionary(text: usize): usize {
  return textIndex(text) + ((<usize>termBlocks(textTerms(text))) << INDEX_SHIFT);
}

/** Bytes of a text section with this head. */
export function textSectionBytes(text: usize): u64 {
  const documents = <u64>textDocuments(text);
  const lengths = padded16(documents * textLengthBytes(text)) + padded16(documents * textQuestionLengthBytes(text));
  const index = (<u64>termBlocks(textTerms(text))) << INDEX_SHIFT;
  return TEXT_HEAD_BYTES + lengths + bitsetBytes(<u32>documents) + index + padded16(textDictionaryBytes(text));
}

/** What the marks of a text section of so many bytes take at most: all blocks but the last are full. */
export function textMarksBytes(sectionBytes: u32): u32 {
  return (sectionBytes / ((1 << INDEX_SHIFT) + TERMS_IN_BLOCK * ENTRY_BYTES_MIN) + 1) << 2;
}

/** Of a text section in a part. */
@inline
export function textMarks(text: usize): usize {
  return text + <usize>aligned(load<u32>(text, 8));
}

/** Bytes of a postings section with so many bytes of postings. */
@inline
export function postingsSectionBytes(bytes: u32): u64 {
  return POSTINGS_HEAD_BYTES + padded16(bytes);
}

/** Of 1, 2 or 4 bytes each. */
@inline
export function lengthAt(lengths: usize, bytes: u32, document: u32): u32 {
  if (bytes == 1) return load<u8>(lengths + document);
  if (bytes == 2) return load<u16>(lengths + ((<usize>document) << 1));
  return load<u32>(lengths + ((<usize>document) << 2));
}

/** First eight bytes of the term as one number that orders as they do. Reads no further than the term. */
export function termKey(term: usize, bytes: u32): u64 {
  let key: u64 = 0;
  const count = min<u32>(bytes, 8);
  for (let i: u32 = 0; i < count; i++) key |= (<u64>load<u8>(term + i)) << (56 - ((<u64>i) << 3));
  return key;
}
