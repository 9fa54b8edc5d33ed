/**
 * What the core needs of the world. Adapters implement these; one contract suite per port runs over all of them.
 * Everything that is a clock, a store, a model or chance comes in through here.
 */
import type { Result } from "./errors.ts";

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface Timer {
  sleep(ms: number): Promise<void>;
  /**
   * What `work` resolves to, or "timeout" when it has not by then. No timer stays behind: one would keep an object
   * awake.
   */
  within<T>(ms: number, work: Promise<T>): Promise<T | "timeout">;
}

export interface Random {
  bytes(count: number): Uint8Array;
}

/** Digests, frames and archives that the runtime does faster than we could. */
export interface Compression {
  /** One independent zstd frame. `raw` is at most FRAME_RAW_BYTES_MAX. */
  zstd(raw: Uint8Array): Uint8Array;
  /** All frames of `bytes`, concatenated. Refuses output above `bytesMax`, and anything that is not whole frames. */
  unzstd(bytes: Uint8Array, bytesMax: number): Result<Uint8Array>;
  gunzip(bytes: Uint8Array, bytesMax: number): Result<Uint8Array>;
}

export interface Digest {
  /** 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array;
}

/** Tells whether the bytes of a shard are those that were written. */
export interface Checksum {
  /**
   * Unsigned 64 bits of at most CHECKSUM_PIECE_BYTES bytes, a multiple of eight of them; the same on every engine. A
   * change of one byte always changes it.
   */
  of(bytes: Uint8Array): bigint;
}

// --- Object store ---------------------------------------------------------------------------

export interface StoredObject {
  readonly bytes: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
}

export interface ObjectPage {
  readonly objects: readonly ObjectInfo[];
  /** Pass back to `list` for the next page; null at the end. */
  readonly cursor: string | null;
}

/**
 * The objects of one tenant. Keys are relative to `tenants/{tenant}/`; no key can name anything outside it.
 * A store fault rejects the promise: callers decide whether to retry, defer or seal.
 */
export interface TenantStore {
  readonly tenant: string;
  /** The key as it lies in the bucket, for citations and operators. */
  fullKey(key: string): string;
  get(key: string): Promise<StoredObject | null>;
  /** `length` bytes from `offset`; null when there is no such object. */
  getRange(key: string, offset: number, length: number): Promise<Uint8Array | null>;
  /** Overwrites. */
  put(key: string, bytes: Uint8Array, metadata?: Readonly<Record<string, string>>): Promise<void>;
  /** Create-only: false when the key already exists, which then stays as it was. */
  create(key: string, bytes: Uint8Array, metadata?: Readonly<Record<string, string>>): Promise<boolean>;
  /** Keys in ascending byte order. */
  list(prefix: string, cursor?: string | null): Promise<ObjectPage>;
  /** Distinct next path components below `prefix` (which ends in "/"), ascending, without the slash. */
  folders(
    prefix: string,
    cursor?: string | null,
  ): Promise<{ readonly names: readonly string[]; readonly cursor: string | null }>;
  delete(keys: readonly string[]): Promise<void>;
}

export interface ObjectStore {
  forTenant(tenant: string): TenantStore;
  /** `system/`: tenants and keys. Reached only from authentication and administration. */
  system(): TenantStore;
}

/**
 * Copies of immutable bytes near whoever asks. It may forget any of them, or keep none at all, and what it answers is to
 * be verified. Names are full keys, so they begin with the tenant.
 */
export interface BlockCache {
  get(name: string): Promise<Uint8Array | null>;
  put(name: string, bytes: Uint8Array): Promise<void>;
}

// --- Models ---------------------------------------------------------------------------------

/**
 * A pure function of text: the same on every machine, so its vectors are part of the view and never stored as outputs.
 * `queryWeight` is the default fusion weight of a vector leg made by this embedder.
 */
export interface LocalEmbedder {
  readonly kind: "local";
  readonly id: string;
  readonly dimensions: number;
  readonly queryWeight: number;
  embed(texts: readonly string[]): readonly (Float32Array | null)[];
}

/** A model elsewhere. What it answers is written once and reused; null records an input it refused. */
export interface RemoteEmbedder {
  readonly kind: "remote";
  readonly id: string;
  readonly queryWeight: number;
  embed(texts: readonly string[], use: "document" | "query"): Promise<Result<readonly (Float32Array | null)[]>>;
}

export type Embedder = LocalEmbedder | RemoteEmbedder;

/** A short text that stands for longer ones. */
export interface Summary {
  /** Empty when there is nothing to say. */
  readonly text: string;
  /** Indexes of the texts that it is drawn from, those that say most of it first. */
  readonly sources: readonly number[];
}

export interface Summarizer {
  readonly id: string;
  /** At most `charactersMax` characters. */
  summarize(texts: readonly string[], charactersMax: number): Promise<Result<Summary>>;
}

// --- Search kernel --------------------------------------------------------------------------

export type Metric = "cosine" | "dot" | "l2";

/**
 * `word`: analysed prose, stemmed. `whole`: an identifier, path, address or number, kept verbatim (case-folded).
 * `question`: a word of the questions that a document is said to answer.
 */
export type TermField = "word" | "whole" | "question";

export interface QueryTerm {
  readonly field: TermField;
  readonly term: string;
  /** How often it stands in the query. */
  readonly count: number;
}

/** A term, however often it stands in the query. */
export type AskedTerm = Pick<QueryTerm, "field" | "term">;

/** What the kernel keeps of the texts of a part. One is of no use without the other, and each says when they differ. */
export interface TextSections {
  /** Lengths and the term dictionary: read before a search can be planned. */
  readonly text: Uint8Array;
  /** Postings in the order of the dictionary. */
  readonly postings: Uint8Array;
}

/** The postings of one term. */
export interface PostingsPlace {
  /** Bytes from the start of the section `postings`. */
  readonly offset: number;
  readonly length: number;
}

/** Postings that were read. */
export interface PostingsPiece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Text sections as a search needs them: with all postings, or with those of the terms that it asks for. */
export interface SearchedText {
  readonly text: Uint8Array;
  /** Pieces as `postingsPlaces` lists them, and verified: they have no checksum of their own. */
  readonly postings: Uint8Array | readonly PostingsPiece[];
}

/** Bytes of a section. */
export interface SectionPlace {
  readonly offset: number;
  readonly length: number;
}

/** Text sections of which pieces can be had without the rest. */
export interface PagedText {
  readonly textBytes: number;
  /** The first bytes of the text section, which every search asks for: they are kept. */
  textStart(length: number): Uint8Array;
  /** Of what is kept. */
  readonly startBytes: number;
  /** One for each place, all at once: a read costs more than most pieces. */
  textPieces(places: readonly SectionPlace[]): readonly Uint8Array[];
  postingsPieces(places: readonly SectionPlace[]): readonly Uint8Array[];
}

/** Turns texts and vectors into the kernel's sections. Pure: same input, same bytes, on every engine. */
export interface KernelBuilder {
  /** Names tokenizer, folding, stemmer and stop list; part of the revision. */
  readonly analyzer: string;
  /** Distinct words and whole tokens of a text with their counts, ordered by field, then term bytes. */
  analyze(text: string): readonly QueryTerm[];
  /** How many words the analyzer sees, stop words included: the unit of CHUNK_TOKENS_MAX. */
  countTokens(text: string): number;
  /**
   * Document i has text `texts[i]` and answers the questions `questions[i]`, which are analysed as one text whose words
   * alone count; an empty string has no terms. Of questions without a word no byte is kept.
   */
  textSections(texts: readonly string[], questions: readonly string[] | null): TextSections;
  /**
   * Where the postings of those terms lie that the section `text` has: ascending, each once. A section that is not
   * whole is refused by name.
   */
  postingsPlaces(text: Uint8Array, terms: readonly AskedTerm[]): Result<readonly PostingsPlace[]>;
  /** Of the documents of all pieces, in order. Every vector has `dimensions` finite numbers. */
  vectorSections(pieces: readonly VectorPiece[], dimensions: number, metric: Metric): VectorSections;
  /**
   * Inserts up to `inserts` more of the vectors, in document order, into the graph that `state` holds so far; null
   * begins it. However the work is cut, the states are the same bytes. Sections or a state that are not whole, and a
   * state of other vectors, are refused by name: begin anew.
   */
  graphStep(vectors: VectorSections, state: Uint8Array | null, inserts: number): Result<GraphStep>;
  /**
   * The vectors in the graph's order, and the graph: of a state in which all of them were inserted. The vectors as they
   * were, without a graph, when it finds less of what a scan finds than GRAPH_RECALL_MIN.
   */
  graphSections(vectors: VectorSections, state: Uint8Array): Result<VectorSections>;
}

export interface GraphStep {
  readonly state: Uint8Array;
  /** Vectors that are in. */
  readonly inserted: number;
  /** Vectors that there are. */
  readonly vectors: number;
}

/**
 * Vectors of consecutive documents, null where one has none: as numbers, or as the first `documents` documents of sections
 * with the same dimensions and metric have them. Taken over or made anew, the same vectors give the same bytes.
 */
export type VectorPiece =
  | { readonly vectors: readonly (Float32Array | null)[] }
  | { readonly sections: VectorSections; readonly documents: number };

/** Vectors as the kernel searches them. */
export interface VectorSections {
  /** What a scan reads: 8 bits a dimension. */
  readonly codes: Uint8Array;
  /** The next 8 bits, which only the best need. */
  readonly residuals: Uint8Array;
  /** How a search finds its way without a scan; null where scanning is all there is. */
  readonly graph: Uint8Array | null;
}

/** Vectors as they are loaded into a slab. */
export interface LoadedVectors {
  /** A section, or the pieces that it is when they are joined. */
  readonly codes: Uint8Array | readonly Uint8Array[];
  /** null: a search takes two steps, `boundVectors` and `scoreBounds`, and no graph is loaded either. */
  readonly residuals: Uint8Array | null;
  readonly graph: Uint8Array | null;
}

/** What may be among the best of a search of vectors, in no order. Index i of each is of one vector. */
export interface VectorBounds {
  readonly documents: Uint32Array;
  /** Which row of the residuals is its. */
  readonly vectors: Uint32Array;
  /** Its score is neither below this one nor above that one. */
  readonly least: Float32Array;
  readonly most: Float32Array;
  /** What `scoreBounds` takes: as many bytes for each. */
  readonly records: Uint8Array;
  /** Where to go on when these are not all; null when they are. */
  readonly next: number | null;
}

/** A part of a scope, loaded into a slab. Opaque. */
export type LoadedPart = number & { readonly __brand: "LoadedPart" };
/** A bitset in a slab's scratch, over the rows or documents of one part. Opaque; dies with the next `reset`. */
export type Bits = number & { readonly __brand: "Bits" };

export interface PartSections {
  /** Documents (chunks) in the part. */
  readonly documents: number;
  /** Rows (events) in the part. */
  readonly rows: number;
  /** Ascending: the row that document i was cut from. null: document i is of row i. */
  readonly rowOfDocument: Uint32Array | null;
  /** null when nothing will ask for text. */
  readonly text: SearchedText | null;
  readonly vectors: LoadedVectors | null;
  /** One code a row. Code 0 means the row has no value. */
  readonly columns: readonly Uint32Array[];
  /** Event time of each row, milliseconds. null when nothing will ask for times. */
  readonly rowTimes: Float64Array | null;
}

export interface TextStatistics {
  /** Live documents with at least one word. */
  readonly documents: number;
  /** Sum of their lengths in indexed words. */
  readonly words: number;
  /** Live documents with at least one whole token. */
  readonly wholeDocuments: number;
  /** Live documents whose questions have at least one word. */
  readonly questionDocuments: number;
  /** Sum of the lengths of their questions in indexed words. */
  readonly questionWords: number;
  /** Live documents of each asked term, in order. */
  readonly df: readonly number[];
}

export interface WeightedTerm {
  readonly field: TermField;
  readonly term: string;
  /** count · idf · field boost, rounded to f32 by the kernel. */
  readonly weight: number;
}

export interface TextParameters {
  readonly terms: readonly WeightedTerm[];
  readonly k1: number;
  readonly b: number;
  /** Mean length of live documents, in indexed words. */
  readonly averageLength: number;
  /** Mean length of the questions of live documents that have any, in indexed words. */
  readonly averageQuestionLength: number;
}

export interface DictionaryTerm {
  readonly term: string;
  /** Documents of the part that have it, live or not. */
  readonly df: number;
}

/** Ordered by score descending, then document ascending. */
export interface Ranked {
  readonly documents: Uint32Array;
  readonly scores: Float32Array;
}

export interface RankedVectors extends Ranked {
  /** Vectors that were scored on the way through the graph; 0: the answer is that of a scan, and exact. */
  readonly visited: number;
}

export interface TermExplanation {
  readonly field: TermField;
  readonly term: string;
  readonly weight: number;
  readonly tf: number;
  /** k1 · (1 − b + b · length / averageLength), each of the term's field; k1 alone for whole tokens. */
  readonly norm: number;
  readonly score: number;
}

/** Several parts of one scope in one kernel instance. All calls are synchronous and deterministic. */
export interface KernelSlab {
  readonly capacityBytes: number;
  /** Bytes that `load` would take, padding and search scratch included. */
  sizeOf(sections: PartSections): number;
  freeBytes(): number;
  /** Forgets every part and zeroes what they held. */
  clear(): void;
  /**
   * Copies the sections in and validates them, but for the postings of single terms; a section that is not whole is
   * refused by name.
   */
  load(sections: PartSections): Result<LoadedPart>;
  /** Forgets one part, zeroes what it held and frees all bitsets. Only the most recently loaded part may be unloaded. */
  unload(part: LoadedPart): void;
  /** Frees all bitsets and results. Called before each search. */
  reset(): void;

  // Filters: over rows, unless said otherwise.
  allRows(part: LoadedPart): Bits;
  noRows(part: LoadedPart): Bits;
  /** Rows before `end`. */
  rowsBefore(part: LoadedPart, end: number): Bits;
  rowsWhere(part: LoadedPart, rows: Uint32Array): Bits;
  /** Rows whose code in `column` (index into `columns`) is set in `accepted`, which has one byte a code. */
  rowsWithCode(part: LoadedPart, column: number, accepted: Uint8Array): Bits;
  /** Rows with from ≤ time ≤ to. */
  rowsInTime(part: LoadedPart, from: number, to: number): Bits;
  and(part: LoadedPart, a: Bits, b: Bits): Bits;
  or(part: LoadedPart, a: Bits, b: Bits): Bits;
  not(part: LoadedPart, a: Bits): Bits;
  countRows(part: LoadedPart, rows: Bits): number;
  /** The rows' documents, as a bitset over documents. */
  documentsOf(part: LoadedPart, rows: Bits): Bits;
  countDocuments(part: LoadedPart, documents: Bits): number;
  /** A bitset of one loading of a part, over another loading of the same part. */
  carry(from: LoadedPart, bits: Bits, to: LoadedPart): Bits;

  // Scores: bitsets over documents.
  /**
   * Validates the postings of these terms, which is done once. Postings that are not whole are refused by name; the
   * three calls below that name terms throw on them. All four throw a RangeError on a term whose postings were not among
   * the pieces that were loaded.
   */
  proveTerms(part: LoadedPart, terms: readonly AskedTerm[]): Result<null>;
  /** The sections cut down to some terms: a search for those answers as it does over the whole. */
  excerptOf(text: PagedText, terms: readonly AskedTerm[]): TextSections;
  statistics(part: LoadedPart, terms: readonly QueryTerm[], live: Bits): TextStatistics;
  /** The part's terms that begin with `prefix`, in byte order: the first `limit`, and at most PREFIX_TERMS_MAX. */
  termsWithPrefix(part: LoadedPart, field: TermField, prefix: string, limit: number): readonly DictionaryTerm[];
  /** ln(1 + (documents − df + ½) / (df + ½)) by the kernel's own arithmetic. */
  idf(documents: number, df: number): number;
  searchText(part: LoadedPart, parameters: TextParameters, matches: Bits, limit: number): Ranked;
  /**
   * `beam` null: exact, reranked until no candidate's upper bound can exceed the limit-th score. Else by the graph, where
   * there is one, with so many candidates kept (ef; at least `limit`), each scored exactly. Whatever the graph cannot
   * find at a fifth of a scan's cost is scanned for: a filter loses nothing, and an answer is never short.
   */
  searchVectors(
    part: LoadedPart,
    query: Float32Array,
    matches: Bits,
    limit: number,
    beam: number | null,
  ): RankedVectors;
  /**
   * The vectors of matching documents that may be among the best `limit` and score `floor` or more, as far as their codes
   * tell: BOUNDS_MAX of them at the most. `from` is 0, or the `next` of what was told before.
   */
  boundVectors(
    part: LoadedPart,
    query: Float32Array,
    matches: Bits,
    limit: number,
    floor: number,
    from: number,
  ): VectorBounds;
  /**
   * Exact scores of bounds of any parts, by their residuals: what `searchVectors` finds, to the last bit. `records` of
   * bounds that the same query found, one after the other, and a row for each.
   */
  scoreBounds(metric: Metric, query: Float32Array, records: Uint8Array, rows: readonly Uint8Array[]): Float32Array;
  /** Where the residuals of a vector lie in their section. */
  residualPlace(dimensions: number, vector: number): SectionPlace;
  /** What a search of the part's vectors can be planned by. */
  vectorsOf(part: LoadedPart): { readonly count: number; readonly hasGraph: boolean };
  explainText(part: LoadedPart, parameters: TextParameters, document: number): readonly TermExplanation[];
  /** The exact score of one document, or null when it has no vector. */
  scoreVector(part: LoadedPart, query: Float32Array, document: number): number | null;

  /**
   * Integer reciprocal-rank fusion over the union. `keys` are ordered best first and unique within a leg;
   * weights are multiples of 2^-16. Returns keys by fused score descending, then key ascending; scores are exact
   * multiples of 2^-48.
   */
  fuse(
    legs: readonly { readonly keys: Uint32Array; readonly weight: number }[],
    k: number,
    limit: number,
  ): FusedRanking;
}

export interface FusedRanking {
  readonly keys: Uint32Array;
  readonly scores: Float64Array;
}

/** Where slabs come from. One pool an isolate; least recently used gives way. */
export interface SlabPool {
  /** What `KernelSlab.sizeOf` says, known before any slab is leased: the bytes to ask for are a sum of these. */
  sizeOf(sections: PartSections): number;
  /**
   * The slab leased to `scope` with everything it held (`fresh: false`), or a cleared one with room for `bytes`.
   * null when no class is that large: the caller takes the `window`.
   */
  lease(scope: string, bytes: number): { readonly slab: KernelSlab; readonly fresh: boolean } | null;
  /** A slab of the largest class, for a scope that fits in none: as `lease`. */
  window(scope: string): { readonly slab: KernelSlab; readonly fresh: boolean };
  /** Whether `scope` has a slab, with what it held. */
  isLeased(scope: string): boolean;
  /** The most that `lease` has room for. */
  readonly capacityBytes: number;
  release(scope: string): void;
  readonly residentBytes: number;
}
