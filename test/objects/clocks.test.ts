/** Clocks that are set back while an object lives. */
import { expect, test } from "vitest";
import { passedMs } from "../../durable-objects/entity/elapsed.ts";
import { EntityFixture } from "./entity_fixture.ts";

const DAY_MS = 86_400_000;

test("time that has passed is never less than nothing", () => {
  expect(passedMs(10, 10)).toBe(0);
  expect(passedMs(10, 25)).toBe(15);
  expect(passedMs(11, 10)).toBeGreaterThan(DAY_MS);
});

test("a clock that was a day ahead holds up neither a build, nor its nudge, nor the hint", async () => {
  const fixture = new EntityFixture();
  fixture.nowMs += DAY_MS;
  await fixture.accept({ id: "a" });
  fixture.nowMs += fixture.settings.indexAgeMs;
  await fixture.wake();
  expect(await fixture.entity.nextWork()).not.toBeNull();
  fixture.nowMs -= DAY_MS;
  fixture.crash();
  await fixture.entity.ready();
  expect(fixture.alarm.atMs).toBeLessThanOrEqual(fixture.nowMs + fixture.settings.nudgeRetryMs);
  const nudges = fixture.nudges.length;
  await fixture.wake();
  expect(fixture.nudges.length).toBe(nudges + 1);
  expect(await fixture.index()).toBe(1);
  await fixture.wake();
  expect(await fixture.keys()).toContain("entities/account%3Aacme/head.json");
});

test("a clock that is set back during a redaction delays what is indexed by a deadline at the most", async () => {
  const fixture = new EntityFixture();
  await fixture.accept({ id: "a", text: "report" });
  expect((await fixture.entity.redact(["a"], false)).ok).toBe(true);
  fixture.nowMs -= DAY_MS;
  fixture.alarm.atMs = fixture.nowMs;
  await fixture.wake();
  fixture.nowMs += fixture.settings.putDeadlineMs;
  fixture.alarm.atMs = fixture.nowMs;
  await fixture.wake();
  expect(await fixture.index()).toBe(1);
});

test("a clock that is set back during an erasure delays it by a deadline at the most", async () => {
  const fixture = new EntityFixture();
  await fixture.accept({ id: "a" });
  await fixture.entity.erase();
  await fixture.wake();
  fixture.nowMs -= DAY_MS;
  fixture.alarm.atMs = fixture.nowMs;
  await fixture.sweep();
  expect(fixture.entity.erased()).toBe(true);
});
