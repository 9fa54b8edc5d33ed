/**
 * Two clocks. Node's is fine enough to time one call. In workerd, clocks step by whole milliseconds: in a deployment they
 * stand still until the next I/O, in the local runtime they go on while code runs. There a stretch of calls is timed
 * together, long enough that the step hardly matters. It starts right at a step; at its end we count how often the clock
 * can be read until the next one:
 *
 *   step         step         step         step
 *    │ calls …………………………………│reads │             time of the calls = steps − reads · time of a read
 *
 * What a read takes is known from reading over whole steps. On a machine that does something else too that is off by up
 * to a tenth of a millisecond, which is too much for one call and little for a stretch.
 */
import { percentile } from "./statistics.ts";

export interface Clock {
  /** What must be timed together, milliseconds; 0 when one call can be. */
  readonly stretchMsMin: number;
  /** Milliseconds; may wait for a moment that it can tell exactly. */
  start(): number;
  /** Milliseconds; may wait, and takes off what it waited. */
  end(): number;
}

export const fineClock: Clock = {
  stretchMsMin: 0,
  start: () => performance.now(),
  end: () => performance.now(),
};

const STRETCH_MS = 8;
/** Steps over which a read is timed, and the share of them that were shorter: interruptions leave fewer reads. */
const CALIBRATION_STEPS = 100;
const CALIBRATION_SHARE = 0.9;

/** For a clock that steps by whole milliseconds and goes on while code runs. */
export function steppingClock(): Clock {
  nextStep();
  const counts = Array.from({ length: CALIBRATION_STEPS }, () => nextStep().reads);
  const readMs = 1 / percentile(counts, CALIBRATION_SHARE);
  return {
    stretchMsMin: STRETCH_MS,
    start: () => nextStep().at,
    end() {
      const { at, reads } = nextStep();
      return at - Math.min(1, reads * readMs);
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
