import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeDigest } from "../../adapters/platform/node_compat.ts";
import { keptLine, parseLine, prepareLine, tombstoneLine, withdrawalTarget } from "../../core/log/line.ts";
import { parseScopedId, scopedId, scopedLine } from "../../core/scope/scoped_line.ts";
import { anyEventInput } from "../log/any_event.ts";

const life = fc.record({
  entity: fc.string({ minLength: 1 }).filter((name) => !name.includes("\n")),
  incarnation: fc.integer({ min: 1, max: 999_999 }),
});

describe("a line of a part over many entities", () => {
  test("says what the segment's says, and whose it is", () => {
    fc.assert(
      fc.property(anyEventInput, life, (input, of) => {
        const { line } = prepareLine(input, 0, nodeDigest);
        const { entity, id, ...rest } = parseLine(scopedLine(line, of));
        const { id: own, ...said } = parseLine(line);
        expect(rest).toEqual(said);
        expect(entity).toBe(of.entity);
        expect(parseScopedId(id)).toEqual({ ...of, id: own });
        expect(parseLine(keptLine(scopedLine(line, of), nodeDigest)).vector).toEqual(
          parseLine(keptLine(line, nodeDigest)).vector,
        );
      }),
    );
  });

  test("withdraws within its life only", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9]{1,8}$/), life, (target, of) => {
        const { line } = tombstoneLine(target, 0, nodeDigest);
        expect(withdrawalTarget(parseLine(scopedLine(line, of)))).toBe(scopedId(of, target));
      }),
    );
  });

  test("has an id that no other life's event has", () => {
    const ids = ["account:a", "account:ab"].flatMap((entity) =>
      [1, 2].flatMap((incarnation) => ["x", "2"].map((id) => scopedId({ entity, incarnation }, id))),
    );
    expect(new Set(ids).size).toBe(ids.length);
    expect(() => parseScopedId("x")).toThrow();
  });
});
