/** Putting rows of bytes in another order, in place: a permutation is a set of cycles. */
import { arenaMark, arenaRelease, arenaTake } from "./arena";
import { hasBit, setBit } from "./bitset";
import { CAPACITY, OK } from "./status";
import { bitsetBytes } from "./text_section";

/** Row i becomes what row order[i] was. `order` is a permutation of the numbers below `count`, u32. */
export function permuteRows(rows: usize, bytes: u32, count: u32, order: usize): i32 {
  const mark = arenaMark();
  const spare = arenaTake(bytes);
  const done = arenaTake(bitsetBytes(count) + 16);
  if (spare == 0 || done == 0) {
    arenaRelease(mark);
    return CAPACITY;
  }
  memory.fill(done, 0, <usize>bitsetBytes(count));
  for (let first: u32 = 0; first < count; first++) {
    if (!hasBit(done, first)) turn(rows, bytes, first, order, spare, done);
  }
  arenaRelease(mark);
  return OK;
}

/** One cycle. */
function turn(rows: usize, bytes: u32, first: u32, order: usize, spare: usize, done: usize): void {
  memory.copy(spare, rows + <usize>first * bytes, bytes);
  let to = first;
  for (;;) {
    setBit(done, to);
    const from = load<u32>(order + ((<usize>to) << 2));
    if (from == first) break;
    memory.copy(rows + <usize>to * bytes, rows + <usize>from * bytes, bytes);
    to = from;
  }
  memory.copy(rows + <usize>to * bytes, spare, bytes);
}
