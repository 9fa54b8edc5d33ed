import { describe, expect, it } from "vitest";
import { type Clock, fineClock, steppingClock } from "../../bench/kernel/clock.ts";
import type { QuestionSet } from "../../bench/kernel/corpus.ts";
import { askInTurns } from "../../bench/kernel/interleave.ts";

const askMsMax = Number.POSITIVE_INFINITY;

const set = (questions: number, warmUp: number): QuestionSet => ({
  row: "any",
  leg: "text",
  warmUp,
  questions: Array.from({ length: questions }, (_, i) => ({ text: String(i), vector: null, filter: null })),
});
describe("systems", () => {
  it("are asked every question in turns, another one first each time, and once more in a row", async () => {
    const asked: string[] = [];
    const runner = (system: string) => ({
      system,
      askMsMax,
      search(question: number) {
        asked.push(`${system}${question}`);
        return [question];
      },
    });
    const measured = await askInTurns([runner("a"), runner("b"), runner("c")], set(5, 1), fineClock);
    expect(asked.join(" ")).toBe("a0 b0 c0 a1 b1 c1 b2 c2 a2 c3 a3 b3 a4 b4 c4 a1 a2 a3 a4 b1 b2 b3 b4 c1 c2 c3 c4");
    for (const { us, rowUs, found, turnQuestions, fault } of measured) {
      expect(us).toHaveLength(4);
      expect(rowUs).toHaveLength(4);
      expect(found).toEqual([[1], [2], [3], [4]]);
      expect(turnQuestions).toBe(1);
      expect(fault).toBeNull();
    }
  });

  it("that are slow are asked whole rounds of eight until their time is over, others all", async () => {
    let now = 0;
    const clock: Clock = { stretchMsMin: 0, start: () => now, end: () => now };
    const search = (question: number) => {
      now += 3;
      return [question];
    };
    const slow = { system: "slow", askMsMax: 30, search };
    const slower = { system: "slower", askMsMax: 0, search };
    const patientOne = { system: "patient", askMsMax, search };
    const measured = await askInTurns([slow, slower, patientOne], set(44, 4), clock);
    expect(measured.map(({ found }) => found.length)).toEqual([16, 8, 40]);
  });

  it("that are fast are timed several questions at a time where the clock is coarse, each answer kept once", async () => {
    let now = 0;
    const clock: Clock = { stretchMsMin: 1, start: () => now, end: () => now };
    const search = (question: number) => {
      now += 2;
      return [question];
    };
    const [measured] = await askInTurns([{ system: "fast", askMsMax, search }], set(30, 5), clock);
    expect(measured?.turnQuestions).toBeGreaterThan(1);
    expect(measured?.found).toEqual(Array.from({ length: 25 }, (_, i) => [5 + i]));
    expect(measured?.us.length).toBeGreaterThanOrEqual(40);
    for (const us of measured?.us ?? []) expect(us).toBe(2_000);
  });

  it("that fail say so, and do not stop the others", async () => {
    const broken = {
      system: "broken",
      askMsMax,
      search: (question: number) => (question < 3 ? [1] : Promise.reject(new Error("out of order"))),
    };
    const dead = { system: "dead", askMsMax, search: () => Promise.reject(new Error("never worked")) };
    const whole = { system: "whole", askMsMax, search: async () => [1] };
    const measured = await askInTurns([broken, dead, whole], set(6, 2), fineClock);
    expect(measured.map(({ fault }) => fault)).toEqual(["out of order", "never worked", null]);
    expect(measured.map(({ us }) => us.length)).toEqual([1, 0, 4]);
  });
});

describe("a stepping clock", () => {
  it("goes forward by no more than what passed and what it waited", () => {
    const clock = steppingClock();
    for (let i = 0; i < 20; i++) {
      const before = Date.now();
      const from = clock.start();
      const until = clock.end();
      expect(from).toBeGreaterThanOrEqual(before);
      expect(until).toBeGreaterThanOrEqual(from - 1);
      expect(until).toBeLessThanOrEqual(Date.now());
    }
  });
});
