/**
 * Sections that are one array of numbers. Every engine that runs WebAssembly lays typed arrays out little-endian, as
 * the file does, so a section is viewed in place where its address allows and copied where it does not.
 */

export function bytesOf(array: Uint32Array | Float64Array | BigUint64Array): Uint8Array {
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

export function uint64View(bytes: Uint8Array): BigUint64Array | null {
  const placed = place(bytes, BigUint64Array.BYTES_PER_ELEMENT);
  return (
    placed && new BigUint64Array(placed.buffer, placed.byteOffset, placed.byteLength / BigUint64Array.BYTES_PER_ELEMENT)
  );
}

function place(bytes: Uint8Array, elementBytes: number): Uint8Array | null {
  if (bytes.byteLength % elementBytes !== 0) return null;
  return bytes.byteOffset % elementBytes === 0 ? bytes : bytes.slice();
}
