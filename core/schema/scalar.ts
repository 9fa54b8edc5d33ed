/**
 * The scalar schemas that every other schema is made of: times, names, JSON values.
 * Byte limits are of UTF-8, since that is what keys and rows hold.
 */
import { z } from "zod";
import { ENTITY_BYTES_MAX, JSON_DEPTH_MAX, NAME_BYTES_MAX, TIMESTAMP_MS_MAX, TIMESTAMP_MS_MIN } from "../limits.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const BEYOND_ASCII = /[\u0080-\uffff]/;
/** Bytes that a UTF-16 unit takes at most. */
const UNIT_BYTES_MAX = 3;

/** Bytes of `text` in UTF-8; a lone surrogate counts as the three bytes it would be replaced by. */
export function utf8Length(text: string): number {
  // Most text is ASCII, which a pattern sees several times faster than a loop counts.
  if (!BEYOND_ASCII.test(text)) return text.length;
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/** No lone surrogates: such a string has no UTF-8 form, so it could not be stored and read back. */
const wellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

/** Control characters would end up in keys, logs and headers. */
export const withoutControls = (text: string): boolean => !/\p{Cc}/u.test(text);

export function boundedText(bytesMax: number) {
  return z
    .string()
    .refine(wellFormed, "has a lone surrogate, which UTF-8 cannot carry")
    .refine(
      (text) => text.length * UNIT_BYTES_MAX <= bytesMax || utf8Length(text) <= bytesMax,
      `is longer than ${bytesMax} bytes`,
    );
}

/** A short name, as people and systems write it: anything but nothing. */
export const nameSchema = boundedText(NAME_BYTES_MAX).refine((text) => text.length > 0, "is empty");

/** URLs fold these away, encoded or not, so nothing of this name could ever be addressed. */
export const isAddressable = (name: string): boolean => name !== "." && name !== "..";

export const entitySchema = boundedText(ENTITY_BYTES_MAX)
  .refine((text) => text.length > 0, "is empty")
  .refine(withoutControls, "has a control character")
  .refine(isAddressable, "cannot be addressed by a path");

/** Tenants are made by an administrator; a plain alphabet keeps them legible in keys and logs. */
export const tenantSchema = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, "must match [a-z0-9][a-z0-9_-]{0,63}");

const RFC_3339 = /^\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2}))?$/;

/** RFC 3339 (a bare date is its midnight UTC) or epoch milliseconds; inside, epoch milliseconds. */
export const timeSchema = z.union([z.string(), z.number()]).transform((value, context) => {
  const ms = typeof value === "number" ? value : parseRfc3339(value);
  if (ms === null || !Number.isInteger(ms) || ms < TIMESTAMP_MS_MIN || ms > TIMESTAMP_MS_MAX) {
    context.addIssue({ code: "custom", message: "must be an RFC 3339 time or integer epoch milliseconds" });
    return z.NEVER;
  }
  return ms;
});

/** Milliseconds, or null when `text` is no such time. Fractions beyond a millisecond are cut. */
export function parseRfc3339(text: string): number | null {
  if (!RFC_3339.test(text)) return null;
  const day = text.slice(0, 10);
  const ms = Date.parse(
    text.length === 10
      ? `${day}T00:00:00Z`
      : text
          .toUpperCase()
          .replace(" ", "T")
          .replace(/(\.\d{3})\d+/, "$1"),
  );
  if (Number.isNaN(ms)) return null;
  // Date.parse rolls 30 February over to March; such a day does not exist and is refused.
  const midnight = Date.parse(`${day}T00:00:00Z`);
  return new Date(midnight).toISOString().slice(0, 10) === day ? ms : null;
}

export function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** Any JSON, nested at most JSON_DEPTH_MAX deep: the value as it came, so that no key is lost (`__proto__` is one, too). */
export const jsonSchema: z.ZodType<Json> = z.custom<Json>((value) => isJson(value, 0), {
  error: `is no JSON, or nested deeper than ${JSON_DEPTH_MAX}`,
});

function isJson(value: unknown, depth: number): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || depth >= JSON_DEPTH_MAX) return false;
  return Object.values(value).every((child) => isJson(child, depth + 1));
}
