import { describe, expect, test } from "vitest";
import type { KernelSlab } from "../../core/ports.ts";
import { createKernelInstance } from "../../wasm/kernel_instance.ts";
import { createSlabPool } from "../../wasm/slab_pool.ts";
import { builder, expectOk, kernelModule, sectionsOf } from "./fixture.ts";

const MIB = 1024 * 1024;
const CLASSES = [
  { bytes: MIB, count: 3 },
  { bytes: 2 * MIB, count: 2 },
  { bytes: 4 * MIB, count: 1 },
];
const SMALL = 100_000;
const MIDDLE = 1.2 * MIB;
const LARGE = 3 * MIB;

function pool() {
  return createSlabPool(kernelModule, CLASSES);
}

function lease(from: ReturnType<typeof pool>, scope: string, bytes: number) {
  const leased = from.lease(scope, bytes);
  if (leased === null) throw new Error("no lease");
  return leased;
}

describe("a lease", () => {
  test("is kept by its scope with everything in it", () => {
    const slabs = pool();
    const first = lease(slabs, "a/1", SMALL);
    expect(first.fresh).toBe(true);
    const part = expectOk(first.slab.load(sectionsOf({ texts: ["alpha"] })));
    const again = lease(slabs, "a/1", SMALL);
    expect(again).toEqual({ slab: first.slab, fresh: false });
    expect(again.slab.countRows(part, again.slab.allRows(part))).toBe(1);
  });

  test("is of the smallest class that is large enough, and of none when all are too small", () => {
    const slabs = pool();
    expect(lease(slabs, "a/1", SMALL).slab.capacityBytes).toBeLessThan(MIB);
    expect(lease(slabs, "a/2", MIDDLE).slab.capacityBytes).toBeGreaterThanOrEqual(MIDDLE);
    expect(lease(slabs, "a/3", LARGE).slab.capacityBytes).toBeGreaterThanOrEqual(LARGE);
    expect(slabs.lease("a/4", 4 * MIB)).toBeNull();
  });

  test("moves to a larger slab when its scope outgrows it", () => {
    const slabs = pool();
    const small = lease(slabs, "a/1", SMALL);
    const larger = lease(slabs, "a/1", MIDDLE);
    expect(larger.fresh).toBe(true);
    expect(larger.slab).not.toBe(small.slab);
    expect(lease(slabs, "a/2", SMALL).slab).toBe(small.slab);
  });

  test("takes a larger free slab before it takes another's, but leaves the largest for what needs it", () => {
    const slabs = pool();
    const held = ["a/1", "b/2", "c/3", "d/4", "e/5"].map((scope) => lease(slabs, scope, SMALL).slab);
    expect(new Set(held).size).toBe(5);
    expect(slabs.residentBytes).toBe(7 * MIB);
    expect(lease(slabs, "f/6", SMALL).slab).toBe(held[0]);
    expect(lease(slabs, "a/1", SMALL).fresh).toBe(true);
    expect(lease(slabs, "g/7", LARGE).slab.capacityBytes).toBeGreaterThan(LARGE);
  });

  test("is taken from the tenant that holds most, and there from the least recent", () => {
    const slabs = pool();
    const quiet = lease(slabs, "quiet/1", SMALL).slab;
    const noisy = [1, 2, 3, 4].map((n) => lease(slabs, `noisy/${n}`, SMALL).slab);
    lease(slabs, "noisy/1", SMALL);
    expect(lease(slabs, "other/1", SMALL).slab).toBe(noisy[1]);
    expect(lease(slabs, "noisy/5", SMALL).slab).toBe(noisy[0]);
    expect(lease(slabs, "quiet/1", SMALL)).toEqual({ slab: quiet, fresh: false });
  });

  test("given back is free for the next", () => {
    const slabs = pool();
    const first = lease(slabs, "a/1", LARGE).slab;
    slabs.release("a/1");
    slabs.release("a/unknown");
    expect(lease(slabs, "b/1", LARGE)).toEqual({ slab: first, fresh: true });
  });
});

describe("memory", () => {
  test("is made when needed and never more than the classes allow", () => {
    const slabs = pool();
    expect(slabs.residentBytes).toBe(0);
    for (let round = 0; round < 50; round++) {
      lease(slabs, `a/${round}`, [SMALL, MIDDLE, LARGE][round % 3] ?? SMALL);
      slabs.window(`b/${round}`);
    }
    expect(slabs.residentBytes).toBe(11 * MIB);
  });

  test("of a lease is zero before another scope gets it, window included", () => {
    const slabs = createSlabPool(kernelModule, [{ bytes: MIB, count: 1 }]);
    const secret = "confidential-7431";
    const next: readonly (() => KernelSlab)[] = [
      () => lease(slabs, "b/1", SMALL).slab,
      () => slabs.window("b/2").slab,
      () => {
        slabs.release("a/1");
        return lease(slabs, "c/1", SMALL).slab;
      },
    ];
    for (const take of next) {
      const owner = lease(slabs, "a/1", SMALL).slab;
      const part = expectOk(
        owner.load(sectionsOf({ texts: [secret], vectors: [Float32Array.of(1, 2)], dimensions: 2 })),
      );
      const terms = builder.analyze(secret);
      const all = owner.documentsOf(part, owner.allRows(part));
      expect(owner.statistics(part, terms, all).df).toEqual(terms.map(() => 1));
      const other = take();
      expect(other).toBe(owner);
      expect(() => other.allRows(part)).toThrow("not loaded");
      expect(other.freeBytes()).toBe(other.capacityBytes);
    }
  });

  test("is zeroed by clear, wherever parts, inputs and results stood", () => {
    const instance = createKernelInstance(kernelModule, MIB, MIB);
    const from = instance.kernel.take(0);
    const bytes = instance.kernel.free();
    for (let round = 0; round < 3; round++) {
      instance.frame(() => {
        const at = instance.take(bytes - 64);
        instance.putBytes(at, new Uint8Array(bytes - 64).fill(0xa5));
      });
      instance.kernel.take(100 * (round + 1));
      instance.kernel.clear();
      expect(instance.bytes(from, bytes).every((byte) => byte === 0)).toBe(true);
      expect(instance.kernel.free()).toBe(bytes);
    }
  });
});
