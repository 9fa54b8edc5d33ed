/**
 * Rollups: tiny segments laid end to end in one object, so that a log of tiny commits is read in few requests.
 *
 *   skippable frame (RFC 8878 §3.1.2): magic ‖ size ‖ directory     then the segments, byte for byte
 *
 * The directory is JSON lines in zstd frames, one a segment, in order. Whoever decompresses a rollup gets the lines of
 * its segments and nothing else. It is derived: the segments stay, and what does not fit its digest is read from them.
 */
import { ROLLUP_DIRECTORY_BYTES_MAX } from "../limits.ts";
import type { Compression } from "../ports.ts";
import { type RolledSegment, readStored, rolledSegmentSchema, storedRolledSegment } from "../schema/stored.ts";
import { canonicalJson } from "./canonical.ts";
import { frameLines, joinFrames, linesOf } from "./segment.ts";

const SKIPPABLE_MAGIC = 0x184d2a50;
const HEADER_BYTES = 8;
const encoder = new TextEncoder();

/** A segment's bytes beside what is known of it. */
export interface RollupSlice extends RolledSegment {
  readonly content: Uint8Array;
}

/** `slices` in commit order. */
export function writeRollup(slices: readonly RollupSlice[], compression: Compression): Uint8Array {
  const lines = slices.map((slice) => canonicalJson(storedRolledSegment(slice)));
  const directory = joinFrames(frameLines(lines, compression)).bytes;
  const contentBytes = slices.reduce((sum, { content }) => sum + content.length, 0);
  const bytes = new Uint8Array(HEADER_BYTES + directory.length + contentBytes);
  const header = new DataView(bytes.buffer);
  header.setUint32(0, SKIPPABLE_MAGIC, true);
  header.setUint32(4, directory.length, true);
  bytes.set(directory, HEADER_BYTES);
  let at = HEADER_BYTES + directory.length;
  for (const { content } of slices) {
    bytes.set(content, at);
    at += content.length;
  }
  return bytes;
}

/** Slices that are not verified yet: each has its digest. null when it is no rollup, or not whole. */
export function readRollup(bytes: Uint8Array, compression: Compression): readonly RollupSlice[] | null {
  if (bytes.length < HEADER_BYTES) return null;
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const start = HEADER_BYTES + header.getUint32(4, true);
  if (header.getUint32(0, true) !== SKIPPABLE_MAGIC || start > bytes.length) return null;
  const raw = compression.unzstd(bytes.subarray(HEADER_BYTES, start), ROLLUP_DIRECTORY_BYTES_MAX);
  const slices: RollupSlice[] = [];
  let at = start;
  for (const line of (raw.ok ? linesOf(raw.value) : null) ?? []) {
    const entry = readStored(rolledSegmentSchema, encoder.encode(line), "rollup");
    if (!entry.ok) return null;
    slices.push({ ...entry.value, content: bytes.subarray(at, at + entry.value.bytes) });
    at += entry.value.bytes;
  }
  return slices.length > 0 && at === bytes.length ? slices : null;
}
