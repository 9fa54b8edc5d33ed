import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chunkText, countTokens } from "../../core/index/chunker.ts";
import { CHUNK_TOKENS_MAX, CHUNKS_PER_EVENT_MAX, EVENT_BYTES_MAX } from "../../core/limits.ts";

const words = (count: number, word = "word"): string =>
  Array.from({ length: count }, (_, at) => `${word}${at}`).join(" ");
const sentences = (count: number, wordsEach: number): string =>
  Array.from({ length: count }, (_, at) => `S${words(wordsEach - 1, `${at}w`)} end.`).join(" ");

/** A piece of prose, markup or noise; texts of them are mostly beyond the limit. */
const piece = fc.oneof(
  fc.nat({ max: 90 }).map((count) => `${words(count)}. `),
  fc.nat({ max: 30 }).map((count) => "漢字かなカナ한국어".repeat(count)),
  fc.constantFrom(
    "\n",
    "\n\n",
    "  \n \n",
    "\n# Heading\n",
    "<h2>Title</h2>",
    "<p>",
    "! ",
    "。",
    "？",
    "🙂🙂",
    "naïve café ",
    "\u00a0",
    "#",
    "<",
    "e.g. ",
  ),
  fc.string({ unit: "binary", maxLength: 20 }).filter((text) => !/\p{Surrogate}/u.test(text)),
);
const longText = fc.array(piece, { minLength: 1, maxLength: 60, size: "max" }).map((pieces) => pieces.join(""));

describe("chunks of any text", () => {
  test("are in order, on characters, and together hold all that is not white space", () => {
    fc.assert(
      fc.property(longText, (text) => {
        const bytes = new TextEncoder().encode(text);
        const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
        let end = 0;
        for (const chunk of chunkText(text)) {
          expect(chunk.from).toBeGreaterThanOrEqual(end);
          expect(chunk.to).toBeGreaterThan(chunk.from);
          expect(strict.decode(bytes.subarray(end, chunk.from)).trim()).toBe("");
          expect(strict.decode(bytes.subarray(chunk.from, chunk.to))).toBe(chunk.text);
          expect(chunk.text.trim()).not.toBe("");
          end = chunk.to;
        }
        expect(strict.decode(bytes.subarray(end)).trim()).toBe("");
      }),
    );
  });

  test("have at most CHUNK_TOKENS_MAX tokens, and more than half of it alone or all of it with the next one", () => {
    fc.assert(
      fc.property(longText, (text) => {
        const tokens = chunkText(text).map((chunk) => countTokens(chunk.text));
        expect(tokens.reduce((sum, count) => sum + count, 0)).toBe(countTokens(text));
        for (const count of tokens) expect(count).toBeLessThanOrEqual(CHUNK_TOKENS_MAX);
        if (tokens.length > 1) expect(Math.min(...tokens)).toBeGreaterThan(0);
        for (let at = 0; at < tokens.length - 1; at++) {
          const [count, next] = [tokens[at] ?? 0, tokens[at + 1] ?? 0];
          expect(count > CHUNK_TOKENS_MAX / 2 || count + next > CHUNK_TOKENS_MAX).toBe(true);
        }
      }),
    );
  });

  test("never cut a word", () => {
    fc.assert(
      fc.property(longText, (text) => {
        const isWord = (character: string | undefined): boolean => /^[0-9A-Za-zéï]$/.test(character ?? "");
        const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
        const bytes = new TextEncoder().encode(text);
        for (const { to } of chunkText(text)) {
          const before = strict.decode(bytes.subarray(0, to)).at(-1);
          const after = strict.decode(bytes.subarray(to)).at(0);
          expect(isWord(before) && isWord(after)).toBe(false);
        }
      }),
    );
  });
});

describe("a text within the limit", () => {
  test("is one chunk, untouched", () => {
    for (const text of [
      "x",
      " leading and trailing \n",
      `# A\n\n${words(CHUNK_TOKENS_MAX - 1)}\n`,
      "!!!",
      "\ufeffbom",
    ]) {
      expect(chunkText(text)).toEqual([{ text, from: 0, to: new TextEncoder().encode(text).length }]);
    }
  });

  test("of white space has no chunk", () => {
    for (const text of ["", " ", "\n\t\u3000\u00a0\u2028"]) expect(chunkText(text)).toEqual([]);
  });
});

describe("a longer text is cut", () => {
  const starts = (text: string): readonly string[] => chunkText(text).map((chunk) => chunk.text.slice(0, 12));

  test("before a heading rather than a paragraph, in Markdown and HTML", () => {
    const prose = sentences(10, 15);
    for (const heading of ["## Second", "<h2>Second</h2>"]) {
      const text = `${prose}\n\n${prose}\n\n${heading}\n\n${prose}\n\n${prose}`;
      expect(starts(text)[1]?.startsWith(heading.slice(0, 9))).toBe(true);
    }
  });

  test("before a paragraph rather than a line, a line rather than a sentence, and there at the latest", () => {
    const [a, b, c, d] = ["A", "B", "C", "D"].map((name) => `${name}${name} ${sentences(9, 15)}`);
    expect(starts(`${a}\n${b}\n\n${c}\n${d}`)[1]).toMatch(/^CC/);
    expect(starts(`${a}\n${b}\n${c}\n${d}`)[1]).toMatch(/^DD/);
  });

  test("between sentences, even when the first chunk is short for it", () => {
    const short = "A short one stands first.";
    const long = `Then ${words(CHUNK_TOKENS_MAX - 1)}.`;
    expect(chunkText(`${short} ${long}`).map((chunk) => chunk.text)).toEqual([short, long]);
    expect(chunkText(`${sentences(60, 17)}`).every((chunk) => chunk.text.endsWith("end."))).toBe(true);
  });

  test("not after an abbreviation that goes on in lower case", () => {
    const text = `${words(400)} approx. ${words(300)}`;
    expect(chunkText(text)[0]?.text.split(" ").length).toBe(CHUNK_TOKENS_MAX);
  });

  test("not between marks alone and the run that follows them", () => {
    const run = "漢字かなカナ한국어".repeat(CHUNK_TOKENS_MAX);
    for (const marks of ["! ", "。", "。。", "？！ "]) {
      const lengths = chunkText(`${marks}${run}`).map((chunk) => countTokens(chunk.text));
      expect(new Set(lengths)).toEqual(new Set([CHUNK_TOKENS_MAX]));
    }
  });

  test("after a full-width question mark, which is part of no word", () => {
    const question = `${"漢".repeat(300)}？`;
    const answer = `a ${words(CHUNK_TOKENS_MAX)}`;
    const chunks = chunkText(question + answer).map((chunk) => chunk.text);
    expect(chunks.map(countTokens)).toEqual([300, CHUNK_TOKENS_MAX, 1]);
    expect(chunks[0]).toBe(question);
  });

  test("between words where a sentence alone is too long", () => {
    const text = words(CHUNK_TOKENS_MAX * 2 + 3);
    const chunks = chunkText(text);
    expect(chunks.map((chunk) => countTokens(chunk.text))).toEqual([CHUNK_TOKENS_MAX, CHUNK_TOKENS_MAX, 3]);
    expect(chunks.map((chunk) => chunk.text).join(" ")).toBe(text);
  });

  test("between characters where words are not spaced, and after ideographic stops first", () => {
    expect(chunkText("漢".repeat(CHUNK_TOKENS_MAX + 1)).map((chunk) => chunk.text.length)).toEqual([
      CHUNK_TOKENS_MAX,
      1,
    ]);
    const sentence = `${"字".repeat(99)}。`;
    expect(chunkText(sentence.repeat(8)).every((chunk) => chunk.text.endsWith("。"))).toBe(true);
  });
});

test("tokens are runs of letters and digits, and single CJK characters", () => {
  expect(countTokens("Don't panic: 42 cafés, v1.2 — ok… «über» 漢字とkana？yes：ＡＢ１ 한국 🙂")).toBe(
    ["Don", "t", "panic", "42", "cafés", "v1", "2", "ok", "über", "漢", "字", "と", "kana", "yes", "ＡＢ１", "한", "국"]
      .length,
  );
});

test("the densest text of one event stays below CHUNKS_PER_EVENT_MAX", () => {
  const alternating = `${"b ".repeat(CHUNK_TOKENS_MAX / 2)}. A. `;
  const bound = EVENT_BYTES_MAX / CHUNK_TOKENS_MAX;
  expect(bound).toBeLessThanOrEqual(CHUNKS_PER_EVENT_MAX);
  const marked = `！${"a中".repeat(CHUNK_TOKENS_MAX / 2)}`;
  for (const unit of ["a ", "a中", "A. ", "中", alternating, marked]) {
    const text = unit.repeat(Math.floor(EVENT_BYTES_MAX / new TextEncoder().encode(unit).length));
    const chunks = chunkText(text).length;
    expect(chunks).toBeGreaterThan(100);
    expect(chunks).toBeLessThanOrEqual(bound);
  }
});
