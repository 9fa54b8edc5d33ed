import { expect, test } from "vitest";
import { COMMON_TERMS } from "../../core/retrieval/common_terms.ts";
import { builder } from "./search_fixture.ts";

const QUESTIONS = [
  "why how what when where which who whom whose",
  "had been doing does could should must",
  "you your yourselves them themselves our ourselves",
  "because before above during again very only any other",
];

test("function words are listed as the analyzer leaves them", () => {
  const unlisted = QUESTIONS.flatMap((text) => builder.analyze(text)).filter(({ term }) => !COMMON_TERMS.has(term));
  expect(unlisted).toEqual([]);
});

test("words with a meaning of their own are not listed", () => {
  const terms = builder.analyze("May mine renewal invoice harbour");
  expect(terms.filter(({ term }) => COMMON_TERMS.has(term))).toEqual([]);
});
