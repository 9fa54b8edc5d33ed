/** The harness itself, around a script that does nothing but use its bucket. Times are lower bounds: nothing is too slow. */
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare, type V4WorkerOptions } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { javascript, surrounded } from "../../scripts/harness/around.ts";
import { productionHarness, REFEREE_PATH } from "../../scripts/harness/production.ts";
import type { RefereeReport } from "../../scripts/harness/referee_in_workerd.ts";

interface Probed {
  readonly value: unknown;
  readonly error: string | null;
  readonly ms: number;
}

let runtime: Miniflare;
let url: URL;

/** Nothing computes for so long here, and everything waits for longer. */
const CPU_MS = 100;

beforeAll(async () => {
  const { around, companions } = await productionHarness();
  const code = await javascript(join(import.meta.dirname, "probe_in_workerd.ts"));
  const modules = [{ type: "ESModule" as const, path: "/probe/worker.js", contents: code }];
  const probe: V4WorkerOptions = {
    name: "probe",
    compatibilityDate: "2026-08-04",
    compatibilityFlags: ["nodejs_compat"],
    modulesRoot: "/probe",
    modules: await surrounded(modules, "/probe", ["Probe"], around),
    r2Buckets: ["BUCKET"],
    bindings: { ...around[0]?.bindings, HARNESS_CPU_MS: String(CPU_MS) },
    serviceBindings: { ...around[0]?.serviceBindings, SELF: { name: "probe", entrypoint: "Probe" } },
  };
  runtime = new Miniflare(convertV4MiniflareOptions({ workers: [probe, ...companions] }));
  url = await runtime.ready;
});
afterAll(() => runtime.dispose());

async function probed(name: string): Promise<Probed> {
  return (await (await fetch(new URL(`/${name}`, url))).json()) as Probed;
}

async function referee(): Promise<RefereeReport> {
  return (await (await fetch(new URL(REFEREE_PATH, url))).json()) as RefereeReport;
}

/** Clocks step by whole milliseconds. */
const STEP_MS = 1;

describe("a bucket under harness:production", () => {
  it("answers after the latency of R2, and as R2 does", async () => {
    expect((await probed("get")).ms).toBeGreaterThanOrEqual(60 - STEP_MS);
    expect((await probed("put")).ms).toBeGreaterThanOrEqual(120 - STEP_MS);
    const { value } = await probed("listed");
    expect(value).toEqual({ bytes: [7], metadata: { of: "probe" }, keys: ["listed"], head: null });
  });

  it("has six calls of an invocation wait for their headers, and the seventh for a turn", async () => {
    const { ms, error } = await probed("seven");
    expect(error).toBeNull();
    expect(ms).toBeGreaterThanOrEqual(2 * 60 - STEP_MS);
  });

  it("refuses a second write of a key within a second, and no write of another", async () => {
    const before = await referee();
    expect((await probed("twice")).error).toContain("10058");
    expect((await probed("others")).error).toBeNull();
    const after = await referee();
    expect(after.refused - before.refused).toBe(1);
    expect(after.refusedKeys).toContain("twice");
    expect(after.writes - before.writes).toBe(4);
  });
});

describe("around a script, harness:production", () => {
  it("says which invocations took longer than their script may compute", async () => {
    await probed("seven");
    const { tookLong } = await referee();
    expect(tookLong).toContainEqual({ name: "fetch", ms: expect.any(Number) });
    for (const { ms } of tookLong) expect(ms).toBeGreaterThan(CPU_MS);
  });

  it("leaves messages between scripts to the runtime, which refuses those above 32 MiB", async () => {
    expect(await probed("fits")).toMatchObject({ value: 31 * 2 ** 20, error: null });
    expect((await probed("tooLarge")).error).toMatch(/32|larger|exceed|size/i);
  });
});
