import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { extractiveSummarizer } from "../../adapters/models/extractive_summarizer.ts";
import type { Summary } from "../../core/ports.ts";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { loadKernel } from "../kernel/load_kernel.ts";

const builder = createKernelBuilder(await loadKernel());
const summarizer = extractiveSummarizer((text) => builder.analyze(text));

async function summaryOf(texts: readonly string[], charactersMax = 200): Promise<Summary> {
  const summary = await summarizer.summarize(texts, charactersMax);
  if (!summary.ok) throw new Error(summary.failure.reason);
  return summary.value;
}

const sentence = fc
  .array(fc.constantFrom("renewal", "risk", "ferry", "harbour", "invoice", "the", "of", "noon", "late"), {
    minLength: 1,
    maxLength: 9,
  })
  .map((words) => `${words.join(" ")}.`);
const text = fc.array(sentence, { maxLength: 6 }).map((sentences) => sentences.join(" "));

describe("a summary", () => {
  test("is made of sentences of the texts, in their order, and keeps to its budget", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 6 }), fc.nat(300), async (texts, charactersMax) => {
        const { text: summary, sources } = await summaryOf(texts, charactersMax);
        expect(summary.length).toBeLessThanOrEqual(charactersMax);
        const all = texts.flatMap((one) => one.match(/[^.]+\./g)?.map((part) => part.trim()) ?? []);
        let from = 0;
        for (const picked of summary.match(/[^.]+\./g) ?? []) {
          const at = all.indexOf(picked.trim(), from);
          expect(at).toBeGreaterThanOrEqual(from);
          from = at + 1;
        }
        for (const source of sources) expect(texts[source]).toBeDefined();
        expect(sources.length > 0).toBe(summary !== "");
      }),
    );
  });

  test("says what most of the texts are about, and nothing twice", async () => {
    const texts = [
      "The renewal of the contract is at risk. Lunch was good.",
      "They fear for the renewal, since the contract is too dear.",
      "The weather was fine. The renewal of the contract is at risk.",
    ];
    const { text: summary, sources } = await summaryOf(texts, 110);
    expect(summary).toContain("renewal");
    expect(summary).not.toContain("Lunch");
    expect(summary.match(/at risk/g)?.length ?? 0).toBeLessThanOrEqual(1);
    expect(sources.length).toBeGreaterThan(0);
  });

  test.each([[[]], [["", "  "]], [["the of and"]]])("of %j is empty", async (texts) => {
    expect(await summaryOf(texts)).toEqual({ text: "", sources: [] });
  });

  test("cuts what has no end, between characters", async () => {
    const { text: summary } = await summaryOf(["word 😀".repeat(400)], 1_000);
    expect(summary.length).toBeGreaterThan(0);
    expect(summary.isWellFormed()).toBe(true);
  });
});
