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
import { FIELD_BYTES, putTerms } from "./query_terms.ts";
import { createSlabFilters } from "./slab_filters.ts";
import { createSlabParts, fusionSlots, type HeldPart } from "./slab_parts.ts";

const KEY_BYTES = 8;
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
    proveTerms: (part, terms) => instance.frame(() => proveTerms(instance, parts.held(part), terms)),
    statistics: (part, terms, live) =>
      instance.frame(() => statistics(instance, part, terms, putDocuments(parts.held(part), live))),
    termsWithPrefix: (part, field, prefix, limit) =>
      instance.frame(() => termsWithPrefix(instance, parts.held(part), field, prefix, limit)),
    idf: (documents, df) => instance.kernel.idf(documents, df),
    searchText: (part, parameters, matches, limit) =>
      instance.frame(() => {
        const held = parts.held(part);
        return searchText(instance, held, parameters, putDocuments(held, matches), Math.min(limit, held.documents));
      }),
    searchVectors: (part, query, matches, limit, beam) =>
      instance.frame(() => {
        const held = parts.held(part);
        const at = putQuery(instance, held, query);
        if (at === null) return NOTHING;
        const most = Math.min(limit, held.documents);
        return searchVectors(instance, held, at, putDocuments(held, matches), most, beam);
      }),
    vectorsOf(part) {
      const { vectors, hasGraph } = parts.held(part);
      return { count: vectors, hasGraph };
    },
    explainText: (part, parameters, document) =>
      instance.frame(() => explainText(instance, parts.held(part), parameters, document)),
    scoreVector: (part, query, document) =>
      instance.frame(() => {
        const held = parts.held(part);
        const at = putQuery(instance, held, query);
        return at === null ? null : scoreVector(instance, held, at, document);
      }),
    fuse: (legs, k, limit) => instance.frame(() => fuse(instance, legs, k, limit)),
  };
}

const NOTHING: RankedVectors = { documents: new Uint32Array(), scores: new Float32Array(), visited: 0 };

function readRanked(instance: KernelInstance, keys: number, count: number): Ranked {
  if (count < 0) throw new Error(`a search ${statusText(count)}`);
  const documents = instance.take(count * KEY_BYTES);
  const scores = documents + count * Uint32Array.BYTES_PER_ELEMENT;
  instance.kernel.unpackKeys(keys, count, documents, scores);
  return { documents: instance.u32(documents, count), scores: instance.f32(scores, count) };
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
  const view = instance.view(out, bytes);
  return {
    documents: view.getUint32(0, true),
    wholeDocuments: view.getUint32(4, true),
    words: Number(view.getBigUint64(8, true)),
    questionDocuments: view.getUint32(16, true),
    questionWords: Number(view.getBigUint64(24, true)),
    df: terms.map((_, index) => view.getUint32(STATISTICS_BYTES + 4 * index, true)),
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
  const keys = instance.take(limit * KEY_BYTES);
  const at = putTerms(instance, terms);
  setParameters(instance, parameters);
  const found = instance.kernel.searchText(part, at, terms.length, matches, limit, keys);
  expectRead(found);
  return readRanked(instance, keys, found);
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
  const view = instance.view(out, bytes);
  return terms.map(({ field, term, weight }, index) => ({
    field,
    term,
    weight: Math.fround(weight),
    tf: view.getUint32(EXPLANATION_BYTES * index, true),
    norm: view.getFloat32(EXPLANATION_BYTES * index + 4, true),
    score: view.getFloat32(EXPLANATION_BYTES * index + 8, true),
  }));
}

function termsWithPrefix(
  instance: KernelInstance,
  { part }: HeldPart,
  field: TermField,
  prefix: string,
  limit: number,
): readonly DictionaryTerm[] {
  const { kernel } = instance;
  const begins = new Uint8Array([FIELD_BYTES[field], ...new TextEncoder().encode(prefix)]);
  const at = instance.take(begins.length);
  instance.putBytes(at, begins);
  const most = Math.min(limit, PREFIX_TERMS_MAX);
  const out = instance.take(most * kernel.prefixTermBytes());
  const decoder = new TextDecoder();
  let next = out;
  return Array.from({ length: kernel.prefixTerms(part, at, begins.length, most, out) }, () => {
    const head = instance.view(next, TERM_HEAD_BYTES);
    const bytes = head.getUint32(4, true);
    const term = decoder.decode(instance.bytes(next + TERM_HEAD_BYTES + 1, bytes - 1));
    next += TERM_HEAD_BYTES + Math.ceil(bytes / 4) * 4;
    return { term, df: head.getUint32(0, true) };
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
  const keys = instance.take(limit * KEY_BYTES);
  const size = beam === null ? 0 : Math.max(beam, limit);
  const found = instance.kernel.searchVectors(part, query, matches, limit, size, keys);
  return { ...readRanked(instance, keys, found), visited: instance.kernel.vectorsVisited() };
}

function scoreVector(instance: KernelInstance, { part }: HeldPart, query: number, document: number): number | null {
  const out = instance.take(4);
  const status = instance.kernel.scoreVector(part, query, document, out);
  if (status < 0) throw new Error(`a score ${statusText(status)}`);
  return status === 0 ? null : instance.view(out, 4).getFloat32(0, true);
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
  for (const { keys, weight } of legs) {
    const units = weight * WEIGHT_UNITS;
    if (!Number.isInteger(units) || units < 0 || units >= 2 ** 32) throw new Error(`a fusion weight of ${weight}`);
    instance.frame(() => {
      const at = instance.take(keys.byteLength);
      instance.putU32(at, keys);
      kernel.fusionAdd(at, keys.length, units, k);
    });
  }
  return readFused(instance, entries, kernel.fusionEnd(limit));
}

function readFused(instance: KernelInstance, entries: number, count: number): FusedRanking {
  const view = instance.view(entries, count * FUSION_ENTRY_BYTES);
  const keys = new Uint32Array(count);
  const scores = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    keys[i] = view.getUint32(i * FUSION_ENTRY_BYTES + 8, true);
    scores[i] = Number(view.getBigUint64(i * FUSION_ENTRY_BYTES, true)) / SCORE_UNITS;
  }
  return { keys, scores };
}
