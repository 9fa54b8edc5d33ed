/**
 * Chunks for measuring how cost grows with size: short texts whose words are as unequally common as in a language, and
 * clustered vectors. Event i is the same in every run, whatever the size, so a larger timeline continues a smaller one.
 */
import type { PlaneEvent } from "../eval/plane_client.ts";
import { type RandomNumbers, randomNumbers } from "../kernel/random.ts";

export const SCALE_DIMENSIONS = 128;
/** One event a minute, from here on. */
const FIRST_TS_MS = Date.UTC(2020, 0, 1);
const TS_STEP_MS = 60_000;
const CENTRES = 1_000;
const SPREAD = 0.5;
/** Digits behind the point: what the kernel's 15 bits keep of a number below 1. */
const DIGITS = 4;
const VOCABULARY = 40_000;
const WORDS_MIN = 8;
const WORDS_MAX = 24;
/** Values of the attribute that filters ask for. */
export const GROUPS = 1_000;

const SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "xu", "za"];

export interface ScaleCorpus {
  /** Event `index`. */
  event(index: number): PlaneEvent;
  /** A vector near that of some event, and words that some event has; another for each `index`. */
  question(index: number): { readonly vector: readonly number[]; readonly text: string };
}

export function scaleCorpus(seed: number): ScaleCorpus {
  const centreRandom = randomNumbers(seed);
  const centres = Array.from({ length: CENTRES }, () =>
    Float32Array.from({ length: SCALE_DIMENSIONS }, () => centreRandom.normal()),
  );
  const vectorFrom = (random: RandomNumbers): number[] => {
    const centre = centres[random.below(CENTRES)] ?? new Float32Array(SCALE_DIMENSIONS);
    return Array.from(centre, (value) => Number((value + SPREAD * random.normal()).toFixed(DIGITS)));
  };
  return {
    event(index) {
      const random = randomNumbers(seed + 1 + index);
      const vector = vectorFrom(random);
      const words = WORDS_MIN + random.below(WORDS_MAX - WORDS_MIN);
      return {
        id: `chunk-${index}`,
        ts: timeOf(index),
        text: Array.from({ length: words }, () => wordOf(random)).join(" "),
        vector,
        attributes: { group: index % GROUPS },
      };
    },
    question(index) {
      const random = randomNumbers(~(seed + index));
      return { vector: vectorFrom(random), text: Array.from({ length: 3 }, () => wordOf(random)).join(" ") };
    },
  };
}

/** The time of event `index`. */
export function timeOf(index: number): string {
  return new Date(FIRST_TS_MS + index * TS_STEP_MS).toISOString();
}

/** The n-th word is about 1/n as common as the first. */
function wordOf(random: RandomNumbers): string {
  let rank = Math.floor(VOCABULARY ** random.unit());
  let word = "";
  for (let syllable = 0; syllable < 4; syllable++) {
    word += SYLLABLES[rank % SYLLABLES.length];
    rank = Math.floor(rank / SYLLABLES.length);
    if (rank === 0) break;
  }
  return word;
}
