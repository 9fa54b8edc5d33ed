/**
 * `Server-Timing`: milliseconds of each stage of a request.
 * In Workers clocks stand still between I/O, so a stage that only computes shows 0 there.
 */
import type { MiddlewareHandler } from "hono";
import type { Clock } from "../../../core/ports.ts";
import type { AppEnv } from "./context.ts";

export type StageName = "auth" | "parse" | "call";

export interface Stages {
  readonly startMs: number;
  measure<T>(name: StageName, work: () => Promise<T>): Promise<T>;
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
    elapsedMs: () => clock.now() - startMs,
    header() {
      const stages = [...spent, ["total", clock.now() - startMs] as const];
      return stages.map(([name, ms]) => `${name};dur=${ms}`).join(", ");
    },
  };
}

export function serverTiming(clock: Clock): MiddlewareHandler<AppEnv> {
  return async function serverTimingMiddleware(c, next) {
    const stages = createStages(clock);
    c.set("stages", stages);
    await next();
    c.header("Server-Timing", stages.header());
  };
}
