/** The runtime's clock and randomness. Everything above takes them as ports. */
import { randomBytes } from "node:crypto";
import type { Clock, Random } from "../../core/ports.ts";

export const systemClock: Clock = { now: () => Date.now() };

export const systemRandom: Random = { bytes: (count) => new Uint8Array(randomBytes(count)) };
