/**
 * What a filter matches, said twice: `matchesEvent` over one event is the meaning; `filterRows` is the same thing
 * over the columns of a part, as a bitset in the kernel. A property test holds them equal.
 *
 * A leaf looks at each distinct value of its column once: values → accepted codes → rows. Conditions that ask the
 * same column inside one `and`, `or` or `not` need no bitset of their own: their accepted codes are combined first.
 *
 * The columns that every event may have lie in the slab. Attributes do not: there may be as many names as events, and
 * a dense column of each would take rows × names. Their codes are read where the part keeps them, and rows go over.
 */
import type { Part } from "../index/part.ts";
import type { Bits, KernelSlab, LoadedPart } from "../ports.ts";
import type { AttributeValue, KeptEvent } from "../schema/event.ts";
import { parseRfc3339 } from "../schema/scalar.ts";
import { ATTRIBUTE_FIELD, type Filter, type Test } from "./filter.ts";
import type { RowNames } from "./hit.ts";

// --- Meaning --------------------------------------------------------------------------------

export function matchesEvent(filter: Filter, event: KeptEvent, entity: string): boolean {
  switch (filter.type) {
    case "and":
      return filter.filters.every((child) => matchesEvent(child, event, entity));
    case "or":
      return filter.filters.some((child) => matchesEvent(child, event, entity));
    case "not":
      return !matchesEvent(filter.filter, event, entity);
    case "condition":
      return testValue(filter.test, fieldOf(event, filter.field, entity));
  }
}

function fieldOf(event: KeptEvent, field: string, entity: string): AttributeValue | undefined {
  switch (field) {
    case "id":
      return event.id;
    case "kind":
      return event.kind;
    case "session":
      return event.session;
    case "actor":
      return event.actor;
    case "agent":
      return event.agent;
    case "source":
      return event.source;
    case "ts":
      return parseRfc3339(event.ts) ?? undefined;
    case "entity":
      return entity;
    default: {
      const name = field.slice(ATTRIBUTE_FIELD.length);
      const attributes = event.attributes ?? {};
      return Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    }
  }
}

/** One operator on one value; undefined is a missing one. */
export function testValue(test: Test, value: AttributeValue | undefined): boolean {
  switch (test.op) {
    case "eq":
      return value === test.value;
    case "ne":
      return value !== test.value;
    case "in":
      return isScalar(value) && test.values.has(value);
    case "nin":
      return !isScalar(value) || !test.values.has(value);
    case "exists":
      return (value !== undefined) === test.value;
    case "prefix":
      return typeof value === "string" && value.startsWith(test.value);
    case "contains":
      if (typeof value === "string") return value.includes(test.value);
      return isList(value) && value.includes(test.value);
    default: {
      const order = compareSameType(value, test.value);
      return order !== null && orderFits(test.op, order);
    }
  }
}

function isList(value: AttributeValue | undefined): value is readonly string[] {
  return Array.isArray(value);
}

function isScalar(value: AttributeValue | undefined): value is string | number | boolean {
  return value !== undefined && !isList(value);
}

function orderFits(op: "gt" | "gte" | "lt" | "lte", order: number): boolean {
  switch (op) {
    case "gt":
      return order > 0;
    case "gte":
      return order >= 0;
    case "lt":
      return order < 0;
    case "lte":
      return order <= 0;
  }
}

/** null when the two are not both numbers or both strings. */
function compareSameType(value: AttributeValue | undefined, operand: string | number): number | null {
  if (typeof value === "number" && typeof operand === "number") return value - operand;
  if (typeof value === "string" && typeof operand === "string") return compareCodePoints(value, operand);
  return null;
}

/** The order of UTF-8 bytes. JavaScript's `<` compares UTF-16 units, which puts surrogates below U+E000. */
export function compareCodePoints(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** Moves surrogates above the rest of the basic plane, where the code points they make belong. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

// --- Over a part ----------------------------------------------------------------------------

/** Whose rows a filter is asked of. */
export interface NamedRows {
  /** The entity whose events these are, unless the part says so row by row: then it has a column of that name. */
  readonly entity: string;
  /** Of parts over many entities, whose own ids tell these apart. */
  readonly names?: RowNames;
}

/** A part in a slab, and which column of it is which index there. */
export interface FilterTarget extends NamedRows {
  readonly part: Part;
  readonly columnOrder: readonly string[];
  readonly slab: KernelSlab;
  readonly loaded: LoadedPart;
}

/** The columns of a part that are loaded into a slab, in that order. */
export function columnOrderOf(part: Part): readonly string[] {
  return LOADED_COLUMNS.filter((name) => part.columns.has(name));
}

const LOADED_COLUMNS: readonly string[] = ["actor", "agent", "entity", "kind", "session", "source"];

/** Rows of the part that match, dead ones included. */
export function filterRows(filter: Filter, target: FilterTarget): Bits {
  const field = onlyField(filter);
  if (field !== null && !ROW_FIELDS.has(field)) return rowsByCode(filter, field, target);
  switch (filter.type) {
    case "and":
      return combine(filter.filters, target, (a, b) => target.slab.and(target.loaded, a, b), true);
    case "or":
      return combine(filter.filters, target, (a, b) => target.slab.or(target.loaded, a, b), false);
    case "not":
      return target.slab.not(target.loaded, filterRows(filter.filter, target));
    case "condition":
      return filter.field === "id" ? rowsById(filter.test, target) : rowsByTime(filter.test, target);
  }
}

/** Fields that have a value of their own in every row, not a column of codes. */
const ROW_FIELDS: ReadonlySet<string> = new Set(["id", "ts"]);

/** The one field that the whole filter asks, or null. */
function onlyField(filter: Filter): string | null {
  switch (filter.type) {
    case "condition":
      return filter.field;
    case "not":
      return onlyField(filter.filter);
    default: {
      const fields = new Set(filter.filters.map(onlyField));
      const [field] = fields;
      return fields.size === 1 && field !== undefined ? field : null;
    }
  }
}

function combine(
  filters: readonly Filter[],
  target: FilterTarget,
  join: (a: Bits, b: Bits) => Bits,
  empty: boolean,
): Bits {
  const [first, ...rest] = filters;
  if (first === undefined) return constantRows(target, empty);
  let bits = filterRows(first, target);
  for (const filter of rest) bits = join(bits, filterRows(filter, target));
  return bits;
}

function constantRows(target: FilterTarget, all: boolean): Bits {
  return all ? target.slab.allRows(target.loaded) : target.slab.noRows(target.loaded);
}

function rowsByCode(filter: Filter, field: string, target: FilterTarget): Bits {
  const column = target.part.columns.get(field);
  if (field === "entity" && column === undefined) return constantRows(target, matchesValue(filter, target.entity));
  if (column === undefined) return constantRows(target, matchesValue(filter, undefined));
  const accepted = new Uint8Array(column.values.length + 1);
  accepted[0] = Number(matchesValue(filter, undefined));
  column.values.forEach((value, index) => {
    accepted[index + 1] = Number(matchesValue(filter, value));
  });
  const loadedAs = target.columnOrder.indexOf(field);
  if (loadedAs >= 0) return target.slab.rowsWithCode(target.loaded, loadedAs, accepted);
  // Read once: there may be a hundred thousand.
  const { codes } = column;
  const matching = new Uint8Array(target.part.rows);
  for (let row = 0; row < matching.length; row++) matching[row] = accepted[codes[row] ?? 0] ?? 0;
  return rowsMarked(target, matching);
}

/** A filter that asks one field only, on that field's value. */
function matchesValue(filter: Filter, value: AttributeValue | undefined): boolean {
  switch (filter.type) {
    case "and":
      return filter.filters.every((child) => matchesValue(child, value));
    case "or":
      return filter.filters.some((child) => matchesValue(child, value));
    case "not":
      return !matchesValue(filter.filter, value);
    case "condition":
      return testValue(filter.test, value);
  }
}

function rowsByTime(test: Test, target: FilterTarget): Bits {
  const { slab, loaded, part } = target;
  const upTo = (time: number): Bits => slab.rowsInTime(loaded, Number.NEGATIVE_INFINITY, time);
  const since = (time: number): Bits => slab.rowsInTime(loaded, time, Number.POSITIVE_INFINITY);
  switch (test.op) {
    case "exists":
      return constantRows(target, test.value);
    case "eq":
      return slab.rowsInTime(loaded, Number(test.value), Number(test.value));
    case "ne":
      return slab.not(loaded, slab.rowsInTime(loaded, Number(test.value), Number(test.value)));
    case "gt":
      return slab.not(loaded, upTo(Number(test.value)));
    case "gte":
      return since(Number(test.value));
    case "lt":
      return slab.not(loaded, since(Number(test.value)));
    case "lte":
      return upTo(Number(test.value));
    default:
      return rowsWhere(target, (row) => testValue(test, part.rowTimes[row]));
  }
}

/**
 * Looks ids up instead of reading them where the test names them. A look-up finds an id's first row only; a later one
 * with the same id is void, so no live row is missed.
 */
function rowsById(test: Test, target: FilterTarget): Bits {
  const { slab, loaded, part, names } = target;
  if (names !== undefined && test.op !== "exists")
    return rowsWhere(target, (row) => testValue(test, names.idOf(part, row)));
  switch (test.op) {
    case "exists":
      return constantRows(target, test.value);
    case "eq":
      return slab.rowsWhere(loaded, rowsOfIds(part, [test.value]));
    case "ne":
      return slab.not(loaded, slab.rowsWhere(loaded, rowsOfIds(part, [test.value])));
    case "in":
      return slab.rowsWhere(loaded, rowsOfIds(part, test.values));
    case "nin":
      return slab.not(loaded, slab.rowsWhere(loaded, rowsOfIds(part, test.values)));
    default:
      return rowsWhere(target, (row) => testValue(test, part.idOfRow(row)));
  }
}

/** Ascending. */
function rowsOfIds(part: Part, ids: Iterable<string | number | boolean>): Uint32Array {
  const rows = new Set<number>();
  for (const id of ids) {
    const row = typeof id === "string" ? part.rowOfId(id) : -1;
    if (row >= 0) rows.add(row);
  }
  return Uint32Array.from(rows).sort();
}

function rowsWhere(target: FilterTarget, accept: (row: number) => boolean): Bits {
  const matching = new Uint8Array(target.part.rows);
  for (let row = 0; row < matching.length; row++) matching[row] = Number(accept(row));
  return rowsMarked(target, matching);
}

/** Those with a 1. Hands over the fewer of the rows that match and those that do not. */
function rowsMarked({ slab, loaded }: FilterTarget, matching: Uint8Array): Bits {
  let count = 0;
  for (let row = 0; row < matching.length; row++) count += matching[row] ?? 0;
  const fewer = count * 2 <= matching.length ? 1 : 0;
  const rows = new Uint32Array(fewer === 1 ? count : matching.length - count);
  for (let row = 0, filled = 0; filled < rows.length; row++) if (matching[row] === fewer) rows[filled++] = row;
  const bits = slab.rowsWhere(loaded, rows);
  return fewer === 1 ? bits : slab.not(loaded, bits);
}
