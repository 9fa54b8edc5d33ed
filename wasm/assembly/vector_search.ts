/**
 * Search of a part's vectors: exact by a scan (vector_scan.ts). Ids are documents.
 */
import { arenaMark, arenaRelease, arenaTake } from "./arena";
import { bitsetBytes } from "./text_section";
import { bitsGather, setBit } from "./bitset";
import { BAD_ARGUMENT, CAPACITY } from "./status";
import { heapSort } from "./top_k";
import { beginQuery, rowProduct, scoreOfProduct } from "./vector_query";
import { scan, scanBytes } from "./vector_scan";
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
export let codes: usize = 0;
export let residuals: usize = 0;
/** Of vectors in rows: u32 a document, one more than its vector, or 0. */
let inverse: usize = 0;
let documents: u32 = 0;

export function selectVectors(codesAt: usize, residualsAt: usize, inverseAt: usize, documentCount: u32): void {
  codes = codesAt;
  residuals = residualsAt;
  inverse = inverseAt;
  documents = documentCount;
}

/** Scratch that a search of so many vectors takes besides its query and keys. */
export function vectorSearchBytes(vectors: u32): u64 {
  return bitsetBytes(vectors) + scanBytes(vectors);
}

/**
 * Writes to `out` at most `limit` keys of top_k.ts, best first, and answers how many. `matches` is a bitset over
 * documents, or 0 for all; `vector` has the section's dimensions and is encodable. `out` has room for `limit` keys.
 */
export function searchExact(vector: usize, matches: usize, limit: u32, out: usize): i32 {
  const mark = arenaMark();
  const count = vectorCount(codes);
  const most = min(limit, count);
  if (most == 0) return 0;
  const bytes = <usize>bitsetBytes(count);
  const wanted = matches == 0 || hasAllDocuments(codes) ? matches : arenaTake(bytes);
  const room = arenaTake(scanBytes(count));
  const chosen = arenaTake((<u64>most) << 3);
  const fits = (matches == 0 || wanted != 0) && room != 0 && chosen != 0;
  if (!fits || !beginQuery(codes, vector)) {
    arenaRelease(mark);
    return CAPACITY;
  }
  if (wanted != matches) findWanted(matches, wanted, bytes);
  scan(codes, residuals, wanted, room, chosen, most, out);
  arenaRelease(mark);
  return heapSort();
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
