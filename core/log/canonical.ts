/**
 * Canonical JSON (RFC 8785): one text for one value, so that equal content has equal bytes and equal digests.
 * Members in order of their names' UTF-16 code units, no white space, numbers as ECMAScript writes them, -0 as 0.
 * Deviation: a lone surrogate, which the RFC refuses, is written as its \u escape, which parses back to the same string.
 */
import type { Json } from "../schema/scalar.ts";

/** Throws on what JSON has no text for (undefined, NaN, infinities): a value that was parsed holds none of them. */
export function canonicalJson(value: Json): string {
  switch (typeof value) {
    case "string":
    case "boolean":
      return JSON.stringify(value);
    case "number":
      if (!Number.isFinite(value)) throw new RangeError(`JSON cannot say ${value}`);
      return JSON.stringify(value);
    case "object":
      return value === null ? "null" : isArray(value) ? canonicalArray(value) : canonicalObject(value);
    default:
      throw new TypeError(`JSON cannot say ${typeof value}`);
  }
}

/** Array.isArray does not narrow readonly arrays. */
const isArray: (value: object) => value is readonly Json[] = Array.isArray;

function canonicalArray(values: readonly Json[]): string {
  let text = "[";
  for (let i = 0; i < values.length; i++) {
    // A hole reads as undefined and is refused like it.
    text += (i === 0 ? "" : ",") + canonicalJson(values[i] as Json);
  }
  return `${text}]`;
}

function canonicalObject(members: { readonly [key: string]: Json }): string {
  let text = "{";
  for (const name of Object.keys(members).sort()) {
    text += `${text.length === 1 ? "" : ","}${JSON.stringify(name)}:${canonicalJson(members[name] as Json)}`;
  }
  return `${text}}`;
}
