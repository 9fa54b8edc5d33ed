/**
 * Reciprocal rank fusion in integers (Cormack, Clarke, Büttcher, SIGIR 2009), so that no rounding decides an order.
 *
 * A key at rank r ≥ 1 of a leg adds floor(2^32 / (k + r)) · weight, the weight being in 2^-16. Keys are then ordered
 * by sum descending, key ascending. An entry is 16 bytes: sum u64 · key u32 · zero.
 */

const ENTRY_SHIFT: usize = 4;

let entries: usize = 0;
let count: u32 = 0;

/** `at` has room for one entry a key of every leg. */
export function fusionBegin(at: usize): void {
  entries = at;
  count = 0;
}

/** `keys`: u32, best first. */
export function fusionAdd(keys: usize, keyCount: u32, weight: u32, k: u32): void {
  for (let i: u32 = 0; i < keyCount; i++) {
    const at = entries + ((<usize>count) << ENTRY_SHIFT);
    store<u64>(at, (((<u64>1) << 32) / (<u64>k + i + 1)) * weight);
    store<u64>(at, load<u32>(keys + ((<usize>i) << 2)), 8);
    count += 1;
  }
}

/** Leaves the fused entries in order where `fusionBegin` put them, and answers how many. */
export function fusionEnd(): u32 {
  sortEntries(true);
  let distinct: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const from = entries + ((<usize>i) << ENTRY_SHIFT);
    const last = entries + ((<usize>(distinct - 1)) << ENTRY_SHIFT);
    if (distinct > 0 && load<u32>(from, 8) == load<u32>(last, 8)) {
      store<u64>(last, load<u64>(last) + load<u64>(from));
    } else {
      v128.store(entries + ((<usize>distinct) << ENTRY_SHIFT), v128.load(from));
      distinct += 1;
    }
  }
  count = distinct;
  sortEntries(false);
  return count;
}

@inline
function isBefore(a: usize, b: usize, byKey: bool): bool {
  if (!byKey && load<u64>(a) != load<u64>(b)) return load<u64>(a) > load<u64>(b);
  return load<u32>(a, 8) < load<u32>(b, 8);
}

/** Heap sort: in place. */
function sortEntries(byKey: bool): void {
  for (let i = count / 2; i > 0; i--) sift(i - 1, count, byKey);
  for (let end = count; end > 1; end--) {
    const last = entries + ((<usize>(end - 1)) << ENTRY_SHIFT);
    const swap = v128.load(last);
    v128.store(last, v128.load(entries));
    v128.store(entries, swap);
    sift(0, end - 1, byKey);
  }
}

function sift(index: u32, end: u32, byKey: bool): void {
  for (;;) {
    let child = index * 2 + 1;
    if (child >= end) return;
    const right = entries + ((<usize>(child + 1)) << ENTRY_SHIFT);
    if (child + 1 < end && isBefore(entries + ((<usize>child) << ENTRY_SHIFT), right, byKey)) child += 1;
    const parentAt = entries + ((<usize>index) << ENTRY_SHIFT);
    const childAt = entries + ((<usize>child) << ENTRY_SHIFT);
    if (!isBefore(parentAt, childAt, byKey)) return;
    const swap = v128.load(parentAt);
    v128.store(parentAt, v128.load(childAt));
    v128.store(childAt, swap);
    index = child;
  }
}
