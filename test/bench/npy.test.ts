import { describe, expect, test } from "vitest";
import { readMatrix } from "../../bench/eval/npy.ts";

/** As numpy writes it: header padded so that the data begins at a multiple of 64. */
function npy(header: string, values: readonly number[]): Uint8Array {
  const padded = `${header.padEnd(64 * Math.ceil((header.length + 11) / 64) - 11)}\n`;
  const bytes = new Uint8Array(10 + padded.length + values.length * 4);
  const view = new DataView(bytes.buffer);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0]);
  view.setUint16(8, padded.length, true);
  bytes.set(new TextEncoder().encode(padded), 10);
  for (const [index, value] of values.entries()) view.setFloat32(10 + padded.length + index * 4, value, true);
  return bytes;
}

const HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

describe("the .npy reader", () => {
  test("gives the rows", () => {
    const rows = readMatrix(npy(HEADER, [1, 2, 3, 4, 5, 6.5]));
    expect(rows).toEqual([Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6.5)]);
  });

  test.each([
    ["another type", npy(HEADER.replace("f4", "f8"), [1, 2, 3, 4, 5, 6])],
    ["column order", npy(HEADER.replace("False", "True"), [1, 2, 3, 4, 5, 6])],
    ["missing values", npy(HEADER, [1, 2, 3, 4, 5])],
    ["no magic", new Uint8Array(128)],
  ])("refuses %s", (_, file) => {
    expect(() => readMatrix(file)).toThrow();
  });
});
