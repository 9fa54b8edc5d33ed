import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeDigest } from "../../adapters/platform/node_compat.ts";
import { canonicalJson } from "../../core/log/canonical.ts";
import { eventId } from "../../core/log/event_id.ts";
import {
  eventTimeMs,
  keptLine,
  parseLine,
  parseWholeLine,
  prepareLine,
  sameContent,
  tombstoneLine,
  withdrawalTarget,
} from "../../core/log/line.ts";
import { hex } from "../../core/log/text_encoding.ts";
import { type EventInput, eventIdSchema, eventInputSchema } from "../../core/schema/event.ts";
import type { Json } from "../../core/schema/scalar.ts";
import { anyEventInput } from "./any_event.ts";

const NOW = Date.UTC(2026, 10, 20, 12, 30, 0, 250);
const lineOf = (input: EventInput, now = NOW) => prepareLine(input, now, nodeDigest);

describe("a prepared line", () => {
  it("is canonical JSON of the event with every default filled in", () => {
    const { line, prepared } = lineOf({ text: "hi", vector: [1, 0.5] });
    const id = eventId({ text: "hi", vector: [1, 0.5] }, nodeDigest);
    expect(line).toBe(`{"id":"${id}","kind":"note","text":"hi","ts":"2026-11-20T12:30:00.250Z","vector":[1,0.5]}`);
    expect(prepared).toEqual({ id, tsDefaulted: true, dimensions: 2, vectorBytes: 7, kind: "note", tsMs: NOW });
  });

  it("holds all that was supplied and parses back to it", () => {
    fc.assert(
      fc.property(anyEventInput, (input) => {
        const { line, prepared } = lineOf(input);
        const event = parseLine(line);
        expect(canonicalJson(JSON.parse(line) as Json)).toBe(line);
        expect({ ...input, id: prepared.id, ts: input.ts ?? NOW, kind: input.kind ?? "note" }).toEqual({
          ...event,
          ts: eventTimeMs(event),
        });
        expect(prepared.tsDefaulted).toBe(input.ts === undefined);
      }),
    );
  });

  it("sent again as an input is the same line: export and import keep ids and content", () => {
    fc.assert(
      fc.property(anyEventInput, (input) => {
        const { line } = lineOf(input);
        expect(lineOf(eventInputSchema.parse(JSON.parse(line)), NOW + 1).line).toBe(line);
      }),
    );
  });

  it("refuses to be read when it is no event", () => {
    expect(() => parseLine('{"id":"a"}')).toThrow();
  });
});

describe("a line as a part keeps it", () => {
  const keep = (line: string) => keptLine(line, nodeDigest);

  it("is the same without the digits of its vector, of which it keeps number and digest", () => {
    fc.assert(
      fc.property(anyEventInput, (input) => {
        const { line, prepared } = lineOf(input);
        const { vector, ...event } = parseWholeLine(line);
        const digits = canonicalJson([...(vector ?? [])]);
        const sha256 = hex(nodeDigest.sha256(new TextEncoder().encode(digits)));
        const kept = vector === undefined ? event : { ...event, vector: { dimensions: vector.length, sha256 } };
        expect(parseLine(keep(line))).toEqual(kept);
        expect(prepared.vectorBytes).toBe(vector === undefined ? 0 : digits.length);
        expect(keep(keep(line))).toBe(keep(line));
      }),
    );
  });

  it("is not misled by what looks like a vector elsewhere in the event", () => {
    const body = { a: 1, vector: [1, 2] };
    const event = { id: "x", body, text: ',"vector":[3]}', attributes: { vector: ["4"] } };
    expect(keep(lineOf(event).line)).toBe(lineOf(event).line);
    expect(parseLine(keep(lineOf({ ...event, vector: [5] }).line))).toMatchObject({
      ...event,
      vector: { dimensions: 1 },
    });
  });

  it("says the same as the line that comes again, and no more than its digits say", () => {
    const first = keep(lineOf({ id: "x", vector: [1, 2] }).line);
    expect(sameContent(first, lineOf({ id: "x", vector: [1, 2] }, NOW + 1).line, true, nodeDigest)).toBe(true);
    expect(sameContent(first, lineOf({ id: "x", vector: [1, 3] }).line, true, nodeDigest)).toBe(false);
    expect(() => parseWholeLine(first)).toThrow("digits");
  });
});

describe("the same content", () => {
  it("is found in a retry at another time, and only there", () => {
    fc.assert(
      fc.property(anyEventInput, anyEventInput, (a, b) => {
        const [first, again] = [lineOf({ ...a, id: "x" }), lineOf({ ...a, id: "x" }, NOW + 5_000)];
        expect(sameContent(first.line, again.line, again.prepared.tsDefaulted, nodeDigest)).toBe(true);
        const other = lineOf({ ...b, id: "x" });
        const kind = (input: EventInput) => input.kind ?? "note";
        const { ts: aTs, ...aRest } = { ...a, kind: kind(a) };
        const { ts: bTs, ...bRest } = { ...b, kind: kind(b) };
        const same =
          canonicalJson(defined(aRest)) === canonicalJson(defined(bRest)) &&
          (bTs === undefined || (aTs ?? NOW) === bTs);
        expect(sameContent(first.line, other.line, other.prepared.tsDefaulted, nodeDigest)).toBe(same);
      }),
    );
  });

  it("counts a time that was supplied", () => {
    const stored = lineOf({ id: "x", text: "a", ts: 1 });
    expect(sameContent(stored.line, lineOf({ id: "x", text: "a", ts: 2 }).line, false, nodeDigest)).toBe(false);
    expect(sameContent(stored.line, lineOf({ id: "x", text: "a" }).line, true, nodeDigest)).toBe(true);
  });
});

describe("a tombstone", () => {
  it("names what it withdraws, and is one per target", () => {
    const { line, prepared } = tombstoneLine("invoice/42", NOW, nodeDigest);
    const event = parseLine(line);
    expect(withdrawalTarget(event)).toBe("invoice/42");
    expect(event).toEqual({
      id: prepared.id,
      kind: "tombstone",
      ts: "2026-11-20T12:30:00.250Z",
      relations: [{ type: "withdraws", target: "invoice/42" }],
    });
    const again = tombstoneLine("invoice/42", NOW + 1, nodeDigest);
    expect(again.prepared.id).toBe(prepared.id);
    expect(sameContent(line, again.line, again.prepared.tsDefaulted, nodeDigest)).toBe(true);
    expect(tombstoneLine("invoice/43", NOW, nodeDigest).prepared.id).not.toBe(prepared.id);
    expect(eventIdSchema.parse(prepared.id)).toBe(prepared.id);
  });

  it("is the only kind that withdraws", () => {
    const relations = [{ type: "withdraws", target: "x" }];
    expect(withdrawalTarget(parseLine(lineOf({ relations }).line))).toBeNull();
    expect(withdrawalTarget(parseLine(lineOf({ kind: "tombstone" }).line))).toBeNull();
  });
});

function defined(input: EventInput): Json {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as Json;
}
