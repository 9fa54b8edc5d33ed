/**
 * Terms as the kernel reads them: records of 16 bytes (offset u32 · bytes u32 · weight f32 · zero), then the bytes,
 * each term behind its field byte.
 */
import type { QueryTerm, TermField } from "../core/ports.ts";
import { type KernelInstance, utf8Room } from "./kernel_instance.ts";

const RECORD_BYTES = 16;
export const FIELD_BYTES: Readonly<Record<TermField, number>> = { word: 1, whole: 2, question: 3 };

interface Term {
  readonly field: TermField;
  readonly term: string;
  readonly weight?: number;
}

/**
 * The terms that a query asks in the documents' questions: its words, each as often as it stands in the query. Whole
 * tokens are not kept of questions.
 */
export function questionTerms(terms: readonly QueryTerm[]): readonly QueryTerm[] {
  return terms.flatMap(({ field, term, count }) => (field === "word" ? [{ field: "question", term, count }] : []));
}

/** Answers the offset of the records. Good until the enclosing frame ends. */
export function putTerms(instance: KernelInstance, terms: readonly Term[]): number {
  const recordBytes = terms.length * RECORD_BYTES;
  const at = instance.take(terms.reduce((sum, { term }) => sum + termRoom(term), recordBytes));
  const { u32, f32 } = instance.views();
  let next = at + recordBytes;
  terms.forEach(({ field, term, weight }, index) => {
    const record = (at + index * RECORD_BYTES) >> 2;
    const bytes = putTerm(instance, next, field, term);
    u32[record] = next;
    u32[record + 1] = bytes;
    f32[record + 2] = weight ?? 0;
    u32[record + 3] = 0;
    next += bytes;
  });
  return at;
}

/** At least what `putTerm` writes of it. */
export function termRoom(term: string): number {
  return 1 + utf8Room(term);
}

/** Field byte and term. Answers how many bytes those are. */
export function putTerm(instance: KernelInstance, at: number, field: TermField, term: string): number {
  instance.views().u8[at] = FIELD_BYTES[field];
  return 1 + instance.putText(at + 1, term, utf8Room(term));
}
