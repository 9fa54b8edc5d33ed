/**
 * Postings of some terms instead of all: where they lie in a postings section, and the section that the kernel reads in
 * its place (wasm/assembly/text_section.ts).
 */
import type { Result } from "../core/errors.ts";
import type { AskedTerm, PostingsPiece, PostingsPlace } from "../core/ports.ts";
import { type KernelInstance, statusText } from "./kernel_instance.ts";
import { putTerms } from "./query_terms.ts";

const PLACE_BYTES = 8;
const MAGIC = 0x50505043; // CPPP
const HEAD_BYTES = 16;
const RECORD_BYTES = 12;

/** Ascending, each once, of the terms that the text section has. */
export function postingsPlaces(
  instance: KernelInstance,
  text: Uint8Array,
  terms: readonly AskedTerm[],
): Result<readonly PostingsPlace[]> {
  const { kernel } = instance;
  const at = instance.take(text.length);
  instance.putBytes(at, text);
  const status = kernel.textCheck(at, text.length);
  if (status !== 0)
    return { ok: false, failure: { reason: "corrupt", what: `text section, which ${statusText(status)}` } };
  const out = instance.take(terms.length * PLACE_BYTES);
  kernel.postingsPlaces(at, putTerms(instance, terms), terms.length, out);
  const found = instance.u32(out, (terms.length * PLACE_BYTES) / Uint32Array.BYTES_PER_ELEMENT);
  const places = new Map<number, number>();
  terms.forEach((_, index) => {
    const [offset = 0, length = 0] = found.subarray(2 * index);
    if (length > 0) places.set(offset, length);
  });
  const ascending = [...places].sort(([a], [b]) => a - b);
  return { ok: true, value: ascending.map(([offset, length]) => ({ offset, length })) };
}

/**
 * A head, a record a piece, then the bytes of all pieces. They are ascending and do not overlap; the kernel refuses
 * others.
 */
export function piecesSection(pieces: readonly PostingsPiece[]): Uint8Array {
  const bytesFrom = HEAD_BYTES + pieces.length * RECORD_BYTES;
  const section = new Uint8Array(pieces.reduce((sum, { bytes }) => sum + bytes.length, bytesFrom));
  const view = new DataView(section.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, pieces.length, true);
  let next = bytesFrom;
  pieces.forEach(({ offset, bytes }, index) => {
    const record = HEAD_BYTES + index * RECORD_BYTES;
    view.setUint32(record, offset, true);
    view.setUint32(record + 4, bytes.length, true);
    view.setUint32(record + 8, next, true);
    section.set(bytes, next);
    next += bytes.length;
  });
  return section;
}
