/**
 * How long the stages of a request took.
 * In Workers clocks stand still between I/O, so a stage that only computes shows 0 there.
 */
import type { Clock } from "../../../core/ports.ts";
import type { StageTimes } from "../../../core/rpc.ts";

/** Names that may come from elsewhere: no other gets into a header. */
const CALLED_STAGES = ["ingest", "object", "wait", "put"] as const satisfies readonly (keyof StageTimes)[];

export type StageName = "auth" | "parse" | "call" | "settings" | keyof StageTimes;

export interface Stages {
  readonly startMs: number;
  measure<T>(name: StageName, work: () => Promise<T>): Promise<T>;
  /** Times that another script took, and tells of. */
  add(times: StageTimes): void;
  elapsedMs(): number;
  header(): string;
}

export function createStages(clock: Clock): Stages {
  const startMs = clock.now();
  const spent = new Map<StageName, number>();
  return {
    startMs,
    async measure(name, work) {
      const from = clock.now();
      try {
        return await work();
      } finally {
        spent.set(name, (spent.get(name) ?? 0) + clock.now() - from);
      }
    },
    add(times) {
      for (const name of CALLED_STAGES) {
        const ms = times[name];
        if (ms !== undefined) spent.set(name, (spent.get(name) ?? 0) + ms);
      }
    },
    elapsedMs: () => clock.now() - startMs,
    header() {
      const stages = [...spent, ["total", clock.now() - startMs] as const];
      return stages.map(([name, ms]) => `${name};dur=${ms}`).join(", ");
    },
  };
}
