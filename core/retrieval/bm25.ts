/**
 * Query weights: everything of BM25 that belongs to the snapshot and the question. Term frequencies and lengths
 * belong to the documents, and the kernel multiplies them in.
 *
 *   score(d) = Σ weight(t) · tf / (tf + k1 · (1 − b + b · length(d) / averageLength))      Lucene's form
 *   weight(t) = count in the query · idf(t) · boost(t)
 *
 * Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009); k1 and b are those of the
 * open reference runs. Whole tokens have no length norm: they stand once or not at all.
 */
import type { KernelSlab, QueryTerm, TermField, TextParameters, TextStatistics } from "../ports.ts";
import { COMMON_TERMS } from "./common_terms.ts";

export const BM25_K1_DEFAULT = 0.9;
export const BM25_B_DEFAULT = 0.4;

/**
 * What a whole token weighs on top of the words it is cut into, in its own idf. Measured on the open sets: at 1 SciFact
 * gains .007 nDCG@10 over 0 and loses it again at 4; the sets without identifiers stay as they are.
 */
export const WHOLE_TOKEN_BOOST = 1;

/**
 * Whether a whole token names a thing: it has letters and digits. Bare numbers, abbreviations and alternatives (2, e.g,
 * and/or) say no more than their words; scored twice they cost the prose sets up to .011.
 */
export function isIdentifier({ field, term }: { readonly field: TermField; readonly term: string }): boolean {
  return field === "whole" && /\p{L}/u.test(term) && /\p{N}/u.test(term);
}

/**
 * What a function word (COMMON_TERMS) counts in a question. Not 0: a query of nothing else must still rank. Measured
 * against 1: nDCG@10 on Cranfield .403 → .416, CISI .362 → .384; recall@10 over conversation turns .610 → .655.
 */
export const COMMON_TERM_FACTOR = 0.1;

export interface Bm25Parameters {
  readonly k1: number;
  readonly b: number;
}

/** A query term with what the snapshot knows of it. */
export interface RatedTerm {
  readonly field: TermField;
  readonly term: string;
  readonly df: number;
  readonly idf: number;
  readonly weight: number;
}

export const NO_STATISTICS: TextStatistics = {
  documents: 0,
  words: 0,
  wholeDocuments: 0,
  questionDocuments: 0,
  questionWords: 0,
  df: [],
};

/** Integer sums, so the order of the parts does not matter. Both are of the same terms; `NO_STATISTICS` is neutral. */
export function addStatistics(a: TextStatistics, b: TextStatistics): TextStatistics {
  return {
    documents: a.documents + b.documents,
    words: a.words + b.words,
    wholeDocuments: a.wholeDocuments + b.wholeDocuments,
    questionDocuments: a.questionDocuments + b.questionDocuments,
    questionWords: a.questionWords + b.questionWords,
    df: b.df.map((df, index) => df + (a.df[index] ?? 0)),
  };
}

/**
 * Weighs the terms that occur at all, in the order given. Whole tokens that are no identifiers count only in a query of
 * `identifiersOnly`, whose whole tokens go before its words: see `withIdentifiersFirst`.
 *
 * Both fields count all documents as N: rarity is judged against the collection, not against the few documents that
 * have identifiers.
 */
export function rateTerms(
  terms: readonly QueryTerm[],
  statistics: TextStatistics,
  idf: KernelSlab["idf"],
  parameters: Bm25Parameters,
  identifiersOnly: boolean,
): readonly RatedTerm[] {
  const documents = Math.max(statistics.documents, statistics.wholeDocuments);
  const rated = terms.flatMap((queried, index): readonly RatedTerm[] => {
    const { field, term, count } = queried;
    const df = statistics.df[index] ?? 0;
    const counts = field === "word" || identifiersOnly || isIdentifier(queried);
    if (df === 0 || !counts) return [];
    const rarity = idf(documents, df);
    return [{ field, term, df, idf: rarity, weight: count * rarity * factorOf(field, term) }];
  });
  return identifiersOnly ? withIdentifiersFirst(rated, parameters.k1) : rated;
}

function factorOf(field: TermField, term: string): number {
  if (field === "whole") return WHOLE_TOKEN_BOOST;
  return COMMON_TERMS.has(term) ? COMMON_TERM_FACTOR : 1;
}

/**
 * For a query that is nothing but identifiers: raises each whole token until one occurrence of it outweighs all the
 * words and all the whole tokens that are pieces of it (`host.com` of `user@host.com`), however often those stand. So a
 * document that has what was asked, verbatim, comes before every document that has not.
 */
function withIdentifiersFirst(rated: readonly RatedTerm[], k1: number): readonly RatedTerm[] {
  const words = rated.reduce((sum, { field, weight }) => (field === "word" ? sum + weight : sum), 0);
  const raised = new Map<string, number>();
  // A piece is shorter than its whole, so its weight is known by then.
  const wholes = rated.filter(({ field }) => field === "whole").sort((a, b) => a.term.length - b.term.length);
  for (const { term, weight } of wholes) {
    let outweighed = words;
    for (const [piece, pieceWeight] of raised) if (term.includes(piece)) outweighed += pieceWeight;
    // A term adds less than its weight; a single occurrence adds weight · 1 / (1 + k1).
    raised.set(term, weight + outweighed * (1 + k1));
  }
  return rated.map((term) =>
    term.field === "whole" ? { ...term, weight: raised.get(term.term) ?? term.weight } : term,
  );
}

export function textParameters(
  terms: readonly RatedTerm[],
  statistics: TextStatistics,
  parameters: Bm25Parameters,
): TextParameters {
  return {
    terms: terms.map(({ field, term, weight }) => ({ field, term, weight })),
    k1: parameters.k1,
    b: parameters.b,
    averageLength: mean(statistics.words, statistics.documents),
    averageQuestionLength: mean(statistics.questionWords, statistics.questionDocuments),
  };
}

function mean(sum: number, count: number): number {
  return count === 0 ? 0 : sum / count;
}
