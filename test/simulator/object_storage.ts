/**
 * The storage of one object: real SQLite in memory, and its alarm.
 *
 *   - What is written is durable only when it is confirmed; messages sent after it wait for that, so a crash loses the
 *     writes and the messages together.
 *   - Only the newest instance that touched it may touch it: the statements of an older one throw.
 */
import type { Alarm, Sql } from "../../durable-objects/sql.ts";
import { type EmbeddedDatabase, embeddedDatabase } from "../objects/embedded_sql.ts";
import type { Network } from "./network.ts";

export class ObjectStorage {
  readonly #name: string;
  readonly #network: Network;
  readonly #onAlarm: (atMs: number) => void;
  #database: EmbeddedDatabase = embeddedDatabase();
  /** The newest instance that touched it. */
  #owner = 0;
  #isOpen = false;
  #waiting: (() => void)[] = [];
  #alarmMs: number | null = null;
  #durableAlarmMs: number | null = null;
  #depth = 0;

  constructor(name: string, network: Network, onAlarm: (atMs: number) => void) {
    this.#name = name;
    this.#network = network;
    this.#onAlarm = onAlarm;
  }

  /** As instance number `instance` sees it. */
  sqlOf(instance: number): Sql {
    return {
      run: (statement, ...bindings) => {
        this.#touch(instance);
        if (!statement.startsWith("SELECT")) this.#write();
        return this.#database.run(statement, ...bindings);
      },
      transaction: (body) => {
        this.#touch(instance);
        return this.#transaction(body);
      },
    };
  }

  alarmOf(instance: number): Alarm {
    return {
      get: async () => {
        this.#touch(instance);
        return this.#alarmMs;
      },
      set: (atMs) => {
        const set = this.#setBy(instance, atMs);
        // Nobody need wait for it, and a rejection that nobody waits for is only logged by the platform.
        set.catch(() => undefined);
        return set;
      },
    };
  }

  async #setBy(instance: number, atMs: number): Promise<void> {
    this.#touch(instance);
    this.#write();
    this.#alarmMs = atMs;
    this.#onAlarm(atMs);
  }

  #touch(instance: number): void {
    if (instance < this.#owner) throw new Error("the object runs elsewhere by now");
    this.#owner = instance;
  }

  #transaction<T>(body: () => T): T {
    if (this.#depth > 0) throw new Error("transactions do not nest");
    this.#write();
    this.#depth += 1;
    this.#database.exec("SAVEPOINT one");
    try {
      const result = body();
      this.#database.exec("RELEASE one");
      return result;
    } catch (cause) {
      this.#database.exec("ROLLBACK TO one; RELEASE one");
      throw cause;
    } finally {
      this.#depth -= 1;
    }
  }

  #write(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#database.exec("BEGIN");
    const name = `${this.#name} storage`;
    const database = this.#database;
    this.#network.scheduler.after(this.#network.delayMs(name), "", () => {
      if (this.#database === database) this.confirm();
    });
  }

  confirm(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#database.exec("COMMIT");
    this.#durableAlarmMs = this.#alarmMs;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const message of waiting) message();
  }

  whenConfirmed(message: () => void): void {
    if (this.#isOpen) this.#waiting.push(message);
    else message();
  }

  /** What was not confirmed is gone, and what waited for it is never sent. */
  crash(): void {
    this.#waiting = [];
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#database.exec("ROLLBACK");
    this.#alarmMs = this.#durableAlarmMs;
    if (this.#alarmMs !== null) this.#onAlarm(this.#alarmMs);
  }

  lose(): void {
    this.close();
    this.#waiting = [];
    this.#isOpen = false;
    this.#database = embeddedDatabase();
    this.#alarmMs = null;
    this.#durableAlarmMs = null;
  }

  get alarmMs(): number | null {
    return this.#alarmMs;
  }

  /** The platform's own doing: as it rings, or forgets. */
  setAlarm(atMs: number | null): void {
    this.#alarmMs = atMs;
    this.#durableAlarmMs = atMs;
    if (atMs !== null) this.#onAlarm(atMs);
  }

  close(): void {
    this.#database.close();
  }
}
