/**
 * Writes wasm/assembly/unicode_tables.ts: what the analyzer knows of Unicode, taken from the Unicode data of the
 * running Node. The output is committed, so that an index never depends on the Node that built the kernel.
 *
 *   classes   two stages: page of a code point, then a nibble for each of its 256 code points
 *   folds     two stages: page, then a u16 for each code point: 0 stays, below 0xD800 that code point,
 *             else an index into the expansions (UTF-8, each with its end)
 *
 * Folding is lower case, compatibility decomposition, and removal of the marks that only decorate a letter.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const OUTPUT = new URL("../wasm/assembly/unicode_tables.ts", import.meta.url);
const CODE_POINTS = 0x110000;
const PAGE = 256;
const EXPANSION_BASE = 0xd800;

const OTHER = 0;
const LETTER = 1;
const DIGIT = 2;
const MARK_KEPT = 3;
const MARK_DROPPED = 4;
const UNSPACED = 5;
const SPACE = 6;
const CONNECTOR = 7;
const UPPER = 8;
const LOWER = 9;

/** Scripts written without spaces between words: cut to bigrams. */
const UNSPACED_SCRIPT =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\u30fc\uff70]/u;

type Range = readonly [first: number, last: number];

/** Marks that decorate a letter: diacritics, Hebrew points, Arabic harakat, kana voicing. */
const DECORATION: readonly Range[] = [
  [0x0300, 0x036f],
  [0x0483, 0x0489],
  [0x0591, 0x05c7],
  [0x0610, 0x061a],
  [0x064b, 0x065f],
  [0x0670, 0x0670],
  [0x1ab0, 0x1aff],
  [0x1dc0, 0x1dff],
  [0x20d0, 0x20ff],
  [0x3099, 0x309a],
  [0xfe20, 0xfe2f],
];

/** What joins, parts or selects glyphs and is no letter itself. */
const JOINERS: readonly Range[] = [
  [0x00ad, 0x00ad],
  [0x034f, 0x034f],
  [0x200c, 0x200d],
  [0xfe00, 0xfe0f],
  [0xe0100, 0xe01ef],
];

function isWithin(ranges: readonly Range[], codePoint: number): boolean {
  return ranges.some(([first, last]) => codePoint >= first && codePoint <= last);
}

/** Letters that carry their accent in their body, which no decomposition takes off. */
const BODY_FOLDS: Readonly<Record<string, string>> = {
  ß: "ss",
  æ: "ae",
  œ: "oe",
  ø: "o",
  đ: "d",
  ð: "d",
  þ: "th",
  ł: "l",
  ħ: "h",
  ı: "i",
  ŧ: "t",
  ŋ: "n",
  ƀ: "b",
  ɨ: "i",
  ʉ: "u",
  ς: "σ",
};

function classOf(codePoint: number): number {
  const char = String.fromCodePoint(codePoint);
  if (isWithin(JOINERS, codePoint)) return MARK_DROPPED;
  if (/[\s\p{Z}\p{Cc}\u200b\ufeff]/u.test(char)) return SPACE;
  if (/\p{M}/u.test(char)) {
    return isWithin(DECORATION, codePoint) || UNSPACED_SCRIPT.test(char) ? MARK_DROPPED : MARK_KEPT;
  }
  if (UNSPACED_SCRIPT.test(char) && /[\p{L}\p{Nl}]/u.test(char)) return UNSPACED;
  if (/\p{Lu}|\p{Lt}/u.test(char)) return UPPER;
  if (/\p{Ll}/u.test(char)) return LOWER;
  if (/\p{L}/u.test(char)) return LETTER;
  if (/\p{N}/u.test(char)) return DIGIT;
  if (/\p{Pc}/u.test(char)) return CONNECTOR;
  return OTHER;
}

/** Decimal digits stand in runs of ten, zero first. */
function decimalValue(codePoint: number): string | null {
  if (!/\p{Nd}/u.test(String.fromCodePoint(codePoint))) return null;
  let start = codePoint;
  while (/\p{Nd}/u.test(String.fromCodePoint(start - 1))) start--;
  return String((codePoint - start) % 10);
}

function foldOf(codePoint: number, kind: number): string {
  const char = String.fromCodePoint(codePoint);
  if (kind === CONNECTOR) return "_";
  if (kind === UNSPACED) return /\p{Script=Hangul}/u.test(char) ? char : char.normalize("NFKC");
  const decimal = decimalValue(codePoint);
  if (decimal !== null) return decimal;
  const bare = [...char.toLowerCase().normalize("NFKD").toLowerCase()]
    .filter((part) => classOf(part.codePointAt(0) ?? 0) !== MARK_DROPPED)
    .map((part) => BODY_FOLDS[part] ?? part)
    .join("");
  const stays = [...bare].every((part) =>
    [LETTER, LOWER, DIGIT, MARK_KEPT].includes(classOf(part.codePointAt(0) ?? 0)),
  );
  return bare !== "" && stays ? bare : char.toLowerCase();
}

interface Pages {
  readonly stage: Uint8Array;
  readonly pages: readonly string[];
}

function paged(values: readonly number[]): Pages {
  const pages: string[] = [];
  const indexOf = new Map<string, number>();
  const stage = new Uint8Array(CODE_POINTS / PAGE);
  for (let page = 0; page < stage.length; page++) {
    const key = values.slice(page * PAGE, (page + 1) * PAGE).join(",");
    const known = indexOf.get(key) ?? pages.length;
    if (known === pages.length) {
      indexOf.set(key, known);
      pages.push(key);
    }
    stage[page] = known;
  }
  return { stage, pages };
}

function words(bytes: Uint8Array): string {
  const padded = new Uint8Array(Math.ceil(bytes.length / 8) * 8);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  const out: string[] = [];
  for (let at = 0; at < padded.length; at += 8) out.push(`0x${view.getBigUint64(at, true).toString(16)}`);
  const lines: string[] = [];
  let line = " ";
  for (const word of out) {
    if (line.length + word.length + 2 > 120) {
      lines.push(line);
      line = " ";
    }
    line += ` ${word},`;
  }
  lines.push(line);
  return lines.join("\n");
}

function constant(name: string, comment: string, bytes: Uint8Array): string {
  return `/** ${comment} */\nexport const ${name}: usize = memory.data<u64>([\n${words(bytes)}\n]);\n`;
}

function nibbles(pages: readonly string[]): Uint8Array {
  const values = pages.flatMap((page) => page.split(",").map(Number));
  return Uint8Array.from(
    { length: values.length / 2 },
    (_, i) => (values[2 * i] ?? 0) | ((values[2 * i + 1] ?? 0) << 4),
  );
}

function halfWords(values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint16Array.from(values).buffer);
}

function generate(): string {
  const kinds = Array.from({ length: CODE_POINTS }, (_, i) => (i >= 0xd800 && i < 0xe000 ? OTHER : classOf(i)));
  const expansions: string[] = [];
  const folds = kinds.map((kind, codePoint) => {
    if (kind === OTHER || kind === SPACE || kind === MARK_KEPT || kind === MARK_DROPPED) return 0;
    const folded = foldOf(codePoint, kind);
    const target = folded.codePointAt(0) ?? 0;
    if (target === codePoint) return 0;
    if (target < EXPANSION_BASE && folded.length === 1) return target;
    if (!expansions.includes(folded)) expansions.push(folded);
    return EXPANSION_BASE + expansions.indexOf(folded);
  });
  const classPages = paged(kinds);
  const foldPages = paged(folds);
  const encoder = new TextEncoder();
  const ends: number[] = [0];
  const utf8: number[] = [];
  for (const expansion of expansions) {
    utf8.push(...encoder.encode(expansion));
    ends.push(utf8.length);
  }
  return [
    `/**\n * Written by scripts/generate_unicode_tables.ts from Unicode ${process.versions.unicode}; that file says what the tables mean.\n */\n`,
    constant("ASCII_CLASSES", "One byte a code point below 128.", Uint8Array.from(kinds.slice(0, 128))),
    constant("CLASS_STAGE", "Page of each 256 code points.", classPages.stage),
    constant("CLASS_PAGES", "128 bytes a page, a nibble a code point.", nibbles(classPages.pages)),
    constant("FOLD_STAGE", "Page of each 256 code points.", foldPages.stage),
    constant(
      "FOLD_PAGES",
      "512 bytes a page, a u16 a code point.",
      halfWords(foldPages.pages.flatMap((page) => page.split(",").map(Number))),
    ),
    constant("EXPANSION_ENDS", "u16: where each expansion begins, and the last ends.", halfWords(ends)),
    constant("EXPANSIONS", "UTF-8.", Uint8Array.from(utf8)),
  ].join("\n");
}

const text = generate();
writeFileSync(OUTPUT, text);
console.log(`${fileURLToPath(OUTPUT)}: ${text.length} characters`);
