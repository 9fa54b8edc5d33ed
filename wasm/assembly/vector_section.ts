/**
 * The two sections of vectors: `codes`, which a search reads, and `residuals`, which only the best of them need.
 *
 *   codes       head       24 documents u32 · 28 vectors u32 · 32 dimensions u32 · 36 metric u32 · 40 layout u32
 *               documents  u32 a vector: the document it belongs to. Absent in blocks when all documents have one
 *               scales     f32 a vector
 *               bounds     f32 a block of 16 vectors: the greatest slack of its vectors (vector_codec.ts)
 *               squares    f64 a vector: Σ q². Only with l2
 *               codes      u8, in one of two layouts
 *   residuals   head       24 vectors u32 · 28 dimensions u32
 *               residuals  u8, a row a vector
 *
 * Each begins at a multiple of 64. A row is padded with what stands for 0 to a multiple of four; behind the last come
 * 16 bytes, so that a vector load may begin anywhere in a row.
 *
 *   blocks   16 vectors: their dimensions 0–3, then their dimensions 4–7, …: a scan is one stream, and the sums of four
 *            vectors lie in the lanes of one register. Documents ascend.
 *   rows     a row a vector, for a graph (graph_section.ts), which visits one vector here and one there. In the graph's
 *            order; documents do not ascend.
 */
import { aligned, arenaMark, arenaRelease, arenaTake } from "./arena";
import { permuteRows } from "./permutation";
import { checkSection, padded16, sealSection } from "./section";
import { BAD_LENGTH, BAD_ORDER, BAD_VALUE, OK } from "./status";
import { TEXT_DOCUMENTS_MAX } from "./text_section";
import {
  encodedScale,
  encodedSlack,
  encodeVector,
  measureRows,
  METRIC_L2,
  PLANE_OFFSET,
  quantizedSquares,
  rowBytes,
} from "./vector_codec";

const CODES_MAGIC: u32 = 0x43565043; // CPVC
const RESIDUALS_MAGIC: u32 = 0x52565043; // CPVR
const HEAD_BYTES: u32 = 64;
const TAIL_BYTES: u64 = 16;
export const BLOCK_VECTORS: u32 = 16;
/** As core/limits.ts has it: sums of products stay within their integers up to here. */
export const DIMENSIONS_MAX: u32 = 4096;

export const LAYOUT_BLOCKS: u32 = 0;
export const LAYOUT_ROWS: u32 = 1;
/** Set beside the layout when vector i is of document i. */
const HAS_ALL_DOCUMENTS: u32 = 256;

const DOCUMENTS: usize = 24;
const VECTORS: usize = 28;
const DIMENSIONS: usize = 32;
const METRIC: usize = 36;
const LAYOUT: usize = 40;
const RESIDUAL_VECTORS: usize = 24;
const RESIDUAL_DIMENSIONS: usize = 28;

@inline
export function codesDocuments(codes: usize): u32 {
  return load<u32>(codes, DOCUMENTS);
}

@inline
export function vectorCount(codes: usize): u32 {
  return load<u32>(codes, VECTORS);
}

@inline
export function vectorDimensions(codes: usize): u32 {
  return load<u32>(codes, DIMENSIONS);
}

@inline
export function vectorMetric(codes: usize): u32 {
  return load<u32>(codes, METRIC);
}

@inline
export function vectorLayout(codes: usize): u32 {
  return load<u32>(codes, LAYOUT) & 255;
}

/** Vector i is of document i, and every document has one. */
@inline
export function hasAllDocuments(codes: usize): bool {
  return (load<u32>(codes, LAYOUT) & HAS_ALL_DOCUMENTS) != 0;
}

@inline
export function blockCount(vectors: u32): u32 {
  return (vectors + BLOCK_VECTORS - 1) / BLOCK_VECTORS;
}

/** Entries of the arrays: whole blocks, so that a block's may be loaded at once. */
@inline
function slots(codes: usize): usize {
  return <usize>(blockCount(vectorCount(codes)) * BLOCK_VECTORS);
}

@inline
export function vectorDocuments(codes: usize): usize {
  return codes + HEAD_BYTES;
}

@inline
export function vectorScales(codes: usize): usize {
  return vectorDocuments(codes) + (hasAllDocuments(codes) ? 0 : slots(codes) << 2);
}

@inline
export function vectorBounds(codes: usize): usize {
  return vectorScales(codes) + (slots(codes) << 2);
}

@inline
export function vectorSquares(codes: usize): usize {
  return vectorBounds(codes) + <usize>aligned((<u64>blockCount(vectorCount(codes))) << 2);
}

@inline
export function vectorCodes(codes: usize): usize {
  return vectorSquares(codes) + (vectorMetric(codes) == METRIC_L2 ? slots(codes) << 3 : 0);
}

@inline
export function documentOf(codes: usize, index: u32): u32 {
  return hasAllDocuments(codes) ? index : load<u32>(vectorDocuments(codes) + ((<usize>index) << 2));
}

export function greatestScaleOf(codes: usize): f32 {
  let greatest: f32 = 0;
  for (let at = vectorScales(codes), end = vectorBounds(codes); at < end; at += 4) greatest = max<f32>(greatest, load<f32>(at));
  return greatest;
}

/** Of a section in rows. */
@inline
export function codeRow(codes: usize, index: u32): usize {
  return vectorCodes(codes) + <usize>index * rowBytes(vectorDimensions(codes));
}

@inline
export function residualRow(residuals: usize, index: u32): usize {
  return residuals + HEAD_BYTES + <usize>index * rowBytes(load<u32>(residuals, RESIDUAL_DIMENSIONS));
}

/** Copies the codes of a vector, as a row, out of a section in blocks. */
export function readBlockRow(codes: usize, index: u32, to: usize): void {
  const bytes = rowBytes(vectorDimensions(codes));
  let from = blockRow(codes, index);
  for (let at: u32 = 0; at < bytes; at += 4) {
    store<u32>(to + at, load<u32>(from));
    from += BLOCK_VECTORS * 4;
  }
}

/** The first four dimensions of a vector in a section in blocks; the next four are 64 bytes on. */
@inline
function blockRow(codes: usize, index: u32): usize {
  const block = <usize>(index / BLOCK_VECTORS) * BLOCK_VECTORS * rowBytes(vectorDimensions(codes));
  return vectorCodes(codes) + block + ((<usize>(index % BLOCK_VECTORS)) << 2);
}

// --- Sizes ----------------------------------------------------------------------------------

/** Bytes of a `codes` section; `layout` with its flag. */
function codesBytes(vectors: u32, dimensions: u32, metric: u32, layout: u32): u64 {
  const padded = <u64>blockCount(vectors) * BLOCK_VECTORS;
  const rows = (layout & 255) == LAYOUT_BLOCKS ? padded : vectors;
  let bytes = HEAD_BYTES + padded * 4 + aligned((<u64>blockCount(vectors)) << 2);
  if ((layout & HAS_ALL_DOCUMENTS) == 0) bytes += padded * 4;
  if (metric == METRIC_L2) bytes += padded * 8;
  return padded16(bytes + rows * rowBytes(dimensions) + TAIL_BYTES);
}

function residualsBytes(vectors: u32, dimensions: u32): u64 {
  return padded16(HEAD_BYTES + <u64>vectors * rowBytes(dimensions) + TAIL_BYTES);
}

export function codesSectionBytes(codes: usize): u64 {
  return codesBytes(vectorCount(codes), vectorDimensions(codes), vectorMetric(codes), load<u32>(codes, LAYOUT));
}

export function residualsSectionBytes(residuals: usize): u64 {
  return residualsBytes(load<u32>(residuals, RESIDUAL_VECTORS), load<u32>(residuals, RESIDUAL_DIMENSIONS));
}

// --- Writing --------------------------------------------------------------------------------

/** A zeroed `codes` section with its head, or 0 when it does not fit. Codes stand for 0. */
export function beginCodes(documents: u32, vectors: u32, dimensions: u32, metric: u32, layout: u32): usize {
  const all = documents == vectors && layout == LAYOUT_BLOCKS ? HAS_ALL_DOCUMENTS : 0;
  const bytes = codesBytes(vectors, dimensions, metric, layout | all);
  const codes = bytes > <u64>i32.MAX_VALUE ? 0 : arenaTake(bytes);
  if (codes == 0) return 0;
  writeHead(codes, documents, vectors, dimensions, metric, layout | all);
  memory.fill(vectorCodes(codes), <u8>PLANE_OFFSET, <usize>bytes - (vectorCodes(codes) - codes));
  return codes;
}

/** Zeros all that stands before the codes. */
function writeHead(codes: usize, documents: u32, vectors: u32, dimensions: u32, metric: u32, layout: u32): void {
  memory.fill(codes, 0, HEAD_BYTES);
  store<u32>(codes, documents, DOCUMENTS);
  store<u32>(codes, vectors, VECTORS);
  store<u32>(codes, dimensions, DIMENSIONS);
  store<u32>(codes, metric, METRIC);
  store<u32>(codes, layout, LAYOUT);
  memory.fill(codes + HEAD_BYTES, 0, vectorCodes(codes) - codes - HEAD_BYTES);
}

export function beginResiduals(vectors: u32, dimensions: u32): usize {
  const bytes = residualsBytes(vectors, dimensions);
  const residuals = bytes > <u64>i32.MAX_VALUE ? 0 : arenaTake(bytes);
  if (residuals == 0) return 0;
  memory.fill(residuals, 0, HEAD_BYTES);
  memory.fill(residuals + HEAD_BYTES, <u8>PLANE_OFFSET, <usize>bytes - HEAD_BYTES);
  store<u32>(residuals, vectors, RESIDUAL_VECTORS);
  store<u32>(residuals, dimensions, RESIDUAL_DIMENSIONS);
  return residuals;
}

/**
 * Encodes vector `index` into a section in blocks. `vector` is encodable; `row` has room for a row. Documents ascend.
 */
export function putVector(
  codes: usize,
  residuals: usize,
  index: u32,
  document: u32,
  vector: usize,
  row: usize,
): void {
  store<u32>(row + rowBytes(vectorDimensions(codes)) - 4, 0x80808080);
  encodeVector(vector, vectorDimensions(codes), vectorMetric(codes), row, residualRow(residuals, index));
  putRow(codes, index, document, row);
}

/** Of the vector that was encoded or measured last. */
function putRow(codes: usize, index: u32, document: u32, row: usize): void {
  const bytes = rowBytes(vectorDimensions(codes));
  let to = blockRow(codes, index);
  for (let at: u32 = 0; at < bytes; at += 4) {
    store<u32>(to, load<u32>(row + at));
    to += BLOCK_VECTORS * 4;
  }
  putNumbers(codes, index, document, encodedScale, encodedSlack, quantizedSquares);
}

/** Writes u32 a document: one more than its vector, or 0. False when two vectors are of one document. */
export function inverseOf(codesAt: usize, to: usize, documentCount: u32): bool {
  memory.fill(to, 0, (<usize>documentCount) << 2);
  for (let i: u32 = 0; i < vectorCount(codesAt); i++) {
    const slot = to + ((<usize>documentOf(codesAt, i)) << 2);
    if (load<u32>(slot) != 0) return false;
    store<u32>(slot, i + 1);
  }
  return true;
}

/**
 * Puts the vectors that other sections have for their first `documents` documents, which are documents `document` and
 * following here: from vector `index` on. `inverse` is theirs (`inverseOf`). Answers the index behind the last.
 */
export function takeVectors(
  codes: usize,
  residuals: usize,
  index: u32,
  document: u32,
  fromCodes: usize,
  fromResiduals: usize,
  inverse: usize,
  documents: u32,
  row: usize,
): u32 {
  const dimensions = vectorDimensions(codes);
  for (let i: u32 = 0; i < documents; i++) {
    const found = load<u32>(inverse + ((<usize>i) << 2));
    if (found == 0) continue;
    const from = found - 1;
    if (vectorLayout(fromCodes) == LAYOUT_ROWS) memory.copy(row, codeRow(fromCodes, from), rowBytes(dimensions));
    else readBlockRow(fromCodes, from, row);
    const residual = residualRow(residuals, index);
    memory.copy(residual, residualRow(fromResiduals, from), rowBytes(dimensions));
    measureRows(row, residual, dimensions, load<f32>(vectorScales(fromCodes) + ((<usize>from) << 2)));
    putRow(codes, index, document + i, row);
    index += 1;
  }
  return index;
}

/** How many vectors the first `documents` documents have. */
export function vectorsBefore(codes: usize, documents: u32): u32 {
  let count: u32 = 0;
  for (let i: u32 = 0; i < vectorCount(codes); i++) count += <u32>(documentOf(codes, i) < documents);
  return count;
}

/** What is kept of a vector beside its planes. */
export function putNumbers(codes: usize, index: u32, document: u32, scale: f32, slack: f32, squares: f64): void {
  const slot = (<usize>index) << 2;
  if (!hasAllDocuments(codes)) store<u32>(vectorDocuments(codes) + slot, document);
  store<f32>(vectorScales(codes) + slot, scale);
  if (vectorMetric(codes) == METRIC_L2) store<f64>(vectorSquares(codes) + (slot << 1), squares);
  const bound = vectorBounds(codes) + ((<usize>(index / BLOCK_VECTORS)) << 2);
  store<f32>(bound, max<f32>(load<f32>(bound), slack));
}

/** Answers the bytes of the section. */
export function endCodes(codes: usize): u32 {
  const bytes = <u32>codesSectionBytes(codes);
  sealSection(codes, bytes, CODES_MAGIC);
  return bytes;
}

export function endResiduals(residuals: usize): u32 {
  const bytes = <u32>residualsSectionBytes(residuals);
  sealSection(residuals, bytes, RESIDUALS_MAGIC);
  return bytes;
}

// --- From blocks to rows --------------------------------------------------------------------

/** How far before a section in blocks its section in rows begins, so that both have their codes at one place. */
export function roomForDocuments(codes: usize): usize {
  return hasAllDocuments(codes) ? slots(codes) << 2 : 0;
}

/** Rewrites the codes of a section in blocks as rows, in place. False when there is no room. */
export function blocksToRows(codes: usize): bool {
  const bytes = rowBytes(vectorDimensions(codes));
  const mark = arenaMark();
  const block = arenaTake(<u64>bytes * BLOCK_VECTORS);
  if (block == 0) return false;
  let at = vectorCodes(codes);
  for (let i: u32 = 0; i < blockCount(vectorCount(codes)); i++) {
    memory.copy(block, at, bytes * BLOCK_VECTORS);
    for (let vector: usize = 0; vector < BLOCK_VECTORS; vector++) {
      let from = block + (vector << 2);
      for (const end = at + bytes; at < end; at += 4) {
        store<u32>(at, load<u32>(from));
        from += BLOCK_VECTORS * 4;
      }
    }
  }
  arenaRelease(mark);
  return true;
}

/**
 * Turns a section whose codes `blocksToRows` rewrote into one in rows, `roomForDocuments` before it: its vector i is what
 * was vector order[i]. A vector's slack is not known any more, only its block's, which is as great at least. Answers the
 * section, sealed, or 0 when there is no room.
 */
export function codesToRowSection(codes: usize, order: usize): usize {
  const vectors = vectorCount(codes);
  const rows = vectorCodes(codes);
  const old = arenaTake(rows - codes);
  if (old == 0) return 0;
  memory.copy(old, codes, rows - codes);
  if (permuteRows(rows, rowBytes(vectorDimensions(old)), vectors, order) != OK) return 0;
  const section = codes - roomForDocuments(old);
  writeHead(section, load<u32>(old, DOCUMENTS), vectors, vectorDimensions(old), vectorMetric(old), LAYOUT_ROWS);
  for (let i: u32 = 0; i < vectors; i++) {
    const from = load<u32>(order + ((<usize>i) << 2));
    const slot = (<usize>from) << 2;
    const slack = load<f32>(vectorBounds(old) + ((<usize>(from / BLOCK_VECTORS)) << 2));
    const squares = vectorMetric(old) == METRIC_L2 ? load<f64>(vectorSquares(old) + (slot << 1)) : 0;
    putNumbers(section, i, documentOf(old, from), load<f32>(vectorScales(old) + slot), slack, squares);
  }
  const end = codeRow(section, vectors);
  memory.fill(end, <u8>PLANE_OFFSET, section + <usize>codesSectionBytes(section) - end);
  endCodes(section);
  return section;
}

/** Puts the rows of `residuals` in the order of a graph. */
export function arrangeResiduals(residuals: usize, bytes: u32, order: usize, vectors: u32): i32 {
  const status = checkSection(residuals, bytes, RESIDUALS_MAGIC, HEAD_BYTES);
  if (status != OK) return status;
  if (load<u32>(residuals, RESIDUAL_VECTORS) != vectors || residualsSectionBytes(residuals) != bytes) return BAD_LENGTH;
  const permuted = permuteRows(residualRow(residuals, 0), rowBytes(load<u32>(residuals, RESIDUAL_DIMENSIONS)), vectors, order);
  if (permuted == OK) endResiduals(residuals);
  return permuted;
}

// --- Checks ---------------------------------------------------------------------------------

export function checkCodes(codes: usize, bytes: u32, documents: u32): i32 {
  const status = checkSection(codes, bytes, CODES_MAGIC, HEAD_BYTES);
  if (status != OK) return status;
  const dimensions = vectorDimensions(codes);
  if (dimensions == 0 || dimensions > DIMENSIONS_MAX || vectorMetric(codes) > METRIC_L2) return BAD_VALUE;
  const layout = load<u32>(codes, LAYOUT);
  if (layout > LAYOUT_ROWS && layout != HAS_ALL_DOCUMENTS) return BAD_VALUE;
  const vectors = vectorCount(codes);
  if (documents > TEXT_DOCUMENTS_MAX) return BAD_VALUE;
  if (load<u32>(codes, DOCUMENTS) != documents || vectors > documents) return BAD_LENGTH;
  if (hasAllDocuments(codes) && vectors != documents) return BAD_LENGTH;
  if (codesSectionBytes(codes) != bytes) return BAD_LENGTH;
  const order = hasAllDocuments(codes) ? OK : checkDocuments(codes, documents);
  return order != OK ? order : checkNumbers(codes);
}

/** Those of blocks ascend. Those of rows need only exist: `inverseOf` finds whether two are the same. */
function checkDocuments(codes: usize, documents: u32): i32 {
  const ascends = vectorLayout(codes) == LAYOUT_BLOCKS;
  for (let i: u32 = 0; i < vectorCount(codes); i++) {
    const document = documentOf(codes, i);
    if (document >= documents) return BAD_VALUE;
    if (ascends && i > 0 && documentOf(codes, i - 1) >= document) return BAD_ORDER;
  }
  return OK;
}

function checkNumbers(codes: usize): i32 {
  for (let at = vectorScales(codes), end = vectorSquares(codes); at < end; at += 4) {
    const value = load<f32>(at);
    if (!(value >= 0 && value <= f32.MAX_VALUE)) return BAD_VALUE;
  }
  for (let at = vectorSquares(codes), end = vectorCodes(codes); at < end; at += 8) {
    const value = load<f64>(at);
    if (!(value >= 0 && value <= 1e15)) return BAD_VALUE;
  }
  return OK;
}

/** `codes` was checked. */
export function checkResiduals(residuals: usize, bytes: u32, codes: usize): i32 {
  const status = checkSection(residuals, bytes, RESIDUALS_MAGIC, HEAD_BYTES);
  if (status != OK) return status;
  if (load<u32>(residuals, RESIDUAL_VECTORS) != vectorCount(codes)) return BAD_LENGTH;
  if (load<u32>(residuals, RESIDUAL_DIMENSIONS) != vectorDimensions(codes)) return BAD_LENGTH;
  return residualsSectionBytes(residuals) == bytes ? OK : BAD_LENGTH;
}
