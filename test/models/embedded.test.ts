import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { embeddedEmbedder } from "../../adapters/models/embedded.ts";
import { FUSION_K_DEFAULT } from "../../core/schema/search.ts";
import { embedderContract } from "./embedder_contract.ts";
import { plainAnalyze } from "./plain_analyzer.ts";

embedderContract("embedded", () => embeddedEmbedder(plainAnalyze));

describe("the embedded embedder", () => {
  const embedder = embeddedEmbedder(plainAnalyze);
  const vectorFor = (text: string): Float32Array => {
    const vector = embedder.embed([text])[0];
    if (vector === null || vector === undefined) throw new Error(`no vector for ${text}`);
    return vector;
  };
  const nearness = (a: string, b: string): number => {
    const [left, right] = [vectorFor(a), vectorFor(b)];
    return left.reduce((sum, component, at) => sum + component * (right[at] ?? 0), 0);
  };

  test("vectors have unit length and the dimensions it declares", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zé東0-9 ]*[a-z][a-z0-9 ]*$/), (text) => {
        const vector = vectorFor(text);
        expect(vector).toHaveLength(embedder.dimensions);
        expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
      }),
    );
  });

  test("the same text has the same bits, today and on every engine", () => {
    const texts = ["Renewal risk at EMEA-2022-152156", "le café était fermé", "東京 の 天気", "a a a b", "when did we"];
    const hash = createHash("sha256");
    for (const text of texts) hash.update(new Uint8Array(vectorFor(text).buffer));
    expect(hash.digest("hex")).toBe("164fb4664cba1f2d0090ba35cebbd1639b012e8bf24ba6fa87c9843ae29d06ec");
  });

  test("the order of words does not matter; how often they stand does", () => {
    expect(vectorFor("late invoice")).toEqual(vectorFor("invoice late"));
    expect(vectorFor("late invoice invoice")).not.toEqual(vectorFor("late invoice"));
  });

  test.each([
    { query: "contract renewal", near: "the renewal of the contract slipped", far: "lunch was served on the terrace" },
    { query: "reciept", near: "receipt", far: "harbour" },
    { query: "deploymnt failure", near: "the deployment ended in failure", far: "quarterly numbers look fine" },
    { query: "order emea-2022-1", near: "see order emea-2022-1 today", far: "see order apac-2023-9 today" },
  ])("$query is nearer to “$near” than to “$far”", ({ query, near, far }) => {
    expect(nearness(query, near)).toBeGreaterThan(nearness(query, far));
  });

  test("its first hit adds less than what parts the first two text hits", () => {
    const k = FUSION_K_DEFAULT;
    expect(embedder.queryWeight / (k + 1)).toBeLessThan(1 / (k + 1) - 1 / (k + 2));
    expect(Number.isInteger(embedder.queryWeight * 2 ** 16)).toBe(true);
  });
});
