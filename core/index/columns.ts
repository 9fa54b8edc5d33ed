/**
 * Columns of a part: the values of one field over the rows, as codes into a list of distinct values.
 *
 * Callers name attributes as they like, and may give every event names of its own, so:
 *   - a field that most rows lack is kept as pairs of row and code: bytes follow what the events hold, not rows × names;
 *   - only the first PART_COLUMNS_MAX names of a part are stored; a column of another name is made from the lines when
 *     it is asked for, so the answer is the same;
 *   - a reader decodes a column when it is asked for, and keeps PART_COLUMN_BYTES_MAX of them.
 */
import { PART_COLUMN_BYTES_MAX, PART_COLUMNS_MAX } from "../limits.ts";
import type { AttributeValue, StoredEvent } from "../schema/event.ts";
import type { Column } from "./part.ts";
import { compareBytes, findString, readStringTable, type StringTable, writeStringTable } from "./string_table.ts";
import { bytesOf, uint32View } from "./typed_section.ts";

const ATTRIBUTE_COLUMN_PREFIX = "attributes.";
const FIELD_COLUMNS = ["actor", "agent", "kind", "session", "source"] as const;

/** Numbers of a column in `columnEntries`. */
const COLUMN_ENTRY = { offset: 0, pairs: 1, values: 2 } as const;
const ENTRY_NUMBERS = 3;
/** In the place of `pairs`: one code a row. */
const DENSE = 0xffffffff;

export const COLUMN_SECTIONS = ["columnNames", "columnEntries", "columnValues", "columnCodes"] as const;
type ColumnSections = Readonly<Record<(typeof COLUMN_SECTIONS)[number], Uint8Array>>;

// --- Writing --------------------------------------------------------------------------------

/** A column as it grows: distinct values in order of first appearance. */
class GrowingColumn {
  readonly values: AttributeValue[] = [];
  readonly rows: number[] = [];
  readonly codes: number[] = [];
  readonly #codeOf = new Map<string, number>();

  /** Rows come in ascending order. */
  add(row: number, value: AttributeValue): void {
    // The JSON of a value tells its type too: 1 and "1" are two values.
    const key = JSON.stringify(value);
    let code = this.#codeOf.get(key);
    if (code === undefined) {
      code = this.values.push(value);
      this.#codeOf.set(key, code);
    }
    this.rows.push(row);
    this.codes.push(code);
  }
}

export class ColumnsWriter {
  readonly #fields = new Map<string, GrowingColumn>();
  readonly #attributes = new Map<string, GrowingColumn>();
  #complete = true;

  /** Every name has its column. */
  get complete(): boolean {
    return this.#complete;
  }

  addRow(row: number, event: StoredEvent): void {
    for (const field of FIELD_COLUMNS) {
      const value = event[field];
      if (value !== undefined) growing(this.#fields, field).add(row, value);
    }
    for (const [attribute, value] of Object.entries(event.attributes ?? {})) {
      const name = ATTRIBUTE_COLUMN_PREFIX + attribute;
      const taken = this.#attributes.has(name) || this.#attributes.size < PART_COLUMNS_MAX;
      if (taken) growing(this.#attributes, name).add(row, value);
      else this.#complete = false;
    }
  }

  finish(rows: number): ColumnSections {
    const encoder = new TextEncoder();
    const sorted = [...this.#fields, ...this.#attributes]
      .map(([name, column]) => ({ name, column, order: encoder.encode(name) }))
      .sort((a, b) => compareBytes(a.order, b.order));
    const entries = new Uint32Array(sorted.length * ENTRY_NUMBERS);
    const total = sorted.reduce((sum, { column }) => sum + storedNumbers(column, rows), 0);
    const codes = new Uint32Array(total);
    let offset = 0;
    sorted.forEach(({ column }, index) => {
      const sparse = isSparse(column, rows);
      entries.set([offset, sparse ? column.rows.length : DENSE, column.values.length], index * ENTRY_NUMBERS);
      const stored = codes.subarray(offset, offset + storedNumbers(column, rows));
      if (sparse) writePairs(column, stored);
      else writeDense(column, stored);
      offset += stored.length;
    });
    return {
      columnNames: writeStringTable(sorted.map(({ name }) => name)),
      columnEntries: bytesOf(entries),
      columnValues: writeStringTable(sorted.map(({ column }) => JSON.stringify(column.values))),
      columnCodes: bytesOf(codes),
    };
  }
}

function growing(columns: Map<string, GrowingColumn>, name: string): GrowingColumn {
  const known = columns.get(name);
  if (known !== undefined) return known;
  const column = new GrowingColumn();
  columns.set(name, column);
  return column;
}

function writePairs(column: GrowingColumn, stored: Uint32Array): void {
  stored.set(column.rows, 0);
  stored.set(column.codes, column.rows.length);
}

function writeDense(column: GrowingColumn, stored: Uint32Array): void {
  column.rows.forEach((row, at) => {
    stored[row] = column.codes[at] ?? 0;
  });
}

function isSparse(column: GrowingColumn, rows: number): boolean {
  return column.rows.length * 2 < rows;
}

function storedNumbers(column: GrowingColumn, rows: number): number {
  return isSparse(column, rows) ? column.rows.length * 2 : rows;
}

// --- Reading --------------------------------------------------------------------------------

/** Tables that agree with each other; the values and codes they point at are checked too. */
interface ColumnTables {
  readonly names: StringTable;
  readonly entries: Uint32Array;
  readonly values: StringTable;
  readonly codes: Uint32Array;
  readonly rows: number;
}

/** The event of a row, for columns that are not stored. */
type EventOfRow = (row: number) => StoredEvent;

/**
 * null when the sections do not fit each other: a code without a value, a row that is not there, names out of order.
 * @param eventOfRow null when every name has its column
 */
export function readColumns(sections: ColumnSections, rows: number, eventOfRow: EventOfRow | null): PartColumns | null {
  const names = readStringTable(sections.columnNames);
  const entries = uint32View(sections.columnEntries);
  const values = readStringTable(sections.columnValues);
  const codes = uint32View(sections.columnCodes);
  if (names === null || entries === null || values === null || codes === null) return null;
  const tables = { names, entries, values, codes, rows };
  return areSound(tables) ? new PartColumns(tables, eventOfRow) : null;
}

function areSound(tables: ColumnTables): boolean {
  const { names, entries, values, codes, rows } = tables;
  if (entries.length !== names.count * ENTRY_NUMBERS || values.count !== names.count) return false;
  let end = 0;
  for (let index = 0; index < names.count; index++) {
    const { offset, pairs, valueCount } = entryAt(entries, index);
    const length = pairs === DENSE ? rows : pairs * 2;
    if (offset !== end || length > codes.length - offset) return false;
    end = offset + length;
    const rowsEnd = pairs === DENSE ? offset : offset + pairs;
    if (!areRows(codes.subarray(offset, rowsEnd), rows) || !areCodes(codes.subarray(rowsEnd, end), valueCount))
      return false;
    if (parseValues(values.at(index))?.length !== valueCount) return false;
    if (index > 0 && compareBytes(names.bytesAt(index - 1), names.bytesAt(index)) >= 0) return false;
  }
  return end === codes.length;
}

function areRows(pairRows: Uint32Array, rows: number): boolean {
  return pairRows.every((row, at) => row < rows && (at === 0 || row > (pairRows[at - 1] ?? 0)));
}

function areCodes(codes: Uint32Array, valueCount: number): boolean {
  return codes.every((code) => code <= valueCount);
}

function entryAt(entries: Uint32Array, index: number): { offset: number; pairs: number; valueCount: number } {
  const at = index * ENTRY_NUMBERS;
  return {
    offset: entries[at + COLUMN_ENTRY.offset] ?? 0,
    pairs: entries[at + COLUMN_ENTRY.pairs] ?? 0,
    valueCount: entries[at + COLUMN_ENTRY.values] ?? 0,
  };
}

function parseValues(json: string): readonly AttributeValue[] | null {
  try {
    const values: unknown = JSON.parse(json);
    return Array.isArray(values) && values.every(isAttributeValue) ? values : null;
  } catch {
    return null;
  }
}

function isAttributeValue(value: unknown): value is AttributeValue {
  if (Array.isArray(value)) return value.every((item) => typeof item === "string");
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** A map of columns that decodes what is asked for. It lists the columns that are stored; `get` finds all. */
class PartColumns implements ReadonlyMap<string, Column> {
  readonly #tables: ColumnTables;
  readonly #eventOfRow: EventOfRow | null;
  /** Oldest first. */
  readonly #kept = new Map<string, { readonly column: Column; readonly bytes: number }>();
  #keptBytes = 0;

  constructor(tables: ColumnTables, eventOfRow: EventOfRow | null) {
    this.#tables = tables;
    this.#eventOfRow = eventOfRow;
  }

  /** Of the columns that are stored. */
  get size(): number {
    return this.#tables.names.count;
  }

  has(name: string): boolean {
    return findString(this.#tables.names, name) !== -1 || this.get(name) !== undefined;
  }

  get(name: string): Column | undefined {
    const kept = this.#kept.get(name);
    if (kept !== undefined) return kept.column;
    const index = findString(this.#tables.names, name);
    const column = index === -1 ? this.#scan(name) : decodeColumn(this.#tables, index);
    if (column !== undefined) this.#keep(name, column);
    return column;
  }

  #scan(name: string): Column | undefined {
    const { rows } = this.#tables;
    if (this.#eventOfRow === null || !name.startsWith(ATTRIBUTE_COLUMN_PREFIX)) return undefined;
    const attribute = name.slice(ATTRIBUTE_COLUMN_PREFIX.length);
    const column = new GrowingColumn();
    for (let row = 0; row < rows; row++) {
      const attributes = this.#eventOfRow(row).attributes ?? {};
      const value = Object.hasOwn(attributes, attribute) ? attributes[attribute] : undefined;
      if (value !== undefined) column.add(row, value);
    }
    if (column.values.length === 0) return undefined;
    const codes = new Uint32Array(rows);
    writeDense(column, codes);
    return { codes, values: column.values };
  }

  #keep(name: string, column: Column): void {
    const bytes = column.codes.byteLength + JSON.stringify(column.values).length;
    this.#kept.set(name, { column, bytes });
    this.#keptBytes += bytes;
    for (const [oldest, { bytes: freed }] of this.#kept) {
      if (this.#keptBytes <= PART_COLUMN_BYTES_MAX || oldest === name) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= freed;
    }
  }

  *keys(): MapIterator<string> {
    for (let index = 0; index < this.size; index++) yield this.#tables.names.at(index);
  }

  *entries(): MapIterator<[string, Column]> {
    for (const name of this.keys()) {
      const column = this.get(name);
      if (column !== undefined) yield [name, column];
    }
  }

  *values(): MapIterator<Column> {
    for (const [, column] of this.entries()) yield column;
  }

  [Symbol.iterator](): MapIterator<[string, Column]> {
    return this.entries();
  }

  forEach(visit: (column: Column, name: string, columns: ReadonlyMap<string, Column>) => void): void {
    for (const [name, column] of this.entries()) visit(column, name, this);
  }
}

function decodeColumn(tables: ColumnTables, index: number): Column {
  const { offset, pairs } = entryAt(tables.entries, index);
  const values = parseValues(tables.values.at(index)) ?? [];
  if (pairs === DENSE) return { codes: tables.codes.subarray(offset, offset + tables.rows), values };
  const codes = new Uint32Array(tables.rows);
  for (let pair = 0; pair < pairs; pair++) {
    codes[tables.codes[offset + pair] ?? 0] = tables.codes[offset + pairs + pair] ?? 0;
  }
  return { codes, values };
}
