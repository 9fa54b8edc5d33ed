/**
 * LEB128 unsigned integers of at most five bytes. Reading is bounded: it never passes `end`, and says so.
 */

/** One past the last byte that `readVarint` took; 0 when there was no whole integer. */
export let varintEnd: usize = 0;

@inline
export function readVarint(at: usize, end: usize): u32 {
  if (at < end) {
    const first = <u32>load<u8>(at);
    if (first < 0x80) {
      varintEnd = at + 1;
      return first;
    }
  }
  return readLongVarint(at, end);
}

function readLongVarint(at: usize, end: usize): u32 {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 35 && at < end; shift += 7) {
    const byte = <u64>load<u8>(at++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      varintEnd = value <= u32.MAX_VALUE ? at : 0;
      return <u32>value;
    }
  }
  varintEnd = 0;
  return 0;
}

/** Answers one past the last byte written. */
export function writeVarint(at: usize, value: u32): usize {
  while (value >= 0x80) {
    store<u8>(at++, (value & 0x7f) | 0x80);
    value >>= 7;
  }
  store<u8>(at++, value);
  return at;
}
