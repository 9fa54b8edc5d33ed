/**
 * Ranked retrieval over a judged set, through the public API: text mode against a naive BM25 of whole documents, and
 * hybrid with the deployment's embedder against text mode.
 */
import type { GivenVectors, RetrievalSet } from "./datasets.ts";
import { hasRelevant, type Judgements, mean, ndcgAt, recallAt } from "./metrics.ts";
import { naiveBm25 } from "./naive_bm25.ts";
import { inFlight, type PlaneClient, type SearchBody } from "./plane_client.ts";
import type { EvalRow } from "./report.ts";

const CUTOFF = 10;
/** A long document may hit with several chunks; this many leave ten documents. */
const HITS = 30;
/** What a weak embedder may take from good text. */
const HYBRID_LOSS_MAX = 0.005;

export interface Metric {
  readonly name: string;
  of(ranking: readonly string[], judgements: Judgements): number;
}
export const NDCG: Metric = {
  name: `ndcg@${CUTOFF}`,
  of: (ranking, judgements) => ndcgAt(CUTOFF, ranking, judgements),
};
export const RECALL: Metric = {
  name: `recall@${CUTOFF}`,
  of: (ranking, judgements) => recallAt(CUTOFF, ranking, judgements),
};

export interface Judged {
  /** As it stands in the table. */
  readonly name: string;
  readonly qrels: RetrievalSet["qrels"];
  /** A published figure for text mode; null computes one with the naive BM25. */
  readonly reference: number | null;
}

/** Ids of events, best first, by query id. */
type Run = ReadonlyMap<string, readonly string[]>;

export async function ingestSet(
  client: PlaneClient,
  set: RetrievalSet,
  run: string,
  vectors?: GivenVectors,
): Promise<void> {
  const groups = Map.groupBy(set.documents, (document) => document.group);
  for (const [group, documents] of groups) {
    const events = documents.map((document) => {
      const vector = vectors?.documents.get(document.id);
      return {
        id: document.id,
        kind: document.ts === null ? "document" : "message",
        text: document.text,
        ...(document.ts === null ? {} : { ts: document.ts }),
        ...(vector === undefined ? {} : { vector: [...vector] }),
      };
    });
    await client.append(entityOf(group, run), events);
  }
  await client.untilIndexed([...groups.keys()].map((group) => entityOf(group, run)));
}

export async function retrievalRows(
  client: PlaneClient,
  set: RetrievalSet,
  run: string,
  metric: Metric,
  judged: readonly Judged[],
): Promise<EvalRow[]> {
  const text = await runQueries(client, set, run, (query) => ({ text: query.text, mode: "text", top_k: HITS }));
  const hybrid = await runQueries(client, set, run, (query) => ({ text: query.text, mode: "hybrid", top_k: HITS }));
  const naive = naiveRun(set);
  return judged.flatMap(({ name, qrels, reference }) => {
    const textScore = score(text, qrels, metric);
    const known = reference ?? score(naive, qrels, metric).value;
    return [
      { set: name, mode: "text", metric: metric.name, ...textScore, reference: known },
      {
        set: name,
        mode: "hybrid",
        metric: metric.name,
        ...score(hybrid, qrels, metric),
        reference: textScore.value - HYBRID_LOSS_MAX,
      },
    ];
  });
}

/** With vectors that came with the events: by vector alone, against exact cosine over them as given, and hybrid. */
export async function givenVectorRows(
  client: PlaneClient,
  set: RetrievalSet,
  run: string,
  vectors: GivenVectors,
  hybridReference: number,
): Promise<EvalRow[]> {
  const vectorOf = (id: string): { vector?: number[] } => {
    const vector = vectors.queries.get(id);
    return vector === undefined ? {} : { vector: [...vector] };
  };
  const row = { set: `${set.name} + minilm`, metric: NDCG.name };
  const vector = await runQueries(client, set, run, ({ id }) => ({ ...vectorOf(id), mode: "vector", top_k: HITS }));
  const hybrid = await runQueries(client, set, run, ({ id, text }) => ({
    text,
    ...vectorOf(id),
    mode: "hybrid",
    top_k: HITS,
  }));
  const exact = score(exactCosineRun(set, vectors), set.qrels, NDCG).value;
  return [
    { ...row, mode: "vector", ...score(vector, set.qrels, NDCG), reference: exact },
    { ...row, mode: "hybrid", ...score(hybrid, set.qrels, NDCG), reference: hybridReference },
  ];
}

function exactCosineRun(set: RetrievalSet, vectors: GivenVectors): Run {
  return new Map(
    set.queries.map((query) => {
      const asked = vectors.queries.get(query.id) ?? new Float32Array();
      const scored = [...vectors.documents].map(([id, vector]) => ({ id, score: dot(asked, vector) / length(vector) }));
      const best = scored.sort((a, b) => b.score - a.score).slice(0, HITS);
      return [query.id, best.map(({ id }) => id)] as const;
    }),
  );
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, component, at) => sum + component * (b[at] ?? 0), 0);
}

function length(vector: Float32Array): number {
  return Math.sqrt(dot(vector, vector));
}

async function runQueries(
  client: PlaneClient,
  set: RetrievalSet,
  run: string,
  bodyOf: (query: RetrievalSet["queries"][number]) => SearchBody,
): Promise<Run> {
  const rankings = await inFlight(set.queries, async (query) => {
    const hits = await client.search(entityOf(query.group, run), bodyOf(query));
    return [query.id, [...new Set(hits.map((hit) => hit.id))]] as const;
  });
  return new Map(rankings);
}

export function naiveRun(set: RetrievalSet): Run {
  const rankers = new Map(
    [...Map.groupBy(set.documents, (document) => document.group)].map(([group, documents]) => [
      group,
      naiveBm25(documents),
    ]),
  );
  return new Map(set.queries.map((query) => [query.id, rankers.get(query.group)?.rank(query.text, HITS) ?? []]));
}

export function score(
  run: Run,
  qrels: RetrievalSet["qrels"],
  metric: Metric,
): { readonly value: number; readonly queries: number } {
  const values: number[] = [];
  for (const [query, ranking] of run) {
    const judgements = qrels.get(query);
    if (hasRelevant(judgements)) values.push(metric.of(ranking, judgements));
  }
  return { value: mean(values), queries: values.length };
}

function entityOf(group: string, run: string): string {
  return `kb:${group}-${run}`;
}
