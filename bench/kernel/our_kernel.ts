/**
 * Our kernel as a contender: the one file of the benchmarks that knows the kernel's wrapper. It does what the plane does
 * for a search, from the words of a question to ranked documents, without reading their text: analysis, statistics of
 * all live documents, the filter's bitset, legs, fusion. Terms weigh what BM25 says and no more: what the plane makes of
 * function words and identifiers costs nothing and would only blur what peers are compared by. The set of live
 * documents is kept between questions, as that of an open snapshot is; a filter's is made anew for every question.
 */

import { GRAPH_SLICE_VECTORS, HNSW_BEAM_DEFAULT, LEG_CANDIDATES_MIN } from "../../core/limits.ts";
import type {
  Bits,
  Checksum,
  KernelBuilder,
  KernelSlab,
  LoadedPart,
  PartSections,
  Ranked,
  VectorSections,
} from "../../core/ports.ts";
import { BM25_B_DEFAULT, BM25_K1_DEFAULT, type RatedTerm, textParameters } from "../../core/retrieval/bm25.ts";
import { FUSION_K_DEFAULT } from "../../core/schema/search.ts";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { createKernelChecksum } from "../../wasm/kernel_checksum.ts";
import { createKernelSlab } from "../../wasm/kernel_slab.ts";
import {
  ANOTHER_KIND,
  askWith,
  type Contender,
  type Declined,
  type OpenContender,
  OURS,
  OURS_HNSW,
  OURS_UNFILTERED,
  type Search,
} from "./contender.ts";
import { type Corpus, type Filter, type Question, type QuestionSet, rowOf, TOP_K } from "./corpus.ts";
import type { Analyze } from "./exact.ts";
import { wantedValues } from "./filter_data.ts";

const MIB = 1024 * 1024;
/** Of the benchmarks alone: an indexer has less, and builds smaller shards. */
const BENCH_BUILDER_BYTES_MAX = 1024 * MIB;
const PAGE_BYTES = 65_536;
const PARAMETERS = { k1: BM25_K1_DEFAULT, b: BM25_B_DEFAULT };
/** Places in `columns`. Codes are values + 1: code 0 is a missing one. */
const COLUMN = { bucket: 0, entity: 1 } as const;

/** For parts that come from elsewhere. */
export interface PartSearcher {
  readonly builder: KernelBuilder;
  readonly checksum: Checksum;
  /** Into a cleared slab, and a hybrid question to it. */
  loadAndAsk(sections: PartSections, question: Question | undefined): Uint32Array;
}

export interface OurKernel extends PartSearcher {
  readonly analyze: Analyze;
  /** Every plan we have; those that need what the kernel does not offer decline. */
  readonly contenders: readonly Contender[];
}

type Plan = "exact" | "exact, unfiltered" | "hnsw";
const SYSTEM: Readonly<Record<Plan, string>> = {
  exact: OURS,
  "exact, unfiltered": OURS_UNFILTERED,
  hnsw: OURS_HNSW,
};

export function compiled(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  // The types of Workers know no constructor: there a module can only be imported.
  return Reflect.construct(WebAssembly.Module, [bytes]);
}

export function ourKernel(module: WebAssembly.Module): OurKernel {
  const builder = createKernelBuilder(module, BENCH_BUILDER_BYTES_MAX);
  const built = new WeakMap<Corpus, BuiltSections>();
  const sectionsOf = (corpus: Corpus): BuiltSections => {
    const known = built.get(corpus) ?? buildSections(builder, corpus);
    built.set(corpus, known);
    return known;
  };
  const withGraphs = new WeakMap<Corpus, BuiltSections>();
  const graphsOf = (corpus: Corpus): BuiltSections => {
    const known = withGraphs.get(corpus) ?? addGraph(builder, sectionsOf(corpus));
    withGraphs.set(corpus, known);
    return known;
  };
  const contender = (plan: Plan): Contender => ({
    system: SYSTEM[plan],
    ours: true,
    async open(corpus) {
      if (plan === "hnsw" && corpus.vectors === null) return ANOTHER_KIND;
      if (plan === "exact, unfiltered" && corpus.fields === null) return ANOTHER_KIND;
      const sections = plan === "hnsw" ? graphsOf(corpus) : sectionsOf(corpus);
      return openSections(module, builder, sections, plan);
    },
  });
  let slab: SizedSlab | null = null;
  return {
    analyze: builder.analyze,
    builder,
    checksum: createKernelChecksum(module),
    contenders: [contender("exact"), contender("hnsw"), contender("exact, unfiltered")],
    loadAndAsk(sections, question) {
      if (question === undefined) throw new Error("a question too many");
      const bytes = slabBytes(module, sections);
      if (slab === null || slab.bytes < bytes) slab = { bytes, slab: createKernelSlab(module, bytes) };
      slab.slab.clear();
      const walks = { count: 0, visited: 0 };
      const held = { slab: slab.slab, part: loadInto(slab.slab, sections), beam: null, walks };
      const live = allDocuments(held);
      return hybrid(builder, held, question, live, live);
    },
  };
}

interface SizedSlab {
  readonly bytes: number;
  readonly slab: KernelSlab;
}

interface BuiltSections {
  readonly sections: PartSections & { readonly vectors: VectorSections | null };
  readonly buildMs: number;
  /** Without the fields, which every system keeps in some way of its own. */
  readonly bytes: number;
}

function buildSections(builder: KernelBuilder, { documents, texts, vectors, fields }: Corpus): BuiltSections {
  const rows = vectors === null ? [] : Array.from({ length: documents }, (_, row) => rowOf(vectors, row));
  // A part always has a text section; one without texts is not what is measured.
  const empty = texts === null ? builder.textSections(Array<string>(documents).fill(""), null) : null;
  const from = performance.now();
  const text = empty ?? builder.textSections(texts ?? [], null);
  const pieces = [{ vectors: rows }];
  const sections = vectors === null ? null : builder.vectorSections(pieces, vectors.dimensions, vectors.metric);
  const buildMs = performance.now() - from;
  const columns =
    fields === null ? [] : [fields.bucket, fields.entity].map((values) => values.map((value) => value + 1));
  return {
    sections: {
      documents,
      rows: documents,
      rowOfDocument: Uint32Array.from({ length: documents }, (_, row) => row),
      text,
      vectors: sections,
      columns,
      rowTimes: fields?.time ?? new Float64Array(documents),
    },
    buildMs,
    bytes:
      (empty === null ? text.text.length + text.postings.length : 0) +
      (sections === null ? 0 : sections.codes.length + sections.residuals.length),
  };
}

/** The same with a graph; its building counts on top of the encoding. */
function addGraph(builder: KernelBuilder, { sections, bytes, buildMs: encodeMs }: BuiltSections): BuiltSections {
  const { vectors } = sections;
  if (vectors === null) throw new Error("a graph without vectors");
  const from = performance.now();
  let state: Uint8Array | null = null;
  for (let inserted = -1, all = 0; inserted < all; ) {
    const step = builder.graphStep(vectors, state, GRAPH_SLICE_VECTORS);
    if (!step.ok) throw new Error(`a graph was refused: ${JSON.stringify(step.failure)}`);
    ({ state, inserted, vectors: all } = step.value);
  }
  const graphed = builder.graphSections(vectors, state ?? new Uint8Array(0));
  if (!graphed.ok) throw new Error(`a graph was refused: ${JSON.stringify(graphed.failure)}`);
  const buildMs = encodeMs + performance.now() - from;
  const graphBytes = graphed.value.graph?.length ?? 0;
  return { sections: { ...sections, vectors: graphed.value }, buildMs, bytes: bytes + graphBytes };
}

function openSections(
  module: WebAssembly.Module,
  builder: KernelBuilder,
  { sections, buildMs, bytes }: BuiltSections,
  plan: Plan,
): OpenContender {
  const held = load(module, sections, plan === "hnsw" ? HNSW_BEAM_DEFAULT : null);
  let loadMs: number | null = held.loadMs;
  let coldLoadMs: number | null = null;
  const opened: OpenContender = {
    settings: settingsOf(sections, plan),
    buildMs,
    bytes,
    get coldLoadMs() {
      return coldLoadMs;
    },
    get visited() {
      return held.walks.count === 0 ? 0 : held.walks.visited / held.walks.count;
    },
    prepare(set) {
      held.walks.count = 0;
      held.walks.visited = 0;
      const search = searchOf(builder, held, set, plan);
      if (loadMs === null || typeof search !== "function") return search;
      const from = performance.now();
      search(0);
      coldLoadMs = loadMs + performance.now() - from;
      loadMs = null;
      return search;
    },
  };
  return opened;
}

interface HeldPart {
  readonly slab: KernelSlab;
  readonly part: LoadedPart;
  /** Of the graph; null when vectors are scanned. */
  readonly beam: number | null;
  readonly walks: { count: number; visited: number };
}

function settingsOf({ vectors }: PartSections, plan: Plan): string {
  if (vectors === null) return "exact BM25";
  if (plan === "hnsw") return `M 16, efConstruction 200, beam ${HNSW_BEAM_DEFAULT}`;
  return "8-bit codes, exact over 16 bits";
}

/** Into a slab of just the size. */
function load(
  module: WebAssembly.Module,
  sections: PartSections,
  beam: number | null,
): HeldPart & { readonly loadMs: number } {
  const bytes = slabBytes(module, sections);
  const from = performance.now();
  const slab = createKernelSlab(module, bytes);
  const part = loadInto(slab, sections);
  return { slab, part, beam, walks: { count: 0, visited: 0 }, loadMs: performance.now() - from };
}

/** What a slab for just these has to have: whole pages. */
function slabBytes(module: WebAssembly.Module, sections: PartSections): number {
  const probe = createKernelSlab(module, MIB);
  return Math.ceil((probe.sizeOf(sections) + MIB - probe.capacityBytes) / PAGE_BYTES) * PAGE_BYTES;
}

function loadInto(slab: KernelSlab, sections: PartSections): LoadedPart {
  const part = slab.load(sections);
  if (!part.ok) throw new Error(`a part was refused: ${JSON.stringify(part.failure)}`);
  return part.value;
}

// --- Searches -------------------------------------------------------------------------------

function searchOf(builder: KernelBuilder, held: HeldPart, set: QuestionSet, plan: Plan): Search | Declined {
  const isFiltered = set.questions.some(({ filter }) => filter !== null);
  if (plan === "exact, unfiltered" && !isFiltered) return ANOTHER_KIND;
  held.slab.reset();
  if (set.leg === "open") return ANOTHER_KIND;
  if (isFiltered && set.leg !== "vector") return ANOTHER_KIND;
  const live = allDocuments(held);
  const matchesOf = (filter: Filter | null): Bits =>
    filter === null || plan === "exact, unfiltered" ? live : matchingDocuments(held, filter);
  return askWith(set, formOf(set.leg), (question) => {
    if (isFiltered && plan !== "exact, unfiltered") held.slab.reset();
    const matches = matchesOf(question.filter);
    if (set.leg === "vector") return nearest(held, question, matches, TOP_K).documents;
    if (set.leg === "text") return relevant(builder, held, question, live, matches, TOP_K).documents;
    return hybrid(builder, held, question, live, matches);
  });
}

function hybrid(builder: KernelBuilder, held: HeldPart, question: Question, live: Bits, matches: Bits): Uint32Array {
  const legs = [
    relevant(builder, held, question, live, matches, LEG_CANDIDATES_MIN),
    nearest(held, question, matches, LEG_CANDIDATES_MIN),
  ];
  const keys = legs.map(({ documents }) => ({ keys: documents, weight: 1 }));
  return held.slab.fuse(keys, FUSION_K_DEFAULT, TOP_K).keys;
}

function formOf(leg: QuestionSet["leg"]): (question: Question) => Question | null {
  return (question) => {
    const hasText = leg === "vector" || question.text !== null;
    const hasVector = leg === "text" || question.vector !== null;
    return hasText && hasVector ? question : null;
  };
}

function nearest({ slab, part, beam, walks }: HeldPart, { vector }: Question, matches: Bits, limit: number): Ranked {
  const width = beam === null ? null : Math.max(beam, 2 * limit);
  const found = slab.searchVectors(part, vector ?? new Float32Array(0), matches, limit, width);
  walks.count++;
  walks.visited += found.visited;
  return found;
}

function relevant(
  builder: KernelBuilder,
  { slab, part }: HeldPart,
  { text }: Question,
  live: Bits,
  matches: Bits,
  limit: number,
): Ranked {
  const terms = builder.analyze(text ?? "").filter(({ field }) => field === "word");
  const statistics = slab.statistics(part, terms, live);
  const rated: RatedTerm[] = [];
  terms.forEach(({ field, term, count }, index) => {
    const df = statistics.df[index] ?? 0;
    if (df === 0) return;
    const idf = slab.idf(statistics.documents, df);
    rated.push({ field, term, df, idf, weight: count * idf });
  });
  return slab.searchText(part, textParameters(rated, statistics, PARAMETERS), matches, limit);
}

function allDocuments({ slab, part }: HeldPart): Bits {
  return slab.documentsOf(part, slab.allRows(part));
}

function matchingDocuments({ slab, part }: HeldPart, filter: Filter): Bits {
  const wanted = wantedValues(filter);
  const accepted = new Uint8Array(wanted.length + 1);
  accepted.set(wanted, 1);
  const rows = slab.rowsWithCode(part, COLUMN[filter.kind === "bucket" ? "bucket" : "entity"], accepted);
  if (filter.kind === "bucket") return slab.documentsOf(part, rows);
  return slab.documentsOf(part, slab.and(part, rows, slab.rowsInTime(part, filter.since, filter.until)));
}
