/**
 * Cuts an event's text into chunks (L1), the unit of retrieval.
 *
 * Invariants: chunks are in order, do not overlap, begin and end on characters, and cover every character that is not
 * white space; none has more than CHUNK_TOKENS_MAX tokens; the same text gives the same chunks on every engine.
 * A text within the limit is one chunk, untouched; a text of white space has none. Every chunk of a longer text has a
 * token: marks alone find nothing, and stay with what follows them.
 *
 * A longer text may be cut, best first, before a heading, a paragraph, a line, a sentence, and only where a sentence
 * alone is too long, a word:
 *
 *     start              limit / 2               limit
 *       |-----------------|-----------------------|
 *                          the best cut in here, the latest of equals;
 *        else the latest sentence before it; else the last word that fits
 *
 * So a chunk but the last has more than half the limit, or has more than the limit together with its successor: a cut
 * below half was the latest sentence within the limit, so its successor ends beyond that limit, or is a full limit of
 * words on top of a token or more, or is all the rest. A token takes two bytes or more with what parts it from the next,
 * hence an event of EVENT_BYTES_MAX has at most 2^19 / (CHUNK_TOKENS_MAX / 2) = 2,048 chunks: CHUNKS_PER_EVENT_MAX
 * cannot be reached, and is asserted rather than handled.
 */
import { CHUNK_TOKENS_MAX, CHUNKS_PER_EVENT_MAX } from "../limits.ts";
import { utf8Length } from "../schema/scalar.ts";

/** Part of the revision: change it whenever any text would be cut otherwise. */
export const CHUNKER = "structure-2";

export interface Chunk {
  readonly text: string;
  /** UTF-8 bytes [from, to) of the event's text. */
  readonly from: number;
  readonly to: number;
}

/** Places where a text may be cut, ascending; parallel arrays, since a megabyte of text has many. */
interface Cuts {
  /** UTF-16 index of the first character after the cut. */
  readonly at: number[];
  readonly strength: number[];
  /** Tokens before the cut. */
  readonly tokens: number[];
}

const WORD = 0;
const SENTENCE = 1;
const LINE = 2;
const PARAGRAPH = 3;
const HEADING = 4;

export function chunkText(text: string): readonly Chunk[] {
  const start = skipSpace(text, 0);
  if (start === text.length) return [];
  if (tokensMax(text) <= CHUNK_TOKENS_MAX) return [whole(text)];
  const cuts = findCuts(text);
  if (totalTokens(cuts) <= CHUNK_TOKENS_MAX) return [whole(text)];
  const chunks = withByteOffsets(text, chooseCuts(cuts));
  if (chunks.length > CHUNKS_PER_EVENT_MAX) throw new Error(`${chunks.length} chunks of one event`);
  return chunks;
}

/** More than it has: no token is shorter than one UTF-16 unit, and none but a CJK character stands beside another. */
function tokensMax(text: string): number {
  return MAY_BE_CJK.test(text) ? text.length : Math.ceil(text.length / 2);
}

/** From the first character that `isCjk` takes on, surrogates included. */
const MAY_BE_CJK = /[\u3040-\uffff]/;

/**
 * Tokens: maximal runs of letters and digits; each Han, kana or Hangul character is one. Counted by ranges of code
 * points and not by Unicode properties, whose tables differ between engines.
 */
export function countTokens(text: string): number {
  return totalTokens(findCuts(text));
}

function whole(text: string): Chunk {
  return { text, from: 0, to: utf8Length(text) };
}

// --- Where a text may be cut ----------------------------------------------------------------

/** Every start of a token is a cut, and so is every start of a sentence or line; the last entry is the end. */
function findCuts(text: string): Cuts {
  const cuts: Cuts = { at: [], strength: [], tokens: [] };
  let tokens = 0;
  let inToken = false;
  let pending = PARAGRAPH; // the strength of a cut before the next character that is not white space
  for (let at = 0; at < text.length; ) {
    const code = text.codePointAt(at) ?? 0;
    const next = at + (code > 0xffff ? 2 : 1);
    if (isSpace(code)) {
      inToken = false;
      pending = Math.max(pending, code === NEWLINE ? lineEnd(text, at) : WORD);
      at = next;
      continue;
    }
    const cjk = isCjk(code);
    const startsToken = cjk || (!inToken && isWordCharacter(code));
    const strength = Math.max(pending, code === LESS_THAN || pending >= LINE ? structureAt(text, at) : WORD);
    if (startsToken || strength > WORD) {
      cuts.at.push(at);
      cuts.strength.push(strength);
      cuts.tokens.push(tokens);
    }
    if (startsToken) tokens++;
    inToken = !cjk && isWordCharacter(code);
    pending = isSentenceEnd(text, at, code) ? SENTENCE : WORD;
    at = next;
  }
  cuts.at.push(text.length);
  cuts.strength.push(HEADING);
  cuts.tokens.push(tokens);
  return cuts;
}

const NEWLINE = 0x0a;
const LESS_THAN = 0x3c;
const HASH = 0x23;

/** A line that is followed by an empty one ends a paragraph. */
function lineEnd(text: string, newline: number): number {
  for (let at = newline + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === NEWLINE) return PARAGRAPH;
    if (!isSpace(code)) return LINE;
  }
  return PARAGRAPH;
}

const MARKDOWN_HEADING = /#{1,6}[ \t]/y;
const HTML_HEADING = /<h[1-6][\s>]/iy;
const HTML_BLOCK = /<(?:p|div|li|tr|td|ul|ol|table|section|article|blockquote|pre)[\s>]/iy;

/** What begins here: at the first character of a line, or at a `<` anywhere. */
function structureAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code === HASH) return matchesAt(MARKDOWN_HEADING, text, at) ? HEADING : WORD;
  if (code !== LESS_THAN) return WORD;
  if (matchesAt(HTML_HEADING, text, at)) return HEADING;
  return matchesAt(HTML_BLOCK, text, at) ? PARAGRAPH : WORD;
}

function matchesAt(pattern: RegExp, text: string, at: number): boolean {
  pattern.lastIndex = at;
  return pattern.test(text);
}

const CLOSERS = `"')]}»”’*_`;
const IDEOGRAPHIC_STOPS = "。！？";

/** The last character of a sentence: the next one, white space aside, begins another. */
function isSentenceEnd(text: string, at: number, code: number): boolean {
  const character = text.charAt(at);
  if (IDEOGRAPHIC_STOPS.includes(character)) return true;
  if (code > 0x7f && !CLOSERS.includes(character)) return false;
  const stop = CLOSERS.includes(character) ? beforeClosers(text, at) : character;
  if (stop !== "." && stop !== "!" && stop !== "?") return false;
  const next = text.charCodeAt(at + 1);
  if (!isSpace(next)) return false;
  // "approx. five" and "e.g. this": a sentence does not begin in lower case.
  const following = text.charCodeAt(skipSpace(text, at + 1));
  return stop !== "." || !(following >= 0x61 && following <= 0x7a);
}

function beforeClosers(text: string, at: number): string {
  const nearest = Math.max(0, at - 4);
  let before = at;
  while (before > nearest && CLOSERS.includes(text.charAt(before))) before--;
  return text.charAt(before);
}

// --- Which cuts are taken -------------------------------------------------------------------

/** Half-open ranges of UTF-16 indexes, white space at their ends included. */
function chooseCuts(cuts: Cuts): readonly { readonly start: number; readonly end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  const last = cuts.at.length - 1;
  for (let from = 0; from < last; ) {
    const to = bestCut(cuts, from, last);
    ranges.push({ start: cuts.at[from] ?? 0, end: cuts.at[to] ?? 0 });
    from = to;
  }
  return ranges;
}

function bestCut(cuts: Cuts, from: number, last: number): number {
  const tokensBefore = cuts.tokens[from] ?? 0;
  const tokensAt = (cut: number): number => (cuts.tokens[cut] ?? 0) - tokensBefore;
  if (tokensAt(last) <= CHUNK_TOKENS_MAX) return last;
  let latest = from + 1;
  while (tokensAt(latest + 1) <= CHUNK_TOKENS_MAX) latest++;
  let best = latest;
  let bestStrength = WORD;
  for (let cut = latest; tokensAt(cut) > 0; cut--) {
    const inWindow = tokensAt(cut) > CHUNK_TOKENS_MAX / 2;
    if (!inWindow && bestStrength > WORD) break;
    const strength = cuts.strength[cut] ?? WORD;
    if (strength > bestStrength) {
      best = cut;
      bestStrength = strength;
    }
    if (!inWindow && bestStrength > WORD) break;
  }
  return best;
}

function totalTokens(cuts: Cuts): number {
  return cuts.tokens.at(-1) ?? 0;
}

// --- Bytes and characters -------------------------------------------------------------------

function withByteOffsets(
  text: string,
  ranges: readonly { readonly start: number; readonly end: number }[],
): readonly Chunk[] {
  let index = 0;
  let bytes = 0;
  return ranges.map(({ start, end }) => {
    const trimmedEnd = skipSpaceBack(text, end);
    const from = bytes + utf8Bytes(text, index, start);
    const to = from + utf8Bytes(text, start, trimmedEnd);
    index = trimmedEnd;
    bytes = to;
    return { text: text.slice(start, trimmedEnd), from, to };
  });
}

function utf8Bytes(text: string, start: number, end: number): number {
  let bytes = 0;
  for (let at = start; at < end; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else {
      const pair = (text.codePointAt(at) ?? 0) > 0xffff;
      bytes += pair ? 4 : 3;
      if (pair) at++;
    }
  }
  return bytes;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

function skipSpaceBack(text: string, end: number): number {
  let at = end;
  while (at > 0 && isSpace(text.charCodeAt(at - 1))) at--;
  return at;
}

/** White space as ECMAScript's `\s` has it. */
function isSpace(code: number): boolean {
  if (code <= 0x20) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  if (code < 0xa0) return false;
  if (code === 0xa0 || code === 0x1680 || code === 0x3000 || code === 0xfeff) return true;
  return (code >= 0x2000 && code <= 0x200a) || code === 0x2028 || code === 0x2029 || code === 0x202f || code === 0x205f;
}

/** Kana, Han and Hangul, which are not written with spaces or are counted as if they were not. */
function isCjk(code: number): boolean {
  if (code < 0x3040) return false;
  return (
    code <= 0x30ff ||
    (code >= 0x3400 && code <= 0x4dbf) ||
    (code >= 0x4e00 && code <= 0x9fff) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0x20000 && code <= 0x3ffff)
  );
}

/**
 * Letters and digits: all beyond ASCII except the blocks of punctuation and symbols. What ends a sentence must never be
 * one of them, or a cut after it would part a token in two.
 */
function isWordCharacter(code: number): boolean {
  if (code < 0x80)
    return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  if (code < 0xc0) return code === 0xaa || code === 0xb5 || code === 0xba;
  if (code === 0xd7 || code === 0xf7) return false;
  if (code >= 0x2000 && code <= 0x2bff) return code >= 0x2100 && code <= 0x218f;
  if (code >= 0x2e00 && code <= 0x303f) return false;
  // Full-width ASCII is as ASCII is; the half-width marks that follow it fall on controls, which are none either.
  if (code >= 0xff00 && code <= 0xff65) return isWordCharacter(code - 0xfee0);
  return code < 0x1f000 || code > 0x1faff;
}
