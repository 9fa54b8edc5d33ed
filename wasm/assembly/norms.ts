/**
 * The length norms of one field of one part, kept in the part for the parameters they were computed with: a search of a
 * live scope asks with the same ones until something is appended.
 *
 *   0 k1 f64 · 8 b f64 · 16 average length f64 · 24 known u32 · 28 lengths of the documents u32 · 32 bytes of a length u32
 *   64    LENGTHS f32: of lengths 0, 1, 2 …
 *
 *   norm = f32(k1 · (1 − b + b · length / average)), computed in f64 in this order; f32(k1) when the average is not positive
 *
 * By length and not by document: lengths are a byte or two each, and what a search has to fetch from far memory is a
 * good part of its time when other work has filled the caches.
 */
import { lengthAt } from "./text_section";

const K1: usize = 0;
const B: usize = 8;
const AVERAGE: usize = 16;
const KNOWN: usize = 24;
const DOCUMENT_LENGTHS: usize = 28;
const LENGTH_BYTES: usize = 32;
const BY_LENGTH: usize = 64;
/** A power of two, above any length that a chunk has; norms of longer texts are computed one by one. */
const LENGTHS: u32 = 1024;

/** What a block of norms takes. */
export const NORMS_BYTES: u64 = <u64>BY_LENGTH + 4 * LENGTHS;

/** What the block holds is undefined until it is forgotten. */
export function normsForget(norms: usize): void {
  store<u32>(norms, 0, KNOWN);
}

@inline
export function normOf(length: u32, k1: f64, b: f64, average: f64): f32 {
  if (!(average > 0)) return <f32>k1;
  return <f32>(k1 * (1.0 - b + (b * <f64>length) / average));
}

/** Norms of documents with these lengths; computed only when the parameters are others than the last time. */
export function normsBegin(norms: usize, lengths: usize, lengthBytes: u32, k1: f64, b: f64, average: f64): void {
  const isSame = load<f64>(norms, K1) == k1 && load<f64>(norms, B) == b && load<f64>(norms, AVERAGE) == average;
  if (isSame && load<u32>(norms, KNOWN) != 0) return;
  store<f64>(norms, k1, K1);
  store<f64>(norms, b, B);
  store<f64>(norms, average, AVERAGE);
  store<u32>(norms, 1, KNOWN);
  store<u32>(norms, <u32>lengths, DOCUMENT_LENGTHS);
  store<u32>(norms, lengthBytes, LENGTH_BYTES);
  for (let length: u32 = 0; length < LENGTHS; length++)
    store<f32>(norms + ((<usize>length) << 2), normOf(length, k1, b, average), BY_LENGTH);
}

@inline
export function normsLengths(norms: usize): usize {
  return <usize>load<u32>(norms, DOCUMENT_LENGTHS);
}

@inline
export function normsLengthBytes(norms: usize): u32 {
  return load<u32>(norms, LENGTH_BYTES);
}

/** Whether one of the lengths has to be computed. */
@inline
export function isLong(lengths: u32): bool {
  return lengths >= LENGTHS;
}

/** Where the norm of a length lies that is not long. */
@inline
export function normPlace(norms: usize, length: u32): usize {
  return norms + BY_LENGTH + ((<usize>length) << 2);
}

@inline
export function normOfLength(norms: usize, length: u32): f32 {
  return isLong(length) ? normOfLong(norms, length) : load<f32>(normPlace(norms, length));
}

function normOfLong(norms: usize, length: u32): f32 {
  return normOf(length, load<f64>(norms, K1), load<f64>(norms, B), load<f64>(norms, AVERAGE));
}

@inline
export function normOfDocument(norms: usize, document: u32): f32 {
  return normOfLength(norms, lengthAt(normsLengths(norms), normsLengthBytes(norms), document));
}
