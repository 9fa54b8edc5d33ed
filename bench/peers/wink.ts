/**
 * wink-bm25-text-search: exact BM25 in JavaScript. It brings no analyzer, so it is given our kernel's terms: with the
 * same k1 and b it ranks as we do, but for its scores' four decimals.
 */
import { BM25_B_DEFAULT, BM25_K1_DEFAULT } from "../../core/retrieval/bm25.ts";
import { ANOTHER_KIND, askWith, type Contender } from "../kernel/contender.ts";
import { TOP_K } from "../kernel/corpus.ts";
import type { Analyze } from "../kernel/exact.ts";

interface Engine {
  defineConfig(settings: {
    readonly fldWeights: Readonly<Record<string, number>>;
    readonly bm25Params: { readonly k1: number; readonly b: number; readonly k: number };
  }): void;
  definePrepTasks(tasks: readonly ((text: string) => readonly string[])[]): void;
  addDoc(document: { readonly text: string }, id: number): void;
  consolidate(): void;
  search(text: string, limit: number): readonly (readonly [string, number])[];
  exportJSON(): string;
}

export interface Wink {
  readonly default: () => Engine;
}

const BUDGET_CHECKED_EVERY = 500;

export function wink(library: Wink, version: string, analyze: Analyze): Contender {
  const terms = (text: string): readonly string[] =>
    analyze(text).flatMap(({ field, term, count }) =>
      field === "word" ? Array.from({ length: count }, () => term) : [],
    );
  return {
    system: `wink-bm25-text-search ${version}`,
    ours: false,
    async open({ texts, vectors }, budget) {
      if (texts === null || vectors !== null) return ANOTHER_KIND;
      const engine = library.default();
      engine.defineConfig({ fldWeights: { text: 1 }, bm25Params: { k1: BM25_K1_DEFAULT, b: BM25_B_DEFAULT, k: 1 } });
      engine.definePrepTasks([terms]);
      const from = performance.now();
      texts.forEach((text, id) => {
        engine.addDoc({ text }, id);
        if (id % BUDGET_CHECKED_EVERY === 0) budget.spend(id, texts.length);
      });
      engine.consolidate();
      const buildMs = performance.now() - from;
      return {
        settings: `our analyzer's terms, k1 ${BM25_K1_DEFAULT}, b ${BM25_B_DEFAULT}`,
        buildMs,
        bytes: new TextEncoder().encode(engine.exportJSON()).length,
        coldLoadMs: null,
        prepare: (set) =>
          askWith(
            set,
            ({ text }) => text,
            (text) => engine.search(text, TOP_K).map(([id]) => Number(id)),
          ),
      };
    },
  };
}
