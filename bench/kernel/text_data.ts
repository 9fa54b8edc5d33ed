/**
 * Prose to search: about 70 words a document, in sentences, of a made-up vocabulary whose r-th word is met with
 * probability ∝ 1 / (r + 2.7) (Mandelbrot's form of Zipf's law). The most frequent are English function words, some of
 * the others take English endings, so that stop lists and stemmers have their work. A document keeps to a topic: every
 * third word comes from a short list of its own, as real texts repeat what they are about.
 */
import { type RandomNumbers, randomNumbers } from "./random.ts";

const VOCABULARY = 60_000;
const ZIPF_OFFSET = 2.7;
const TOPIC_WORDS = 24;
const TOPIC_SHARE = 1 / 3;
const WORDS_MIN = 40;
const WORDS_MAX = 100;
const SENTENCE_WORDS_MIN = 6;
const SENTENCE_WORDS_MAX = 18;
const FUNCTION_WORDS =
  "the of and to in a is that for it as was with be by on not he i this are or his from at which but have an had they you were their one all we can her has there been if more when will would who so no she other its may these what them than some him time into only could new then do any my now such like our over man me even most made after also did many before must through".split(
    " ",
  );
const ONSETS = "b c d f g h k l m n p r s t v w br cl dr fl gr pl pr sh st th tr ch".split(" ");
const NUCLEI = "a e i o u ai ea ie oa ou".split(" ");
const CODAS = " n r s t l m nd rt ck st nt".split(" ");
const ENDINGS = " s ed ing er ation ly ness".split(" ");

/** Words in a query: each length comes up equally often. */
export const QUERY_WORDS_MAX = 8;

export interface TextData {
  readonly documents: readonly string[];
  readonly queries: readonly string[];
}

/** Query i has 1 + i mod QUERY_WORDS_MAX words out of one document's; all queries are distinct. */
export function proseDocuments(count: number, queries: number, seed: number): TextData {
  const random = randomNumbers(seed);
  const vocabulary = madeUpWords(random);
  const drawn = zipfSampler(vocabulary.length, random);
  const documents = Array.from({ length: count }, () => prose(vocabulary, drawn, random));
  return { documents, queries: queriesFrom(documents, queries, random) };
}

function madeUpWords(random: RandomNumbers): readonly string[] {
  const words = new Set(FUNCTION_WORDS);
  const pick = (of: readonly string[]): string => of[random.below(of.length)] ?? "";
  while (words.size < VOCABULARY) {
    const syllables = 1 + random.below(3);
    let word = "";
    for (let i = 0; i < syllables; i++) word += pick(ONSETS) + pick(NUCLEI) + (i === syllables - 1 ? pick(CODAS) : "");
    words.add(word + pick(ENDINGS));
  }
  return [...words];
}

/** Answers ranks from 0. */
function zipfSampler(count: number, random: RandomNumbers): () => number {
  const cumulated = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += 1 / (rank + ZIPF_OFFSET);
    cumulated[rank] = sum;
  }
  return () => {
    const wanted = random.unit() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulated[middle] ?? 0) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function prose(vocabulary: readonly string[], drawn: () => number, random: RandomNumbers): string {
  const topic = Array.from({ length: TOPIC_WORDS }, drawn);
  const length = WORDS_MIN + random.below(WORDS_MAX - WORDS_MIN + 1);
  const sentences: string[] = [];
  for (let left = length; left > 0; ) {
    const words = Math.min(left, SENTENCE_WORDS_MIN + random.below(SENTENCE_WORDS_MAX - SENTENCE_WORDS_MIN + 1));
    const sentence = Array.from({ length: words }, () => {
      const rank = random.unit() < TOPIC_SHARE ? (topic[random.below(TOPIC_WORDS)] ?? 0) : drawn();
      return vocabulary[rank] ?? "";
    }).join(" ");
    sentences.push(`${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`);
    left -= words;
  }
  return sentences.join(" ");
}

function queriesFrom(documents: readonly string[], count: number, random: RandomNumbers): readonly string[] {
  const functionWords = new Set(FUNCTION_WORDS);
  const queries = new Set<string>();
  while (queries.size < count) {
    const length = 1 + (queries.size % QUERY_WORDS_MAX);
    const document = documents[random.below(documents.length)] ?? "";
    const words = document.toLowerCase().match(/[a-z]+/g) ?? [];
    // A question of one or two words names things; a longer one is a phrase with its function words.
    const usable = length <= 2 ? words.filter((word) => !functionWords.has(word)) : words;
    const from = random.below(Math.max(1, usable.length - length + 1));
    const query = usable.slice(from, from + length);
    if (query.length === length && query.some((word) => !functionWords.has(word))) queries.add(query.join(" "));
  }
  return [...queries];
}
