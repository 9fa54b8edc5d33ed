/**
 * The embedder that needs no model: feature hashing of the analyzer's terms. It knows nothing of meaning. Texts are
 * near when they share words, or the letters of words, so it forgives a misspelling that the text leg cannot find.
 *
 * Invariant: a pure function of the text. Only + − × ÷ and square roots, all correctly rounded by IEEE 754, in one
 * fixed order; so the same text has the same bits on every engine, and its vectors need not be stored as outputs.
 *
 * Source: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009. Deviations: (1) each word
 * also casts its letter trigrams; (2) words weigh by length, since idf would need the corpus.
 */
import type { KernelBuilder, LocalEmbedder, QueryTerm } from "../../core/ports.ts";
import { COMMON_TERMS } from "../../core/retrieval/common_terms.ts";

/** Twice as many find a fifth more by vector alone, and nothing more in a hybrid; a slab holds half as many then. */
const DIMENSIONS = 256;

/**
 * Below 1/62: the first rank of this leg adds less than what lies between the first two ranks of the text leg at
 * rrf k = 60, so no vector hit overtakes the best text hit. A multiple of 2^-16, as the fusion takes it.
 */
const QUERY_WEIGHT = 1 / 64;

/** Letters beyond this many say no more about how rare a word is. */
const WORD_LETTERS_MAX = 8;
/** Keeps short words heard: a word of n letters weighs n + 2. */
const WORD_WEIGHT_BASE = 2;
const COMMON_TERM_FACTOR = 0.2;
const GRAM_LETTERS = 3;

export function embeddedEmbedder(analyze: KernelBuilder["analyze"]): LocalEmbedder {
  return {
    kind: "local",
    id: "embedded-v1",
    dimensions: DIMENSIONS,
    queryWeight: QUERY_WEIGHT,
    embed: (texts) => texts.map((text) => embedTerms(analyze(text))),
  };
}

/** A unit vector, or null for a text without a single term. */
function embedTerms(terms: readonly QueryTerm[]): Float32Array | null {
  const sums = new Float64Array(DIMENSIONS);
  for (const { field, term, count } of terms) {
    const weight = termWeight(term) * threeQuarterPower(count);
    addFeature(sums, `${field}:${term}`, weight);
    if (field === "word") addGrams(sums, term, weight);
  }
  return normalised(sums);
}

function termWeight(term: string): number {
  const weight = Math.min(term.length, WORD_LETTERS_MAX) + WORD_WEIGHT_BASE;
  return COMMON_TERMS.has(term) ? weight * COMMON_TERM_FACTOR : weight;
}

/** count^0.75: sublinear, yet a word that a text keeps coming back to stands out of the noise of hashing. */
function threeQuarterPower(count: number): number {
  const root = Math.sqrt(count);
  return root * Math.sqrt(root);
}

/** The word's trigrams together weigh as much as the word. */
function addGrams(sums: Float64Array, term: string, weight: number): void {
  const framed = `<${term}>`;
  const grams = framed.length - GRAM_LETTERS + 1;
  const share = weight / Math.sqrt(grams);
  for (let at = 0; at < grams; at++) addFeature(sums, `gram:${framed.slice(at, at + GRAM_LETTERS)}`, share);
}

/** One bit of the hash is the sign, so that collisions cancel on average. */
function addFeature(sums: Float64Array, feature: string, weight: number): void {
  const hash = hash32(feature);
  const at = hash % DIMENSIONS;
  sums[at] = (sums[at] ?? 0) + (hash >>> 31 === 0 ? weight : -weight);
}

/** FNV-1a over UTF-16 code units, then the finaliser of MurmurHash3, so that low and high bits are both well mixed. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function normalised(sums: Float64Array): Float32Array | null {
  let squares = 0;
  for (const sum of sums) squares += sum * sum;
  if (squares === 0) return null;
  const length = Math.sqrt(squares);
  return Float32Array.from(sums, (sum) => sum / length);
}
