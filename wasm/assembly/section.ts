/**
 * What the kernel's sections have in common: little-endian, a multiple of 16 bytes long, and a head of
 *   0 magic u32 · 4 format version u32 · 8 bytes of the whole section u32 · 12 zero u32 · 16 checksum u64
 * The checksum covers everything behind itself, so a section that lost or changed a byte is refused before use.
 */
import { BAD_CHECKSUM, BAD_LENGTH, BAD_MAGIC, BAD_VERSION, OK } from "./status";

const VERSION: u32 = 1;
const CHECKSUM: usize = 16;
const COVERED_FROM: usize = 24;
const MULTIPLIER: u64 = 0x9e3779b97f4a7c15;

@inline
export function padded16(bytes: u64): u64 {
  return (bytes + 15) & ~15;
}

/** Of `bytes` bytes, a multiple of eight. */
export function checksum(at: usize, bytes: usize): u64 {
  let hash: u64 = <u64>bytes * MULTIPLIER;
  for (const end = at + bytes; at < end; at += 8) hash = rotl(hash ^ load<u64>(at), 27) * MULTIPLIER;
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93;
  return hash ^ (hash >> 32);
}

export function sealSection(at: usize, bytes: u32, magic: u32): void {
  store<u32>(at, magic);
  store<u32>(at, VERSION, 4);
  store<u32>(at, bytes, 8);
  store<u32>(at, 0, 12);
  store<u64>(at, checksum(at + COVERED_FROM, bytes - COVERED_FROM), CHECKSUM);
}

/** `bytes` are readable at `at`. */
export function checkSection(at: usize, bytes: u32, magic: u32, headBytes: u32): i32 {
  if (bytes < headBytes || (bytes & 15) != 0) return BAD_LENGTH;
  if (load<u32>(at) != magic) return BAD_MAGIC;
  if (load<u32>(at, 4) != VERSION) return BAD_VERSION;
  if (load<u32>(at, 8) != bytes || load<u32>(at, 12) != 0) return BAD_LENGTH;
  return load<u64>(at, CHECKSUM) == checksum(at + COVERED_FROM, bytes - COVERED_FROM) ? OK : BAD_CHECKSUM;
}
