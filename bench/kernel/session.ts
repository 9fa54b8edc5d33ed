/** One corpus in one runtime: its systems are opened, asked in turns, row after row, and closed. */
import type { Clock } from "./clock.ts";
import { type BuildBudget, type Contender, isDeclined, type OpenContender, OverBudgetError } from "./contender.ts";
import type { Corpus, QuestionSet } from "./corpus.ts";
import { askInTurns, type Measured, type Runner } from "./interleave.ts";

export interface OpenReport {
  readonly system: string;
  readonly ours: boolean;
  readonly settings: string;
  readonly buildMs: number;
  readonly bytes: number | null;
}

export interface Refusal {
  readonly system: string;
  /** As in Declined. */
  readonly reason: string | null;
}

export interface AskReport {
  readonly measured: readonly Measured[];
  readonly refused: readonly Refusal[];
  /** By system, of those that measured it. */
  readonly coldLoadMs: Readonly<Record<string, number>>;
}

export interface Session {
  readonly systems: readonly string[];
  open(system: string): Promise<OpenReport | Refusal>;
  ask(set: QuestionSet): Promise<AskReport>;
  close(): Promise<void>;
}

export interface Budgets {
  /** What one system may take to build its index of a corpus. */
  readonly buildMsMax: number;
  /** What one system may take for the questions of a row. */
  readonly askMsMax: number;
}

/**
 * A build that does not say how far it is, or hangs, is waited for as long as so many builds may take. Only what yields
 * can be given up; it may go on, so that what follows over the same corpus is noisier.
 */
const PATIENCE_BUILDS = 2;
/** A projection from less than this share of the rows says nothing. */
const WINDOW_SHARE = 0.02;

export function localSession(
  corpus: Corpus,
  contenders: readonly Contender[],
  clock: Clock,
  budgets: Budgets,
): Session {
  const opened = new Map<string, OpenContender>();
  return {
    systems: contenders.map(({ system }) => system),
    async open(system) {
      const contender = contenders.find((candidate) => candidate.system === system);
      if (contender === undefined) return { system, reason: "there is no such system" };
      try {
        const opening = contender.open(corpus, buildBudget(budgets.buildMsMax));
        const open = await withPatience(opening, PATIENCE_BUILDS * budgets.buildMsMax);
        if (isDeclined(open)) return { system, reason: open.reason };
        opened.set(system, open);
        const { settings, buildMs, bytes } = open;
        return { system, ours: contender.ours, settings, buildMs, bytes };
      } catch (error) {
        return { system, reason: error instanceof Error ? error.message : String(error) };
      }
    },
    async ask(set) {
      const runners: Runner[] = [];
      const refused: Refusal[] = [];
      for (const [system, open] of opened) {
        const search = open.prepare(set);
        if (typeof search === "function") runners.push({ system, search });
        else refused.push({ system, reason: search.reason });
      }
      const measured = await askInTurns(runners, set, clock, budgets.askMsMax);
      const loads = [...opened].flatMap(([system, { coldLoadMs }]) =>
        coldLoadMs === null ? [] : [[system, coldLoadMs] as const],
      );
      return { measured, refused, coldLoadMs: Object.fromEntries(loads) };
    },
    async close() {
      for (const open of opened.values()) await open.close();
      opened.clear();
    },
  };
}

function withPatience<T>(opening: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const impatience = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new OverBudgetError(`it had not opened after ${ms / 1_000} s`)), ms);
  });
  return Promise.race([opening, impatience]).finally(() => clearTimeout(timer));
}

/**
 * The rows to come will take as long as the latest did, and longer as the index grows: by the ratio of logarithms, as
 * trees and graphs do.
 */
function buildBudget(msMax: number): BuildBudget {
  const from = performance.now();
  let latest = { done: 0, ms: 0 };
  return {
    spend(done, of) {
      const ms = performance.now() - from;
      if (done - latest.done < of * WINDOW_SHARE || done >= of) return;
      const msPerRow = (ms - latest.ms) / (done - latest.done);
      latest = { done, ms };
      const growth = Math.log(of) / Math.log(Math.max(2, done));
      const projected = ms + msPerRow * (of - done) * growth;
      if (projected <= msMax) return;
      const [would, may] = [projected, msMax].map((value) => Math.round(value / 1_000));
      throw new OverBudgetError(`its build would take about ${would} s, and may take ${may}`);
    },
  };
}
