import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { verbatimOf } from "../../core/retrieval/verbatim.ts";
import { commitLines, cutsArbitrary, viewOf } from "./corpus.ts";
import { embedded, run } from "./search_fixture.ts";

function hitsFor(token: string, texts: readonly string[], cuts: readonly number[], explain = false) {
  const commits = commitLines(texts.map((text, index) => ({ events: [{ id: `e${index}`, text }], withdraw: [] })));
  const view = viewOf(commits, { cuts, commit: commits.length }, embedded);
  return run(view, { text: token, mode: "hybrid", explain }, { commits, tools: embedded }).hits;
}

/** Tokens that fold, strip and join into one another. */
const token = fc.constantFrom(
  "IPv6",
  "ipv6",
  "./cat",
  "../cat",
  "cat.rkt",
  "v6",
  "v6.12",
  "V6.12",
  "a/b",
  "/a/b",
  "a-1",
  "A-1",
);
const filler = fc.constantFrom("the", "cat", "renewal", "ships", "v", "see:");
const text = fc.array(fc.oneof({ weight: 1, arbitrary: token }, { weight: 2, arbitrary: filler }), {
  minLength: 1,
  maxLength: 6,
});

describe("looking up an identifier", () => {
  test("a text that holds it as written comes first, whenever there is one", () => {
    fc.assert(
      fc.property(token, fc.array(text, { minLength: 1, maxLength: 8 }), cutsArbitrary, (asked, words, cuts) => {
        const texts = words.map((list) => list.join(" "));
        const [first] = hitsFor(asked, texts, cuts);
        if (texts.some((candidate) => candidate.includes(asked))) expect(first?.text).toContain(asked);
      }),
    );
  });

  test("the fused score is the sum of what is explained", () => {
    const [first] = hitsFor("IPv6", ["ipv6 ipv6 ipv6", "about IPv6"], [], true);
    const legs = first?.explain?.fusion?.legs ?? [];
    expect(first?.id).toBe("e1");
    expect(legs.map(({ leg }) => leg)).toContain("verbatim");
    expect(legs.reduce((sum, { contribution }) => sum + contribution, 0)).toBe(first?.score);
  });

  test.each([
    { text: " EMEA-2022-1 ", token: "EMEA-2022-1" },
    { text: "./cat", token: "./cat" },
    { text: "renewal", token: null },
    { text: "order EMEA-2022-1", token: null },
    { text: "東京", token: null },
    { text: null, token: null },
  ])("$text looks up $token", ({ text: asked, token: expected }) => {
    expect(verbatimOf(asked)).toBe(expected);
  });
});
