/** Orama: text, vector and hybrid search in JavaScript; vectors by comparing every one. */
import { ANOTHER_KIND, askWith, type Contender } from "../kernel/contender.ts";
import { type Corpus, type Filter, type Question, type QuestionSet, rowOf, TOP_K } from "../kernel/corpus.ts";

type Database = object;
interface Answer {
  readonly hits: readonly { readonly id: string }[];
}

export interface Orama {
  create(settings: { readonly schema: Readonly<Record<string, string>> }): Database | Promise<Database>;
  insertMultiple(
    database: Database,
    documents: readonly Readonly<Record<string, unknown>>[],
    batch: number,
  ): Promise<unknown> | unknown;
  search(database: Database, question: Readonly<Record<string, unknown>>): Answer | Promise<Answer>;
  save(database: Database): unknown;
}

const DOCUMENTS_AT_ONCE = 500;
/** Its serialisation is text, built whole in memory: beyond this many documents it is not asked for. */
const SERIALIZED_DOCUMENTS_MAX = 20_000;

export function orama(library: Orama, version: string): Contender {
  return {
    system: `orama ${version}`,
    ours: false,
    async open(corpus, budget) {
      const database = await library.create({ schema: schemaOf(corpus) });
      let buildMs = 0;
      for (let at = 0; at < corpus.documents; at += DOCUMENTS_AT_ONCE) {
        const end = Math.min(corpus.documents, at + DOCUMENTS_AT_ONCE);
        const batch = Array.from({ length: end - at }, (_, i) => documentOf(corpus, at + i));
        const from = performance.now();
        await library.insertMultiple(database, batch, DOCUMENTS_AT_ONCE);
        buildMs += performance.now() - from;
        budget.spend(end, corpus.documents);
      }
      const serialized = corpus.documents <= SERIALIZED_DOCUMENTS_MAX;
      return {
        settings: "defaults; vectors from any similarity",
        buildMs,
        bytes: serialized ? new TextEncoder().encode(JSON.stringify(library.save(database))).length : null,
        coldLoadMs: null,
        prepare(set) {
          if (set.leg === "open") return ANOTHER_KIND;
          if (set.questions.some(({ filter }) => filter?.kind === "entities"))
            return { reason: "its filter takes ranges of numbers, no list of 500" };
          return askWith(
            set,
            (question) => questionOf(set, question),
            (question) => {
              const answer = library.search(database, question);
              return answer instanceof Promise ? answer.then(idsOf) : idsOf(answer);
            },
          );
        },
      };
    },
  };
}

function schemaOf({ texts, vectors, fields }: Corpus): Readonly<Record<string, string>> {
  return {
    ...(texts === null ? {} : { text: "string" }),
    ...(vectors === null ? {} : { embedding: `vector[${vectors.dimensions}]` }),
    ...(fields === null ? {} : { bucket: "number" }),
  };
}

function documentOf({ texts, vectors, fields }: Corpus, row: number): Readonly<Record<string, unknown>> {
  return {
    id: String(row),
    ...(texts === null ? {} : { text: texts[row] }),
    ...(vectors === null ? {} : { embedding: Array.from(rowOf(vectors, row)) }),
    ...(fields === null ? {} : { bucket: fields.bucket[row] }),
  };
}

function questionOf(
  { leg }: QuestionSet,
  { text, vector, filter }: Question,
): Readonly<Record<string, unknown>> | null {
  if ((leg !== "vector" && text === null) || (leg !== "text" && vector === null)) return null;
  return {
    mode: leg === "text" ? "fulltext" : leg,
    limit: TOP_K,
    ...(leg === "vector" ? {} : { term: text }),
    ...(leg === "text" || vector === null
      ? {}
      : { vector: { value: Array.from(vector), property: "embedding" }, similarity: leg === "vector" ? -1 : 0 }),
    ...(filter === null ? {} : { where: whereOf(filter) }),
  };
}

function whereOf(filter: Filter): Readonly<Record<string, unknown>> {
  if (filter.kind !== "bucket") throw new Error("a filter that was declined");
  return { bucket: { between: [filter.from, filter.from + filter.width - 1] } };
}

function idsOf({ hits }: Answer): readonly number[] {
  return hits.map(({ id }) => Number(id));
}
