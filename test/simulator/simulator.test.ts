/** Simulations of whole planes: every seed holds every invariant, and repeats itself byte for byte. */
import { expect, test } from "vitest";
import { commandOf, shrink } from "./shrink.ts";
import { type Outcome, type Simulation, simulate } from "./simulate.ts";

const SEEDS = Number(process.env.SIMULATIONS ?? 20);
const STEPS = 150;

function simulationOf(seed: number): Simulation {
  return { seed, steps: STEPS, only: null, without: [] };
}

test("what callers see is explained, whatever fails", { timeout: 600_000 }, async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { violations } = await simulate(simulationOf(seed));
    expect(violations, commandOf(simulationOf(seed), null)).toEqual([]);
  }
});

test("a seed has one trace", async () => {
  // From one place, since frames of the stack are in the trace.
  const traces: (readonly string[])[] = [];
  for (const seed of [3, 3, 4]) traces.push((await simulate(simulationOf(seed))).trace);
  const [first, second, other] = traces;
  expect(first?.length).toBeGreaterThan(STEPS);
  expect(second).toEqual(first);
  expect(other).not.toEqual(first);
});

test("a failure is shrunk to the steps and troubles that it needs", async () => {
  const needed = [5, 17];
  const fails = async (simulation: Simulation): Promise<Outcome> => {
    const steps = simulation.only ?? Array.from({ length: STEPS }, (_, index) => index);
    const isFailing = needed.every((step) => steps.includes(step)) && !simulation.without.includes("putsLate");
    return {
      violations: isFailing ? [{ invariant: "once", what: "" }] : [],
      trace: [],
      steps: steps.length,
      events: 0,
    };
  };
  const { simulation } = await shrink(fails, simulationOf(1), "once", 150);
  expect(simulation.only).toEqual(needed);
  expect(simulation.without).not.toContain("putsLate");
  expect(simulation.without).toContain("storeLost");
});
