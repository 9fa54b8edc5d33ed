import { describe, expect, test } from "vitest";
import { fail, ok, type Result } from "../../core/errors.ts";
import type { QueryTerm } from "../../core/ports.ts";
import {
  describeResolved,
  identifierSafeWeight,
  type ResolveContext,
  type ResolvedSearch,
  resolveSearch,
  withQueryVector,
} from "../../core/retrieval/resolve.ts";
import type { Json } from "../../core/schema/scalar.ts";
import { type SearchRequest, searchBodySchema } from "../../core/schema/search.ts";

function request(body: { readonly [key: string]: Json }): SearchRequest {
  return searchBodySchema.parse(body);
}

/** Words at spaces; a word with a dash is a whole token too. */
function analyze(text: string): readonly QueryTerm[] {
  const tokens = text.split(" ").filter((token) => token !== "");
  const words = new Set(tokens.flatMap((token) => token.split("-")));
  const whole = new Set(tokens.filter((token) => token.includes("-")));
  return [
    ...[...words].map((term) => ({ field: "word" as const, term, count: 1 })),
    ...[...whole].map((term) => ({ field: "whole" as const, term, count: 1 })),
  ];
}

const LOCAL: ResolveContext = {
  vectorSpace: { model: "local-1", dimensions: 2 },
  metric: "cosine",
  embedder: { kind: "local", id: "local-1", queryWeight: 0.25 },
  analyze,
};
const SUPPLIED: ResolveContext = { ...LOCAL, vectorSpace: { model: "supplied", dimensions: 2 } };
const REMOTE: ResolveContext = { ...LOCAL, embedder: { kind: "remote", id: "local-1", queryWeight: 0.5 } };
const TEXT_ONLY: ResolveContext = { ...LOCAL, vectorSpace: null, embedder: null };

function resolved(body: { readonly [key: string]: Json }, context: ResolveContext): ResolvedSearch {
  const result = resolveSearch(request(body), context);
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

function refusal(result: Result<ResolvedSearch>): { readonly reason: string; readonly path: string | undefined } {
  if (result.ok) throw new Error("was taken");
  const { failure } = result;
  return { reason: failure.reason, path: "errors" in failure ? failure.errors[0]?.path : undefined };
}

describe("the mode is the sides that exist, unless it is asked for", () => {
  const vector = [1, 0];
  test.each<readonly [string, { readonly [key: string]: Json }, ResolveContext, string, string | null, number]>([
    ["text over embedded vectors embeds the query", { text: "a" }, LOCAL, "hybrid", "a", 0],
    ["text and vector", { text: "a", vector }, SUPPLIED, "hybrid", null, 0],
    ["text over supplied vectors", { text: "a" }, SUPPLIED, "text", null, 0],
    ["text without vectors", { text: "a" }, TEXT_ONLY, "text", null, 0],
    ["vector alone", { vector }, SUPPLIED, "vector", null, 0],
    ["blank text and vector", { text: " ", vector }, SUPPLIED, "vector", null, 0],
    ["mode text", { text: "a", vector, mode: "text" }, SUPPLIED, "text", null, 0],
    ["mode vector embeds the text", { text: "a", mode: "vector" }, LOCAL, "vector", "a", 0],
    [
      "mode hybrid over supplied vectors names the leg that is missing",
      { text: "a", mode: "hybrid" },
      SUPPLIED,
      "text",
      null,
      1,
    ],
    ["mode hybrid without text names the leg that is missing", { vector, mode: "hybrid" }, SUPPLIED, "vector", null, 1],
    ["text and vector where no vectors are", { text: "a", vector }, TEXT_ONLY, "hybrid", null, 0],
    ["text where no vectors are yet", { text: "a" }, { ...LOCAL, vectorSpace: null }, "hybrid", null, 0],
  ])("%s", (_, body, context, mode, embedText, degraded) => {
    const search = resolved(body, context);
    expect(search.mode).toBe(mode);
    expect(search.embedText).toBe(embedText);
    expect(search.degraded).toHaveLength(degraded);
  });

  test.each<readonly [string, { readonly [key: string]: Json }, ResolveContext, string, string]>([
    ["mode text without text", { vector, mode: "text" }, SUPPLIED, "invalid", "text"],
    ["blank text and nothing else", { text: "  " }, LOCAL, "invalid", "text"],
    ["mode vector with no way to embed", { text: "a", mode: "vector" }, TEXT_ONLY, "unprocessable", "vector"],
    ["mode vector over vectors of another model", { text: "a", mode: "vector" }, SUPPLIED, "unprocessable", "vector"],
    ["another dimension", { text: "a", vector: [1, 0, 0] }, SUPPLIED, "unprocessable", "vector"],
    ["a filter outside the grammar", { text: "a", filter: { colour: 1 } }, LOCAL, "invalid", "filter.colour"],
    ["too many terms", { text: Array.from({ length: 1_025 }, (_, i) => i).join(" ") }, LOCAL, "invalid", "text"],
  ])("%s is refused", (_, body, context, reason, path) => {
    expect(refusal(resolveSearch(request(body), context))).toEqual({ reason, path });
  });
});

describe("the embedded query", () => {
  const search = resolved({ text: "a" }, LOCAL);
  test("takes its place", () => {
    const result = withQueryVector(search, ok(Float32Array.of(1, 0)));
    expect(result).toMatchObject({
      ok: true,
      value: { mode: "hybrid", embedText: null, vector: Float32Array.of(1, 0) },
    });
  });
  test.each<readonly [string, Result<Float32Array | null>]>([
    ["no answer", fail({ reason: "unavailable", what: "The embedder did not answer.", retryAfterSeconds: 1 })],
    ["nothing to embed", ok(null)],
    ["another dimension", ok(Float32Array.of(1, 0, 0))],
  ])("%s leaves the text leg, and says so", (_, embedded) => {
    const result = withQueryVector(search, embedded);
    expect(result).toMatchObject({ ok: true, value: { mode: "text", embedText: null, vector: null } });
    expect(result.ok && result.value.degraded).toHaveLength(1);
  });
  test("no answer fails a search for vectors alone", () => {
    const failure = { reason: "unavailable", what: "The embedder did not answer.", retryAfterSeconds: 1 } as const;
    expect(withQueryVector(resolved({ text: "a", mode: "vector" }, LOCAL), fail(failure))).toEqual(fail(failure));
  });
});

describe("the weights", () => {
  test.each<readonly [string, { readonly [key: string]: Json }, ResolveContext, number, number]>([
    ["of a local embedder's vectors are its own", { text: "a" }, LOCAL, 1, 0.25],
    ["of remote vectors are even", { text: "a" }, REMOTE, 1, 1],
    ["of supplied vectors are even", { text: "a", vector: [1, 0] }, SUPPLIED, 1, 1],
    ["that are sent are taken", { text: "a-1", fusion: { weights: { text: 2, vector: 3 } } }, LOCAL, 2, 3],
    ["give way to an identifier", { text: "is a-1 there" }, LOCAL, 1, identifierSafeWeight(60)],
    ["are counted in units of 2^-16", { text: "a", fusion: { weights: { vector: 0.1 } } }, LOCAL, 1, 6_554 / 65_536],
  ])("%s", (_, body, context, text, vector) => {
    expect(resolved(body, context).weights).toEqual({ text, vector });
  });

  test("the safe weight is the largest at which the best vector cannot lift rank 2 above rank 1", () => {
    for (const k of [1, 2, 10, 60, 61, 1_000, 10_000]) {
      const units = identifierSafeWeight(k) * 65_536;
      const [first, second] = [Math.floor(2 ** 32 / (k + 1)), Math.floor(2 ** 32 / (k + 2))];
      expect(second * 65_536 + first * units).toBeLessThan(first * 65_536);
      expect(second * 65_536 + first * (units + 1)).toBeGreaterThanOrEqual(first * 65_536);
    }
  });
});

test("a query is nothing but identifiers when every word is part of one", () => {
  expect(resolved({ text: "ord-1" }, LOCAL).identifiersOnly).toBe(true);
  expect(resolved({ text: "ord-1 ord" }, LOCAL).identifiersOnly).toBe(true);
  expect(resolved({ text: "order ord-1" }, LOCAL).identifiersOnly).toBe(false);
  expect(resolved({ text: "order" }, LOCAL).identifiersOnly).toBe(false);
});

test("the window is from, to and valid_at at once", () => {
  const search = resolved({ text: "a", from: 10, to: 30, valid_at: 20 }, LOCAL);
  expect(search.window).toEqual({ from: 10, to: 20 });
  expect(search.restricted).toBe(true);
  expect(resolved({ text: "a", filter: {} }, LOCAL).restricted).toBe(false);
});

test("the answer names the defaults that were filled in", () => {
  expect(describeResolved(resolved({ text: "a" }, LOCAL))).toEqual({
    mode: "hybrid",
    top_k: 10,
    bm25: { k1: 0.9, b: 0.4 },
    fusion: { method: "rrf", k: 60, weights: { text: 1, vector: 0.25 } },
    vector: { model: "local-1", dimensions: 2, metric: "cosine" },
  });
});
