/**
 * A window of documents of one part: the terms' cursors, the sums of what they give to its documents, and the selection
 * of those above the k-th best so far.
 *
 *   terms    ──▮▮▮──▮──▮▮▮▮──     each with a cursor; a block that reaches beyond the window is kept unpacked
 *   window   [ sums of its documents ] → those above the k-th best so far go to the heap
 */
import { arenaTake } from "./arena";
import { contribution, k1 } from "./bm25";
import { isLong, normOfDocument, normOfLength, normPlace, normsLengthBytes, normsLengths } from "./norms";
import { BLOCK, BLOCK_BYTES } from "./packed";
import {
  BEFORE,
  blockDecode,
  blockDecodeTfs,
  blockLast,
  blockSkip,
  CURSOR_BYTES,
  DATA,
  DECODED_BYTES,
  decodedCounts,
  decodedDocument,
  decodedStart,
  decodedTf,
  END,
  isInBlocks,
  NO_DOCUMENT,
  NORMS,
  POSITION,
  TAIL_DOCUMENT,
  TAIL_TF,
  WEIGHT,
} from "./postings";
import { lengthAt } from "./text_section";
import { readVarint, varintEnd } from "./varint";
import { offerLanes, STRIDE } from "./top_lanes";

/** Unpacked blocks that the cursors share: with more cursors a block may be unpacked once more. A power of two. */
export const DECODED_COUNT: u32 = 16;

/** Cursors of the terms that occur in the part, in the order given. */
let cursors: usize = 0;
let decoded: usize = 0;
export let cursorCount: u32 = 0;
/** f32 a document, and a STRIDE of zeros. */
let sums: usize = 0;

export function windowBytes(documents: u32): u64 {
  return (<u64>documents + STRIDE) << 2;
}

/** Sets scratch aside for windows of `documents` and at most `terms`; false when it does not fit. */
export function windowBegin(documents: u32, terms: u32): bool {
  cursorCount = 0;
  sums = arenaTake(windowBytes(documents));
  cursors = arenaTake(<u64>terms * CURSOR_BYTES);
  decoded = arenaTake(<u64>min(terms, DECODED_COUNT) * DECODED_BYTES);
  if (sums == 0 || cursors == 0 || decoded == 0) return false;
  return true;
}

@inline
export function cursorAt(index: u32): usize {
  return cursors + <usize>index * CURSOR_BYTES;
}

/** Where the cursor of a further term goes. */
export function nextCursor(): usize {
  return cursorAt(cursorCount++);
}

/** Where cursor `index` unpacks its blocks. */
export function decodedOf(index: u32): usize {
  return decoded + <usize>(index & (DECODED_COUNT - 1)) * DECODED_BYTES;
}

/** Zeroes the sums of a window. */
export function windowClear(from: u32, to: u32): void {
  memory.fill(sums, 0, <usize>windowBytes(to - from));
}

/** Sums all terms in the order given, so that the sums are the scores. */
export function searchWindow(from: u32, to: u32, matches: usize): void {
  let touched = false;
  windowClear(from, to);
  for (let i: u32 = 0; i < cursorCount; i++) if (addPostings(cursorAt(i), from, to)) touched = true;
  // Sums behind the last document are zero.
  if (touched) offerLanes(sums, to - from, from, matches == 0 ? 0 : matches + (from >> 3), 0);
}

// --- Sums -----------------------------------------------------------------------------------

@inline
export function sumAt(place: u32): usize {
  return sums + ((<usize>place) << 2);
}

/** Adds what the term gives to the documents of the window; whether it has any. The cursor ends behind the window. */
export function addPostings(cursor: usize, from: u32, to: u32): bool {
  let touched = false;
  while (isInBlocks(cursor)) {
    const last = blockLast(cursor);
    if (last >= from) {
      const before = load<u32>(cursor, BEFORE) + 1;
      if (before >= to) return touched;
      if (before >= from && last < to) {
        addBlock(cursor, from);
        touched = true;
      } else if (addInWindow(cursor, from, to)) {
        touched = true;
      }
      if (last >= to) return touched;
    }
    blockSkip(cursor);
  }
  return addTail(cursor, from, to) || touched;
}

/** A block that lies in the window whole. */
function addBlock(cursor: usize, from: u32): void {
  const decoded = blockDecode(cursor);
  blockDecodeTfs(cursor, decoded);
  const norms = <usize>load<u32>(cursor, NORMS);
  const weight = load<f32>(cursor, WEIGHT);
  switch (norms == 0 ? 0 : normsLengthBytes(norms)) {
    case 0:
      return addRows(decoded, from, weight, norms, 0);
    case 1:
      return addRows(decoded, from, weight, norms, 1);
    case 2:
      return addRows(decoded, from, weight, norms, 2);
    default:
      return addRows(decoded, from, weight, norms, 4);
  }
}

/**
 * Four postings at a time, one of each lane, whose places in the window are found from what the lane's documents count
 * from. `lengthBytes`: a constant, 0 for whole tokens.
 */
@inline
function addRows(decoded: usize, from: u32, weight: f32, norms: usize, lengthBytes: u32): void {
  const counts = decodedCounts(decoded);
  const weights = f32x4.splat(weight);
  const start0 = decodedStart(decoded, 0) - from;
  const start1 = decodedStart(decoded, 1) - from;
  const start2 = decodedStart(decoded, 2) - from;
  const start3 = decodedStart(decoded, 3) - from;
  const lengths = lengthBytes == 0 ? 0 : normsLengths(norms) + <usize>(from * lengthBytes);
  let norm = f32x4.splat(<f32>k1);
  for (let row: usize = 0; row < BLOCK_BYTES; row += 16) {
    const place0 = start0 + load<u32>(decoded + row);
    const place1 = start1 + load<u32>(decoded + row, 4);
    const place2 = start2 + load<u32>(decoded + row, 8);
    const place3 = start3 + load<u32>(decoded + row, 12);
    const tf = v128.load(counts + row);
    if (lengthBytes != 0) {
      const length0 = lengthAt(lengths, lengthBytes, place0);
      const length1 = lengthAt(lengths, lengthBytes, place1);
      const length2 = lengthAt(lengths, lengthBytes, place2);
      const length3 = lengthAt(lengths, lengthBytes, place3);
      if (lengthBytes > 1 && isLong(length0 | length1 | length2 | length3)) {
        norm = f32x4.splat(normOfLength(norms, length0));
        norm = f32x4.replace_lane(norm, 1, normOfLength(norms, length1));
        norm = f32x4.replace_lane(norm, 2, normOfLength(norms, length2));
        norm = f32x4.replace_lane(norm, 3, normOfLength(norms, length3));
      } else {
        norm = v128.load32_zero(normPlace(norms, length0));
        norm = v128.load_lane<u32>(normPlace(norms, length1), norm, 1);
        norm = v128.load_lane<u32>(normPlace(norms, length2), norm, 2);
        norm = v128.load_lane<u32>(normPlace(norms, length3), norm, 3);
      }
    }
    const added = f32x4.mul(weights, f32x4.div(tf, f32x4.add(tf, norm)));
    addTo(sumAt(place0), f32x4.extract_lane(added, 0));
    addTo(sumAt(place1), f32x4.extract_lane(added, 1));
    addTo(sumAt(place2), f32x4.extract_lane(added, 2));
    addTo(sumAt(place3), f32x4.extract_lane(added, 3));
  }
}

@inline
function addTo(at: usize, added: f32): void {
  store<f32>(at, load<f32>(at) + added);
}

@inline
export function normAt(norms: usize, document: u32): f32 {
  return norms == 0 ? <f32>k1 : normOfDocument(norms, document);
}

/** The part of a block that lies in the window, one posting at a time: there may be few. */
function addInWindow(cursor: usize, from: u32, to: u32): bool {
  const decoded = blockDecode(cursor);
  blockDecodeTfs(cursor, decoded);
  const norms = <usize>load<u32>(cursor, NORMS);
  const weight = load<f32>(cursor, WEIGHT);
  const first = load<u32>(cursor, POSITION);
  let position = first;
  let skipped: u32 = 0;
  for (; position < BLOCK; position++) {
    const document = decodedDocument(decoded, position);
    if (document < from) {
      skipped += 1;
      continue;
    }
    if (document >= to) break;
    addTo(sumAt(document - from), contribution(weight, decodedTf(decoded, position), normAt(norms, document)));
  }
  store<u32>(cursor, position, POSITION);
  return position - first > skipped;
}

/** As `tailNext`, without a call and a stored step for each posting. */
function addTail(cursor: usize, from: u32, to: u32): bool {
  let document = load<u32>(cursor, TAIL_DOCUMENT);
  if (document >= to) return false;
  const norms = <usize>load<u32>(cursor, NORMS);
  const weight = load<f32>(cursor, WEIGHT);
  const end = <usize>load<u32>(cursor, END);
  let tf = load<u32>(cursor, TAIL_TF);
  let at = <usize>load<u32>(cursor, DATA);
  let touched = false;
  for (;;) {
    if (document >= from) {
      addTo(sumAt(document - from), contribution(weight, <f32>tf, normAt(norms, document)));
      touched = true;
    }
    if (at == end) {
      document = NO_DOCUMENT;
      break;
    }
    const head = readVarint(at, end);
    at = varintEnd;
    document += (head >> 1) + 1;
    tf = 1;
    if ((head & 1) == 0) {
      tf = readVarint(at, end);
      at = varintEnd;
    }
    if (document >= to) break;
  }
  store<u32>(cursor, <u32>at, DATA);
  store<u32>(cursor, document, TAIL_DOCUMENT);
  store<u32>(cursor, document, BEFORE);
  store<u32>(cursor, tf, TAIL_TF);
  return touched;
}
