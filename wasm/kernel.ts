/**
 * The builder: texts and vectors in, sections out, by a kernel instance of its own. A pure function of its input.
 * The instance's memory grows up to BUILDER_BYTES_MAX and is kept; it is zeroed after every call.
 */
import { BUILDER_BYTES_MAX } from "../core/limits.ts";
import type { KernelBuilder, Metric, QueryTerm, VectorSections } from "../core/ports.ts";
import { graphSections, graphStep } from "./graph_building.ts";
import { createKernelInstance, KernelCapacityError, type KernelInstance } from "./kernel_instance.ts";

/** Changes whenever any text may be analysed otherwise: tokenizer, folding, stemmer, stop list or whole tokens. */
const ANALYZER = "en-1";
const INITIAL_BYTES = 1024 * 1024;
/** A text this short is given room for its worst case; longer ones are measured first. */
const UNMEASURED_CHARACTERS_MAX = 65_536;
const UTF8_BYTES_PER_UNIT_MAX = 3;
const METRIC_CODES: Readonly<Record<Metric, number>> = { cosine: 0, dot: 1, l2: 2 };
const FIELD_WORD = 1;
const TERM_HEAD_BYTES = 8;
const ROW_PADDING_BYTES_MAX = 3;

/**
 * Throws KernelCapacityError when the input needs more than `bytesMax`, and is good for the next call. Throws on a
 * vector of other dimensions or with a number that is not finite, which no edge lets in. A zero vector has no
 * direction: under cosine its document is indexed as having none.
 */
export function createKernelBuilder(module: WebAssembly.Module, bytesMax = BUILDER_BYTES_MAX): KernelBuilder {
  const instance = createKernelInstance(module, INITIAL_BYTES, bytesMax);
  return {
    analyzer: ANALYZER,
    analyze: (text) => cleared(instance, () => analyze(instance, text)),
    countTokens: (text) => cleared(instance, () => countTokens(instance, text)),
    textSection: (texts) => cleared(instance, () => textSection(instance, texts)),
    vectorSections: (vectors, dimensions, metric) =>
      cleared(instance, () => vectorSections(instance, vectors, dimensions, metric)),
    graphStep: (vectors, state, inserts) => cleared(instance, () => graphStep(instance, vectors, state, inserts)),
    graphSections: (vectors, state) => cleared(instance, () => graphSections(instance, vectors, state)),
  };
}

function cleared<T>(instance: KernelInstance, body: () => T): T {
  try {
    return body();
  } finally {
    instance.kernel.clear();
  }
}

// --- Text -----------------------------------------------------------------------------------

function analyze(instance: KernelInstance, text: string): readonly QueryTerm[] {
  const { kernel } = instance;
  const room = utf8Room(text);
  const at = instance.take(room);
  const bytes = instance.putText(at, text, room);
  expectRoom(kernel.textBegin(1) === 0 && kernel.textAdd(0, at, bytes) === 0);
  const terms = kernel.textTermsOf();
  expectRoom(terms !== 0);
  return readTerms(instance, terms);
}

function readTerms(instance: KernelInstance, at: number): readonly QueryTerm[] {
  const decoder = new TextDecoder();
  const terms: QueryTerm[] = [];
  let next = at + 4;
  for (let left = instance.view(at, 4).getUint32(0, true); left > 0; left--) {
    const head = instance.view(next, TERM_HEAD_BYTES + 1);
    const bytes = head.getUint32(0, true);
    terms.push({
      field: head.getUint8(TERM_HEAD_BYTES) === FIELD_WORD ? "word" : "whole",
      term: decoder.decode(instance.bytes(next + TERM_HEAD_BYTES + 1, bytes - 1)),
      count: head.getUint32(4, true),
    });
    next += TERM_HEAD_BYTES + Math.ceil(bytes / 4) * 4;
  }
  return terms;
}

function countTokens(instance: KernelInstance, text: string): number {
  const room = utf8Room(text);
  const at = instance.take(room);
  return instance.kernel.countWords(at, instance.putText(at, text, room));
}

function textSection(instance: KernelInstance, texts: readonly string[]): Uint8Array {
  const { kernel } = instance;
  const room = texts.reduce((most, text) => Math.max(most, utf8Room(text)), 0);
  const at = instance.take(room);
  expectRoom(kernel.textBegin(texts.length) === 0);
  texts.forEach((text, document) => {
    expectRoom(kernel.textAdd(document, at, instance.putText(at, text, room)) === 0);
  });
  const section = kernel.textEnd();
  expectRoom(section !== 0);
  return instance.bytes(section, kernel.textBytes());
}

/** At least the bytes of `text` as UTF-8. */
function utf8Room(text: string): number {
  if (text.length <= UNMEASURED_CHARACTERS_MAX) return text.length * UTF8_BYTES_PER_UNIT_MAX;
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // Each half of a surrogate pair counts two of its four bytes, a lone one is written as three.
    bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
  }
  return bytes;
}

function expectRoom(fits: boolean): void {
  if (!fits) throw new KernelCapacityError("building needs more memory than the builder may have");
}

// --- Vectors --------------------------------------------------------------------------------

function vectorSections(
  instance: KernelInstance,
  vectors: readonly (Float32Array | null)[],
  dimensions: number,
  metric: Metric,
): VectorSections {
  const { kernel } = instance;
  const at = instance.take(dimensions * Float32Array.BYTES_PER_ELEMENT);
  const row = instance.take(dimensions + ROW_PADDING_BYTES_MAX);
  const indexed = vectors.flatMap((vector, document) =>
    vector !== null && hasDirection(vector, dimensions, metric) ? [{ vector, document }] : [],
  );
  const codes = kernel.codesBegin(vectors.length, indexed.length, dimensions, METRIC_CODES[metric]);
  const residuals = kernel.residualsBegin(indexed.length, dimensions);
  expectRoom(codes !== 0 && residuals !== 0);
  indexed.forEach(({ vector, document }, index) => {
    instance.putF32(at, vector);
    kernel.vectorPut(codes, residuals, index, document, at, row);
  });
  return {
    codes: instance.bytes(codes, kernel.codesEnd(codes)),
    residuals: instance.bytes(residuals, kernel.residualsEnd(residuals)),
    graph: null,
  };
}

function hasDirection(vector: Float32Array, dimensions: number, metric: Metric): boolean {
  if (vector.length !== dimensions) throw new Error(`a vector of ${vector.length} dimensions, not ${dimensions}`);
  if (!vector.every(Number.isFinite)) throw new Error("a vector with a number that is not finite");
  return metric !== "cosine" || vector.some((value) => value !== 0);
}
