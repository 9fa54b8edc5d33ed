/**
 * A corpus as one request's body: the length of a JSON head (u32, little-endian), the head, then its arrays, each from a
 * multiple of 8 bytes on.
 */
import type { Corpus } from "./corpus.ts";

const ALIGNMENT = 8;

type Head = Pick<Corpus, "name" | "documents" | "texts"> & {
  readonly vectors: Omit<NonNullable<Corpus["vectors"]>, "values"> | null;
  readonly hasFields: boolean;
};

export function packCorpus(corpus: Corpus): Uint8Array<ArrayBuffer> {
  const { name, documents, texts, vectors, fields } = corpus;
  const shape =
    vectors === null ? null : { metric: vectors.metric, dimensions: vectors.dimensions, count: vectors.count };
  const head: Head = { name, documents, texts, vectors: shape, hasFields: fields !== null };
  const headBytes = new TextEncoder().encode(JSON.stringify(head));
  const arrays = [
    ...(vectors === null ? [] : [vectors.values]),
    ...(fields === null ? [] : [fields.bucket, fields.entity, fields.time]),
  ];
  let end = aligned(4 + headBytes.length);
  const places = arrays.map((array) => {
    const at = end;
    end = aligned(end + array.byteLength);
    return at;
  });
  const bytes = new Uint8Array(end);
  new DataView(bytes.buffer).setUint32(0, headBytes.length, true);
  bytes.set(headBytes, 4);
  arrays.forEach((array, index) => {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), places[index] ?? 0);
  });
  return bytes;
}

/** The arrays are views of `bytes`. */
export function unpackCorpus(bytes: ArrayBuffer): Corpus {
  const headLength = new DataView(bytes).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, headLength))) as Head;
  let at = aligned(4 + headLength);
  const next = (byteLength: number): number => {
    const from = at;
    at = aligned(at + byteLength);
    return from;
  };
  const { name, documents, texts, vectors, hasFields } = head;
  const numbers = vectors === null ? 0 : vectors.count * vectors.dimensions;
  return {
    name,
    documents,
    texts,
    vectors: vectors === null ? null : { ...vectors, values: new Float32Array(bytes, next(4 * numbers), numbers) },
    fields: hasFields
      ? {
          bucket: new Uint32Array(bytes, next(4 * documents), documents),
          entity: new Uint32Array(bytes, next(4 * documents), documents),
          time: new Float64Array(bytes, next(8 * documents), documents),
        }
      : null,
  };
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
