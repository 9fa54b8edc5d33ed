/**
 * What is asked of a plane and done to it, step by step, drawn from the seed before anything runs. A step depends on no
 * other, so any of them can be left out; what a step needs to know of earlier replies is looked up when it is its turn.
 */
import type { EntityScope } from "../../core/rpc.ts";
import { Chance } from "./chance.ts";
import type { SearchBody, SentEvent } from "./history.ts";
import { type Derived, ENTITIES, EPOCH_MS, TENANTS, type TenantIndex } from "./plane.ts";

export type Action =
  | { readonly type: "append"; readonly events: readonly SentEvent[]; readonly key: string | null }
  /** The same request again, `back` appends ago; `changed`: with another body under the same key. */
  | { readonly type: "again"; readonly back: number; readonly changed: boolean }
  | { readonly type: "search"; readonly body: SearchBody; readonly sees: Sees; readonly back: number }
  | { readonly type: "tenant_search"; readonly body: SearchBody; readonly isPinned: boolean; readonly back: number }
  | { readonly type: "tenant_index"; readonly mode: TenantIndex }
  | { readonly type: "withdraw"; readonly back: number }
  /** Of as many ids that were sent, the newest first. */
  | { readonly type: "redact"; readonly back: number; readonly count: number }
  | { readonly type: "event"; readonly back: number }
  | { readonly type: "timeline"; readonly kind: "tombstone" | null }
  | { readonly type: "status" }
  | { readonly type: "export" }
  | { readonly type: "job"; readonly job: "erase" | "rebuild" | "compact" | "reconcile"; readonly whole: boolean }
  | { readonly type: "entities" }
  | { readonly type: "tenant_status" }
  | { readonly type: "sweep" }
  | { readonly type: "replay" }
  /** What goes wrong, besides the weather. */
  | { readonly type: "crash" | "lose" | "crash_tenant" | "lose_tenant" | "restart" | "end_indexers" | "end_doors" }
  | { readonly type: "crash_scope" | "lose_scope" }
  | { readonly type: "damage"; readonly derived: Derived; readonly isMissing: boolean }
  | { readonly type: "supersede"; readonly lose: boolean }
  | { readonly type: "skew"; readonly skewMs: number };

/**
 * What a search asks to see. `foreign`: by a token of the same entity of the other tenant. `door`, `door_pinned`: what the
 * front door says while the object is silent.
 */
export type Sees = "strong" | "eventual" | "pinned" | "at_least" | "foreign" | "door" | "door_pinned";

export interface Step {
  readonly index: number;
  readonly atMs: number;
  readonly scope: EntityScope;
  readonly action: Action;
}

const DAY_MS = 86_400_000;
const WORDS = ["renewal", "risk", "invoice", "call", "promise", "north", "harbour", "contract", "the"] as const;
/** Of most vectors; a few have one more, and are refused or make the others so. */
export const DIMENSIONS = 3;
/** How often a burst begins, and how long it is at the most. */
const BURST = 0.05;
const BURST_STEPS_MAX = 9;
/** Ids that many requests send, each with content of its own. */
const SHARED_IDS = 6;

export function planOf(seed: number, steps: number): readonly Step[] {
  const chance = new Chance(seed);
  const plan: Step[] = [];
  let atMs = 0;
  /** Steps that are left of a burst, on one entity and with little time between them. */
  let burst: readonly Timed[] = [];
  let scope: EntityScope = { tenant: TENANTS[0], entity: ENTITIES[0] };
  for (let index = 0; index < steps; index += 1) {
    const isWithin = burst.length > 0;
    if (!isWithin) {
      atMs += pauseMs(chance);
      scope = { tenant: chance.pick("tenant", TENANTS), entity: chance.pick("entity", ENTITIES) };
      if (chance.happens("burst", BURST)) burst = burstOf(chance);
    } else atMs += burst[0]?.afterMs ?? chance.draw("burst pause") * chance.pick("burst pause", [2, 20, 300, 1_200]);
    const [next = soon(drawAny(chance, ACTIONS)), ...rest] = burst;
    burst = rest;
    plan.push({ index, atMs, scope, action: next.draw(chance, index, scope) });
  }
  return plan;
}

function pauseMs(chance: Chance): number {
  const kind = chance.draw("pause");
  if (kind < 0.45) return chance.draw("pause") * 3;
  if (kind < 0.85) return chance.draw("pause") * 60;
  if (kind < 0.975) return chance.draw("pause") * 500;
  return 800 + chance.draw("pause") * 2_500;
}

type Draw = (chance: Chance, index: number, scope: EntityScope) => Action;

interface WeightedDraw {
  readonly weight: number;
  readonly draw: Draw;
}

const ACTIONS: readonly WeightedDraw[] = [
  { weight: 30, draw: drawAppend },
  {
    weight: 8,
    draw: (chance) => ({ type: "again", back: chance.below("back", 3), changed: chance.happens("changed", 0.2) }),
  },
  { weight: 26, draw: drawSearch },
  { weight: 6, draw: drawTenantSearch },
  {
    weight: 0.7,
    draw: (chance) => ({ type: "tenant_index", mode: chance.pick("index", ["full", "full", "summaries", "off"]) }),
  },
  { weight: 6, draw: (chance) => ({ type: "withdraw", back: chance.below("back", 12) }) },
  { weight: 1.5, draw: drawRedaction },
  { weight: 5, draw: (chance) => ({ type: "event", back: chance.below("back", 12) }) },
  { weight: 3, draw: (chance) => ({ type: "timeline", kind: chance.happens("kind", 0.2) ? "tombstone" : null }) },
  { weight: 3, draw: () => ({ type: "status" }) },
  { weight: 2, draw: () => ({ type: "export" }) },
  { weight: 1, draw: () => ({ type: "entities" }) },
  { weight: 1, draw: () => ({ type: "tenant_status" }) },
  { weight: 1, draw: () => ({ type: "sweep" }) },
  { weight: 1, draw: () => ({ type: "replay" }) },
  { weight: 3, draw: drawJob },
  { weight: 0.7, draw: () => ({ type: "job", job: "erase", whole: false }) },
  { weight: 2.5, draw: drawEnd },
  { weight: 1.5, draw: (chance) => ({ type: "supersede", lose: chance.happens("lose", 0.3) }) },
  { weight: 1, draw: drawSkew },
  {
    weight: 2,
    draw: (chance) => ({
      type: "damage",
      derived: chance.pick("derived", ["shard", "shard", "head", "hint"]),
      isMissing: chance.happens("missing", 0.5),
    }),
  },
];

/** What hits an entity while it writes. */
const BURST_ACTIONS: readonly WeightedDraw[] = [
  { weight: 8, draw: drawAppend },
  { weight: 3, draw: drawSearch },
  { weight: 2, draw: (chance) => ({ type: "withdraw", back: chance.below("back", 4) }) },
  { weight: 1, draw: drawRedaction },
  { weight: 1, draw: () => ({ type: "job", job: "erase", whole: false }) },
  { weight: 2, draw: () => ({ type: "crash" }) },
  { weight: 2, draw: () => ({ type: "lose" }) },
  { weight: 2, draw: (chance) => ({ type: "supersede", lose: chance.happens("lose", 0.5) }) },
  { weight: 2, draw: drawSkew },
];

const LOSE: Draw = () => ({ type: "lose" });

/** A step of a burst, and how long after the one before; null: as it comes. */
interface Timed {
  readonly afterMs: number | null;
  readonly draw: Draw;
}

const at = (afterMs: number, draw: Draw): Timed => ({ afterMs, draw });
const soon = (draw: Draw): Timed => ({ afterMs: null, draw });

/** What seldom comes together by itself. */
const COURSES: readonly [readonly Timed[], ...(readonly Timed[])[]] = [
  // A day passes and is taken back, while puts are under way and state is lost: the day of arrival is part of keys.
  [skewOf(DAY_MS), drawAppend, LOSE, skewOf(0), drawAppend, drawAppend].map(soon),
  [skewOf(DAY_MS), drawAppend, skewOf(0), drawAppend, drawAppend, LOSE].map(soon),
  [
    at(0, skewOf(DAY_MS)),
    at(1, drawAppend),
    at(60, LOSE),
    at(0, skewOf(0)),
    at(1, drawAppend),
    at(900, LOSE),
    at(5, drawAppend),
  ],
  // So much is appended that it is indexed at once, and redacted meanwhile.
  [
    ...[drawAppend, drawAppend, drawAppend, drawAppend, drawAppend].map((draw) => at(1, draw)),
    at(40, drawRedaction),
    at(80, drawRedaction),
    at(800, drawSearch),
    at(300, drawSearch),
  ],
  // What was sent is sent again to the life that follows an erasure.
  [
    at(0, drawAppend),
    at(5, drawAppend),
    at(400, () => ({ type: "job", job: "erase", whole: false })),
    ...[0, 1].map((back) => at(1_500, (): Action => ({ type: "again", back, changed: false }))),
  ],
  // Whoever searches the tenant next must not find it.
  [at(0, drawRedaction), ...[400, 600, 800].map((afterMs) => at(afterMs, drawTenantSearch))],
];

function skewOf(skewMs: number): Draw {
  return () => ({ type: "skew", skewMs });
}

function burstOf(chance: Chance): readonly Timed[] {
  if (chance.happens("course", 0.5)) return chance.pick("course", COURSES);
  const steps = 3 + chance.below("burst", BURST_STEPS_MAX - 2);
  return Array.from({ length: steps }, () => soon(drawAny(chance, BURST_ACTIONS)));
}

function drawAny(chance: Chance, from: readonly WeightedDraw[]): Draw {
  let left = chance.draw("action") * from.reduce((sum, { weight }) => sum + weight, 0);
  for (const { weight, draw } of from) {
    left -= weight;
    if (left < 0) return draw;
  }
  return drawAppend;
}

function drawAppend(chance: Chance, index: number, { tenant }: EntityScope): Action {
  const count = 1 + chance.below("count", 3);
  const events = Array.from({ length: count }, (_, at) => drawEvent(chance, `${tenant}.${index}.${at}`));
  return { type: "append", events, key: chance.happens("key", 0.4) ? `key-${tenant}-${index}` : null };
}

function drawEvent(chance: Chance, by: string): SentEvent {
  const naming = chance.draw("naming");
  const id = naming < 0.55 ? `n-${by}` : naming < 0.85 ? `s-${chance.below("id", SHARED_IDS)}` : undefined;
  return {
    ...(id === undefined ? {} : { id }),
    ...(chance.happens("ts", 0.7) ? { ts: EPOCH_MS + chance.below("ts", 5) } : {}),
    ...(chance.happens("kind", 0.3) ? { kind: "message" } : {}),
    text: drawWords(chance, 1 + chance.below("words", 6)),
    ...(chance.happens("vector", 0.5)
      ? { vector: drawVector(chance, DIMENSIONS + Number(chance.happens("dimensions", 0.02))) }
      : {}),
    attributes: { by },
  };
}

function drawWords(chance: Chance, count: number): string {
  return Array.from({ length: count }, () => chance.pick("word", WORDS)).join(" ");
}

/** Few directions, so that scores are often equal. */
function drawVector(chance: Chance, dimensions: number): number[] {
  const vector = Array.from({ length: dimensions }, () => chance.below("component", 4) - 1);
  return vector.some((component) => component !== 0) ? vector : vector.map(() => 1);
}

function drawSearch(chance: Chance): Action {
  const mode = chance.pick("mode", ["text", "text", "vector", "hybrid"]);
  const body: SearchBody = {
    ...(mode === "vector" ? {} : { text: drawWords(chance, 1 + chance.below("words", 3)) }),
    ...(mode === "text" ? {} : { vector: drawVector(chance, DIMENSIONS) }),
    mode,
    ...(mode === "hybrid" ? { fusion: { k: 60, weights: { text: 1, vector: 0.5 } } } : {}),
    top_k: chance.pick("top_k", [2, 10, 1_000]),
    ...(chance.happens("window", 0.15) ? { from: EPOCH_MS + 1, to: EPOCH_MS + 3 } : {}),
    ...(chance.happens("filter", 0.15) ? { filter: { kind: "message" } } : {}),
  };
  const sees = chance.pick<Sees>("sees", [
    "strong",
    "strong",
    "strong",
    "eventual",
    "pinned",
    "pinned",
    "at_least",
    "foreign",
    "door",
    "door",
    "door_pinned",
  ]);
  return { type: "search", body, sees, back: chance.below("back", 10) };
}

function drawTenantSearch(chance: Chance): Action {
  const isStrong = chance.happens("strong", 0.25);
  const body: SearchBody = {
    text: drawWords(chance, 1 + chance.below("words", 3)),
    mode: "text",
    top_k: 1_000,
    ...(isStrong ? { consistency: "strong", entities: [...ENTITIES] } : {}),
  };
  const isPinned = !isStrong && chance.happens("pinned", 0.25);
  return { type: "tenant_search", body, isPinned, back: chance.below("back", 6) };
}

function drawRedaction(chance: Chance): Action {
  return { type: "redact", back: chance.below("back", 12), count: 1 + chance.below("redacted", 2) };
}

function drawJob(chance: Chance): Action {
  const job = chance.pick<"rebuild" | "compact" | "reconcile">("job", ["rebuild", "compact", "reconcile"]);
  return { type: "job", job, whole: chance.happens("whole", 0.2) };
}

function drawEnd(chance: Chance): Action {
  return {
    type: chance.pick("end", [
      "crash",
      "crash",
      "crash",
      "lose",
      "crash_tenant",
      "lose_tenant",
      "restart",
      "end_indexers",
      "end_doors",
      "crash_scope",
      "lose_scope",
    ]),
  };
}

function drawSkew(chance: Chance): Action {
  const days = chance.happens("days", 0.5) ? chance.pick("days", [-1, 1]) : 0;
  return { type: "skew", skewMs: days * DAY_MS + Math.floor((chance.draw("skew") - 0.5) * 4_000) };
}
