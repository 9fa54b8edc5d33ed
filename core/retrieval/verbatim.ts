/**
 * A query that is one token with a digit or a sign in it is a look-up: an identifier, path or address, pasted. Terms are
 * folded and stripped of what stands around them, so `./main.rkt` and `main.rkt`, `IPv6` and `ipv6` are one to the text
 * leg, and it does not see `v6` in `v6.12`. So a hybrid search has a third leg then: the best document, of those that
 * the other legs found, whose text holds the query as written. Its weight is that of the others together, which puts it
 * first.
 */
import { FUSION_WEIGHT_MAX } from "../limits.ts";

interface Leg {
  /** Best first. */
  readonly ordinals: Uint32Array;
}

/** The token that is looked up; null when the query is prose. */
export function verbatimOf(text: string | null): string | null {
  const token = text?.trim() ?? "";
  return /^\S+$/u.test(token) && /[^\p{L}\p{M}]/u.test(token) ? token : null;
}

/** The first document of each leg that holds the token; null where none does, or none was looked for. */
export interface VerbatimPlaces {
  readonly text: number | null;
  readonly vector: number | null;
}

/**
 * `token` null: nothing is looked up. Texts are read until one is found: the text leg's first, which is nearly always
 * its first; the vector leg's where the text leg has none, or when `both` are wanted.
 */
export function verbatimIn(
  { text, vector }: { readonly text: Leg | null; readonly vector: Leg | null },
  token: string | null,
  textOf: (ordinal: number) => string | null,
  both: boolean,
): VerbatimPlaces {
  if (token === null) return { text: null, vector: null };
  const holdsToken = (ordinal: number): boolean => textOf(ordinal)?.includes(token) ?? false;
  const inText = text?.ordinals.find(holdsToken) ?? null;
  return { text: inText, vector: both || inText === null ? (vector?.ordinals.find(holdsToken) ?? null) : null };
}

/** The document that is looked up: the first that holds the token of those that `legs` have. */
export function findVerbatim(
  { text, vector }: { readonly text: Leg | null; readonly vector: Leg | null },
  ...places: readonly VerbatimPlaces[]
): number | null {
  const inText = new Set(places.map((place) => place.text));
  const inVector = new Set(places.map((place) => place.vector));
  return (
    text?.ordinals.find((ordinal) => inText.has(ordinal)) ??
    vector?.ordinals.find((ordinal) => inVector.has(ordinal)) ??
    null
  );
}

/** At rank 1 it alone equals the most that the other legs can give, and its document is in one of them besides. */
export function verbatimWeight(weights: { readonly text: number; readonly vector: number }): number {
  return Math.min(weights.text + weights.vector, FUSION_WEIGHT_MAX);
}
