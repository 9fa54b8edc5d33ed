/** Drivers of jobs over the shipped registry: who looks, who does not, and what is left when one is lost. */
import { describe, expect, test } from "vitest";
import { fail, ok } from "../../core/errors.ts";
import {
  JOB_LEASE_MS,
  JOB_REST_MS_MAX,
  JOB_STALLED_MS_MAX,
  JOB_TAKEOVER_MS,
  JOBS_OPEN_MAX,
  WORKFLOW_STEPS_MAX,
} from "../../core/limits.ts";
import type { JobOrder, JobType, TenantIndexApi } from "../../core/rpc.ts";
import { callDriver, type DurableSteps, driveJob, type Rest } from "../../workers/indexer/drive_job.ts";
import type { JobDrivers } from "../../workers/indexer/ports.ts";
import { COUNTERS, TenantFixture } from "./tenant_fixture.ts";

const HOUR_MS = 3_600_000;

class Interrupted extends Error {}

/** The platform of a test: it keeps what steps answered, moves the clock through rests, and can lose every instance. */
class Platform implements JobDrivers {
  readonly tenant: TenantFixture;
  readonly started: JobOrder[] = [];
  /** Steps that each instance took, by generation. */
  readonly steps = new Map<number, number>();
  /** Instances end without a word after so many steps in all. */
  stepsLeft = Number.POSITIVE_INFINITY;
  isDown = false;

  constructor(tenant: TenantFixture) {
    this.tenant = tenant;
  }

  async start(order: JobOrder): Promise<void> {
    if (this.isDown) throw new Error("no workflows today");
    this.started.push(order);
  }

  async end(): Promise<void> {}

  /** Runs the instances that were started, and those that they start, to their end or loss. */
  async run(): Promise<void> {
    for (let order = this.started.shift(); order !== undefined; order = this.started.shift()) {
      const { generation } = order;
      await driveJob(this.ports(), this.#stepsOf(generation), order).catch((cause: unknown) => {
        if (!(cause instanceof Interrupted)) throw cause;
      });
    }
  }

  ports() {
    const { registry } = this.tenant;
    const tenant = {
      lookAtJob: (_: string, id: string, generation: number) => registry.lookAtJob(id, generation),
      handOverJob: (_: string, id: string, generation: number) => registry.handOverJob(id, generation),
    } as Pick<TenantIndexApi, "lookAtJob" | "handOverJob"> as TenantIndexApi;
    const ingest = { importStretch: async () => fail({ reason: "internal" }) };
    return { tenant: () => tenant, ingest, drivers: this };
  }

  #stepsOf(generation: number): DurableSteps {
    const names = new Set<string>();
    const take = (name: string): void => {
      if (names.has(name)) throw new Error(`two steps are named ${name}`);
      names.add(name);
      if (this.stepsLeft <= 0) throw new Interrupted();
      this.stepsLeft -= 1;
      this.steps.set(generation, names.size);
    };
    return {
      do: (name: string, work: () => Promise<Rest>) => {
        take(name);
        return work();
      },
      sleep: async (name: string, ms: number) => {
        take(name);
        this.tenant.nowMs += ms;
      },
    };
  }
}

async function start(tenant: TenantFixture, type: JobType, entity: string | null): Promise<string> {
  const started = await tenant.registry.startJob(type, entity);
  if (!started.ok) throw new Error(started.failure.reason);
  tenant.nowMs += 1;
  return started.value.job;
}

async function startDriven(platform: Platform, type: JobType, entity: string | null): Promise<string> {
  const job = await start(platform.tenant, type, entity);
  await callDriver({ drivers: platform }, { tenant: platform.tenant.tenant, job, generation: 1 });
  return job;
}

async function sweep(platform: Platform): Promise<number> {
  const swept = await platform.tenant.registry.sweep();
  if (!swept.ok) throw new Error(swept.failure.reason);
  const { tenant } = platform.tenant;
  for (const order of swept.value.undriven) await platform.start({ tenant, ...order });
  return swept.value.undriven.length;
}

const statusOf = (tenant: TenantFixture, job: string) => {
  const read = tenant.registry.job(job);
  return read.ok ? read.value.status : read.failure.reason;
};

describe("a driver", () => {
  test("takes a job over many entities to its end", async () => {
    const tenant = new TenantFixture();
    const platform = new Platform(tenant);
    for (let n = 0; n < 1_000; n += 1) await tenant.stand(`account:${String(n).padStart(4, "0")}`);
    const job = await startDriven(platform, "rebuild", null);
    await platform.run();
    expect(tenant.registry.job(job)).toMatchObject({
      ok: true,
      value: { status: "done", progress: { done: 1_000, total: 1_000 } },
    });
  });

  test("hands over before its steps run out, and its successor ends the job", async () => {
    const tenant = new TenantFixture();
    const platform = new Platform(tenant);
    const looksNeeded = 2 * WORKFLOW_STEPS_MAX;
    let looks = 0;
    await tenant.stand("account:a", {
      counters: async () => {
        looks += 1;
        // It comes further with each look, so it is not given up.
        return ok({ entity: "account:a", ...COUNTERS, indexedCommit: looks, pending: looks < looksNeeded });
      },
    });
    const job = await startDriven(platform, "rebuild", "account:a");
    await platform.run();
    expect(statusOf(tenant, job)).toBe("done");
    expect(platform.steps.size).toBeGreaterThan(2);
    for (const steps of platform.steps.values()) expect(steps).toBeLessThanOrEqual(WORKFLOW_STEPS_MAX);
  });

  test("of an earlier generation ends at its next look and does nothing", async () => {
    const tenant = new TenantFixture();
    let asked = 0;
    await tenant.stand("account:a", {
      counters: async () => {
        asked += 1;
        return ok({ entity: "account:a", ...COUNTERS, pending: true });
      },
    });
    const job = await start(tenant, "rebuild", "account:a");
    expect(await tenant.registry.handOverJob(job, 1)).toEqual(ok(2));
    expect(await tenant.registry.handOverJob(job, 1)).toEqual(ok(2));
    expect(await tenant.registry.lookAtJob(job, 1)).toEqual(ok({ next: "end" }));
    expect(asked).toBe(0);
    expect(await tenant.registry.lookAtJob(job, 2)).toMatchObject(ok({ next: "rest" }));
    expect(await tenant.registry.handOverJob(job, 1)).toEqual(ok(2));
    expect(await tenant.registry.handOverJob(job, 0)).toEqual(ok(null));
  });

  test("of a job that was cancelled, or that is not there, ends", async () => {
    const tenant = new TenantFixture();
    await tenant.stand("account:a");
    const job = await start(tenant, "rebuild", "account:a");
    expect(await tenant.registry.cancelJob(job)).toMatchObject({ ok: true, value: { job: { status: "cancelled" } } });
    expect(await tenant.registry.lookAtJob(job, 1)).toEqual(ok({ next: "end" }));
    expect(await tenant.registry.lookAtJob("job_of_nobody", 1)).toEqual(ok({ next: "end" }));
    expect(await tenant.registry.handOverJob(job, 1)).toEqual(ok(null));
  });

  test("leaves the alarm nothing to do while it is alive", async () => {
    const tenant = new TenantFixture();
    let looks = 0;
    await tenant.stand("account:a", {
      counters: async () => {
        looks += 1;
        return ok({ entity: "account:a", ...COUNTERS, pending: true });
      },
    });
    const job = await start(tenant, "rebuild", "account:a");
    const looked = await tenant.registry.lookAtJob(job, 1);
    if (!looked.ok || looked.value.next !== "rest") throw new Error("it does not rest");
    tenant.nowMs += looked.value.restMs + JOB_LEASE_MS - 1;
    await tenant.registry.wake();
    expect(looks).toBe(1);
    tenant.nowMs += 1;
    await tenant.registry.wake();
    expect(looks).toBe(2);
  });
});

describe("a driver that is lost", () => {
  test("is replaced by the next sweep after its lease, which begins no entity's work again", async () => {
    const tenant = new TenantFixture();
    const platform = new Platform(tenant);
    let begun = 0;
    let isPending = true;
    await tenant.stand("account:a", {
      rebuild: async () => {
        begun += 1;
        return ok(null);
      },
      counters: async () => ok({ entity: "account:a", ...COUNTERS, pending: isPending }),
    });
    platform.stepsLeft = 6;
    const job = await startDriven(platform, "rebuild", "account:a");
    await platform.run();
    expect(await sweep(platform)).toBe(0);
    tenant.evict();
    tenant.nowMs += JOB_REST_MS_MAX + JOB_LEASE_MS;
    isPending = false;
    platform.stepsLeft = Number.POSITIVE_INFINITY;
    expect(await sweep(platform)).toBe(1);
    await platform.run();
    expect(statusOf(tenant, job)).toBe("done");
    expect([...platform.steps.keys()]).toEqual([1, 2]);
    expect(begun).toBe(1);
  });

  test("wherever it is lost, the job ends, and every entity was dealt with", async () => {
    for (let stepsLeft = 0; stepsLeft < 12; stepsLeft += 1) {
      const tenant = new TenantFixture();
      const platform = new Platform(tenant);
      const rebuilt = new Set<string>();
      const looks = new Map<string, number>();
      for (let n = 0; n < 100; n += 1) {
        const entity = `account:${String(n).padStart(3, "0")}`;
        await tenant.stand(entity, {
          rebuild: async () => {
            rebuilt.add(entity);
            return ok(null);
          },
          counters: async () => {
            const seen = (looks.get(entity) ?? 0) + 1;
            looks.set(entity, seen);
            return ok({ entity, ...COUNTERS, pending: seen < 3 });
          },
        });
      }
      const job = await startDriven(platform, "rebuild", null);
      for (let lost = 0; statusOf(tenant, job) !== "done"; lost += 1) {
        if (lost > 50) throw new Error(`the job never ended with drivers of ${stepsLeft} steps`);
        // The first drivers are lost; later ones are not, so that it ends.
        platform.stepsLeft = lost < 3 ? stepsLeft : Number.POSITIVE_INFINITY;
        await platform.run();
        tenant.evict();
        tenant.nowMs += JOB_REST_MS_MAX + JOB_LEASE_MS;
        await sweep(platform);
      }
      expect(rebuilt.size).toBe(100);
      expect(tenant.registry.job(job)).toMatchObject({ ok: true, value: { progress: { done: 100, total: 100 } } });
    }
  });

  test("or never was leaves the job to the alarm", async () => {
    const tenant = new TenantFixture();
    const platform = new Platform(tenant);
    platform.isDown = true;
    let looks = 0;
    await tenant.stand("account:a", {
      counters: async () => {
        looks += 1;
        return ok({ entity: "account:a", ...COUNTERS, pending: looks < 5 });
      },
    });
    const job = await startDriven(platform, "rebuild", "account:a");
    expect(tenant.alarm.atMs).not.toBeNull();
    const before = tenant.nowMs;
    await tenant.wake();
    expect(tenant.nowMs - before).toBeGreaterThanOrEqual(JOB_TAKEOVER_MS - 1);
    while (await tenant.wake());
    expect(statusOf(tenant, job)).toBe("done");
  });
});

describe("a job that comes no further", () => {
  test("is given up after a while, and its result names the entity and why", async () => {
    const tenant = new TenantFixture();
    const platform = new Platform(tenant);
    const what = "The entity could not answer.";
    await tenant.stand("account:a", {
      rebuild: async () => fail({ reason: "unavailable", what, retryAfterSeconds: 1 }),
    });
    const startedMs = tenant.nowMs;
    const job = await startDriven(platform, "rebuild", "account:a");
    await platform.run();
    expect(tenant.nowMs - startedMs).toBeGreaterThanOrEqual(JOB_STALLED_MS_MAX);
    const read = tenant.registry.job(job);
    expect(read).toMatchObject({ ok: true, value: { status: "failed", result: { entities: 1, failed: 1 } } });
    expect(JSON.stringify(read)).toContain(what);
    expect(JSON.stringify(read)).toContain("account:a");
  });

  test("but rebuilds, which no head shows before it is done, is not given up, and shows how far it is", async () => {
    const tenant = new TenantFixture();
    let rebuiltCommit: number | null = 0;
    const counters = { entity: "account:a", ...COUNTERS, lastCommit: 9, indexedCommit: 9 };
    await tenant.stand("account:a", {
      counters: async () => ok({ ...counters, rebuiltCommit, pending: rebuiltCommit !== null }),
    });
    const job = await start(tenant, "rebuild", "account:a");
    for (rebuiltCommit = 0; rebuiltCommit < 4; rebuiltCommit += 1) {
      await tenant.wake();
      expect(tenant.registry.job(job)).toMatchObject({
        value: { status: "running", progress: { done: rebuiltCommit, total: 9 } },
      });
      tenant.nowMs += JOB_STALLED_MS_MAX / 2;
    }
    rebuiltCommit = null;
    await tenant.wake();
    expect(statusOf(tenant, job)).toBe("done");
  });

  test("and was given up by the entity itself has failed", async () => {
    const tenant = new TenantFixture();
    await tenant.stand("account:a", { counters: async () => ok({ entity: "account:a", ...COUNTERS, sealed: true }) });
    await tenant.stand("account:b");
    const job = await start(tenant, "rebuild", null);
    while (await tenant.wake());
    const read = tenant.registry.job(job);
    expect(read).toMatchObject({ value: { status: "failed", result: { entities: 2, failed: 1 } } });
    expect(JSON.stringify(read)).toContain("account:a");
  });

  test("but erases is never given up", async () => {
    const tenant = new TenantFixture();
    let erased = false;
    await tenant.stand("account:a", { erased: async () => ok(erased) });
    const job = await start(tenant, "erase", "account:a");
    await tenant.wake();
    tenant.nowMs += 10 * JOB_STALLED_MS_MAX;
    await tenant.wake();
    expect(statusOf(tenant, job)).toBe("running");
    erased = true;
    await tenant.wake();
    const read = tenant.registry.job(job);
    expect(read).toMatchObject({ ok: true, value: { status: "done", result: { entities: 1, failed: 0 } } });
    expect(JSON.stringify(read)).toContain("point-in-time recovery");
  });
});

test("of open jobs there are at most JOBS_OPEN_MAX, and one more when one has ended", async () => {
  const tenant = new TenantFixture();
  let erasures = 0;
  const erase = async () => {
    erasures += 1;
    return ok(null);
  };
  await tenant.stand("account:a", { erase, counters: async () => ok({ entity: "account:a", ...COUNTERS }) });
  let first = "";
  for (let n = 0; n < JOBS_OPEN_MAX; n += 1) {
    const job = await start(tenant, "rebuild", "account:a");
    first ||= job;
  }
  expect(await tenant.registry.startJob("rebuild", null)).toMatchObject({ failure: { reason: "rate_limited" } });
  // An erasure that could not be followed is not begun.
  expect(await tenant.registry.startJob("erase", "account:a")).toMatchObject({ failure: { reason: "rate_limited" } });
  expect(erasures).toBe(0);
  await tenant.registry.cancelJob(first);
  expect(await tenant.registry.startJob("erase", "account:a")).toMatchObject({ ok: true });
});

describe("the maintenance window", () => {
  /** The fixture's clock begins at midnight. */
  const WINDOW = { startMs: 2 * HOUR_MS, endMs: 3 * HOUR_MS };

  test("is waited for by a compaction, which says until when, and by no rebuild", async () => {
    const tenant = new TenantFixture();
    tenant.maintenanceWindow = WINDOW;
    tenant.evict();
    const platform = new Platform(tenant);
    const compactedAt: number[] = [];
    await tenant.stand("account:a", {
      compact: async () => {
        compactedAt.push(tenant.nowMs);
        return ok(null);
      },
    });
    const opensMs = tenant.nowMs + WINDOW.startMs;
    const compaction = await start(tenant, "compact", "account:a");
    await tenant.registry.lookAtJob(compaction, 1);
    expect(tenant.registry.job(compaction)).toMatchObject({
      ok: true,
      value: { status: "queued", waitsUntil: opensMs },
    });
    const rebuild = await startDriven(platform, "rebuild", "account:a");
    await platform.run();
    expect(statusOf(tenant, rebuild)).toBe("done");
    expect(compactedAt).toEqual([]);
    await platform.start({ tenant: tenant.tenant, job: compaction, generation: 1 });
    await platform.run();
    expect(tenant.registry.job(compaction)).toMatchObject({ ok: true, value: { status: "done", waitsUntil: null } });
    expect(compactedAt).toHaveLength(1);
    expect(compactedAt[0]).toBeGreaterThanOrEqual(opensMs);
    expect(compactedAt[0]).toBeLessThan(opensMs - WINDOW.startMs + WINDOW.endMs);
  });

  test("is waited for by what nobody asked for, once however often it is started", async () => {
    const tenant = new TenantFixture();
    tenant.maintenanceWindow = WINDOW;
    tenant.evict();
    await tenant.stand("account:a");
    const asked = await start(tenant, "reconcile", null);
    const nightly = await tenant.registry.startJob("reconcile", null, { background: true });
    expect(await tenant.registry.startJob("reconcile", null, { background: true })).toEqual(nightly);
    while (statusOf(tenant, asked) !== "done") await tenant.wake();
    if (!nightly.ok) throw new Error(nightly.failure.reason);
    expect(tenant.nowMs).toBeLessThan(Date.UTC(2026, 0, 1, 2));
    expect(statusOf(tenant, nightly.value.job)).toBe("queued");
    while (statusOf(tenant, nightly.value.job) !== "done") await tenant.wake();
    expect(tenant.nowMs).toBeGreaterThanOrEqual(Date.UTC(2026, 0, 1, 2));
  });
});

test("jobs of a version before drivers go on", async () => {
  const tenant = new TenantFixture();
  await tenant.stand("account:a");
  tenant.sql.run("DROP TABLE jobs");
  tenant.sql.run(
    `CREATE TABLE jobs (id TEXT PRIMARY KEY, type TEXT NOT NULL, entity TEXT, status TEXT NOT NULL, cursor TEXT NOT NULL,
       failures INTEGER NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, result TEXT, error TEXT) WITHOUT ROWID`,
  );
  tenant.sql.run("INSERT INTO jobs VALUES ('job_old', 'rebuild', NULL, 'running', '', 0, 0, 1, NULL, NULL)");
  tenant.evict();
  await tenant.registry.wake();
  expect(tenant.registry.job("job_old")).toMatchObject({ ok: true, value: { status: "done" } });
});
