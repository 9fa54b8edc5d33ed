/**
 * The length norms of one field of one part, kept in the part for the parameters they were computed with: a search of a
 * live scope asks with the same ones until something is appended.
 *
 *   0 k1 f64 · 8 b f64 · 16 average length f64 · 24 known u32 · 28 zero
 *   32    256 f32: of lengths 0, 2, 4 … 510, for the bounds of postings.ts
 *   1056  f32 a document
 *
 *   norm = f32(k1 · (1 − b + b · length / average)), computed in f64 in this order; f32(k1) when the average is not positive
 */
import { padded16 } from "./section";
import { lengthAt } from "./text_section";

const K1: usize = 0;
const B: usize = 8;
const AVERAGE: usize = 16;
const KNOWN: usize = 24;
const BY_HALF_LENGTH: usize = 32;
const HALF_LENGTHS: u32 = 256;
const BY_DOCUMENT: usize = BY_HALF_LENGTH + 4 * <usize>HALF_LENGTHS;

export function normsBytes(documents: u32): u64 {
  return <u64>BY_DOCUMENT + padded16((<u64>documents) << 2);
}

/** What the block holds is undefined until it is forgotten. */
export function normsForget(norms: usize): void {
  store<u32>(norms, 0, KNOWN);
}

@inline
export function normOf(length: u32, k1: f64, b: f64, average: f64): f32 {
  if (!(average > 0)) return <f32>k1;
  return <f32>(k1 * (1.0 - b + (b * <f64>length) / average));
}

/** Norms by document; computed only when the parameters are others than the last time. */
export function normsFor(
  norms: usize,
  lengths: usize,
  lengthBytes: u32,
  documents: u32,
  k1: f64,
  b: f64,
  average: f64,
): usize {
  const isSame = load<f64>(norms, K1) == k1 && load<f64>(norms, B) == b && load<f64>(norms, AVERAGE) == average;
  if (!isSame || load<u32>(norms, KNOWN) == 0) {
    store<f64>(norms, k1, K1);
    store<f64>(norms, b, B);
    store<f64>(norms, average, AVERAGE);
    store<u32>(norms, 1, KNOWN);
    for (let half: u32 = 0; half < HALF_LENGTHS; half++)
      store<f32>(norms + ((<usize>half) << 2), normOf(half << 1, k1, b, average), BY_HALF_LENGTH);
    for (let i: u32 = 0; i < documents; i++)
      store<f32>(norms + ((<usize>i) << 2), normOf(lengthAt(lengths, lengthBytes, i), k1, b, average), BY_DOCUMENT);
  }
  return norms + BY_DOCUMENT;
}

/** Of the length that a block's header halved, given what `normsFor` answered. */
@inline
export function normOfHalf(byDocument: usize, half: u32): f32 {
  return load<f32>(byDocument - BY_DOCUMENT + BY_HALF_LENGTH + ((<usize>half) << 2));
}
