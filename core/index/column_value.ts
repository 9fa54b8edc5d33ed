/**
 * One distinct value of a column as bytes: a byte that tells its type, then
 *
 *   s  UTF-8         l  string table (string_table.ts)
 *   n  f64           t, f  nothing
 *
 * Whether bytes are a value can be told without decoding it, so a reader checks all of them at once and decodes few.
 */
import type { AttributeValue } from "../schema/event.ts";
import { readStringTable, writeStringTable } from "./string_table.ts";

const TAG = { text: 0x73, number: 0x6e, list: 0x6c, yes: 0x74, no: 0x66 } as const;
const NUMBER_BYTES = 9;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

export function encodeValue(value: AttributeValue): Uint8Array {
  if (typeof value === "string") return tagged(TAG.text, encoder.encode(value));
  if (typeof value === "boolean") return Uint8Array.of(value ? TAG.yes : TAG.no);
  if (typeof value !== "number") return tagged(TAG.list, writeStringTable(value));
  const bytes = Uint8Array.of(TAG.number, 0, 0, 0, 0, 0, 0, 0, 0);
  new DataView(bytes.buffer).setFloat64(1, value, true);
  return bytes;
}

function tagged(tag: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + content.length);
  bytes[0] = tag;
  bytes.set(content, 1);
  return bytes;
}

/** Whether bytes [from, to) are a value. */
export function isValue(bytes: Uint8Array, from: number, to: number): boolean {
  if (from === to) return false;
  switch (bytes[from]) {
    case TAG.text:
      return true;
    case TAG.yes:
    case TAG.no:
      return to - from === 1;
    case TAG.number:
      return to - from === NUMBER_BYTES && hasFiniteExponent(bytes[to - 1] ?? 0, bytes[to - 2] ?? 0);
    case TAG.list:
      return readStringTable(bytes.subarray(from + 1, to)) !== null;
    default:
      return false;
  }
}

/** Not all ones, which stand for infinities and NaN: told from the two highest bytes of a number. */
function hasFiniteExponent(highest: number, next: number): boolean {
  return (highest & 0x7f) !== 0x7f || (next & 0xf0) !== 0xf0;
}

/** `bytes` are a value (`isValue`). */
export function decodeValue(bytes: Uint8Array): AttributeValue {
  switch (bytes[0]) {
    case TAG.yes:
      return true;
    case TAG.no:
      return false;
    case TAG.number:
      return numberOf(bytes);
    case TAG.list: {
      const items = readStringTable(bytes.subarray(1));
      return Array.from({ length: items?.count ?? 0 }, (_, index) => items?.at(index) ?? "");
    }
    default:
      return decoder.decode(bytes.subarray(1));
  }
}

function numberOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(1, true);
}
