/**
 * All memory above the static data is one arena, handed out from the bottom up and given back by marks.
 * Nothing is freed piece by piece. `clear` zeroes everything that was ever handed out, so that the next lease of this
 * instance finds no byte of the last one.
 *
 * The memory may grow up to `limit`; a slab's memory has its final size from the start, so there it never does.
 */

const ALIGNMENT: usize = 64;
const PAGE_SHIFT: usize = 16;

let limit: usize = 0;
let top: usize = 0;
let highest: usize = 0;

@inline
export function aligned(bytes: u64): u64 {
  return (bytes + ALIGNMENT - 1) & ~(<u64>ALIGNMENT - 1);
}

@inline
function base(): usize {
  return <usize>aligned(__heap_base);
}

/** Sets the last byte that may ever be used. Called once, before anything else. */
export function arenaInit(bytesMax: usize): void {
  limit = bytesMax;
  top = base();
  highest = top;
}

/** Bytes that are left between what is in use and the limit. */
export function arenaFree(): usize {
  return limit > top ? limit - top : 0;
}

/** The first byte not in use: give it to `arenaRelease` to free all that came after. */
export function arenaMark(): usize {
  return top;
}

export function arenaRelease(mark: usize): void {
  top = mark;
}

/** An aligned block, or 0 when it does not fit. What it holds is undefined. */
export function arenaTake(bytes: u64): usize {
  const at = aligned(top);
  if (!arenaReach(at + bytes)) return 0;
  top = <usize>(at + bytes);
  return <usize>at;
}

/** A block aligned to four bytes right after the last one, or 0. For many small records. */
@inline
export function arenaTakeSmall(bytes: u32): usize {
  const at = (top + 3) & ~3;
  const end = at + bytes;
  if (end > highest && !arenaReach(end)) return 0;
  top = end;
  return at;
}

/** Makes `end` the new top: for a block on top of all others, written step by step. False when it does not fit. */
export function arenaExtend(end: usize): bool {
  if (!arenaReach(end)) return false;
  top = end;
  return true;
}

function arenaReach(end: u64): bool {
  if (end > limit) return false;
  const have = (<u64>memory.size()) << PAGE_SHIFT;
  if (end > have && !growTo(end, have)) return false;
  if (end > highest) highest = <usize>end;
  return true;
}

/** By an eighth at least: a grown memory may be copied. */
function growTo(end: u64, have: u64): bool {
  const wanted = min<u64>(max<u64>(end, have + (have >> 3)), limit);
  const pages = ((wanted + 0xffff) >> PAGE_SHIFT) - (have >> PAGE_SHIFT);
  return memory.grow(<i32>pages) >= 0;
}

/** Forgets and zeroes everything. */
export function arenaClear(): void {
  memory.fill(base(), 0, highest - base());
  top = base();
  highest = top;
}
