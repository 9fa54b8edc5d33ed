/** What a run of the plane used, in the units that a platform charges for. Sums; never averages. */

export interface Counted {
  /** Requests that the script itself served: from outside, of a queue, of a timer. */
  readonly requests: number;
  /** Puts and lists. */
  readonly storeWrites: number;
  /** Gets and heads. */
  readonly storeReads: number;
  /** Objects deleted from the store: counted, and free. */
  readonly storeDeletes: number;
  /** Messages sent to queues. */
  readonly messages: number;
  /** Calls of objects, their alarms included. */
  readonly objectCalls: number;
  /** Milliseconds that objects were at work, on the wall clock; calls of one object that overlap count once. */
  readonly objectMs: number;
  readonly rowsRead: number;
  /** Alarms that were set included. */
  readonly rowsWritten: number;
}

export const NOTHING: Counted = {
  requests: 0,
  storeWrites: 0,
  storeReads: 0,
  storeDeletes: 0,
  messages: 0,
  objectCalls: 0,
  objectMs: 0,
  rowsRead: 0,
  rowsWritten: 0,
};

const NAMES = Object.keys(NOTHING) as readonly (keyof Counted)[];

export function sum(counts: readonly Counted[]): Counted {
  return combined((name) => counts.reduce((total, count) => total + count[name], 0));
}

export function difference(after: Counted, before: Counted): Counted {
  return combined((name) => after[name] - before[name]);
}

function combined(of: (name: keyof Counted) => number): Counted {
  return Object.fromEntries(NAMES.map((name) => [name, of(name)])) as unknown as Counted;
}
