/**
 * What a ranking is worth against judgements, averaged over the queries that have a relevant document.
 * nDCG has linear gains, as trec_eval computes it: Σ grade / log2(rank + 1) over the ideal order's sum.
 */

/** Grade of each judged document of one query; above 0 is relevant. */
export type Judgements = ReadonlyMap<string, number>;

export function ndcgAt(k: number, ranking: readonly string[], judgements: Judgements): number {
  const gains = ranking.slice(0, k).map((id) => Math.max(0, judgements.get(id) ?? 0));
  const ideal = [...judgements.values()].filter((grade) => grade > 0).sort((a, b) => b - a);
  const best = discountedSum(ideal.slice(0, k));
  return best === 0 ? 0 : discountedSum(gains) / best;
}

/** Relevant documents in the top k, as a fraction of all relevant ones. */
export function recallAt(k: number, ranking: readonly string[], judgements: Judgements): number {
  const relevant = [...judgements].filter(([, grade]) => grade > 0).map(([id]) => id);
  if (relevant.length === 0) return 0;
  const top = new Set(ranking.slice(0, k));
  return relevant.filter((id) => top.has(id)).length / relevant.length;
}

export function hasRelevant(judgements: Judgements | undefined): judgements is Judgements {
  return judgements !== undefined && [...judgements.values()].some((grade) => grade > 0);
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function discountedSum(gains: readonly number[]): number {
  return gains.reduce((sum, gain, index) => sum + gain / Math.log2(index + 2), 0);
}
