/**
 * One simulation: the plan of a seed is carried out while the weather lasts; then all faults end, whatever waits gets
 * its time, and everything is read again: as it is, from the store alone, and rebuilt. The checker judges what callers saw.
 */
import type { EntityScope } from "../../core/rpc.ts";
import { Chance } from "./chance.ts";
import { check } from "./checker.ts";
import { Client } from "./client.ts";
import { History, type SearchBody } from "./history.ts";
import { planOf, type Step } from "./plan.ts";
import { ENTITIES, EPOCH_MS, Plane, TENANTS } from "./plane.ts";
import { EndlessSimulation, Scheduler } from "./scheduler.ts";
import type { Violation } from "./violation.ts";
import { weatherOf } from "./weather.ts";

export interface Simulation {
  readonly seed: number;
  readonly steps: number;
  /** Only these steps of the plan; null: all. */
  readonly only: readonly number[] | null;
  /** Troubles of the weather that are left out. */
  readonly without: readonly string[];
}

export interface Outcome {
  readonly violations: readonly Violation[];
  readonly trace: readonly string[];
  /** Steps of the plan that were taken, and events that ran. */
  readonly steps: number;
  readonly events: number;
}

export const SCOPES: readonly EntityScope[] = TENANTS.flatMap((tenant) =>
  ENTITIES.map((entity) => ({ tenant, entity })),
);

/** Some twenty are usual. */
const EVENTS_PER_STEP_MAX = 60;
const EVENTS_AFTERWARDS_MAX = 15_000;
const ENDLESS: Violation = { invariant: "it comes to rest", what: "something is tried again and again" };

/** How long whatever waits may take, in simulated time: a clock that was a day ahead has been caught up with. */
const SETTLING_MS = [3_000, 10_000, 60_000, 600_000, 7_200_000, 100_000_000, 100_000_000];
const SWEEPS_MIN = 3;

export async function simulate({ seed, steps, only, without }: Simulation): Promise<Outcome> {
  const trace: string[] = [];
  const scheduler = new Scheduler(steps * EVENTS_PER_STEP_MAX + EVENTS_AFTERWARDS_MAX, (line) => void trace.push(line));
  const history = new History();
  const plane = new Plane(scheduler, new Chance(seed), weatherOf(seed, new Set(without)));
  const client = new Client(plane, history);
  const plan = planOf(seed, steps).filter(({ index }) => only === null || only.includes(index));
  const log = console.error;
  const unheard = (cause: unknown): void => scheduler.note(`nobody waited for: ${String(cause)}`);
  process.on("unhandledRejection", unheard);
  // Frames tell where it was called from.
  console.error = (line: unknown) => scheduler.note(`log: ${String(line).replace(/,"frames":\[.*\]/, "")}`);
  let isEndless = false;
  try {
    await plane.begin();
    await carryOut(plan, plane, client, scheduler);
    await afterwards(plane, client, scheduler);
  } catch (cause) {
    if (!(cause instanceof EndlessSimulation)) throw cause;
    isEndless = true;
  } finally {
    console.error = log;
    process.off("unhandledRejection", unheard);
    plane.close();
  }
  const isSkewed = plane.weather.clocksSkewed > 0;
  const isDamaged = plane.weather.derivedDamaged > 0;
  const circumstances = { isSkewed, isDamaged, scopes: SCOPES, epochMs: EPOCH_MS };
  const violations = [...(isEndless ? [ENDLESS] : []), ...check(history, circumstances)];
  return { violations, trace, steps: plan.length, events: scheduler.count };
}

async function carryOut(plan: readonly Step[], plane: Plane, client: Client, scheduler: Scheduler): Promise<void> {
  for (const step of plan) {
    scheduler.after(
      step.atMs - scheduler.nowMs,
      `step ${step.index}: ${step.scope.tenant}/${step.scope.entity} ${step.action.type}`,
      () => client.act(step),
    );
  }
  await scheduler.runUntil(plan.at(-1)?.atMs ?? 0);
  // Some of what is under way ends while things still go wrong.
  await scheduler.runUntil(scheduler.nowMs + plane.chance.draw("end") * 400);
}

const BODIES: readonly SearchBody[] = [
  { text: "renewal risk the", mode: "text", top_k: 1_000 },
  { vector: [1, -1, 2], mode: "vector", top_k: 1_000 },
  {
    text: "invoice call",
    vector: [0, 1, 1],
    mode: "hybrid",
    fusion: { k: 60, weights: { text: 1, vector: 0.5 } },
    top_k: 1_000,
  },
];
/** Snapshots of each entity that are read again in every layout. */
const OLD_SNAPSHOTS = 3;

async function afterwards(plane: Plane, client: Client, scheduler: Scheduler): Promise<void> {
  scheduler.note("all faults end");
  plane.network.isFaulty = false;
  plane.endIndexers();
  if (plane.chance.happens("restart", 0.5)) plane.restart();
  await settle(plane, client, scheduler);
  client.isFinal = true;
  await inTurn(scheduler, [
    ...SCOPES.flatMap((scope) => [
      ...BODIES.map((body) => () => client.search(scope, body)),
      () => client.search(scope, { ...BODIES[0], consistency: "eventual" }),
      () => client.search(scope, { ...BODIES[0], consistency: "eventual" }, "door"),
      () => client.timeline(scope),
      () => client.status(scope),
      () => client.export(scope),
      () => client.bucket(scope),
    ]),
    ...TENANTS.flatMap((tenant) => [
      () => client.searchTenant(tenant, BODIES[0] ?? {}),
      () => client.searchTenant(tenant, { ...BODIES[0], consistency: "strong", entities: [...ENTITIES] }),
      () => client.entities(tenant),
      () => client.tenantStatus(tenant),
      () => client.jobs(tenant),
    ]),
  ]);
  scheduler.note("all objects lose their state");
  for (const object of plane.objects()) object.lose();
  plane.restart();
  await searchTenants(client, scheduler);
  await readAgain(client, scheduler);
  scheduler.note("everything is rebuilt");
  for (const tenant of TENANTS) await inTurn(scheduler, [() => client.job({ tenant, entity: "" }, "rebuild", true)]);
  await settle(plane, client, scheduler, true);
  await searchTenants(client, scheduler);
  await readAgain(client, scheduler);
}

/** Searches at old snapshots and now. */
async function readAgain(client: Client, scheduler: Scheduler): Promise<void> {
  for (const scope of SCOPES) {
    const snapshots = [...new Set(client.snapshotsOf(scope))];
    const old = Array.from(
      { length: OLD_SNAPSHOTS },
      (_, at) => snapshots[Math.floor((at * snapshots.length) / OLD_SNAPSHOTS)],
    );
    await inTurn(scheduler, [
      ...old.flatMap((snapshot) =>
        snapshot === undefined ? [] : BODIES.map((body) => () => client.search(scope, { ...body, snapshot })),
      ),
      () => client.search(scope, BODIES[0] ?? {}),
      () => client.export(scope),
      () => client.timeline(scope),
      () => client.status(scope),
    ]);
  }
}

/** Each: an index that is built anew may be late, and is right. */
async function searchTenants(client: Client, scheduler: Scheduler): Promise<void> {
  for (const tenant of TENANTS) await inTurn(scheduler, [() => client.searchTenant(tenant, BODIES[0] ?? {})]);
}

async function inTurn(scheduler: Scheduler, requests: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const request of requests) {
    let isAnswered = false;
    request().finally(() => {
      isAnswered = true;
    });
    const deadlineMs = scheduler.nowMs + 60_000;
    while (!isAnswered && scheduler.nextMs !== null && scheduler.nextMs < deadlineMs)
      await scheduler.runUntil(scheduler.nextMs);
    if (!isAnswered) scheduler.note("a request was not answered");
  }
}

/** Until nothing is under way. Where no alarm and no message is ever lost, they have to suffice: there is no cron then. */
async function settle(plane: Plane, client: Client, scheduler: Scheduler, isLost = false): Promise<void> {
  const { alarmsLost, queueDropped, statesLost } = plane.weather;
  const needsCron = isLost || alarmsLost + queueDropped + statesLost > 0;
  for (const [round, lengthMs] of SETTLING_MS.entries()) {
    if (needsCron) for (const tenant of TENANTS) void client.sweep(tenant);
    const endMs = scheduler.nowMs + lengthMs;
    while (scheduler.nextMs !== null && scheduler.nextMs < endMs) await scheduler.runUntil(scheduler.nextMs);
    if (scheduler.nextMs === null && (!needsCron || round >= SWEEPS_MIN)) return;
  }
}
