/**
 * Search of a part's vectors: exact by a scan (vector_scan.ts), or by its graph (graph_search.ts) with the scan to fall
 * back to. Ids are documents.
 */
import { arenaMark, arenaRelease, arenaTake } from "./arena";
import { bitsetBytes } from "./text_section";
import { bitsCount, bitsGather, setBit } from "./bitset";
import { graphSearchBytes, nodesScored, searchGraph } from "./graph_search";
import { BAD_ARGUMENT, CAPACITY, OK } from "./status";
import { heapBegin, heapEnd } from "./top_k";
import { boundAll } from "./vector_bounds";
import { beginQuery, rowProduct, scoreOfProduct } from "./vector_query";
import { CHOSEN_PER_ACCEPTED, READ_ALL_SHARE, scan, scanBytes } from "./vector_scan";
import {
  codeRow,
  documentOf,
  hasAllDocuments,
  LAYOUT_ROWS,
  readBlockRow,
  vectorCount,
  vectorDimensions,
  vectorDocuments,
  vectorLayout,
} from "./vector_section";
import { rowBytes } from "./vector_codec";

/** Where the vectors of a part lie; 0 when it has none. */
let codes: usize = 0;
let residuals: usize = 0;
/** 0 when there is none. */
let graph: usize = 0;
/** Of vectors with a graph: their steps (graph_probe.ts). */
let steps: usize = 0;
/** Of vectors in rows: u32 a document, one more than its vector, or 0. */
let inverse: usize = 0;
let documents: u32 = 0;

export function selectVectors(
  codesAt: usize,
  residualsAt: usize,
  graphAt: usize,
  stepsAt: usize,
  inverseAt: usize,
  documentCount: u32,
): void {
  codes = codesAt;
  residuals = residualsAt;
  graph = graphAt;
  steps = stepsAt;
  inverse = inverseAt;
  documents = documentCount;
}

/** Scratch that a search of so many vectors takes besides its query and keys. */
export function vectorSearchBytes(vectors: u32, hasGraph: bool): u64 {
  return bitsetBytes(vectors) + scanBytes(vectors) + (hasGraph ? graphSearchBytes(vectors) : 0);
}

/** Nodes that the last search scored in the graph; 0 when its answer is that of a scan, and exact. */
export let nodesVisited: u32 = 0;

/**
 * Writes to `out` at most `limit` hits of top_k.ts, best first, and answers how many. `matches` is a bitset over
 * documents, or 0 for all; `vector` has the section's dimensions and is encodable. `out` has room for `limit` of 8 bytes.
 * `beam` is at least `limit` and at most BEAM_MAX, or 0 for the exact answer.
 */
export function searchVectors(vector: usize, matches: usize, limit: u32, beam: u32, out: usize): i32 {
  nodesVisited = 0;
  const mark = arenaMark();
  const most = min(limit, vectorCount(codes));
  const status = most > 0 ? offerBest(vector, matches, most, beam, out) : 0;
  arenaRelease(mark);
  if (status < 0) return status;
  return most > 0 ? heapEnd() : 0;
}

function offerBest(vector: usize, matches: usize, most: u32, beam: u32, out: usize): i32 {
  if (!beginQuery(codes, vector)) return CAPACITY;
  const share = matches == 0 ? 1 : <f64>bitsCount(matches, <usize>bitsetBytes(documents)) / <f64>documents;
  if (graph != 0 && beam > 0) {
    heapBegin(out, most);
    const found = searchGraph(codes, residuals, graph, steps, matches, share, beam, most);
    if (found != 0) {
      nodesVisited = nodesScored;
      return min(found, 0);
    }
  }
  return offerAll(matches, share, most, out);
}

/** By a scan of what matches. */
function offerAll(matches: usize, share: f64, most: u32, out: usize): i32 {
  const count = vectorCount(codes);
  const isDirect = matches == 0 || hasAllDocuments(codes);
  const accepted = !isDirect && share >= READ_ALL_SHARE ? matches : 0;
  const room = arenaTake(scanBytes(count));
  const chosen = arenaTake(((<u64>most) << 3) * (accepted == 0 ? 1 : CHOSEN_PER_ACCEPTED));
  if (room == 0 || chosen == 0) return CAPACITY;
  let wanted = isDirect ? matches : 0;
  if (!isDirect && accepted == 0) {
    wanted = arenaTake(bitsetBytes(count));
    if (wanted == 0) return CAPACITY;
    findWanted(matches, wanted, <usize>bitsetBytes(count));
  }
  scan(codes, residuals, wanted, accepted, room, chosen, most, out);
  return OK;
}

/** The first of the two steps of vector_bounds.ts. `out` has room for `boundsMax` bounds. */
export function boundVectors(
  vector: usize,
  matches: usize,
  limit: u32,
  floor: f32,
  from: u32,
  boundsMax: u32,
  out: usize,
): i32 {
  const count = vectorCount(codes);
  const most = min(limit, count);
  if (most == 0) return 0;
  const mark = arenaMark();
  const isDirect = matches == 0 || hasAllDocuments(codes);
  const room = arenaTake(scanBytes(count));
  const chosen = arenaTake((<u64>most) << 3);
  const wanted = isDirect ? matches : arenaTake(bitsetBytes(count));
  let found: i32 = CAPACITY;
  if (room != 0 && chosen != 0 && (isDirect || wanted != 0) && beginQuery(codes, vector)) {
    if (!isDirect) findWanted(matches, wanted, <usize>bitsetBytes(count));
    found = boundAll(codes, wanted, room, chosen, most, floor, from, boundsMax, out);
  }
  arenaRelease(mark);
  return found;
}

/** Bits of documents to bits of vectors. */
function findWanted(matches: usize, wanted: usize, bytes: usize): void {
  if (vectorLayout(codes) != LAYOUT_ROWS) {
    bitsGather(matches, vectorDocuments(codes), vectorCount(codes), wanted, bytes);
    return;
  }
  memory.fill(wanted, 0, bytes);
  for (let at: u32 = 0; at < documents; at += 64) {
    for (let bits = load<u64>(matches + (at >> 3)); bits != 0; bits &= bits - 1) {
      const index = load<u32>(inverse + ((<usize>at + <usize>ctz(bits)) << 2));
      if (index != 0) setBit(wanted, index - 1);
    }
  }
}

/** Writes the exact score of one document. Answers 1, 0 when it has no vector, or CAPACITY. */
export function scoreVector(vector: usize, document: u32, out: usize): i32 {
  const index = vectorOf(document);
  if (index < 0) return 0;
  const mark = arenaMark();
  let row = vectorLayout(codes) == LAYOUT_ROWS ? codeRow(codes, index) : arenaTake(rowBytes(vectorDimensions(codes)) + 16);
  if (row == 0 || !beginQuery(codes, vector)) {
    arenaRelease(mark);
    return CAPACITY;
  }
  if (vectorLayout(codes) != LAYOUT_ROWS) readBlockRow(codes, index, row);
  store<f32>(out, scoreOfProduct(codes, residuals, index, <f64>rowProduct(row)));
  arenaRelease(mark);
  return 1;
}

function vectorOf(document: u32): i32 {
  if (hasAllDocuments(codes)) return <i32>document;
  if (vectorLayout(codes) == LAYOUT_ROWS) return <i32>load<u32>(inverse + ((<usize>document) << 2)) - 1;
  let low: u32 = 0;
  let high = vectorCount(codes);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (documentOf(codes, middle) < document) low = middle + 1;
    else high = middle;
  }
  return low < vectorCount(codes) && documentOf(codes, low) == document ? <i32>low : BAD_ARGUMENT;
}
