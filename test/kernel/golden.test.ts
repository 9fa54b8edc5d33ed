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
    const text = slab.searchText(part, { terms: weighted, k1: 0.9, b: 0.4, averageLength }, all, 4);
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
    textSection: sha256(builder.textSection(TEXTS)),
    terms: TEXTS.map((text) => builder.analyze(text).map(({ field, term, count }) => `${field} ${term} ${count}`)),
    perMetric,
  };
}

test("results are those of the golden file", () => {
  expect(results()).toEqual(GOLDEN);
});
