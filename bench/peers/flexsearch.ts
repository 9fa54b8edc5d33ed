/** FlexSearch: a context-scored word index in JavaScript. By default every word of the question must be there. */
import { ANOTHER_KIND, askWith, type Contender } from "../kernel/contender.ts";
import { TOP_K } from "../kernel/corpus.ts";

interface Index {
  add(id: number, text: string): void;
  search(text: string, settings: { readonly limit: number }): readonly number[];
  export(write: (key: string, data: string | undefined) => void): void;
}

export interface FlexSearch {
  readonly default: { readonly Index: new () => Index };
}

const BUDGET_CHECKED_EVERY = 1_000;

export function flexSearch(library: FlexSearch, version: string): Contender {
  return {
    system: `flexsearch ${version}`,
    ours: false,
    async open({ texts, vectors }, budget) {
      if (texts === null || vectors !== null) return ANOTHER_KIND;
      const index = new library.default.Index();
      const from = performance.now();
      texts.forEach((text, id) => {
        index.add(id, text);
        if (id % BUDGET_CHECKED_EVERY === 0) budget.spend(id, texts.length);
      });
      const buildMs = performance.now() - from;
      let bytes = 0;
      index.export((_, data) => {
        bytes += data === undefined ? 0 : new TextEncoder().encode(data).length;
      });
      return {
        settings: "defaults: every word, ranked by where words stand",
        buildMs,
        bytes: bytes === 0 ? null : bytes,
        coldLoadMs: null,
        prepare: (set) =>
          askWith(
            set,
            ({ text }) => text,
            (text) => index.search(text, { limit: TOP_K }),
          ),
      };
    },
  };
}
