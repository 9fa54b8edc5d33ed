/**
 * Live(s): which lines of the log are seen at commit s. Of all lines at positions up to s,
 *
 *   - a line whose id occurs at an earlier position is void, in whatever part that was: the first of an id wins;
 *   - a line is withdrawn when a tombstone at or before s, at a later position than the line, names its id. The first of
 *     the id stays the first, so the id does not come back by being sent again.
 *
 * A tombstone withdraws even when its own line is void: a delete is never lost to an id that was claimed before.
 * Tombstones are rows like others here. They have no documents, so no search finds them, and a timeline lists them only
 * when asked for their kind.
 *
 * What is void does not depend on s but for being cut at it, and what is true of a part depends on earlier parts only.
 * So `livenessOf` works a part once, reuses what it knew of the same parts before, and `liveRowsAt` is a cut of it.
 */
import { compareHashes, hashCount } from "../index/id_hashes.ts";
import type { Part } from "../index/part.ts";
import { type LiveRows, rowsThrough, type View } from "../retrieval/view.ts";

/** What is void and withdrawn in the parts of one log, at any commit. */
export interface Liveness {
  readonly parts: readonly PartLiveness[];
}

interface PartLiveness {
  readonly part: Part;
  /** Ascending rows whose id occurs earlier, in this part or in one before. */
  readonly voidRows: Uint32Array;
  /** What this part's tombstones withdraw. */
  readonly withdrawals: readonly ResolvedWithdrawal[];
}

/** `tombstone` is a row of the part it is listed under; `row` is a row of the part at `index`. */
interface ResolvedWithdrawal {
  readonly tombstone: number;
  readonly index: number;
  readonly row: number;
}

/** Live rows of every part of a view, in order. */
export function liveRows(view: View): readonly LiveRows[] {
  return liveRowsAt(livenessOf(view.parts, null), view.snapshot.commit);
}

/** `parts` tile the log from commit 1. Leading parts that `known` holds, the very same objects, are not worked again. */
export function livenessOf(parts: readonly Part[], known: Liveness | null): Liveness {
  const same = parts.findIndex((part, index) => known?.parts[index]?.part !== part);
  const worked: PartLiveness[] = known === null ? [] : known.parts.slice(0, same < 0 ? parts.length : same);
  const fresh = parts.slice(worked.length);
  const all = fresh.length > COMPARED_EACH_MAX ? findAllVoid(parts) : null;
  for (const part of fresh) {
    const before = parts.slice(0, worked.length);
    const voidRows = all?.get(part) ?? voidRowsOf(part, before);
    worked.push({ part, voidRows, withdrawals: withdrawalsOf(part, before) });
  }
  return { parts: worked };
}

/** A part that nothing touches costs no copy. */
export function liveRowsAt(liveness: Liveness, commit: number): readonly LiveRows[] {
  const ends = liveness.parts.map(({ part }) => rowsThrough(part, commit));
  const withdrawn: number[][] = liveness.parts.map(() => []);
  liveness.parts.forEach(({ withdrawals }, index) => {
    for (const { tombstone, index: target, row } of withdrawals) {
      if (tombstone < (ends[index] ?? 0)) withdrawn[target]?.push(row);
    }
  });
  return liveness.parts.map(({ voidRows }, index) => {
    const rowEnd = ends[index] ?? 0;
    const seen = voidRows.subarray(0, lowerBound(voidRows, rowEnd));
    const gone = withdrawn[index] ?? [];
    return { rowEnd, deadRows: gone.length === 0 ? seen : ascending([...seen, ...gone]) };
  });
}

function ascending(rows: readonly number[]): Uint32Array {
  return Uint32Array.from(new Set(rows)).sort();
}

// --- Duplicates -----------------------------------------------------------------------------

function voidRowsOf(part: Part, before: readonly Part[]): Uint32Array {
  const rows = duplicatesWithin(part);
  for (const earlier of before) rows.push(...duplicatesOf(part, earlier));
  return ascending(rows);
}

/** A new part or two are compared with each of those before; of more, the pairs would be too many. */
const COMPARED_EACH_MAX = 2;
/** Of the table of all hashes: slots for each of them, so that few meet. */
const SLOTS_PER_HASH = 2;

/** What `voidRowsOf` says of every part, by one table of all hashes: time and memory grow with the rows, not the pairs. */
function findAllVoid(parts: readonly Part[]): ReadonlyMap<Part, Uint32Array> {
  const places = parts.flatMap((part, index) => ({ part, index, hashes: part.idHashes }));
  const count = places.reduce((sum, { hashes }) => sum + hashCount(hashes), 0);
  const mask = 2 ** Math.ceil(Math.log2(Math.max(1, SLOTS_PER_HASH * count))) - 1;
  /** One more than the part, and the place of the hash in it. */
  const partAt = new Uint16Array(mask + 1);
  const hashAt = new Uint32Array(mask + 1);
  const found = new Map<Part, Uint32Array>();
  for (const { part, index, hashes } of places) {
    const rows: number[] = [];
    for (let at = 0; at < hashCount(hashes); at++) {
      let slot = ((hashes[2 * at] ?? 0) ^ (hashes[2 * at + 1] ?? 0)) & mask;
      for (; partAt[slot] !== 0; slot = (slot + 1) & mask) {
        const other = places[(partAt[slot] ?? 0) - 1];
        const otherAt = hashAt[slot] ?? 0;
        if (other === undefined || compareHashes(other.hashes, otherAt, hashes, at) !== 0) continue;
        const row = part.idRows[at] ?? 0;
        if (other.part.idOfRow(other.part.idRows[otherAt] ?? 0) === part.idOfRow(row)) rows.push(row);
      }
      partAt[slot] = index + 1;
      hashAt[slot] = at;
    }
    found.set(part, ascending(rows));
  }
  return found;
}

/** Equal ids have equal hashes, which stand together in ascending row order. */
function duplicatesWithin(part: Part): number[] {
  const { idHashes } = part;
  const rows: number[] = [];
  for (let at = 1; at < hashCount(idHashes); at++) {
    for (let other = at - 1; other >= 0 && compareHashes(idHashes, other, idHashes, at) === 0; other--) {
      const row = part.idRows[at] ?? 0;
      if (part.idOfRow(part.idRows[other] ?? 0) !== part.idOfRow(row)) continue;
      rows.push(row);
      break;
    }
  }
  return rows;
}

/** Rows of `part` whose id `earlier` has. Walks the smaller list of hashes and gallops through the larger. */
function duplicatesOf(part: Part, earlier: Part): number[] {
  const rows: number[] = [];
  const [small, large] = part.idHashes.length <= earlier.idHashes.length ? [part, earlier] : [earlier, part];
  const [few, many] = [small.idHashes, large.idHashes];
  const end = hashCount(many);
  let from = 0;
  for (let at = 0; at < hashCount(few); at++) {
    from = gallop(many, few, at, from);
    for (let match = from; match < end && compareHashes(many, match, few, at) === 0; match++) {
      const [ours, theirs] = small === part ? [at, match] : [match, at];
      const row = part.idRows[ours] ?? 0;
      if (earlier.idOfRow(earlier.idRows[theirs] ?? 0) === part.idOfRow(row)) rows.push(row);
    }
  }
  return rows;
}

/**
 * The first index of `hashes`, from `from` on, whose hash is not below the one at `at` of `wanted`. Steps double, so
 * near matches are cheap.
 */
function gallop(hashes: Uint32Array, wanted: Uint32Array, at: number, from: number): number {
  const count = hashCount(hashes);
  let step = 1;
  let low = from;
  while (low + step < count && compareHashes(hashes, low + step, wanted, at) < 0) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step, count);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareHashes(hashes, middle, wanted, at) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many of the ascending `rows` are below `end`. */
function lowerBound(rows: Uint32Array, end: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle] ?? 0) < end) low = middle + 1;
    else high = middle;
  }
  return low;
}

// --- Withdrawals ----------------------------------------------------------------------------

function withdrawalsOf(part: Part, before: readonly Part[]): ResolvedWithdrawal[] {
  const scope = [...before, part];
  const resolved: ResolvedWithdrawal[] = [];
  for (const { row: tombstone, target } of part.withdrawals) {
    const index = scope.findIndex((candidate) => candidate.rowOfId(target) >= 0);
    if (index < 0) continue;
    const row = scope[index]?.rowOfId(target) ?? -1;
    // One that stands at a later position than its tombstone is another event, and lives.
    if (index < before.length || row < tombstone) resolved.push({ tombstone, index, row });
  }
  return resolved;
}
