/**
 * Reads a two-dimensional matrix of little-endian f32 from numpy's `.npy` format, versions 1 to 3.
 * Source: NEP 1, "A simple file format for NumPy arrays".
 */

const MAGIC = "\x93NUMPY";

export function readMatrix(file: Uint8Array): Float32Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const magic = String.fromCharCode(...file.subarray(0, MAGIC.length));
  if (magic !== MAGIC) throw new Error("not a .npy file");
  const wide = view.getUint8(6) >= 2;
  const headerFrom = wide ? 12 : 10;
  const headerBytes = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(file.subarray(headerFrom, headerFrom + headerBytes));
  const shape = /'shape': \((\d+), (\d+)\)/.exec(header);
  if (!header.includes("'descr': '<f4'") || !header.includes("'fortran_order': False") || shape === null) {
    throw new Error(`only row-major f32 matrices are read, not ${header.trim()}`);
  }
  const [rows, columns] = [Number(shape[1]), Number(shape[2])];
  const from = headerFrom + headerBytes;
  if (file.byteLength !== from + rows * columns * 4) throw new Error("the .npy file is cut short or too long");
  return Array.from({ length: rows }, (_, row) => {
    const vector = new Float32Array(columns);
    for (let column = 0; column < columns; column++)
      vector[column] = view.getFloat32(from + (row * columns + column) * 4, true);
    return vector;
  });
}
