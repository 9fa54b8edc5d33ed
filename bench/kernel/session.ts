/**
 * One corpus in one process: its systems are opened, asked in turns, row after row, and end with the process. Node's
 * process (node_runtime.ts) and workerd's (workerd_runtime.ts) both hold a `localSession` and are driven through the same
 * calls; what becomes of a process that is lost is decided in survive.ts.
 */
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
  /** By how much the process grew; null where that cannot be seen. */
  readonly residentBytes: number | null;
}

export interface Refusal {
  readonly system: string;
  /** As in Declined. */
  readonly reason: string | null;
}

export interface OpenRefusal extends Refusal {
  /** It was given up, but may go on in its process, which is then no place to measure in. */
  readonly goesOn: boolean;
}

export interface AskReport {
  readonly measured: readonly Measured[];
  readonly refused: readonly Refusal[];
  /** By system, of those that measured it. */
  readonly coldLoadMs: Readonly<Record<string, number>>;
  /** As in OpenContender, by system. */
  readonly visited: Readonly<Record<string, number>>;
}

export interface SystemName {
  readonly system: string;
  readonly ours: boolean;
}

export interface LocalSession {
  /** Ours come first. */
  readonly systems: readonly SystemName[];
  open(system: string): Promise<OpenReport | OpenRefusal>;
  ask(set: QuestionSet): Promise<AskReport>;
}

/** In another process: a rejection says that the process is lost, and why. */
export interface Session extends LocalSession {
  /** Systems that could be here and are not. */
  readonly absent: readonly Refusal[];
  /** Ends the process, whatever it does, and takes away what it left. Never rejects. */
  end(): Promise<void>;
}

/** Starts processes, one a session. */
export interface Runtime {
  start(corpus: Corpus, budgets: Budgets): Promise<Session>;
}

export interface Budgets {
  /** What one system may take to build its index of a corpus. */
  readonly buildMsMax: number;
  /** What one peer may take for the questions of a row; ours are asked all of them. */
  readonly askMsMax: number;
  /** What a process may take to answer anything before it counts as lost. */
  readonly silenceMsMax: number;
}

/** A projection from less than this share of the rows says nothing. */
const WINDOW_SHARE = 0.02;

/** @param residentBytes what the process holds now, or null where nobody can say */
export function localSession(
  corpus: Corpus,
  contenders: readonly Contender[],
  clock: Clock,
  budgets: Budgets,
  residentBytes: (() => number) | null,
): LocalSession {
  const opened = new Map<string, OpenContender>();
  const ours = new Set(contenders.filter((contender) => contender.ours).map(({ system }) => system));
  return {
    systems: contenders.map(({ system }) => ({ system, ours: ours.has(system) })),
    async open(system) {
      const contender = contenders.find((candidate) => candidate.system === system);
      if (contender === undefined) return { system, reason: "there is no such system", goesOn: false };
      const before = residentBytes?.() ?? 0;
      try {
        const open = await withPatience(contender.open(corpus, buildBudget(budgets.buildMsMax)), budgets.buildMsMax);
        if (open === null) return { system, reason: hung(budgets.buildMsMax), goesOn: true };
        if (isDeclined(open)) return { system, reason: open.reason, goesOn: false };
        opened.set(system, open);
        const { settings, buildMs, bytes } = open;
        const grown = residentBytes === null ? null : Math.max(0, residentBytes() - before);
        return { system, ours: contender.ours, settings, buildMs, bytes, residentBytes: grown };
      } catch (error) {
        return { system, reason: error instanceof Error ? error.message : String(error), goesOn: false };
      }
    },
    async ask(set) {
      const runners: Runner[] = [];
      const refused: Refusal[] = [];
      for (const [system, open] of opened) {
        const search = open.prepare(set);
        const askMsMax = ours.has(system) ? Number.POSITIVE_INFINITY : budgets.askMsMax;
        if (typeof search === "function") runners.push({ system, search, askMsMax });
        else refused.push({ system, reason: search.reason });
      }
      const measured = await askInTurns(runners, set, clock);
      return {
        measured,
        refused,
        coldLoadMs: known(opened, ({ coldLoadMs }) => coldLoadMs),
        visited: known(opened, ({ visited }) => visited ?? null),
      };
    },
  };
}

function known(
  opened: ReadonlyMap<string, OpenContender>,
  figureOf: (open: OpenContender) => number | null,
): Readonly<Record<string, number>> {
  const figures: Record<string, number> = {};
  for (const [system, open] of opened) {
    const figure = figureOf(open);
    if (figure !== null) figures[system] = figure;
  }
  return figures;
}

function hung(ms: number): string {
  return `it had not opened after ${ms / 1_000} s`;
}

/** null after so long. A build that never yields cannot be given up from within: its process is, by who drives it. */
function withPatience<T>(opening: Promise<T>, ms: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const impatience = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
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
