/**
 * Makes a failing simulation small: troubles of the weather and steps of the plan are left out for as long as the same
 * invariant is violated. What is left out changes the fate of nothing else (chance.ts), so most of it can be.
 */
import type { Outcome, Simulation } from "./simulate.ts";
import { TROUBLES } from "./weather.ts";

type Simulate = (simulation: Simulation) => Promise<Outcome>;

export interface Shrunk {
  readonly simulation: Simulation;
  readonly outcome: Outcome;
}

export async function shrink(
  simulate: Simulate,
  failing: Simulation,
  invariant: string,
  runsMax: number,
): Promise<Shrunk> {
  let best: Shrunk = { simulation: failing, outcome: await simulate(failing) };
  let runs = 1;
  const attempt = async (simulation: Simulation): Promise<boolean> => {
    if (runs >= runsMax) return false;
    runs += 1;
    const outcome = await simulate(simulation);
    if (!outcome.violations.some((violation) => violation.invariant === invariant)) return false;
    best = { simulation, outcome };
    return true;
  };
  for (const trouble of TROUBLES) await attempt({ ...best.simulation, without: [...best.simulation.without, trouble] });
  let kept = failing.only ?? Array.from({ length: failing.steps }, (_, index) => index);
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let end = kept.length; end > 0; end -= size) {
      const only = [...kept.slice(0, Math.max(0, end - size)), ...kept.slice(end)];
      if (await attempt({ ...best.simulation, only })) kept = only;
    }
  }
  return best;
}

/** The command that repeats it. */
export function commandOf({ seed, steps, only, without }: Simulation, fault: string | null): string {
  return [
    `npm run simulate -- --seed ${seed} --steps ${steps}`,
    ...(only === null ? [] : [`--only ${only.join(",")}`]),
    ...(without.length === 0 ? [] : [`--without ${without.join(",")}`]),
    ...(fault === null ? [] : [`--fault ${fault}`]),
  ].join(" ");
}
