import { describe, expect, test } from "vitest";
import { billOf, scaled, storageBill, total } from "../../bench/cost/bill.ts";
import { difference, NOTHING, sum } from "../../bench/cost/counted.ts";
import { formatMonth, formatUnits, monthOf, unitCosts } from "../../bench/cost/report.ts";
import { APPENDS_A_VISIT, type CostRun, READS_A_VISIT, runCounted } from "../../bench/cost/run.ts";

const MILLION = 1_000_000;

describe("a bill", () => {
  test("is the counts times their prices, by what they are paid for", () => {
    const counted = {
      requests: 2,
      storeWrites: 3,
      storeReads: 5,
      storeDeletes: 100,
      messages: 7,
      objectCalls: 11,
      objectMs: 13_000,
      rowsRead: 17_000,
      rowsWritten: 19,
    };
    const bill = scaled(billOf({ counted, cpuMs: 23 }), MILLION);
    expect(bill.store).toBeCloseTo(3 * 4.5 + 5 * 0.36, 6);
    expect(bill.objects).toBeCloseTo(11 * 0.15 + 13 * 0.128 * 12.5 + 17 + 19, 6);
    expect(bill.queue).toBeCloseTo(7 * 3 * 0.4, 6);
    expect(bill.workers).toBeCloseTo(2 * 0.3 + 23 * 0.02, 6);
    expect(total(storageBill({ storeBytes: 2e9, objectBytes: 3e9 }))).toBeCloseTo(2 * 0.015 + 3 * 0.2, 9);
  });

  test("counts add up and take away", () => {
    const one = { ...NOTHING, requests: 3, rowsRead: 2 };
    expect(difference(sum([one, one]), one)).toEqual(one);
    expect(billOf({ counted: NOTHING, cpuMs: 0 })).toEqual({ store: 0, objects: 0, queue: 0, workers: 0 });
  });
});

describe("a counted run", () => {
  let run: CostRun;

  test("counts what it must have used, and no less", async () => {
    run = await runCounted(3);
    const { creation, loneAppends, appends, reads, collections } = run;
    expect(creation.counted.storeWrites).toBeGreaterThanOrEqual(3);
    expect(loneAppends.counted.messages).toBeGreaterThanOrEqual(3);
    expect(appends.counted.storeWrites).toBeGreaterThanOrEqual(3 * APPENDS_A_VISIT);
    expect(appends.counted.rowsWritten).toBeGreaterThanOrEqual(3 * APPENDS_A_VISIT);
    expect(appends.counted.objectCalls).toBeGreaterThanOrEqual(3 * APPENDS_A_VISIT);
    expect(reads.counted.requests).toBeGreaterThanOrEqual(3 * READS_A_VISIT);
    expect(collections.counted.storeDeletes).toBe(3 * 4);
    for (const { cpuMs } of [creation, loneAppends, appends, reads, collections]) expect(cpuMs).toBeGreaterThan(0);
    expect(run.storedByAppends.storeBytes).toBeGreaterThan(0);
  }, 300_000);

  test("stays within what an append may use: a put and a row, and its share of what a visit does once", () => {
    const appends = 3 * APPENDS_A_VISIT;
    const { storeWrites, storeReads, rowsWritten, objectCalls } = run.appends.counted;
    // A sweep of the tenant, which so few entities share, is no part of it.
    expect(storeWrites / appends).toBeLessThan(1.3 + 0.1);
    expect(storeReads / appends).toBeLessThan(1.2 + 0.1);
    expect(rowsWritten / appends).toBeLessThan(2.2 + 0.2);
    expect(objectCalls / appends).toBeLessThan(2 + 0.3);
  });

  test("is told in dollars, and a month of it is the sum of its lines", () => {
    const units = unitCosts(run);
    const usage = { entities: 10_000, appends: MILLION, reads: MILLION };
    const sumOfLines = monthOf(usage, units).reduce((dollars, { bill }) => dollars + total(bill), 5);
    expect(formatMonth(usage, units)).toContain(`with the plan's 5: ${sumOfLines.toFixed(2)} a month`);
    expect(formatUnits(units)).toMatch(/appends, one at a visit +\| +\d+\.\d\d \|/);
  });
});
