/**
 * The SQLite of an object as the classes here see it: synchronous statements and one transaction.
 * In production it is the object's own storage; in tests it is an embedded database with the same dialect.
 */

export type SqlValue = string | number | null | ArrayBuffer;
export type SqlRow = Record<string, SqlValue>;

export interface Sql {
  /** Runs one statement and returns its rows. */
  run(statement: string, ...bindings: SqlValue[]): SqlRow[];
  /** All or nothing. Never contains an await. */
  transaction<T>(body: () => T): T;
}

/** The wake-up call of an object: at most one is set, the earliest wanted. */
export interface Alarm {
  /** Milliseconds since the epoch; null when none is set. */
  get(): Promise<number | null>;
  set(atMs: number): Promise<void>;
}

export function durableSql(storage: DurableObjectStorage): Sql {
  return {
    run: (statement, ...bindings) => storage.sql.exec<SqlRow>(statement, ...bindings).toArray(),
    transaction: (body) => storage.transactionSync(body),
  };
}

export function durableAlarm(storage: DurableObjectStorage): Alarm {
  return {
    get: () => storage.getAlarm(),
    set: (atMs) => storage.setAlarm(atMs),
  };
}

/** Brings a table of an earlier version up to date. Names and types are the caller's constants. */
export function addColumns(sql: Sql, table: string, columns: Readonly<Record<string, string>>): void {
  const known = new Set(sql.run("SELECT name FROM pragma_table_info(?)", table).map((row) => textOf(row.name)));
  for (const [name, type] of Object.entries(columns))
    if (!known.has(name)) sql.run(`ALTER TABLE ${table} ADD COLUMN ${name} ${type}`);
}

/** A view of `bytes` as the ArrayBuffer a statement binds. Copies only when `bytes` is a window of something larger. */
export function blobOf(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength) return buffer;
  return new Uint8Array(bytes).buffer;
}

export function bytesOf(value: SqlValue | undefined): Uint8Array {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new Error("a blob column held something else");
}

export function textOf(value: SqlValue | undefined): string {
  if (typeof value === "string") return value;
  throw new Error("a text column held something else");
}

export function numberOf(value: SqlValue | undefined): number {
  if (typeof value === "number") return value;
  throw new Error("a number column held something else");
}
