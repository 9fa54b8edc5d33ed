/**
 * Asks every system every question, in turns, each time another system first. So a busy machine, a hot processor or a
 * cold cache hits all of them alike, and only ratios within a row mean anything.
 *
 * A turn is one question. Where the clock is too coarse for one, it is as many as take long enough together, and what
 * counts is their mean; a fast system is then asked the questions several times over, so that there are enough turns to
 * take percentiles of. Nothing remembers an answer.
 *
 * Turns leave every system a processor cache full of what the others touched, which hurts graphs more than scans. So
 * where one question can be timed, fast systems are then asked all questions once more without a break.
 *
 * A slow peer is asked fewer questions, so that a row stays within its time: it stops after the first whole round of
 * lengths in which its time is over. How many it was asked is in the results. Ours are asked all of them.
 */
import type { Clock } from "./clock.ts";
import type { Search } from "./contender.ts";
import type { QuestionSet } from "./corpus.ts";
import { QUERY_WORDS_MAX } from "./text_data.ts";

export interface Runner {
  readonly system: string;
  readonly search: Search;
  /** What it may take for the questions of a row. */
  readonly askMsMax: number;
}

export interface Measured {
  readonly system: string;
  /** Microseconds a question, of each turn. */
  readonly us: readonly number[];
  /** Microseconds a question, all asked in a row; empty where that was not measured. */
  readonly rowUs: readonly number[];
  /** Questions in a turn. */
  readonly turnQuestions: number;
  /** The first answer to each question asked, in order. */
  readonly found: readonly (readonly number[])[];
  /** What it threw; it is then asked no more. */
  readonly fault: string | null;
}

const US_PER_MS = 1_000;
/** Mean of a question, from which on the state of caches no longer shows. */
const IN_A_ROW_US_MAX = 2_000;
/** What a system may take to warm up. */
const WARM_UP_MS_MAX = 1_000;
/** Questions come in rounds, with one of each length: a system that is slow stops at the end of one. */
const ROUND_QUESTIONS = QUERY_WORDS_MAX;
/** Turns of a fast system where several questions are timed together: percentiles are of these. */
const TURNS_MIN = 40;

export async function askInTurns(
  runners: readonly Runner[],
  set: QuestionSet,
  clock: Clock,
): Promise<readonly Measured[]> {
  const asked: Asked[] = [];
  for (const runner of runners) asked.push(await warmedUp(runner, set, clock));
  for (let round = 0; asked.some((each) => !isDone(each)); round++) {
    for (let turn = 0; turn < asked.length; turn++) {
      const next = asked[(turn + round) % asked.length];
      if (next !== undefined && !isDone(next)) await takeTurn(next, clock);
    }
  }
  const rowUs: (readonly number[])[] = [];
  for (const each of asked) rowUs.push(await askInARow(each, clock));
  return asked.map(({ runner: { system }, turnQuestions, us, found, fault }, index) => ({
    system,
    turnQuestions,
    us,
    rowUs: rowUs[index] ?? [],
    found,
    fault,
  }));
}

interface Asked {
  readonly runner: Runner;
  /** Questions from `first` to before `end` are asked. */
  readonly first: number;
  readonly end: number;
  readonly turnQuestions: number;
  next: number;
  spentMs: number;
  readonly us: number[];
  readonly found: number[][];
  fault: string | null;
}

function isDone({ runner, fault, found, first, end, turnQuestions, us, spentMs }: Asked): boolean {
  if (fault !== null) return true;
  if (spentMs >= runner.askMsMax && found.length > 0 && found.length % ROUND_QUESTIONS === 0) return true;
  return found.length === end - first && (turnQuestions === 1 || us.length >= TURNS_MIN);
}

/** Asks the first questions without counting them, and sees from them how many make a turn. */
async function warmedUp(runner: Runner, set: QuestionSet, clock: Clock): Promise<Asked> {
  const { warmUp } = set;
  const count = set.questions.length - warmUp;
  const asked = { runner, first: warmUp, next: warmUp, end: warmUp + count, us: [], found: [], spentMs: 0 };
  try {
    const from = performance.now();
    let calls = 0;
    const spentMs = (): number => performance.now() - from;
    // A coarse clock says nothing of a short while: the questions are then asked again.
    while ((calls < warmUp || spentMs() < 2 * clock.stretchMsMin) && spentMs() < WARM_UP_MS_MAX) {
      await runner.search(calls % warmUp);
      calls++;
    }
    const callMs = Math.max(spentMs() / calls, 1 / US_PER_MS);
    const turnQuestions = Math.max(1, Math.min(count, Math.ceil(clock.stretchMsMin / callMs)));
    return { ...asked, turnQuestions, fault: null };
  } catch (error) {
    return { ...asked, turnQuestions: 1, fault: faultOf(error) };
  }
}

async function askInARow(asked: Asked, clock: Clock): Promise<readonly number[]> {
  const { runner, first, end, us, fault } = asked;
  const mean = us.reduce((sum, value) => sum + value, 0) / us.length;
  const rowUs: number[] = [];
  if (clock.stretchMsMin > 0 || fault !== null || mean > IN_A_ROW_US_MAX) return rowUs;
  try {
    for (let question = first; question < end; question++) {
      const from = clock.start();
      const answer = runner.search(question);
      if (answer instanceof Promise) await answer;
      rowUs.push((clock.end() - from) * US_PER_MS);
    }
  } catch (error) {
    asked.fault = faultOf(error);
  }
  return rowUs;
}

async function takeTurn(asked: Asked, clock: Clock): Promise<void> {
  const { search } = asked.runner;
  const answers: ArrayLike<number>[] = [];
  try {
    const from = clock.start();
    for (let i = 0; i < asked.turnQuestions; i++) {
      const answer = search(asked.next);
      answers.push(answer instanceof Promise ? await answer : answer);
      asked.next = asked.next + 1 < asked.end ? asked.next + 1 : asked.first;
    }
    const ms = clock.end() - from;
    asked.us.push((ms * US_PER_MS) / asked.turnQuestions);
    asked.spentMs += ms;
  } catch (error) {
    asked.fault = faultOf(error);
  }
  const missing = asked.end - asked.first - asked.found.length;
  for (const answer of answers.slice(0, missing)) asked.found.push(Array.from(answer));
}

function faultOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
