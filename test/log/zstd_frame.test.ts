import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { splitZstdFrames } from "../../core/log/zstd_frame.ts";

/** Frames of every header form: with and without checksum, of every content size field, raw, RLE and compressed blocks. */
const anyFrame = fc
  .tuple(
    fc.constantFrom(0, 1, 200, 256, 300, 65_535, 65_792, 70_000, 300_000),
    fc.constantFrom("same", "mixed", "random"),
    fc.boolean(),
    fc.boolean(),
  )
  .map(([size, content, checksum, sized]) => {
    const raw = Uint8Array.from({ length: size }, (_, i) =>
      content === "same" ? 65 : content === "mixed" ? i % 7 : (i * 2_654_435_761) >>> 13,
    );
    return zstdCompressSync(raw, {
      params: { [constants.ZSTD_c_checksumFlag]: Number(checksum), [constants.ZSTD_c_contentSizeFlag]: Number(sized) },
    });
  });

it("finds where every frame ends", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 4 }), (frames) => {
      const split = splitZstdFrames(Buffer.concat(frames));
      if (!split.ok) throw new Error("refused");
      expect(split.value.map((frame) => Buffer.from(frame))).toEqual(frames);
    }),
    { numRuns: 50 },
  );
});

it("refuses whatever is not whole frames, saying which one is not", () => {
  fc.assert(
    fc.property(anyFrame, anyFrame, fc.nat(), (first, second, cut) => {
      const length = first.length + 1 + (cut % (second.length - 1));
      expect(splitZstdFrames(Buffer.concat([first, second]).subarray(0, length))).toEqual({
        ok: false,
        failure: { reason: "corrupt", what: "zstd frame 2" },
      });
    }),
    { numRuns: 50 },
  );
  expect(splitZstdFrames(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)).ok).toBe(false);
  expect(splitZstdFrames(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 7, 0, 0)).ok).toBe(false);
});
