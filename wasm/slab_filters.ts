/**
 * Bitsets over the rows or documents of a slab's parts.
 *
 * They are kept on the JavaScript side and copied into the kernel's scratch for each operation: a few kilobytes each,
 * and a filter may have as many of them as it has conditions, so no slab need set room aside for all.
 */
import type { Bits, KernelSlab, LoadedPart } from "../core/ports.ts";
import { bitsetBytes } from "./bitset_bytes.ts";
import type { KernelInstance } from "./kernel_instance.ts";
import type { HeldPart, SlabParts } from "./slab_parts.ts";

interface Bitset {
  readonly part: LoadedPart;
  /** Bits in use. */
  readonly count: number;
  /** How many of them are set. */
  readonly set: number;
  readonly bytes: Uint8Array;
}

type FilterCalls = Pick<
  KernelSlab,
  | "allRows"
  | "noRows"
  | "rowsBefore"
  | "rowsWhere"
  | "rowsWithCode"
  | "rowsInTime"
  | "and"
  | "or"
  | "not"
  | "countRows"
  | "documentsOf"
  | "countDocuments"
  | "carry"
>;

export interface SlabFilters extends FilterCalls {
  reset(): void;
  /** Copies the bitset into the current frame and answers its offset; 0 for all documents. */
  putDocuments(part: HeldPart, documents: Bits): number;
}

export function createSlabFilters(instance: KernelInstance, parts: SlabParts): SlabFilters {
  const { kernel } = instance;
  let kept: Bitset[] = [];

  /** The bitset at `at`. */
  function keep(part: LoadedPart, count: number, at: number): Bits {
    const bytes = bitsetBytes(count);
    kept.push({ part, count, set: kernel.bitsCount(at, bytes), bytes: instance.bytes(at, bytes) });
    return kept.length as Bits;
  }

  /** Handles count from 1. */
  function find(part: LoadedPart, bits: Bits): Bitset {
    const bitset = kept[bits - 1];
    if (bitset === undefined || bitset.part !== part) throw new Error("a bitset of another part or search");
    return bitset;
  }

  function put(bitset: Bitset): number {
    const at = instance.take(bitset.bytes.length);
    instance.putBytes(at, bitset.bytes);
    return at;
  }

  /** Keeps what `fill` writes to the offset it is given. */
  function keepFilled(part: LoadedPart, count: number, fill: (to: number) => void): Bits {
    return instance.frame(() => {
      const to = instance.take(bitsetBytes(count));
      fill(to);
      return keep(part, count, to);
    });
  }

  function keepRows(part: LoadedPart, fill: (bytes: Uint8Array, count: number) => void): Bits {
    const count = parts.held(part).rows;
    const bytes = new Uint8Array(bitsetBytes(count));
    fill(bytes, count);
    return keepFilled(part, count, (to) => instance.putBytes(to, bytes));
  }

  function combine(part: LoadedPart, a: Bits, b: Bits, operation: "bitsAnd" | "bitsOr"): Bits {
    const left = find(part, a);
    const right = find(part, b);
    if (left.count !== right.count) throw new Error("a bitset over rows with one over documents");
    return instance.frame(() => {
      const at = put(left);
      kernel[operation](at, put(right), at, left.bytes.length);
      return keep(part, left.count, at);
    });
  }

  function timed(part: LoadedPart): LoadedPart {
    if (!parts.held(part).hasTimes) throw new Error("a part that was loaded without times");
    return part;
  }

  const countOf = (part: LoadedPart, bits: Bits): number => find(part, bits).set;

  return {
    reset() {
      kept = [];
    },
    putDocuments(part, documents) {
      const bitset = find(part.part, documents);
      if (bitset.count !== part.documents) throw new Error("a bitset over rows where one over documents belongs");
      return bitset.set === bitset.count ? 0 : put(bitset);
    },
    allRows: (part) => keepRows(part, (bytes, count) => setFirst(bytes, count)),
    noRows: (part) => keepRows(part, () => {}),
    rowsBefore: (part, end) => keepRows(part, (bytes, count) => setFirst(bytes, Math.min(Math.max(end, 0), count))),
    rowsWhere: (part, rows) => keepRows(part, (bytes, count) => setEach(bytes, count, rows)),
    rowsWithCode(part, column, accepted) {
      const { rows, codeCounts } = parts.held(part);
      const codeCount = codeCounts[column];
      if (codeCount === undefined) throw new Error(`a part of ${codeCounts.length} columns has no column ${column}`);
      const bits = new Uint8Array(codeCount);
      for (let code = 0; code < Math.min(codeCount, accepted.length); code++) bits[code] = Number(accepted[code] !== 0);
      return keepFilled(part, rows, (to) => {
        const at = instance.take(codeCount);
        instance.putBytes(at, bits);
        kernel.rowsWithCode(part, column, at, to);
      });
    },
    rowsInTime: (part, from, until) =>
      keepFilled(timed(part), parts.held(part).rows, (to) => kernel.rowsInTime(part, from, until, to)),
    and: (part, a, b) => combine(part, a, b, "bitsAnd"),
    or: (part, a, b) => combine(part, a, b, "bitsOr"),
    not(part, a) {
      const bitset = find(part, a);
      return keepFilled(part, bitset.count, (to) => kernel.bitsNot(put(bitset), to, bitset.bytes.length, bitset.count));
    },
    countRows: countOf,
    documentsOf(part, rows) {
      const bitset = find(part, rows);
      const held = parts.held(part);
      if (bitset.count !== held.rows) throw new Error("a bitset over documents where one over rows belongs");
      if (held.hasOneDocumentARow) return rows;
      return keepFilled(part, held.documents, (to) => kernel.documentsOfRows(part, put(bitset), to));
    },
    countDocuments: countOf,
    carry(from, bits, to) {
      const bitset = find(from, bits);
      const [a, b] = [parts.held(from), parts.held(to)];
      if (a.rows !== b.rows || a.documents !== b.documents) throw new Error("loadings of two parts");
      kept.push({ ...bitset, part: to });
      return kept.length as Bits;
    },
  };
}

function setFirst(bytes: Uint8Array, end: number): void {
  const whole = Math.floor(end / 8);
  bytes.fill(0xff, 0, whole);
  if (end % 8 !== 0) bytes[whole] = (1 << (end % 8)) - 1;
}

function setEach(bytes: Uint8Array, count: number, indices: Uint32Array): void {
  for (const index of indices) {
    if (index >= count) throw new Error(`row ${index} of ${count}`);
    bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7));
  }
}
