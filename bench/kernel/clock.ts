/**
 * Two clocks for one call.
 *
 * Node's is fine enough. In workerd, `performance.now()` steps by whole milliseconds: in a deployment it stands still
 * until the next I/O, in the local runtime it goes on. So there a call is timed by a vernier: it starts right at a step, and
 * when it has returned we count how often the clock can be read until the next step. What those reads took, known from
 * reading over whole steps just before, is taken off:
 *
 *   step         step         step         step
 *    │ call ……………………………………│reads │             time of the call = steps − reads · time of a read
 *
 * That resolves a fraction of a microsecond, so that calls can take turns one by one in workerd as in Node.
 */
import { percentile } from "./statistics.ts";

export interface Stopwatch {
  /** How it measures, for the results. */
  readonly method: string;
  /** Microseconds that `call` took, and what it answered. */
  time<T>(call: () => T | Promise<T>): Promise<Timed<T>> | Timed<T>;
}

export interface Timed<T> {
  readonly us: number;
  readonly value: T;
}

export const fineStopwatch: Stopwatch = {
  method: "each call by the runtime's clock",
  time(call) {
    const from = performance.now();
    const value = call();
    if (value instanceof Promise)
      return value.then((later) => ({ us: (performance.now() - from) * 1_000, value: later }));
    return { us: (performance.now() - from) * 1_000, value };
  },
};

/** Steps over which a read is timed first, and the share of them it is taken from: interruptions make steps shorter. */
const CALIBRATION_STEPS = 200;
const CALIBRATION_SHARE = 0.9;

/** For a clock that steps by whole milliseconds and goes on while code runs. */
export function vernierStopwatch(): Stopwatch {
  const counts = Array.from({ length: CALIBRATION_STEPS }, () => {
    nextStep();
    return nextStep().reads;
  });
  const readMs = 1 / percentile(counts, CALIBRATION_SHARE);
  const measured = (from: number): number => {
    const { at, reads } = nextStep();
    return Math.max(0, at - from - reads * readMs) * 1_000;
  };
  return {
    method: "each call by a vernier over the runtime's millisecond clock",
    time(call) {
      const from = nextStep().at;
      const value = call();
      if (value instanceof Promise) return value.then((later) => ({ us: measured(from), value: later }));
      return { us: measured(from), value };
    },
  };
}

function nextStep(): { readonly at: number; readonly reads: number } {
  const from = Date.now();
  let reads = 1;
  let at = Date.now();
  while (at === from) {
    at = Date.now();
    reads++;
  }
  return { at, reads };
}
