/**
 * The same bytes in, the same bytes out, on every engine: what is committed in golden.json was computed once and must be
 * computed again here. It changes only together with the format or the analyzer's name.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { builder, documentBits, expectOk, sectionsOf, slab } from "./fixture.ts";

const GOLDEN = JSON.parse(readFileSync(new URL("golden.json", import.meta.url), "utf8"));

const TEXTS = [
  "The renewal of order EMEA-2022-152156 is at risk; the customer's owner is away.",
  "Invoices for Q3 were paid late. See collects/racket/base.rkt and getUserName().",
  "Ångström, naïve café: ΣΊΣΥΦΟΣ катит камень в гору. 東京都庁 서울시",
  "",
  "risk risk risk RISK risks risky; pricing 1,000.50 → 3.14",
  "user@host.com asked: who owns the renewal? https://example.com/a?b=c1#d",
];
const DIMENSIONS = 19;
const VECTORS = TEXTS.map((_, i) => {
  let state = i + 1;
  return Float32Array.from({ length: DIMENSIONS }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
});

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const PIECES = (
  "the Renewal risk's don't RUNNING base.rkt v7.2 3.14 1,000.50 snake_case getUserName EMEA-2022-152156 a/b-1 e.g. U.S. " +
  "naïve café’s Straße 東京都庁 서울시 คน ١٢٣ #tag a:b C:\\temp __init__ ＡＢＣ internationalization A1b2C3 q3 12 ab.Cd .net end. “q” …"
).split(" ");
const SIGNS = [" ", " ", " ", "", ",", ".", "'", "_", "-", "\n", "\u0301", "\u00a0", "x", "Y", "7"];

/** Of what the analyzer makes of texts in which everything stands beside everything. */
function analyzerDigest(): string {
  let state = 5;
  const pick = (of: readonly string[]): string => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return of[Math.floor((state / 2 ** 32) * of.length)] ?? "";
  };
  const texts = Array.from({ length: 500 }, () =>
    Array.from({ length: 40 }, () => pick(PIECES) + pick(SIGNS)).join(""),
  );
  return sha256(
    new TextEncoder().encode(JSON.stringify(texts.map((text) => [builder.countTokens(text), builder.analyze(text)]))),
  );
}

function sectionDigests(questions: readonly string[] | null): readonly string[] {
  const { text, postings } = builder.textSections(TEXTS, questions);
  return [sha256(text), sha256(postings)];
}

function results() {
  const perMetric = (["cosine", "dot", "l2"] as const).map((metric) => {
    const sections = sectionsOf({ texts: TEXTS, vectors: VECTORS, dimensions: DIMENSIONS, metric });
    slab.clear();
    const part = expectOk(slab.load(sections));
    const all = documentBits(
      part,
      TEXTS.map((_, i) => i),
    );
    const query = VECTORS[2]?.map((value, i) => value + (i % 3) / 10) ?? new Float32Array();
    const near = slab.searchVectors(part, query, all, 4, null);
    const terms = builder.analyze("renewal risks EMEA-2022-152156");
    const statistics = slab.statistics(part, terms, all);
    const weighted = terms.map((term, i) => ({
      ...term,
      weight: slab.idf(statistics.documents, statistics.df[i] ?? 0),
    }));
    const averageLength = statistics.words / statistics.documents;
    const text = slab.searchText(
      part,
      { terms: weighted, k1: 0.9, b: 0.4, averageLength, averageQuestionLength: 0 },
      all,
      4,
    );
    const fused = slab.fuse(
      [
        { keys: near.documents, weight: 1 },
        { keys: text.documents, weight: 0.75 },
      ],
      60,
      4,
    );
    return {
      metric,
      codes: sha256(sections.vectors?.codes ?? new Uint8Array()),
      residuals: sha256(sections.vectors?.residuals ?? new Uint8Array()),
      near: [[...near.documents], [...near.scores]],
      text: [[...text.documents], [...text.scores]],
      fused: [[...fused.keys], [...fused.scores]],
    };
  });
  return {
    analyzer: builder.analyzer,
    analyzed: analyzerDigest(),
    textSections: sectionDigests(null),
    textSectionsWithQuestions: sectionDigests(TEXTS.map((_, i) => (i % 2 === 0 ? `Who owns renewal ${i}?` : ""))),
    terms: TEXTS.map((text) => builder.analyze(text).map(({ field, term, count }) => `${field} ${term} ${count}`)),
    perMetric,
  };
}

test("results are those of the golden file", () => {
  expect(results()).toEqual(GOLDEN);
});
