/** Event inputs as the schema lets them through, small enough that equal ones turn up. */
import fc from "fast-check";
import type { EventInput } from "../../core/schema/event.ts";
import type { Json } from "../../core/schema/scalar.ts";

const shortText = fc.string({ unit: "grapheme", maxLength: 8 });
const name = fc.constantFrom("a", "ä", "Z", "x y");

export const anyEventInput: fc.Arbitrary<EventInput> = fc.record(
  {
    ts: fc.integer({ min: 0, max: 3 }).map((day) => day * 86_400_000 + 5),
    kind: fc.constantFrom("note", "message"),
    text: shortText,
    body: fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as Json),
    attributes: fc.dictionary(
      name,
      fc.oneof(shortText, fc.boolean(), fc.integer(), fc.array(shortText, { maxLength: 2 })),
      { maxKeys: 2 },
    ),
    session: name,
    actor: name,
    vector: fc.array(fc.float({ noNaN: true, min: 1, max: 1000 }), { minLength: 1, maxLength: 3 }),
    relations: fc.array(fc.record({ type: name, target: name }), { maxLength: 2 }),
  },
  { requiredKeys: [] },
);
