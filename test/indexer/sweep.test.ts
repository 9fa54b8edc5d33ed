import { expect, test } from "vitest";
import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { ok } from "../../core/errors.ts";
import { SWEEP_TENANTS_MAX } from "../../core/limits.ts";
import { SWEPT_KEY, tenantKey } from "../../core/log/keys.ts";
import type { JobOrder, TenantIndexApi } from "../../core/rpc.ts";
import { sweep } from "../../workers/indexer/operations.ts";
import type { IndexerPorts } from "../../workers/indexer/ports.ts";

/** What a sweep needs; every tenant has one entity to nudge and one job without a driver. */
async function withTenants(names: readonly string[]) {
  const store = memoryStore();
  const swept: string[] = [];
  const driven: JobOrder[] = [];
  for (const name of names) await store.system().put(tenantKey(name), new Uint8Array());
  const tenant = (name: string) =>
    ({
      sweep: async () => {
        if (name.startsWith("broken")) throw new Error("the object was reset");
        swept.push(name);
        return ok({ nudged: 1, undriven: [{ job: "job_1", generation: 2 }] });
      },
    }) as Partial<TenantIndexApi> as TenantIndexApi;
  const drivers = { start: async (order: JobOrder) => void driven.push(order), end: async () => undefined };
  const ports = { store, tenant, drivers } as Partial<IndexerPorts> as IndexerPorts;
  return { store, ports, swept, driven };
}

test("a sweep visits every tenant, past one that fails, and calls drivers for their jobs", async () => {
  const { store, ports, swept, driven } = await withTenants(["acme", "broken", "zeta"]);
  expect(await sweep(ports)).toBe(3);
  expect(swept).toEqual(["dev", "acme", "zeta"]);
  expect(driven.map(({ tenant, generation }) => [tenant, generation])).toEqual([
    ["dev", 2],
    ["acme", 2],
    ["zeta", 2],
  ]);
  expect(await store.system().get(SWEPT_KEY)).toBeNull();
});

test("sweeps over more tenants than one visits go on where the last one ended, and begin anew after the end", async () => {
  const names = Array.from({ length: SWEEP_TENANTS_MAX + 2 }, (_, n) => `t${String(n).padStart(6, "0")}`);
  const { store, ports, swept } = await withTenants(names);
  expect(await sweep(ports)).toBe(SWEEP_TENANTS_MAX + 1);
  expect(await sweep(ports)).toBe(3);
  expect(swept.filter((name) => name !== "dev")).toEqual(names);
  await store.system().put(SWEPT_KEY, new TextEncoder().encode("damaged"));
  expect(await sweep(ports)).toBe(SWEEP_TENANTS_MAX + 1);
});
