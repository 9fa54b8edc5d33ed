/**
 * The kernel instances of one isolate: a fixed number of a few sizes, made when first needed and never dropped,
 * because a dropped memory is not given back promptly.
 *
 * A slab is leased to one scope at a time and cleared before it is handed to another. When none is free the fullest
 * tenant gives way first, then whoever was used longest ago:
 *
 *   1. of the smallest class that is large enough, a free slab; else of the next class, but never of the largest unless
 *      nothing smaller is large enough;
 *   2. of that smallest class, a slab of the tenant that holds most bytes, the asking one counted with what it asks
 *      for;
 *   3. among those, the least recently leased.
 *
 * A scope's name begins with its tenant, up to the first `/`.
 */
import { SLAB_CLASSES } from "../core/limits.ts";
import type { KernelSlab, PartSections, SlabPool } from "../core/ports.ts";
import { createKernelSlab } from "./kernel_slab.ts";

interface SlabClass {
  readonly bytes: number;
  readonly count: number;
}

interface Slot {
  readonly bytes: number;
  readonly slab: KernelSlab;
  scope: string | null;
  /** Ordinal of its last lease. */
  usedAt: number;
}

export function createSlabPool(module: WebAssembly.Module, classes: readonly SlabClass[] = SLAB_CLASSES): SlabPool {
  const ascending = [...classes].sort((a, b) => a.bytes - b.bytes);
  const slots: Slot[] = [];
  let leases = 0;

  function allocate(bytes: number): Slot {
    const slot: Slot = { bytes, slab: createKernelSlab(module, bytes), scope: null, usedAt: 0 };
    slots.push(slot);
    return slot;
  }

  /** A free slab of the class, made now if it may be; null when all are leased. */
  function freeSlot({ bytes, count }: SlabClass): Slot | null {
    const ofClass = slots.filter((slot) => slot.bytes === bytes);
    return ofClass.find((slot) => slot.scope === null) ?? (ofClass.length < count ? allocate(bytes) : null);
  }

  /** What every slab spends on tables and scratch: known from any of them. */
  function overheadBytes(): number {
    const slot = slots[0] ?? allocate(smallest(ascending).bytes);
    return slot.bytes - slot.slab.capacityBytes;
  }

  function handOut(slot: Slot, scope: string): KernelSlab {
    slot.slab.clear();
    slot.scope = scope;
    slot.usedAt = ++leases;
    return slot.slab;
  }

  function releaseScope(scope: string): void {
    for (const slot of slots) {
      if (slot.scope !== scope) continue;
      slot.slab.clear();
      slot.scope = null;
    }
  }

  function lease(scope: string, bytes: number): { readonly slab: KernelSlab; readonly fresh: boolean } | null {
    const current = slots.find((slot) => slot.scope === scope);
    if (current !== undefined && current.slab.capacityBytes >= bytes) {
      current.usedAt = ++leases;
      return { slab: current.slab, fresh: false };
    }
    const fitting = ascending.filter((candidate) => candidate.bytes - overheadBytes() >= bytes);
    const [first, ...larger] = fitting;
    if (first === undefined) return null;
    releaseScope(scope);
    const free = firstOf([first, ...larger.slice(0, -1)], freeSlot);
    return { slab: handOut(free ?? evicted(slots, first.bytes, tenantOf(scope)), scope), fresh: true };
  }

  const capacityBytes = (): number => (ascending.at(-1) ?? smallest(ascending)).bytes - overheadBytes();

  return {
    sizeOf: (sections: PartSections) => (slots[0] ?? allocate(smallest(ascending).bytes)).slab.sizeOf(sections),
    lease,
    window(scope) {
      const leased = lease(scope, capacityBytes());
      if (leased === null) throw new Error("a pool without slabs");
      return leased;
    },
    isLeased: (scope) => slots.some((slot) => slot.scope === scope),
    get capacityBytes() {
      return capacityBytes();
    },
    release: releaseScope,
    get residentBytes() {
      return slots.reduce((sum, slot) => sum + slot.bytes, 0);
    },
  };
}

function smallest(ascending: readonly SlabClass[]): SlabClass {
  const [first] = ascending;
  if (first === undefined) throw new Error("a pool without slabs");
  return first;
}

function firstOf<T, R>(values: readonly T[], find: (value: T) => R | null): R | null {
  for (const value of values) {
    const found = find(value);
    if (found !== null) return found;
  }
  return null;
}

/** The slab of a full class that gives way to a scope of `asking`. */
function evicted(slots: readonly Slot[], bytes: number, asking: string): Slot {
  const held = new Map<string, number>([[asking, bytes]]);
  for (const slot of slots) {
    if (slot.scope === null) continue;
    const tenant = tenantOf(slot.scope);
    held.set(tenant, (held.get(tenant) ?? 0) + slot.bytes);
  }
  const ofClass = slots.filter((slot) => slot.bytes === bytes);
  const heldBy = (slot: Slot): number => (slot.scope === null ? 0 : (held.get(tenantOf(slot.scope)) ?? 0));
  const most = ofClass.reduce((sum, slot) => Math.max(sum, heldBy(slot)), 0);
  return leastRecent(ofClass.filter((slot) => heldBy(slot) === most));
}

function leastRecent(slots: readonly Slot[]): Slot {
  return slots.reduce((oldest, slot) => (slot.usedAt < oldest.usedAt ? slot : oldest));
}

function tenantOf(scope: string): string {
  const end = scope.indexOf("/");
  return end < 0 ? scope : scope.slice(0, end);
}
