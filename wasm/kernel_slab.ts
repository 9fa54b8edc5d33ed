/**
 * A slab: one kernel instance of fixed size that holds the parts of one scope and searches them.
 * What it answers is a copy; nothing it hands out refers to its memory.
 */
import type {
  FusedRanking,
  KernelSlab,
  LoadedPart,
  QueryTerm,
  Ranked,
  RankedVectors,
  TermExplanation,
  TextParameters,
  TextStatistics,
} from "../core/ports.ts";
import { createKernelInstance, type KernelInstance, statusText } from "./kernel_instance.ts";
import { putTerms } from "./query_terms.ts";
import { createSlabFilters } from "./slab_filters.ts";
import { createSlabParts, type HeldPart } from "./slab_parts.ts";

const KEY_BYTES = 8;
const STATISTICS_BYTES = 16;
const EXPLANATION_BYTES = 12;
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
    statistics: (part, terms, live) =>
      instance.frame(() => statistics(instance, part, terms, putDocuments(parts.held(part), live))),
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

function statistics(
  instance: KernelInstance,
  part: LoadedPart,
  terms: readonly QueryTerm[],
  live: number,
): TextStatistics {
  const bytes = STATISTICS_BYTES + 4 * terms.length;
  const out = instance.take(bytes);
  instance.kernel.statistics(part, putTerms(instance, terms), terms.length, live, out);
  const view = instance.view(out, bytes);
  return {
    documents: view.getUint32(0, true),
    wholeDocuments: view.getUint32(4, true),
    words: Number(view.getBigUint64(8, true)),
    df: terms.map((_, index) => view.getUint32(STATISTICS_BYTES + 4 * index, true)),
  };
}

function searchText(
  instance: KernelInstance,
  { part }: HeldPart,
  { terms, k1, b, averageLength }: TextParameters,
  matches: number,
  limit: number,
): Ranked {
  const keys = instance.take(limit * KEY_BYTES);
  const at = putTerms(instance, terms);
  const found = instance.kernel.searchText(part, at, terms.length, k1, b, averageLength, matches, limit, keys);
  return readRanked(instance, keys, found);
}

function explainText(
  instance: KernelInstance,
  { part, documents }: HeldPart,
  { terms, k1, b, averageLength }: TextParameters,
  document: number,
): readonly TermExplanation[] {
  if (document >= documents) throw new Error(`document ${document} of ${documents}`);
  const bytes = EXPLANATION_BYTES * terms.length;
  const out = instance.take(bytes);
  instance.kernel.explainText(part, putTerms(instance, terms), terms.length, k1, b, averageLength, document, out);
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
  kernel.fusionBegin(entries);
  for (const { keys, weight } of legs) {
    const units = weight * WEIGHT_UNITS;
    if (!Number.isInteger(units) || units < 0 || units >= 2 ** 32) throw new Error(`a fusion weight of ${weight}`);
    instance.frame(() => {
      const at = instance.take(keys.byteLength);
      instance.putU32(at, keys);
      kernel.fusionAdd(at, keys.length, units, k);
    });
  }
  const count = Math.min(kernel.fusionEnd(), limit);
  return readFused(instance, entries, count);
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
