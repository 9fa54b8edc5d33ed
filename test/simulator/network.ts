/**
 * Processes and what they send each other. A message takes its time, may be refused before it has its effect, and its
 * answer may be lost after it. What a process has sent goes on when the process ends; nobody hears the answer then.
 */
import type { Timer } from "../../core/ports.ts";
import type { Chance } from "./chance.ts";
import type { Scheduler } from "./scheduler.ts";

/** Something that runs, and may end at any await. */
export class Process {
  readonly name: string;
  alive = true;
  readonly #gate: (message: () => void) => void;
  readonly #ends = new Set<() => void>();

  /** `gate` lets a message out: at once, or when what was written before it is durable. */
  constructor(name: string, gate: (message: () => void) => void = (message) => message()) {
    this.name = name;
    this.#gate = gate;
  }

  send(message: () => void): void {
    this.#gate(() => {
      if (this.alive) message();
    });
  }

  /** Returns what takes the listener away. */
  onEnd(listener: () => void): () => void {
    this.#ends.add(listener);
    return () => void this.#ends.delete(listener);
  }

  end(): void {
    this.alive = false;
    for (const listener of this.#ends) listener();
    this.#ends.clear();
  }
}

/** How likely what can go wrong with a message does. */
export interface Faults {
  readonly refused: number;
  readonly lost: number;
  /** It is under way for long. */
  readonly slow: number;
  /** It happens, some time before `lateMs`, and is given up long after that. */
  readonly late: number;
  readonly lateMs: number;
}

export const NO_FAULTS: Faults = { refused: 0, lost: 0, slow: 0, late: 0, lateMs: 0 };

/** Most answers come soon, a few take their time. */
const SOON_MS = 2;
const LATER_MS = 15;
const SLOW_MS = 150;
/** What is under way for long may outlast a lease; a build that waits for it does not outlast its deadline. */
const LONG_MS = 2_500;
/** Whoever sent a message gives it up so long after it had its effect. */
const GIVEN_UP_MS = 5_000;

export class Network {
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  /** False once all faults have ended. */
  isFaulty = true;

  constructor(scheduler: Scheduler, chance: Chance) {
    this.scheduler = scheduler;
    this.chance = chance;
  }

  delayMs(subject: string): number {
    const kind = this.chance.draw(subject);
    const within = kind < 0.6 ? SOON_MS : kind < 0.95 ? LATER_MS : SLOW_MS;
    return this.chance.draw(subject) * within;
  }

  /** `perform` happens once, or never when the message is refused. */
  message<T>(from: Process, name: string, perform: () => Promise<T>, faults: Faults): Promise<T> {
    const { scheduler, chance } = this;
    return new Promise((resolve, reject) => {
      const answer = (fate: string, settle: () => void): void => {
        const traced = from.alive ? `${from.name} < ${name}${fate}` : "";
        scheduler.after(this.delayMs(name), traced, () => {
          if (from.alive) settle();
        });
      };
      from.send(() => {
        const isFaulty = this.isFaulty;
        const isLate = isFaulty && chance.happens(name, faults.late);
        const isSlow = isFaulty && chance.happens(name, faults.slow);
        const delayMs = isLate
          ? chance.draw(name) * faults.lateMs
          : Math.min(this.delayMs(name), faults.lateMs || SLOW_MS) + (isSlow ? chance.draw(name) * LONG_MS : 0);
        scheduler.after(delayMs, `${from.name} > ${name}`, () => {
          if (isFaulty && chance.happens(name, faults.refused)) {
            answer(": refused", () => reject(new Error("refused")));
            return;
          }
          perform().then(
            (value) => {
              if (isLate)
                scheduler.after(GIVEN_UP_MS, "", () =>
                  answer(": no answer", () => reject(new Error("no answer came"))),
                );
              else if (isFaulty && chance.happens(name, faults.lost))
                answer(": answer lost", () => reject(new Error("the answer was lost")));
              else answer("", () => resolve(value));
            },
            (cause: unknown) => answer(": failed", () => reject(cause)),
          );
        });
      });
    });
  }

  timerOf(process: Process): Timer {
    const { scheduler } = this;
    return {
      sleep: (ms) =>
        new Promise((resolve) => {
          scheduler.after(ms, `${process.name} slept`, () => {
            if (process.alive) resolve();
          });
        }),
      within: (ms, work) =>
        new Promise((resolve, reject) => {
          scheduler.after(ms, "", () => {
            if (process.alive) resolve("timeout");
          });
          work.then(resolve, reject);
        }),
    };
  }
}
