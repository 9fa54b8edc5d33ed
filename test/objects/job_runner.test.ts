import { describe, expect, test } from "vitest";
import { fail, ok } from "../../core/errors.ts";
import type { JobType } from "../../core/rpc.ts";
import type { EntityControl } from "../../durable-objects/tenant/ports.ts";
import { COUNTERS, TenantFixture } from "./tenant_fixture.ts";

/** More than a job takes that looks at its entities again and again until it gives up. */
const RINGS_MAX = 4_000;

async function start(tenant: TenantFixture, type: JobType, entity: string | null): Promise<string> {
  const started = await tenant.registry.startJob(type, entity);
  if (!started.ok) throw new Error(started.failure.reason);
  tenant.nowMs += 1;
  return started.value.job;
}

/** Rings until no alarm is set, and fails a job that never ends. */
async function drain(tenant: TenantFixture): Promise<void> {
  for (let rung = 0; await tenant.wake(); rung += 1) if (rung > RINGS_MAX) throw new Error("the job never ended");
}

async function wake(tenant: TenantFixture, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) await tenant.wake();
}

/** Fails in one of two ways until it has been asked `times`. */
function flaky<T>(times: number, answer: T): () => Promise<T | ReturnType<typeof fail>> {
  let asked = 0;
  return async () => {
    asked += 1;
    if (asked > times) return answer;
    if (asked % 2 === 1) throw new Error("the object was reset");
    return fail({ reason: "unavailable", what: "The entity could not answer.", retryAfterSeconds: 1 });
  };
}

describe("an entity that throws or is unavailable", () => {
  test("is looked at again, and the job is done once it answers", async () => {
    const tenant = new TenantFixture();
    await tenant.stand("account:a", { rebuild: flaky(3, ok(null)) as EntityControl["rebuild"] });
    const job = await start(tenant, "rebuild", "account:a");
    await wake(tenant, 3);
    expect(tenant.registry.job(job)).toMatchObject({ ok: true, value: { status: "running" } });
    await wake(tenant, 1);
    expect(tenant.registry.job(job)).toMatchObject({ ok: true, value: { status: "done" } });
    expect(tenant.alarm.atMs).toBeNull();
  });

  test("does not hold up other jobs, and its own fails in the end", async () => {
    const tenant = new TenantFixture();
    const reset = () => Promise.reject(new Error("the object was reset"));
    await tenant.stand("account:a", { rebuild: reset });
    await tenant.stand("account:b");
    const stuck = await start(tenant, "rebuild", "account:a");
    const other = await start(tenant, "erase", "account:b");
    await wake(tenant, 2);
    expect(tenant.registry.job(other)).toMatchObject({ ok: true, value: { status: "done" } });
    expect(tenant.registry.job(stuck)).toMatchObject({ ok: true, value: { status: "running" } });
    await drain(tenant);
    expect(tenant.registry.job(stuck)).toMatchObject({ ok: true, value: { status: "failed" } });
  });

  test("is waited for when its work is begun, but not begun again", async () => {
    const tenant = new TenantFixture();
    let begun = 0;
    let asked = 0;
    await tenant.stand("account:a", {
      rebuild: async () => {
        begun += 1;
        return ok(null);
      },
      counters: async () => {
        asked += 1;
        if (asked % 2 === 1) throw new Error("the object was reset");
        return ok({ entity: "account:a", ...COUNTERS, pending: asked < 6 });
      },
    });
    const job = await start(tenant, "rebuild", "account:a");
    await wake(tenant, 6);
    expect(tenant.registry.job(job)).toMatchObject({ ok: true, value: { status: "done" } });
    expect(begun).toBe(1);
  });
});

describe("a job over all entities", () => {
  test("goes on past those that fail, and counts them", async () => {
    const tenant = new TenantFixture();
    const done: string[] = [];
    for (let n = 0; n < 80; n += 1) {
      const entity = `account:${String(n).padStart(2, "0")}`;
      await tenant.stand(entity, {
        rebuild: async () => {
          if (n % 10 === 0) return fail({ reason: "corrupt", what: "the log: the segment of commit 1 is missing" });
          done.push(entity);
          return ok(null);
        },
      });
    }
    const job = await start(tenant, "rebuild", null);
    await drain(tenant);
    expect(done).toHaveLength(72);
    expect(tenant.registry.job(job)).toMatchObject({
      ok: true,
      value: { status: "failed", progress: { done: 80, total: 80 }, result: { entities: 80, failed: 8 } },
    });
  });

  test("has dealt with all but one that never answers", async () => {
    const tenant = new TenantFixture();
    const done: string[] = [];
    for (let n = 0; n < 40; n += 1) {
      const entity = `account:${String(n).padStart(2, "0")}`;
      await tenant.stand(entity, {
        rebuild: async () => {
          if (n === 0) throw new Error("the object was reset");
          done.push(entity);
          return ok(null);
        },
      });
    }
    const job = await start(tenant, "rebuild", null);
    await drain(tenant);
    expect(tenant.registry.job(job)).toMatchObject({ ok: true, value: { status: "failed" } });
    expect(new Set(done).size).toBe(39);
  });
});

test("an erasure of a shipped entity is done when everything of it is swept", async () => {
  const tenant = new TenantFixture();
  const fixture = tenant.add("account:a");
  await fixture.accept({ id: "a" });
  const job = await start(tenant, "erase", "account:a");
  await wake(tenant, 2);
  expect(tenant.registry.job(job)).toMatchObject({ ok: true, value: { status: "running" } });
  await fixture.sweep();
  await wake(tenant, 1);
  expect(tenant.registry.job(job)).toMatchObject({ ok: true, value: { status: "done" } });
  expect((await fixture.keys()).filter((key) => !key.endsWith("erased.json"))).toEqual([]);
  expect(await tenant.registry.entities("", 10, null)).toMatchObject({ ok: true, value: { entities: [] } });
});

test("an erasure that nobody looked at until it was over leaves what was written since", async () => {
  const tenant = new TenantFixture();
  const fixture = tenant.add("account:a");
  await fixture.accept({ id: "old" });
  const job = await start(tenant, "erase", "account:a");
  await fixture.sweep();
  await fixture.accept({ id: "new" });
  await wake(tenant, 2);
  expect(tenant.registry.job(job)).toMatchObject({ ok: true, value: { status: "done" } });
  expect(await fixture.ids()).toEqual(["new"]);
});
