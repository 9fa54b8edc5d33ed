/** What may go wrong in a simulation, and how often: drawn from the seed, some of it in each. */
import { Chance } from "./chance.ts";

/** Probabilities, but where it says otherwise. */
export interface Weather {
  readonly storeRefused: number;
  readonly storeLost: number;
  readonly putsLate: number;
  readonly callsRefused: number;
  readonly callsLost: number;
  readonly callsSlow: number;
  readonly queueRefused: number;
  readonly queueDropped: number;
  readonly queueRepeated: number;
  readonly buildsFail: number;
  /** 1: alarms are forgotten when an object ends. */
  readonly alarmsLost: number;
  /** 1: clocks are set wrong while they run. */
  readonly clocksSkewed: number;
  /** 1: objects lose their storage. */
  readonly statesLost: number;
  /** 1: objects of the store that are derived are damaged, or go. */
  readonly derivedDamaged: number;
}

export const CLEAR: Weather = {
  storeRefused: 0,
  storeLost: 0,
  putsLate: 0,
  callsRefused: 0,
  callsLost: 0,
  callsSlow: 0,
  queueRefused: 0,
  queueDropped: 0,
  queueRepeated: 0,
  buildsFail: 0,
  alarmsLost: 0,
  clocksSkewed: 0,
  statesLost: 0,
  derivedDamaged: 0,
};

const WORST: Weather = {
  storeRefused: 0.03,
  storeLost: 0.04,
  putsLate: 0.35,
  callsRefused: 0.02,
  callsLost: 0.03,
  callsSlow: 0.04,
  queueRefused: 0.1,
  queueDropped: 0.2,
  queueRepeated: 0.2,
  buildsFail: 0.2,
  alarmsLost: 1,
  clocksSkewed: 1,
  statesLost: 1,
  derivedDamaged: 1,
};

export type Trouble = keyof Weather;
/** What has to come together for one commit to have two keys, if anything lets it. */
const MIDNIGHT: readonly Trouble[] = ["clocksSkewed", "statesLost", "putsLate"];
export const TROUBLES = Object.keys(WORST) as readonly Trouble[];

/** Each trouble is there in two of five simulations, those of a midnight more often together. */
export function weatherOf(seed: number, without: ReadonlySet<string>): Weather {
  const chance = new Chance(seed);
  const weather = { ...CLEAR };
  const isMidnight = chance.happens("midnight", 0.2);
  for (const trouble of TROUBLES) {
    const isThere = chance.happens(`weather ${trouble}`, 0.4) || (isMidnight && MIDNIGHT.includes(trouble));
    if (isThere && !without.has(trouble)) weather[trouble] = WORST[trouble];
  }
  return weather;
}
