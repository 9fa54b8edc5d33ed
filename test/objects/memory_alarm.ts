/** An object's alarm that tests ring. */
import type { Alarm } from "../../durable-objects/sql.ts";

export class MemoryAlarm implements Alarm {
  /** Milliseconds since the epoch; null when none is set. */
  atMs: number | null = null;

  async get(): Promise<number | null> {
    return this.atMs;
  }

  async set(atMs: number): Promise<void> {
    this.atMs = atMs;
  }
}
