import { describe, expect, test } from "vitest";
import { naiveBm25, referenceTerms } from "../../bench/eval/naive_bm25.ts";
import { porterStem } from "../../bench/eval/porter.ts";

describe("the reference ranking", () => {
  // Examples of Porter's paper.
  test.each([
    ["caresses", "caress"],
    ["ponies", "poni"],
    ["cats", "cat"],
    ["agreed", "agre"],
    ["plastered", "plaster"],
    ["motoring", "motor"],
    ["sing", "sing"],
    ["conflated", "conflat"],
    ["hopping", "hop"],
    ["falling", "fall"],
    ["filing", "file"],
    ["happy", "happi"],
    ["sky", "sky"],
    ["relational", "relat"],
    ["vietnamization", "vietnam"],
    ["triplicate", "triplic"],
    ["hopefulness", "hope"],
    ["adjustment", "adjust"],
    ["adoption", "adopt"],
    ["probate", "probat"],
    ["rate", "rate"],
    ["controll", "control"],
    ["roll", "roll"],
    ["oscillators", "oscil"],
  ])("%s is stemmed to %s", (word, stem) => {
    expect(porterStem(word)).toBe(stem);
  });

  test("stop words fall out, the rest is stemmed", () => {
    expect(referenceTerms("The ponies are AT the 3 gates.")).toEqual(["poni", "3", "gate"]);
  });

  test("rarer words, more of them, and shorter documents rank higher", () => {
    const ranker = naiveBm25([
      { id: "long", text: "apple pear plum cherry fig lemon melon orange" },
      { id: "short", text: "apple pear" },
      { id: "twice", text: "apple apple" },
      { id: "none", text: "stone" },
    ]);
    expect(ranker.rank("apple", 10)).toEqual(["twice", "short", "long"]);
    expect(ranker.rank("stone apple", 1)).toEqual(["none"]);
    expect(ranker.rank("absent", 10)).toEqual([]);
  });
});
