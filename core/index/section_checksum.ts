/**
 * One checksum for everything in a shard: the kernel's 64 bits over a piece of at most CHECKSUM_PIECE_BYTES, and over
 * the checksums of the pieces where there are more, so that whoever computes it needs room for one piece only.
 *
 *   bytes      │ piece │ piece │ piece │ rest │      one piece: c(piece)
 *   checksum     u64     u64     u64     u64    →    more: c(u64 u64 u64 u64)
 *
 * It guards against damage, not against forgery: against another file in its place stands the SHA-256 in a shard's
 * name.
 */
import { CHECKSUM_PIECE_BYTES } from "../limits.ts";
import type { Checksum } from "../ports.ts";

const CHECKSUM_BYTES = 8;

/** Unsigned 64 bits. The number of bytes is a multiple of eight. */
export function checksumOf(bytes: Uint8Array, checksum: Checksum): bigint {
  if (bytes.length <= CHECKSUM_PIECE_BYTES) return checksum.of(bytes);
  const pieces = Math.ceil(bytes.length / CHECKSUM_PIECE_BYTES);
  const list = new Uint8Array(pieces * CHECKSUM_BYTES);
  const view = new DataView(list.buffer);
  for (let piece = 0; piece < pieces; piece++) {
    const from = piece * CHECKSUM_PIECE_BYTES;
    view.setBigUint64(piece * CHECKSUM_BYTES, checksum.of(bytes.subarray(from, from + CHECKSUM_PIECE_BYTES)), true);
  }
  return checksumOf(list, checksum);
}
