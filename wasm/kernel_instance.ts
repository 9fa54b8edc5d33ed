/**
 * One instance of the kernel and its memory. The only file that touches `WebAssembly.Memory`: everything else passes
 * scalars and offsets. Views are kept until growth detaches them; what leaves the memory is a copy.
 */

const PAGE_BYTES = 65_536;

/** Of wasm/assembly/status.ts, for whoever tells it from damage. */
export const NOT_READ = -9;

/** Names of wasm/assembly/status.ts. */
const STATUS_TEXT: ReadonlyMap<number, string> = new Map([
  [-1, "does not fit"],
  [-2, "is of another kind"],
  [-3, "has an unknown format version"],
  [-4, "has lengths that do not agree"],
  [-5, "has a wrong checksum"],
  [-6, "is out of order"],
  [-7, "holds an impossible number"],
  [-8, "was asked for what does not exist"],
  [NOT_READ, "was not read"],
]);

/** wasm/assembly/index.ts says what each does. */
export interface KernelExports {
  init(bytesMax: number): void;
  clear(): void;
  free(): number;
  release(mark: number): void;
  take(bytes: number): number;

  textBegin(documents: number): number;
  textAdd(document: number, at: number, bytes: number): number;
  questionsAdd(document: number, at: number, bytes: number): number;
  textEnd(): number;
  textAt(): number;
  textBytes(): number;
  postingsAt(): number;
  postingsBytes(): number;
  termsOf(at: number, bytes: number): number;
  textCheck(text: number, bytes: number): number;
  postingsPlaces(text: number, terms: number, count: number, out: number): void;
  countWords(at: number, bytes: number): number;
  codesBegin(documents: number, vectors: number, dimensions: number, metric: number): number;
  residualsBegin(vectors: number, dimensions: number): number;
  vectorIsEncodable(at: number, dimensions: number, metric: number): number;
  vectorPut(codes: number, residuals: number, index: number, document: number, at: number, row: number): void;
  vectorsCheck(codes: number, codesBytes: number, residuals: number, residualsBytes: number): number;
  vectorsBefore(codes: number, documents: number): number;
  vectorsInverse(codes: number, to: number, documents: number): number;
  vectorsTake(
    codes: number,
    residuals: number,
    index: number,
    document: number,
    fromCodes: number,
    fromResiduals: number,
    inverse: number,
    documents: number,
    row: number,
  ): number;
  codesEnd(codes: number): number;
  residualsEnd(residuals: number): number;
  codesVectors(codes: number): number;
  codesBytes(codes: number): number;
  graphRoomBefore(codes: number): number;
  graphOpen(codes: number, bytes: number): number;
  graphStateBytes(vectors: number): number;
  graphBegin(codes: number, state: number): void;
  graphResume(codes: number, state: number, bytes: number): number;
  graphInsert(codes: number, state: number, count: number): number;
  graphInsertedOf(state: number): number;
  graphArrange(codes: number, state: number, order: number): number;
  residualsArrange(residuals: number, bytes: number, order: number, vectors: number): number;
  graphMisses(
    codes: number,
    residuals: number,
    graph: number,
    questions: number,
    nearest: number,
    beam: number,
  ): number;

  partSize(
    documents: number,
    rows: number,
    columns: number,
    columnBytes: number,
    sectionBytes: number,
    hasGraph: number,
    hasQuestions: number,
  ): number;
  partSectionBytes(section: number, bytes: number): number;
  partReserve(
    documents: number,
    rows: number,
    columns: number,
    columnBytes: number,
    sectionBytes: number,
    hasGraph: number,
    hasQuestions: number,
  ): number;
  partPlaceColumn(part: number, column: number, width: number): number;
  partPlaceSection(part: number, section: number, bytes: number): number;
  partCheck(part: number): number;
  partFault(): number;
  partDrop(part: number): void;
  partRowOfDocument(part: number): number;
  partRowTimes(part: number): number;
  partVectors(part: number): number;
  partDimensions(part: number): number;
  partMetric(part: number): number;
  searchScratch(documents: number, hasGraph: number): number;

  bitsAnd(a: number, b: number, to: number, bytes: number): void;
  bitsOr(a: number, b: number, to: number, bytes: number): void;
  bitsNot(a: number, to: number, bytes: number, count: number): void;
  bitsCount(a: number, bytes: number): number;
  rowsWithCode(part: number, column: number, accepted: number, to: number): void;
  rowsInTime(part: number, from: number, until: number, to: number): void;
  documentsOfRows(part: number, rows: number, to: number): void;

  proveTerms(part: number, terms: number, count: number): number;
  statistics(part: number, terms: number, count: number, live: number, out: number): number;
  idf(documents: number, df: number): number;
  logarithm(x: number): number;
  textParameters(k1: number, b: number, averageLength: number, averageQuestionLength: number): void;
  searchText(part: number, terms: number, count: number, matches: number, limit: number, out: number): number;
  explainText(part: number, terms: number, count: number, document: number, out: number): number;
  prefixTerms(part: number, prefix: number, bytes: number, limit: number, out: number): number;
  prefixTermBytes(): number;
  searchVectors(part: number, vector: number, matches: number, limit: number, beam: number, out: number): number;
  vectorsVisited(): number;
  boundVectors(
    part: number,
    vector: number,
    matches: number,
    limit: number,
    floor: number,
    from: number,
    most: number,
    out: number,
  ): number;
  boundsFrom(): number;
  boundBytes(): number;
  scoreBounded(
    dimensions: number,
    metric: number,
    vector: number,
    bounds: number,
    rows: number,
    count: number,
    out: number,
  ): number;
  scoreVector(part: number, vector: number, document: number, out: number): number;
  fusionBegin(at: number, table: number, slots: number): void;
  fusionAdd(keys: number, count: number, weight: number, k: number): void;
  fusionEnd(limit: number): number;
  checksumOf(at: number, bytes: number): bigint;
}

/** The instance has no room for what was asked. Callers that respect the named limits never see it. */
export class KernelCapacityError extends Error {
  override readonly name = "KernelCapacityError";
}

export interface Views {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
}

function viewsOf(buffer: ArrayBuffer): Views {
  return {
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
  };
}

export interface KernelInstance {
  readonly kernel: KernelExports;
  /** Bytes of the memory now. */
  memoryBytes(): number;
  /** Room for `bytes`, until the enclosing `frame` ends. Throws KernelCapacityError. */
  take(bytes: number): number;
  /** Runs `body` and frees all that it took. */
  frame<T>(body: () => T): T;
  putBytes(at: number, bytes: Uint8Array): void;
  putU16(at: number, values: Uint16Array): void;
  putU32(at: number, values: Uint32Array): void;
  putF32(at: number, values: Float32Array): void;
  putF64(at: number, values: Float64Array): void;
  /** The whole memory as it is now: the next call of the kernel may grow it, and detach them. */
  views(): Views;
  /** UTF-8 of `text`, which has room up to `bytesMax`. Answers its bytes. */
  putText(at: number, text: string, bytesMax: number): number;
  bytes(at: number, length: number): Uint8Array;
  u32(at: number, count: number): Uint32Array;
  f32(at: number, count: number): Float32Array;
  /** Of UTF-8. */
  text(at: number, length: number): string;
}

/**
 * Up to so many characters, ASCII is copied in and out by our own loops: the platform's coders take as long to call, and
 * many times longer when other work has thrown them out of the processor's caches.
 */
const SHORT_TEXT_CHARACTERS_MAX = 128;
const ASCII_END = 0x80;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The memory starts at `initialBytes`, or what the module needs if more, and never exceeds `bytesMax`. */
export function createKernelInstance(
  module: WebAssembly.Module,
  initialBytes: number,
  bytesMax: number,
): KernelInstance {
  const memory = new WebAssembly.Memory({ initial: initialBytes / PAGE_BYTES, maximum: bytesMax / PAGE_BYTES });
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  const kernel = instance.exports as KernelExports & WebAssembly.Exports;
  let current = viewsOf(memory.buffer);
  /** The first offset taken in the current frame; 0 before that. What the kernel hands out ascends. */
  let frameBegin = 0;
  /** Growth detaches the views before it, which leaves them without length. */
  const views = (): Views => {
    if (current.u8.length === 0) current = viewsOf(memory.buffer);
    return current;
  };
  kernel.init(bytesMax);
  return {
    kernel,
    memoryBytes: () => memory.buffer.byteLength,
    take(bytes) {
      // The kernel counts in 32 bits.
      const at = bytes > bytesMax ? 0 : kernel.take(bytes);
      if (at === 0)
        throw new KernelCapacityError(`the kernel has no room for ${bytes} bytes; ${kernel.free()} are left`);
      if (frameBegin === 0) frameBegin = at;
      return at;
    },
    frame(body) {
      const outer = frameBegin;
      frameBegin = 0;
      try {
        return body();
      } finally {
        if (frameBegin !== 0) kernel.release(frameBegin);
        frameBegin = outer;
      }
    },
    putBytes: (at, bytes) => views().u8.set(bytes, at),
    putU16: (at, values) => views().u16.set(values, at >> 1),
    putU32: (at, values) => views().u32.set(values, at >> 2),
    putF32: (at, values) => views().f32.set(values, at >> 2),
    putF64: (at, values) => views().f64.set(values, at >> 3),
    views,
    putText(at, text, textBytesMax) {
      const { u8 } = views();
      const ascii = putAscii(u8, at, text);
      if (ascii === text.length) return ascii;
      return ascii + encoder.encodeInto(text.slice(ascii), u8.subarray(at + ascii, at + textBytesMax)).written;
    },
    bytes: (at, length) => views().u8.slice(at, at + length),
    u32: (at, count) => views().u32.slice(at >> 2, (at >> 2) + count),
    f32: (at, count) => views().f32.slice(at >> 2, (at >> 2) + count),
    text(at, length) {
      const { u8 } = views();
      return asciiAt(u8, at, length) ?? decoder.decode(u8.subarray(at, at + length));
    },
  };
}

/** At least the bytes of `text` as UTF-8. */
export function utf8Room(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A pair of surrogates is four bytes, a lone one is written as three.
    bytes += unit < ASCII_END ? 1 : unit < 0x800 ? 2 : 3;
  }
  return bytes;
}

/** The ASCII that a short text begins with. Answers its bytes. */
function putAscii(to: Uint8Array, at: number, text: string): number {
  if (text.length > SHORT_TEXT_CHARACTERS_MAX) return 0;
  let index = 0;
  for (; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= ASCII_END) break;
    to[at + index] = unit;
  }
  return index;
}

/** null when it is long or not ASCII. */
function asciiAt(from: Uint8Array, at: number, length: number): string | null {
  if (length > SHORT_TEXT_CHARACTERS_MAX) return null;
  let text = "";
  for (let index = 0; index < length; index++) {
    const byte = from[at + index] ?? 0;
    if (byte >= ASCII_END) return null;
    text += String.fromCharCode(byte);
  }
  return text;
}

export function statusText(status: number): string {
  return STATUS_TEXT.get(status) ?? `status ${status}`;
}
