/**
 * The sequencer: the only place where an entity's commits get their numbers.
 *
 *   waiting requests → duplicates out → intent row → create-only put → one transaction {last, tail, intent cleared,
 *   dirty, idempotency, alarm} → answers
 *
 * Invariants
 *   - One put in flight. Every retry of commit n uses the key in the intent row, so n has at most one object.
 *   - "Exists" is never an error: what lies there was put by an earlier attempt. It is read back and adopted, ours or not.
 *   - Nothing is answered 2xx before the transaction; after a failed put the outcome is unknown and the answer is 503.
 *   - Every await may interleave another request: state is read after it, never carried across.
 */
import { type Failure, fail, ok, type Result, UnfitStore } from "../../core/errors.ts";
import { type BuildLoad, isBuildable, type LinesSize } from "../../core/index/build_load.ts";
import {
  APPEND_WAITING_BYTES_MAX,
  APPEND_WAITING_MAX,
  BUILD_MEMORY_BYTES_MAX,
  SHARD_BYTES_MAX,
  TAIL_RETRY_SECONDS,
} from "../../core/limits.ts";
import { arrivalOf, gather, nextDay, type RequestSize } from "../../core/log/commit_plan.ts";
import { isTombstoneId } from "../../core/log/event_id.ts";
import { segmentKey } from "../../core/log/keys.ts";
import { eventTimeMs, parseLine, TOMBSTONE_KIND, withdrawalTarget } from "../../core/log/line.ts";
import { joinFrames, linesOfFrames, readSegment, withoutLines } from "../../core/log/segment.ts";
import { hex } from "../../core/log/text_encoding.ts";
import { writeToken } from "../../core/log/token.ts";
import type { AppendCommand, AppendResult, PreparedFrames } from "../../core/rpc.ts";
import { type Admission, type AdmittedIds, admit, type Earlier } from "./admission.ts";
import type { EntityPorts } from "./ports.ts";
import { metadataRecord, parseMetadata, tailCommit } from "./segment_facts.ts";
import type { EntityState, Intent, LogCounts, RecordedResult, TailCommit } from "./state.ts";
import type { Tail } from "./tail.ts";

interface Waiting {
  readonly command: AppendCommand;
  readonly size: RequestSize;
  readonly sinceMs: number;
  readonly answer: (result: Result<AppendResult>) => void;
}

/** A waiting request whose duplicates are decided. */
interface Admitted {
  readonly waiting: Waiting;
  readonly admission: Admission;
  readonly kept: PreparedFrames;
}

interface Answered {
  readonly waiting: Waiting;
  readonly result: RecordedResult;
}

/** Idempotency records after which those past their window are forgotten. */
const TRIM_EVERY = 256;

/** What the log shares with the rest of the object. */
export interface LogHost {
  readonly ports: EntityPorts;
  state(): EntityState;
  tail(): Tail;
  /** Makes look-ups by id possible: brings every shard of the head into SQLite. */
  prepareLookups(): Promise<Result<null>>;
  /** Whether they are possible now: the head may be another one since. */
  canLookUp(): boolean;
  /** Where an id stands in the shards. */
  inShards(id: string): Earlier | null;
  /** Dimensions of vectors supplied in commits that are in shards; 0 for none. */
  shardDimensions(): number;
  /** What building lines into a shard takes, about. */
  loadOf(size: LinesSize): BuildLoad;
  /** Writes state, inside a transaction. */
  write(state: EntityState): void;
  /** Follows the transaction of a commit with no await between: the alarm it sets is part of the same write. */
  committed(): void;
}

export class EntityLog {
  readonly #host: LogHost;
  readonly #waiting: Waiting[] = [];
  #running = false;
  #recorded = 0;

  constructor(host: LogHost) {
    this.#host = host;
  }

  /** `tailBytesMax`: with so much waiting to be indexed it is refused. */
  append(
    command: AppendCommand,
    tailBytesMax: number = this.#host.ports.settings.tailBytes,
  ): Promise<Result<AppendResult>> {
    const waiting = this.#waiting.reduce((bytes, { size }) => bytes + size.rawBytes, 0);
    if (this.#waiting.length >= APPEND_WAITING_MAX || waiting >= APPEND_WAITING_BYTES_MAX) {
      return Promise.resolve(fail(unavailable("Too many appends wait for this entity.")));
    }
    const lines = sizeOf(command.prepared);
    const size = { rawBytes: lines.rawBytes, load: this.#host.loadOf(lines) };
    if (!isBuildable(size.load)) return Promise.resolve(fail(unbuildable(size.load)));
    if (this.#host.tail().rawBytes + waiting >= tailBytesMax) {
      const what = "What this entity was sent is not indexed yet";
      return Promise.resolve(fail({ reason: "rate_limited", retryAfterSeconds: TAIL_RETRY_SECONDS, what }));
    }
    return new Promise((resolve) => {
      this.#waiting.push({ command, size, sinceMs: this.#host.ports.clock.now(), answer: resolve });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#waiting.length > 0) await this.#commitNext();
    } finally {
      this.#running = false;
    }
  }

  async #commitNext(): Promise<void> {
    const count = gather(this.#waiting.map(({ size }) => size));
    const group = this.#waiting.splice(0, count);
    try {
      await this.#commitGroup(group);
    } catch (cause) {
      // A store or registry fault: what was put may or may not be there. The intent row, if any, settles it later.
      this.#host.ports.logFault("commit_failed", cause);
      const what = cause instanceof UnfitStore ? cause.message : "The store did not confirm the write.";
      answerAll(group, unavailable(what));
    }
  }

  async #commitGroup(group: readonly Waiting[]): Promise<void> {
    do {
      const prepared = await this.#host.prepareLookups();
      if (!prepared.ok) return answerAll(group, prepared.failure);
    } while (!this.#host.canLookUp());
    if (this.#host.state().erasing !== null) return answerAll(group, unavailable("The entity is being erased."));
    const admitted = this.#admitGroup(group);
    const frames = joined(admitted);
    if (frames.lines.length === 0) return this.#answerWithoutCommit(admitted);
    const requests = admitted.map(({ waiting }) => waiting);
    const { incarnation } = this.#host.state();
    const dirty = await this.#markDirty();
    if (!dirty.ok) return answerAll(requests, dirty.failure);
    const putSinceMs = this.#host.ports.clock.now();
    const outcome = this.#isErased(incarnation) ? "erased" : await this.#put(frames);
    if (outcome === "erased" || this.#isErased(incarnation)) {
      return answerAll(requests, unavailable("The entity was erased meanwhile."));
    }
    if (outcome === "timeout") return answerAll(requests, unavailable("The store did not answer in time."));
    if (outcome === "foreign") this.#waiting.unshift(...requests);
    else this.#acknowledge(admitted, outcome, frames, putSinceMs);
  }

  /**
   * Decides every request of the group that is not answered from an idempotency record. A second request with the key
   * of another in the same group waits for the next one, when there is a record to answer it from.
   */
  #admitGroup(group: readonly Waiting[]): Admitted[] {
    const { ports } = this.#host;
    const ids: AdmittedIds = new Map();
    const keys = new Set<string>();
    const admitted: Admitted[] = [];
    let dimensions = this.#host.state().dimensions || this.#host.shardDimensions();
    for (const waiting of group) {
      const { prepared, idempotency } = waiting.command;
      if (idempotency !== null) {
        const replay = this.#replay(waiting.command, idempotency);
        if (replay !== null) {
          waiting.answer(replay);
          continue;
        }
        if (keys.has(idempotency.key)) {
          this.#waiting.unshift(waiting);
          continue;
        }
        keys.add(idempotency.key);
      }
      const request = {
        prepared: prepared.lines,
        lines: lazily(() => linesOfFrames(prepared.frames, ports.compression)),
      };
      const admission = admit(request, dimensions, (id) => this.#earlier(id), ids, ports.digest);
      if (!admission.ok) {
        waiting.answer(admission);
        continue;
      }
      dimensions = admission.value.dimensions;
      const kept = withoutLines(prepared, new Set(admission.value.dropped), ports.compression);
      if (!kept.ok) waiting.answer(kept);
      else admitted.push({ waiting, admission: admission.value, kept: kept.value });
    }
    return admitted;
  }

  /** The recorded answer of an idempotency key; a failure when the body differs; null when the key is new. */
  #replay(
    { prepared }: AppendCommand,
    idempotency: NonNullable<AppendCommand["idempotency"]>,
  ): Result<AppendResult> | null {
    const { tables, clock } = this.#host.ports;
    const record = tables.idempotent(idempotency.key, clock.now());
    if (record === null) return null;
    if (record.bodyDigest === idempotency.bodyDigest) return ok(answerOf(record.result, prepared));
    return fail({ reason: "conflict", detail: "This Idempotency-Key was used with another body." });
  }

  #earlier(id: string): Earlier | null {
    const found = this.#host.tail().find(id);
    if (found !== null)
      return { commit: found.entry.facts.commit, segment: found.entry.facts.segment, line: found.line };
    return this.#host.inShards(id);
  }

  /** Registers the entity and its need of indexing before anything of it is put: once per turn from clean to dirty. */
  async #markDirty(): Promise<Result<unknown>> {
    const { ports } = this.#host;
    const { dirtySinceMs, last, registered } = this.#host.state();
    if (dirtySinceMs !== null || registered > last) return ok(null);
    return ports.registry.markDirty(ports.scope.entity, last + 1);
  }

  /** What is put of an incarnation that ended meanwhile is swept with the rest, and is never acknowledged. */
  #isErased(incarnation: number): boolean {
    return this.#host.state().incarnation !== incarnation;
  }

  /** Puts the next commit. "foreign": an earlier attempt's bytes lay there and are adopted; decide again. */
  async #put(frames: PreparedFrames): Promise<TailCommit | "foreign" | "timeout" | "erased"> {
    const { ports, state } = this.#host;
    const { incarnation } = state();
    const { bytes } = joinFrames(frames.frames);
    const intent = this.#intend(hex(ports.digest.sha256(bytes)));
    const arrivalMs = arrivalOf(state().lastArrivalMs, ports.clock.now());
    const facts: TailCommit = { ...intent, arrivalMs, ...sizeOf(frames) };
    const metadata = metadataRecord(facts, state().incarnation, frames.lines);
    const created = await ports.timer.within(
      ports.settings.putDeadlineMs,
      ports.store.create(intent.segment, bytes, metadata),
    );
    if (created === "timeout") return "timeout";
    if (this.#isErased(incarnation)) return "erased";
    return created ? facts : this.#adopt(intent, facts);
  }

  #intend(sha256: string): Intent {
    const { ports } = this.#host;
    const state = this.#host.state();
    const commit = state.last + 1;
    const pending = state.intent?.commit === commit ? state.intent : null;
    const dayMs = nextDay(state.lastDayMs, ports.clock.now());
    const segment = pending?.segment ?? segmentKey(ports.scope.entity, dayMs, state.incarnation, commit);
    const intent: Intent = { commit, segment, sha256 };
    const next: EntityState = { ...state, intent, lastDayMs: pending === null ? dayMs : state.lastDayMs };
    ports.tables.transaction(() => this.#host.write(next));
    return intent;
  }

  /** The key of `intent` exists: an earlier put of ours landed after all, or this one did and its answer was lost. */
  async #adopt(intent: Intent, facts: TailCommit): Promise<TailCommit | "foreign" | "erased"> {
    const { ports } = this.#host;
    const { incarnation } = this.#host.state();
    const stored = await ports.store.get(intent.segment);
    if (this.#isErased(incarnation)) return "erased";
    const metadata = stored === null ? null : parseMetadata(stored.metadata);
    if (stored === null || metadata === null) throw new Error("a segment that exists could not be read back");
    if (metadata.sha256 === intent.sha256) return { ...facts, arrivalMs: metadata.arrivalMs };
    const lines = readSegment(intent.segment, stored.bytes, ports, metadata);
    if (!lines.ok) throw new Error("a segment that exists is not whole");
    const foreign = tailCommit(intent.commit, intent.segment, metadata);
    this.#advance(foreign, stored.bytes, lines.value, []);
    return "foreign";
  }

  #acknowledge(admitted: readonly Admitted[], facts: TailCommit, frames: PreparedFrames, putSinceMs: number): void {
    const { ports, state } = this.#host;
    const lines = linesOfFrames(frames.frames, ports.compression);
    if (!lines.ok) throw new Error("frames that were just put do not decode");
    const { incarnation } = state();
    const results = admitted.map((request) => resultOf(request, facts, incarnation, ports));
    const put = ports.clock.now() - putSinceMs;
    this.#advance(facts, joinFrames(frames.frames).bytes, lines.value, results);
    for (const { waiting, result } of results) {
      const times = { wait: putSinceMs - waiting.sinceMs, put };
      waiting.answer(ok({ ...answerOf(result, waiting.command.prepared), times }));
    }
  }

  /** The confirmed transaction that makes commit `facts.commit` the last. */
  #advance(facts: TailCommit, bytes: Uint8Array, lines: readonly string[], results: readonly Answered[]): void {
    const { ports } = this.#host;
    const state = this.#host.state();
    const next: EntityState = {
      ...state,
      last: facts.commit,
      lastArrivalMs: facts.arrivalMs,
      intent: null,
      dirtySinceMs: state.dirtySinceMs ?? ports.clock.now(),
      dimensions: state.dimensions || facts.dimensions,
      counts: this.#counted(state.counts, lines),
    };
    ports.tables.transaction(() => {
      ports.tables.putTail(facts, bytes);
      this.#record(results);
      this.#host.write(next);
    });
    this.#host.tail().add(facts, lines);
    this.#host.committed();
  }

  /**
   * A tombstone takes one event away, if what it names stands before it. null, to be counted anew, when that cannot be
   * told: a head may have been adopted during the put whose shards are not here yet.
   */
  #counted(before: LogCounts | null, lines: readonly string[]): LogCounts | null {
    if (before === null || !this.#host.canLookUp()) return null;
    let { events, lastTs } = before;
    const here = new Set<string>();
    for (const line of lines) {
      const event = parseLine(line);
      const target = withdrawalTarget(event);
      if (event.kind !== TOMBSTONE_KIND) {
        events += 1;
        lastTs = Math.max(lastTs ?? Number.NEGATIVE_INFINITY, eventTimeMs(event));
        here.add(event.id);
      } else if (target !== null && !isTombstoneId(target) && (here.has(target) || this.#tellsOf(target))) {
        events -= 1;
      }
    }
    return { events, lastTs };
  }

  /** Of an event that was redacted a tombstone is left, which is counted no more. */
  #tellsOf(id: string): boolean {
    const earlier = this.#earlier(id);
    return earlier !== null && parseLine(earlier.line).kind !== TOMBSTONE_KIND;
  }

  #answerWithoutCommit(admitted: readonly Admitted[]): void {
    const { ports, state } = this.#host;
    const { last, incarnation } = state();
    const results = admitted.map((request) => resultOf(request, { commit: last, segment: "" }, incarnation, ports));
    ports.tables.transaction(() => this.#record(results));
    for (const { waiting, result } of results) waiting.answer(ok(answerOf(result, waiting.command.prepared)));
  }

  #record(results: readonly Answered[]): void {
    const { tables, clock } = this.#host.ports;
    for (const { waiting, result } of results) {
      const { idempotency } = waiting.command;
      if (idempotency === null) continue;
      tables.putIdempotent(idempotency.key, idempotency.bodyDigest, result, clock.now());
      this.#recorded += 1;
      if (this.#recorded % TRIM_EVERY === 0) tables.trimIdempotent(clock.now());
    }
  }
}

function resultOf(
  { waiting, admission, kept }: Admitted,
  at: { readonly commit: number; readonly segment: string },
  incarnation: number,
  ports: EntityPorts,
): Answered {
  const place = kept.lines.length === 0 && admission.earlier !== null ? admission.earlier : at;
  return {
    waiting,
    result: {
      commit: place.commit,
      segment: ports.store.fullKey(place.segment),
      accepted: kept.lines.length,
      duplicates: admission.dropped.length,
      conflicts: admission.conflicts,
      token: writeToken(ports.scope, { incarnation, commit: place.commit }, ports.digest),
    },
  };
}

/** The whole answer: the ids are those of the request, sent once or again. */
function answerOf(result: RecordedResult, { lines }: PreparedFrames): AppendResult {
  return {
    ...result,
    conflicts: result.conflicts.flatMap((index) => lines[index]?.id ?? []),
    eventIds: lines.map(({ id }) => id),
  };
}

function sizeOf({ frames, lines }: PreparedFrames): LinesSize {
  return {
    lines: lines.length,
    rawBytes: frames.reduce((bytes, frame) => bytes + frame.rawBytes, 0),
    vectors: lines.reduce((count, line) => count + Number(line.dimensions > 0), 0),
    dimensions: dimensionsIn(lines),
    vectorBytes: lines.reduce((bytes, line) => bytes + line.vectorBytes, 0),
  };
}

function dimensionsIn(lines: PreparedFrames["lines"]): number {
  return lines.find((line) => line.dimensions > 0)?.dimensions ?? 0;
}

function joined(admitted: readonly Admitted[]): PreparedFrames {
  return {
    frames: admitted.flatMap(({ kept }) => kept.frames),
    lines: admitted.flatMap(({ kept }) => kept.lines),
  };
}

function answerAll(group: readonly Waiting[], failure: Failure): void {
  for (const { answer } of group) answer(fail(failure));
}

/** A commit is never split, so what is acknowledged must be what one build can index. */
function unbuildable({ bytes, memoryBytes }: BuildLoad): Failure {
  const [size, max] = bytes > SHARD_BYTES_MAX ? [bytes, SHARD_BYTES_MAX] : [memoryBytes, BUILD_MEMORY_BYTES_MAX];
  const what = "What indexing these events takes, which are indexed together; send fewer at once";
  return { reason: "too_large", what, size: Math.ceil(size), max, unit: "bytes" };
}

function unavailable(what: string): Failure {
  return { reason: "unavailable", what, retryAfterSeconds: 1 };
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
