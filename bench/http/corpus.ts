/**
 * What the entities of a benchmark hold, and what they are asked. The same from run to run: texts and vectors are those
 * of bench/kernel, drawn from seeds.
 */
import { randomNumbers } from "../kernel/random.ts";
import { proseDocuments } from "../kernel/text_data.ts";
import { clusteredVectors } from "../kernel/vector_data.ts";

export interface CorpusPlan {
  readonly events: number;
  readonly dimensions: number;
  readonly queries: number;
  /** Every text is cut to so many characters. */
  readonly textCharacters: number;
}

export interface Corpus {
  readonly plan: CorpusPlan;
  /** JSON of the events from..to−1, as the body of an append. */
  body(from: number, to: number): string;
  readonly queries: readonly { readonly text: string; readonly vector: readonly number[] }[];
}

/** Distinct values of the attribute that a filter names. */
export const MEMBERS = 1_000;
/** Events are so far apart, from FIRST_TS_MS on. */
export const EVENT_INTERVAL_MS = 60_000;
export const FIRST_TS_MS = Date.UTC(2026, 0, 1);

const SEED = 20_261;
/** As a caller would send them: more digits than a model's vectors have meaning. */
const VECTOR_DIGITS = 5;

export function makeCorpus(plan: CorpusPlan): Corpus {
  const texts = proseDocuments(plan.events, plan.queries, SEED);
  const { rows, queries } = clusteredVectors(plan.events, plan.dimensions, plan.queries, SEED + 1);
  const vector = (values: Float32Array): number[] =>
    Array.from(values, (value) => Number(value.toFixed(VECTOR_DIGITS)));
  const members = randomNumbers(SEED + 2);
  const memberOf = Array.from({ length: plan.events }, () => members.below(MEMBERS));
  const event = (index: number): object => ({
    id: idOf(index),
    ts: FIRST_TS_MS + index * EVENT_INTERVAL_MS,
    text: texts.documents[index]?.slice(0, plan.textCharacters),
    vector: vector(rows.values.subarray(index * plan.dimensions, (index + 1) * plan.dimensions)),
    session: `s${index >> 5}`,
    actor: `user:${index % 97}`,
    source: index % 3 === 0 ? "mail" : "chat",
    attributes: {
      member: memberName(memberOf[index] ?? 0),
      stage: ["new", "open", "won", "lost"][index % 4],
      amount: (index * 37) % 5_000,
    },
  });
  return {
    plan,
    body: (from, to) => JSON.stringify({ events: Array.from({ length: to - from }, (_, n) => event(from + n)) }),
    queries: texts.queries.map((text, index) => ({ text, vector: vector(queries[index] ?? new Float32Array()) })),
  };
}

/** As long as a UUID, as ids that callers bring along usually are. */
function idOf(index: number): string {
  const random = randomNumbers(index);
  const digits = Array.from({ length: 4 }, () => random.bits().toString(16).padStart(8, "0")).join("");
  return [8, 12, 16, 20, 32].map((end, n, ends) => digits.slice(ends[n - 1] ?? 0, end)).join("-");
}

export function memberName(member: number): string {
  return `m${member}`;
}
