/**
 * One search over the entities of a list, as though their logs were one: statistics are summed before anything is
 * scored, each leg's documents are merged by score, and only then are legs fused. So a hit's score means the same
 * whatever entity it is of, and the answer is that of a single log that holds these entities' events one after another.
 *
 * A document of entity number e has the key base(e) + its ordinal there, so keys are in the order of (entity, position),
 * which is how equal scores are told apart.
 */
import { SUPPLIED_MODEL } from "../index/build_part.ts";
import type { VectorSpace } from "../index/part.ts";
import type { TextStatistics } from "../ports.ts";
import { addStatistics, NO_STATISTICS } from "../retrieval/bm25.ts";
import type { Placed } from "../retrieval/search.ts";
import type { VerbatimPlaces } from "../retrieval/verbatim.ts";
import type { CacheTier, Plan } from "../rpc.ts";
import type { EntityRanking, RankedOrdinals, SearchSurvey } from "./scope_rpc.ts";

/** The space that is searched: the first that callers supplied vectors of, else the first of an embedder. */
export function commonSpace(surveys: readonly Pick<SearchSurvey, "space">[]): VectorSpace | null {
  const spaces = surveys.flatMap(({ space }) => (space === null ? [] : [space]));
  return spaces.find(({ model }) => model === SUPPLIED_MODEL) ?? spaces[0] ?? null;
}

export function sumStatistics(surveys: readonly Pick<SearchSurvey, "statistics">[]): TextStatistics {
  return surveys
    .map(({ statistics }) => statistics)
    .filter((statistics) => statistics !== NO_STATISTICS && statistics.df.length > 0)
    .reduce(addStatistics, NO_STATISTICS);
}

export interface MergedLegs {
  readonly text: RankedOrdinals | null;
  readonly vector: RankedOrdinals | null;
  readonly verbatim: readonly VerbatimPlaces[];
  readonly candidates: number;
}

/** `limit`: documents that a leg gives. */
export function mergeRankings(rankings: readonly EntityRanking[], limit: number): MergedLegs {
  const bases = basesOf(rankings);
  return {
    text: mergeLeg(rankings, bases, limit, "text"),
    vector: mergeLeg(rankings, bases, limit, "vector"),
    verbatim: rankings.map(({ verbatim }, index) => ({
      text: keyOf(verbatim.text, bases[index]),
      vector: keyOf(verbatim.vector, bases[index]),
    })),
    candidates: rankings.reduce((sum, { candidates }) => sum + candidates, 0),
  };
}

function basesOf(rankings: readonly EntityRanking[]): readonly number[] {
  let base = 0;
  return rankings.map(({ documents }) => {
    base += documents;
    return base - documents;
  });
}

function keyOf(ordinal: number | null, base = 0): number | null {
  return ordinal === null ? null : base + ordinal;
}

/** null when the leg ran nowhere. */
function mergeLeg(
  rankings: readonly EntityRanking[],
  bases: readonly number[],
  limit: number,
  leg: "text" | "vector",
): RankedOrdinals | null {
  if (rankings.every((ranking) => ranking[leg] === null)) return null;
  const all: { readonly key: number; readonly score: number }[] = [];
  rankings.forEach((ranking, index) => {
    ranking[leg]?.ordinals.forEach((ordinal, at) => {
      all.push({ key: (bases[index] ?? 0) + ordinal, score: ranking[leg]?.scores[at] ?? 0 });
    });
  });
  all.sort((a, b) => b.score - a.score || a.key - b.key);
  const best = all.slice(0, limit);
  return {
    ordinals: Uint32Array.from(best, ({ key }) => key),
    scores: Float32Array.from(best, ({ score }) => score),
  };
}

/** What is to be hydrated where: a place in the answer, and the document there with its entity's ordinal. */
export interface Assignment {
  readonly at: number;
  readonly placed: Placed;
}

/** One list an entity, in order of the answer. `oneAnEntity` keeps the best of each. */
export function assign(
  placed: readonly Placed[],
  rankings: readonly EntityRanking[],
  topK: number,
  oneAnEntity: boolean,
): readonly (readonly Assignment[])[] {
  const bases = basesOf(rankings);
  const lists: Assignment[][] = rankings.map(() => []);
  let at = 0;
  for (const one of placed) {
    const index = bases.findLastIndex((base, entity) => base <= one.ordinal && (rankings[entity]?.documents ?? 0) > 0);
    const list = lists[index];
    if (list === undefined || at >= topK || (oneAnEntity && list.length > 0)) continue;
    list.push({ at, placed: { ...one, ordinal: one.ordinal - (bases[index] ?? 0) } });
    at += 1;
  }
  return lists;
}

const PLANS: readonly Plan[] = ["exact", "filtered_exact", "hnsw"];
const TIERS: readonly CacheTier[] = ["memory", "ssd", "cold"];

/** The least exact of the plans. */
export function overallPlanOf(rankings: readonly Pick<EntityRanking, "plan">[]): Plan {
  return PLANS[Math.max(0, ...rankings.map(({ plan }) => PLANS.indexOf(plan)))] ?? "exact";
}

/** The coldest. */
export function overallTierOf(surveys: readonly Pick<SearchSurvey, "cache">[]): CacheTier {
  return TIERS[Math.max(0, ...surveys.map(({ cache }) => TIERS.indexOf(cache)))] ?? "memory";
}
