/** Bytes of a bitset of `count` bits, as wasm/assembly/bitset.ts pads it. */
export function bitsetBytes(count: number): number {
  return Math.ceil(count / 128) * 16;
}
