import { describe, expect, test } from "vitest";
import { entitySettings, Misconfiguration } from "../../durable-objects/settings.ts";

const DAY_MS = 86_400_000;

describe("SSD_IDLE_DAYS", () => {
  test.each([
    [undefined, 7],
    ["", 7],
    ["1", 1],
    ["3650", 3_650],
  ])("%j is %i days", (text, days) => {
    const variables = text === undefined ? {} : { SSD_IDLE_DAYS: text };
    expect(entitySettings(variables).ssdIdleMs).toBe(days * DAY_MS);
  });

  test.each(["0", "3651", "1.5", "-1", "a week"])("%j is refused by name", (text) => {
    const read = () => entitySettings({ SSD_IDLE_DAYS: text });
    expect(read).toThrow(Misconfiguration);
    expect(read).toThrow(/^SSD_IDLE_DAYS must be a whole number from 1 to 3650\.$/);
  });
});
