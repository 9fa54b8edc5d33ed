/** The checksum of a piece, word by word, as wasm/assembly/section.ts defines it. */
const MASK = (1n << 64n) - 1n;
const MULTIPLIER = 0x9e3779b97f4a7c15n;

export function naiveChecksum(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = (BigInt(bytes.length) * MULTIPLIER) & MASK;
  for (let at = 0; at < bytes.length; at += 8) {
    hash ^= view.getBigUint64(at, true);
    hash = ((hash << 27n) | (hash >> 37n)) & MASK;
    hash = (hash * MULTIPLIER) & MASK;
  }
  hash ^= hash >> 32n;
  hash = (hash * 0xd6e8feb86659fd93n) & MASK;
  return hash ^ (hash >> 32n);
}
