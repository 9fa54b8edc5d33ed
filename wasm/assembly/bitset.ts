/**
 * Bitsets: bit i is bit i mod 8 of byte i / 8. They are padded to 16 bytes, and the padding bits are zero.
 */

@inline
export function hasBit(bits: usize, index: u32): bool {
  return ((<u32>load<u8>(bits + (index >> 3)) >> (index & 7)) & 1) != 0;
}

@inline
export function setBit(bits: usize, index: u32): void {
  const at = bits + (index >> 3);
  store<u8>(at, <u32>load<u8>(at) | (1 << (index & 7)));
}

/** `bytes` are a multiple of 16, here and below. `to` may be one of the operands. */
export function bitsAnd(a: usize, b: usize, to: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, v128.and(v128.load(a + i), v128.load(b + i)));
}

export function bitsOr(a: usize, b: usize, to: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, v128.or(v128.load(a + i), v128.load(b + i)));
}

/** Of `count` bits; the padding stays zero. */
export function bitsNot(a: usize, to: usize, bytes: usize, count: u32): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, v128.not(v128.load(a + i)));
  clearPadding(to, bytes, count);
}

function clearPadding(bits: usize, bytes: usize, count: u32): void {
  const whole = <usize>(count >> 3);
  if (whole >= bytes) return;
  store<u8>(bits + whole, <u32>load<u8>(bits + whole) & ((1 << (count & 7)) - 1));
  memory.fill(bits + whole + 1, 0, bytes - whole - 1);
}

export function bitsCount(a: usize, bytes: usize): u32 {
  let count: u64 = 0;
  for (let i: usize = 0; i < bytes; i += 8) count += popcnt<u64>(load<u64>(a + i));
  return <u32>count;
}

/**
 * Rows whose code is accepted: `accepted` has a byte for every code of the column, 1 or 0. Codes are 1, 2 or 4 bytes
 * wide. Without a branch on the data: half of the rows at random would cost more for guessing wrong than all for reading.
 */
export function bitsOfCodes(column: usize, width: u32, rows: u32, accepted: usize, to: usize, bytes: usize): void {
  memory.fill(to, 0, bytes);
  if (width == 1) fillOfCodes<u8>(column, rows, accepted, to);
  else if (width == 2) fillOfCodes<u16>(column, rows, accepted, to);
  else fillOfCodes<u32>(column, rows, accepted, to);
}

@inline
function fillOfCodes<T>(column: usize, rows: u32, accepted: usize, to: usize): void {
  const eights = rows >> 3;
  for (let eight: u32 = 0; eight < eights; eight++, column += sizeof<T>() << 3, to++) {
    const low =
      accepts<T>(column, 0, accepted) |
      (accepts<T>(column, 1, accepted) << 1) |
      (accepts<T>(column, 2, accepted) << 2) |
      (accepts<T>(column, 3, accepted) << 3);
    const high =
      accepts<T>(column, 4, accepted) |
      (accepts<T>(column, 5, accepted) << 1) |
      (accepts<T>(column, 6, accepted) << 2) |
      (accepts<T>(column, 7, accepted) << 3);
    store<u8>(to, low | (high << 4));
  }
  for (let i: u32 = 0; i < (rows & 7); i++) {
    store<u8>(to, <u32>load<u8>(to) | (<u32>load<u8>(accepted + <usize>load<T>(column)) << i));
    column += sizeof<T>();
  }
}

@inline
function accepts<T>(column: usize, row: usize, accepted: usize): u32 {
  return load<u8>(accepted + <usize>load<T>(column + row * sizeof<T>()));
}

/** Rows with from ≤ time ≤ to. */
export function bitsOfTimes(times: usize, rows: u32, from: f64, to: f64, out: usize, bytes: usize): void {
  memory.fill(out, 0, bytes);
  const eights = rows >> 3;
  for (let eight: u32 = 0; eight < eights; eight++, times += 64, out++) {
    const low = timesWithin(times, from, to) | (timesWithin(times + 16, from, to) << 2);
    const high = timesWithin(times + 32, from, to) | (timesWithin(times + 48, from, to) << 2);
    store<u8>(out, low | (high << 4));
  }
  for (let i: u32 = 0; i < (rows & 7); i++) {
    const time = load<f64>(times + ((<usize>i) << 3));
    store<u8>(out, <u32>load<u8>(out) | (u32(time >= from && time <= to) << i));
  }
}

/** Two bits. */
@inline
function timesWithin(at: usize, from: f64, to: f64): u32 {
  const two = v128.load(at);
  return i64x2.bitmask(v128.and(f64x2.ge(two, f64x2.splat(from)), f64x2.le(two, f64x2.splat(to))));
}

/** Element i of `indices` stands for bit i: it is set when bit indices[i] of `bits` is. */
export function bitsGather(bits: usize, indices: usize, count: u32, to: usize, bytes: usize): void {
  memory.fill(to, 0, bytes);
  for (let first: u32 = 0; first < count; first += 8) {
    const end = min<u32>(first + 8, count);
    let byte: u32 = 0;
    for (let i = first; i < end; i++) {
      const index = load<u32>(indices + ((<usize>i) << 2));
      byte |= (((<u32>load<u8>(bits + (index >> 3)) >> (index & 7)) & 1)) << (i - first);
    }
    store<u8>(to + (first >> 3), byte);
  }
}
