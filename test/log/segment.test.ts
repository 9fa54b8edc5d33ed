import { gzipSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { FRAME_RAW_BYTES_MAX } from "../../core/limits.ts";
import { frameLines, joinFrames, linesOfFrames, readSegment, withoutLines } from "../../core/log/segment.ts";
import { hex } from "../../core/log/text_encoding.ts";
import type { PreparedFrames } from "../../core/rpc.ts";

const PORTS = { compression: nodeCompression, digest: nodeDigest };
const KEY = "entities/e/segments/2026/01/01/000001-000000000001.jsonl.zst";
const encode = (text: string) => new TextEncoder().encode(text);

/** Lines of every size that matters: empty text, a few to a frame, just at its edge, several frames long. */
const EDGES = [
  FRAME_RAW_BYTES_MAX - 1,
  FRAME_RAW_BYTES_MAX,
  FRAME_RAW_BYTES_MAX + 1,
  2 * FRAME_RAW_BYTES_MAX - 1,
  3 * FRAME_RAW_BYTES_MAX,
];
const anyLine = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: "grapheme" }).map((text) => JSON.stringify({ text })) },
  { weight: 1, arbitrary: fc.constantFrom(...EDGES).map((bytes) => "x".repeat(bytes)) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 2 * FRAME_RAW_BYTES_MAX }).map((bytes) => "é🙂".repeat(bytes / 6)),
  },
);
const anyLines = fc.array(
  anyLine.filter((line) => line !== ""),
  { minLength: 1, maxLength: 12 },
);

function segmentOf(lines: readonly string[]) {
  const joined = joinFrames(frameLines(lines, nodeCompression));
  return { ...joined, expected: { sha256: hex(nodeDigest.sha256(joined.bytes)), lines: joined.lines } };
}

function prepare(lines: readonly string[]): PreparedFrames {
  return {
    frames: frameLines(lines, nodeCompression),
    lines: lines.map((_, i) => ({
      id: String(i),
      tsDefaulted: false,
      dimensions: 0,
      vectorBytes: 0,
      kind: "note",
      tsMs: i,
    })),
  };
}

describe("a segment", () => {
  it("gives back the lines it was written from", () => {
    fc.assert(
      fc.property(anyLines, (lines) => {
        const { bytes, expected, rawBytes } = segmentOf(lines);
        expect(readSegment(KEY, bytes, PORTS, expected)).toEqual({ ok: true, value: lines });
        expect(expected.lines).toBe(lines.length);
        expect(rawBytes).toBe(encode(`${lines.join("\n")}\n`).length);
      }),
      { numRuns: 40 },
    );
  });

  it("decodes to JSONL by nothing but zlib, from frame to frame", () => {
    const lines = ['{"a":1}', "x".repeat(3 * FRAME_RAW_BYTES_MAX), '{"b":"é"}', "y".repeat(FRAME_RAW_BYTES_MAX)];
    const frames = frameLines(lines, nodeCompression);
    const { bytes } = joinFrames(frames);
    const raw: Uint8Array[] = [];
    let at = 0;
    for (const frame of frames) {
      raw.push(zstdDecompressSync(bytes.subarray(at, at + frame.bytes.length)));
      at += frame.bytes.length;
    }
    expect(at).toBe(bytes.length);
    expect(Buffer.concat(raw).toString("utf8") === lines.map((line) => `${line}\n`).join("")).toBe(true);
  });

  it("is made of small independent frames, each of whole lines or part of one", () => {
    fc.assert(
      fc.property(anyLines, (lines) => {
        let raw = "";
        let counted = 0;
        for (const frame of frameLines(lines, nodeCompression)) {
          const alone = nodeCompression.unzstd(frame.bytes, FRAME_RAW_BYTES_MAX);
          if (!alone.ok) throw new Error("a frame that does not stand alone");
          expect(alone.value.length).toBe(frame.rawBytes);
          expect(frame.lines).toBe(alone.value.filter((byte) => byte === 10).length);
          expect(frame.lines === 0 || alone.value.at(-1) === 10).toBe(true);
          raw += Buffer.from(alone.value).toString("latin1");
          counted += frame.lines;
        }
        expect(counted).toBe(lines.length);
        expect(Buffer.from(raw, "latin1").toString("utf8")).toBe(`${lines.join("\n")}\n`);
      }),
      { numRuns: 40 },
    );
  });

  it("of several requests is their frames end to end", () => {
    fc.assert(
      fc.property(anyLines, anyLines, (a, b) => {
        const { bytes } = joinFrames([...frameLines(a, nodeCompression), ...frameLines(b, nodeCompression)]);
        expect(readSegment(KEY, bytes, PORTS, null)).toEqual({ ok: true, value: [...a, ...b] });
      }),
      { numRuns: 20 },
    );
  });

  it("can be gzip", () => {
    expect(readSegment(KEY, gzipSync('{"a":1}\n{"b":2}\n'), PORTS, null)).toEqual({
      ok: true,
      value: ['{"a":1}', '{"b":2}'],
    });
  });
});

describe("a damaged segment is refused by its name", () => {
  const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ i, text: "lorem ipsum ".repeat(200) }));
  const { bytes, expected } = segmentOf(lines);
  const corrupt = { ok: false, failure: { reason: "corrupt", what: KEY } };

  it("when it is cut anywhere", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(readSegment(KEY, bytes.subarray(0, length), PORTS, expected)).toEqual(corrupt);
    }
  });

  it("when any bit is flipped, even without its metadata", () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const flipped = bytes.slice();
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
        expect(readSegment(KEY, flipped, PORTS, expected)).toEqual(corrupt);
        const blind = readSegment(KEY, flipped, PORTS, null);
        // Bits that mean nothing to a decoder may flip unseen; content never does.
        expect(blind.ok ? blind.value : lines).toEqual(lines);
      }),
    );
  });

  it("when it is cut within a frame or a line, or drawn out, even without its metadata", () => {
    const ends = new Set<number>([0]);
    for (const frame of frameLines(lines, nodeCompression)) ends.add(Math.max(...ends) + frame.bytes.length);
    for (let length = 0; length < bytes.length; length++) {
      if (!ends.has(length) || length === 0)
        expect(readSegment(KEY, bytes.subarray(0, length), PORTS, null)).toEqual(corrupt);
    }
    expect(readSegment(KEY, Uint8Array.from([...bytes, 0]), PORTS, null)).toEqual(corrupt);
    const long = frameLines(["x".repeat(FRAME_RAW_BYTES_MAX + 5)], nodeCompression);
    expect(readSegment(KEY, joinFrames(long.slice(0, 1)).bytes, PORTS, null)).toEqual(corrupt);
  });

  it("when it has other lines than were counted, or is not UTF-8, or nothing", () => {
    expect(readSegment(KEY, bytes, PORTS, { ...expected, lines: expected.lines + 1 })).toEqual(corrupt);
    expect(readSegment(KEY, nodeCompression.zstd(Uint8Array.of(0xff, 10)), PORTS, null)).toEqual(corrupt);
    expect(readSegment(KEY, nodeCompression.zstd(new Uint8Array(0)), PORTS, null)).toEqual(corrupt);
    expect(readSegment(KEY, encode("plain"), PORTS, null)).toEqual(corrupt);
    expect(readSegment(KEY, gzipSync("{}\n").subarray(0, -6), PORTS, null)).toEqual(corrupt);
  });

  it("when it would inflate beyond all bounds", () => {
    const bomb = gzipSync(Buffer.alloc(40 * 1024 * 1024, "x\n"));
    expect(readSegment(KEY, bomb, PORTS, null)).toMatchObject({
      ok: false,
      failure: { reason: "too_large", what: KEY },
    });
  });
});

describe("dropping lines from prepared frames", () => {
  it("leaves the other lines as they were", () => {
    fc.assert(
      fc.property(anyLines, fc.array(fc.nat(14)), (lines, indexes) => {
        const dropped = new Set(indexes);
        const kept = lines.filter((_, i) => !dropped.has(i));
        const result = withoutLines(prepare(lines), dropped, nodeCompression);
        if (!result.ok) throw new Error("refused");
        expect(kept.length === 0 ? [] : linesOfFrames(result.value.frames, nodeCompression)).toEqual(
          kept.length === 0 ? [] : { ok: true, value: kept },
        );
        expect(result.value.frames.reduce((sum, frame) => sum + frame.lines, 0)).toBe(kept.length);
        expect(result.value.lines.map(({ id }) => Number(id))).toEqual(
          lines.flatMap((_, i) => (dropped.has(i) ? [] : [i])),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("re-encodes only the frames that held them", () => {
    const lines = Array.from({ length: 9 }, (_, i) => JSON.stringify({ i, text: "x".repeat(FRAME_RAW_BYTES_MAX / 3) }));
    const prepared = prepare(lines);
    const result = withoutLines(prepared, new Set([3]), nodeCompression);
    if (!result.ok) throw new Error("refused");
    const untouched = result.value.frames.filter((frame) => prepared.frames.includes(frame));
    expect(untouched).toHaveLength(prepared.frames.length - 1);
  });

  it("refuses frames that do not hold what they say", () => {
    const prepared = prepare(["a", "b"]);
    const wrong = { ...prepared, frames: prepared.frames.map((frame) => ({ ...frame, rawBytes: frame.rawBytes - 1 })) };
    expect(withoutLines(wrong, new Set([0]), nodeCompression).ok).toBe(false);
    expect(
      linesOfFrames(
        prepared.frames.map((frame) => ({ ...frame, lines: 3 })),
        nodeCompression,
      ).ok,
    ).toBe(false);
  });
});
