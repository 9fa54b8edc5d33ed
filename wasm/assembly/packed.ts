/**
 * BLOCK whole numbers packed vertically with `bits` bits each, so that four are unpacked at once (after Lemire and
 * Boytsov, "Decoding billions of integers per second through vectorization").
 *
 *   number i   stands in lane i / 32, row i mod 32: each lane is 32 neighbours
 *   lane       a stream of 32-bit words, lowest bits first; word w of the four lanes are the 16 bytes at 16·w
 *
 * Deviation from the paper: a lane holds neighbours, where the paper deals them out in turn. So differences stay those
 * of direct neighbours, and their running sums are one addition a row within each lane; what a lane begins with is
 * added by whoever reads the numbers.
 */

export const BLOCK: u32 = 128;
const ROWS: u32 = 32;
export const ROW_SHIFT: usize = 4;
/** Bytes of BLOCK numbers that are not packed. */
export const BLOCK_BYTES: usize = 512;

@inline
export function packedBytes(bits: u32): usize {
  return (<usize>bits) << 4;
}

/** Where number `index` of an unpacked block stands. */
@inline
export function placeOf(block: usize, index: u32): usize {
  return block + ((<usize>(index & 31)) << ROW_SHIFT) + ((<usize>(index >> 5)) << 2);
}

/** Bits of the widest of the numbers. */
export function widthOf(block: usize): u32 {
  let all = i32x4.splat(0);
  for (let row: u32 = 0; row < ROWS; row++) all = v128.or(all, v128.load(block + ((<usize>row) << ROW_SHIFT)));
  const half = v128.or(all, v128.shuffle<u32>(all, all, 2, 3, 0, 1));
  return 32 - clz<u32>(i32x4.extract_lane(half, 0) | i32x4.extract_lane(half, 1));
}

/** Packs an unpacked block of numbers below 2^bits. Answers one past the last byte. */
export function pack(block: usize, bits: u32, to: usize): usize {
  let word = i32x4.splat(0);
  let filled: u32 = 0;
  for (let row: u32 = 0; row < ROWS && bits > 0; row++) {
    const numbers = v128.load(block + ((<usize>row) << ROW_SHIFT));
    word = v128.or(word, i32x4.shl(numbers, filled));
    filled += bits;
    if (filled < 32) continue;
    v128.store(to, word);
    to += 16;
    filled -= 32;
    word = filled == 0 ? i32x4.splat(0) : i32x4.shr_u(numbers, bits - filled);
  }
  return to;
}

@inline
function rowAt(packed: usize, row: u32, bits: u32, mask: v128): v128 {
  const bit = row * bits;
  const at = packed + ((<usize>(bit >> 5)) << ROW_SHIFT);
  const shift = bit & 31;
  let numbers = v128.load(at);
  if (shift > 0) numbers = i32x4.shr_u(numbers, shift);
  if (shift + bits > 32) numbers = v128.or(numbers, i32x4.shl(v128.load(at, 16), 32 - shift));
  return shift + bits == 32 ? numbers : v128.and(numbers, mask);
}

/** Number `index` of a packed block, alone. */
export function numberAt(packed: usize, bits: u32, index: u32): u32 {
  const bit = (index & 31) * bits;
  const at = packed + ((<usize>(bit >> 5)) << ROW_SHIFT) + ((<usize>(index >> 5)) << 2);
  const shift = bit & 31;
  let number = load<u32>(at) >> shift;
  if (shift + bits > 32) number |= load<u32>(at, 16) << (32 - shift);
  return number & ((1 << bits) - 1);
}

// --- Running sums ---------------------------------------------------------------------------

@inline
function sumRow(packed: usize, row: u32, bits: u32, mask: v128, sums: v128, to: usize): v128 {
  const next = i32x4.add(sums, i32x4.add(rowAt(packed, row, bits, mask), i32x4.splat(1)));
  v128.store(to + ((<usize>row) << ROW_SHIFT), next);
  return next;
}

@inline
function fourSums(packed: usize, row: u32, bits: u32, mask: v128, sums: v128, to: usize): v128 {
  sums = sumRow(packed, row, bits, mask, sums, to);
  sums = sumRow(packed, row + 1, bits, mask, sums, to);
  sums = sumRow(packed, row + 2, bits, mask, sums, to);
  return sumRow(packed, row + 3, bits, mask, sums, to);
}

/** Unrolled, so that with a constant `bits` every shift is one. */
@inline
function allSums(packed: usize, bits: u32, to: usize): void {
  const mask = i32x4.splat((1 << bits) - 1);
  let sums = i32x4.splat(0);
  sums = fourSums(packed, 0, bits, mask, sums, to);
  sums = fourSums(packed, 4, bits, mask, sums, to);
  sums = fourSums(packed, 8, bits, mask, sums, to);
  sums = fourSums(packed, 12, bits, mask, sums, to);
  sums = fourSums(packed, 16, bits, mask, sums, to);
  sums = fourSums(packed, 20, bits, mask, sums, to);
  sums = fourSums(packed, 24, bits, mask, sums, to);
  fourSums(packed, 28, bits, mask, sums, to);
}

/** Running sums within each lane of one more than each number, to a block. */
export function unpackSums(packed: usize, bits: u32, to: usize): void {
  switch (bits) {
    case 1:
      return allSums(packed, 1, to);
    case 2:
      return allSums(packed, 2, to);
    case 3:
      return allSums(packed, 3, to);
    case 4:
      return allSums(packed, 4, to);
    case 5:
      return allSums(packed, 5, to);
    case 6:
      return allSums(packed, 6, to);
    case 7:
      return allSums(packed, 7, to);
    case 8:
      return allSums(packed, 8, to);
    case 9:
      return allSums(packed, 9, to);
    case 10:
      return allSums(packed, 10, to);
    case 11:
      return allSums(packed, 11, to);
    case 12:
      return allSums(packed, 12, to);
    default:
      return sumsOfAnyWidth(packed, bits, to);
  }
}

function sumsOfAnyWidth(packed: usize, bits: u32, to: usize): void {
  const mask = i32x4.splat((1 << bits) - 1);
  const one = i32x4.splat(1);
  let sums = i32x4.splat(0);
  for (let row: u32 = 0; row < ROWS; row++) {
    sums = bits == 0 ? i32x4.add(sums, one) : sumRow(packed, row, bits, mask, sums, to);
    v128.store(to + ((<usize>row) << ROW_SHIFT), sums);
  }
}

// --- Counts ---------------------------------------------------------------------------------

@inline
function countRow(packed: usize, row: u32, bits: u32, mask: v128, to: usize): void {
  const counts = i32x4.add(rowAt(packed, row, bits, mask), i32x4.splat(1));
  v128.store(to + ((<usize>row) << ROW_SHIFT), f32x4.convert_i32x4_s(counts));
}

@inline
function eightCounts(packed: usize, row: u32, bits: u32, mask: v128, to: usize): void {
  countRow(packed, row, bits, mask, to);
  countRow(packed, row + 1, bits, mask, to);
  countRow(packed, row + 2, bits, mask, to);
  countRow(packed, row + 3, bits, mask, to);
  countRow(packed, row + 4, bits, mask, to);
  countRow(packed, row + 5, bits, mask, to);
  countRow(packed, row + 6, bits, mask, to);
  countRow(packed, row + 7, bits, mask, to);
}

@inline
function allCounts(packed: usize, bits: u32, to: usize): void {
  const mask = i32x4.splat((1 << bits) - 1);
  eightCounts(packed, 0, bits, mask, to);
  eightCounts(packed, 8, bits, mask, to);
  eightCounts(packed, 16, bits, mask, to);
  eightCounts(packed, 24, bits, mask, to);
}

/** One more than each number, as f32, to a block. Numbers are below 2^24. */
export function unpackCounts(packed: usize, bits: u32, to: usize): void {
  switch (bits) {
    case 0:
      return ones(to);
    case 1:
      return allCounts(packed, 1, to);
    case 2:
      return allCounts(packed, 2, to);
    case 3:
      return allCounts(packed, 3, to);
    case 4:
      return allCounts(packed, 4, to);
    default:
      return countsOfAnyWidth(packed, bits, to);
  }
}

function ones(to: usize): void {
  const one = f32x4.splat(1);
  for (const end = to + BLOCK_BYTES; to < end; to += 16) v128.store(to, one);
}

function countsOfAnyWidth(packed: usize, bits: u32, to: usize): void {
  const mask = i32x4.splat((1 << bits) - 1);
  for (let row: u32 = 0; row < ROWS; row++) countRow(packed, row, bits, mask, to);
}
