/**
 * What an object does that finds no state of its own: either the entity is new, or the state was lost and the log in
 * the store is all there is.
 *
 * A put begun by an earlier instance may still land after a listing, so an entity that the tenant's registry knows is
 * listed only after PUT_DEADLINE_MS. An entity that it does not know has no object in the store and no put under way: it
 * is registered before its first put, stays registered when it is erased, and a registry that lost its own state finds
 * every entity that has a key before it answers.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import { STORE_CONCURRENCY_MAX } from "../../core/limits.ts";
import {
  erasedKey,
  headKey,
  headsPrefix,
  parseHeadKey,
  parseSegmentKey,
  segmentsPrefix,
  shardKey,
} from "../../core/log/keys.ts";
import { readSegment } from "../../core/log/segment.ts";
import { erasedSchema, type Head, headSchema, readStored } from "../../core/schema/stored.ts";
import type { EntityPorts } from "./ports.ts";
import { parseMetadata, tailCommit } from "./segment_facts.ts";
import { type EntityState, newState, noHead, type TailCommit } from "./state.ts";

interface SegmentRef {
  readonly commit: number;
  readonly key: string;
}

/**
 * The state an object begins with. It is in SQLite already when the entity has a log; not so for a new entity.
 * For a write the entity is registered at once, so that whoever asks next knows that a put may be under way.
 */
export async function recover(ports: EntityPorts, revision: string, forWrite: boolean): Promise<Result<EntityState>> {
  const { entity } = ports.scope;
  const known = forWrite ? await ports.registry.markDirty(entity, 1) : await ports.registry.knows(entity);
  if (!known.ok) return known;
  const registered = forWrite ? 1 : 0;
  if (!known.value.known) return ok(newState(1, registered));
  await ports.timer.sleep(ports.settings.putDeadlineMs);
  const erased = await erasedIncarnation(ports);
  if (!erased.ok) return erased;
  const log = await listLog(ports, erased.value);
  if (log.segments.length === 0) return ok(noLog(ports, erased.value, registered));
  return adoptLog(ports, revision, log.incarnation, log.segments);
}

/** An erasure that was under way when the state was lost goes on: it is not known how far the sweep had come. */
function noLog(ports: EntityPorts, erased: number, registered: number): EntityState {
  const state = newState(erased + 1, registered);
  if (erased === 0) return state;
  const erasing: EntityState = { ...state, erasing: { incarnation: erased, emptySinceMs: null, resumed: true } };
  ports.tables.transaction(() => ports.tables.writeState(erasing));
  return erasing;
}

/** The greatest incarnation that was erased; 0 when none was. */
async function erasedIncarnation(ports: EntityPorts): Promise<Result<number>> {
  const key = erasedKey(ports.scope.entity);
  const stored = await ports.store.get(key);
  if (stored === null) return ok(0);
  const erasure = readStored(erasedSchema, stored.bytes, key);
  return erasure.ok ? ok(erasure.value.incarnation) : erasure;
}

/** The segments of the newest incarnation that is not erased, in commit order. */
export async function listLog(
  ports: EntityPorts,
  erased: number,
): Promise<{ incarnation: number; segments: SegmentRef[] }> {
  const found = new Map<number, Map<number, string>>();
  let cursor: string | null = null;
  do {
    const page = await ports.store.list(segmentsPrefix(ports.scope.entity), cursor);
    for (const { key } of page.objects) {
      const parsed = parseSegmentKey(key);
      if (parsed === null || parsed.incarnation <= erased) continue;
      const commits = found.get(parsed.incarnation) ?? new Map<number, string>();
      // A straggler of an earlier instance may lie under an earlier day: keys come in order of day, and the last is ours.
      commits.set(parsed.commit, key);
      found.set(parsed.incarnation, commits);
    }
    cursor = page.cursor;
  } while (cursor !== null);
  const incarnation = Math.max(erased + 1, ...found.keys());
  const segments = [...(found.get(incarnation) ?? [])]
    .map(([commit, key]) => ({ commit, key }))
    .sort((a, b) => a.commit - b.commit);
  return { incarnation, segments };
}

async function adoptLog(
  ports: EntityPorts,
  revision: string,
  incarnation: number,
  segments: readonly SegmentRef[],
): Promise<Result<EntityState>> {
  const gap = segments.findIndex((segment, index) => segment.commit !== index + 1);
  if (gap !== -1) return fail({ reason: "corrupt", what: `the log: the segment of commit ${gap + 1} is missing` });
  const head = await newestHead(ports, revision, incarnation, segments.length);
  const tail = await loadTail(ports, segments.slice(head.covered), () => true);
  if (!tail.ok) return tail;
  const last = segments.at(-1);
  if (last === undefined) throw new Error("a log to adopt has a segment");
  const newest = await lastFacts(ports, last, tail.value);
  if (!newest.ok) return newest;
  const state: EntityState = {
    ...newState(incarnation),
    last: last.commit,
    counts: null,
    lastArrivalMs: newest.value.arrivalMs,
    lastDayMs: parseSegmentKey(last.key)?.dayMs ?? 0,
    head,
    dirtySinceMs: head.covered < last.commit ? ports.clock.now() : null,
    dimensions: dimensionsIn(tail.value),
  };
  ports.tables.transaction(() => ports.tables.writeState(state));
  return ok(state);
}

/** The highest head whose shards all exist and that speaks of this log under this revision; else no head. */
async function newestHead(ports: EntityPorts, revision: string, incarnation: number, last: number): Promise<Head> {
  let newest = 0;
  let cursor: string | null = null;
  do {
    const page = await ports.store.list(headsPrefix(ports.scope.entity), cursor);
    for (const { key } of page.objects) newest = Math.max(newest, parseHeadKey(key) ?? 0);
    cursor = page.cursor;
  } while (cursor !== null);
  const none = noHead(incarnation, newest);
  const key = headKey(ports.scope.entity, Math.max(1, newest));
  const stored = newest === 0 ? null : await ports.store.get(key);
  const parsed = stored === null ? null : readStored(headSchema, stored.bytes, key);
  if (parsed === null || !parsed.ok) return none;
  const head = parsed.value;
  if (head.incarnation !== incarnation || head.revision !== revision || head.covered > last) return none;
  for (const shard of head.shards) {
    const first = await ports.store.getRange(shardKey(ports.scope.entity, shard.sha256), 0, 1);
    if (first === null) return none;
  }
  return head;
}

/**
 * Copies segments into SQLite's tail, verified against their own metadata, for as long as they are `wanted`: an
 * incarnation may end while they are read.
 */
export async function loadTail(
  ports: EntityPorts,
  segments: readonly SegmentRef[],
  wanted: () => boolean,
): Promise<Result<readonly TailCommit[]>> {
  const facts: TailCommit[] = [];
  for (let start = 0; start < segments.length; start += STORE_CONCURRENCY_MAX) {
    const loaded = await Promise.all(
      segments.slice(start, start + STORE_CONCURRENCY_MAX).map((segment) => loadSegment(ports, segment, wanted)),
    );
    for (const result of loaded) {
      if (!result.ok) return result;
      facts.push(result.value);
    }
  }
  return ok(facts);
}

async function loadSegment(
  ports: EntityPorts,
  { commit, key }: SegmentRef,
  wanted: () => boolean,
): Promise<Result<TailCommit>> {
  const stored = await ports.store.get(key);
  if (!wanted()) return fail({ reason: "unavailable", what: "The entity was erased meanwhile.", retryAfterSeconds: 1 });
  if (stored === null) return fail({ reason: "corrupt", what: `${key}: it is missing` });
  const metadata = parseMetadata(stored.metadata);
  if (metadata === null) return fail({ reason: "corrupt", what: `${key}: its metadata` });
  const lines = readSegment(key, stored.bytes, ports, metadata);
  if (!lines.ok) return lines;
  const facts = tailCommit(commit, key, metadata);
  ports.tables.transaction(() => ports.tables.putTail(facts, stored.bytes));
  return ok(facts);
}

async function lastFacts(
  ports: EntityPorts,
  last: SegmentRef,
  tail: readonly TailCommit[],
): Promise<Result<{ arrivalMs: number }>> {
  const newest = tail.at(-1);
  if (newest !== undefined) return ok({ arrivalMs: newest.arrivalMs });
  const stored = await ports.store.get(last.key);
  const metadata = stored === null ? null : parseMetadata(stored.metadata);
  return metadata === null
    ? fail({ reason: "corrupt", what: `${last.key}: its metadata` })
    : ok({ arrivalMs: metadata.arrivalMs });
}

/** Of the first vector that was supplied; 0 when none was. */
export function dimensionsIn(commits: readonly TailCommit[]): number {
  return commits.find(({ dimensions }) => dimensions > 0)?.dimensions ?? 0;
}
