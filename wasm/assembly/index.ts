/**
 * The kernel's border: scalars and byte offsets. No call allocates what was not set aside before, reads a clock or
 * throws; what can fail answers a negative number of status.ts. The caller copies bytes in and out of the imported
 * memory.
 *
 * One module, two uses: a builder's instance turns texts and vectors into sections (its memory may grow to its limit);
 * a slab's holds parts and searches them (its memory never grows).
 */
import { arenaClear, arenaFree, arenaInit, arenaRelease, arenaTake } from "./arena";
import { bitsAnd, bitsCount, bitsGather, bitsNot, bitsOfCodes, bitsOfTimes, bitsOr, setBit } from "./bitset";
import { lookUp, setParameters, TERM_SHIFT, textExplain, textStatistics } from "./bm25";
import { fusionAdd, fusionBegin, fusionEnd } from "./fusion";
import { beginInsertions, insertVectors } from "./graph_build";
import { arrange } from "./graph_order";
import { BEAM_MAX } from "./graph_search";
import { beginState, checkState, graphBytes, graphInserted, sealGraph, STATE_MAGIC } from "./graph_section";
import { countMisses } from "./graph_trial";
import { inverseDocumentFrequency, naturalLogarithm } from "./logarithm";
import {
  checkedSection,
  partBytes,
  partCheck,
  partCodes,
  partColumn,
  partColumnWidth,
  partDocuments,
  partDrop,
  partGraph,
  partPlaceColumn,
  partPlaceSection,
  partPostings,
  partQuestionNorms,
  partReserve,
  partResiduals,
  partRowOfDocument,
  partRows,
  partRowTimes,
  partSectionBytes as sectionBytesInPart,
  partText,
  partVectorOfDocument,
  partVectorSteps,
  partWordNorms,
} from "./parts";
import { checksum } from "./section";
import { BAD_LENGTH, BAD_VALUE, CAPACITY, OK } from "./status";
import {
  ENTRY_RECORD,
  ENTRY_SHIFT,
  FIELD_QUESTION,
  FIELD_WORD,
  recordPendingTf,
  recordTerm,
  recordTermBytes,
  sortedRecords,
  tableBegin,
  tableStatus,
  termCount,
} from "./term_table";
import { checkText } from "./text_check";
import {
  beginLookUps,
  foundOffset,
  foundPostingsBytes,
  locateTerm,
  lookUpStatus,
  PREFIX_ENTRY_BYTES_MAX,
  termsWithPrefix,
} from "./text_reader";
import { textSearch, textSearchBytes } from "./text_search";
import { bitsetBytes, TEXT_HEAD_BYTES, textDocuments } from "./text_section";
import {
  writeTextSections,
  writtenPostings,
  writtenPostingsBytes,
  writtenText,
  writtenTextBytes,
} from "./text_writer";
import { BOUND_BYTES, boundsNext, scoreBounded } from "./vector_bounds";
import { isEncodable } from "./vector_codec";
import {
  boundVectors as boundSelected,
  nodesVisited,
  scoreVector as scoreSelected,
  searchVectors as searchSelected,
  selectVectors,
  vectorSearchBytes,
} from "./vector_search";
import {
  arrangeResiduals,
  beginCodes,
  beginResiduals,
  blocksToRows,
  checkCodes,
  codesDocuments,
  codesSectionBytes,
  checkResiduals,
  endCodes,
  endResiduals,
  inverseOf,
  LAYOUT_BLOCKS,
  putVector,
  takeVectors,
  roomForDocuments,
  vectorCount,
  vectorDimensions,
  vectorLayout,
  vectorsBefore,
  vectorMetric,
} from "./vector_section";
import { scanWholes, wholesIndexed } from "./wholes";
import { wordCacheBegin } from "./word_cache";
import { countWordsOf, scanWords, wordsIndexed, wordsSeen } from "./words";

// --- Memory ---------------------------------------------------------------------------------

export { arenaInit as init, arenaClear as clear, arenaFree as free, arenaRelease as release };

/** An offset aligned to 64, or 0 when it does not fit. */
export function take(bytes: u32): usize {
  return arenaTake(bytes);
}

// --- Building text --------------------------------------------------------------------------

let wordLengths: usize = 0;
let questionLengths: usize = 0;
let wholeBits: usize = 0;
let textCount: u32 = 0;

export function textBegin(documents: u32): i32 {
  textCount = documents;
  wordLengths = arenaTake(((<u64>documents) << 2) + 16);
  questionLengths = arenaTake(((<u64>documents) << 2) + 16);
  wholeBits = arenaTake(bitsetBytes(documents) + 16);
  if (wordLengths == 0 || questionLengths == 0 || wholeBits == 0) return CAPACITY;
  memory.fill(wordLengths, 0, ((<usize>documents) << 2) + 16);
  memory.fill(questionLengths, 0, ((<usize>documents) << 2) + 16);
  memory.fill(wholeBits, 0, <usize>bitsetBytes(documents) + 16);
  return wordCacheBegin(documents) ? tableBegin() : CAPACITY;
}

/** Document `document` has the UTF-8 text at `at`. Documents come in ascending order. */
export function textAdd(document: u32, at: usize, bytes: u32): i32 {
  scanWords(at, at + bytes, document, FIELD_WORD);
  store<u32>(wordLengths + ((<usize>document) << 2), wordsIndexed);
  scanWholes(at, at + bytes, document);
  if (wholesIndexed > 0) setBit(wholeBits, document);
  return tableStatus;
}

/** Document `document`, whose text was added, answers the questions in the UTF-8 text at `at`. */
export function questionsAdd(document: u32, at: usize, bytes: u32): i32 {
  scanWords(at, at + bytes, document, FIELD_QUESTION);
  store<u32>(questionLengths + ((<usize>document) << 2), wordsIndexed);
  return tableStatus;
}

/** Writes both sections. OK or CAPACITY. */
export function textEnd(): i32 {
  return writeTextSections(textCount, wordLengths, questionLengths, wholeBits);
}

/** Offsets and bytes of the sections that `textEnd` wrote. */
export function textAt(): usize {
  return writtenText;
}

export function textBytes(): u32 {
  return writtenTextBytes;
}

export function postingsAt(): usize {
  return writtenPostings;
}

export function postingsBytes(): u32 {
  return writtenPostingsBytes;
}

export function countWords(at: usize, bytes: u32): u32 {
  countWordsOf(at, at + bytes);
  return wordsSeen;
}

/**
 * The terms of the UTF-8 text at `at`, by field, then bytes. Answers their offset, or 0. Their number u32, then each: bytes
 * u32 · count u32 · the term, field byte first, padded to 4.
 */
export function termsOf(text: usize, textBytes: u32): usize {
  if (textBegin(1) != OK || textAdd(0, text, textBytes) != OK) return 0;
  const records = sortedRecords();
  if (records == 0) return 0;
  let bytes: u64 = 4;
  for (let i: u32 = 0; i < termCount; i++)
    bytes += 12 + recordTermBytes(<usize>load<u32>(records + ((<usize>i) << ENTRY_SHIFT), ENTRY_RECORD));
  const out = arenaTake(bytes);
  if (out == 0) return 0;
  store<u32>(out, termCount);
  let at = out + 4;
  for (let i: u32 = 0; i < termCount; i++) {
    const record = <usize>load<u32>(records + ((<usize>i) << ENTRY_SHIFT), ENTRY_RECORD);
    const length = recordTermBytes(record);
    store<u32>(at, length);
    store<u32>(at, recordPendingTf(record), 4);
    memory.copy(at + 8, recordTerm(record), length);
    at += 8 + ((length + 3) & ~3);
  }
  return out;
}

// --- Planning reads -------------------------------------------------------------------------

/** Proves a text section that stands alone, for the call below. */
export function textCheck(text: usize, bytes: u32): i32 {
  return bytes < TEXT_HEAD_BYTES ? BAD_LENGTH : checkText(text, bytes, textDocuments(text));
}

/** Where the postings of terms lie in the postings section: offset u32 · bytes u32 each, 0 of a term that is not there. */
export function postingsPlaces(text: usize, terms: usize, count: u32, out: usize): void {
  for (let i: u32 = 0; i < count; i++, terms += 1 << TERM_SHIFT, out += 8) {
    const isThere = locateTerm(text, <usize>load<u32>(terms), load<u32>(terms, 4));
    store<u32>(out, isThere ? foundOffset : 0);
    store<u32>(out, isThere ? foundPostingsBytes : 0, 4);
  }
}

// --- Building vectors -----------------------------------------------------------------------

export { isEncodable as vectorIsEncodable };

/** Where the codes of `vectors` vectors over `documents` documents are written, or 0. */
export function codesBegin(documents: u32, vectors: u32, dimensions: u32, metric: u32): usize {
  return beginCodes(documents, vectors, dimensions, metric, LAYOUT_BLOCKS);
}

/** Proves sections whole before vectors are taken from them. */
export function vectorsCheck(codes: usize, codesBytes: u32, residuals: usize, residualsBytes: u32): i32 {
  const status = checkCodes(codes, codesBytes, codesDocuments(codes));
  return status == OK ? checkResiduals(residuals, residualsBytes, codes) : status;
}

export {
  beginResiduals as residualsBegin,
  putVector as vectorPut,
  inverseOf as vectorsInverse,
  takeVectors as vectorsTake,
  vectorsBefore,
  endCodes as codesEnd,
  endResiduals as residualsEnd,
};

// --- Building a graph -----------------------------------------------------------------------

/** Vectors that a `codes` section says it has. Its head of 64 bytes is enough. */
export function codesVectors(codes: usize): u32 {
  return vectorCount(codes);
}

/** Bytes that must be free before a section with this head, so that `graphArrange` can rewrite it. */
export function graphRoomBefore(codes: usize): f64 {
  return <f64>roomForDocuments(codes);
}

/** Proves a `codes` section in blocks whole, and turns it into rows for the calls below. */
export function graphOpen(codes: usize, bytes: u32): i32 {
  if (bytes < 64) return BAD_LENGTH;
  const status = checkCodes(codes, bytes, codesDocuments(codes));
  if (status != OK) return status;
  if (vectorLayout(codes) != LAYOUT_BLOCKS) return BAD_VALUE;
  return blocksToRows(codes) ? OK : CAPACITY;
}

/** Of the state of a graph over so many vectors, and of the graph. */
export function graphStateBytes(vectors: u32): f64 {
  return <f64>graphBytes(vectors);
}

/** Writes the state in which nothing was inserted to `state`. */
export function graphBegin(codes: usize, state: usize): void {
  beginState(state, codes, vectorCount(codes));
}

/** Proves a state whole and of these codes. */
export function graphResume(codes: usize, state: usize, bytes: u32): i32 {
  return checkState(state, bytes, codes, vectorCount(codes));
}

/** Inserts up to `count` vectors more and seals the state. Answers how many are in, or CAPACITY. */
export function graphInsert(codes: usize, state: usize, count: u32): i32 {
  const status = beginInsertions(codes, state);
  if (status != OK) return status;
  const inserted = insertVectors(count);
  sealGraph(state, STATE_MAGIC);
  return <i32>inserted;
}

export function graphInsertedOf(state: usize): u32 {
  return graphInserted(state);
}

/**
 * Turns a finished state into the graph, and its codes into a section in the graph's order; answers where that begins,
 * or CAPACITY. Writes the order, u32 a vector, to `order`.
 */
export function graphArrange(codes: usize, state: usize, order: usize): i32 {
  return arrange(codes, state, order);
}

export function codesBytes(codes: usize): u32 {
  return <u32>codesSectionBytes(codes);
}

/** Proves residuals whole and puts them in the graph's order. */
export { arrangeResiduals as residualsArrange };

/** What the graph of arranged sections does not find. */
export { countMisses as graphMisses };

// --- Parts ----------------------------------------------------------------------------------

export { partReserve, partPlaceColumn, partPlaceSection, partCheck, partDrop, partRowOfDocument, partRowTimes };

/** As f64, because it may be more than any memory holds. */
export function partSize(
  documents: u32,
  rows: u32,
  columns: u32,
  columnBytes: f64,
  sectionBytes: f64,
  hasGraph: bool,
  hasQuestions: bool,
): f64 {
  return <f64>partBytes(documents, rows, columns, <u64>columnBytes, <u64>sectionBytes, hasGraph, hasQuestions);
}

/** What a section takes of the `sectionBytes` of `partSize` and `partReserve`. */
export function partSectionBytes(section: u32, bytes: u32): f64 {
  return <f64>sectionBytesInPart(section, bytes);
}

/** What the last `partCheck` refused: a section's number, or one more than the last for the rows. */
export function partFault(): u32 {
  return checkedSection;
}

export function partVectors(part: usize): u32 {
  return partCodes(part) == 0 ? 0 : vectorCount(partCodes(part));
}

export function partDimensions(part: usize): u32 {
  return partCodes(part) == 0 ? 0 : vectorDimensions(partCodes(part));
}

export function partMetric(part: usize): u32 {
  return partCodes(part) == 0 ? 0 : vectorMetric(partCodes(part));
}

// --- Filters --------------------------------------------------------------------------------

export { bitsAnd, bitsOr, bitsNot, bitsCount };

/** `accepted` has a byte for every code of the column, 1 or 0. */
export function rowsWithCode(part: usize, column: u32, accepted: usize, to: usize): void {
  const rows = partRows(part);
  const width = partColumnWidth(part, column);
  bitsOfCodes(partColumn(part, column), width, rows, accepted, to, <usize>bitsetBytes(rows));
}

export function rowsInTime(part: usize, from: f64, until: f64, to: usize): void {
  bitsOfTimes(partRowTimes(part), partRows(part), from, until, to, <usize>bitsetBytes(partRows(part)));
}

export function documentsOfRows(part: usize, rows: usize, to: usize): void {
  const documents = partDocuments(part);
  bitsGather(rows, partRowOfDocument(part), documents, to, <usize>bitsetBytes(documents));
}

// --- Search ---------------------------------------------------------------------------------

/** Scratch that a search of a part of `documents` takes besides its inputs and its keys. */
export function searchScratch(documents: u32, hasGraph: bool): f64 {
  return <f64>max<u64>(textSearchBytes(documents), vectorSearchBytes(documents, hasGraph));
}

/** OK; or why the postings of one of the terms cannot be read. */
export function proveTerms(part: usize, terms: usize, count: u32): i32 {
  beginLookUps();
  for (let i: u32 = 0; i < count; i++) lookUp(partText(part), partPostings(part), terms + ((<usize>i) << TERM_SHIFT));
  return lookUpStatus;
}

/** What `proveTerms` would answer. If that is not OK, nothing else is of use: likewise in the two calls that follow. */
export function statistics(part: usize, terms: usize, count: u32, live: usize, out: usize): i32 {
  beginLookUps();
  textStatistics(partText(part), partPostings(part), terms, count, live, out);
  return lookUpStatus;
}

/** The parameters of the calls of `searchText` and `explainText` that follow. */
export { setParameters as textParameters };

export function searchText(part: usize, terms: usize, count: u32, matches: usize, limit: u32, out: usize): i32 {
  const text = partText(part);
  const postings = partPostings(part);
  const words = partWordNorms(part);
  beginLookUps();
  const found = textSearch(text, postings, words, partQuestionNorms(part), terms, count, matches, limit, out);
  return lookUpStatus == OK ? found : lookUpStatus;
}

export function explainText(part: usize, terms: usize, count: u32, document: u32, out: usize): i32 {
  beginLookUps();
  textExplain(partText(part), partPostings(part), terms, count, document, out);
  return lookUpStatus;
}

export function prefixTerms(part: usize, prefix: usize, bytes: u32, limit: u32, out: usize): u32 {
  return termsWithPrefix(partText(part), prefix, bytes, limit, out);
}

/** What one term that `prefixTerms` writes takes at most. */
export function prefixTermBytes(): u32 {
  return PREFIX_ENTRY_BYTES_MAX;
}

/** `beam`: 0 for the exact answer, else at least `limit`; above BEAM_MAX, and without a graph, it is exact too. */
export function searchVectors(part: usize, vector: usize, matches: usize, limit: u32, beam: u32, out: usize): i32 {
  select(part);
  return searchSelected(vector, matches, limit, beam > BEAM_MAX ? 0 : beam, out);
}

/** The first of the two steps of vector_bounds.ts, of a part whose residuals may be absent. */
export function boundVectors(
  part: usize,
  vector: usize,
  matches: usize,
  limit: u32,
  floor: f32,
  from: u32,
  most: u32,
  out: usize,
): i32 {
  select(part);
  return boundSelected(vector, matches, limit, floor, from, most, out);
}

/** Where the next call for the same goes on; 0 when the last told everything. */
export function boundsFrom(): u32 {
  return boundsNext;
}

/** Bytes of a bound. */
export function boundBytes(): u32 {
  return BOUND_BYTES;
}

/** The second step; of bounds of any parts with these dimensions and metric. */
export { scoreBounded };

/** Nodes of the graph that the last `searchVectors` scored; 0 when its answer is exact. */
export function vectorsVisited(): u32 {
  return nodesVisited;
}

export function scoreVector(part: usize, vector: usize, document: u32, out: usize): i32 {
  select(part);
  return scoreSelected(vector, document, out);
}

function select(part: usize): void {
  const steps = partVectorSteps(part);
  const inverse = partVectorOfDocument(part);
  selectVectors(partCodes(part), partResiduals(part), partGraph(part), steps, inverse, partDocuments(part));
}

export { inverseDocumentFrequency as idf, naturalLogarithm as logarithm };
export { fusionBegin, fusionAdd, fusionEnd };

/** The checksum of shard files, a piece at a time (core/index/section_checksum.ts). */
export function checksumOf(at: usize, bytes: usize): u64 {
  return checksum(at, bytes);
}
