/** MiniSearch: an inverted index over a radix tree in JavaScript; BM25+. Words as they are: no stemming, no stop words. */
import { ANOTHER_KIND, askWith, type Contender } from "../kernel/contender.ts";
import { TOP_K } from "../kernel/corpus.ts";

interface Index {
  addAll(documents: readonly { readonly id: number; readonly text: string }[]): void;
  search(text: string): readonly { readonly id: number }[];
}

export interface MiniSearchLibrary {
  readonly default: (new (settings: {
    readonly fields: readonly string[];
  }) => Index) & {
    loadJSON(json: string, settings: { readonly fields: readonly string[] }): Index;
  };
}

const SETTINGS = { fields: ["text"] };
const DOCUMENTS_AT_ONCE = 1_000;

export function miniSearch({ default: MiniSearch }: MiniSearchLibrary, version: string): Contender {
  return {
    system: `minisearch ${version}`,
    ours: false,
    async open({ texts, vectors }, budget) {
      if (texts === null || vectors !== null) return ANOTHER_KIND;
      const documents = texts.map((text, id) => ({ id, text }));
      const index = new MiniSearch(SETTINGS);
      const from = performance.now();
      for (let at = 0; at < documents.length; at += DOCUMENTS_AT_ONCE) {
        index.addAll(documents.slice(at, at + DOCUMENTS_AT_ONCE));
        budget.spend(Math.min(at + DOCUMENTS_AT_ONCE, documents.length), documents.length);
      }
      const buildMs = performance.now() - from;
      const json = JSON.stringify(index);
      const loadFrom = performance.now();
      MiniSearch.loadJSON(json, SETTINGS).search(texts[0] ?? "");
      const coldLoadMs = performance.now() - loadFrom;
      return {
        settings: "defaults: BM25+, any word, no stemming",
        buildMs,
        bytes: new TextEncoder().encode(json).length,
        coldLoadMs,
        prepare: (set) =>
          askWith(
            set,
            ({ text }) => text,
            (text) =>
              index
                .search(text)
                .slice(0, TOP_K)
                .map(({ id }) => id),
          ),
      };
    },
  };
}
