/** The runtime's clock and randomness. Everything above takes them as ports. */
import { randomBytes } from "node:crypto";
import type { Clock, Random, Timer } from "../../core/ports.ts";

export const systemClock: Clock = { now: () => Date.now() };

export const systemRandom: Random = { bytes: (count) => new Uint8Array(randomBytes(count)) };

export const systemTimer: Timer = {
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),

  within: (ms, work) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => resolve("timeout"), ms);
      work.then(resolve, reject).finally(() => clearTimeout(timer));
    }),
};
