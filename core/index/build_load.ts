/**
 * What a build takes, told before it is done from the sizes of its lines and shards. Estimates: a build that turns out
 * larger than a shard may be is asked for again with half the commits (durable-objects/entity/entity_index.ts).
 */
import { BUILD_MEMORY_BYTES_MAX, GRAPH_BYTES_PER_VECTOR_MAX, SHARD_BYTES_MAX } from "../limits.ts";

/** Sums of what is built together. */
export interface BuildLoad {
  /** Of the shard. */
  readonly bytes: number;
  /** What the builder has in memory at once. */
  readonly memoryBytes: number;
}

export const NO_LOAD: BuildLoad = { bytes: 0, memoryBytes: 0 };

/** The lines of a commit. */
export interface LinesSize {
  readonly lines: number;
  readonly rawBytes: number;
  /** How many have a vector, its dimensions, and the bytes of all digits in `rawBytes`. */
  readonly vectors: number;
  readonly dimensions: number;
  readonly vectorBytes: number;
}

/** Of a shard: its bytes, and those of its vectors and graphs in them. */
export interface ShardSize {
  readonly bytes: number;
  readonly chunks: number;
  readonly vectorBytes: number;
}

/** Tables that a line takes, and what is kept of each byte of its text: compressed, and as postings. */
const LINE_BYTES = 64;
const KEPT_SHARE = 0.6;
/** Bytes of text after which a line has one chunk more. */
const CHUNK_TEXT_BYTES = 2_000;
const BYTES_PER_DIMENSION = 2.1;
/** How often a byte is in memory at once: of lines, terms and tables; of vectors; of their digits. */
const PLAIN_COPIES = 16;
const VECTOR_COPIES = 3;
const DIGITS_COPIES = 3;

/** `embeddedDimensions`: of vectors that are made of texts; 0 when none are. */
export function loadOfLines(size: LinesSize, embeddedDimensions: number): BuildLoad {
  const textBytes = size.rawBytes - size.vectorBytes;
  const chunks = size.lines + Math.floor(textBytes / CHUNK_TEXT_BYTES);
  const plain = LINE_BYTES * size.lines + KEPT_SHARE * textBytes;
  const vectors =
    size.vectors > 0 ? size.vectors * bytesOfVector(size.dimensions) : chunks * bytesOfVector(embeddedDimensions);
  return {
    bytes: plain + vectors,
    memoryBytes: PLAIN_COPIES * plain + VECTOR_COPIES * vectors + DIGITS_COPIES * size.vectorBytes,
  };
}

function bytesOfVector(dimensions: number): number {
  return dimensions === 0 ? 0 : BYTES_PER_DIMENSION * dimensions + GRAPH_BYTES_PER_VECTOR_MAX;
}

/** Of a shard that is merged: with room for a graph over its vectors, which it may not have had. */
export function loadOfShard({ bytes, chunks, vectorBytes }: ShardSize): BuildLoad {
  const graph = vectorBytes === 0 ? 0 : chunks * GRAPH_BYTES_PER_VECTOR_MAX;
  return {
    bytes: bytes + graph,
    memoryBytes: PLAIN_COPIES * (bytes - vectorBytes) + VECTOR_COPIES * (vectorBytes + graph),
  };
}

/** Dimensions of vectors that a shard seems to have, of one for each chunk. */
export function dimensionsIn({ chunks, vectorBytes }: ShardSize): number {
  return chunks === 0 ? 0 : Math.round(vectorBytes / chunks / BYTES_PER_DIMENSION);
}

export function together(a: BuildLoad, b: BuildLoad): BuildLoad {
  return { bytes: a.bytes + b.bytes, memoryBytes: a.memoryBytes + b.memoryBytes };
}

/** Whether one shard may come of it, in the memory that a builder has. */
export function isBuildable({ bytes, memoryBytes }: BuildLoad): boolean {
  return bytes <= SHARD_BYTES_MAX && memoryBytes <= BUILD_MEMORY_BYTES_MAX;
}
