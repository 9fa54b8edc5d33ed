/** Filters of the grammar, over the fields and values that the logs of corpus.ts have. */
import fc from "fast-check";
import type { Json } from "../../core/schema/scalar.ts";

const fields = fc.constantFrom(
  "id",
  "kind",
  "session",
  "actor",
  "entity",
  "attributes.stage",
  "attributes.amount",
  "attributes.open",
  "attributes.tags",
  "attributes.none",
);
const texts = fc.constantFrom("e1", "e3", "e", "note", "call", "s1", "won", "", "\uFF01", "\u{1F600}", "red", "10");
const numbers = fc.constantFrom(-1, 0, 2.5, 10);
const scalars = fc.oneof(texts, numbers, fc.boolean());
const times = fc.integer({ min: 0, max: 20 });

const operators = fc.oneof(
  fc.record({ operator: fc.constantFrom("$eq", "$ne"), operand: scalars }),
  fc.record({ operator: fc.constantFrom("$in", "$nin"), operand: fc.array(scalars, { maxLength: 4 }) }),
  fc.record({ operator: fc.constantFrom("$gt", "$gte", "$lt", "$lte"), operand: fc.oneof(texts, numbers) }),
  fc.record({ operator: fc.constant("$exists"), operand: fc.boolean() }),
  fc.record({ operator: fc.constantFrom("$prefix", "$contains"), operand: texts }),
);
const timeOperators = fc.oneof(
  fc.record({ operator: fc.constantFrom("$eq", "$ne", "$gt", "$gte", "$lt", "$lte"), operand: times }),
  fc.record({ operator: fc.constantFrom("$in", "$nin"), operand: fc.array(times, { maxLength: 4 }) }),
  fc.record({ operator: fc.constant("$exists"), operand: fc.boolean() }),
);

const condition: fc.Arbitrary<Json> = fc.oneof(
  fc.tuple(fields, scalars).map(([field, value]): Json => ({ [field]: value })),
  fc
    .tuple(fields, fc.array(operators, { minLength: 1, maxLength: 2 }), fc.boolean())
    .map(([field, chosen, negated]): Json => onField(field, chosen, negated)),
  fc
    .tuple(fc.array(timeOperators, { minLength: 1, maxLength: 2 }), fc.boolean())
    .map(([chosen, negated]): Json => onField("ts", chosen, negated)),
);

function onField(
  field: string,
  chosen: readonly { readonly operator: string; readonly operand: Json }[],
  negated: boolean,
): Json {
  const tests = Object.fromEntries(chosen.map(({ operator, operand }) => [operator, operand]));
  return { [field]: negated ? { $not: tests } : tests };
}

export const filterArbitrary: fc.Arbitrary<Json> = fc.letrec<{ readonly filter: Json }>((tie) => ({
  filter: fc.oneof(
    { depthSize: "small", maxDepth: 4 },
    condition,
    fc.constant<Json>({}),
    fc.array(tie("filter"), { minLength: 1, maxLength: 3 }).map((filters): Json => ({ $and: filters })),
    fc.array(tie("filter"), { minLength: 1, maxLength: 3 }).map((filters): Json => ({ $or: filters })),
    tie("filter").map((filter): Json => ({ $not: filter })),
  ),
})).filter;
