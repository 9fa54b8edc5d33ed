/**
 * Values by name, bounded by the bytes they hold: least recently used gives way. A value that holds more as it is used
 * is counted again when it is taken next.
 */
export class BoundedCache<Value extends { readonly heldBytes: number }> {
  /** Oldest first. */
  readonly #entries = new Map<string, { readonly value: Value; readonly bytes: number }>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(name: string): Value | null {
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    this.put(name, entry.value);
    return entry.value;
  }

  /** A value larger than the whole cache is not kept. */
  put(name: string, value: Value): void {
    this.#drop(name);
    const bytes = value.heldBytes;
    if (bytes > this.#bytesMax) return;
    this.#entries.set(name, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#drop(oldest);
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  #drop(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#bytes -= entry.bytes;
  }
}
