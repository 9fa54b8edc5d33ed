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

/** Rows whose code is accepted: `accepted` has one byte for each code below `codes`. Codes are 1, 2 or 4 bytes wide. */
export function bitsOfCodes(
  column: usize,
  width: u32,
  rows: u32,
  accepted: usize,
  codes: u32,
  to: usize,
  bytes: usize,
): void {
  memory.fill(to, 0, bytes);
  for (let row: u32 = 0; row < rows; row++) {
    const code = codeAt(column, width, row);
    if (code < codes && load<u8>(accepted + code) != 0) setBit(to, row);
  }
}

@inline
function codeAt(column: usize, width: u32, row: u32): u32 {
  if (width == 1) return load<u8>(column + row);
  if (width == 2) return load<u16>(column + ((<usize>row) << 1));
  return load<u32>(column + ((<usize>row) << 2));
}

/** Rows with from ≤ time ≤ to. */
export function bitsOfTimes(times: usize, rows: u32, from: f64, to: f64, out: usize, bytes: usize): void {
  memory.fill(out, 0, bytes);
  for (let row: u32 = 0; row < rows; row++) {
    const time = load<f64>(times + ((<usize>row) << 3));
    if (time >= from && time <= to) setBit(out, row);
  }
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
