/**
 * The text sections of a part, cut down to the terms that a search asks: what is told of all documents (lengths, who has
 * a whole token, sums) stays, of the dictionary and the postings there are those terms. A search for these terms over the
 * excerpt is the search over the whole, to the last bit, and reads a few pages of what may be megabytes.
 *
 *   read    head · lengths … index │ of the dictionary the blocks that may hold a term │ of the postings those found
 *
 * The places are those of wasm/assembly/text_section.ts. The bytes are as they were verified once; what the kernel is
 * then given has checksums of its own, and is proved whole like any other.
 */
import type { AskedTerm, PagedText, TextSections } from "../core/ports.ts";
import { type KernelInstance, utf8Room } from "./kernel_instance.ts";
import { FIELD_BYTES } from "./query_terms.ts";

const HEAD_BYTES = 80;
/** Lengths and index of ten thousand documents; of fewer they are a quarter of the section or less. */
const START_BYTES = 16_384;
const POSTINGS_HEAD_BYTES = 32;
const INDEX_ENTRY_BYTES = 16;
const KEY_BYTES = 8;
const TERMS_IN_BLOCK = 32;
/** From so many documents on a term has bounds of its own. */
const BOUNDED_DOCUMENTS = 128;
const COVERED_FROM = 24;

const BYTES_AT = 8;
const CHECKSUM_AT = 16;
const DOCUMENTS_AT = 24;
const TERMS_AT = 28;
const DICTIONARY_BYTES_AT = 48;
const POSTINGS_BYTES_AT = 52;
const LENGTH_BYTES_AT = 60;
const QUESTION_LENGTH_BYTES_AT = 61;
const POSTINGS_CHECKSUM_AT = 72;
const OWN_POSTINGS_BYTES_AT = 28;

/** A term of the dictionary, with where its postings lie. */
interface FoundTerm {
  /** Field byte and UTF-8. */
  readonly bytes: Uint8Array;
  /** Everything of its entry behind the term's bytes, as it stands. */
  readonly numbers: Uint8Array;
  readonly offset: number;
  readonly length: number;
}

/** Throws a RangeError on a dictionary that does not read as one; what was verified never does. */
export function excerptOf(instance: KernelInstance, text: PagedText, terms: readonly AskedTerm[]): TextSections {
  const { start, places } = startOf(text);
  const index = viewOf(start.subarray(places.index));
  const found = findTerms(text, places, index, ascendingTerms(terms));
  const postings = postingsOf(instance, text, viewOf(start).getUint32(DOCUMENTS_AT, true), found);
  return { text: textOf(instance, start.subarray(0, places.index), found, postings), postings };
}

/** All that comes before the dictionary, with one read where it is as long as most are. */
function startOf(text: PagedText): { readonly start: Uint8Array; readonly places: Places } {
  const guessed = Math.max(HEAD_BYTES, Math.min(START_BYTES, text.textBytes >> 2));
  const places = placesOf(text.textStart(guessed));
  return { places, start: text.textStart(places.dictionary) };
}

// --- Places ---------------------------------------------------------------------------------

interface Places {
  readonly index: number;
  readonly blocks: number;
  readonly dictionary: number;
  readonly dictionaryBytes: number;
}

function placesOf(head: Uint8Array): Places {
  const view = viewOf(head);
  const documents = view.getUint32(DOCUMENTS_AT, true);
  const lengths = padded16(documents * view.getUint8(LENGTH_BYTES_AT));
  const questionLengths = padded16(documents * view.getUint8(QUESTION_LENGTH_BYTES_AT));
  const index = HEAD_BYTES + lengths + questionLengths + padded16(Math.ceil(documents / 8));
  const blocks = Math.ceil(view.getUint32(TERMS_AT, true) / TERMS_IN_BLOCK);
  const dictionary = index + blocks * INDEX_ENTRY_BYTES;
  return { index, blocks, dictionary, dictionaryBytes: view.getUint32(DICTIONARY_BYTES_AT, true) };
}

function padded16(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// --- Terms ----------------------------------------------------------------------------------

const encoder = new TextEncoder();

/** Each once, as the dictionary orders them. */
function ascendingTerms(terms: readonly AskedTerm[]): readonly Uint8Array[] {
  const all = terms.map(({ field, term }) => {
    const bytes = new Uint8Array(1 + utf8Room(term));
    bytes[0] = FIELD_BYTES[field];
    return bytes.subarray(0, 1 + encoder.encodeInto(term, bytes.subarray(1)).written);
  });
  return all.sort(compareBytes).filter((term, at) => at === 0 || compareBytes(term, all[at - 1] ?? term) !== 0);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let at = 0; at < common; at++) {
    const order = (a[at] ?? 0) - (b[at] ?? 0);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** The first eight bytes as a number that orders as they do. */
function keyOf(term: Uint8Array): bigint {
  let key = 0n;
  for (let at = 0; at < KEY_BYTES; at++) key = (key << 8n) | BigInt(term[at] ?? 0);
  return key;
}

/** Those that the part has: all blocks that may hold one are read at once. */
function findTerms(
  text: PagedText,
  places: Places,
  index: DataView,
  terms: readonly Uint8Array[],
): readonly FoundTerm[] {
  const spans = terms.map((term) => blocksFor(places, index, term));
  const wanted = [...new Set(spans.flatMap(({ from, end }) => Array.from({ length: end - from }, (_, n) => from + n)))];
  const offsetOf = (block: number): number =>
    block < places.blocks ? index.getUint32(block * INDEX_ENTRY_BYTES + 8, true) : places.dictionaryBytes;
  const pieces = text.textPieces(
    wanted.map((block) => {
      const offset = offsetOf(block);
      return { offset: places.dictionary + offset, length: offsetOf(block + 1) - offset };
    }),
  );
  const blocks = new Map(wanted.map((block, nth) => [block, pieces[nth] ?? new Uint8Array(0)]));
  return terms.flatMap((term, nth) => {
    const { from, end } = spans[nth] ?? { from: 0, end: 0 };
    for (let block = from; block < end; block++) {
      const postingsFrom = index.getUint32(block * INDEX_ENTRY_BYTES + 12, true);
      const found = findInBlock(blocks.get(block) ?? new Uint8Array(0), postingsFrom, term);
      if (found !== null) return [found];
    }
    return [];
  });
}

/** The blocks before `end`, from `from` on, that may hold the term. */
function blocksFor(places: Places, index: DataView, term: Uint8Array): { readonly from: number; readonly end: number } {
  const key = keyOf(term);
  const keyAt = (block: number): bigint => index.getBigUint64(block * INDEX_ENTRY_BYTES, true);
  let from = 0;
  for (let end = places.blocks; from < end; ) {
    const middle = (from + end) >> 1;
    if (keyAt(middle) < key) from = middle + 1;
    else end = middle;
  }
  // The block before may end with it, and several may begin with terms that share its key.
  let end = from;
  while (end < places.blocks && keyAt(end) === key) end++;
  return { from: Math.max(0, from - 1), end };
}

/** null when it is not there. `offset`: of the block's first postings. */
function findInBlock(bytes: Uint8Array, postingsFrom: number, term: Uint8Array): FoundTerm | null {
  let offset = postingsFrom;
  let current = new Uint8Array(0);
  for (let at = 0; at < bytes.length; ) {
    const shared = readVarint(bytes, at);
    const other = readVarint(bytes, shared.end);
    const behind = other.end + other.value;
    const next = new Uint8Array(shared.value + other.value);
    next.set(current.subarray(0, shared.value));
    next.set(bytes.subarray(other.end, behind), shared.value);
    current = next;
    const documents = readVarint(bytes, behind);
    const length = readVarint(bytes, documents.end);
    let end = length.end;
    if (documents.value >= BOUNDED_DOCUMENTS) end = readVarint(bytes, readVarint(bytes, end).end).end;
    const order = compareBytes(current, term);
    if (order === 0) return { bytes: current, numbers: bytes.subarray(behind, end), offset, length: length.value };
    if (order > 0) return null;
    offset += length.value;
    at = end;
  }
  return null;
}

function readVarint(bytes: Uint8Array, at: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let shift = 0, next = at; shift < 35; shift += 7, next++) {
    const byte = bytes[next];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, end: next + 1 };
  }
  throw new RangeError("a dictionary entry without an end");
}

// --- Sections -------------------------------------------------------------------------------

function postingsOf(
  instance: KernelInstance,
  text: PagedText,
  documents: number,
  found: readonly FoundTerm[],
): Uint8Array {
  const bytes = found.reduce((sum, { length }) => sum + length, 0);
  const section = new Uint8Array(POSTINGS_HEAD_BYTES + padded16(bytes));
  const places = found.map(({ offset, length }) => ({ offset: POSTINGS_HEAD_BYTES + offset, length }));
  const [key, ...pieces] = text.postingsPieces([{ offset: 0, length: KEY_BYTES }, ...places]);
  section.set(key ?? new Uint8Array(0));
  const view = viewOf(section);
  view.setUint32(DOCUMENTS_AT, documents, true);
  view.setUint32(OWN_POSTINGS_BYTES_AT, bytes, true);
  let at = POSTINGS_HEAD_BYTES;
  for (const piece of pieces) {
    section.set(piece, at);
    at += piece.length;
  }
  return sealed(instance, section);
}

/** `start`: all that comes before the index. */
function textOf(
  instance: KernelInstance,
  start: Uint8Array,
  found: readonly FoundTerm[],
  postings: Uint8Array,
): Uint8Array {
  const { index, dictionary } = dictionaryOf(found);
  const section = new Uint8Array(start.length + index.length + padded16(dictionary.length));
  section.set(start);
  section.set(index, start.length);
  section.set(dictionary, start.length + index.length);
  const view = viewOf(section);
  view.setUint32(TERMS_AT, found.length, true);
  view.setUint32(DICTIONARY_BYTES_AT, dictionary.length, true);
  view.setUint32(POSTINGS_BYTES_AT, viewOf(postings).getUint32(OWN_POSTINGS_BYTES_AT, true), true);
  view.setBigUint64(POSTINGS_CHECKSUM_AT, viewOf(postings).getBigUint64(CHECKSUM_AT, true), true);
  return sealed(instance, section);
}

function dictionaryOf(found: readonly FoundTerm[]): { readonly index: Uint8Array; readonly dictionary: Uint8Array } {
  const index = new Uint8Array(Math.ceil(found.length / TERMS_IN_BLOCK) * INDEX_ENTRY_BYTES);
  const dictionary: number[] = [];
  let before = new Uint8Array(0);
  let postings = 0;
  found.forEach(({ bytes, numbers, length }, at) => {
    const isFirst = at % TERMS_IN_BLOCK === 0;
    if (isFirst) {
      const entry = viewOf(index.subarray((at / TERMS_IN_BLOCK) * INDEX_ENTRY_BYTES));
      entry.setBigUint64(0, keyOf(bytes), true);
      entry.setUint32(8, dictionary.length, true);
      entry.setUint32(12, postings, true);
    }
    const shared = isFirst ? 0 : sharedBytes(before, bytes);
    dictionary.push(...varintOf(shared), ...varintOf(bytes.length - shared), ...bytes.subarray(shared), ...numbers);
    before = new Uint8Array(bytes);
    postings += length;
  });
  return { index, dictionary: Uint8Array.from(dictionary) };
}

function sharedBytes(a: Uint8Array, b: Uint8Array): number {
  let shared = 0;
  while (shared < a.length && shared < b.length && a[shared] === b[shared]) shared++;
  return shared;
}

function varintOf(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varintOf(value >>> 7)];
}

/** With the length and the checksum of what it holds now. */
function sealed(instance: KernelInstance, section: Uint8Array): Uint8Array {
  const view = viewOf(section);
  view.setUint32(BYTES_AT, section.length, true);
  const checksum = instance.frame(() => {
    const covered = section.subarray(COVERED_FROM);
    const at = instance.take(covered.length);
    instance.putBytes(at, covered);
    return BigInt.asUintN(64, instance.kernel.checksumOf(at, covered.length));
  });
  view.setBigUint64(CHECKSUM_AT, checksum, true);
  return section;
}
