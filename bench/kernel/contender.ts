/**
 * What every measured system looks like, ours and the peers: it builds an index of a corpus, then answers questions.
 * A system that cannot do something of its own kind says why; nothing is left out silently. None is closed: the process
 * that holds it ends with the corpus.
 */
import type { Corpus, Question, QuestionSet } from "./corpus.ts";

/** Documents, best first. Only systems that are asynchronous by nature answer with a promise. */
export type Found = ArrayLike<number>;
export type Search = (question: number) => Found | Promise<Found>;

/** Why a system is not in a row; null when the row is another kind of work than it does. */
export interface Declined {
  readonly reason: string | null;
}

export const ANOTHER_KIND: Declined = { reason: null };

export interface OpenContender {
  /** What differs from its defaults, and which defaults matter. */
  readonly settings: string;
  readonly buildMs: number;
  /** Of the index as it is stored; null when the system cannot say. */
  readonly bytes: number | null;
  /** From stored bytes to the first answer; null when not measured. */
  readonly coldLoadMs: number | null;
  /** Readies one row: whatever a caller can prepare once for a question (its form, not its answer) is not timed. */
  prepare(set: QuestionSet): Search | Declined;
  /** Vectors that a question had scored, on average since `prepare`; of graphs that count them. */
  readonly visited?: number;
}

/** Time a build may still take: asked now and then with how much is done. */
export interface BuildBudget {
  /** Throws OverBudgetError when the whole would take longer than the budget. */
  spend(done: number, of: number): void;
}

/** Our exact search; our others are named after it. */
export const OURS = "context-plane";
export const OURS_HNSW = `${OURS}, hnsw`;
/** The same question without its filter: what a filter may cost is measured against it. */
export const OURS_UNFILTERED = `${OURS}, unfiltered`;

export interface Contender {
  /** As it is known, with its version. */
  readonly system: string;
  readonly ours: boolean;
  open(corpus: Corpus, budget: BuildBudget): Promise<OpenContender | Declined>;
}

export class OverBudgetError extends Error {
  override readonly name = "OverBudgetError";
}

export function isDeclined(value: object): value is Declined {
  return "reason" in value;
}

/** A search of questions in the form that a system takes them in; null is no question for it. */
export function askWith<T>(
  set: QuestionSet,
  formOf: (question: Question) => T | null,
  answer: (form: T) => Found | Promise<Found>,
): Search | Declined {
  const forms = set.questions.map(formOf);
  if (forms.includes(null)) return ANOTHER_KIND;
  return (question) => answer(forms[question] as T);
}
