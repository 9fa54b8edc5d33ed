/**
 * What is measured: corpora, and the rows of questions to each. A quick plan has the same rows over less data, to see
 * that everything runs; its figures mean nothing.
 */
import type { Corpus, QuestionSet } from "./corpus.ts";
import { type FilterKind, filterFields, filtersOf } from "./filter_data.ts";
import type { Budgets } from "./session.ts";
import { proseDocuments, type TextData } from "./text_data.ts";
import { clusteredVectors, minilmVectors, siftVectors, type VectorData } from "./vector_data.ts";

/** Changes every figure a little, and no answer of an exact system. */
const SEED = 20_260_101;

export interface Scale {
  /** Documents where the row's name says 10k, and 100k. */
  readonly tenThousand: number;
  readonly hundredThousand: number;
  /** Counted questions of a row, and those before them that are not. */
  readonly questions: number;
  readonly warmUp: number;
  readonly budgets: Budgets;
}

export const FULL: Scale = {
  tenThousand: 10_000,
  hundredThousand: 100_000,
  questions: 504,
  warmUp: 56,
  budgets: { buildMsMax: 60_000, askMsMax: 5_000, silenceMsMax: 400_000 },
};

export const QUICK: Scale = {
  tenThousand: 400,
  hundredThousand: 1_000,
  questions: 16,
  warmUp: 8,
  budgets: { buildMsMax: 4_000, askMsMax: 300, silenceMsMax: 60_000 },
};

export interface PlannedCorpus {
  readonly name: string;
  /** Row names, known before any data is made. */
  readonly rows: readonly string[];
  /** null when data are not there. */
  make(): MadeCorpus | null;
}

interface MadeCorpus {
  readonly corpus: Corpus;
  readonly sets: readonly QuestionSet[];
}

/** Build figures of one row, shown as a row of their own. */
export const BUILD_ROWS: readonly { readonly row: string; readonly of: string }[] = [
  { row: "hnsw-build-100k-100", of: "vector-100k-100" },
  { row: "text-build-10k", of: "text-10k" },
  { row: "text-build-100k", of: "text-100k" },
];

export const FILTERS: readonly { readonly row: string; readonly kind: FilterKind }[] = [
  { row: "filter-50%-100k-100", kind: { share: 0.5 } },
  { row: "filter-10%-100k-100", kind: { share: 0.1 } },
  { row: "filter-1%-100k-100", kind: { share: 0.01 } },
  { row: "filter-0.1%-100k-100", kind: { share: 0.001 } },
  { row: "filter-entities-time-100k-100", kind: "entities and time" },
];

export function planOf(scale: Scale, dataFolder: string): readonly PlannedCorpus[] {
  const { tenThousand, hundredThousand, questions, warmUp } = scale;
  const asked = questions + warmUp;
  const clustered = (count: number, dimensions: number): VectorData =>
    clusteredVectors(count, dimensions, asked, SEED + dimensions);
  const prose = (count: number): TextData => proseDocuments(count, asked, SEED);
  const shape = { warmUp, questions: asked };
  return [
    vectorCorpus("vector-10k-64", () => clustered(tenThousand, 64), shape),
    vectorCorpus("vector-100k-100", () => clustered(hundredThousand, 100), shape, FILTERS),
    vectorCorpus("vector-100k-384", () => clustered(hundredThousand, 384), shape),
    vectorCorpus("vector-sift5k-128", () => siftVectors(dataFolder, asked), shape),
    vectorCorpus("vector-minilm-cranfield-384", () => minilmVectors(dataFolder, asked), shape),
    textCorpus("text-10k", () => prose(tenThousand), shape),
    textCorpus("text-100k", () => prose(hundredThousand), shape),
    hybridCorpus("hybrid-10k-64", ["shard-open-10k-64"], () => [prose(tenThousand), clustered(tenThousand, 64)], shape),
    hybridCorpus("hybrid-100k-64", [], () => [prose(hundredThousand), clustered(hundredThousand, 64)], shape),
  ];
}

interface Shape {
  readonly warmUp: number;
  /** Warm-ups included. */
  readonly questions: number;
}

function vectorCorpus(
  name: string,
  makeData: () => VectorData | null,
  { warmUp, questions }: Shape,
  filters: typeof FILTERS = [],
): PlannedCorpus {
  return {
    name,
    rows: [name, ...filters.map(({ row }) => row)],
    make() {
      const data = makeData();
      if (data === null) return null;
      const documents = data.rows.count;
      const fields = filters.length === 0 ? null : filterFields(documents, SEED);
      const plain = data.queries.map((vector) => ({ text: null, vector, filter: null }));
      const filtered = filters.map(({ row, kind }, index): QuestionSet => {
        const made = filtersOf(kind, documents, questions, SEED + index);
        const asked = plain.map((question, i) => ({ ...question, filter: made[i] ?? null }));
        return { row, leg: "vector", warmUp, questions: asked };
      });
      return {
        corpus: { name, documents, texts: null, vectors: data.rows, fields },
        sets: [{ row: name, leg: "vector", warmUp, questions: plain }, ...filtered],
      };
    },
  };
}

function textCorpus(name: string, makeData: () => TextData, { warmUp }: Shape): PlannedCorpus {
  return {
    name,
    rows: [name],
    make() {
      const { documents, queries } = makeData();
      const questions = queries.map((text) => ({ text, vector: null, filter: null }));
      return {
        corpus: { name, documents: documents.length, texts: documents, vectors: null, fields: null },
        sets: [{ row: name, leg: "text", warmUp, questions }],
      };
    },
  };
}

/** Shards are opened for as many questions as the rows at its side say. */
function hybridCorpus(
  name: string,
  openRows: readonly string[],
  makeData: () => readonly [TextData, VectorData],
  { warmUp }: Shape,
): PlannedCorpus {
  return {
    name,
    rows: [name, ...openRows],
    make() {
      const [text, vectors] = makeData();
      const questions = text.queries.map((query, i) => ({
        text: query,
        vector: vectors.queries[i] ?? null,
        filter: null,
      }));
      const documents = text.documents.length;
      return {
        corpus: { name, documents, texts: text.documents, vectors: vectors.rows, fields: null },
        sets: [
          { row: name, leg: "hybrid", warmUp, questions },
          ...openRows.map((row): QuestionSet => ({ row, leg: "open", warmUp, questions })),
        ],
      };
    },
  };
}
