/**
 * Asks every system every question, in turns: question by question, each time another system first. So a busy machine,
 * a hot processor or a cold cache hits all of them alike, and only ratios within a row mean anything.
 *
 * A slow system is asked fewer questions, so that a row stays within its time; how many is in the results.
 */
import type { Stopwatch } from "./clock.ts";
import type { Found, Search } from "./contender.ts";
import type { QuestionSet } from "./corpus.ts";

export interface Runner {
  readonly system: string;
  readonly search: Search;
}

export interface Measured {
  readonly system: string;
  /** Of each question asked, in order. */
  readonly us: readonly number[];
  readonly found: readonly (readonly number[])[];
  /** What it threw; it is then asked no more. */
  readonly fault: string | null;
}

const US_PER_MS = 1_000;
/** Of the time for its questions, what a system may take to warm up. */
const WARM_UP_SHARE = 0.125;

/** `askMsMax` is what one system may take for its questions. */
export async function askInTurns(
  runners: readonly Runner[],
  set: QuestionSet,
  watch: Stopwatch,
  askMsMax: number,
): Promise<readonly Measured[]> {
  const asked: Asked[] = [];
  for (const runner of runners) asked.push(await warmedUp(runner, set, watch, askMsMax));
  for (let question = set.warmUp; question < set.questions.length; question++) {
    for (let turn = 0; turn < asked.length; turn++) {
      const next = asked[(turn + question) % asked.length];
      if (next !== undefined && question < next.end && next.fault === null) await ask(next, question, watch);
    }
  }
  return asked.map(({ runner: { system }, us, found, fault }) => ({ system, us, found, fault }));
}

interface Asked {
  readonly runner: Runner;
  /** Questions before this are asked. */
  readonly end: number;
  readonly us: number[];
  readonly found: number[][];
  fault: string | null;
}

/** Asks the first questions without counting them, and sees from the last of them how many it can be asked. */
async function warmedUp(runner: Runner, set: QuestionSet, watch: Stopwatch, askMsMax: number): Promise<Asked> {
  const warm: Asked = { runner, end: set.warmUp, us: [], found: [], fault: null };
  const warmMsMax = askMsMax * WARM_UP_SHARE;
  let spentUs = 0;
  for (let question = 0; question < set.warmUp && warm.fault === null && spentUs < warmMsMax * US_PER_MS; question++) {
    await ask(warm, question, watch);
    spentUs += warm.us.at(-1) ?? 0;
  }
  const late = warm.us.slice(Math.floor(warm.us.length / 2));
  const meanUs = Math.max(1, late.reduce((sum, us) => sum + us, 0) / Math.max(1, late.length));
  const affordable = Math.max(1, Math.floor((askMsMax * US_PER_MS) / meanUs));
  return { ...warm, end: Math.min(set.questions.length, set.warmUp + affordable), us: [], found: [] };
}

async function ask(asked: Asked, question: number, watch: Stopwatch): Promise<void> {
  try {
    const timing = watch.time<Found>(() => asked.runner.search(question));
    const { us, value } = timing instanceof Promise ? await timing : timing;
    asked.us.push(us);
    asked.found.push(Array.from(value));
  } catch (error) {
    asked.fault = error instanceof Error ? error.message : String(error);
  }
}
