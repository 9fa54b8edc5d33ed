/**
 * From parsed events to what an object appends: canonical lines in independent frames.
 */
import { fail, ok, type Result } from "../errors.ts";
import { EVENT_BYTES_MAX, SEGMENT_READ_BYTES_MAX } from "../limits.ts";
import type { Compression, Digest } from "../ports.ts";
import type { PreparedFrames } from "../rpc.ts";
import type { EventInput } from "../schema/event.ts";
import { utf8Length } from "../schema/scalar.ts";
import { prepareLine } from "./line.ts";
import { frameLines } from "./segment.ts";

export interface PreparePorts {
  readonly compression: Compression;
  readonly digest: Digest;
}

/**
 * `nowMs` is the event time of events that have none. An event too large as a line refuses them all, and so does their
 * sum: canonical numbers can be longer than what was sent, and a segment that is written must be one that can be read.
 */
export function prepareEvents(
  events: readonly EventInput[],
  nowMs: number,
  ports: PreparePorts,
): Result<PreparedFrames> {
  const prepared = events.map((event) => prepareLine(event, nowMs, ports.digest));
  let total = 0;
  for (const [index, { line }] of prepared.entries()) {
    const size = utf8Length(line);
    total += size + 1;
    if (size > EVENT_BYTES_MAX)
      return fail({ reason: "too_large", what: `events.${index}`, size, max: EVENT_BYTES_MAX, unit: "bytes" });
  }
  if (total > SEGMENT_READ_BYTES_MAX) {
    const unit = "bytes of canonical JSON";
    return fail({ reason: "too_large", what: "events", size: total, max: SEGMENT_READ_BYTES_MAX, unit });
  }
  const frames = frameLines(
    prepared.map(({ line }) => line),
    ports.compression,
  );
  return ok({ frames, lines: prepared.map((line) => line.prepared) });
}
