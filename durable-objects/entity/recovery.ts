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
import { BUILD_COMMITS_MAX, TAIL_RAW_BYTES_MAX } from "../../core/limits.ts";
import {
  erasedKey,
  headKey,
  headsPrefix,
  parseHeadKey,
  parseSegmentKey,
  redactedKey,
  type SegmentName,
  shardKey,
} from "../../core/log/keys.ts";
import { readSegments, type WantedSegment } from "../../core/log/read_segments.ts";
import { erasedSchema, type Head, headSchema, readStored, redactionSchema } from "../../core/schema/stored.ts";
import type { EntityPorts } from "./ports.ts";
import { parseMetadata, tailCommit } from "./segment_facts.ts";
import { type SegmentRef, segmentKeys, segmentsOf } from "./segment_listing.ts";
import { type EntityState, newState, noHead, type TailCommit } from "./state.ts";

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
  const log = await surveyLog(ports, erased.value);
  return log === null ? ok(noLog(ports, erased.value, registered)) : adoptLog(ports, revision, log);
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

/** What the keys of segments say of the newest incarnation that is not erased. */
interface Survey {
  readonly incarnation: number;
  readonly last: SegmentRef;
  /** The last commit that has no segment, though a later one has; 0: none. */
  readonly missing: number;
}

/** null: there is no log. */
async function surveyLog(ports: EntityPorts, erased: number): Promise<Survey | null> {
  let found: Survey | null = null;
  for await (const { key, name } of segmentKeys(ports, { firstDayMs: null, lastDayMs: 0 })) {
    if (name.incarnation > erased) found = surveyed(found, name, key);
  }
  return found;
}

function surveyed(found: Survey | null, { incarnation, commit }: SegmentName, key: string): Survey {
  if (found !== null && incarnation < found.incarnation) return found;
  const before = found?.incarnation === incarnation ? found : null;
  const end = before?.last.commit ?? 0;
  // A straggler of an earlier instance may lie under an earlier day: keys come in order of day, and the last is ours.
  if (before !== null && commit < end) return before;
  const missing = commit > end + 1 ? commit - 1 : (before?.missing ?? 0);
  return { incarnation, last: { commit, key }, missing };
}

async function adoptLog(ports: EntityPorts, revision: string, log: Survey): Promise<Result<EntityState>> {
  const { incarnation, last, missing } = log;
  const found: EntityState = {
    ...newState(incarnation),
    last: last.commit,
    counts: null,
    lastDayMs: parseSegmentKey(last.key)?.dayMs ?? 0,
    head: await newestHead(ports, revision, incarnation, last.commit),
  };
  // What a head covers is answered from its shards; of the rest the segments are all there is.
  if (missing > found.head.covered)
    return fail({ reason: "corrupt", what: `the log: the segment of commit ${missing} is missing` });
  const redaction = await redactionOf(ports, incarnation);
  if (!redaction.ok) return redaction;
  const fits = await loadTail(ports, found, { from: found.head.covered + 1, to: last.commit }, 0, () => true);
  if (!fits.ok) return fits;
  const tail = ports.tables.tail.factsAfter(found.head.covered);
  const inTail = tail.at(-1);
  const newest = inTail === undefined ? await lastFacts(ports, last) : ok(inTail);
  if (!newest.ok) return newest;
  const state: EntityState = {
    ...found,
    ...redaction.value,
    lastArrivalMs: newest.value.arrivalMs,
    unread: fits.value ? 0 : last.commit,
    dimensions: dimensionsIn(tail) || newest.value.dimensions,
    dirtySinceMs: found.head.covered < last.commit ? ports.clock.now() : null,
  };
  ports.tables.transaction(() => ports.tables.writeState(state));
  return ok(state);
}

/** A redaction that was under way when the state was lost goes on: it is not known how far it had come. */
async function redactionOf(
  ports: EntityPorts,
  incarnation: number,
): Promise<Result<Pick<EntityState, "redacted" | "redaction">>> {
  const key = redactedKey(ports.scope.entity);
  const stored = await ports.store.get(key);
  const record = stored === null ? ok(null) : readStored(redactionSchema, stored.bytes, key);
  if (!record.ok) return record;
  if (record.value?.incarnation !== incarnation) return ok({ redacted: 0, redaction: null });
  const { commit, lines, blobs } = record.value;
  if (lines.length === 0) return ok({ redacted: commit, redaction: null });
  const redaction = { ids: [], lines, blobs, commit, outputsDone: false, sweepAtMs: null };
  return ok({ redacted: commit - 1, redaction });
}

/**
 * The highest head, if it speaks of this log under this revision and a shard of it exists: those that do not are built
 * again. Else no head.
 */
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
    if (first !== null) return head;
  }
  return none;
}

/**
 * Copies the segments of a range into SQLite's tail, for as long as they are `wanted`: an incarnation may end while they
 * are read. False, and nothing is copied, when they and the `waiting` bytes that are there are more than a tail may be.
 */
export async function loadTail(
  ports: EntityPorts,
  { incarnation, lastDayMs }: EntityState,
  { from, to }: { readonly from: number; readonly to: number },
  waiting: number,
  wanted: () => boolean,
): Promise<Result<boolean>> {
  let rawBytes = waiting;
  if (from > to) return ok(true);
  for await (const wave of waves(segmentsOf(ports, { incarnation, firstDayMs: null, lastDayMs }), from, to)) {
    for await (const found of readSegments(ports, wave)) {
      if (!wanted())
        return fail({ reason: "unavailable", what: "The entity was erased meanwhile.", retryAfterSeconds: 1 });
      if (!found.ok) return found;
      const { wanted: ref, bytes, facts } = found.value;
      if (facts === null) return fail({ reason: "corrupt", what: `${ref.segment}: its metadata` });
      const commit = tailCommit(ref.commit, ref.segment, facts);
      rawBytes += commit.rawBytes;
      ports.tables.transaction(() => ports.tables.tail.put({ facts: commit, bytes }));
      if (rawBytes < TAIL_RAW_BYTES_MAX) continue;
      ports.tables.transaction(() => ports.tables.tail.drop(to));
      return ok(false);
    }
  }
  return ok(true);
}

/** Commits `from` to `to`, so many at a time that they are worth a listing of rollups. */
async function* waves(
  segments: AsyncGenerator<SegmentRef>,
  from: number,
  to: number,
): AsyncGenerator<readonly WantedSegment[]> {
  let wave: WantedSegment[] = [];
  for await (const segment of segments) {
    if (segment.commit > to) break;
    if (segment.commit < from) continue;
    wave.push({ commit: segment.commit, segment: segment.key });
    if (wave.length < BUILD_COMMITS_MAX) continue;
    yield wave;
    wave = [];
  }
  if (wave.length > 0) yield wave;
}

async function lastFacts(ports: EntityPorts, { commit, key }: SegmentRef): Promise<Result<TailCommit>> {
  const stored = await ports.store.get(key);
  const metadata = stored === null ? null : parseMetadata(stored.metadata);
  return metadata === null
    ? fail({ reason: "corrupt", what: `${key}: its metadata` })
    : ok(tailCommit(commit, key, metadata));
}

/** Of the first vector that was supplied; 0 when none was. */
function dimensionsIn(commits: readonly TailCommit[]): number {
  return commits.find(({ dimensions }) => dimensions > 0)?.dimensions ?? 0;
}
