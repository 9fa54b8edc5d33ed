/**
 * What a search answers, by its definition: every live document scored, one by one. It shares with the plane only the
 * analyzer, the chunker and the logarithm.
 */
import type { KernelBuilder } from "../../core/ports.ts";
import type { SearchHit } from "../../core/rpc.ts";
import { inverseDocumentFrequency } from "../kernel/logarithm_oracle.ts";
import {
  type NaiveDocument,
  type NaiveHit,
  naiveDocuments,
  naiveTextSearch,
  naiveVectorSearch,
} from "../retrieval/naive_search.ts";
import type { SearchBody } from "./history.ts";
import { builder } from "./kernel.ts";
import { type LedgerView, placeOfSegment } from "./ledger.ts";

/** `place score`, best first. */
export function foundIn(hits: readonly SearchHit[]): readonly string[] {
  return hits.map(({ citation, chunk, id, score }) => {
    const place = placeOfSegment(citation.segment);
    return `${place?.commit}:${citation.line}:${chunk} ${id} ${score}`;
  });
}

const PARAMETERS = { builder: remembering(builder), idf: inverseDocumentFrequency, k1: 0.9, b: 0.4 };

/** Of the log up to `commit`; null when the log has no vectors and one was asked for. */
export function expectedHits(log: LedgerView | null, commit: number, body: SearchBody): readonly string[] | null {
  const documents = log === null ? [] : naiveDocuments(log.asParts, commit);
  const { text, vector, from, to, filter, mode, top_k: topK } = body;
  const isVector = Array.isArray(vector);
  if (isVector && !hasVectors(log, commit)) return commit === 0 ? [] : null;
  const matches = ({ event }: NaiveDocument): boolean => {
    const time = Date.parse(event.ts);
    return (
      time >= Number(from ?? time) && time <= Number(to ?? time) && (filter === undefined || event.kind === "message")
    );
  };
  const words = mode === "vector" ? [] : naiveTextSearch(documents, matches, String(text), PARAMETERS);
  const near = isVector ? naiveVectorSearch(documents.filter(matches), vector.map(Number), "cosine") : [];
  const ranked = mode === "hybrid" ? fused([words, near], documents) : mode === "vector" ? near : words;
  return ranked
    .slice(0, Number(topK))
    .map(
      ({ document, score }) => `${document.commit}:${document.line}:${document.chunk} ${document.event.id} ${score}`,
    );
}

/** Of all entities of a tenant as if their logs were one, in any order. */
export function expectedOfTenant(
  logs: readonly { readonly entity: string; readonly log: LedgerView | null; readonly commit: number }[],
  text: string,
): readonly string[] {
  const entityOf = new Map<NaiveDocument, string>();
  for (const { entity, log, commit } of logs)
    for (const document of naiveDocuments(log?.asParts ?? [], commit)) entityOf.set(document, entity);
  return naiveTextSearch([...entityOf.keys()], () => true, text, PARAMETERS).map(
    ({ document, score }) => `${score} ${entityOf.get(document)} ${document.event.id} ${document.chunk}`,
  );
}

function hasVectors(log: LedgerView | null, commit: number): boolean {
  return log?.lines.some((line) => line.commit <= commit && line.event.vector !== undefined) ?? false;
}

const FUSION_K = 60;
/** Of the requests' weights, in units of 2^-16. */
const UNITS = [65_536n, 32_768n] as const;

/** Integer reciprocal-rank fusion over the union, ties by position. */
function fused(legs: readonly (readonly NaiveHit[])[], documents: readonly NaiveDocument[]): readonly NaiveHit[] {
  const sums = new Map<NaiveDocument, bigint>();
  legs.forEach((leg, index) => {
    leg.forEach(({ document }, rank) => {
      const share = (2n ** 32n / BigInt(FUSION_K + rank + 1)) * (UNITS[index] ?? 0n);
      sums.set(document, (sums.get(document) ?? 0n) + share);
    });
  });
  const order = new Map(documents.map((document, index) => [document, index]));
  return [...sums]
    .sort(([a, sumOfA], [b, sumOfB]) =>
      sumOfA === sumOfB ? (order.get(a) ?? 0) - (order.get(b) ?? 0) : sumOfA < sumOfB ? 1 : -1,
    )
    .map(([document, sum]) => ({ document, score: Number(sum) / 2 ** 48 }));
}

/** Texts come again and again. */
function remembering(plain: KernelBuilder): KernelBuilder {
  const known = new Map<string, ReturnType<KernelBuilder["analyze"]>>();
  return {
    ...plain,
    analyze(text) {
      const terms = known.get(text) ?? plain.analyze(text);
      known.set(text, terms);
      return terms;
    },
  };
}
