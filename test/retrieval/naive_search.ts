/**
 * Search as its definition says it: every live document scored, one by one, and sorted. It shares with the code under
 * test only the analyzer, the chunker and the logarithm, each of which has tests of its own.
 */
import { chunkText } from "../../core/index/chunker.ts";
import type { CommitLines } from "../../core/index/part.ts";
import { TOMBSTONE_KIND } from "../../core/log/line.ts";
import type { KernelBuilder, Metric, QueryTerm } from "../../core/ports.ts";
import { COMMON_TERM_FACTOR, WHOLE_TOKEN_BOOST } from "../../core/retrieval/bm25.ts";
import { COMMON_TERMS } from "../../core/retrieval/common_terms.ts";
import type { StoredEvent } from "../../core/schema/event.ts";
import { quantize, scoreOf } from "../kernel/vector_oracle.ts";
import { linesThrough, segmentName } from "./corpus.ts";

export interface NaiveDocument {
  readonly event: StoredEvent;
  readonly commit: number;
  readonly line: number;
  readonly chunk: number;
  readonly text: string;
  readonly vector: readonly number[] | null;
}

export interface NaiveHit {
  readonly document: NaiveDocument;
  readonly score: number;
}

/** What names a hit: `placeOf` of search_fixture.ts. */
export function naivePlace({ document }: NaiveHit): string {
  return `bucket/${segmentName(document.commit)} ${document.line} ${document.chunk}`;
}

/** Live documents in position order. */
export function naiveDocuments(commits: readonly CommitLines[], commit: number): readonly NaiveDocument[] {
  return linesThrough(commits, commit).flatMap(({ event, live, ...place }) => {
    if (!live || event.kind === TOMBSTONE_KIND) return [];
    const chunks = chunkText(event.text ?? "").map(({ text }) => text);
    const texts = chunks.length === 0 && event.vector !== undefined ? [""] : chunks;
    return texts.map((text, chunk) => ({
      ...place,
      event,
      chunk,
      text,
      vector: chunk === 0 ? (event.vector ?? null) : null,
    }));
  });
}

export interface NaiveText {
  readonly builder: KernelBuilder;
  readonly idf: (documents: number, df: number) => number;
  readonly k1: number;
  readonly b: number;
}

/** BM25 over `documents`, of which those in `matching` may be hits. The query has words that are in no identifier. */
export function naiveTextSearch(
  documents: readonly NaiveDocument[],
  matching: (document: NaiveDocument) => boolean,
  query: string,
  { builder, idf, k1, b }: NaiveText,
): readonly NaiveHit[] {
  const analysed = documents.map((document) => ({ document, terms: builder.analyze(document.text) }));
  const lengths = analysed.map(({ terms }) => lengthOf(terms));
  const words = lengths.reduce((sum, length) => sum + length, 0);
  const withWords = lengths.filter((length) => length > 0).length;
  const withWholes = analysed.filter(({ terms }) => terms.some(({ field }) => field === "whole")).length;
  const hits: NaiveHit[] = [];
  for (const { document, terms } of analysed) {
    let score = 0;
    for (const { field, term, count } of builder.analyze(query)) {
      const tf = tfOf(terms, field, term);
      const names = /[a-z]/.test(term) && /[0-9]/.test(term);
      if (tf === 0 || (field === "whole" && !names)) continue;
      const df = analysed.filter((other) => tfOf(other.terms, field, term) > 0).length;
      const weight = Math.fround(count * idf(Math.max(withWords, withWholes), df) * factorOf(field, term));
      const average = words / withWords;
      const norm = Math.fround(field === "whole" ? k1 : k1 * (1 - b + (b * lengthOf(terms)) / average));
      const saturated = Math.fround(tf / Math.fround(tf + norm));
      score = Math.fround(score + Math.fround(weight * saturated));
    }
    if (score > 0 && matching(document)) hits.push({ document, score });
  }
  return hits.sort((a, b) => b.score - a.score);
}

function tfOf(terms: readonly QueryTerm[], field: string, term: string): number {
  return terms.find((candidate) => candidate.field === field && candidate.term === term)?.count ?? 0;
}

/** In indexed words. */
function lengthOf(terms: readonly QueryTerm[]): number {
  return terms.reduce((sum, { field, count }) => (field === "word" ? sum + count : sum), 0);
}

/** The stored vectors' scores, to the last bit, of the documents that have a vector of `vectorOf`. */
export function naiveVectorSearch(
  documents: readonly NaiveDocument[],
  query: readonly number[],
  metric: Metric,
  vectorOf: (document: NaiveDocument) => readonly number[] | null = ({ vector }) => vector,
): readonly NaiveHit[] {
  const asked = quantize(Float32Array.from(query), metric);
  const hits = documents.flatMap((document) => {
    const vector = vectorOf(document);
    if (vector === null) return [];
    return [{ document, score: scoreOf(quantize(Float32Array.from(vector), metric), asked, metric) }];
  });
  return hits.sort((a, b) => b.score - a.score);
}

function factorOf(field: string, term: string): number {
  if (field === "whole") return WHOLE_TOKEN_BOOST;
  return COMMON_TERMS.has(term) ? COMMON_TERM_FACTOR : 1;
}
