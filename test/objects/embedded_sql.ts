/** The objects' SQLite over Node's own: the same dialect, without a runtime. */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Sql, SqlRow, SqlValue } from "../../durable-objects/sql.ts";

export interface EmbeddedDatabase extends Pick<Sql, "run"> {
  /** Statements without values and without rows. */
  exec(statements: string): void;
  close(): void;
}

export function embeddedDatabase(): EmbeddedDatabase {
  const database = new DatabaseSync(":memory:");
  const prepared = new Map<string, StatementSync>();
  return {
    run(text, ...bindings) {
      const values = bindings.map((value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : value));
      const statement = prepared.get(text) ?? database.prepare(text);
      prepared.set(text, statement);
      return statement.all(...values).map((row): SqlRow => {
        const plain: SqlRow = {};
        for (const [name, value] of Object.entries(row)) plain[name] = sqlValue(value);
        return plain;
      });
    },
    exec: (statements) => database.exec(statements),
    close: () => database.close(),
  };
}

export function embeddedSql(): Sql {
  const database = embeddedDatabase();
  let depth = 0;
  return {
    run: (statement, ...bindings) => database.run(statement, ...bindings),
    transaction<T>(body: () => T): T {
      if (depth > 0) throw new Error("transactions do not nest");
      depth += 1;
      database.exec("BEGIN");
      try {
        const result = body();
        database.exec("COMMIT");
        return result;
      } catch (cause) {
        database.exec("ROLLBACK");
        throw cause;
      } finally {
        depth -= 1;
      }
    },
  };
}

function sqlValue(value: unknown): SqlValue {
  if (value instanceof Uint8Array) return new Uint8Array(value).buffer;
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  throw new Error(`SQLite answered a ${typeof value}`);
}
