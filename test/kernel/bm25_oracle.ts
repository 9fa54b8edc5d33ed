/** BM25 the naive way: every document, every term, in f32 where the kernel says f32. */
import type { QueryTerm, TermField, TextParameters, TextStatistics, WeightedTerm } from "../../core/ports.ts";

/** What the analyzer sees of each document: its words and whole tokens, and the words of its questions. */
export type Analyzed = readonly (readonly QueryTerm[])[];

function lengthOf(terms: readonly QueryTerm[], of: "word" | "question"): number {
  return terms.reduce((sum, { field, count }) => (field === of ? sum + count : sum), 0);
}

export function statisticsOf(corpus: Analyzed, live: readonly number[], terms: readonly QueryTerm[]): TextStatistics {
  const documents = live.map((document) => corpus[document] ?? []);
  const lengths = documents.map((document) => lengthOf(document, "word"));
  const questionLengths = documents.map((document) => lengthOf(document, "question"));
  return {
    documents: lengths.filter((length) => length > 0).length,
    words: sumOf(lengths),
    wholeDocuments: documents.filter((document) => document.some(({ field }) => field === "whole")).length,
    questionDocuments: questionLengths.filter((length) => length > 0).length,
    questionWords: sumOf(questionLengths),
    df: terms.map((term) => documents.filter((document) => termFrequency(document, term) > 0).length),
  };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function termFrequency(document: readonly QueryTerm[], { field, term }: Pick<QueryTerm, "field" | "term">): number {
  return document.find((candidate) => candidate.field === field && candidate.term === term)?.count ?? 0;
}

export function contributionOf(
  document: readonly QueryTerm[],
  term: WeightedTerm,
  parameters: TextParameters,
): { readonly tf: number; readonly norm: number; readonly score: number } {
  const tf = termFrequency(document, term);
  const norm = normOf(document, term.field, parameters);
  const saturated = Math.fround(tf / Math.fround(tf + norm));
  return { tf, norm, score: tf === 0 ? 0 : Math.fround(Math.fround(term.weight) * saturated) };
}

function normOf(
  document: readonly QueryTerm[],
  field: TermField,
  { k1, b, averageLength, averageQuestionLength }: TextParameters,
): number {
  if (field === "whole") return Math.fround(k1);
  const average = field === "word" ? averageLength : averageQuestionLength;
  return Math.fround(average > 0 ? k1 * (1 - b + (b * lengthOf(document, field)) / average) : k1);
}

function scoreOf(document: readonly QueryTerm[], parameters: TextParameters): number {
  return parameters.terms.reduce((sum, term) => Math.fround(sum + contributionOf(document, term, parameters).score), 0);
}

/** The best `limit` of `matches` whose score is above zero: score descending, then document ascending. */
export function bestOf(corpus: Analyzed, parameters: TextParameters, matches: readonly number[], limit: number) {
  return matches
    .map((document) => ({ document, score: scoreOf(corpus[document] ?? [], parameters) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.document - b.document)
    .slice(0, limit);
}
