/**
 * A model output file: the vectors an embedder made for the documents of a range, in document order.
 *
 *   zstd frames over: u32 format · u32 documents · u32 dimensions · one byte a document (1: it has a vector) · f32 rows
 *   of those that have one. Little-endian. A document without a vector is one the model refused: that is recorded too.
 */
import { joinBytes } from "../bytes.ts";
import { fail, ok, type Result } from "../errors.ts";
import { FRAME_RAW_BYTES_MAX, OUTPUT_RAW_BYTES_MAX } from "../limits.ts";
import type { Compression } from "../ports.ts";
import type { RecordedVectors } from "./part.ts";

const FORMAT = 1;
const HEADER_BYTES = 12;
const F32_BYTES = 4;

export function encodeVectors(vectors: RecordedVectors, compression: Compression): Uint8Array {
  const present = vectors.filter((vector) => vector !== null);
  const dimensions = present[0]?.length ?? 0;
  const rowsFrom = HEADER_BYTES + vectors.length;
  const raw = new Uint8Array(rowsFrom + present.length * dimensions * F32_BYTES);
  const view = new DataView(raw.buffer);
  for (const [index, value] of [FORMAT, vectors.length, dimensions].entries()) view.setUint32(index * 4, value, true);
  for (const [index, vector] of vectors.entries()) raw[HEADER_BYTES + index] = vector === null ? 0 : 1;
  let at = rowsFrom;
  for (const vector of present) {
    if (vector.length !== dimensions) throw new Error("an embedder answers vectors of one dimension");
    for (const value of vector) {
      view.setFloat32(at, value, true);
      at += F32_BYTES;
    }
  }
  return inFrames(raw, compression);
}

function inFrames(raw: Uint8Array, compression: Compression): Uint8Array {
  const frames: Uint8Array[] = [];
  for (let from = 0; from < raw.length; from += FRAME_RAW_BYTES_MAX) {
    frames.push(compression.zstd(raw.subarray(from, from + FRAME_RAW_BYTES_MAX)));
  }
  return joinBytes(frames);
}

/** `key` names the file in a failure. */
export function decodeVectors(bytes: Uint8Array, key: string, compression: Compression): Result<RecordedVectors> {
  const raw = compression.unzstd(bytes, OUTPUT_RAW_BYTES_MAX);
  const vectors = raw.ok ? readVectors(raw.value) : null;
  return vectors === null ? fail({ reason: "corrupt", what: `Model output ${key}` }) : ok(vectors);
}

function readVectors(raw: Uint8Array): RecordedVectors | null {
  if (raw.length < HEADER_BYTES) return null;
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const count = view.getUint32(4, true);
  const dimensions = view.getUint32(8, true);
  if (view.getUint32(0, true) !== FORMAT || raw.length < HEADER_BYTES + count) return null;
  const flags = raw.subarray(HEADER_BYTES, HEADER_BYTES + count);
  const present = flags.reduce((sum, flag) => sum + flag, 0);
  if (flags.some((flag) => flag > 1) || raw.length !== HEADER_BYTES + count + present * dimensions * F32_BYTES)
    return null;
  let at = HEADER_BYTES + count;
  return Array.from(flags, (flag) => {
    if (flag === 0) return null;
    const vector = Float32Array.from({ length: dimensions }, (_, column) =>
      view.getFloat32(at + column * F32_BYTES, true),
    );
    at += dimensions * F32_BYTES;
    return vector;
  });
}
