/**
 * Time and order of a simulation. Whatever happens is an event at a moment of simulated time; the earliest runs, then
 * everything it woke up runs until it waits for another event. Real time never passes, and nothing runs in between.
 */
interface Scheduled {
  readonly atMs: number;
  /** Of events at the same moment the one that was scheduled first runs first. */
  readonly ordinal: number;
  readonly name: string;
  readonly run: () => void;
}

/** It never comes to rest. */
export class EndlessSimulation extends Error {}

export class Scheduler {
  readonly #heap: Scheduled[] = [];
  readonly #trace: (line: string) => void;
  readonly #eventsMax: number;
  #ordinal = 0;
  /** Milliseconds since the simulation began; not whole. */
  nowMs = 0;
  /** Events that have run. */
  count = 0;

  constructor(eventsMax: number, trace: (line: string) => void) {
    this.#eventsMax = eventsMax;
    this.#trace = trace;
  }

  /** An event with an empty name is not traced. */
  after(delayMs: number, name: string, run: () => void): void {
    this.#push({ atMs: this.nowMs + Math.max(0, delayMs), ordinal: this.#ordinal, name, run });
    this.#ordinal += 1;
  }

  /** Runs the events up to that moment, which then is now. */
  async runUntil(endMs: number): Promise<void> {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#pop();
      this.nowMs = next.atMs;
      this.count += 1;
      if (this.count > this.#eventsMax) throw new EndlessSimulation();
      if (next.name !== "") this.note(next.name);
      next.run();
      await settled();
    }
    this.nowMs = Math.max(this.nowMs, endMs);
  }

  /** When the next event is; null when there is none. */
  get nextMs(): number | null {
    return this.#heap[0]?.atMs ?? null;
  }

  note(line: string): void {
    this.#trace(`${this.nowMs.toFixed(3).padStart(12)}  ${line}`);
  }

  #push(event: Scheduled): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) child += 1;
      const least = heap[child];
      if (least === undefined || !isBefore(least, last)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.ordinal < b.ordinal);
}

/** Everything that a promise has woken up has run: what runs here waits for promises and for nothing else. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
