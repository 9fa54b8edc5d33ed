/**
 * Ascending 64-bit hashes of ids as one array of words: low, high, low, high, which is how a little-endian u64 lies in
 * memory. Compared word by word, since BigInts would be allocated one by one.
 */
import type { IdHash } from "../log/event_id.ts";

/** Words of one hash. */
export const HASH_WORDS = 2;

export function hashCount(words: Uint32Array): number {
  return words.length / HASH_WORDS;
}

/** Negative when hash `i` of `a` is below hash `j` of `b`, positive when above. */
export function compareHashes(a: Uint32Array, i: number, b: Uint32Array, j: number): number {
  const high = (a[i * HASH_WORDS + 1] ?? 0) - (b[j * HASH_WORDS + 1] ?? 0);
  return high === 0 ? (a[i * HASH_WORDS] ?? 0) - (b[j * HASH_WORDS] ?? 0) : high;
}

/** Whether there is a hash at `index`, and it is `hash`. */
export function isHashAt(words: Uint32Array, index: number, { high, low }: IdHash): boolean {
  return words[index * HASH_WORDS + 1] === high && words[index * HASH_WORDS] === low;
}

/** The first index whose hash is not below `hash`. */
export function firstHashFrom(words: Uint32Array, { high, low }: IdHash): number {
  let first = 0;
  let end = hashCount(words);
  while (first < end) {
    const middle = (first + end) >> 1;
    const difference = (words[middle * HASH_WORDS + 1] ?? 0) - high;
    if (difference < 0 || (difference === 0 && (words[middle * HASH_WORDS] ?? 0) < low)) first = middle + 1;
    else end = middle;
  }
  return first;
}
