/**
 * Index debt: what an entity's tail may amount to before a shard is worth building. Below it the tail is searched as it
 * is, so the answer is right at any debt; only the cost of a search grows.
 */

interface Debt {
  /** Durable, not yet in a shard. */
  readonly events: number;
  /** Raw bytes of their lines. */
  readonly bytes: number;
  /** Since the oldest of them arrived. */
  readonly ageMs: number;
}

/** Any one of them reached is enough. */
interface DebtThresholds {
  readonly indexEvents: number;
  readonly indexBytes: number;
  readonly indexAgeMs: number;
}

export function isDue(debt: Debt, thresholds: DebtThresholds): boolean {
  return nextDelay(debt, thresholds) === 0;
}

/** Milliseconds until the debt is due if nothing more arrives: 0 when it is due now, null when there is none. */
export function nextDelay({ events, bytes, ageMs }: Debt, thresholds: DebtThresholds): number | null {
  if (events === 0) return null;
  if (events >= thresholds.indexEvents || bytes >= thresholds.indexBytes) return 0;
  return Math.max(0, thresholds.indexAgeMs - ageMs);
}
