import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeCompression } from "../../adapters/platform/node_compat.ts";
import { decodeVectors, encodeVectors } from "../../core/index/vector_outputs.ts";

const vector = fc.float32Array({ minLength: 3, maxLength: 3, noNaN: true });
const vectors = fc.array(fc.option(vector, { nil: null }), { maxLength: 40 });

describe("model outputs", () => {
  test("come back as they were written, refusals included", () => {
    fc.assert(
      fc.property(vectors, (written) => {
        const read = decodeVectors(encodeVectors(written, nodeCompression), "key", nodeCompression);
        expect(read).toEqual({ ok: true, value: written });
      }),
    );
  });

  test("larger than a frame come back too", () => {
    const written = Array.from({ length: 300 }, (_, n) => Float32Array.from({ length: 384 }, (_, i) => n + i / 7));
    expect(decodeVectors(encodeVectors(written, nodeCompression), "key", nodeCompression)).toEqual({
      ok: true,
      value: written,
    });
  });

  test("that are cut, flipped or of another format are refused by name, never read as others", () => {
    const written = [Float32Array.of(1, 2), null];
    const bytes = encodeVectors(written, nodeCompression);
    for (let at = 0; at < bytes.length; at += 1) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 0x10;
      const read = decodeVectors(flipped, "outputs/x", nodeCompression);
      if (read.ok) expect(read.value).toEqual(written);
      else expect(read.failure).toEqual({ reason: "corrupt", what: "Model output outputs/x" });
      expect(decodeVectors(bytes.subarray(0, at), "outputs/x", nodeCompression).ok).toBe(false);
    }
    const other = nodeCompression.zstd(Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    expect(decodeVectors(other, "outputs/x", nodeCompression).ok).toBe(false);
  });
});
