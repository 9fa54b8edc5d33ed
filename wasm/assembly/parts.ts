/**
 * Parts of a scope in the arena of a slab, one after the other. A part's handle is the offset of its record:
 *
 *   0 documents u32 · 4 rows u32 · 8 columns u32 · 12 text u32 · 16 text bytes u32 · 20 vectors u32 · 24 vector bytes
 *   u32 · 28 row of document u32 · 32 row times u32 · 36 first free byte of the columns u32 · 40 their end u32 · 44
 *   end of part u32
 *   64 …  a column: offset u32 · bytes a code u32
 *
 * `partReserve` sets room aside, the wrapper copies the sections in, `partCheck` proves them whole. Only then may a
 * part be searched.
 */
import { aligned, arenaFree, arenaRelease, arenaTake } from "./arena";
import { padded16 } from "./section";
import { BAD_ARGUMENT, BAD_ORDER, BAD_VALUE, CAPACITY, OK } from "./status";
import { checkText } from "./text_reader";
import { checkVectors } from "./vector_section";

const DOCUMENTS: usize = 0;
const ROWS: usize = 4;
const COLUMNS: usize = 8;
const TEXT: usize = 12;
const TEXT_BYTES: usize = 16;
const VECTORS: usize = 20;
const VECTOR_BYTES: usize = 24;
const ROW_OF_DOCUMENT: usize = 28;
const ROW_TIMES: usize = 32;
const COLUMNS_FREE: usize = 36;
const COLUMNS_END: usize = 40;
const END: usize = 44;
const RECORD_BYTES: u64 = 64;
const COLUMN_SHIFT: usize = 3;

@inline
export function partDocuments(part: usize): u32 {
  return load<u32>(part, DOCUMENTS);
}

@inline
export function partRows(part: usize): u32 {
  return load<u32>(part, ROWS);
}

@inline
export function partText(part: usize): usize {
  return <usize>load<u32>(part, TEXT);
}

/** 0 when the part has none. */
@inline
export function partVectors(part: usize): usize {
  return <usize>load<u32>(part, VECTORS);
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
export function partColumn(part: usize, column: u32): usize {
  return <usize>load<u32>(part + <usize>RECORD_BYTES + ((<usize>column) << COLUMN_SHIFT));
}

@inline
export function partColumnWidth(part: usize, column: u32): u32 {
  return load<u32>(part + <usize>RECORD_BYTES + ((<usize>column) << COLUMN_SHIFT), 4);
}

/** Bytes that a part takes. `columnBytes`: of all columns, each padded to 16. */
export function partBytes(
  documents: u32,
  rows: u32,
  columns: u32,
  columnBytes: u64,
  textBytes: u64,
  vectorBytes: u64,
): u64 {
  const fixed = aligned(RECORD_BYTES + ((<u64>columns) << COLUMN_SHIFT));
  const rowBytes = aligned((<u64>documents) << 2) + aligned((<u64>rows) << 3) + aligned(columnBytes);
  return fixed + rowBytes + aligned(textBytes) + aligned(vectorBytes);
}

/** Answers the part, or CAPACITY. */
export function partReserve(
  documents: u32,
  rows: u32,
  columns: u32,
  columnBytes: u32,
  textBytes: u32,
  vectorBytes: u32,
): i32 {
  const bytes = partBytes(documents, rows, columns, columnBytes, textBytes, vectorBytes);
  if (bytes + 64 > arenaFree()) return CAPACITY;
  const part = arenaTake(bytes);
  if (part == 0) return CAPACITY;
  let at = part + <usize>aligned(RECORD_BYTES + ((<u64>columns) << COLUMN_SHIFT));
  memory.fill(part, 0, at - part);
  store<u32>(part, documents, DOCUMENTS);
  store<u32>(part, rows, ROWS);
  store<u32>(part, columns, COLUMNS);
  store<u32>(part, <u32>at, ROW_OF_DOCUMENT);
  at += <usize>aligned((<u64>documents) << 2);
  store<u32>(part, <u32>at, ROW_TIMES);
  at += <usize>aligned((<u64>rows) << 3);
  store<u32>(part, <u32>at, COLUMNS_FREE);
  at += <usize>aligned(columnBytes);
  store<u32>(part, <u32>at, COLUMNS_END);
  store<u32>(part, <u32>at, TEXT);
  store<u32>(part, textBytes, TEXT_BYTES);
  at += <usize>aligned(textBytes);
  if (vectorBytes > 0) store<u32>(part, <u32>at, VECTORS);
  store<u32>(part, vectorBytes, VECTOR_BYTES);
  store<u32>(part, <u32>(part + <usize>bytes), END);
  return <i32>part;
}

/** Places column `column`, of 1, 2 or 4 bytes a code, and answers where its codes go. */
export function partPlaceColumn(part: usize, column: u32, width: u32): i32 {
  if (column >= load<u32>(part, COLUMNS) || (width != 1 && width != 2 && width != 4)) return BAD_ARGUMENT;
  const at = load<u32>(part, COLUMNS_FREE);
  const bytes = padded16(<u64>partRows(part) * width);
  if (<u64>at + bytes > <u64>load<u32>(part, COLUMNS_END)) return CAPACITY;
  const slot = part + <usize>RECORD_BYTES + ((<usize>column) << COLUMN_SHIFT);
  store<u32>(slot, at);
  store<u32>(slot, width, 4);
  store<u32>(part, at + <u32>bytes, COLUMNS_FREE);
  return <i32>at;
}

/** What `partCheck` was looking at: 1 rows, 2 text, 3 vectors. */
export let checkedSection: u32 = 0;

/** Proves a part whole. Nothing but this may be called before it answered OK. */
export function partCheck(part: usize): i32 {
  checkedSection = 1;
  const rows = checkRows(part);
  if (rows != OK) return rows;
  checkedSection = 2;
  const text = checkText(partText(part), load<u32>(part, TEXT_BYTES), partDocuments(part));
  if (text != OK) return text;
  checkedSection = 3;
  return partVectors(part) == 0
    ? OK
    : checkVectors(partVectors(part), load<u32>(part, VECTOR_BYTES), partDocuments(part));
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
