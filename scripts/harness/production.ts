/**
 * `harness:production`: the local runtime with the limits of a deployment that it does not have by itself
 * (production_in_workerd.ts), for tests and for figures.
 */
import { join } from "node:path";
import type { V4WorkerOptions } from "miniflare";
import { type Around, javascript } from "./around.ts";

export interface ProductionLimits {
  /** What get, head, list and delete take, and what a put takes, as measured from Workers in production. */
  readonly getMs: number;
  readonly putMs: number;
  /** How many calls of one invocation may wait for their headers. */
  readonly connectionsMax: number;
}

const LIMITS: ProductionLimits = { getMs: 60, putMs: 120, connectionsMax: 6 };

const REFEREE = "harness-referee";
/** GET there tells what the referee has seen (`RefereeReport`). */
export const REFEREE_PATH = "/harness/referee";

export interface HarnessParts {
  readonly around: readonly Around[];
  /** Workers beside the scripts. */
  readonly companions: readonly V4WorkerOptions[];
}

export async function productionHarness(): Promise<HarnessParts> {
  const folder = import.meta.dirname;
  return {
    around: [
      {
        file: join(folder, "production_in_workerd.ts"),
        bindings: { HARNESS_LIMITS: JSON.stringify(LIMITS) },
        serviceBindings: { HARNESS_REFEREE: { name: REFEREE, entrypoint: "Referee" } },
      },
    ],
    companions: [companion(REFEREE, REFEREE_PATH, await javascript(join(folder, "referee_in_workerd.ts")))],
  };
}

/** A Worker that answers under a path of the front door's address. */
export function companion(
  name: string,
  path: string,
  code: string,
  more: Partial<V4WorkerOptions> = {},
): V4WorkerOptions {
  const options = {
    name,
    compatibilityDate: "2026-08-04",
    compatibilityFlags: ["nodejs_compat"],
    modules: [{ type: "ESModule", path: `${name}.js`, contents: code }],
    routes: [`*${path}*`],
    ...more,
  };
  return options as V4WorkerOptions;
}
