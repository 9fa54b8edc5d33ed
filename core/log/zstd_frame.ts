/**
 * Where zstd frames begin and end (RFC 8878 §3.1), without decompressing them.
 * Runtimes decode one frame a call, ignore what follows it and take a cut one for whole; so frames are counted here.
 *
 *   magic (4) ‖ descriptor (1) ‖ window? ‖ dictionary id? ‖ content size? ‖ blocks: header (3) ‖ bytes … ‖ checksum? (4)
 */
import { fail, ok, type Result } from "../errors.ts";

const MAGIC = 0xfd2fb528;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const BLOCK_HEADER_BYTES = 3;
const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;
const CHECKSUM_BYTES = 4;

/** The frames of `bytes`, as views of it; refused unless they fill it exactly. Skippable frames are not ours to write. */
export function splitZstdFrames(bytes: Uint8Array): Result<readonly Uint8Array[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = frameEnd(view, start);
    if (end === null) return fail({ reason: "corrupt", what: `zstd frame ${frames.length + 1}` });
    frames.push(bytes.subarray(start, end));
    start = end;
  }
  return ok(frames);
}

/** null when the frame that begins at `start` is none, or is cut short. */
function frameEnd(view: DataView, start: number): number | null {
  const size = view.byteLength;
  if (start + 5 > size || view.getUint32(start, true) !== MAGIC) return null;
  const descriptor = view.getUint8(start + 4);
  let at = start + 5 + headerFieldBytes(descriptor);
  let last = false;
  while (!last) {
    if (at + BLOCK_HEADER_BYTES > size) return null;
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    last = (header & 1) === 1;
    const type = (header >> 1) & 3;
    if (type === BLOCK_RESERVED) return null;
    at += BLOCK_HEADER_BYTES + (type === BLOCK_RLE ? 1 : header >> 3);
  }
  if ((descriptor & 4) !== 0) at += CHECKSUM_BYTES;
  return at <= size ? at : null;
}

/** Bytes of window descriptor, dictionary id and content size. */
function headerFieldBytes(descriptor: number): number {
  const singleSegment = (descriptor & 32) !== 0;
  const contentSizeFlag = descriptor >> 6;
  const contentSize = contentSizeFlag === 0 && singleSegment ? 1 : (CONTENT_SIZE_BYTES[contentSizeFlag] ?? 0);
  return (singleSegment ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0) + contentSize;
}
