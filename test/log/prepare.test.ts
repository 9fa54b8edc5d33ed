import fc from "fast-check";
import { expect, it } from "vitest";
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { EVENT_BYTES_MAX, SEGMENT_READ_BYTES_MAX } from "../../core/limits.ts";
import { prepareLine } from "../../core/log/line.ts";
import { prepareEvents } from "../../core/log/prepare.ts";
import { joinFrames, linesOfFrames, readSegment } from "../../core/log/segment.ts";
import { anyEventInput } from "./any_event.ts";

const PORTS = { compression: nodeCompression, digest: nodeDigest };
const NOW = 1_000;

it("frames the line of every event, in order", () => {
  fc.assert(
    fc.property(fc.array(anyEventInput, { minLength: 1 }), (events) => {
      const prepared = prepareEvents(events, NOW, PORTS);
      if (!prepared.ok) throw new Error("refused");
      const lines = events.map((event) => prepareLine(event, NOW, nodeDigest));
      expect(prepared.value.lines).toEqual(lines.map((line) => line.prepared));
      expect(linesOfFrames(prepared.value.frames, nodeCompression)).toEqual({
        ok: true,
        value: lines.map(({ line }) => line),
      });
    }),
    { numRuns: 30 },
  );
});

it("refuses an event that is too large as a line, by its index", () => {
  const events = [{ text: "a" }, { body: "x".repeat(EVENT_BYTES_MAX) }];
  expect(prepareEvents(events, NOW, PORTS)).toMatchObject({
    ok: false,
    failure: { reason: "too_large", what: "events.1" },
  });
});

it("makes no segment that could not be read back", () => {
  const events = (bytes: number) => Array.from({ length: 33 }, (_, i) => ({ id: String(i), body: "x".repeat(bytes) }));
  const tooMany = prepareEvents(events(EVENT_BYTES_MAX - 100), NOW, PORTS);
  expect(tooMany).toMatchObject({ ok: false, failure: { reason: "too_large", what: "events" } });
  const fitting = prepareEvents(events(Math.floor(SEGMENT_READ_BYTES_MAX / 33) - 100), NOW, PORTS);
  if (!fitting.ok) throw new Error("refused");
  expect(readSegment("segment", joinFrames(fitting.value.frames).bytes, PORTS, null).ok).toBe(true);
});
