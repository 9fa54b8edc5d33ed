import fc from "fast-check";
import { expect, it } from "vitest";
import { nodeDigest } from "../../adapters/platform/node_compat.ts";
import { eventId, idHash, isTombstoneId, tombstoneId } from "../../core/log/event_id.ts";
import { eventIdSchema, eventInputSchema } from "../../core/schema/event.ts";
import { anyEventInput } from "./any_event.ts";

const id = (input: unknown) => eventId(eventInputSchema.parse(input), nodeDigest);

it("is golden: ids are kept for good, so a change of their derivation is a change of the format", () => {
  expect(id({ text: "hello" })).toBe("d532fcb31bcf2ed006c133e3f777555aa2851584");
});

it("is a fit event id of 40 hex digits, equal for equal content and for no other", () => {
  fc.assert(
    fc.property(anyEventInput, anyEventInput, (a, b) => {
      const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
      expect(eventIdSchema.parse(eventId(a, nodeDigest))).toMatch(/^[0-9a-f]{40}$/);
      expect(eventId(a, nodeDigest) === eventId(b, nodeDigest)).toBe(same);
      expect(eventId(structuredClone(a), nodeDigest)).toBe(eventId(a, nodeDigest));
    }),
  );
});

it("takes a time for what it says, however it was written", () => {
  expect(id({ ts: "2026-01-01T01:00:00+01:00" })).toBe(id({ ts: 1_767_225_600_000 }));
});

it("mixes in no defaults: a kind that was sent is told from one that was not", () => {
  expect(id({ text: "a", kind: "note" })).not.toBe(id({ text: "a" }));
  expect(id({ text: "a", ts: 0 })).not.toBe(id({ text: "a" }));
});

it("ignores an id, which is a name and no content, and fields that are undefined", () => {
  expect(id({ id: "x", text: "a", session: undefined })).toBe(id({ text: "a" }));
});

it("names a tombstone by its target, in a space that no content id lies in", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
      expect(isTombstoneId(tombstoneId(a, nodeDigest))).toBe(true);
      expect(tombstoneId(a, nodeDigest) === tombstoneId(b, nodeDigest)).toBe(a === b);
    }),
  );
  expect(isTombstoneId(id({ text: "a" }))).toBe(false);
});

it("hashes an id to the first 64 bits of its SHA-256", () => {
  expect(idHash("abc", nodeDigest)).toEqual({ high: 0xba7816bf, low: 0x8f01cfea });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, member]) => [name, sorted(member)]);
}
