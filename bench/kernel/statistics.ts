/** Figures of a run. */

/** The least value that at least `share` of the values do not exceed (nearest rank); NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.min(Math.max(Math.ceil(share * sorted.length), 1), sorted.length);
  return sorted[rank - 1] ?? Number.NaN;
}

/** The part of the exact answer that was found; 1 when there was nothing to find. */
export function recallOf(found: readonly number[], exact: readonly number[]): number {
  if (exact.length === 0) return 1;
  const there = new Set(found);
  return exact.filter((document) => there.has(document)).length / exact.length;
}

/** null of none. */
export function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
