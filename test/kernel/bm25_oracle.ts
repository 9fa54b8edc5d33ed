/** BM25 the naive way: every document, every term, in f32 where the kernel says f32. */
import type { QueryTerm, TextParameters, TextStatistics, WeightedTerm } from "../../core/ports.ts";

/** What the analyzer sees of each document. */
export type Analyzed = readonly (readonly QueryTerm[])[];

export function lengthOf(terms: readonly QueryTerm[]): number {
  return terms.reduce((sum, { field, count }) => (field === "word" ? sum + count : sum), 0);
}

export function statisticsOf(corpus: Analyzed, live: readonly number[], terms: readonly QueryTerm[]): TextStatistics {
  const documents = live.map((document) => corpus[document] ?? []);
  return {
    documents: documents.filter((document) => lengthOf(document) > 0).length,
    words: documents.reduce((sum, document) => sum + lengthOf(document), 0),
    wholeDocuments: documents.filter((document) => document.some(({ field }) => field === "whole")).length,
    df: terms.map((term) => documents.filter((document) => termFrequency(document, term) > 0).length),
  };
}

export function termFrequency(
  document: readonly QueryTerm[],
  { field, term }: Pick<QueryTerm, "field" | "term">,
): number {
  return document.find((candidate) => candidate.field === field && candidate.term === term)?.count ?? 0;
}

export function contributionOf(
  document: readonly QueryTerm[],
  term: WeightedTerm,
  { k1, b, averageLength }: TextParameters,
): { readonly tf: number; readonly norm: number; readonly score: number } {
  const tf = termFrequency(document, term);
  const isLongOrShort = term.field === "word" && averageLength > 0;
  const norm = Math.fround(isLongOrShort ? k1 * (1 - b + (b * lengthOf(document)) / averageLength) : k1);
  const saturated = Math.fround(tf / Math.fround(tf + norm));
  return { tf, norm, score: tf === 0 ? 0 : Math.fround(Math.fround(term.weight) * saturated) };
}

export function scoreOf(document: readonly QueryTerm[], parameters: TextParameters): number {
  return parameters.terms.reduce((sum, term) => Math.fround(sum + contributionOf(document, term, parameters).score), 0);
}
