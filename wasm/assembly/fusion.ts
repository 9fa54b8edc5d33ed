/**
 * Reciprocal rank fusion in integers (Cormack, Clarke, Büttcher, SIGIR 2009), so that no rounding decides an order.
 *
 * A key at rank r ≥ 1 of a leg adds floor(2^32 / (k + r)) · weight, the weight being in 2^-16. Keys are then ordered
 * by sum descending, key ascending. An entry is 16 bytes: sum u64 · key u32 · zero. A table of u16 finds the entry of a
 * key: one more than its index, 0 where there is none, linear probing.
 */

const ENTRY_SHIFT: usize = 4;
/** 2^32 over the golden ratio. */
const HASH_MULTIPLIER: u32 = 0x9e3779b1;

let entries: usize = 0;
let count: u32 = 0;
let table: usize = 0;
let mask: u32 = 0;

/**
 * `at` has room for one entry a key of every leg, `tableAt` for `slots` of u16: a power of two, above the number of keys
 * and at most 2^16.
 */
export function fusionBegin(at: usize, tableAt: usize, slots: u32): void {
  entries = at;
  count = 0;
  table = tableAt;
  mask = slots - 1;
  memory.fill(table, 0, (<usize>slots) << 1);
}

/** `keys`: u32, best first. */
export function fusionAdd(keys: usize, keyCount: u32, weight: u32, k: u32): void {
  for (let i: u32 = 0; i < keyCount; i++) {
    const at = entryOf(load<u32>(keys + ((<usize>i) << 2)));
    store<u64>(at, load<u64>(at) + (((<u64>1) << 32) / (<u64>k + i + 1)) * weight);
  }
}

function entryOf(key: u32): usize {
  let slot = (key * HASH_MULTIPLIER) >> 8;
  let index = <u32>load<u16>(slotAt(slot));
  while (index != 0 && load<u32>(entryAt(index - 1), 8) != key) {
    slot += 1;
    index = load<u16>(slotAt(slot));
  }
  if (index != 0) return entryAt(index - 1);
  const entry = entryAt(count);
  count += 1;
  store<u16>(slotAt(slot), count);
  store<u64>(entry, 0);
  store<u64>(entry, key, 8);
  return entry;
}

@inline
function slotAt(slot: u32): usize {
  return table + ((<usize>(slot & mask)) << 1);
}

@inline
function entryAt(index: u32): usize {
  return entries + ((<usize>index) << ENTRY_SHIFT);
}

/** Leaves the first `limit` fused entries in order where `fusionBegin` put them, and answers how many there are. */
export function fusionEnd(limit: u32): u32 {
  const kept = min(limit, count);
  if (kept == 0) return 0;
  // A heap of the best so far, with the last of them at its root.
  for (let i = kept / 2; i > 0; i--) sift(i - 1, kept);
  for (let i = kept; i < count; i++) {
    if (!isBefore(entryAt(i), entries)) continue;
    v128.store(entries, v128.load(entryAt(i)));
    sift(0, kept);
  }
  for (let end = kept; end > 1; end--) {
    swap(entries, entryAt(end - 1));
    sift(0, end - 1);
  }
  return kept;
}

@inline
function isBefore(a: usize, b: usize): bool {
  if (load<u64>(a) != load<u64>(b)) return load<u64>(a) > load<u64>(b);
  return load<u32>(a, 8) < load<u32>(b, 8);
}

@inline
function swap(a: usize, b: usize): void {
  const entry = v128.load(a);
  v128.store(a, v128.load(b));
  v128.store(b, entry);
}

function sift(index: u32, end: u32): void {
  for (;;) {
    let child = index * 2 + 1;
    if (child >= end) return;
    if (child + 1 < end && isBefore(entryAt(child), entryAt(child + 1))) child += 1;
    if (!isBefore(entryAt(index), entryAt(child))) return;
    swap(entryAt(index), entryAt(child));
    index = child;
  }
}
