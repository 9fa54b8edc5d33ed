/**
 * A slab: one kernel instance of fixed size that holds the parts of one scope and searches them.
 * What it answers is a copy; nothing it hands out refers to its memory.
 */
import type { Result } from "../core/errors.ts";
import { PREFIX_TERMS_MAX } from "../core/limits.ts";
import type {
  AskedTerm,
  DictionaryTerm,
  FusedRanking,
  KernelSlab,
  LoadedPart,
  QueryTerm,
  Ranked,
  RankedVectors,
  TermExplanation,
  TermField,
  TextParameters,
  TextStatistics,
} from "../core/ports.ts";
import { createKernelInstance, type KernelInstance, NOT_READ, statusText } from "./kernel_instance.ts";
import { METRIC_CODES } from "./metric_codes.ts";
import { putTerm, putTerms, termRoom } from "./query_terms.ts";
import { createSlabFilters } from "./slab_filters.ts";
import { createSlabParts, fusionSlots, type HeldPart } from "./slab_parts.ts";
import { excerptOf } from "./text_excerpt.ts";
import { boundVectors, NO_BOUNDS, residualPlace, scoreBounds } from "./vector_bounds.ts";

/** Document u32 · score f32. */
const FOUND_BYTES = 8;
const STATISTICS_BYTES = 32;
const EXPLANATION_BYTES = 12;
const TERM_HEAD_BYTES = 8;
const FUSION_ENTRY_BYTES = 16;
/** Weights are multiples of one in so many, fused scores of one in SCORE_UNITS. */
const WEIGHT_UNITS = 2 ** 16;
const SCORE_UNITS = 2 ** 48;

/** A slab whose memory is `bytes` from the start and never grows. */
export function createKernelSlab(module: WebAssembly.Module, bytes: number): KernelSlab {
  const instance = createKernelInstance(module, bytes, bytes);
  const parts = createSlabParts(instance);
  const { reset, putDocuments, ...filters } = createSlabFilters(instance, parts);
  const withText = (part: LoadedPart): HeldPart => {
    const held = parts.held(part);
    if (!held.hasText) throw new Error("a part that was loaded without text");
    return held;
  };
  const withResiduals = (part: LoadedPart): HeldPart => {
    const held = parts.held(part);
    if (held.vectors > 0 && !held.hasResiduals) throw new Error("a part that was loaded without residuals");
    return held;
  };
  return {
    ...filters,
    reset,
    capacityBytes: parts.capacityBytes,
    sizeOf: parts.sizeOf,
    freeBytes: parts.freeBytes,
    load: parts.load,
    unload(part) {
      reset();
      parts.unload(part);
    },
    clear() {
      reset();
      parts.clear();
    },
    excerptOf: (text, terms) => excerptOf(instance, text, terms),
    proveTerms: (part, terms) => instance.frame(() => proveTerms(instance, withText(part), terms)),
    statistics: (part, terms, live) =>
      instance.frame(() => statistics(instance, part, terms, putDocuments(withText(part), live))),
    termsWithPrefix: (part, field, prefix, limit) =>
      instance.frame(() => termsWithPrefix(instance, withText(part), field, prefix, limit)),
    idf: (documents, df) => instance.kernel.idf(documents, df),
    searchText: (part, parameters, matches, limit) =>
      instance.frame(() => {
        const held = withText(part);
        return searchText(instance, held, parameters, putDocuments(held, matches), Math.min(limit, held.documents));
      }),
    searchVectors: (part, query, matches, limit, beam) =>
      instance.frame(() => {
        const held = withResiduals(part);
        const at = putQuery(instance, held, query);
        if (at === null) return NOTHING;
        const most = Math.min(limit, held.documents);
        return searchVectors(instance, held, at, putDocuments(held, matches), most, beam);
      }),
    boundVectors: (part, query, matches, limit, floor, from) =>
      instance.frame(() => {
        const held = parts.held(part);
        const at = putQuery(instance, held, query);
        if (at === null) return NO_BOUNDS;
        const most = Math.min(limit, held.documents);
        return boundVectors(instance, held, at, putDocuments(held, matches), most, floor, from);
      }),
    scoreBounds: (metric, query, records, rows) =>
      instance.frame(() => scoreBounds(instance, METRIC_CODES[metric], query, records, rows)),
    residualPlace: (dimensions, vector) => residualPlace(dimensions, vector),
    vectorsOf(part) {
      const { vectors, hasGraph } = parts.held(part);
      return { count: vectors, hasGraph };
    },
    explainText: (part, parameters, document) =>
      instance.frame(() => explainText(instance, withText(part), parameters, document)),
    scoreVector: (part, query, document) =>
      instance.frame(() => {
        const held = withResiduals(part);
        const at = putQuery(instance, held, query);
        return at === null ? null : scoreVector(instance, held, at, document);
      }),
    fuse: (legs, k, limit) => instance.frame(() => fuse(instance, legs, k, limit)),
  };
}

const NOTHING: RankedVectors = { documents: new Uint32Array(), scores: new Float32Array(), visited: 0 };

/** Rounded to the nearest f64. */
function u64At(u32: Uint32Array, at: number): number {
  return (u32[(at + 4) >> 2] ?? 0) * 2 ** 32 + (u32[at >> 2] ?? 0);
}

function readRanked(instance: KernelInstance, found: number, count: number): Ranked {
  if (count < 0) throw new Error(`a search ${statusText(count)}`);
  const { u32, f32 } = instance.views();
  const documents = new Uint32Array(count);
  const scores = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    documents[i] = u32[(found + i * FOUND_BYTES) >> 2] ?? 0;
    scores[i] = f32[(found + i * FOUND_BYTES + 4) >> 2] ?? 0;
  }
  return { documents, scores };
}

// --- Text -----------------------------------------------------------------------------------

function proveTerms(instance: KernelInstance, { part }: HeldPart, terms: readonly AskedTerm[]): Result<null> {
  const status = instance.kernel.proveTerms(part, putTerms(instance, terms), terms.length);
  if (status === 0) return { ok: true, value: null };
  expectRead(status);
  return { ok: false, failure: { reason: "corrupt", what: `postings section, which ${statusText(status)}` } };
}

/** To ask for what was not read is a bug. */
function expectRead(status: number): void {
  if (status === NOT_READ) throw new RangeError("the postings of a term were not read");
}

/** Whether postings are whole is what `proveTerms` is asked. */
function expectWhole(status: number): void {
  expectRead(status);
  if (status < 0) throw new Error(`a postings section ${statusText(status)}`);
}

function statistics(
  instance: KernelInstance,
  part: LoadedPart,
  terms: readonly QueryTerm[],
  live: number,
): TextStatistics {
  const bytes = STATISTICS_BYTES + 4 * terms.length;
  const out = instance.take(bytes);
  expectWhole(instance.kernel.statistics(part, putTerms(instance, terms), terms.length, live, out));
  const { u32 } = instance.views();
  return {
    documents: u32[out >> 2] ?? 0,
    wholeDocuments: u32[(out + 4) >> 2] ?? 0,
    words: u64At(u32, out + 8),
    questionDocuments: u32[(out + 16) >> 2] ?? 0,
    questionWords: u64At(u32, out + 24),
    df: terms.map((_, index) => u32[((out + STATISTICS_BYTES) >> 2) + index] ?? 0),
  };
}

function searchText(
  instance: KernelInstance,
  { part }: HeldPart,
  parameters: TextParameters,
  matches: number,
  limit: number,
): Ranked {
  const { terms } = parameters;
  const out = instance.take(limit * FOUND_BYTES);
  const at = putTerms(instance, terms);
  setParameters(instance, parameters);
  const found = instance.kernel.searchText(part, at, terms.length, matches, limit, out);
  expectRead(found);
  return readRanked(instance, out, found);
}

function setParameters({ kernel }: KernelInstance, parameters: TextParameters): void {
  const { k1, b, averageLength, averageQuestionLength } = parameters;
  kernel.textParameters(k1, b, averageLength, averageQuestionLength);
}

function explainText(
  instance: KernelInstance,
  { part, documents }: HeldPart,
  parameters: TextParameters,
  document: number,
): readonly TermExplanation[] {
  if (document >= documents) throw new Error(`document ${document} of ${documents}`);
  const { terms } = parameters;
  const bytes = EXPLANATION_BYTES * terms.length;
  const out = instance.take(bytes);
  setParameters(instance, parameters);
  expectWhole(instance.kernel.explainText(part, putTerms(instance, terms), terms.length, document, out));
  const { u32, f32 } = instance.views();
  return terms.map(({ field, term, weight }, index) => {
    const at = (out + EXPLANATION_BYTES * index) >> 2;
    return {
      field,
      term,
      weight: Math.fround(weight),
      tf: u32[at] ?? 0,
      norm: f32[at + 1] ?? 0,
      score: f32[at + 2] ?? 0,
    };
  });
}

function termsWithPrefix(
  instance: KernelInstance,
  { part }: HeldPart,
  field: TermField,
  prefix: string,
  limit: number,
): readonly DictionaryTerm[] {
  const { kernel } = instance;
  const at = instance.take(termRoom(prefix));
  const bytes = putTerm(instance, at, field, prefix);
  const most = Math.min(limit, PREFIX_TERMS_MAX);
  const out = instance.take(most * kernel.prefixTermBytes());
  const count = kernel.prefixTerms(part, at, bytes, most, out);
  const { u32 } = instance.views();
  let next = out;
  return Array.from({ length: count }, () => {
    const df = u32[next >> 2] ?? 0;
    const termBytes = u32[(next + 4) >> 2] ?? 0;
    const term = instance.text(next + TERM_HEAD_BYTES + 1, termBytes - 1);
    next += TERM_HEAD_BYTES + Math.ceil(termBytes / 4) * 4;
    return { term, df };
  });
}

// --- Vectors --------------------------------------------------------------------------------

/** null when there is nothing to compare: the part has no vectors, or the query has no direction. */
function putQuery(instance: KernelInstance, { dimensions, metric }: HeldPart, query: Float32Array): number | null {
  if (dimensions === 0) return null;
  if (query.length !== dimensions) throw new Error(`a query of ${query.length} dimensions, not ${dimensions}`);
  const at = instance.take(query.byteLength);
  instance.putF32(at, query);
  const status = instance.kernel.vectorIsEncodable(at, dimensions, metric);
  if (status < 0) throw new Error("a query with a number that is not finite");
  return status === 0 ? null : at;
}

function searchVectors(
  instance: KernelInstance,
  { part }: HeldPart,
  query: number,
  matches: number,
  limit: number,
  beam: number | null,
): RankedVectors {
  const out = instance.take(limit * FOUND_BYTES);
  const size = beam === null ? 0 : Math.max(beam, limit);
  const { documents, scores } = readRanked(
    instance,
    out,
    instance.kernel.searchVectors(part, query, matches, limit, size, out),
  );
  // Only a walk has nodes to count.
  return { documents, scores, visited: size === 0 ? 0 : instance.kernel.vectorsVisited() };
}

function scoreVector(instance: KernelInstance, { part }: HeldPart, query: number, document: number): number | null {
  const out = instance.take(4);
  const status = instance.kernel.scoreVector(part, query, document, out);
  if (status < 0) throw new Error(`a score ${statusText(status)}`);
  return status === 0 ? null : (instance.views().f32[out >> 2] ?? 0);
}

// --- Fusion ---------------------------------------------------------------------------------

function fuse(
  instance: KernelInstance,
  legs: readonly { readonly keys: Uint32Array; readonly weight: number }[],
  k: number,
  limit: number,
): FusedRanking {
  const { kernel } = instance;
  const keyCount = legs.reduce((sum, { keys }) => sum + keys.length, 0);
  const entries = instance.take(keyCount * FUSION_ENTRY_BYTES);
  const slots = fusionSlots(keyCount);
  kernel.fusionBegin(entries, instance.take(slots * Uint16Array.BYTES_PER_ELEMENT), slots);
  let at = instance.take(keyCount * Uint32Array.BYTES_PER_ELEMENT);
  for (const { keys, weight } of legs) {
    const units = weight * WEIGHT_UNITS;
    if (!Number.isInteger(units) || units < 0 || units >= 2 ** 32) throw new Error(`a fusion weight of ${weight}`);
    instance.putU32(at, keys);
    kernel.fusionAdd(at, keys.length, units, k);
    at += keys.byteLength;
  }
  return readFused(instance, entries, kernel.fusionEnd(limit));
}

function readFused(instance: KernelInstance, entries: number, count: number): FusedRanking {
  const { u32 } = instance.views();
  const keys = new Uint32Array(count);
  const scores = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const entry = entries + i * FUSION_ENTRY_BYTES;
    scores[i] = u64At(u32, entry) / SCORE_UNITS;
    keys[i] = u32[(entry + 8) >> 2] ?? 0;
  }
  return { keys, scores };
}
