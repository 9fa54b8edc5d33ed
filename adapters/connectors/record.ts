/**
 * Turns a flat record (a JSONL line, a CSV row) into an event.
 *
 * - **Entity**: the entity column, else the first of `ENTITY_COLUMNS` present. `entity` is taken as it is; a value of
 *   another column is prefixed with the column's name (`account` → `account:Acme`). Without one: the default entity.
 * - **Time**: the time column, else the first of `TIME_COLUMNS` present. A time without a zone is UTC; a number is
 *   epoch milliseconds, or seconds when it is too small for that.
 * - **Text**: the text columns, joined by new lines, else the first of `TEXT_COLUMNS` present, else every other field
 *   as `name: value` lines, so that the record can be found at all.
 * - `id`, `kind`, `session` (or `thread`), `actor` (or `author`), `agent`, `source`, `vector`, `relations`,
 *   `attributes` and `body` are the API's own.
 * - No column is used twice. Everything else becomes an attribute, and what an attribute cannot hold goes into `body`. Nulls and empty cells are
 *   left out.
 */
import { type ConnectorItem, checkedItem, refused } from "./item.ts";

export interface RecordMapping {
  readonly entityColumn?: string;
  readonly timeColumn?: string;
  readonly textColumns?: readonly string[];
  readonly idColumn?: string;
  /** For records without an entity of their own. */
  readonly defaultEntity: string;
}

export const ENTITY_COLUMNS: readonly string[] = ["entity", "account", "customer", "user", "contact", "channel"];
export const TIME_COLUMNS: readonly string[] = ["ts", "timestamp", "time", "date", "created_at", "datetime"];
export const TEXT_COLUMNS: readonly string[] = ["text", "message", "content", "description", "title", "subject"];

/** The API's fields, and the names that other systems give them. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  kind: ["kind"],
  session: ["session", "thread"],
  actor: ["actor", "author"],
  agent: ["agent"],
  source: ["source"],
  vector: ["vector"],
  relations: ["relations"],
};

/** Epoch seconds stay below this until the year 5138; milliseconds passed it in 1973. */
const EPOCH_SECONDS_MAX = 100_000_000_000;
const WITHOUT_ZONE = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?$/;

type Fields = Readonly<Record<string, unknown>>;

export function recordItem(where: string, record: Fields, mapping: RecordMapping): ConnectorItem {
  const given = Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null && value !== ""));
  const used = new Set<string>();
  const take = (column: string | undefined): unknown => {
    if (column === undefined) return undefined;
    used.add(column);
    return given[column];
  };
  const entity = entityOf(given, mapping, take);
  const time = take(mapping.timeColumn ?? firstOf(given, TIME_COLUMNS));
  const id = take(mapping.idColumn ?? "id");
  const unused = (names: readonly string[]): readonly string[] => names.filter((name) => !used.has(name));
  const fields = Object.entries(ALIASES).map(([field, names]) => [field, take(firstOf(given, unused(names)))] as const);
  const text = textOf(given, mapping, used, take);
  const rest = Object.entries(given).filter(([name]) => !used.has(name) && name !== "attributes" && name !== "body");
  const attributes = Object.fromEntries(rest.filter(([, value]) => isAttribute(value)));
  const nested = Object.fromEntries(rest.filter(([, value]) => !isAttribute(value)));
  const body = bodyOf(given.body, nested);
  if (body === null)
    return refused(where, `${Object.keys(nested)[0]}: is no attribute, and the record has a body of its own`);
  const own = given.attributes;
  if (own !== undefined && !isObject(own)) return refused(where, "attributes: is no object");
  return checkedItem(where, {
    entity,
    ...present({
      id: typeof id === "number" ? String(id) : id,
      ts: timeOf(time),
      text,
      body: body.value,
      ...Object.fromEntries(fields),
      attributes: Object.keys({ ...attributes, ...own }).length > 0 ? { ...attributes, ...own } : undefined,
    }),
  });
}

function entityOf(given: Fields, mapping: RecordMapping, take: (column: string | undefined) => unknown): string {
  const column = mapping.entityColumn ?? firstOf(given, ENTITY_COLUMNS);
  const value = take(column);
  if (column === undefined || value === undefined) return mapping.defaultEntity;
  return column === "entity" ? String(value) : `${column}:${String(value)}`;
}

function textOf(
  given: Fields,
  mapping: RecordMapping,
  used: Set<string>,
  take: (column: string | undefined) => unknown,
): unknown {
  if (mapping.textColumns !== undefined) {
    return joined(mapping.textColumns.map((column) => take(column)).filter((value) => value !== undefined));
  }
  const column = firstOf(given, TEXT_COLUMNS);
  if (column !== undefined) return take(column);
  const lines = Object.entries(given).filter(([name, value]) => !used.has(name) && isScalar(value));
  return joined(lines.map(([name, value]) => `${name}: ${String(value)}`));
}

function joined(parts: readonly unknown[]): string | undefined {
  return parts.length === 0 ? undefined : parts.map(String).join("\n");
}

/** null when both the record's own body and fields that only a body can hold are there. */
function bodyOf(own: unknown, nested: Fields): { readonly value: unknown } | null {
  if (Object.keys(nested).length === 0) return { value: own };
  return own === undefined ? { value: nested } : null;
}

/** What the API's time schema takes, where the input says which time it is; else the input as it stands. */
function timeOf(value: unknown): unknown {
  const seconds = typeof value === "string" && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  if (typeof seconds === "number") return Math.round(seconds < EPOCH_SECONDS_MAX ? seconds * 1000 : seconds);
  if (typeof value !== "string" || !WITHOUT_ZONE.test(value)) return value;
  return `${value.replace(" ", "T")}${value.length === 16 ? ":00" : ""}Z`;
}

function firstOf(given: Fields, names: readonly string[]): string | undefined {
  return names.find((name) => given[name] !== undefined);
}

function present(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isScalar(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function isAttribute(value: unknown): boolean {
  return isScalar(value) || (Array.isArray(value) && value.every((entry) => typeof entry === "string"));
}
