/**
 * Proves the postings of one term: after that they are read without a check and never leave their bytes or their part,
 * whatever the bytes are. Every length and all documents are proved; tfs and bounds only say how much a hit is worth.
 */
import { BLOCK, packedBytes, unpackSums } from "./packed";
import { GAP_BITS, HEADER_BYTES, NO_DOCUMENT, PACKED_BITS_MAX, TF_BITS } from "./postings";
import { BAD_LENGTH, BAD_ORDER, BAD_VALUE, OK } from "./status";
import { readVarint, varintEnd } from "./varint";

const SUMS: usize = memory.data(512);

/** Of one term that `termDocuments` of the part's `documents` have. */
export function checkPostings(at: usize, end: usize, termDocuments: u32, documents: u32): i32 {
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
  return checkTail(at, end, termDocuments % BLOCK, document, documents);
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

function checkTail(at: usize, end: usize, left: u32, before: u32, documents: u32): i32 {
  // One more than the last document.
  let next: u64 = <u64>(before + 1);
  for (; left > 0; left--) {
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
