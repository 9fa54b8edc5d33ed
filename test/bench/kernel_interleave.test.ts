import { describe, expect, it } from "vitest";
import { fineStopwatch, type Stopwatch } from "../../bench/kernel/clock.ts";
import type { QuestionSet } from "../../bench/kernel/corpus.ts";
import { askInTurns } from "../../bench/kernel/interleave.ts";

const set = (questions: number, warmUp: number): QuestionSet => ({
  row: "any",
  leg: "text",
  warmUp,
  questions: Array.from({ length: questions }, (_, i) => ({ text: String(i), vector: null, filter: null })),
});
/** Every call takes as many milliseconds as it answers. */
const watch: Stopwatch = {
  method: "told",
  time(call) {
    const value = call();
    if (value instanceof Promise)
      return value.then((later) => ({ us: 1_000 * Number(Object(later)[0]), value: later }));
    return { us: 1_000 * Number(Object(value)[0]), value };
  },
};

describe("systems", () => {
  it("are asked every question in turns, another one first each time", async () => {
    const asked: string[] = [];
    const runner = (system: string) => ({
      system,
      search: (question: number) => [Math.sign(asked.push(`${system}${question}`))],
    });
    const measured = await askInTurns([runner("a"), runner("b"), runner("c")], set(5, 1), watch, 1_000_000);
    expect(asked).toEqual(["a0", "b0", "c0", ..."b1 c1 a1 c2 a2 b2 a3 b3 c3 b4 c4 a4".split(" ")]);
    for (const { us, found, fault } of measured) {
      expect(us).toHaveLength(4);
      expect(found).toEqual([[1], [1], [1], [1]]);
      expect(fault).toBeNull();
    }
  });

  it("that are slow are asked fewer", async () => {
    const runners = [1, 50].map((ms) => ({ system: `${ms} ms`, search: async () => [ms] }));
    const [quick, slow] = await askInTurns(runners, set(104, 4), watch, 1_000);
    expect(quick?.us).toHaveLength(100);
    expect(slow?.us).toHaveLength(20);
  });

  it("that fail say so, and do not stop the others", async () => {
    const broken = { system: "broken", search: () => Promise.reject(new Error("out of order")) };
    const [first, second] = await askInTurns(
      [broken, { system: "whole", search: () => [1] }],
      set(6, 2),
      fineStopwatch,
      1_000,
    );
    expect(first).toMatchObject({ fault: "out of order", us: [] });
    expect(second).toMatchObject({ fault: null });
    expect(second?.us).toHaveLength(4);
  });
});
