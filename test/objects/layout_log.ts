/**
 * A log of many small commits, and distinct requests over it, from one seed: notes and messages in sessions, repeats of
 * ids, withdrawals, vectors on some of the events.
 */
import type { RandomNumbers } from "../../bench/kernel/random.ts";
import type { EventInput } from "../../core/schema/event.ts";
import type { Json } from "../../core/schema/scalar.ts";

export const LOG_BEGAN_MS = Date.UTC(2026, 0, 1);
export const COMMIT_EVERY_MS = 60_000;

const DIMENSIONS = 8;
const WORDS =
  "renewal risk invoice harbour promise north call ship delay price seat legal audit quota pilot churn".split(" ");
const KINDS = ["note", "message", "state"] as const;
const STAGES = ["won", "lost", "open"] as const;
const SESSIONS = 12;

export type Step = { readonly append: readonly EventInput[] } | { readonly withdraw: string };

/** `commits` steps, each of which is one commit. An id is withdrawn at most once, after it was appended. */
export function logSteps(commits: number, random: RandomNumbers): readonly Step[] {
  const live: string[] = [];
  let next = 0;
  return Array.from({ length: commits }, (_, index): Step => {
    if (live.length > 20 && random.below(12) === 0) {
      const [withdraw = ""] = live.splice(random.below(live.length), 1);
      return { withdraw };
    }
    const append = Array.from({ length: 1 + random.below(3) }, (): EventInput => {
      const id = `e${next++}`;
      live.push(id);
      return event(id, index, random);
    });
    // A repeat of an earlier id beside a new one: it is dropped, or said to be in conflict.
    const repeated = live[random.below(live.length)];
    if (repeated !== undefined && random.below(6) === 0) append.push(event(repeated, index, random));
    return { append };
  });
}

function event(id: string, commit: number, random: RandomNumbers): EventInput {
  return {
    id,
    ts: LOG_BEGAN_MS + commit * COMMIT_EVERY_MS - random.below(30) * COMMIT_EVERY_MS,
    kind: pick(KINDS, random),
    text: words(4 + random.below(30), random),
    session: `s${random.below(SESSIONS)}`,
    attributes: { stage: pick(STAGES, random), amount: random.below(100) },
    ...(random.below(2) === 0 ? { vector: vector(random) } : {}),
  };
}

function words(count: number, random: RandomNumbers): string {
  return Array.from(
    { length: count },
    () => `${pick(WORDS, random)}${random.below(4) === 0 ? random.below(40) : ""}`,
  ).join(" ");
}

function vector(random: RandomNumbers): number[] {
  return Array.from({ length: DIMENSIONS }, () => random.normal());
}

export type LayoutRequest =
  | { readonly search: Readonly<Record<string, Json>> }
  | { readonly timeline: { readonly order: "asc" | "desc"; readonly session: string | null; readonly limit: number } }
  | { readonly event: string };

/** `count` requests, no two of them alike. `snapshots` pin some of them to the past. */
export function distinctRequests(
  count: number,
  snapshots: readonly string[],
  random: RandomNumbers,
): readonly LayoutRequest[] {
  const requests = new Map<string, LayoutRequest>();
  while (requests.size < count) {
    const request = anyRequest(snapshots, random);
    requests.set(JSON.stringify(request), request);
  }
  return [...requests.values()];
}

function anyRequest(snapshots: readonly string[], random: RandomNumbers): LayoutRequest {
  const dice = random.below(20);
  if (dice === 0) return { event: `e${random.below(2 * snapshots.length)}` };
  if (dice === 1) {
    const session = random.below(2) === 0 ? `s${random.below(SESSIONS)}` : null;
    return { timeline: { order: pick(["asc", "desc"], random), session, limit: 1 + random.below(200) } };
  }
  return { search: searchBody(snapshots, random) };
}

function searchBody(snapshots: readonly string[], random: RandomNumbers): Readonly<Record<string, Json>> {
  const mode = pick(["text", "vector", "hybrid"] as const, random);
  const from = LOG_BEGAN_MS + random.below(snapshots.length) * COMMIT_EVERY_MS;
  return {
    mode,
    ...(mode === "vector" ? {} : { text: words(1 + random.below(4), random) }),
    ...(mode === "text" ? {} : { vector: vector(random) }),
    top_k: 1 + random.below(40),
    explain: random.below(4) === 0,
    ...some(random, { filter: anyFilter(random) }),
    ...some(random, { from, to: from + random.below(500) * COMMIT_EVERY_MS }),
    ...some(random, { snapshot: pick(snapshots, random) }),
    ...some(random, { as_of: from }),
  };
}

function anyFilter(random: RandomNumbers): Json {
  switch (random.below(4)) {
    case 0:
      return { kind: pick(KINDS, random) };
    case 1:
      return { "attributes.stage": { $in: [pick(STAGES, random), pick(STAGES, random)] } };
    case 2:
      return { "attributes.amount": { $lt: random.below(100) } };
    default:
      return { $not: { session: `s${random.below(SESSIONS)}` } };
  }
}

/** The fields, in one request of three. */
function some<T extends object>(random: RandomNumbers, fields: T): T | Record<string, never> {
  return random.below(3) === 0 ? fields : {};
}

function pick<T>(choices: readonly T[], random: RandomNumbers): T {
  const chosen = choices[random.below(choices.length)];
  if (chosen === undefined) throw new RangeError("nothing to choose from");
  return chosen;
}
