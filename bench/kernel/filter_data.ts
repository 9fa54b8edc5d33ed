/** Fields to filter by and filters of a wanted selectivity: another one for every question. */
import type { Fields, Filter } from "./corpus.ts";
import { type RandomNumbers, randomNumbers } from "./random.ts";

const BUCKETS = 1_000;
export const ENTITIES = 1_000;
const ENTITIES_ASKED = 500;
/** Of the whole time that the documents span. */
const WINDOW_SHARE = 0.5;
const START_MS = Date.UTC(2026, 0, 1);
const STEP_MS = 1_000;

export type FilterKind = { readonly share: number } | "entities and time";

export function filterFields(documents: number, seed: number): Fields {
  const random = randomNumbers(seed);
  return {
    bucket: Uint32Array.from({ length: documents }, () => random.below(BUCKETS)),
    entity: Uint32Array.from({ length: documents }, () => random.below(ENTITIES)),
    time: Float64Array.from({ length: documents }, (_, row) => START_MS + row * STEP_MS),
  };
}

export function filtersOf(kind: FilterKind, documents: number, count: number, seed: number): readonly Filter[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, (): Filter => {
    if (kind === "entities and time") return entitiesAndTime(documents, random);
    const width = Math.round(kind.share * BUCKETS);
    return { kind: "bucket", from: random.below(BUCKETS - width + 1), width };
  });
}

function entitiesAndTime(documents: number, random: RandomNumbers): Filter {
  const ids = Array.from({ length: ENTITIES }, (_, id) => id);
  for (let i = 0; i < ENTITIES_ASKED; i++) {
    const other = i + random.below(ENTITIES - i);
    [ids[i], ids[other]] = [ids[other] ?? 0, ids[i] ?? 0];
  }
  const width = Math.round(documents * WINDOW_SHARE);
  const from = random.below(documents - width + 1);
  return {
    kind: "entities",
    ids: ids.slice(0, ENTITIES_ASKED).sort((a, b) => a - b),
    since: START_MS + from * STEP_MS,
    until: START_MS + (from + width - 1) * STEP_MS,
  };
}

/** Which buckets or entities are wanted: one byte a value. */
export function wantedValues(filter: Filter): Uint8Array {
  const wanted = new Uint8Array(filter.kind === "bucket" ? BUCKETS : ENTITIES);
  if (filter.kind === "bucket") wanted.fill(1, filter.from, filter.from + filter.width);
  else for (const id of filter.ids) wanted[id] = 1;
  return wanted;
}

/** Whether a document matches, for peers that call back and for the exact answer. */
export function matcherOf(filter: Filter | null, fields: Fields | null): ((document: number) => boolean) | null {
  if (filter === null || fields === null) return null;
  const wanted = wantedValues(filter);
  if (filter.kind === "bucket") return (document) => wanted[fields.bucket[document] ?? 0] === 1;
  const { since, until } = filter;
  return (document) => {
    const time = fields.time[document] ?? 0;
    return time >= since && time <= until && wanted[fields.entity[document] ?? 0] === 1;
  };
}

/** For peers that are asked in SQL over the columns `bucket`, `entity` and `time`. */
export function sqlOf(filter: Filter): string {
  if (filter.kind === "entities")
    return `entity IN (${filter.ids.join(",")}) AND time >= ${filter.since} AND time <= ${filter.until}`;
  return `bucket >= ${filter.from} AND bucket < ${filter.from + filter.width}`;
}
