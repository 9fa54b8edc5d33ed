/**
 * Columns of a part: the values of one field over the rows, as codes into a list of distinct values.
 *
 * Callers name attributes as they like, and may give every event names of its own, so:
 *   - a field that most rows lack is kept as pairs of row and code: bytes follow what the events hold, not rows × names;
 *   - only the first PART_COLUMNS_MAX names of a part are stored; a column of another name is made from the lines when
 *     it is asked for, so the answer is the same;
 *   - a reader decodes a column when it is asked for, its values only when those are, and keeps PART_COLUMN_BYTES_MAX
 *     of them.
 */
import { PART_COLUMN_BYTES_MAX, PART_COLUMNS_MAX } from "../limits.ts";
import type { AttributeValue, KeptEvent } from "../schema/event.ts";
import { decodeValue, encodeValue, isValue } from "./column_value.ts";
import type { Column } from "./part.ts";
import {
  compareBytes,
  findString,
  readStringTable,
  type StringTable,
  writeBytesTable,
  writeStringTable,
} from "./string_table.ts";
import { bytesOf, uint32View, within } from "./typed_section.ts";

const ATTRIBUTE_COLUMN_PREFIX = "attributes.";
const FIELD_COLUMNS = ["actor", "agent", "entity", "kind", "session", "source"] as const;

/** Numbers of a column in `columnEntries`. */
const COLUMN_ENTRY = { offset: 0, pairs: 1, values: 2 } as const;
const ENTRY_NUMBERS = 3;
/** In the place of `pairs`: one code a row. */
const DENSE = 0xffffffff;

const CODE_BYTES = Uint32Array.BYTES_PER_ELEMENT;

type ColumnSections = Readonly<Record<"columnNames" | "columnEntries" | "columnValues" | "columnCodes", Uint8Array>>;

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

  addRow(row: number, event: KeptEvent): void {
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
      columnValues: writeBytesTable(sorted.flatMap(({ column }) => column.values.map(encodeValue))),
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

/** The sections of the columns, or what was read of them. */
export interface ColumnSource {
  readonly names: Uint8Array;
  readonly entries: Uint8Array;
  /** null when they were not read: no column can then be asked for its values. */
  readonly values: Uint8Array | null;
  /** Bytes of the section `columnCodes`. */
  readonly codesBytes: number;
  /** A piece of that section; null when it was not read: its column cannot then be asked for. */
  codes(offset: number, length: number): Uint8Array | null;
  /** The codes were found sound before: each column's are read when it is asked for. */
  readonly proven: boolean;
}

/** Tables that agree with each other; the values and codes they point at are checked too. */
interface ColumnTables {
  readonly names: StringTable;
  readonly columns: readonly PlacedColumn[];
  readonly values: StringTable | null;
  readonly rows: number;
}

interface PlacedColumn {
  /** Rows and codes of a sparse column, or one code a row; null when they were not read. */
  numbers(): Uint32Array | null;
  /** DENSE, or how many pairs. */
  readonly pairs: number;
  /** Its values in the table of all. */
  readonly firstValue: number;
  readonly valueCount: number;
}

/** The event of a row, for columns that are not stored. */
type EventOfRow = (row: number) => KeptEvent;

/**
 * null when the sections do not fit each other: a code without a value, a row that is not there, names out of order.
 * @param eventOfRow null when every name has its column
 */
export function readColumns(source: ColumnSource, rows: number, eventOfRow: EventOfRow | null): PartColumns | null {
  const names = readStringTable(source.names);
  const values = source.values && readStringTable(source.values);
  if (names === null || (values === null && source.values !== null) || !haveOrder(names)) return null;
  const places = placesOf(source.entries, names.count, rows, source.codesBytes);
  const columns = places?.map((place) => readColumn(place, source, rows));
  if (columns === undefined || columns.includes(null)) return null;
  if (values !== null && !areValues(values, places ?? [])) return null;
  const read = columns.filter((column) => column !== null);
  return new PartColumns({ names, columns: read, values, rows }, eventOfRow);
}

function haveOrder(names: StringTable): boolean {
  for (let index = 1; index < names.count; index++)
    if (compareBytes(names.bytesAt(index - 1), names.bytesAt(index)) >= 0) return false;
  return true;
}

/** Where a column's numbers lie in `columnCodes`, in bytes, and its values among those of all columns. */
interface ColumnPlace {
  readonly offset: number;
  readonly length: number;
  readonly pairs: number;
  readonly firstValue: number;
  readonly valueCount: number;
}

/** null unless the columns lie end to end and fill `codesBytes`. */
function placesOf(entries: Uint8Array, count: number, rows: number, codesBytes: number): readonly ColumnPlace[] | null {
  const numbers = uint32View(entries);
  if (numbers === null || numbers.length !== count * ENTRY_NUMBERS) return null;
  const places: ColumnPlace[] = [];
  let end = 0;
  let firstValue = 0;
  for (let at = 0; at < numbers.length; at += ENTRY_NUMBERS) {
    const offset = (numbers[at + COLUMN_ENTRY.offset] ?? 0) * CODE_BYTES;
    const pairs = numbers[at + COLUMN_ENTRY.pairs] ?? 0;
    const valueCount = numbers[at + COLUMN_ENTRY.values] ?? 0;
    const length = (pairs === DENSE ? rows : pairs * 2) * CODE_BYTES;
    if (offset !== end || length > codesBytes - offset) return null;
    places.push({ offset, length, pairs, firstValue, valueCount });
    end = offset + length;
    firstValue += valueCount;
  }
  return end === codesBytes ? places : null;
}

/** null when rows or codes are not what they can be. */
function readColumn(place: ColumnPlace, source: ColumnSource, rows: number): PlacedColumn | null {
  const { offset, length, pairs, firstValue, valueCount } = place;
  const read = (): Uint32Array | null => {
    const bytes = source.codes(offset, length);
    return bytes && uint32View(bytes);
  };
  if (source.proven) return { numbers: read, pairs, firstValue, valueCount };
  const numbers = read();
  if (numbers !== null) {
    const rowsEnd = pairs === DENSE ? 0 : pairs;
    if (!areRows(numbers.subarray(0, rowsEnd), rows) || !within(numbers.subarray(rowsEnd), valueCount + 1)) return null;
  }
  return { numbers: () => numbers, pairs, firstValue, valueCount };
}

function areRows(pairRows: Uint32Array, rows: number): boolean {
  for (let at = 1; at < pairRows.length; at++) if ((pairRows[at] ?? 0) <= (pairRows[at - 1] ?? 0)) return false;
  return within(pairRows, rows);
}

function areValues(values: StringTable, places: readonly ColumnPlace[]): boolean {
  const last = places.at(-1);
  if (values.count !== (last === undefined ? 0 : last.firstValue + last.valueCount)) return false;
  return values.every(isValue);
}

/**
 * The pieces of `columnCodes` that hold the columns of these names, those that are stored; null when the tables do not
 * fit each other.
 */
export function placesOfColumns(
  source: Pick<ColumnSource, "names" | "entries" | "codesBytes">,
  rows: number,
  wanted: readonly string[],
): readonly { readonly offset: number; readonly length: number }[] | null {
  const names = readStringTable(source.names);
  const places = names && placesOf(source.entries, names.count, rows, source.codesBytes);
  if (names === null || places === null || !haveOrder(names)) return null;
  return wanted.flatMap((name) => places[findString(names, name)] ?? []);
}

/** A map of columns that decodes what is asked for. It lists the columns that are stored; `get` finds all. */
export class PartColumns implements ReadonlyMap<string, Column> {
  readonly #tables: ColumnTables;
  readonly #eventOfRow: EventOfRow | null;
  /** Oldest first. */
  readonly #kept = new Map<string, { readonly column: Column; readonly bytes: number }>();
  #keptBytes = 0;

  constructor(tables: ColumnTables, eventOfRow: EventOfRow | null) {
    this.#tables = tables;
    this.#eventOfRow = eventOfRow;
  }

  /** Of decoded columns, about. */
  get keptBytes(): number {
    return this.#keptBytes;
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
    if (index === -1) return this.#scan(name);
    const column = new StoredColumn(this.#tables, index);
    this.#keep(name, column, column.bytes);
    return column;
  }

  /** Of a stored column one code a row, for who takes them elsewhere: a column that was not decoded is not kept for it. */
  codesOf(name: string): Uint32Array | undefined {
    const kept = this.#kept.get(name);
    if (kept !== undefined) return kept.column.codes;
    const index = findString(this.#tables.names, name);
    return index === -1 ? undefined : new StoredColumn(this.#tables, index).codes;
  }

  #scan(name: string): Column | undefined {
    const { rows } = this.#tables;
    if (this.#eventOfRow === null || !name.startsWith(ATTRIBUTE_COLUMN_PREFIX)) return undefined;
    const attribute = name.slice(ATTRIBUTE_COLUMN_PREFIX.length);
    const grown = new GrowingColumn();
    for (let row = 0; row < rows; row++) {
      const attributes = this.#eventOfRow(row).attributes ?? {};
      const value = Object.hasOwn(attributes, attribute) ? attributes[attribute] : undefined;
      if (value !== undefined) grown.add(row, value);
    }
    if (grown.values.length === 0) return undefined;
    const column = { codes: new Uint32Array(rows), values: grown.values };
    writeDense(grown, column.codes);
    this.#keep(name, column, column.codes.byteLength + JSON.stringify(column.values).length);
    return column;
  }

  #keep(name: string, column: Column, bytes: number): void {
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

/** A column of the file. A codes array that is dense there is a view of it. */
class StoredColumn implements Column {
  readonly codes: Uint32Array;
  /** About what it takes, values included. */
  readonly bytes: number;
  readonly #tables: ColumnTables;
  readonly #place: PlacedColumn;
  #values: readonly AttributeValue[] | null = null;

  constructor(tables: ColumnTables, index: number) {
    const place = tables.columns[index];
    const numbers = place?.numbers() ?? null;
    if (place === undefined || numbers === null) throw notRead(tables.names.at(index));
    this.#tables = tables;
    this.#place = place;
    this.codes = place.pairs === DENSE ? numbers : denseCodes(numbers, place.pairs, tables.rows);
    this.bytes = this.codes.byteLength + bytesOfValues(tables.values, place);
  }

  get values(): readonly AttributeValue[] {
    this.#values ??= this.#decode();
    return this.#values;
  }

  #decode(): readonly AttributeValue[] {
    const { values } = this.#tables;
    if (values === null) throw notRead("columnValues");
    const { firstValue, valueCount } = this.#place;
    return Array.from({ length: valueCount }, (_, index) => decodeValue(values.bytesAt(firstValue + index)));
  }
}

/** Values of one column lie together. */
function bytesOfValues(values: StringTable | null, { firstValue, valueCount }: PlacedColumn): number {
  if (values === null || valueCount === 0) return 0;
  const last = values.bytesAt(firstValue + valueCount - 1);
  return last.byteOffset + last.length - values.bytesAt(firstValue).byteOffset;
}

function denseCodes(numbers: Uint32Array, pairs: number, rows: number): Uint32Array {
  const codes = new Uint32Array(rows);
  for (let pair = 0; pair < pairs; pair++) codes[numbers[pair] ?? 0] = numbers[pairs + pair] ?? 0;
  return codes;
}

function notRead(what: string): RangeError {
  return new RangeError(`${what} was not read`);
}
