/**
 * Terms as the kernel reads them: records of 16 bytes (offset u32 · bytes u32 · weight f32 · zero), then the bytes,
 * each term behind its field byte.
 */
import type { QueryTerm, TermField } from "../core/ports.ts";
import type { KernelInstance } from "./kernel_instance.ts";

const RECORD_BYTES = 16;
export const FIELD_BYTES: Readonly<Record<TermField, number>> = { word: 1, whole: 2, question: 3 };

interface Term {
  readonly field: TermField;
  readonly term: string;
  readonly weight?: number;
}

const encoder = new TextEncoder();

/**
 * The terms that a query asks in the documents' questions: its words, each as often as it stands in the query. Whole
 * tokens are not kept of questions.
 */
export function questionTerms(terms: readonly QueryTerm[]): readonly QueryTerm[] {
  return terms.flatMap(({ field, term, count }) => (field === "word" ? [{ field: "question", term, count }] : []));
}

/** Answers the offset of the records. Good until the enclosing frame ends. */
export function putTerms(instance: KernelInstance, terms: readonly Term[]): number {
  const encoded = terms.map(({ term }) => encoder.encode(term));
  const recordBytes = terms.length * RECORD_BYTES;
  const bytes = encoded.reduce((sum, term) => sum + 1 + term.length, recordBytes);
  const at = instance.take(bytes);
  const view = instance.view(at, bytes);
  let next = recordBytes;
  terms.forEach(({ field, weight }, index) => {
    const term = encoded[index] ?? new Uint8Array();
    view.setUint32(index * RECORD_BYTES, at + next, true);
    view.setUint32(index * RECORD_BYTES + 4, 1 + term.length, true);
    view.setFloat32(index * RECORD_BYTES + 8, weight ?? 0, true);
    view.setUint32(index * RECORD_BYTES + 12, 0, true);
    view.setUint8(next, FIELD_BYTES[field]);
    instance.putBytes(at + next + 1, term);
    next += 1 + term.length;
  });
  return at;
}
