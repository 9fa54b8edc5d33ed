/**
 * The best `limit` of a stream, in a binary heap with the worst at its root.
 *
 * An element is one u64 key that orders as the answer does: the score's bits, made to order as numbers, above the
 * complement of the id. So a greater key is better: higher score first, then the lower id.
 */

let heap: usize = 0;
export let heapLimit: u32 = 0;
export let heapCount: u32 = 0;

/** `at` has room for `limitMax` keys of eight bytes. */
export function heapBegin(at: usize, limitMax: u32): void {
  heap = at;
  heapLimit = limitMax;
  heapCount = 0;
}

/** A score in the upper half, to order as scores do; -0 and 0 are the same, and there is no NaN. */
@inline
export function upperHalfOf(score: f32): u64 {
  const bits = reinterpret<u32>(score + 0.0);
  const ordered = (bits & 0x80000000) != 0 ? ~bits : bits | 0x80000000;
  return (<u64>ordered) << 32;
}

@inline
export function keyOf(score: f32, id: u32): u64 {
  return upperHalfOf(score) | <u64>~id;
}

@inline
export function scoreOfKey(key: u64): f32 {
  const ordered = <u32>(key >> 32);
  return reinterpret<f32>((ordered & 0x80000000) != 0 ? ordered & 0x7fffffff : ~ordered);
}

@inline
export function idOfKey(key: u64): u32 {
  return ~(<u32>key);
}

@inline
export function heapIsFull(): bool {
  return heapCount == heapLimit;
}

/** The score that a new element must beat, or tie with a lower id. Only when full. */
@inline
export function heapWorstScore(): f32 {
  return scoreOfKey(load<u64>(heap));
}

@inline
function keyAt(index: u32): u64 {
  return load<u64>(heap + ((<usize>index) << 3));
}

@inline
function setKey(index: u32, key: u64): void {
  store<u64>(heap + ((<usize>index) << 3), key);
}

export function heapOffer(key: u64): void {
  if (heapCount < heapLimit) {
    siftUp(heapCount++, key);
  } else if (heapLimit > 0 && key > keyAt(0)) {
    replaceRoot(key, heapCount);
  }
}

function siftUp(index: u32, key: u64): void {
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (keyAt(parent) <= key) break;
    setKey(index, keyAt(parent));
    index = parent;
  }
  setKey(index, key);
}

/** Replaces the root. */
function replaceRoot(key: u64, count: u32): void {
  let index: u32 = 0;
  for (;;) {
    let child = index * 2 + 1;
    if (child >= count) break;
    if (child + 1 < count) child += <u32>(keyAt(child + 1) < keyAt(child));
    if (keyAt(child) >= key) break;
    setKey(index, keyAt(child));
    index = child;
  }
  setKey(index, key);
}

/** Turns the keys into the answer, in place, best first: id u32 · score f32. Answers how many there are. */
export function heapEnd(): u32 {
  for (let end = heapCount; end > 1; end--) {
    const worst = keyAt(0);
    const last = keyAt(end - 1);
    replaceRoot(last, end - 1);
    setKey(end - 1, worst);
  }
  for (let i: u32 = 0; i < heapCount; i++) {
    const at = heap + ((<usize>i) << 3);
    const key = load<u64>(at);
    store<u32>(at, idOfKey(key));
    store<f32>(at, scoreOfKey(key), 4);
  }
  return heapCount;
}
