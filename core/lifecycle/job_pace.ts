/**
 * How the drivers of a job go about it: how long they rest, how they are named, and when one hands over to the next.
 *
 *   generation 1   look · rest · look · rest · … · hand over          one instance of a workflow
 *   generation 2                                    look · rest · …   its successor
 *
 * A job's row names the generation that drives it. A look of another one ends its instance, so two never drive for long;
 * while they do, they do the same twice, which is harmless.
 */
import { JOB_REST_MS_MAX, JOB_REST_MS_MIN, WORKFLOW_STEPS_MAX } from "../limits.ts";

/** A rest is this share of what has been waited for already: whoever waits long may wait a little longer. */
const REST_SHARE = 0.25;
/** A look and the rest after it. */
const STEPS_PER_LOOK = 2;
/** Left for handing over. */
const STEPS_AT_THE_END = 1;

/** Looks of one instance, before it hands over. */
export const LOOKS_PER_INSTANCE_MAX = Math.floor((WORKFLOW_STEPS_MAX - STEPS_AT_THE_END) / STEPS_PER_LOOK);

/** The rest before the next look at something that has been waited for `waitedMs`. */
export function restMs(waitedMs: number): number {
  return Math.min(JOB_REST_MS_MAX, Math.max(JOB_REST_MS_MIN, Math.floor(waitedMs * REST_SHARE)));
}

/** The one name that an instance driving this generation of a job can have, of at most a hundred characters. */
export function instanceName(tenant: string, job: string, generation: number): string {
  return `${tenant}-${job}-${generation}`;
}
