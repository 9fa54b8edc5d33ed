/**
 * The summarizer that needs no model: it picks the sentences that say most of what the texts say, and least of what was
 * picked before, and gives them back word for word in their order. It writes nothing of its own, so it invents nothing.
 *
 * A sentence is near the texts when its terms are theirs: the cosine between its terms and the centroid of all sentences,
 * terms that few sentences have weighing more. Of near ones the next is the one that adds most.
 *
 * Invariant: a pure function of the texts. Only + − × ÷ and square roots in one fixed order, so the same texts have the
 * same summary on every engine, and it need not be stored as an output.
 *
 * Sources: Radev et al., "Centroid-based summarization of multiple documents", 2004; Carbonell and Goldstein, "The use of
 * MMR", 1998. Deviation: rarity is √(sentences / sentences with the term), which needs no logarithm.
 */
import { ok } from "../../core/errors.ts";
import type { KernelBuilder, Summarizer, Summary } from "../../core/ports.ts";
import { COMMON_TERMS } from "../../core/retrieval/common_terms.ts";

/** What nearness to all counts beside difference from what was picked. */
const NEARNESS = 0.7;
/** Sentences that are looked at: the last ones, which are the newest. */
const SENTENCES_MAX = 4_000;
/** A line without an end is cut into pieces of so many characters. */
const SENTENCE_CHARACTERS_MAX = 400;
const SENTENCE = /[^.!?。！？\n]+[.!?。！？]*["'”’)\]]*/gu;

interface Sentence {
  readonly source: number;
  readonly text: string;
  /** Terms and what they weigh: of length 1. */
  readonly terms: ReadonlyMap<string, number>;
}

export function extractiveSummarizer(analyze: KernelBuilder["analyze"]): Summarizer {
  return {
    id: "extractive-v1",
    summarize: async (texts, charactersMax) => ok(summarize(texts, charactersMax, analyze)),
  };
}

function summarize(texts: readonly string[], charactersMax: number, analyze: KernelBuilder["analyze"]): Summary {
  const sentences = sentencesOf(texts, analyze);
  const centroid = centroidOf(sentences);
  const nearness = sentences.map(({ terms }) => product(terms, centroid));
  const likeness = sentences.map(() => 0);
  const picked: number[] = [];
  let left = charactersMax;
  for (;;) {
    const next = bestOf(sentences, nearness, likeness, new Set(picked), left);
    const sentence = sentences[next];
    if (sentence === undefined) break;
    picked.push(next);
    left -= sentence.text.length + 1;
    sentences.forEach(({ terms }, index) => {
      likeness[index] = Math.max(likeness[index] ?? 0, product(terms, sentence.terms));
    });
  }
  const inOrder = [...picked].sort((a, b) => a - b).map((index) => sentences[index]?.text ?? "");
  return { text: inOrder.join(" "), sources: [...new Set(picked.map((index) => sentences[index]?.source ?? 0))] };
}

function sentencesOf(texts: readonly string[], analyze: KernelBuilder["analyze"]): readonly Sentence[] {
  const all = texts.flatMap((text, source) => piecesOf(text).map((piece) => ({ source, text: piece })));
  const counted = all.slice(-SENTENCES_MAX).flatMap(({ source, text }) => {
    const words = analyze(text).filter(({ field, term }) => field === "word" && !COMMON_TERMS.has(term));
    return words.length === 0 ? [] : [{ source, text, words }];
  });
  const frequency = new Map<string, number>();
  for (const { words } of counted) for (const { term } of words) frequency.set(term, (frequency.get(term) ?? 0) + 1);
  return counted.map(({ source, text, words }) => {
    const weights = words.map(({ term, count }): [string, number] => {
      return [term, count * Math.sqrt(counted.length / (frequency.get(term) ?? 1))];
    });
    return { source, text, terms: normalized(weights) };
  });
}

/** Sentences, and pieces of what has no end. */
function piecesOf(text: string): readonly string[] {
  return (text.match(SENTENCE) ?? []).flatMap((sentence) => {
    const trimmed = sentence.trim();
    const pieces: string[] = [];
    for (let at = 0; at < trimmed.length; at += SENTENCE_CHARACTERS_MAX) {
      const piece = trimmed
        .slice(at, at + SENTENCE_CHARACTERS_MAX)
        .toWellFormed()
        .trim();
      if (piece !== "") pieces.push(piece);
    }
    return pieces;
  });
}

function normalized(weights: readonly (readonly [string, number])[]): ReadonlyMap<string, number> {
  const length = Math.sqrt(weights.reduce((sum, [, weight]) => sum + weight * weight, 0));
  return new Map(weights.map(([term, weight]) => [term, weight / length]));
}

function centroidOf(sentences: readonly Sentence[]): ReadonlyMap<string, number> {
  const sum = new Map<string, number>();
  for (const { terms } of sentences) for (const [term, weight] of terms) sum.set(term, (sum.get(term) ?? 0) + weight);
  return normalized([...sum]);
}

function product(terms: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const [term, weight] of terms) sum += weight * (other.get(term) ?? 0);
  return sum;
}

/** -1 when none fits any more that adds anything. */
function bestOf(
  sentences: readonly Sentence[],
  nearness: readonly number[],
  likeness: readonly number[],
  picked: ReadonlySet<number>,
  charactersLeft: number,
): number {
  let best = -1;
  let bestGain = Number.NEGATIVE_INFINITY;
  for (const [index, { text }] of sentences.entries()) {
    if (picked.has(index) || text.length > charactersLeft || (likeness[index] ?? 0) > SAME_LIKENESS) continue;
    const gain = NEARNESS * (nearness[index] ?? 0) - (1 - NEARNESS) * (likeness[index] ?? 0);
    if (gain <= bestGain) continue;
    best = index;
    bestGain = gain;
  }
  return best;
}

/** Sentences as like as this say the same. */
const SAME_LIKENESS = 0.9;
