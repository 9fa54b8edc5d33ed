/**
 * Why a hit stands where it stands: the terms of its text score, its vector score, and the fusion of the two ranks.
 * Only legs that ranked the document are explained, and the numbers are the ones that were used.
 */
import { ok, type Result } from "../errors.ts";
import type { Part } from "../index/part.ts";
import type { LoadedPart, Metric, TextParameters } from "../ports.ts";
import type { HitExplanation, SearchHit, TextExplanation } from "../rpc.ts";
import type { RatedTerm } from "./bm25.ts";
import type { PartAccess } from "./residency.ts";
import { FUSION_RANK_UNITS, FUSION_WEIGHT_UNITS, type ResolvedSearch } from "./resolve.ts";
import { verbatimWeight } from "./verbatim.ts";

export interface ExplainSource {
  readonly access: PartAccess;
  readonly search: ResolvedSearch;
  readonly terms: readonly RatedTerm[];
  readonly parameters: TextParameters | null;
}

type Scores = SearchHit["scores"];

export function explainHit(
  part: Part,
  document: number,
  scores: Scores,
  isVerbatim: boolean,
  source: ExplainSource,
): Result<HitExplanation> {
  const opened = source.access.openText(part);
  if (!opened.ok) return opened;
  const { search } = source;
  return ok({
    text: explainText(opened.value, document, scores, source),
    vector:
      scores.vector === undefined
        ? null
        : {
            metric: search.metric,
            score: scores.vector.score,
            distance: distanceOf(search.metric, scores.vector.score),
          },
    fusion: search.mode === "hybrid" ? explainFusion(scores, isVerbatim, search) : null,
  });
}

function explainText(
  loaded: LoadedPart,
  document: number,
  scores: Scores,
  source: ExplainSource,
): TextExplanation | null {
  if (scores.text === undefined || source.parameters === null) return null;
  const found = source.access.slab.explainText(loaded, source.parameters, document);
  const terms = found.flatMap((term) => {
    const rated = source.terms.find((candidate) => candidate.field === term.field && candidate.term === term.term);
    if (rated === undefined || term.tf === 0) return [];
    return [{ ...term, idf: rated.idf, df: rated.df }];
  });
  return { score: scores.text.score, terms };
}

/** Scores grow with likeness; a distance is what a reader of the metric expects. */
function distanceOf(metric: Metric, score: number): number {
  switch (metric) {
    case "cosine":
      return 1 - score;
    case "dot":
      return -score;
    case "l2":
      return Math.sqrt(Math.max(0, -score));
  }
}

/** The kernel's integers, so that the contributions add up to the fused score exactly. */
function explainFusion(scores: Scores, isVerbatim: boolean, search: ResolvedSearch): HitExplanation["fusion"] {
  const { fusionK: k, weights } = search;
  const legs = (["text", "vector"] as const).flatMap((leg) => {
    const place = scores[leg];
    return place === undefined ? [] : [{ leg, ...contributionOf(place.rank, weights[leg], k) }];
  });
  const verbatim = { leg: "verbatim" as const, ...contributionOf(1, verbatimWeight(weights), k) };
  return { method: "rrf", k, legs: isVerbatim ? [...legs, verbatim] : legs };
}

function contributionOf(rank: number, weight: number, k: number) {
  const units = Math.floor(FUSION_RANK_UNITS / (k + rank)) * (weight * FUSION_WEIGHT_UNITS);
  return { rank, weight, contribution: units / (FUSION_RANK_UNITS * FUSION_WEIGHT_UNITS) };
}
