/**
 * How much time has passed since a moment that was stored, for what is only to be waited for: at least so long, and not for
 * ever. Clocks are set back now and then; what then seems to lie ahead is taken to be long past, so that an object waits
 * too little once rather than until its clock has caught up.
 */
export function passedMs(sinceMs: number, nowMs: number): number {
  return sinceMs > nowMs ? Number.MAX_SAFE_INTEGER : nowMs - sinceMs;
}
