/**
 * Parts of a scope in the arena of a slab, one after the other. A part's handle is the offset of its record:
 *
 *   0 documents u32 · 4 rows u32 · 8 columns u32 · 12 row of document u32 · 16 row times u32 · 20 vector of document u32,
 *   or 0 · 24 first free byte of the columns u32 · 28 their end u32 · 32 first free byte of the sections u32 · 36 end of
 *   part u32 · 40 word norms u32 · 44 question norms u32, 0 when there are no questions · 48 steps of vectors u32, or 0
 *   64 …   a section (SECTION_…): offset u32, 0 when there is none · bytes u32
 *   128 …  a column: offset u32 · bytes a code u32
 *
 * `partReserve` sets room aside, the wrapper copies columns and sections to where `partPlace…` says, `partCheck` proves
 * them whole, but for the postings of each term. Only then may a part be searched.
 */
import { aligned, arenaFree, arenaRelease, arenaTake } from "./arena";
import { measureSteps, stepsBytes } from "./graph_probe";
import { checkGraph, GRAPH_MAGIC, graphGreatestScale } from "./graph_section";
import { NORMS_BYTES, normsForget } from "./norms";
import { padded16 } from "./section";
import { BAD_ARGUMENT, BAD_LENGTH, BAD_ORDER, BAD_VALUE, CAPACITY, OK } from "./status";
import { checkPieces, checkPostingsSection, checkText } from "./text_check";
import { textMarks, textMarksBytes, textQuestionLengthBytes } from "./text_section";
import { checkCodes, checkResiduals, inverseOf, LAYOUT_ROWS, vectorCodes, vectorCount, vectorLayout } from "./vector_section";

const DOCUMENTS: usize = 0;
const ROWS: usize = 4;
const COLUMNS: usize = 8;
const ROW_OF_DOCUMENT: usize = 12;
const ROW_TIMES: usize = 16;
const VECTOR_OF_DOCUMENT: usize = 20;
const COLUMNS_FREE: usize = 24;
const COLUMNS_END: usize = 28;
const SECTIONS_FREE: usize = 32;
const END: usize = 36;
const WORD_NORMS: usize = 40;
const QUESTION_NORMS: usize = 44;
const VECTOR_STEPS: usize = 48;
const SECTIONS: usize = 64;
const RECORD_BYTES: u64 = 128;
const SLOT_SHIFT: usize = 3;

const SECTION_TEXT: u32 = 0;
const SECTION_CODES: u32 = 1;
const SECTION_RESIDUALS: u32 = 2;
const SECTION_POSTINGS: u32 = 3;
const SECTION_GRAPH: u32 = 4;
/** In place of the postings section. */
const SECTION_PIECES: u32 = 5;
const SECTION_COUNT: u32 = 6;

@inline
export function partDocuments(part: usize): u32 {
  return load<u32>(part, DOCUMENTS);
}

@inline
export function partRows(part: usize): u32 {
  return load<u32>(part, ROWS);
}

@inline
function sectionAt(part: usize, section: u32): usize {
  return <usize>load<u32>(part + SECTIONS + ((<usize>section) << SLOT_SHIFT));
}

@inline
function sectionBytes(part: usize, section: u32): u32 {
  return load<u32>(part + SECTIONS + ((<usize>section) << SLOT_SHIFT), 4);
}

/** 0 when nothing will ask for text. */
@inline
export function partText(part: usize): usize {
  return sectionAt(part, SECTION_TEXT);
}

/** The section, or the pieces of it. */
@inline
export function partPostings(part: usize): usize {
  return sectionAt(part, SECTION_POSTINGS) | sectionAt(part, SECTION_PIECES);
}

@inline
export function partWordNorms(part: usize): usize {
  return <usize>load<u32>(part, WORD_NORMS);
}

/** 0 when the part has no questions. */
@inline
export function partQuestionNorms(part: usize): usize {
  return <usize>load<u32>(part, QUESTION_NORMS);
}

/** 0 when the part has no vectors. */
@inline
export function partCodes(part: usize): usize {
  return sectionAt(part, SECTION_CODES);
}

/** 0 when they are paged: then vectors are searched in two steps (vector_bounds.ts). */
@inline
export function partResiduals(part: usize): usize {
  return sectionAt(part, SECTION_RESIDUALS);
}

/** 0 when there is none. */
@inline
export function partGraph(part: usize): usize {
  return sectionAt(part, SECTION_GRAPH);
}

/** Of vectors in rows: u32 a document, one more than its vector, or 0. */
@inline
export function partVectorOfDocument(part: usize): usize {
  return <usize>load<u32>(part, VECTOR_OF_DOCUMENT);
}

/** Of vectors with a graph: what `measureSteps` of graph_probe.ts wrote. */
@inline
export function partVectorSteps(part: usize): usize {
  return <usize>load<u32>(part, VECTOR_STEPS);
}

@inline
export function partRowOfDocument(part: usize): usize {
  return <usize>load<u32>(part, ROW_OF_DOCUMENT);
}

@inline
export function partRowTimes(part: usize): usize {
  return <usize>load<u32>(part, ROW_TIMES);
}

@inline
function columnSlot(part: usize, column: u32): usize {
  return part + <usize>RECORD_BYTES + ((<usize>column) << SLOT_SHIFT);
}

@inline
export function partColumn(part: usize, column: u32): usize {
  return <usize>load<u32>(columnSlot(part, column));
}

@inline
export function partColumnWidth(part: usize, column: u32): u32 {
  return load<u32>(columnSlot(part, column), 4);
}

/**
 * Bytes that a part takes. `columnBytes`: of all columns, each padded to 16; `sectionBytes`: of all sections, as
 * `partSectionBytes` counts each; `hasGraph`: its vectors lie in rows; `hasQuestions`: its documents answer questions.
 */
export function partBytes(
  documents: u32,
  rows: u32,
  columns: u32,
  columnBytes: u64,
  sectionBytes: u64,
  hasGraph: bool,
  hasQuestions: bool,
): u64 {
  const fixed = aligned(RECORD_BYTES + ((<u64>columns) << SLOT_SHIFT));
  const documentBytes = aligned((<u64>documents) << 2);
  const perRow = documentBytes + aligned((<u64>rows) << 3) + aligned(columnBytes);
  const norms = aligned(NORMS_BYTES) << <u64>hasQuestions;
  // A document has one vector at most.
  const ofGraph = hasGraph ? documentBytes + aligned(stepsBytes(documents)) : 0;
  return fixed + perRow + norms + sectionBytes + ofGraph;
}

/** Answers the part, or CAPACITY. The arguments of `partBytes`. */
export function partReserve(
  documents: u32,
  rows: u32,
  columns: u32,
  columnBytes: u32,
  sectionBytes: u32,
  hasGraph: bool,
  hasQuestions: bool,
): i32 {
  const bytes = partBytes(documents, rows, columns, columnBytes, sectionBytes, hasGraph, hasQuestions);
  if (bytes + 64 > arenaFree()) return CAPACITY;
  const part = arenaTake(bytes);
  if (part == 0) return CAPACITY;
  let at = part + <usize>aligned(RECORD_BYTES + ((<u64>columns) << SLOT_SHIFT));
  memory.fill(part, 0, at - part);
  store<u32>(part, documents, DOCUMENTS);
  store<u32>(part, rows, ROWS);
  store<u32>(part, columns, COLUMNS);
  store<u32>(part, <u32>at, ROW_OF_DOCUMENT);
  at += <usize>aligned((<u64>documents) << 2);
  if (hasGraph) {
    store<u32>(part, <u32>at, VECTOR_OF_DOCUMENT);
    at += <usize>aligned((<u64>documents) << 2);
    store<u32>(part, <u32>at, VECTOR_STEPS);
    at += <usize>aligned(stepsBytes(documents));
  }
  store<u32>(part, <u32>at, WORD_NORMS);
  at += <usize>aligned(NORMS_BYTES);
  if (hasQuestions) {
    store<u32>(part, <u32>at, QUESTION_NORMS);
    at += <usize>aligned(NORMS_BYTES);
  }
  store<u32>(part, <u32>at, ROW_TIMES);
  at += <usize>aligned((<u64>rows) << 3);
  store<u32>(part, <u32>at, COLUMNS_FREE);
  at += <usize>aligned(columnBytes);
  store<u32>(part, <u32>at, COLUMNS_END);
  store<u32>(part, <u32>at, SECTIONS_FREE);
  store<u32>(part, <u32>(part + <usize>bytes), END);
  return <i32>part;
}

/** What a section of `bytes` takes in a part. */
export function partSectionBytes(section: u32, bytes: u32): u64 {
  return aligned(bytes) + (section == SECTION_TEXT ? aligned(textMarksBytes(bytes)) : 0);
}

/** Places a section of `bytes` and answers where it goes. */
export function partPlaceSection(part: usize, section: u32, bytes: u32): i32 {
  const at = load<u32>(part, SECTIONS_FREE);
  if (section >= SECTION_COUNT) return BAD_ARGUMENT;
  const taken = partSectionBytes(section, bytes);
  if (at + taken > <u64>load<u32>(part, END)) return CAPACITY;
  const slot = part + SECTIONS + ((<usize>section) << SLOT_SHIFT);
  store<u32>(slot, at);
  store<u32>(slot, bytes, 4);
  store<u32>(part, at + <u32>taken, SECTIONS_FREE);
  return <i32>at;
}

/** Places column `column`, of 1, 2 or 4 bytes a code, and answers where its codes go. */
export function partPlaceColumn(part: usize, column: u32, width: u32): i32 {
  if (column >= load<u32>(part, COLUMNS) || (width != 1 && width != 2 && width != 4)) return BAD_ARGUMENT;
  const at = load<u32>(part, COLUMNS_FREE);
  const bytes = padded16(<u64>partRows(part) * width);
  if (<u64>at + bytes > <u64>load<u32>(part, COLUMNS_END)) return CAPACITY;
  const slot = columnSlot(part, column);
  store<u32>(slot, at);
  store<u32>(slot, width, 4);
  store<u32>(part, at + <u32>bytes, COLUMNS_FREE);
  return <i32>at;
}

/** What `partCheck` was looking at: a section, or SECTION_COUNT for the rows. */
export let checkedSection: u32 = 0;

/** Proves a part whole. Nothing but this may be called before it answered OK. */
export function partCheck(part: usize): i32 {
  checkedSection = SECTION_COUNT;
  const rows = checkRows(part);
  if (rows != OK) return rows;
  checkedSection = SECTION_TEXT;
  const text = partText(part) == 0 ? OK : checkTexts(part);
  if (text != OK || partCodes(part) == 0) return text;
  checkedSection = SECTION_CODES;
  const codes = checkVectors(part);
  if (codes != OK || partResiduals(part) == 0) return codes;
  checkedSection = SECTION_RESIDUALS;
  const residuals = checkResiduals(partResiduals(part), sectionBytes(part, SECTION_RESIDUALS), partCodes(part));
  if (residuals != OK || partGraph(part) == 0) return residuals;
  checkedSection = SECTION_GRAPH;
  return checkLinks(part);
}

function checkTexts(part: usize): i32 {
  const text = partText(part);
  const bytes = sectionBytes(part, SECTION_TEXT);
  const status = checkText(text, bytes, partDocuments(part));
  if (status != OK) return status;
  // Room for norms was set aside by what the caller read in the section.
  if ((textQuestionLengthBytes(text) != 0) != (partQuestionNorms(part) != 0)) return BAD_LENGTH;
  normsForget(partWordNorms(part));
  if (partQuestionNorms(part) != 0) normsForget(partQuestionNorms(part));
  memory.fill(textMarks(text), 0, textMarksBytes(bytes));
  checkedSection = sectionAt(part, SECTION_PIECES) == 0 ? SECTION_POSTINGS : SECTION_PIECES;
  const postings = partPostings(part);
  const postingsBytes = sectionBytes(part, checkedSection);
  return checkedSection == SECTION_PIECES
    ? checkPieces(text, postings, postingsBytes)
    : checkPostingsSection(text, postings, postingsBytes);
}

function checkVectors(part: usize): i32 {
  const codes = partCodes(part);
  const status = checkCodes(codes, sectionBytes(part, SECTION_CODES), partDocuments(part));
  if (status != OK) return status;
  const inverse = partVectorOfDocument(part);
  if ((inverse != 0) != (vectorLayout(codes) == LAYOUT_ROWS)) return BAD_LENGTH;
  return inverse == 0 || inverseOf(codes, inverse, partDocuments(part)) ? OK : BAD_ORDER;
}

function checkLinks(part: usize): i32 {
  const codes = partCodes(part);
  const graph = partGraph(part);
  const status = checkGraph(graph, sectionBytes(part, SECTION_GRAPH), codes, vectorCount(codes), GRAPH_MAGIC);
  if (status == OK) measureSteps(codes, vectorCodes(codes), graphGreatestScale(graph), partVectorSteps(part));
  return status;
}

function checkRows(part: usize): i32 {
  let last: u32 = 0;
  for (let i: u32 = 0; i < partDocuments(part); i++) {
    const row = load<u32>(partRowOfDocument(part) + ((<usize>i) << 2));
    if (row >= partRows(part)) return BAD_VALUE;
    if (row < last) return BAD_ORDER;
    last = row;
  }
  for (let i: u32 = 0; i < partRows(part); i++) {
    const time = load<f64>(partRowTimes(part) + ((<usize>i) << 3));
    if (time != time) return BAD_VALUE;
  }
  return OK;
}

/** Takes the last part away again, and its bytes with it. */
export function partDrop(part: usize): void {
  memory.fill(part, 0, <usize>load<u32>(part, END) - part);
  arenaRelease(part);
}
