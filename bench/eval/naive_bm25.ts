/**
 * The reference ranking that the product's text mode is compared with: BM25 (Lucene's formula) over whole documents,
 * Porter stemming, Lucene's stop words, k1 0.9, b 0.4. Written for legibility, not speed, and sharing nothing with
 * the kernel. Source: Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
 */
import { porterStem } from "./porter.ts";

const K1 = 0.9;
const B = 0.4;

/** Lucene's EnglishAnalyzer list. */
const STOP_WORDS: ReadonlySet<string> = new Set(
  (
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this " +
    "to was will with"
  ).split(" "),
);

export function referenceTerms(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.filter((word) => !STOP_WORDS.has(word)).map(porterStem);
}

interface Posting {
  readonly document: number;
  readonly tf: number;
}

export interface NaiveBm25 {
  /** Ids of the best documents for `text`, best first; documents without any of its words are left out. */
  rank(text: string, limit: number): string[];
}

export function naiveBm25(documents: readonly { readonly id: string; readonly text: string }[]): NaiveBm25 {
  const postings = new Map<string, Posting[]>();
  const lengths = documents.map((document, index) => {
    const terms = referenceTerms(document.text);
    for (const [term, tf] of countsOf(terms)) {
      const list = postings.get(term) ?? [];
      list.push({ document: index, tf });
      postings.set(term, list);
    }
    return terms.length;
  });
  const averageLength = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, documents.length);

  return {
    rank(text, limit) {
      const scores = new Map<number, number>();
      for (const [term, count] of countsOf(referenceTerms(text))) {
        const list = postings.get(term) ?? [];
        const idf = Math.log(1 + (documents.length - list.length + 0.5) / (list.length + 0.5));
        for (const { document, tf } of list) {
          const norm = K1 * (1 - B + (B * (lengths[document] ?? 0)) / averageLength);
          scores.set(document, (scores.get(document) ?? 0) + (count * idf * tf) / (tf + norm));
        }
      }
      const ranked = [...scores].sort(([a, scoreA], [b, scoreB]) => scoreB - scoreA || a - b);
      return ranked.slice(0, limit).map(([document]) => documents[document]?.id ?? "");
    },
  };
}

function countsOf(terms: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}
