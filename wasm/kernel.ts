/**
 * The builder: texts and vectors in, sections and graphs out, by a kernel instance of its own. A pure function of its
 * input. The instance's memory grows up to BUILDER_BYTES_MAX and is kept; it is zeroed after every call.
 */
import { BUILDER_BYTES_MAX } from "../core/limits.ts";
import type { KernelBuilder, Metric, QueryTerm, TextSections, VectorPiece, VectorSections } from "../core/ports.ts";
import { graphSections, graphStep } from "./graph_building.ts";
import {
  createKernelInstance,
  KernelCapacityError,
  type KernelInstance,
  statusText,
  utf8Room,
} from "./kernel_instance.ts";
import { METRIC_CODES } from "./metric_codes.ts";
import { postingsPlaces } from "./postings_pieces.ts";
import { FIELD_BYTES } from "./query_terms.ts";

/** Changes whenever any text may be analysed otherwise: tokenizer, folding, stemmer, stop list or whole tokens. */
const ANALYZER = "en-1";
const INITIAL_BYTES = 1024 * 1024;
const TERM_HEAD_BYTES = 8;
const ROW_PADDING_BYTES_MAX = 3;
/** Of a `codes` section (wasm/assembly/vector_section.ts). */
const CODES_HEAD_BYTES = 64;
const CODES_DOCUMENTS_AT = 24;
const CODES_DIMENSIONS_AT = 32;
const CODES_METRIC_AT = 36;

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
    textSections: (texts, questions) => cleared(instance, () => textSections(instance, texts, questions)),
    postingsPlaces: (text, terms) => cleared(instance, () => postingsPlaces(instance, text, terms)),
    vectorSections: (pieces, dimensions, metric) =>
      cleared(instance, () => vectorSections(instance, pieces, dimensions, metric)),
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
  const terms = kernel.termsOf(at, bytes);
  expectRoom(terms !== 0);
  return readTerms(instance, terms);
}

function readTerms(instance: KernelInstance, at: number): readonly QueryTerm[] {
  const { u8, u32 } = instance.views();
  const terms: QueryTerm[] = [];
  let next = at + 4;
  for (let left = u32[at >> 2] ?? 0; left > 0; left--) {
    const bytes = u32[next >> 2] ?? 0;
    terms.push({
      field: u8[next + TERM_HEAD_BYTES] === FIELD_BYTES.word ? "word" : "whole",
      term: instance.text(next + TERM_HEAD_BYTES + 1, bytes - 1),
      count: u32[(next + 4) >> 2] ?? 0,
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

function textSections(
  instance: KernelInstance,
  texts: readonly string[],
  questions: readonly string[] | null,
): TextSections {
  const { kernel } = instance;
  if (questions !== null && questions.length !== texts.length)
    throw new Error(`questions of ${questions.length} documents, not ${texts.length}`);
  const room = [...texts, ...(questions ?? [])].reduce((most, text) => Math.max(most, utf8Room(text)), 0);
  const at = instance.take(room);
  expectRoom(kernel.textBegin(texts.length) === 0);
  texts.forEach((text, document) => {
    expectRoom(kernel.textAdd(document, at, instance.putText(at, text, room)) === 0);
    const asked = questions?.[document] ?? "";
    if (asked !== "") expectRoom(kernel.questionsAdd(document, at, instance.putText(at, asked, room)) === 0);
  });
  expectRoom(kernel.textEnd() === 0);
  return {
    text: instance.bytes(kernel.textAt(), kernel.textBytes()),
    postings: instance.bytes(kernel.postingsAt(), kernel.postingsBytes()),
  };
}

function expectRoom(fits: boolean): void {
  if (!fits) throw new KernelCapacityError("building needs more memory than the builder may have");
}

// --- Vectors --------------------------------------------------------------------------------

function vectorSections(
  instance: KernelInstance,
  pieces: readonly VectorPiece[],
  dimensions: number,
  metric: Metric,
): VectorSections {
  const { kernel } = instance;
  const opened = pieces.map((piece) => open(instance, piece, dimensions, metric));
  const documents = opened.reduce((sum, piece) => sum + piece.documents, 0);
  const vectors = opened.reduce((sum, piece) => sum + piece.vectors, 0);
  const codes = kernel.codesBegin(documents, vectors, dimensions, METRIC_CODES[metric]);
  const residuals = kernel.residualsBegin(vectors, dimensions);
  expectRoom(codes !== 0 && residuals !== 0);
  const target: Target = {
    codes,
    residuals,
    index: 0,
    document: 0,
    row: instance.take(dimensions + ROW_PADDING_BYTES_MAX),
  };
  for (const { put } of opened) instance.frame(() => put(target));
  return {
    codes: instance.bytes(codes, kernel.codesEnd(codes)),
    residuals: instance.bytes(residuals, kernel.residualsEnd(residuals)),
    graph: null,
  };
}

/** Sections being written, and how far. */
interface Target {
  readonly codes: number;
  readonly residuals: number;
  index: number;
  document: number;
  readonly row: number;
}

/** A piece whose vectors are counted; sections are copied in and proved whole once, and stay until all are put. */
interface OpenedPiece {
  readonly documents: number;
  readonly vectors: number;
  readonly put: (target: Target) => void;
}

function open(instance: KernelInstance, piece: VectorPiece, dimensions: number, metric: Metric): OpenedPiece {
  if ("vectors" in piece) {
    const found = piece.vectors.filter((vector) => vector !== null && hasDirection(vector, dimensions, metric));
    return {
      documents: piece.vectors.length,
      vectors: found.length,
      put: (target) => encodeAll(instance, piece.vectors, dimensions, metric, target),
    };
  }
  const { documents } = piece;
  const from = putSections(instance, piece.sections, dimensions, metric);
  return {
    documents,
    vectors: instance.kernel.vectorsBefore(from.codes, documents),
    put: (target) => takeOver(instance, from, documents, target),
  };
}

function encodeAll(
  instance: KernelInstance,
  vectors: readonly (Float32Array | null)[],
  dimensions: number,
  metric: Metric,
  target: Target,
): void {
  const at = instance.take(dimensions * Float32Array.BYTES_PER_ELEMENT);
  for (const vector of vectors) {
    if (vector !== null && hasDirection(vector, dimensions, metric)) {
      instance.putF32(at, vector);
      instance.kernel.vectorPut(target.codes, target.residuals, target.index, target.document, at, target.row);
      target.index++;
    }
    target.document++;
  }
}

function takeOver(instance: KernelInstance, from: PlacedSections, documents: number, target: Target): void {
  const { kernel } = instance;
  const inverse = instance.take(from.documents * Uint32Array.BYTES_PER_ELEMENT);
  if (kernel.vectorsInverse(from.codes, inverse, from.documents) === 0) throw new Error("two vectors of one document");
  const { codes, residuals, index, document, row } = target;
  target.index = kernel.vectorsTake(
    codes,
    residuals,
    index,
    document,
    from.codes,
    from.residuals,
    inverse,
    documents,
    row,
  );
  target.document += documents;
}

interface PlacedSections {
  readonly codes: number;
  readonly residuals: number;
  readonly documents: number;
}

/** Copies sections in and proves them whole. */
function putSections(
  instance: KernelInstance,
  { codes, residuals }: VectorSections,
  dimensions: number,
  metric: Metric,
): PlacedSections {
  const at = { codes: instance.take(codes.length), residuals: instance.take(residuals.length) };
  instance.putBytes(at.codes, codes);
  instance.putBytes(at.residuals, residuals);
  const status = instance.kernel.vectorsCheck(at.codes, codes.length, at.residuals, residuals.length);
  if (status !== 0) throw new Error(`vectors to take over, whose section ${statusText(status)}`);
  const head = instance.u32(at.codes, CODES_HEAD_BYTES / Uint32Array.BYTES_PER_ELEMENT);
  const found = { dimensions: head[CODES_DIMENSIONS_AT >> 2], metric: head[CODES_METRIC_AT >> 2] };
  if (found.dimensions !== dimensions || found.metric !== METRIC_CODES[metric])
    throw new Error(`vectors to take over of ${found.dimensions} dimensions and another metric`);
  return { ...at, documents: head[CODES_DOCUMENTS_AT >> 2] ?? 0 };
}

function hasDirection(vector: Float32Array, dimensions: number, metric: Metric): boolean {
  if (vector.length !== dimensions) throw new Error(`a vector of ${vector.length} dimensions, not ${dimensions}`);
  if (!vector.every(Number.isFinite)) throw new Error("a vector with a number that is not finite");
  return metric !== "cosine" || vector.some((value) => value !== 0);
}
