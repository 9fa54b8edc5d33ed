/**
 * Terms of the texts being indexed, each with its postings so far: an open-addressing hash table of pointers to
 * records, all in the arena.
 *
 *   record    hash u32 · term bytes u32 · documents u32 · pending document u32 · pending tf u32 ·
 *             written document u32 · first slice u32 · write position u32 · slice end u32 · slice bytes u32 · stream bytes u32 · term
 *   stream    postings as varints in a chain of slices, each twice as long as the last and ending in a pointer
 *   posting   as in the tail of postings.ts: (gap − 1) · 2 + (1 if tf is 1), then tf if it is not 1
 *
 * The last posting of a term stays pending in its record until the next document has the term; a term that one document
 * has needs no slice. A term's first byte is its field.
 */
import { arenaTake, arenaTakeSmall } from "./arena";
import { TF_MAX } from "./postings";
import { CAPACITY, OK } from "./status";
import { termKey } from "./text_section";
import { readVarint, varintEnd, writeVarint } from "./varint";

export const FIELD_WORD: u32 = 1;
export const FIELD_WHOLE: u32 = 2;
export const FIELD_QUESTION: u32 = 3;
/** Field byte and the term's own bytes. */
export const TERM_BYTES_MAX: u32 = 257;

const SLOTS_MIN: u32 = 1024;
const RECORD_HASH: usize = 0;
const RECORD_BYTES: usize = 4;
const RECORD_DOCUMENTS: usize = 8;
const RECORD_DOCUMENT: usize = 12;
const RECORD_TF: usize = 16;
const RECORD_WRITTEN: usize = 20;
const RECORD_SLICE: usize = 24;
const RECORD_WRITE: usize = 28;
const RECORD_SLICE_END: usize = 32;
const RECORD_SLICE_BYTES: usize = 36;
const RECORD_STREAM_BYTES: usize = 40;
const RECORD_TERM: usize = 44;

const SLICE_BYTES_MIN: u32 = 16;
const SLICE_BYTES_MAX: u32 = 4096;
const POINTER_BYTES: u32 = 4;
const POSTING_BYTES_MAX: u32 = 10;
/** As if the last posting had been of document -1, so that every gap is at least 1. */
const NO_DOCUMENT: u32 = 0xffffffff;

let slots: usize = 0;
let slotCount: u32 = 0;
export let termCount: u32 = 0;
/** CAPACITY once a term or a posting found no room; the table is then not whole and must not be written. */
export let tableStatus: i32 = OK;

export function tableBegin(): i32 {
  termCount = 0;
  slotCount = SLOTS_MIN;
  slots = arenaTake((<u64>slotCount) << 2);
  tableStatus = slots == 0 ? CAPACITY : OK;
  if (slots != 0) memory.fill(slots, 0, (<usize>slotCount) << 2);
  return tableStatus;
}

function hashOf(at: usize, bytes: u32): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let i: u32 = 0; i < bytes; i++) hash = (hash ^ load<u8>(at + i)) * 0x01000193;
  hash ^= hash >> 15;
  hash *= 0x2c1b3c6d;
  return hash ^ (hash >> 13);
}

/**
 * One occurrence of the term in `document`. Documents come in ascending order. Answers the term's record, or 0 when there
 * is no room.
 */
export function tableAdd(term: usize, bytes: u32, document: u32): usize {
  if (tableStatus != OK) return 0;
  const hash = hashOf(term, bytes);
  let slot = hash & (slotCount - 1);
  for (;;) {
    const record = <usize>load<u32>(slots + ((<usize>slot) << 2));
    if (record == 0) break;
    if (load<u32>(record, RECORD_HASH) == hash && load<u32>(record, RECORD_BYTES) == bytes) {
      if (memory.compare(record + RECORD_TERM, term, bytes) == 0) {
        tableCount(record, document);
        return record;
      }
    }
    slot = (slot + 1) & (slotCount - 1);
  }
  return insert(term, bytes, hash, slot, document);
}

function insert(term: usize, bytes: u32, hash: u32, slot: u32, document: u32): usize {
  const record = arenaTakeSmall(<u32>RECORD_TERM + bytes);
  if (record == 0) {
    tableStatus = CAPACITY;
    return 0;
  }
  memory.fill(record, 0, RECORD_TERM);
  store<u32>(record, hash, RECORD_HASH);
  store<u32>(record, bytes, RECORD_BYTES);
  store<u32>(record, 1, RECORD_DOCUMENTS);
  store<u32>(record, document, RECORD_DOCUMENT);
  store<u32>(record, 1, RECORD_TF);
  store<u32>(record, NO_DOCUMENT, RECORD_WRITTEN);
  memory.copy(record + RECORD_TERM, term, bytes);
  store<u32>(slots + ((<usize>slot) << 2), <u32>record);
  termCount += 1;
  if (termCount * 2 > slotCount) grow();
  return record;
}

function grow(): void {
  const bigger = slotCount * 2;
  const at = arenaTake((<u64>bigger) << 2);
  if (at == 0) {
    tableStatus = CAPACITY;
    return;
  }
  memory.fill(at, 0, (<usize>bigger) << 2);
  for (let i: u32 = 0; i < slotCount; i++) {
    const record = load<u32>(slots + ((<usize>i) << 2));
    if (record == 0) continue;
    let slot = load<u32>(<usize>record, RECORD_HASH) & (bigger - 1);
    while (load<u32>(at + ((<usize>slot) << 2)) != 0) slot = (slot + 1) & (bigger - 1);
    store<u32>(at + ((<usize>slot) << 2), record);
  }
  slots = at;
  slotCount = bigger;
}

/** One more occurrence, in `document`, of a term whose record is known. */
export function tableCount(record: usize, document: u32): void {
  if (load<u32>(record, RECORD_DOCUMENT) == document) {
    store<u32>(record, load<u32>(record, RECORD_TF) + 1, RECORD_TF);
    return;
  }
  writePending(record);
  store<u32>(record, load<u32>(record, RECORD_DOCUMENTS) + 1, RECORD_DOCUMENTS);
  store<u32>(record, document, RECORD_DOCUMENT);
  store<u32>(record, 1, RECORD_TF);
}

/** `gap` is less one. */
function encodePosting(at: usize, gap: u32, tf: u32): usize {
  const end = writeVarint(at, (gap << 1) | (tf == 1 ? 1 : 0));
  return tf == 1 ? end : writeVarint(end, tf);
}

@inline
function pendingGap(record: usize): u32 {
  return load<u32>(record, RECORD_DOCUMENT) - load<u32>(record, RECORD_WRITTEN) - 1;
}

@inline
function pendingTf(record: usize): u32 {
  return min(load<u32>(record, RECORD_TF), TF_MAX);
}

/** Moves the pending posting into the stream. A posting never straddles two slices. */
function writePending(record: usize): void {
  if (load<u32>(record, RECORD_WRITE) + POSTING_BYTES_MAX > load<u32>(record, RECORD_SLICE_END) && !nextSlice(record))
    return;
  const from = <usize>load<u32>(record, RECORD_WRITE);
  const end = encodePosting(from, pendingGap(record), pendingTf(record));
  store<u32>(record, <u32>end, RECORD_WRITE);
  store<u32>(record, load<u32>(record, RECORD_STREAM_BYTES) + <u32>(end - from), RECORD_STREAM_BYTES);
  store<u32>(record, load<u32>(record, RECORD_DOCUMENT), RECORD_WRITTEN);
}

/** Each slice: bytes used u32 · pointer to the next u32 · data. */
function nextSlice(record: usize): bool {
  const last = load<u32>(record, RECORD_SLICE_BYTES);
  const bytes = last == 0 ? SLICE_BYTES_MIN : min<u32>(last * 2, SLICE_BYTES_MAX);
  const slice = arenaTakeSmall(2 * POINTER_BYTES + bytes);
  if (slice == 0) {
    tableStatus = CAPACITY;
    return false;
  }
  store<u32>(slice, 0);
  store<u32>(slice, 0, 4);
  if (last == 0) {
    store<u32>(record, <u32>slice, RECORD_SLICE);
  } else {
    const full = <usize>(load<u32>(record, RECORD_SLICE_END) - last - 2 * POINTER_BYTES);
    store<u32>(full, load<u32>(record, RECORD_WRITE) - <u32>full - 2 * POINTER_BYTES);
    store<u32>(full, <u32>slice, 4);
  }
  store<u32>(record, <u32>slice + 2 * POINTER_BYTES, RECORD_WRITE);
  store<u32>(record, <u32>slice + 2 * POINTER_BYTES + bytes, RECORD_SLICE_END);
  store<u32>(record, bytes, RECORD_SLICE_BYTES);
  return true;
}

@inline
export function recordTerm(record: usize): usize {
  return record + RECORD_TERM;
}

@inline
export function recordTermBytes(record: usize): u32 {
  return load<u32>(record, RECORD_BYTES);
}

@inline
export function recordDocuments(record: usize): u32 {
  return load<u32>(record, RECORD_DOCUMENTS);
}

/** Occurrences in the only document of a one-document table. */
@inline
export function recordPendingTf(record: usize): u32 {
  return load<u32>(record, RECORD_TF);
}

/** At least the bytes that `writePostings` writes. */
@inline
export function recordPostingsBytesMax(record: usize): u32 {
  return load<u32>(record, RECORD_STREAM_BYTES) + POSTING_BYTES_MAX;
}

/** Writes all postings of the term as a tail of postings.ts; answers one past the last byte. */
export function writePostings(record: usize, at: usize): usize {
  let slice = <usize>load<u32>(record, RECORD_SLICE);
  while (slice != 0) {
    const next = <usize>load<u32>(slice, 4);
    const data = slice + 2 * POINTER_BYTES;
    const bytes = <u32>(sliceEnd(record, slice) - data);
    memory.copy(at, data, bytes);
    at += bytes;
    slice = next;
  }
  return encodePosting(at, pendingGap(record), pendingTf(record));
}

@inline
function sliceEnd(record: usize, slice: usize): usize {
  const isLast = load<u32>(slice, 4) == 0;
  return isLast ? <usize>load<u32>(record, RECORD_WRITE) : slice + 2 * POINTER_BYTES + load<u32>(slice);
}

// --- Reading a record's postings one by one -------------------------------------------------

let streamRecord: usize = 0;
let streamSlice: usize = 0;
let streamAt: usize = 0;
let streamEnd: usize = 0;
/** Of the posting that `streamNext` read: its gap less one, and its tf. */
export let streamGap: u32 = 0;
export let streamTf: u32 = 0;

export function streamBegin(record: usize): void {
  streamRecord = record;
  streamSlice = <usize>load<u32>(record, RECORD_SLICE);
  streamAt = streamSlice + 2 * POINTER_BYTES;
  streamEnd = streamSlice == 0 ? streamAt : sliceEnd(record, streamSlice);
}

/** To be called once for each of the term's documents. */
export function streamNext(): void {
  if (streamAt == streamEnd && streamSlice != 0) {
    streamSlice = <usize>load<u32>(streamSlice, 4);
    streamAt = streamSlice + 2 * POINTER_BYTES;
    streamEnd = streamSlice == 0 ? streamAt : sliceEnd(streamRecord, streamSlice);
  }
  if (streamSlice == 0) {
    streamGap = pendingGap(streamRecord);
    streamTf = pendingTf(streamRecord);
    return;
  }
  const head = readVarint(streamAt, streamEnd);
  streamAt = varintEnd;
  streamGap = head >> 1;
  streamTf = 1;
  if ((head & 1) != 0) return;
  streamTf = readVarint(streamAt, streamEnd);
  streamAt = varintEnd;
}

// --- Order ----------------------------------------------------------------------------------

/** An entry: the term's key u64 · record u32 · zero u32. */
export const ENTRY_SHIFT: usize = 4;
export const ENTRY_RECORD: usize = 8;

function isBefore(a: usize, b: usize): bool {
  const left = load<u64>(a);
  const right = load<u64>(b);
  if (left != right) return left < right;
  return compareTerms(<usize>load<u32>(a, 8), <usize>load<u32>(b, 8)) < 0;
}

function compareTerms(a: usize, b: usize): i32 {
  const left = recordTermBytes(a);
  const right = recordTermBytes(b);
  const order = memory.compare(a + RECORD_TERM, b + RECORD_TERM, min(left, right));
  return order != 0 ? order : <i32>left - <i32>right;
}

/**
 * All records by field, then term bytes: answers an array of entries, or 0 when there is no room. Merge sort, bottom up:
 * the same time whatever the terms.
 */
export function sortedRecords(): usize {
  const bytes = (<u64>termCount) << ENTRY_SHIFT;
  let from = arenaTake(bytes + 16);
  let to = arenaTake(bytes + 16);
  if (from == 0 || to == 0) return 0;
  let entry = from;
  for (let i: u32 = 0; i < slotCount; i++) {
    const record = <usize>load<u32>(slots + ((<usize>i) << 2));
    if (record == 0) continue;
    store<u64>(entry, termKey(recordTerm(record), recordTermBytes(record)));
    store<u64>(entry, record, ENTRY_RECORD);
    entry += 1 << ENTRY_SHIFT;
  }
  for (let width: u32 = 1; width < termCount; width *= 2) {
    for (let start: u32 = 0; start < termCount; start += 2 * width) mergeRuns(from, to, start, width);
    const swap = from;
    from = to;
    to = swap;
  }
  return from;
}

function mergeRuns(from: usize, to: usize, start: u32, width: u32): void {
  const middle = min<u32>(start + width, termCount);
  const end = min<u32>(middle + width, termCount);
  let left = from + ((<usize>start) << ENTRY_SHIFT);
  let right = from + ((<usize>middle) << ENTRY_SHIFT);
  const leftEnd = right;
  const rightEnd = from + ((<usize>end) << ENTRY_SHIFT);
  let out = to + ((<usize>start) << ENTRY_SHIFT);
  while (left < leftEnd && right < rightEnd) {
    if (isBefore(right, left)) {
      v128.store(out, v128.load(right));
      right += 1 << ENTRY_SHIFT;
    } else {
      v128.store(out, v128.load(left));
      left += 1 << ENTRY_SHIFT;
    }
    out += 1 << ENTRY_SHIFT;
  }
  memory.copy(out, left, leftEnd - left);
  memory.copy(out + (leftEnd - left), right, rightEnd - right);
}
