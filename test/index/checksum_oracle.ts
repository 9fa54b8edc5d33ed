/** The checksum of any bytes, word by word, as wasm/assembly/section.ts defines it. */
const MASK = (1n << 64n) - 1n;
const MULTIPLIER = 0x9e3779b97f4a7c15n;
const STRIPE_BYTES = 32;

export function naiveChecksum(bytes: Uint8Array): bigint {
  const lanes = [1n, 2n, 3n, 4n].map((lane) => (lane * MULTIPLIER) & MASK);
  const striped = bytes.length - (bytes.length % STRIPE_BYTES);
  for (let at = 0; at < bytes.length; at += 8) {
    const lane = at < striped ? (at / 8) % 4 : 0;
    lanes[lane] = takeIn(lanes[lane] ?? 0n, wordAt(bytes, at));
  }
  let hash = lanes.reduce(takeIn, (BigInt(bytes.length) * MULTIPLIER) & MASK);
  hash ^= hash >> 32n;
  hash = (hash * 0xd6e8feb86659fd93n) & MASK;
  return hash ^ (hash >> 32n);
}

function takeIn(hash: bigint, word: bigint): bigint {
  const mixed = hash ^ word;
  return ((((mixed << 27n) | (mixed >> 37n)) & MASK) * MULTIPLIER) & MASK;
}

/** Little-endian; what is missing at the end is zero. */
function wordAt(bytes: Uint8Array, at: number): bigint {
  return bytes.subarray(at, at + 8).reduceRight((word, byte) => (word << 8n) | BigInt(byte), 0n);
}
