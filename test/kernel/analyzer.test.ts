import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TermField } from "../../core/ports.ts";
import { builder, documentBits, loadOnly, slab } from "./fixture.ts";

function termsOf(text: string, field: TermField): readonly string[] {
  return builder
    .analyze(text)
    .flatMap((term) => (term.field === field ? Array<string>(term.count).fill(term.term) : []));
}

/** `expected` in the order of term bytes. */
function checkWords(text: string, expected: string): void {
  expect(termsOf(text, "word").join(" "), text).toBe(expected);
}

function checkWholes(text: string, expected: readonly string[]): void {
  expect(termsOf(text, "whole"), text).toEqual(expected);
}

describe("words", () => {
  test("are cut as UAX #29 cuts them, but for dots between letters", () => {
    checkWords("alpha,beta;gamma (delta)", "alpha beta delta gamma");
    checkWords("3.14 1,000.50 1. 2,", "1 1,000.50 2 3.14");
    checkWords("snake_case __init__ _bold_", "bold init snake_case");
    checkWords("base.rkt v7.2", "base rkt v7.2");
    checkWords("o'neill rock'n'roll 'quoted'", "o'neil quot rock'n'rol");
    checkWords("follow-up", "follow up");
  });

  test("lose case, accents and compatibility forms", () => {
    checkWords("ÅNGSTRÖM naïve Straße Łódź Øre ﬁsh ＡＢＣ", "abc angstrom fish lodz naiv ore strass");
    checkWords("ΣΊΣΥΦΟΣ Ёлка Ελλάδα", "ελλαδα σισυφοσ елка");
    checkWords("١٢٣ ४५", "123 45");
  });

  test("mean the same composed and decomposed", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(..."éèüñçåäöřžğαάήώйёЇ aB1 "), { maxLength: 40 }), (characters) => {
        const text = characters.join("");
        expect(builder.analyze(text.normalize("NFD"))).toEqual(builder.analyze(text.normalize("NFC")));
      }),
    );
  });

  test("of scripts without spaces become bigrams, a lone letter itself", () => {
    checkWords("東京都庁", "京都 東京 都庁");
    checkWords("字", "字");
    checkWords("hello東京world", "hello world 東京");
    checkWords("서울시 คน", "คน 서울 울시");
  });

  test("without meaning fall out, and are counted all the same", () => {
    checkWords("The cat and the hat will not be in it", "cat hat");
    expect(builder.countTokens("The cat and the hat")).toBe(5);
    expect(builder.countTokens("")).toBe(0);
    checkWords("the customer's and the US’s", "custom us");
  });

  test("longer than 64 bytes keep the code points that fit", () => {
    checkWords("x".repeat(100), "x".repeat(64));
    checkWords(`${"x".repeat(63)}ж${"y".repeat(9)}`, "x".repeat(63));
  });
});

/** From the vocabulary that the stemmer's author publishes, and each rule's own example. */
const STEMS = `
consign:consign consigned:consign consigning:consign consignment:consign consist:consist consistency:consist
consistently:consist consolation:consol consolatory:consolatori consolidate:consolid consolidating:consolid
consolingly:consol consonant:conson conspicuous:conspicu conspicuously:conspicu conspiracy:conspiraci
conspirator:conspir conspirators:conspir conspiring:conspir constable:constabl constancy:constanc
knackeries:knackeri knavish:knavish kneading:knead kneel:kneel kneeling:kneel knees:knee knife:knife knightly:knight
knitted:knit knitting:knit knives:knive knocker:knocker knots:knot
caresses:caress ties:tie cries:cri gas:gas gaps:gap kiwis:kiwi agreed:agre plastered:plaster motoring:motor
luxuriating:luxuri hopping:hop hoping:hope cry:cri say:say relational:relat conditional:condit
valenci:valenc hesitanci:hesit digitizer:digit conformabli:conform radically:radic differently:differ
vileli:vile analogousli:analog vietnamization:vietnam predication:predic operator:oper feudalism:feudal
decisiveness:decis hopefulness:hope callousness:callous formaliti:formal sensitiviti:sensit sensibiliti:sensibl
triplicate:triplic formative:format formalize:formal electriciti:electr electrical:electr hopeful:hope goodness:good
revival:reviv allowance:allow inference:infer airliner:airlin adjustable:adjust defensible:defens irritant:irrit
replacement:replac adjustment:adjust dependent:depend adoption:adopt communism:communism activate:activ
homologous:homolog effective:effect bowdlerize:bowdler probate:probat rate:rate controlling:control rolling:roll
skis:ski skies:sky dying:die lying:lie idly:idl gently:gentl ugly:ugli early:earli only:onli singly:singl news:news
atlas:atlas cosmos:cosmos bias:bias andes:andes inning:inning outing:outing canning:canning herring:herring
proceed:proceed exceed:exceed succeed:succeed generate:generat generally:general communal:communal arsenic:arsenic
adding:add university:universiti universe:univers organization:organiz organ:organ biologist:biolog
youth:youth boy:boy yellow:yellow syzygy:syzygi running:run ran:ran engineering:engin agreement:agreement
`;

describe("stems", () => {
  test.each(STEMS.trim().split(/\s+/))("%s", (pair) => {
    const [word = "", stem = ""] = pair.split(":");
    expect(termsOf(word, "word")).toEqual([stem]);
  });
});

describe("a word that was seen before", () => {
  /** Full-width letters fold to ASCII ones, but take the way of letters that are no ASCII. */
  const widened = (text: string): string =>
    text.replace(/[A-Za-z0-9]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) + 0xfee0));
  const anyWord = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9]{1,20}$/),
    fc.constantFrom("the", "The", "running", "runs", "agreement", "skies", "news", "it's", "3.14", "a_b", "o'neill"),
  );

  test("is the same term as one that was not, between any signs", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyWord, fc.constantFrom(" ", ". ", ", ", ".", "-", "; ", "' ", "…"))), (words) => {
        const text = [...words, ...words].map(([word, sign]) => word + sign).join("");
        const wordsOf = (of: string) => builder.analyze(of).filter(({ field }) => field === "word");
        expect(wordsOf(text)).toEqual(wordsOf(widened(text)));
        expect(builder.countTokens(text)).toBe(builder.countTokens(widened(text)));
      }),
      { numRuns: 200 },
    );
  });

  test("counts in each document anew, in its own field", () => {
    const texts = Array.from({ length: 300 }, (_, i) => `the renewal word${i % 7} ${"risk ".repeat(i % 3)}`);
    const part = loadOnly({ texts, questions: texts.map((text, i) => (i % 2 === 0 ? text : "")) });
    const terms = (["word", "question"] as const).flatMap((field) =>
      ["renew", "risk", "the", "word3"].map((term) => ({ field, term, count: 1 })),
    );
    const all = documentBits(
      part,
      texts.map((_, i) => i),
    );
    expect(slab.statistics(part, terms, all).df).toEqual([300, 200, 0, 43, 150, 100, 0, 21]);
  });
});

describe("whole tokens", () => {
  test("are what looks like an identifier", () => {
    checkWholes("EMEA-2022-152156", ["emea-2022-152156"]);
    checkWholes("see collects/racket/base.rkt", ["base.rkt", "collects/racket/base.rkt"]);
    checkWholes("snake_case getUserName base.rkt C:\\temp", ["base.rkt", "c:\\temp", "getusername", "snake_case"]);
    checkWholes("e.g. U.S. 3.14 1,000 42", []);
    checkWholes("plain words, a well-known follow-up. EMEA don't", []);
  });

  test("are stripped of what surrounds them", () => {
    for (const text of ["EMEA-2022-152156.", '("EMEA-2022-152156"),', "**EMEA-2022-152156**!", "“EMEA-2022-152156”…"]) {
      checkWholes(text, ["emea-2022-152156"]);
    }
    checkWholes("(see collects/racket/base.rkt)", ["base.rkt", "collects/racket/base.rkt"]);
    checkWholes("發票EMEA-2022-152156已付", ["emea-2022-152156"]);
  });

  test("are also found in the pieces of a run", () => {
    expect(termsOf('{"order":"CA-2021-1"}', "whole")).toContain("ca-2021-1");
    expect(termsOf("[docs](https://x.io/a?b=c1#d)", "whole")).toContain("x.io/a");
    expect(termsOf("ids=A-1,A-2;A-3", "whole")).toEqual(expect.arrayContaining(["a-1", "a-2", "a-3"]));
    expect(termsOf("get min-racket-6.9.0.4", "whole")).toContain("min-racket-6");
    expect(termsOf("in collects/base-2.rkt", "whole")).toEqual(["base-2", "base-2.rkt", "collects/base-2.rkt"]);
  });

  test("of more than 256 bytes are still told apart", () => {
    const long = (last: string): readonly string[] => termsOf(`${"ab/".repeat(100)}${last}`, "whole");
    expect(long("x")).toHaveLength(1);
    expect(long("x")[0]).toMatch(/^~[0-9a-f]{16}$/);
    expect(long("x")).toEqual(long("X"));
    expect(long("x")).not.toEqual(long("y"));
  });

  test("are found whatever case and punctuation surrounds them", () => {
    const identifier = fc.stringMatching(/^[a-z][a-z0-9]{0,8}([-/_.][a-z0-9]{1,8}){1,4}[0-9]$/);
    fc.assert(
      fc.property(
        identifier,
        fc.constantFrom("", "(", '"', "see: ", "**"),
        fc.constantFrom("", ".", ")", "?!", '",'),
        (id, before, after) => {
          const asked = termsOf(id, "whole");
          expect(asked).toContain(id);
          expect(termsOf(`${before}${id.toUpperCase()}${after}`, "whole")).toEqual(expect.arrayContaining([...asked]));
        },
      ),
    );
  });
});

describe("any text", () => {
  test("is analysed to ordered, distinct terms, the same each time", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        const terms = builder.analyze(text);
        expect(builder.analyze(text)).toEqual(terms);
        const encoder = new TextEncoder();
        const keys = terms.map(({ field, term }) => [field === "word" ? 1 : 2, ...encoder.encode(term)]);
        const ordered = [...keys].sort(compareBytes);
        expect(keys).toEqual(ordered);
        expect(new Set(keys.map(String)).size).toBe(keys.length);
        const words = terms.reduce((sum, { field, count }) => (field === "word" ? sum + count : sum), 0);
        expect(builder.countTokens(text)).toBeGreaterThanOrEqual(words);
      }),
      { numRuns: 100 },
    );
  });

  test("with halves of surrogate pairs is read as replacement characters", () => {
    expect(builder.analyze("a1\ud800b2")).toEqual(builder.analyze("a1\ufffdb2"));
    expect(builder.countTokens(`${"\ud83d".repeat(70_000)}x`)).toBe(1);
  });
});

function compareBytes(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return (a[i] ?? 0) - (b[i] ?? 0);
  return a.length - b.length;
}
