/**
 * What the kernel's sections have in common: little-endian, a multiple of 16 bytes long, and a head of
 *   0 magic u32 · 4 format version u32 · 8 bytes of the whole section u32 · 12 zero u32 · 16 checksum u64
 * The checksum covers everything behind itself, so a section that lost or changed a byte is refused before use.
 */
import { BAD_CHECKSUM, BAD_LENGTH, BAD_MAGIC, BAD_VERSION, OK } from "./status";

const VERSION: u32 = 2;
const CHECKSUM: usize = 16;
const COVERED_FROM: usize = 24;
const MULTIPLIER: u64 = 0x9e3779b97f4a7c15;
const FINISHER: u64 = 0xd6e8feb86659fd93;
/** Four lanes of eight bytes. */
const STRIPE: usize = 32;

@inline
export function padded16(bytes: u64): u64 {
  return (bytes + 15) & ~15;
}

@inline
function mixed(hash: u64, word: u64): u64 {
  return rotl(hash ^ word, 27) * MULTIPLIER;
}

/**
 * A 64-bit checksum of any number of bytes at any address; for damage, not against forgery.
 *
 *   lanes    four hashes begin at 1, 2, 3, 4 times MULTIPLIER; of every 32 bytes each takes in one little-endian word
 *   rest     lane 0 takes in the whole words that are left, then the last bytes, padded with zeros, as one more
 *   result   `bytes · MULTIPLIER` takes in the four lanes, and is finished by two xor-shifts around a multiplication
 *   take in  hash = rotl(hash ^ word, 27) · MULTIPLIER
 *
 * Taking in is one-to-one in the hash and in the word, so a change within one word always changes its lane. The lanes
 * do not wait for each other, which is what a single chain of multiplications would do.
 */
export function checksum(at: usize, bytes: usize): u64 {
  let a = MULTIPLIER;
  let b = 2 * MULTIPLIER;
  let c = 3 * MULTIPLIER;
  let d = 4 * MULTIPLIER;
  const end = at + bytes;
  for (const stripesEnd = at + (bytes & ~(STRIPE - 1)); at < stripesEnd; at += STRIPE) {
    a = mixed(a, load<u64>(at));
    b = mixed(b, load<u64>(at, 8));
    c = mixed(c, load<u64>(at, 16));
    d = mixed(d, load<u64>(at, 24));
  }
  for (; at + 8 <= end; at += 8) a = mixed(a, load<u64>(at));
  if (at < end) a = mixed(a, lastWord(at, end));
  let hash = mixed(mixed(mixed(mixed(<u64>bytes * MULTIPLIER, a), b), c), d);
  hash ^= hash >> 32;
  hash *= FINISHER;
  return hash ^ (hash >> 32);
}

function lastWord(at: usize, end: usize): u64 {
  let word: u64 = 0;
  for (let shift: u64 = 0; at < end; shift += 8) word |= (<u64>load<u8>(at++)) << shift;
  return word;
}

export function sealSection(at: usize, bytes: u32, magic: u32): void {
  store<u32>(at, magic);
  store<u32>(at, VERSION, 4);
  store<u32>(at, bytes, 8);
  store<u32>(at, 0, 12);
  store<u64>(at, checksum(at + COVERED_FROM, bytes - COVERED_FROM), CHECKSUM);
}

/** Of a section that was sealed or checked. */
@inline
export function sectionChecksum(at: usize): u64 {
  return load<u64>(at, CHECKSUM);
}

/** `bytes` are readable at `at`. */
export function checkSection(at: usize, bytes: u32, magic: u32, headBytes: u32): i32 {
  if (bytes < headBytes || (bytes & 15) != 0) return BAD_LENGTH;
  if (load<u32>(at) != magic) return BAD_MAGIC;
  if (load<u32>(at, 4) != VERSION) return BAD_VERSION;
  if (load<u32>(at, 8) != bytes || load<u32>(at, 12) != 0) return BAD_LENGTH;
  return sectionChecksum(at) == checksum(at + COVERED_FROM, bytes - COVERED_FROM) ? OK : BAD_CHECKSUM;
}
