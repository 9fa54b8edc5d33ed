/**
 * Many strings as one section: `count u32 · offsets u32[count + 1] · UTF-8 bytes`, decoded one at a time.
 * Offsets ascend from 0 to the number of bytes, so no entry can reach outside the table.
 */

const OFFSET_BYTES = 4;

export interface StringTable {
  readonly count: number;
  at(index: number): string;
  /** The bytes of an entry, as a view. */
  bytesAt(index: number): Uint8Array;
  /** Whether all entries are accepted, each bytes [from, to) of the table: a view of each would cost more than its look. */
  every(accept: (table: Uint8Array, from: number, to: number) => boolean): boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

export function writeStringTable(strings: readonly string[]): Uint8Array {
  return writeBytesTable(strings.map((text) => encoder.encode(text)));
}

/** A table whose entries need not be UTF-8. */
export function writeBytesTable(entries: readonly Uint8Array[]): Uint8Array {
  const start = OFFSET_BYTES * (entries.length + 2);
  const table = new Uint8Array(entries.reduce((sum, { length }) => sum + length, start));
  const view = new DataView(table.buffer);
  view.setUint32(0, entries.length, true);
  let end = start;
  entries.forEach((bytes, index) => {
    table.set(bytes, end);
    end += bytes.length;
    view.setUint32(OFFSET_BYTES * (index + 2), end - start, true);
  });
  return table;
}

/** null when the bytes are no such table. */
export function readStringTable(bytes: Uint8Array): StringTable | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 2 * OFFSET_BYTES) return null;
  const count = view.getUint32(0, true);
  const start = OFFSET_BYTES * (count + 2);
  if (start > bytes.length) return null;
  const offsetAt = (index: number): number => view.getUint32(OFFSET_BYTES * (index + 1), true);
  if (offsetAt(0) !== 0 || offsetAt(count) !== bytes.length - start) return null;
  for (let index = 0, before = 0; index < count; index++) {
    const offset = offsetAt(index + 1);
    if (offset < before) return null;
    before = offset;
  }
  const bytesAt = (index: number): Uint8Array => {
    if (index < 0 || index >= count) throw new RangeError(`string ${index} of ${count}`);
    return bytes.subarray(start + offsetAt(index), start + offsetAt(index + 1));
  };
  return {
    count,
    bytesAt,
    at: (index) => decoder.decode(bytesAt(index)),
    every(accept) {
      for (let index = 0; index < count; index++)
        if (!accept(bytes, start + offsetAt(index), start + offsetAt(index + 1))) return false;
      return true;
    },
  };
}

/** The index of `text` in a table in ascending byte order, or -1. */
export function findString(table: StringTable, text: string): number {
  const wanted = encoder.encode(text);
  let low = 0;
  let high = table.count - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = compareBytes(table.bytesAt(middle), wanted);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let index = 0; index < shorter; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
