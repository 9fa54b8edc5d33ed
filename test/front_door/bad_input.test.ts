/**
 * Every bad input that the front door decides gets its documented error.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { badInputCases } from "./bad_input_cases.ts";
import { checkBadInput } from "./bad_input_check.ts";
import { type FrontDoor, startFrontDoor } from "./front_door.ts";

let frontDoor: FrontDoor;
beforeAll(async () => {
  frontDoor = await startFrontDoor();
});
afterAll(() => frontDoor.dispose());

const decidedHere = badInputCases.filter(({ needs }) => needs === "front door");

describe("bad input", () => {
  it("comes in at least sixty kinds, each named once", () => {
    expect(badInputCases.length).toBeGreaterThanOrEqual(60);
    const requests = badInputCases.map(({ name, method, path }) => `${method} ${path} ${name}`);
    expect(new Set(requests).size).toBe(requests.length);
  });

  it.each(decidedHere)("$name: $status $code", (input) => checkBadInput(frontDoor.url, input));
});
