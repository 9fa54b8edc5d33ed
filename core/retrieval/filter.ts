/**
 * The filter grammar of searches: JSON in, a typed tree out. What a tree matches is said by `matchesEvent` (matches.ts).
 *
 *   filter     = { entry, … }                      all entries must match; {} matches everything
 *   entry      = field: value                      equality
 *              | field: { operator: operand, … }   all operators must match; at least one
 *              | "$and" | "$or": [ filter, … ]     at least one
 *              | "$not": filter
 *   field      = id kind session actor agent source ts entity | attributes.<name>   (the name may hold dots)
 *   value      = string | number | boolean; null and lists are refused: there is `$exists`, `$in`, `$contains`
 *
 *   $eq $ne         the value, of the same type; a list of strings equals nothing
 *   $in $nin        at most FILTER_IN_VALUES_MAX values, one condition; an empty `$in` matches nothing
 *   $gt $gte $lt $lte   numbers with numbers, strings with strings by code point; other pairs do not match
 *   $exists         true or false
 *   $prefix         strings that begin so
 *   $contains       a list of strings that has the value, or a string that has it as a substring
 *   $not            within a field: `{field: {$not: {operator: operand, …}}}`
 *
 * `ts` takes RFC 3339 or epoch milliseconds, and no `$prefix` or `$contains`.
 * A missing field matches only `$exists: false`, `$ne`, `$nin`, and `$not` of what it does not match.
 * `$and`, `$or` and `$not` nest FILTER_DEPTH_MAX deep. Every operator counts as a condition, an empty object too:
 * FILTER_CONDITIONS_MAX in all. Anything else is refused with the path of the offender.
 */
import { type FieldError, fail, ok, type Result } from "../errors.ts";
import { FILTER_CONDITIONS_MAX, FILTER_DEPTH_MAX, FILTER_IN_VALUES_MAX } from "../limits.ts";
import { type Json, parseRfc3339 } from "../schema/scalar.ts";

export type Scalar = string | number | boolean;

/** One operator with its operand. On `ts` every operand is epoch milliseconds. */
export type Test =
  | { readonly op: "eq" | "ne"; readonly value: Scalar }
  | { readonly op: "in" | "nin"; readonly values: ReadonlySet<Scalar> }
  | { readonly op: "gt" | "gte" | "lt" | "lte"; readonly value: string | number }
  | { readonly op: "exists"; readonly value: boolean }
  | { readonly op: "prefix" | "contains"; readonly value: string };

export type Filter =
  /** Matches everything when empty. */
  | { readonly type: "and"; readonly filters: readonly Filter[] }
  | { readonly type: "or"; readonly filters: readonly Filter[] }
  | { readonly type: "not"; readonly filter: Filter }
  | { readonly type: "condition"; readonly field: string; readonly test: Test };

export const MATCH_ALL: Filter = { type: "and", filters: [] };

/** The fields that a filter asks. */
export function fieldsOf(filter: Filter): ReadonlySet<string> {
  switch (filter.type) {
    case "condition":
      return new Set([filter.field]);
    case "not":
      return fieldsOf(filter.filter);
    default:
      return new Set(filter.filters.flatMap((child) => [...fieldsOf(child)]));
  }
}

/** Prefix of the fields that name an attribute. */
export const ATTRIBUTE_FIELD = "attributes.";

const FIELDS: ReadonlySet<string> = new Set(["id", "kind", "session", "actor", "agent", "source", "ts", "entity"]);

/** `json` is the request's `filter`; paths of errors begin with that word. */
export function parseFilter(json: Json): Result<Filter> {
  const parser: Parser = { conditions: 0 };
  try {
    return ok(parseObject(parser, json, "filter", 0));
  } catch (error) {
    if (error instanceof Refusal) return fail({ reason: "invalid", errors: [error.at] });
    throw error;
  }
}

interface Parser {
  conditions: number;
}

/** Unwinds the recursion to `parseFilter`; never leaves this file. */
class Refusal extends Error {
  readonly at: FieldError;
  constructor(path: string, message: string) {
    super(message);
    this.at = { path, message };
  }
}

function parseObject(parser: Parser, json: Json, path: string, depth: number): Filter {
  if (!isObject(json)) throw new Refusal(path, "must be an object");
  const entries = Object.entries(json);
  if (entries.length === 0) {
    countCondition(parser, path);
    return MATCH_ALL;
  }
  return conjunction(entries.map(([key, value]) => parseEntry(parser, key, value, `${path}.${key}`, depth)));
}

function parseEntry(parser: Parser, key: string, value: Json, path: string, depth: number): Filter {
  switch (key) {
    case "$and":
    case "$or": {
      const inner = deeper(depth, path);
      if (!isList(value) || value.length === 0) throw new Refusal(path, "must be a list of at least one filter");
      const filters = value.map((child, index) => parseObject(parser, child, `${path}.${index}`, inner));
      return { type: key === "$and" ? "and" : "or", filters };
    }
    case "$not":
      return { type: "not", filter: parseObject(parser, value, path, deeper(depth, path)) };
    default:
      requireField(key, path);
      return parseField(parser, key, value, path, depth);
  }
}

function requireField(field: string, path: string): void {
  if (FIELDS.has(field)) return;
  if (field.startsWith(ATTRIBUTE_FIELD) && field.length > ATTRIBUTE_FIELD.length) return;
  throw new Refusal(path, `is not a field; fields are ${[...FIELDS].join(", ")} and ${ATTRIBUTE_FIELD}<name>`);
}

function parseField(parser: Parser, field: string, value: Json, path: string, depth: number): Filter {
  if (isObject(value)) return parseOperators(parser, field, value, path, depth);
  countCondition(parser, path);
  return { type: "condition", field, test: { op: "eq", value: scalarOperand(field, value, path) } };
}

function parseOperators(parser: Parser, field: string, json: Json, path: string, depth: number): Filter {
  if (!isObject(json)) throw new Refusal(path, "must be an object of operators");
  const entries = Object.entries(json);
  if (entries.length === 0) throw new Refusal(path, "has no operator");
  return conjunction(
    entries.map(([operator, operand]): Filter => {
      const at = `${path}.${operator}`;
      if (operator === "$not") {
        return { type: "not", filter: parseOperators(parser, field, operand, at, deeper(depth, at)) };
      }
      countCondition(parser, at);
      return { type: "condition", field, test: parseTest(field, operator, operand, at) };
    }),
  );
}

function parseTest(field: string, operator: string, operand: Json, path: string): Test {
  switch (operator) {
    case "$eq":
      return { op: "eq", value: scalarOperand(field, operand, path) };
    case "$ne":
      return { op: "ne", value: scalarOperand(field, operand, path) };
    case "$in":
      return { op: "in", values: listOperand(field, operand, path) };
    case "$nin":
      return { op: "nin", values: listOperand(field, operand, path) };
    case "$gt":
      return { op: "gt", value: orderedOperand(field, operand, path) };
    case "$gte":
      return { op: "gte", value: orderedOperand(field, operand, path) };
    case "$lt":
      return { op: "lt", value: orderedOperand(field, operand, path) };
    case "$lte":
      return { op: "lte", value: orderedOperand(field, operand, path) };
    case "$exists":
      if (typeof operand !== "boolean") throw new Refusal(path, "must be true or false");
      return { op: "exists", value: operand };
    case "$prefix":
      return { op: "prefix", value: textOperand(field, operand, path) };
    case "$contains":
      return { op: "contains", value: textOperand(field, operand, path) };
    default:
      throw new Refusal(path, "is not an operator");
  }
}

function scalarOperand(field: string, operand: Json, path: string): Scalar {
  if (field === "ts") return timeOperand(operand, path);
  if (typeof operand === "string" || typeof operand === "number" || typeof operand === "boolean") return operand;
  throw new Refusal(path, "must be a string, a number or a boolean");
}

function listOperand(field: string, operand: Json, path: string): ReadonlySet<Scalar> {
  if (!isList(operand)) throw new Refusal(path, "must be a list");
  if (operand.length > FILTER_IN_VALUES_MAX) throw new Refusal(path, `has more than ${FILTER_IN_VALUES_MAX} values`);
  return new Set(operand.map((value, index) => scalarOperand(field, value, `${path}.${index}`)));
}

function orderedOperand(field: string, operand: Json, path: string): string | number {
  if (field === "ts") return timeOperand(operand, path);
  if (typeof operand === "string" || typeof operand === "number") return operand;
  throw new Refusal(path, "must be a string or a number");
}

function textOperand(field: string, operand: Json, path: string): string {
  if (field === "ts") throw new Refusal(path, "does not apply to times");
  if (typeof operand === "string") return operand;
  throw new Refusal(path, "must be a string");
}

function timeOperand(operand: Json, path: string): number {
  if (typeof operand === "number") return operand;
  const ms = typeof operand === "string" ? parseRfc3339(operand) : null;
  if (ms === null) throw new Refusal(path, "must be an RFC 3339 time or epoch milliseconds");
  return ms;
}

function deeper(depth: number, path: string): number {
  if (depth === FILTER_DEPTH_MAX) throw new Refusal(path, `nests deeper than ${FILTER_DEPTH_MAX}`);
  return depth + 1;
}

function countCondition(parser: Parser, path: string): void {
  parser.conditions += 1;
  if (parser.conditions > FILTER_CONDITIONS_MAX) {
    throw new Refusal(path, `is one condition more than the ${FILTER_CONDITIONS_MAX} that are taken`);
  }
}

function conjunction(filters: readonly Filter[]): Filter {
  const only = filters[0];
  return only !== undefined && filters.length === 1 ? only : { type: "and", filters };
}

function isObject(json: Json): json is { readonly [key: string]: Json } {
  return json !== null && typeof json === "object" && !Array.isArray(json);
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}
