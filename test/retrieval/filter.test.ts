import { describe, expect, test } from "vitest";
import { type Filter, parseFilter } from "../../core/retrieval/filter.ts";
import { matchesEvent } from "../../core/retrieval/matches.ts";
import type { StoredEvent } from "../../core/schema/event.ts";
import type { Json } from "../../core/schema/scalar.ts";

function parsed(json: Json): Filter {
  const result = parseFilter(json);
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

function offender(json: Json): string | undefined {
  const result = parseFilter(json);
  if (result.ok || result.failure.reason !== "invalid") throw new Error("was taken");
  return result.failure.errors[0]?.path;
}

const EVENT: StoredEvent = {
  id: "call-7",
  ts: "2026-03-01T12:00:00.000Z",
  kind: "message",
  session: "s1",
  attributes: { stage: "won", amount: 12.5, open: true, tags: ["red", "blue"], "a.b": "dotted", emoji: "\u{1F600}" },
};

describe("what a filter matches", () => {
  const cases: readonly (readonly [Json, boolean])[] = [
    [{}, true],
    [{ kind: "message" }, true],
    [{ kind: "note" }, false],
    [{ id: "call-7" }, true],
    [{ entity: "account:acme" }, true],
    [{ entity: { $prefix: "user:" } }, false],
    [{ "attributes.stage": { $eq: "won" } }, true],
    [{ "attributes.a.b": "dotted" }, true],
    [{ "attributes.amount": 12.5 }, true],
    [{ "attributes.amount": "12.5" }, false],
    [{ "attributes.open": true }, true],
    [{ "attributes.tags": "red" }, false],
    [{ "attributes.tags": { $ne: "red" } }, true],
    [{ "attributes.tags": { $in: ["red"] } }, false],
    [{ "attributes.tags": { $contains: "red" } }, true],
    [{ "attributes.tags": { $contains: "re" } }, false],
    [{ "attributes.stage": { $contains: "o" } }, true],
    [{ "attributes.stage": { $prefix: "wo" } }, true],
    [{ "attributes.amount": { $prefix: "1" } }, false],
    [{ kind: { $in: [] } }, false],
    [{ kind: { $nin: [] } }, true],
    [{ kind: { $in: ["message", 3, true] } }, true],
    [{ "attributes.amount": { $gt: 12, $lte: 12.5 } }, true],
    [{ "attributes.amount": { $gt: 12, $lt: 12.5 } }, false],
    [{ "attributes.amount": { $gt: "1" } }, false],
    [{ "attributes.stage": { $gt: 1 } }, false],
    [{ "attributes.open": { $gte: 1 } }, false],
    // By code point U+1F600 follows U+FF01; by UTF-16 unit it would come before.
    [{ "attributes.emoji": { $gt: "\uFF01" } }, true],
    [{ ts: "2026-03-01T12:00:00Z" }, true],
    [{ ts: { $gte: Date.UTC(2026, 2, 1, 12), $lt: "2026-03-01T12:00:00.001Z" } }, true],
    [{ ts: { $in: ["2026-03-01T13:00:00+01:00"] } }, true],
    [{ ts: { $exists: true } }, true],
    [{ $and: [{ kind: "message" }, { session: "s1" }] }, true],
    [{ $or: [{ kind: "note" }, { session: "s1" }] }, true],
    [{ $not: { kind: "note" } }, true],
    [{ kind: { $not: { $in: ["message"] } } }, false],
    [{ kind: "message", session: "s2" }, false],
  ];
  test.each(cases)("%j → %s", (json, expected) => {
    expect(matchesEvent(parsed(json), EVENT, "account:acme")).toBe(expected);
  });

  test.each<readonly [Json, boolean]>([
    [{ $exists: false }, true],
    [{ $exists: true }, false],
    [{ $ne: "x" }, true],
    [{ $nin: ["x"] }, true],
    [{ $not: { $eq: "x" } }, true],
    [{ $eq: "x" }, false],
    [{ $in: ["x"] }, false],
    [{ $gt: 0 }, false],
    [{ $lte: "x" }, false],
    [{ $prefix: "" }, false],
    [{ $contains: "" }, false],
  ])("a missing field under %j → %s", (operators, expected) => {
    expect(matchesEvent(parsed({ actor: operators }), EVENT, "e")).toBe(expected);
    expect(matchesEvent(parsed({ "attributes.toString": operators }), EVENT, "e")).toBe(expected);
  });
});

describe("a filter that is not in the grammar is refused where it is wrong", () => {
  const nested = (depth: number): Json => (depth === 0 ? { kind: "note" } : { $not: nested(depth - 1) });
  const cases: readonly (readonly [string, Json, string])[] = [
    ["a list", [], "filter"],
    ["a string", "kind", "filter"],
    ["an unknown field", { colour: "red" }, "filter.colour"],
    ["the text", { text: "x" }, "filter.text"],
    ["an attribute without a name", { "attributes.": 1 }, "filter.attributes."],
    ["an unknown operator", { kind: { $like: "n" } }, "filter.kind.$like"],
    ["an unknown combination", { $nor: [] }, "filter.$nor"],
    ["no operator", { kind: {} }, "filter.kind"],
    ["null", { kind: null }, "filter.kind"],
    ["a list as a value", { kind: ["note"] }, "filter.kind"],
    ["a range of booleans", { "attributes.a": { $gt: true } }, "filter.attributes.a.$gt"],
    ["a list that is none", { kind: { $in: "note" } }, "filter.kind.$in"],
    ["a null in a list", { kind: { $in: ["a", null] } }, "filter.kind.$in.1"],
    ["a number for $exists", { kind: { $exists: 1 } }, "filter.kind.$exists"],
    ["a number for $prefix", { kind: { $prefix: 1 } }, "filter.kind.$prefix"],
    ["a time that is none", { ts: { $gt: "yesterday" } }, "filter.ts.$gt"],
    ["a prefix of a time", { ts: { $prefix: "2026" } }, "filter.ts.$prefix"],
    ["an empty $and", { $and: [] }, "filter.$and"],
    ["an empty $or", { $or: [] }, "filter.$or"],
    ["an object for $and", { $and: {} }, "filter.$and"],
    ["a list for $not", { $not: [] }, "filter.$not"],
    ["a scalar within $or", { $or: [{ kind: "note" }, 3] }, "filter.$or.1"],
    ["a list of 10,001 values", { kind: { $in: Array.from({ length: 10_001 }, (_, i) => i) } }, "filter.kind.$in"],
    ["nine levels", nested(9), `filter${".$not".repeat(9)}`],
    ["201 conditions", { $or: Array.from({ length: 201 }, () => ({ kind: "note" })) }, "filter.$or.200.kind"],
    ["201 empty objects", { $or: Array.from({ length: 201 }, () => ({})) }, "filter.$or.200"],
  ];
  test.each(cases)("%s", (_, json, path) => {
    expect(offender(json)).toBe(path);
  });

  test("the limits themselves are taken", () => {
    expect(parseFilter(nested(8)).ok).toBe(true);
    expect(parseFilter({ kind: { $in: Array.from({ length: 10_000 }, (_, i) => i) } }).ok).toBe(true);
    expect(parseFilter({ $or: Array.from({ length: 200 }, () => ({ kind: "note" })) }).ok).toBe(true);
  });
});
