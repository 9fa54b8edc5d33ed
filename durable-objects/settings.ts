/**
 * What a deployment may set by variables, with the defaults of production and of development.
 * A value that is no number in its range stops the object with a sentence that names it: a typo never passes silently.
 */

import { problemOf } from "../core/errors.ts";
import { type MaintenanceWindow, parseMaintenanceWindow } from "../core/lifecycle/maintenance_window.ts";
import { TAIL_RAW_BYTES_MAX } from "../core/limits.ts";
import type { EntitySettings } from "./entity/ports.ts";

/** A variable that is wrong. The message names it and never says its value, so it may be answered and logged. */
export class Misconfiguration extends Error {
  override readonly name = "Misconfiguration";
}

const DAY_MS = 86_400_000;

interface Setting {
  readonly production: number;
  readonly development: number;
  readonly min: number;
  readonly max: number;
}

const SETTINGS = {
  /** Events in the tail that make it worth indexing. */
  INDEX_EVENTS: { production: 512, development: 512, min: 1, max: 100_000 },
  /** Raw bytes in the tail that make it worth indexing. */
  INDEX_BYTES: { production: 1_048_576, development: 1_048_576, min: 1, max: 67_108_864 },
  /**
   * However little waits, it is indexed after this long: so far an eventual read may be behind. What comes within it is
   * indexed together, and indexing costs more than an append.
   */
  INDEX_AGE_MS: { production: 300_000, development: 1_000, min: 1, max: 86_400_000 },
  /** How long a nudge may go unanswered before it is sent again. */
  NUDGE_RETRY_MS: { production: 120_000, development: 10_000, min: 100, max: 86_400_000 },
  /** A put that has not answered by then counts as unknown; an object without state waits as long before it lists. */
  PUT_DEADLINE_MS: { production: 15_000, development: 2_000, min: 10, max: 120_000 },
  /** Copies of shards that nobody used for so many days leave SQLite: an idle entity then costs what R2 costs. */
  SSD_IDLE_DAYS: { production: 7, development: 7, min: 1, max: 3_650 },
  /** Raw bytes in the tail beyond which appends answer 429 until indexing has caught up. */
  TAIL_BYTES: { production: TAIL_RAW_BYTES_MAX, development: TAIL_RAW_BYTES_MAX, min: 1, max: TAIL_RAW_BYTES_MAX },
  /**
   * Longer than a build with its puts, and a reader with a head, can last: what no head names is deleted after it. The
   * platform ends a queue consumer after 15 minutes.
   */
  BUILD_DEADLINE_MS: { production: 1_200_000, development: 60_000, min: 1_000, max: 86_400_000 },
  /** However little was left behind, it is looked for after this long; much of it sooner (COLLECT_HEADS_MIN). */
  COLLECT_AGE_MS: { production: 2_592_000_000, development: 60_000, min: 1, max: 31_536_000_000 },
} satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS | "MAINTENANCE_WINDOW_UTC";

export function entitySettings(variables: Partial<Record<SettingName | "ENVIRONMENT", string>>): EntitySettings {
  const environment = variables.ENVIRONMENT === "development" ? "development" : "production";
  const read = (name: keyof typeof SETTINGS): number => {
    const { min, max, [environment]: fallback } = SETTINGS[name];
    const text = variables[name];
    if (text === undefined || text === "") return fallback;
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new Misconfiguration(`${name} must be a whole number from ${min} to ${max}.`);
    }
    return value;
  };
  return {
    indexEvents: read("INDEX_EVENTS"),
    indexBytes: read("INDEX_BYTES"),
    indexAgeMs: read("INDEX_AGE_MS"),
    nudgeRetryMs: read("NUDGE_RETRY_MS"),
    putDeadlineMs: read("PUT_DEADLINE_MS"),
    ssdIdleMs: read("SSD_IDLE_DAYS") * DAY_MS,
    tailBytes: read("TAIL_BYTES"),
    maintenanceWindow: maintenanceWindowOf(variables),
    buildDeadlineMs: read("BUILD_DEADLINE_MS"),
    collectAgeMs: read("COLLECT_AGE_MS"),
  };
}

/** When heavy work may run; null: always. */
export function maintenanceWindowOf(variables: { readonly MAINTENANCE_WINDOW_UTC?: string }): MaintenanceWindow | null {
  const text = variables.MAINTENANCE_WINDOW_UTC;
  if (text === undefined || text === "") return null;
  const window = parseMaintenanceWindow(text);
  if (!window.ok) throw new Misconfiguration(problemOf(window.failure).detail);
  return window.value;
}
