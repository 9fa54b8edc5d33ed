/**
 * The segment codec: lines ↔ zstd-framed JSONL.
 *
 * Every line ends in "\n". Frames are independent and hold at most FRAME_RAW_BYTES_MAX raw bytes; whole lines are packed
 * into one until the next would not fit. A line longer than a frame has frames of its own: it counts in `lines` of the
 * frame where it ends, the frames before that one have `lines` 0. Frames laid end to end are one segment, so whoever
 * gathers requests only concatenates.
 */
import { type Failure, fail, ok, type Result } from "../errors.ts";
import { FRAME_RAW_BYTES_MAX, SEGMENT_READ_BYTES_MAX } from "../limits.ts";
import type { Compression, Digest } from "../ports.ts";
import type { PreparedFrames } from "../rpc.ts";
import type { SegmentMetadata } from "../schema/stored.ts";
import { hex } from "./text_encoding.ts";

export type Frame = PreparedFrames["frames"][number];

const NEWLINE = 10;
const GZIP_MAGIC = [0x1f, 0x8b] as const;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// --- Writing --------------------------------------------------------------------------------

/** Lines carry no newline, which canonical JSON never has. */
export function frameLines(lines: readonly string[], compression: Compression): Frame[] {
  const frames: Frame[] = [];
  const pending = new Uint8Array(FRAME_RAW_BYTES_MAX);
  let pendingBytes = 0;
  let pendingLines = 0;
  const add = (raw: Uint8Array, lineCount: number) => {
    frames.push({ bytes: compression.zstd(raw), rawBytes: raw.length, lines: lineCount });
  };
  const flush = () => {
    if (pendingLines > 0) add(pending.subarray(0, pendingBytes), pendingLines);
    pendingBytes = 0;
    pendingLines = 0;
  };
  for (const line of lines) {
    const raw = encoder.encode(`${line}\n`);
    if (pendingBytes + raw.length > FRAME_RAW_BYTES_MAX) flush();
    if (raw.length <= FRAME_RAW_BYTES_MAX) {
      pending.set(raw, pendingBytes);
      pendingBytes += raw.length;
      pendingLines++;
      continue;
    }
    for (let from = 0; from < raw.length; from += FRAME_RAW_BYTES_MAX) {
      const to = Math.min(from + FRAME_RAW_BYTES_MAX, raw.length);
      add(raw.subarray(from, to), to === raw.length ? 1 : 0);
    }
  }
  flush();
  return frames;
}

export interface JoinedFrames {
  readonly bytes: Uint8Array;
  readonly rawBytes: number;
  readonly lines: number;
}

/** The bytes of a segment. */
export function joinFrames(frames: readonly Frame[]): JoinedFrames {
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.bytes.length, 0));
  let at = 0;
  let rawBytes = 0;
  let lines = 0;
  for (const frame of frames) {
    bytes.set(frame.bytes, at);
    at += frame.bytes.length;
    rawBytes += frame.rawBytes;
    lines += frame.lines;
  }
  return { bytes, rawBytes, lines };
}

/** `prepared` without the lines at `dropped` (0-based). Frames that hold none of them keep their bytes. */
export function withoutLines(
  prepared: PreparedFrames,
  dropped: ReadonlySet<number>,
  compression: Compression,
): Result<PreparedFrames> {
  const frames: Frame[] = [];
  let firstLine = 0;
  for (const group of frameGroups(prepared.frames)) {
    const count = group.reduce((sum, frame) => sum + frame.lines, 0);
    const keep = Array.from({ length: count }, (_, i) => !dropped.has(firstLine + i));
    firstLine += count;
    if (keep.every(Boolean)) {
      frames.push(...group);
    } else if (keep.some(Boolean)) {
      const lines = linesOfFrames(group, compression);
      if (!lines.ok) return lines;
      frames.push(
        ...frameLines(
          lines.value.filter((_, i) => keep[i]),
          compression,
        ),
      );
    }
  }
  return ok({ frames, lines: prepared.lines.filter((_, i) => !dropped.has(i)) });
}

/** The lines of prepared frames, in order: what a duplicate is compared by before the put. */
export function linesOfFrames(frames: readonly Frame[], compression: Compression): Result<string[]> {
  const joined = joinFrames(frames);
  const raw = compression.unzstd(joined.bytes, joined.rawBytes);
  const lines = raw.ok ? linesOf(raw.value) : null;
  return lines !== null && lines.length === joined.lines
    ? ok(lines)
    : fail({ reason: "corrupt", what: "prepared frames" });
}

/** Frames that share lines stand together: those of a long line. */
function frameGroups(frames: readonly Frame[]): Frame[][] {
  const groups: Frame[][] = [];
  let open: Frame[] = [];
  for (const frame of frames) {
    open.push(frame);
    if (frame.lines === 0) continue;
    groups.push(open);
    open = [];
  }
  return groups;
}

// --- Reading --------------------------------------------------------------------------------

export interface SegmentPorts {
  readonly compression: Compression;
  readonly digest: Digest;
}

/**
 * The lines of the segment that lies at `key`. Refused by that name when it is not what `expected` says was written,
 * not whole frames, not whole lines or not UTF-8. Without `expected` (metadata was lost), frame checksums still catch
 * what was flipped, but not frames that are missing at the end.
 */
export function readSegment(
  key: string,
  bytes: Uint8Array,
  ports: SegmentPorts,
  expected: Pick<SegmentMetadata, "sha256" | "lines"> | null,
): Result<string[]> {
  const corrupt: Failure = { reason: "corrupt", what: key };
  if (expected !== null && hex(ports.digest.sha256(bytes)) !== expected.sha256) return fail(corrupt);
  const raw = isGzip(bytes)
    ? ports.compression.gunzip(bytes, SEGMENT_READ_BYTES_MAX)
    : ports.compression.unzstd(bytes, SEGMENT_READ_BYTES_MAX);
  if (!raw.ok) return fail(raw.failure.reason === "too_large" ? { ...raw.failure, what: key } : corrupt);
  const lines = linesOf(raw.value);
  if (lines === null || (expected !== null && lines.length !== expected.lines)) return fail(corrupt);
  return ok(lines);
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === GZIP_MAGIC[0] && bytes[1] === GZIP_MAGIC[1];
}

/** null unless `raw` is one or more newline-ended lines of UTF-8. */
export function linesOf(raw: Uint8Array): string[] | null {
  if (raw[raw.length - 1] !== NEWLINE) return null;
  try {
    return decoder.decode(raw.subarray(0, raw.length - 1)).split("\n");
  } catch {
    return null;
  }
}
