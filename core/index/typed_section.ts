/**
 * Sections that are one array of numbers. Every engine that runs WebAssembly lays typed arrays out little-endian, as
 * the file does, so a section is viewed in place where its address allows and copied where it does not.
 */

export function bytesOf(array: Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** null when the section does not hold whole numbers. */
export function uint32View(bytes: Uint8Array): Uint32Array | null {
  const placed = place(bytes, Uint32Array.BYTES_PER_ELEMENT);
  return placed && new Uint32Array(placed.buffer, placed.byteOffset, placed.byteLength / Uint32Array.BYTES_PER_ELEMENT);
}

export function float64View(bytes: Uint8Array): Float64Array | null {
  const placed = place(bytes, Float64Array.BYTES_PER_ELEMENT);
  return (
    placed && new Float64Array(placed.buffer, placed.byteOffset, placed.byteLength / Float64Array.BYTES_PER_ELEMENT)
  );
}

function place(bytes: Uint8Array, elementBytes: number): Uint8Array | null {
  if (bytes.byteLength % elementBytes !== 0) return null;
  return bytes.byteOffset % elementBytes === 0 ? bytes : bytes.slice();
}

// Plain loops, not `every`: these run over arrays of every row whenever a shard is opened.

/** Each number at least the one before. */
export function ascends(numbers: Uint32Array): boolean {
  let before = 0;
  for (let index = 0; index < numbers.length; index++) {
    const number = numbers[index] ?? 0;
    if (number < before) return false;
    before = number;
  }
  return true;
}

/** From 0, each number above the one before: where pieces begin, and where the last one ends. */
export function areOffsets(numbers: Uint32Array): boolean {
  if (numbers[0] !== 0) return false;
  for (let index = 1, before = 0; index < numbers.length; index++) {
    const number = numbers[index] ?? 0;
    if (number <= before) return false;
    before = number;
  }
  return true;
}

/** Each number below `end`. */
export function within(numbers: Uint32Array, end: number): boolean {
  for (let index = 0; index < numbers.length; index++) if ((numbers[index] ?? 0) >= end) return false;
  return true;
}

export function areIntegers(numbers: Float64Array): boolean {
  for (let index = 0; index < numbers.length; index++) if (!Number.isInteger(numbers[index])) return false;
  return true;
}
