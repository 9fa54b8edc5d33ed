/**
 * Compression and digests of the runtime, over `node:zlib` and `node:crypto`: the same calls in Node and, with
 * nodejs_compat, in workerd.
 *
 * Traps: zstd compression fails in some runtimes for outputs over 40,950 bytes, hence small frames only.
 * Synchronous zstd decompression stops after the first frame and takes a cut frame for whole, hence frames are split
 * first, each is decoded by itself, and each carries a checksum.
 */
import { createHash } from "node:crypto";
import { constants, gunzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { fail, ok, type Result } from "../../core/errors.ts";
import { FRAME_RAW_BYTES_MAX } from "../../core/limits.ts";
import { splitZstdFrames } from "../../core/log/zstd_frame.ts";
import type { Compression, Digest } from "../../core/ports.ts";

const ZSTD_LEVEL = 3;
const ZSTD_PARAMETERS = {
  [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL,
  [constants.ZSTD_c_checksumFlag]: 1,
};

export const nodeDigest: Digest = {
  sha256: (bytes) => plain(createHash("sha256").update(bytes).digest()),
};

export const nodeCompression: Compression = {
  zstd(raw) {
    if (raw.length > FRAME_RAW_BYTES_MAX) throw new RangeError(`a frame of ${raw.length} raw bytes`);
    return plain(zstdCompressSync(raw, { params: ZSTD_PARAMETERS }));
  },

  unzstd(bytes, bytesMax) {
    const frames = splitZstdFrames(bytes);
    if (!frames.ok) return frames;
    const parts: Uint8Array[] = [];
    let size = 0;
    for (const frame of frames.value) {
      const part = decoded("zstd data", bytesMax - size, bytesMax, (max) =>
        zstdDecompressSync(frame, { maxOutputLength: max }),
      );
      if (!part.ok) return part;
      parts.push(part.value);
      size += part.value.length;
    }
    return ok(joined(parts, size));
  },

  gunzip(bytes, bytesMax) {
    return decoded("gzip data", bytesMax, bytesMax, (max) => gunzipSync(bytes, { maxOutputLength: max }));
  },
};

/**
 * `maxOutputLength` of 0 is refused by zlib, so one byte more is asked for and its presence is the excess. Beyond it
 * every runtime throws a RangeError, each with a code and sentence of its own.
 */
function decoded(
  what: string,
  left: number,
  bytesMax: number,
  decode: (max: number) => Uint8Array,
): Result<Uint8Array> {
  try {
    const bytes = decode(left + 1);
    if (bytes.length > left)
      return fail({ reason: "too_large", what, size: bytesMax + 1, max: bytesMax, unit: "bytes" });
    return ok(plain(bytes));
  } catch (error) {
    if (error instanceof RangeError) {
      return fail({ reason: "too_large", what, size: bytesMax + 1, max: bytesMax, unit: "bytes" });
    }
    return fail({ reason: "corrupt", what });
  }
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A Buffer compares, serialises and slices otherwise than the Uint8Array it is. */
function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
