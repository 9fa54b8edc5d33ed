/**
 * Finds questions to ask of a timeline nobody has seen before: from its own frequent words, its identifiers and, for a
 * git history, its paths and hashes.
 */
import type { ConnectorItem } from "../../adapters/connectors/item.ts";
import type { Json } from "../../core/schema/scalar.ts";

type Accepted = Extract<ConnectorItem, { ok: true }>;

export interface Question {
  /** Why this is worth asking, for the reader. */
  readonly about: string;
  readonly entity: string;
  readonly body: Readonly<Record<string, Json>> & { readonly text: string };
}

/** What is remembered of the input stays bounded however long it is. */
const ENTITIES_MAX = 2_000;
const WORDS_PER_ENTITY_MAX = 500;
const WORD_LENGTH_MIN = 4;
/** A word in more of the events than this says nothing. */
const WORD_SHARE_MAX = 0.5;
const TOP_K = 3;

const WORD = /\p{L}+/gu;
/** Letters and digits in one token: an order number, a version, a ticket. */
const IDENTIFIER = /\b(?=\w*\d)(?=\w*[A-Za-z])[A-Za-z0-9]+(?:[-_./][A-Za-z0-9]+)+\b/;
const PATH = /^[\w@.-]+(?:\/[\w@. -]+)+$/gm;
const COMMON: ReadonlySet<string> = new Set(
  "about after also been from have into just more only over some than that their them then there these they this very were what when which will with would your does dont cant like make https http".split(
    " ",
  ),
);

interface Observed {
  events: number;
  identifier: string | null;
  path: string | null;
  lastId: string | null;
  firstMs: number;
  lastMs: number;
  readonly words: Map<string, number>;
}

export interface Observer {
  observe(item: Accepted): void;
  questions(): readonly Question[];
}

export function observer(kind: "git" | "records"): Observer {
  const entities = new Map<string, Observed>();
  return {
    observe({ entity, event }) {
      const observed = entities.get(entity) ?? nothingYet();
      if (!entities.has(entity) && entities.size >= ENTITIES_MAX) return;
      entities.set(entity, observed);
      note(observed, event, kind);
    },
    questions: () => (kind === "git" ? gitQuestions(entities) : recordQuestions(entities)),
  };
}

function nothingYet(): Observed {
  return {
    events: 0,
    identifier: null,
    path: null,
    lastId: null,
    firstMs: Number.POSITIVE_INFINITY,
    lastMs: Number.NEGATIVE_INFINITY,
    words: new Map(),
  };
}

function note(observed: Observed, event: Accepted["event"], kind: "git" | "records"): void {
  const text = event.text ?? "";
  observed.events += 1;
  observed.lastId = event.id ?? observed.lastId;
  observed.firstMs = Math.min(observed.firstMs, event.ts ?? Number.POSITIVE_INFINITY);
  observed.lastMs = Math.max(observed.lastMs, event.ts ?? Number.NEGATIVE_INFINITY);
  if (kind === "git") observed.path = text.match(PATH)?.at(-1) ?? observed.path;
  else observed.identifier = IDENTIFIER.exec(text)?.[0] ?? observed.identifier;
  // The first paragraph of a commit is its subject; a record's text is short as a rule.
  const [opening = ""] = text.split("\n\n", 1);
  for (const word of new Set(opening.toLowerCase().match(WORD) ?? [])) {
    if (word.length < WORD_LENGTH_MIN || COMMON.has(word)) continue;
    const count = observed.words.get(word);
    if (count === undefined && observed.words.size >= WORDS_PER_ENTITY_MAX) continue;
    observed.words.set(word, (count ?? 0) + 1);
  }
}

function gitQuestions(entities: ReadonlyMap<string, Observed>): readonly Question[] {
  const folder = busiest(entities, "folder:");
  const author = busiest(entities, "author:");
  const questions: Question[] = [];
  if (folder !== null) {
    const [entity, observed] = folder;
    questions.push({ about: "frequent words of its history", entity, body: ask(frequent(observed).join(" ")) });
    if (observed.path !== null) {
      questions.push({ about: "a path, verbatim", entity, body: ask(observed.path) });
    }
  }
  if (author !== null) {
    const [entity, observed] = author;
    if (observed.lastId !== null) {
      questions.push({ about: "a commit, by its abbreviated hash", entity, body: ask(observed.lastId.slice(0, 7)) });
    }
    questions.push({
      about: "large changes only, by a filter",
      entity,
      body: { ...ask(frequent(observed).join(" ")), filter: { "attributes.files": { $gte: 5 } } },
    });
  }
  return questions.filter(({ body }) => body.text !== "");
}

function recordQuestions(entities: ReadonlyMap<string, Observed>): readonly Question[] {
  const first = busiest(entities, "");
  if (first === null) return [];
  const [entity, observed] = first;
  const words = frequent(observed);
  const questions: Question[] = [
    { about: "frequent words of the busiest timeline", entity, body: ask(words.join(" ")) },
  ];
  if (observed.identifier !== null) {
    questions.push({ about: "an identifier, verbatim", entity, body: ask(observed.identifier) });
  }
  if (observed.lastMs > observed.firstMs) {
    const middle = new Date(observed.firstMs + (observed.lastMs - observed.firstMs) / 2).toISOString();
    questions.push({
      about: "only the later half of its time",
      entity,
      body: { ...ask(words[0] ?? ""), from: middle },
    });
  }
  return questions.filter(({ body }) => body.text !== "");
}

function ask(text: string): Question["body"] {
  return { text, top_k: TOP_K };
}

function busiest(entities: ReadonlyMap<string, Observed>, prefix: string): readonly [string, Observed] | null {
  const candidates = [...entities].filter(([entity]) => entity.startsWith(prefix));
  return candidates.reduce<readonly [string, Observed] | null>(
    (best, each) => (best === null || each[1].events > best[1].events ? each : best),
    null,
  );
}

/** The two words that most of its events share, leaving out those that nearly all share. */
function frequent({ events, words }: Observed): readonly string[] {
  const ranked = [...words].sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1));
  const telling = ranked.filter(([, count]) => count <= Math.max(1, events * WORD_SHARE_MAX));
  return (telling.length > 0 ? telling : ranked).slice(0, 2).map(([word]) => word);
}
