/**
 * A bounded map whose entries die after a fixed time. Holds values, never promises: a promise must not cross requests.
 */
import type { Clock } from "../ports.ts";

export class ExpiringCache<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly deadMs: number }>();
  readonly #clock: Clock;
  readonly #lifeMs: number;
  readonly #entriesMax: number;

  constructor(clock: Clock, lifeMs: number, entriesMax: number) {
    this.#clock = clock;
    this.#lifeMs = lifeMs;
    this.#entriesMax = entriesMax;
  }

  get(name: string): Value | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    if (entry.deadMs > this.#clock.now()) return entry.value;
    this.#entries.delete(name);
    return undefined;
  }

  /** The oldest entry gives way when the map is full. */
  set(name: string, value: Value): void {
    this.#entries.delete(name);
    const oldest = this.#entries.keys().next();
    if (this.#entries.size >= this.#entriesMax && !oldest.done) this.#entries.delete(oldest.value);
    this.#entries.set(name, { value, deadMs: this.#clock.now() + this.#lifeMs });
  }

  drop(name: string): void {
    this.#entries.delete(name);
  }
}
