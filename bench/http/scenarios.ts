/**
 * The rows: what is asked of which entities, how often, and what is wanted of the answers' times.
 */
import { randomNumbers } from "../kernel/random.ts";
import { type Corpus, type CorpusPlan, EVENT_INTERVAL_MS, FIRST_TS_MS, MEMBERS, memberName } from "./corpus.ts";
import { type Ask, NUMBER } from "./load.ts";
import { entityPath, forgetPath, type HarnessName } from "./plane.ts";
import type { HttpRow } from "./report.ts";

export interface Scale {
  /** Timed requests of a row at most. */
  readonly requestsMax: number;
  readonly warmup: number;
  readonly queries: number;
  /** Of the corpora's events. */
  readonly events: { readonly small: number; readonly large: number };
  /** Entities with the same content that are read in turn, more than an isolate keeps in memory. */
  readonly copies: number;
  readonly bulkEntities: number;
  readonly mixedEntities: number;
  readonly mixedSeconds: number;
  /** The copies are more than an isolate keeps, so that what is read lies in SQLite when it is read again. */
  readonly overflowsMemory: boolean;
}

export const FULL: Scale = {
  requestsMax: 10_000,
  warmup: 200,
  queries: 1_000,
  events: { small: 10_000, large: 100_000 },
  copies: 22,
  bulkEntities: 5,
  mixedEntities: 100,
  mixedSeconds: 600,
  overflowsMemory: true,
};

/** Shows that everything runs. */
export const QUICK: Scale = {
  requestsMax: 40,
  warmup: 4,
  queries: 20,
  events: { small: 200, large: 400 },
  copies: 3,
  bulkEntities: 2,
  mixedEntities: 4,
  mixedSeconds: 2,
  overflowsMemory: false,
};

export type CorpusName = "10k×64" | "100k×100" | "100k×384" | "mixed";

export function corpusPlan(name: CorpusName, { events, queries }: Scale): CorpusPlan {
  const prose = 600;
  const title = 60;
  switch (name) {
    case "10k×64":
      return { events: events.small, dimensions: 64, queries, textCharacters: prose };
    case "100k×100":
      return { events: events.large, dimensions: 100, queries, textCharacters: title };
    case "100k×384":
      return { events: events.large, dimensions: 384, queries, textCharacters: title };
    case "mixed":
      return { events: Math.ceil(events.small / 50), dimensions: 64, queries, textCharacters: prose };
  }
}

/** `count` entities hold the corpus. */
export interface Holding {
  readonly corpus: CorpusName;
  readonly count: number;
}

export interface Scenario {
  readonly name: string;
  readonly harness: HarnessName;
  readonly holds: Holding;
  readonly goal: HttpRow["goal"];
  /** null: nothing is asked, the entities are filled, and that is timed. */
  readonly load: Load | null;
}

interface Load {
  readonly rate: number;
  readonly requests: number;
  readonly hasFloor: boolean;
  asks(corpus: Corpus, entities: readonly string[]): readonly Ask[];
}

export function entitiesOf({ corpus, count }: Holding): readonly string[] {
  return Array.from({ length: count }, (_, index) => `bench:${corpus}:${index}`);
}

/** Rates leave the runtime's one thread idle for a third of the time at least: behind a queue every figure is the queue's. */
export function scenarios(scale: Scale): readonly Scenario[] {
  const one = (corpus: CorpusName): Holding => ({ corpus, count: 1 });
  const copies: Holding = { corpus: "10k×64", count: scale.copies };
  // An object that is made to forget must not have another request yet.
  const unhurried = (rate: number): number => Math.min(rate, scale.copies * READS_PER_COPY_S_MAX);
  const load = (rate: number, asks: Load["asks"]): Load => ({
    rate,
    requests: scale.requestsMax,
    hasFloor: true,
    asks,
  });
  const warm = (sides: Sides) => searches(sides, "memory", null);
  const overFloor = (p50: number, p99: number) => goal({ p50: { over_floor: p50 }, p99: { over_floor: p99 } });
  const atMost = (p50: number, p99: number) => goal({ p50: { max: p50 }, p99: { max: p99 } });
  const cold = searches("hybrid", "cold", true);
  const loopback = { harness: "loopback" } as const;
  return [
    {
      ...loopback,
      name: "vector warm 10k×64",
      holds: one("10k×64"),
      goal: overFloor(0.5, 3),
      load: load(40, warm("vector")),
    },
    {
      ...loopback,
      name: "text warm 10k",
      holds: one("10k×64"),
      goal: overFloor(0.5, 3),
      load: load(150, warm("text")),
    },
    {
      ...loopback,
      name: "hybrid warm 10k",
      holds: one("10k×64"),
      goal: overFloor(0.8, 4),
      load: load(150, warm("hybrid")),
    },
    {
      ...loopback,
      name: "hybrid from SSD pages 10k",
      holds: copies,
      goal: atMost(8, 25),
      load: load(unhurried(40), searches("hybrid", scale.overflowsMemory ? "ssd" : null, false)),
    },
    { ...loopback, name: "hybrid cold 10k", holds: copies, goal: atMost(30, 100), load: load(unhurried(14), cold) },
    {
      ...loopback,
      name: "vector warm 100k×100",
      holds: one("100k×100"),
      goal: overFloor(1, 4),
      load: load(50, warm("vector")),
    },
    {
      ...loopback,
      name: "hybrid and filters 100k×384",
      holds: one("100k×384"),
      goal: goal({ p50: { over_floor: 3 }, p99: { max: 10 } }),
      load: load(25, filteredSearches),
    },
    {
      ...loopback,
      name: "append of 10 events",
      holds: { corpus: "mixed", count: 1 },
      goal: atMost(12, 50),
      load: load(100, appends),
    },
    {
      ...loopback,
      name: "bulk ingest, indexed",
      holds: { corpus: "10k×64", count: scale.bulkEntities },
      goal: goal({ events_per_s: 5_000 }),
      load: null,
    },
    {
      ...loopback,
      name: "mixed, 100 entities",
      holds: { corpus: "mixed", count: scale.mixedEntities },
      goal: goal({ growth: FLAT }),
      load: mixedLoad(scale),
    },
    {
      name: "hybrid cold 10k",
      harness: "production",
      holds: copies,
      goal: atMost(200, 400),
      load: load(unhurried(14), cold),
    },
  ];
}

const READS_PER_COPY_S_MAX = 3;
/** Memory that grows by less than this from the second quarter of a run to its last is called flat. */
const FLAT = 1.1;
const NO_GOAL: HttpRow["goal"] = { p50: null, p99: null, events_per_s: null, growth: null };

function goal(wanted: Partial<HttpRow["goal"]>): HttpRow["goal"] {
  return { ...NO_GOAL, ...wanted };
}

// --- What is asked --------------------------------------------------------------------------

type Sides = "vector" | "text" | "hybrid";

/** `forgets`: after its answer the object loses its instance, and its copies too when true. */
function searches(sides: Sides, tier: Ask["tier"], forgets: boolean | null): Load["asks"] {
  return (corpus, entities) => {
    const count = leastCommonMultiple(corpus.queries.length, entities.length);
    return Array.from({ length: count }, (_, index) => {
      const { text, vector } = corpus.queries[index % corpus.queries.length] ?? { text: "", vector: [] };
      const entity = entities[index % entities.length] ?? "";
      const asked = sides === "vector" ? { vector } : sides === "text" ? { text, mode: "text" } : { text, vector };
      return search(entity, asked, tier, forgets === null ? null : forgetPath(entity, forgets));
    });
  };
}

function search(entity: string, body: object, tier: Ask["tier"], after: string | null): Ask {
  return { method: "POST", path: entityPath(entity, "/search"), body: JSON.stringify(body), status: 200, tier, after };
}

function leastCommonMultiple(a: number, b: number): number {
  const divisor = (x: number, y: number): number => (y === 0 ? x : divisor(y, x % y));
  return (a * b) / divisor(a, b);
}

/** Half of the members, others for each query, and half of the time that the events span. */
const filteredSearches: Load["asks"] = (corpus, [entity = ""]) => {
  const random = randomNumbers(7);
  const span = corpus.plan.events * EVENT_INTERVAL_MS;
  return corpus.queries.map(({ text, vector }) => {
    const members = new Set<string>();
    while (members.size < MEMBERS / 2) members.add(memberName(random.below(MEMBERS)));
    const from = FIRST_TS_MS + Math.floor((span / 2) * random.unit());
    const window = { from: new Date(from).toISOString(), to: new Date(from + span / 2).toISOString() };
    return search(
      entity,
      { text, vector, filter: { "attributes.member": { $in: [...members] } }, ...window },
      null,
      null,
    );
  });
};

const APPEND_EVENTS = 10;

function append(corpus: Corpus, entity: string, query: number, events: number): Ask {
  const asked = corpus.queries[query % corpus.queries.length] ?? { text: "", vector: [] };
  const event = (index: number) => ({
    id: `n${NUMBER}-${index}`,
    text: `${asked.text} of ${NUMBER}, part ${index}`,
    vector: asked.vector,
    attributes: { member: memberName(index) },
  });
  const body = JSON.stringify({ events: Array.from({ length: events }, (_, index) => event(index)) });
  return { method: "POST", path: entityPath(entity, "/events"), body, status: 201, tier: null, after: null };
}

/** To entities of their own, ten in turn. */
const appends: Load["asks"] = (corpus) =>
  Array.from({ length: corpus.queries.length }, (_, query) =>
    append(corpus, `bench:appends:${query % 10}`, query, APPEND_EVENTS),
  );

function mixedLoad({ mixedSeconds }: Scale): Load {
  const rate = 200;
  return { rate, requests: rate * mixedSeconds, hasFloor: false, asks: mixed };
}

/** Of twenty requests: thirteen searches, four appends, two pages of the timeline, one status. */
const MIX = "hthahtvhthahtlhahtlas";

const mixed: Load["asks"] = (corpus, entities) => {
  const random = randomNumbers(11);
  return Array.from({ length: MIX.length * entities.length * 10 }, (_, index) => {
    const entity = entities[random.below(entities.length)] ?? "";
    const { text, vector } = corpus.queries[random.below(corpus.queries.length)] ?? { text: "", vector: [] };
    const get = (path: string): Ask => ({ method: "GET", path, body: null, status: 200, tier: null, after: null });
    switch (MIX.charAt(index % MIX.length)) {
      case "a":
        return append(corpus, entity, index, 1 + random.below(3));
      case "h":
        return search(entity, { text, vector }, null, null);
      case "t":
        return search(entity, { text, mode: "text" }, null, null);
      case "v":
        return search(entity, { vector }, null, null);
      case "l":
        return get(entityPath(entity, "/events?limit=20&order=desc"));
      default:
        return get(entityPath(entity));
    }
  });
};
