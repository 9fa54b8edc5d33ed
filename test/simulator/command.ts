/**
 * npm run simulate -- --seed 7 --steps 300             one simulation
 *                     --seeds 1..500                   many
 *                     --trace                          prints all that happened
 *                     --only 3,17 --without putsLate   these steps of the plan, without these troubles: as a shrunk failure says
 *                     --fault token_off_by_one         with a planted fault, which has to be found
 *                     --fault all                      all of them, one after another, each in FAULT_SEEDS seeds
 *
 * A failing seed is shrunk, and its trace printed with the command that repeats it. Exits with 1 when an invariant was
 * violated, or when a planted fault was not found.
 */
import { parseArgs } from "node:util";
import { simulateWith } from "./fault_hooks.ts";
import { PLANTED_FAULTS } from "./planted_faults.ts";
import { commandOf, shrink } from "./shrink.ts";
import { type Outcome, type Simulation, simulate } from "./simulate.ts";

const STEPS_DEFAULT = 300;
/** Simulations that shrinking a failure may take. */
const SHRINKING_RUNS_MAX = 150;
/** Seeds that a planted fault may stay hidden in, from the one on that found it first. */
const FAULT_SEEDS = 15;

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    steps: { type: "string" },
    only: { type: "string" },
    without: { type: "string" },
    fault: { type: "string" },
    trace: { type: "boolean", default: false },
  },
});

const seeds = seedsIn(values.seeds ?? values.seed ?? "1");
const base = {
  steps: wholeNumber(values.steps ?? String(STEPS_DEFAULT)),
  only: values.only === undefined ? null : values.only.split(",").map(wholeNumber),
  without: values.without === undefined ? [] : values.without.split(","),
};

if (values.fault === "all") await findAll();
else await runSeeds(values.fault ?? null);

async function runSeeds(fault: string | null): Promise<void> {
  const run = fault === null ? simulate : await simulateWith(fault);
  const begunMs = performance.now();
  let steps = 0;
  let events = 0;
  for (const seed of seeds) {
    const outcome = await run({ ...base, seed });
    steps += outcome.steps;
    events += outcome.events;
    if (values.trace) print(outcome.trace);
    if (outcome.violations.length > 0) return report(run, { ...base, seed }, outcome, fault);
  }
  const seconds = (performance.now() - begunMs) / 1_000;
  console.log(
    `${seeds.length} seeds, ${steps} steps, ${events} events, ${(steps / seconds).toFixed(0)} steps/s: every invariant held.`,
  );
}

async function report(
  run: typeof simulate,
  failing: Simulation,
  outcome: Outcome,
  fault: string | null,
): Promise<void> {
  process.exitCode = 1;
  const [first] = outcome.violations;
  if (first === undefined) return;
  console.log(`Seed ${failing.seed} violates "${first.invariant}". Shrinking …`);
  const { simulation, outcome: least } = await shrink(run, failing, first.invariant, SHRINKING_RUNS_MAX);
  print(least.trace);
  console.log("");
  for (const { invariant, what } of least.violations) console.log(`${invariant}: ${what}`);
  console.log(`\nTo repeat it: ${commandOf(simulation, fault)}`);
}

/** One line of JSON for each planted fault: the seed that finds it, and which invariants it violates. */
async function findAll(): Promise<void> {
  for (const { name, from } of PLANTED_FAULTS) {
    const run = await simulateWith(name);
    let found: { readonly seed: number; readonly invariants: readonly string[] } | null = null;
    for (let seed = from; seed < from + FAULT_SEEDS; seed += 1) {
      const { violations } = await run({ ...base, seed });
      if (violations.length === 0) continue;
      found = { seed, invariants: [...new Set(violations.map(({ invariant }) => invariant))] };
      break;
    }
    if (found === null) process.exitCode = 1;
    console.log(JSON.stringify({ fault: name, ...found }));
  }
}

function print(trace: readonly string[]): void {
  for (const line of trace) console.log(line);
}

function seedsIn(text: string): readonly number[] {
  const [first = "", last = first] = text.split("..");
  const from = wholeNumber(first);
  return Array.from({ length: wholeNumber(last) - from + 1 }, (_, index) => from + index);
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${text} is no whole number`);
  return number;
}
