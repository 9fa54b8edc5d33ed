/**
 * The vector section: where things lie in it, how it is written and checked.
 *
 *   head            24 documents u32 · 28 vectors u32 · 32 dimensions u32 · 36 metric u32
 *   documents       u32 a vector, ascending: the document it belongs to
 *   scales          f32 a vector
 *   residual norms  f32 a vector: at least the length of its residual
 *   squares         f64 a vector: Σ q²
 *   codes           groups of 4 vectors: 16 dimensions of each in turn, then the next 16, so that a scan is one stream
 *   residuals       a row a vector
 * Each begins at a multiple of 16; arrays are padded with zeros to whole groups.
 */
import { arenaTake } from "./arena";
import { checkSection, padded16, sealSection } from "./section";
import { BAD_LENGTH, BAD_ORDER, BAD_VALUE, OK } from "./status";
import {
  encodedResidualNorm,
  encodedScale,
  encodeVector,
  METRIC_L2,
  paddedDimensions,
  quantizedSquares,
  STEP_DIMENSIONS,
} from "./vector_codec";

const VECTOR_MAGIC: u32 = 0x43565043; // CPVC
const VECTOR_HEAD_BYTES: u32 = 64;
export const GROUP_VECTORS: u32 = 4;
/** As core/limits.ts has it: sums of products stay within their integers up to here. */
const DIMENSIONS_MAX: u32 = 4096;

const DOCUMENTS: usize = 24;
const VECTORS: usize = 28;
const DIMENSIONS: usize = 32;
const METRIC: usize = 36;

@inline
export function vectorCount(section: usize): u32 {
  return load<u32>(section, VECTORS);
}

@inline
export function vectorDimensions(section: usize): u32 {
  return load<u32>(section, DIMENSIONS);
}

@inline
export function vectorMetric(section: usize): u32 {
  return load<u32>(section, METRIC);
}

@inline
export function groupCount(vectors: u32): u32 {
  return (vectors + GROUP_VECTORS - 1) / GROUP_VECTORS;
}

@inline
function slots(section: usize): usize {
  return <usize>(groupCount(vectorCount(section)) * GROUP_VECTORS);
}

@inline
export function vectorDocuments(section: usize): usize {
  return section + VECTOR_HEAD_BYTES;
}

@inline
export function vectorScales(section: usize): usize {
  return vectorDocuments(section) + (slots(section) << 2);
}

@inline
export function vectorResidualNorms(section: usize): usize {
  return vectorScales(section) + (slots(section) << 2);
}

@inline
export function vectorSquares(section: usize): usize {
  return vectorResidualNorms(section) + (slots(section) << 2);
}

@inline
export function vectorCodes(section: usize): usize {
  return vectorSquares(section) + (slots(section) << 3);
}

@inline
function vectorResiduals(section: usize): usize {
  return vectorCodes(section) + slots(section) * paddedDimensions(vectorDimensions(section));
}

export function vectorSectionBytes(vectors: u32, dimensions: u32): u64 {
  const padded = <u64>groupCount(vectors) * GROUP_VECTORS;
  return VECTOR_HEAD_BYTES + padded * (4 + 4 + 4 + 8) + padded * paddedDimensions(dimensions) * 2;
}

/** Sets a zeroed section aside and writes its head; 0 when it does not fit. */
export function beginVectorSection(documents: u32, vectors: u32, dimensions: u32, metric: u32): usize {
  const bytes = padded16(vectorSectionBytes(vectors, dimensions));
  const section = bytes > <u64>i32.MAX_VALUE ? 0 : arenaTake(bytes);
  if (section == 0) return 0;
  memory.fill(section, 0, <usize>bytes);
  store<u32>(section, documents, DOCUMENTS);
  store<u32>(section, vectors, VECTORS);
  store<u32>(section, dimensions, DIMENSIONS);
  store<u32>(section, metric, METRIC);
  return section;
}

/** Where 16 dimensions of vector `index` begin; the next 16 are GROUP_VECTORS · 16 bytes on. */
@inline
export function codesOf(section: usize, index: u32): usize {
  const group = <usize>(index / GROUP_VECTORS) * GROUP_VECTORS * paddedDimensions(vectorDimensions(section));
  return vectorCodes(section) + group + <usize>(index % GROUP_VECTORS) * STEP_DIMENSIONS;
}

@inline
export function residualsOf(section: usize, index: u32): usize {
  return vectorResiduals(section) + <usize>index * paddedDimensions(vectorDimensions(section));
}

/** `vector` is encodable. */
export function putVector(section: usize, index: u32, document: u32, vector: usize): void {
  const stride = GROUP_VECTORS * STEP_DIMENSIONS;
  encodeVector(
    vector,
    vectorDimensions(section),
    vectorMetric(section),
    codesOf(section, index),
    stride,
    residualsOf(section, index),
  );
  const slot = (<usize>index) << 2;
  store<u32>(vectorDocuments(section) + slot, document);
  store<f32>(vectorScales(section) + slot, encodedScale);
  store<f32>(vectorResidualNorms(section) + slot, encodedResidualNorm);
  store<f64>(vectorSquares(section) + (slot << 1), quantizedSquares);
}

/** Answers the bytes of the section. */
export function endVectorSection(section: usize): u32 {
  const bytes = <u32>padded16(vectorSectionBytes(vectorCount(section), vectorDimensions(section)));
  sealSection(section, bytes, VECTOR_MAGIC);
  return bytes;
}

export function checkVectors(section: usize, bytes: u32, documents: u32): i32 {
  const status = checkSection(section, bytes, VECTOR_MAGIC, VECTOR_HEAD_BYTES);
  if (status != OK) return status;
  const dimensions = vectorDimensions(section);
  if (dimensions == 0 || dimensions > DIMENSIONS_MAX || vectorMetric(section) > METRIC_L2) return BAD_VALUE;
  if (load<u32>(section, DOCUMENTS) != documents || vectorCount(section) > documents) return BAD_LENGTH;
  if (padded16(vectorSectionBytes(vectorCount(section), dimensions)) != bytes) return BAD_LENGTH;
  return checkNumbers(section, documents);
}

function checkNumbers(section: usize, documents: u32): i32 {
  const count = vectorCount(section);
  for (let i: u32 = 0; i < count; i++) {
    const slot = (<usize>i) << 2;
    const document = load<u32>(vectorDocuments(section) + slot);
    if (document >= documents) return BAD_VALUE;
    if (i > 0 && load<u32>(vectorDocuments(section) + slot - 4) >= document) return BAD_ORDER;
    const scale = load<f32>(vectorScales(section) + slot);
    const norm = load<f32>(vectorResidualNorms(section) + slot);
    const squares = load<f64>(vectorSquares(section) + (slot << 1));
    if (!(scale >= 0 && scale <= f32.MAX_VALUE && norm >= 0 && norm <= f32.MAX_VALUE)) return BAD_VALUE;
    if (!(squares >= 0 && squares <= 1e15)) return BAD_VALUE;
  }
  return OK;
}
