/**
 * A filter over the id hashes of a part: it says of an id that is not there that it is not, with few exceptions, and
 * never says so of one that is. Hot, so that looking for a duplicate costs no read of the sorted hashes.
 *
 * A split-block Bloom filter (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007, in the
 * shape that the Parquet format specifies): the high word of a hash picks a block of eight words, the low one times a
 * salt picks one bit in each of them. One look-up touches 32 bytes.
 *
 *   block    high · blocks >> 32
 *   word i   1 << (low · SALT[i] >> 27)
 *
 * At FILTER_BITS_PER_ID it errs for about one id in two hundred. The same hashes give the same bytes in any order.
 */
import type { IdHash } from "../log/event_id.ts";
import { HASH_WORDS, hashCount } from "./id_hashes.ts";
import { bytesOf } from "./typed_section.ts";

const FILTER_BITS_PER_ID = 12;
const BLOCK_WORDS = 8;
const BLOCK_BITS = 256;
const BIT_SHIFT = 27;
/** Odd, and otherwise arbitrary: those of the Parquet format. */
const SALTS = [0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31] as const;

export interface IdFilter {
  /** False only when the part has no id of this hash. */
  mayHave(hash: IdHash): boolean;
}

/** The section over the words of id_hashes.ts; one block at least. */
export function writeIdFilter(hashes: Uint32Array): Uint8Array {
  const count = hashCount(hashes);
  const blocks = Math.max(1, Math.ceil((count * FILTER_BITS_PER_ID) / BLOCK_BITS));
  const words = new Uint32Array(blocks * BLOCK_WORDS);
  for (let index = 0; index < count; index++) {
    const low = hashes[index * HASH_WORDS] ?? 0;
    const block = blockOf(hashes[index * HASH_WORDS + 1] ?? 0, blocks);
    SALTS.forEach((salt, word) => {
      words[block + word] = (words[block + word] ?? 0) | bitOf(low, salt);
    });
  }
  return bytesOf(words);
}

/** null when the words are no whole blocks. */
export function readIdFilter(words: Uint32Array): IdFilter | null {
  if (words.length === 0 || words.length % BLOCK_WORDS !== 0) return null;
  return {
    mayHave({ high, low }) {
      const block = blockOf(high, words.length / BLOCK_WORDS);
      return SALTS.every((salt, word) => ((words[block + word] ?? 0) & bitOf(low, salt)) !== 0);
    },
  };
}

/** The first word of a block. The product is exact: a part has fewer than 2^21 blocks. */
function blockOf(high: number, blocks: number): number {
  return Math.floor((high * blocks) / 2 ** 32) * BLOCK_WORDS;
}

function bitOf(low: number, salt: number): number {
  return 1 << (Math.imul(low, salt) >>> BIT_SHIFT);
}
