/**
 * The postings of one term, ascending by document.
 *
 *   headers   a full block of BLOCK postings: last document u32 · bits of a gap u8 · bits of a tf u8 · greatest tf u8,
 *             255 for more · half the least length u8, 255 for more
 *   blocks    gaps less one, then tfs less one, packed as packed.ts says
 *   tail      the other, fewer than BLOCK postings: varint `(gap − 1) · 2 + (1 if tf is 1)`, then varint tf if it is not 1
 *
 * A gap counts from the posting before; the first one's from document −1. So every sequence of gaps is ascending. The
 * bounds of a block are rounded so that no posting in it can score more than its greatest tf at its least length would.
 *
 * A cursor walks them forward. It is a record of CURSOR_BYTES and a decoded block, both in scratch.
 */
import { BLOCK, BLOCK_BYTES, numberAt, packedBytes, placeOf, unpackCounts, unpackSums } from "./packed";
import { readVarint, varintEnd } from "./varint";

export const HEADER_BYTES: usize = 8;
export const GAP_BITS: usize = 4;
export const TF_BITS: usize = 5;
export const TF_MOST: usize = 6;
export const LENGTH_HALF: usize = 7;
/** "Or more", of both bounds. */
export const BOUND_MAX: u32 = 255;
/** tfs above it count as it: they are f32 where they are scored. */
export const TF_MAX: u32 = 1 << 24;
export const PACKED_BITS_MAX: u32 = 24;

/** Sums, counts, what each lane's sums count from, and which headers both were decoded for. */
export const DECODED_BYTES: usize = 1088;
const COUNTS: usize = BLOCK_BYTES;
const STARTS: usize = 2 * BLOCK_BYTES;
const DECODED_FOR: usize = STARTS + 16;
const TFS_DECODED_FOR: usize = STARTS + 20;

export const CURSOR_BYTES: usize = 64;
/** Next full block's header; the blocks are over when it is `HEADERS_END`. */
export const HEADER: usize = 0;
export const HEADERS_END: usize = 4;
/** Where the next block, or the rest of the tail, lies. */
export const DATA: usize = 8;
export const END: usize = 12;
/** The document before the next block, or before the rest of the tail; −1 at the start. */
export const BEFORE: usize = 16;
/** Postings of the next block that are behind the cursor. */
export const POSITION: usize = 20;
export const DECODED: usize = 24;
/** In the tail: the posting the cursor stands on. */
export const TAIL_DOCUMENT: usize = 28;
export const TAIL_TF: usize = 32;
/** For whoever scores: see text_search.ts. */
export const WEIGHT: usize = 36;
export const NORMS: usize = 40;
export const TAIL_BOUND: usize = 44;
export const WINDOW_POSTINGS: usize = 48;
export const TAIL_POSTINGS: usize = 52;

/** Behind the last document. */
export const NO_DOCUMENT: u32 = 0xffffffff;

/** Puts the cursor before the postings of a term that `documents` have. */
export function cursorBegin(cursor: usize, postings: usize, end: usize, documents: u32, decoded: usize): void {
  const blocks = <usize>(documents / BLOCK);
  const headersEnd = postings + blocks * HEADER_BYTES;
  store<u32>(cursor, <u32>postings, HEADER);
  store<u32>(cursor, <u32>headersEnd, HEADERS_END);
  store<u32>(cursor, <u32>headersEnd, DATA);
  store<u32>(cursor, <u32>end, END);
  store<u32>(cursor, NO_DOCUMENT, BEFORE);
  store<u32>(cursor, 0, POSITION);
  store<u32>(cursor, <u32>decoded, DECODED);
  store<u32>(cursor, documents % BLOCK, TAIL_POSTINGS);
  store<u32>(decoded, 0, DECODED_FOR);
  store<u32>(decoded, 0, TFS_DECODED_FOR);
  if (blocks == 0) tailNext(cursor);
}

@inline
export function isInBlocks(cursor: usize): bool {
  return load<u32>(cursor, HEADER) < load<u32>(cursor, HEADERS_END);
}

@inline
export function blockLast(cursor: usize): u32 {
  return load<u32>(<usize>load<u32>(cursor, HEADER));
}

@inline
export function blockDataBytes(header: usize): usize {
  return packedBytes(<u32>load<u8>(header, GAP_BITS) + <u32>load<u8>(header, TF_BITS));
}

/** To the next block, or to the first posting of the tail. */
export function blockSkip(cursor: usize): void {
  const header = <usize>load<u32>(cursor, HEADER);
  store<u32>(cursor, load<u32>(header), BEFORE);
  store<u32>(cursor, load<u32>(cursor, DATA) + <u32>blockDataBytes(header), DATA);
  store<u32>(cursor, 0, POSITION);
  store<u32>(cursor, <u32>(header + HEADER_BYTES), HEADER);
  if (!isInBlocks(cursor)) tailNext(cursor);
}

/** The documents of the next block, unpacked: sums and starts for `decodedDocument`. */
export function blockDecode(cursor: usize): usize {
  const decoded = <usize>load<u32>(cursor, DECODED);
  const header = <usize>load<u32>(cursor, HEADER);
  if (load<u32>(decoded, DECODED_FOR) == <u32>header) return decoded;
  const data = <usize>load<u32>(cursor, DATA);
  const gapBits = <u32>load<u8>(header, GAP_BITS);
  unpackSums(data, gapBits, decoded);
  const totals = decoded + 31 * 16;
  let start = load<u32>(cursor, BEFORE);
  for (let lane: usize = 0; lane < 16; lane += 4) {
    store<u32>(decoded + lane, start, STARTS);
    start += load<u32>(totals + lane);
  }
  store<u32>(decoded, <u32>header, DECODED_FOR);
  return decoded;
}

/** The tfs of a block whose documents were unpacked, as f32: for `decodedTf`. */
export function blockDecodeTfs(cursor: usize, decoded: usize): void {
  const header = <usize>load<u32>(cursor, HEADER);
  if (load<u32>(decoded, TFS_DECODED_FOR) == <u32>header) return;
  const gapBits = <u32>load<u8>(header, GAP_BITS);
  unpackCounts(<usize>load<u32>(cursor, DATA) + packedBytes(gapBits), load<u8>(header, TF_BITS), decoded + COUNTS);
  store<u32>(decoded, <u32>header, TFS_DECODED_FOR);
}

/** What the sums of a lane count from. */
@inline
export function decodedStart(decoded: usize, lane: usize): u32 {
  return load<u32>(decoded + (lane << 2), STARTS);
}

@inline
export function decodedCounts(decoded: usize): usize {
  return decoded + COUNTS;
}

@inline
export function decodedDocument(decoded: usize, index: u32): u32 {
  return load<u32>(placeOf(decoded, index)) + load<u32>(decoded + ((<usize>(index >> 5)) << 2), STARTS);
}

@inline
export function decodedTf(decoded: usize, index: u32): f32 {
  return load<f32>(placeOf(decoded, index), COUNTS);
}

/** To the next posting of the tail; past the last one its document is NO_DOCUMENT. */
export function tailNext(cursor: usize): void {
  const at = <usize>load<u32>(cursor, DATA);
  const end = <usize>load<u32>(cursor, END);
  if (at >= end) {
    store<u32>(cursor, NO_DOCUMENT, TAIL_DOCUMENT);
    return;
  }
  const head = readVarint(at, end);
  let tf: u32 = 1;
  let next = varintEnd;
  if ((head & 1) == 0) {
    tf = readVarint(next, end);
    next = varintEnd;
  }
  const document = load<u32>(cursor, BEFORE) + (head >> 1) + 1;
  store<u32>(cursor, document, BEFORE);
  store<u32>(cursor, document, TAIL_DOCUMENT);
  store<u32>(cursor, tf, TAIL_TF);
  store<u32>(cursor, <u32>next, DATA);
}

/** How often `document` has the term. The cursor moves forward to it; it must not have passed it. */
export function cursorTf(cursor: usize, document: u32): u32 {
  while (isInBlocks(cursor)) {
    if (blockLast(cursor) >= document) return tfInBlock(cursor, document);
    blockSkip(cursor);
  }
  while (load<u32>(cursor, TAIL_DOCUMENT) < document) tailNext(cursor);
  return load<u32>(cursor, TAIL_DOCUMENT) == document ? load<u32>(cursor, TAIL_TF) : 0;
}

/** Binary search without branches: `document` is not after the block's last. */
function tfInBlock(cursor: usize, document: u32): u32 {
  const decoded = blockDecode(cursor);
  let low: u32 = 0;
  for (let step: u32 = BLOCK / 2; step > 0; step >>= 1)
    low += step * <u32>(decodedDocument(decoded, low + step - 1) < document);
  if (decodedDocument(decoded, low) != document) return 0;
  const header = <usize>load<u32>(cursor, HEADER);
  const gapBits = <u32>load<u8>(header, GAP_BITS);
  return numberAt(<usize>load<u32>(cursor, DATA) + packedBytes(gapBits), load<u8>(header, TF_BITS), low) + 1;
}
