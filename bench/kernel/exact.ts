/**
 * The exact answers, computed once by the shortest code that is right: every vector compared in f64, every posting of
 * every term added up. Shares with the kernel only the analyzer's terms.
 */

import { LEG_CANDIDATES_MIN } from "../../core/limits.ts";
import type { QueryTerm } from "../../core/ports.ts";
import { BM25_B_DEFAULT, BM25_K1_DEFAULT } from "../../core/retrieval/bm25.ts";
import { FUSION_K_DEFAULT } from "../../core/schema/search.ts";
import { type Corpus, type QuestionSet, rowOf, TOP_K, type VectorRows } from "./corpus.ts";
import { matcherOf } from "./filter_data.ts";

export type Analyze = (text: string) => readonly QueryTerm[];

/** The best TOP_K documents for each question, warm-ups left out. */
export function exactAnswers(corpus: Corpus, set: QuestionSet, bm25: NaiveText | null): readonly (readonly number[])[] {
  return set.questions.slice(set.warmUp).map(({ text, vector, filter }) => {
    const matches = matcherOf(filter, corpus.fields);
    const nearest = (limit: number): readonly number[] =>
      corpus.vectors === null || vector === null ? [] : exactNearest(corpus.vectors, vector, limit, matches);
    const relevant = (limit: number): readonly number[] => (text === null ? [] : (bm25?.rank(text, limit) ?? []));
    if (set.leg === "vector") return nearest(TOP_K);
    if (set.leg === "text") return relevant(TOP_K);
    return fused([relevant(LEG_CANDIDATES_MIN), nearest(LEG_CANDIDATES_MIN)]);
  });
}

/** Nearest first; ties by document. */
export function exactNearest(
  vectors: VectorRows,
  query: Float32Array,
  limit: number,
  matches: ((document: number) => boolean) | null,
): readonly number[] {
  const distanceOf = vectors.metric === "l2" ? squaredDistance : negativeProduct;
  const best = new Best(limit);
  for (let row = 0; row < vectors.count; row++) {
    if (matches === null || matches(row)) best.offer(row, distanceOf(rowOf(vectors, row), query));
  }
  return best.documents();
}

/** Of vectors of length 1, the cosine's order too. */
function negativeProduct(a: Float32Array, b: Float32Array): number {
  let even = 0;
  let odd = 0;
  const pairs = a.length & ~1;
  for (let i = 0; i < pairs; i += 2) {
    even += (a[i] as number) * (b[i] as number);
    odd += (a[i + 1] as number) * (b[i + 1] as number);
  }
  if (pairs < a.length) even += (a[pairs] as number) * (b[pairs] as number);
  return -(even + odd);
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    sum += difference * difference;
  }
  return sum;
}

/** The `limit` least, kept in order: documents are offered ascending, so an equal one goes behind. */
class Best {
  readonly #limit: number;
  readonly #held: { readonly document: number; readonly distance: number }[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  offer(document: number, distance: number): void {
    const last = this.#held[this.#limit - 1];
    if (last !== undefined && distance >= last.distance) return;
    let at = this.#held.length;
    while (at > 0 && (this.#held[at - 1]?.distance ?? 0) > distance) at--;
    this.#held.splice(at, 0, { document, distance });
    if (this.#held.length > this.#limit) this.#held.pop();
  }

  documents(): readonly number[] {
    return this.#held.map(({ document }) => document);
  }
}

// --- Text -----------------------------------------------------------------------------------

interface Postings {
  readonly documents: number[];
  readonly frequencies: number[];
}

export interface NaiveText {
  /** Best first; ties by document; documents without any of the terms are left out. */
  rank(text: string, limit: number): readonly number[];
}

/**
 * BM25 in Lucene's form over words, every term of a question at its count times its idf; in f32, rounded where the kernel
 * says it rounds, so that equal scores are equal in both.
 */
export function naiveText(texts: readonly string[], analyze: Analyze): NaiveText {
  const postings = new Map<string, Postings>();
  const lengths = texts.map((text, document) => {
    const terms = wordsOf(text, analyze);
    for (const { term, count } of terms) addPosting(postings, term, document, count);
    return terms.reduce((sum, { count }) => sum + count, 0);
  });
  const documents = lengths.filter((length) => length > 0).length;
  const words = lengths.reduce((sum, length) => sum + length, 0);
  const norms = Float32Array.from(
    lengths,
    (length) => BM25_K1_DEFAULT * (1 - BM25_B_DEFAULT + (BM25_B_DEFAULT * length) / (words / documents)),
  );
  return {
    rank(text, limit) {
      const scores = new Map<number, number>();
      for (const { term, count } of wordsOf(text, analyze)) {
        const list = postings.get(term);
        if (list === undefined) continue;
        const df = list.documents.length;
        addScores(scores, list, norms, Math.fround(count * Math.log(1 + (documents - df + 0.5) / (df + 0.5))));
      }
      const best = new Best(limit);
      for (const document of [...scores.keys()].sort((a, b) => a - b))
        best.offer(document, -(scores.get(document) ?? 0));
      return best.documents();
    },
  };
}

function wordsOf(text: string, analyze: Analyze): readonly QueryTerm[] {
  return analyze(text).filter(({ field }) => field === "word");
}

function addScores(scores: Map<number, number>, list: Postings, norms: Float32Array, weight: number): void {
  list.documents.forEach((document, index) => {
    const tf = list.frequencies[index] ?? 0;
    const score = Math.fround(weight * Math.fround(tf / Math.fround(tf + (norms[document] ?? 0))));
    scores.set(document, Math.fround((scores.get(document) ?? 0) + score));
  });
}

function addPosting(postings: Map<string, Postings>, key: string, document: number, frequency: number): void {
  let list = postings.get(key);
  if (list === undefined) {
    list = { documents: [], frequencies: [] };
    postings.set(key, list);
  }
  list.documents.push(document);
  list.frequencies.push(frequency);
}

// --- Fusion ---------------------------------------------------------------------------------

/** The TOP_K best by reciprocal ranks in the kernel's integers; ties by document. Weights are equal. */
export function fused(legs: readonly (readonly number[])[]): readonly number[] {
  const scores = new Map<number, number>();
  for (const leg of legs) {
    leg.forEach((document, index) => {
      scores.set(document, (scores.get(document) ?? 0) + Math.floor(2 ** 32 / (FUSION_K_DEFAULT + index + 1)));
    });
  }
  return [...scores]
    .sort(([a, scoreA], [b, scoreB]) => scoreB - scoreA || a - b)
    .slice(0, TOP_K)
    .map(([document]) => document);
}
