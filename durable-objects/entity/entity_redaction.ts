/**
 * Redaction: what lines say is taken out of their segments, and everything that was derived of it goes.
 *
 *   intent in SQLite → a record of it in the log → redacted.json → model outputs → segments, tail → one transaction:
 *   shards over those lines are lost (they are answered from segments, and built again), earlier work and snapshots are
 *   refused → shards, graphs and blobs are deleted → answered → PUT_DEADLINE_MS later they are deleted once more →
 *   redacted.json says that nothing is left to be done
 *
 * Invariants
 *   - Positions, ids and times stay, so everything else is as it was; each step may be done twice.
 *   - Snapshots carry the commit of the last redaction that is done. While one is under way it is the commit before its
 *     record: later than any before, so that snapshots from before are refused, and no snapshot's once it is done.
 *   - From the intent on no index work is handed out or taken, until the last deletion: what was built of the old
 *     segments, and put late, is found by it.
 *   - It is begun only where everything can be read, and what has begun is finished: by the caller, by the next, or by
 *     the alarm; without SQLite from `redacted.json`.
 */
import { type Failure, fail, ok, type Result, unprocessable } from "../../core/errors.ts";
import { chunkTexts } from "../../core/index/build_part.ts";
import { firstHashFrom, isHashAt } from "../../core/index/id_hashes.ts";
import type { Part } from "../../core/index/part.ts";
import { decodeVectors, encodeVectors } from "../../core/index/vector_outputs.ts";
import { idHash } from "../../core/log/event_id.ts";
import {
  allOutputsPrefix,
  blobKey,
  headHintKey,
  headKey,
  indexesPrefix,
  parseOutputsKey,
  type RangeName,
  redactedKey,
  rollupsPrefix,
  shardKey,
} from "../../core/log/keys.ts";
import { parseLine, TOMBSTONE_KIND } from "../../core/log/line.ts";
import { isRedacted, redactionRecord, redactSegment } from "../../core/log/redaction.ts";
import { frameLines } from "../../core/log/segment.ts";
import { writeToken } from "../../core/log/token.ts";
import { commitOfRow } from "../../core/retrieval/view.ts";
import type { AppendCommand, AppendResult, RedactedEvent, RedactResult } from "../../core/rpc.ts";
import {
  type Head,
  type RedactedLines,
  storedBytes,
  storedHead,
  storedRedaction,
  storedSegmentMetadata,
} from "../../core/schema/stored.ts";
import type { EntityParts } from "./entity_parts.ts";
import type { EntityPorts } from "./ports.ts";
import { parseMetadata, tailCommit } from "./segment_facts.ts";
import { readSegmentOf, segmentsOf } from "./segment_listing.ts";
import { type EntityState, type Redaction, tailAfter, wholeHead } from "./state.ts";
import { Tail } from "./tail.ts";

export interface RedactionHost {
  readonly ports: EntityPorts;
  readonly parts: EntityParts;
  state(): EntityState;
  write(state: EntityState): void;
  replaceTail(tail: Tail): void;
  /** All parts of the log at one moment. */
  everyPart(): Promise<Result<readonly Part[]>>;
  /** Also to a tail that is full: nothing of it is indexed before the redaction is over. */
  appendRecord(command: AppendCommand): Promise<Result<AppendResult>>;
  /** What is under construction, and of what shards that were lost were read, is begun anew. */
  beginRebuildingAnew(): void;
  /** Tells the tenant that the entity has something to do. */
  announce(): Promise<Result<unknown>>;
}

/** A line that is to be redacted. */
interface FoundLine extends RedactedEvent {
  readonly commit: number;
  /** 0-based. */
  readonly index: number;
  /** The blob that it is a piece of; null: none. */
  readonly blob: string | null;
}

export class EntityRedaction {
  readonly #host: RedactionHost;
  #running: Promise<Result<null>> | null = null;

  constructor(host: RedactionHost) {
    this.#host = host;
  }

  /**
   * Until no line is found any more: a put of unknown outcome may turn out to have landed before the record did, with an
   * id again. `ids` are distinct. All of them have an event, or nothing is done. */
  async redact(ids: readonly string[], dryRun: boolean): Promise<Result<RedactResult>> {
    const lines: RedactedEvent[] = [];
    for (;;) {
      const finished = await this.resume();
      if (!finished.ok) return finished;
      const { redaction: before, incarnation } = this.#host.state();
      const parts = await this.#host.everyPart();
      if (!parts.ok) return parts;
      const found = this.#find(parts.value, ids);
      if (!found.ok) return found;
      const toldOf = found.value.map(({ id, segment, line }) => ({ id, segment, line }));
      if (dryRun) return ok({ redacted: ids, lines: toldOf, token: null });
      if (found.value.length === 0) return ok({ redacted: ids, lines, token: this.#token() });
      const redaction = planned(ids, found.value, parts.value);
      const rewritable = await this.#areRewritable(redaction.lines);
      if (!rewritable.ok) return rewritable;
      const announced = await this.#host.announce();
      if (this.#host.state().incarnation !== incarnation) return fail(ERASED);
      if (!announced.ok) return announced;
      // Another call may have begun one meanwhile.
      if (this.#host.state().redaction !== before) continue;
      lines.push(...toldOf);
      // The last deletion of one before this is part of this one's.
      this.#save({ redaction, rolled: 0 });
    }
  }

  /** What has begun holds up everything else until it is finished, so a segment that is damaged is found before. */
  async #areRewritable(lines: readonly RedactedLines[]): Promise<Result<null>> {
    for (const { commit, segment } of lines) {
      const read = await readSegmentOf(this.#host.ports, { commit, key: segment });
      if (!read.ok) return read;
    }
    return ok(null);
  }

  #token(): string {
    const { incarnation, redacted } = this.#host.state();
    const { scope, digest } = this.#host.ports;
    return writeToken(scope, { incarnation, commit: redacted }, digest);
  }

  // --- what goes ---

  /** Every line with one of the ids that still says something, duplicates included. */
  #find(parts: readonly Part[], ids: readonly string[]): Result<readonly FoundLine[]> {
    const found: FoundLine[] = [];
    for (const [index, id] of ids.entries()) {
      let known = false;
      for (const part of parts) {
        for (const row of this.#rowsOf(part, id)) {
          const event = parseLine(part.lineOfRow(row));
          known = true;
          if (isRedacted(event)) continue;
          if (event.kind === TOMBSTONE_KIND) return fail(unprocessable(`ids.${index}`, "names a tombstone"));
          found.push(this.#lineOf(part, row, id, blobOf(event)));
        }
      }
      if (!known) return fail({ reason: "not_found", what: `The event that ids.${index} names` });
    }
    return ok(found);
  }

  #rowsOf(part: Part, id: string): readonly number[] {
    const hash = idHash(id, this.#host.ports.digest);
    const rows: number[] = [];
    for (let at = firstHashFrom(part.idHashes, hash); isHashAt(part.idHashes, at, hash); at += 1) {
      const row = part.idRows[at] ?? 0;
      if (part.idOfRow(row) === id) rows.push(row);
    }
    return rows;
  }

  #lineOf(part: Part, row: number, id: string, blob: string | null): FoundLine {
    const { commit, segment, firstRow } = commitOfRow(part, row);
    const index = row - firstRow;
    return { id, segment: this.#host.ports.store.fullKey(segment), line: index + 1, commit, index, blob };
  }

  #save(change: Partial<EntityState>): void {
    this.#host.ports.tables.transaction(() => this.#host.write({ ...this.#host.state(), ...change }));
  }

  /** The next state of the redaction that is under way. */
  #advance(change: Partial<Redaction>, more: Partial<EntityState> = {}): void {
    const { redaction } = this.#host.state();
    if (redaction !== null) this.#save({ redaction: { ...redaction, ...change }, ...more });
  }

  // --- doing it ---

  /** When the redaction has something to do next; null when none is under way. */
  dueMs(): number | null {
    const { redaction } = this.#host.state();
    const nowMs = this.#host.ports.clock.now();
    return redaction === null ? null : Math.min(redaction.sweepAtMs ?? nowMs, this.#putsLandedMs());
  }

  /** Takes the redaction that is under way as far as it goes for now. Concurrent callers share one run. */
  resume(): Promise<Result<null>> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run(): Promise<Result<null>> {
    const { redaction, incarnation } = this.#host.state();
    if (redaction === null) return ok(null);
    if (redaction.sweepAtMs !== null) return this.#sweepAgain(redaction.sweepAtMs, incarnation);
    const steps = [
      () => this.#record(),
      () => this.#mark(true),
      () => this.#rewriteOutputs(),
      () => this.#rewriteSegments(),
      () => this.#forgetDerived(),
      () => this.#deleteDerived(),
    ];
    for (const step of steps) {
      const done = await step();
      if (!done.ok) return done;
      if (this.#host.state().incarnation !== incarnation) return fail(ERASED);
    }
    this.#advance({ sweepAtMs: this.#putsLandedMs() });
    return ok(null);
  }

  /** When puts that are under way now have landed. */
  #putsLandedMs(): number {
    const { clock, settings } = this.#host.ports;
    return clock.now() + settings.putDeadlineMs;
  }

  /** In the log: whoever reads it later knows that something was there, and when it went. */
  async #record(): Promise<Result<null>> {
    const { redaction, redacted } = this.#host.state();
    const { scope, clock, digest, compression } = this.#host.ports;
    if (redaction === null || redaction.commit !== null) return ok(null);
    const positions = redaction.lines.flatMap(({ commit, lines }) => lines.map((line) => [commit, line] as const));
    const { line, prepared } = redactionRecord(redaction.ids, positions, redacted, clock.now(), digest);
    const frames = frameLines([line], compression);
    const appended = await this.#host.appendRecord({
      scope,
      prepared: { frames, lines: [prepared] },
      idempotency: null,
    });
    if (!appended.ok) return appended;
    const { commit } = appended.value;
    // Snapshots from before the record are refused from here on; what is read until the lines are gone has a name of its own.
    this.#advance({ commit }, { redacted: commit - 1 });
    return ok(null);
  }

  /** Puts `redacted.json`, for an object that loses its state: with what is to be done, or without. */
  async #mark(isPending: boolean): Promise<Result<null>> {
    const { redaction, incarnation } = this.#host.state();
    const { store, scope } = this.#host.ports;
    if (redaction?.commit == null) return ok(null);
    const { commit, lines, blobs } = redaction;
    const record = { incarnation, commit, lines: isPending ? lines : [], blobs: isPending ? blobs : [] };
    await store.put(redactedKey(scope.entity), storedBytes(storedRedaction(record)));
    return ok(null);
  }

  async #rewriteSegments(): Promise<Result<null>> {
    for (const { commit, segment, lines } of this.#host.state().redaction?.lines ?? []) {
      const { ports } = this.#host;
      const stored = await ports.store.get(segment);
      const read = await readSegmentOf(ports, { commit, key: segment });
      if (!read.ok) return read;
      const metadata = parseMetadata(stored?.metadata ?? {});
      if (metadata === null) return fail({ reason: "corrupt", what: `${segment}: its metadata` });
      const redacted = redactSegment(read.value.lines, new Set(lines), metadata, ports);
      await ports.store.put(segment, redacted.bytes, storedSegmentMetadata(redacted.metadata));
      const state = this.#host.state();
      if (state.redaction === null || commit <= tailAfter(state)) continue;
      const facts = tailCommit(commit, segment, redacted.metadata);
      ports.tables.transaction(() => ports.tables.tail.put({ facts, bytes: redacted.bytes }));
    }
    return ok(null);
  }

  /** One transaction: nothing that was derived of the old lines is used from here on. */
  async #forgetDerived(): Promise<Result<null>> {
    const { ports, parts } = this.#host;
    const version = await this.#nextVersion();
    const state = this.#host.state();
    const { redaction, head } = state;
    if (redaction?.commit == null) return ok(null);
    const tail = Tail.load(ports, tailAfter(state));
    if (!tail.ok) return tail;
    const gone = goneFrom(state);
    const known = state.lost.filter(({ sha256 }) => gone.every((shard) => shard.sha256 !== sha256));
    const lost = [...known, ...gone.map(({ from, to, sha256 }) => ({ from, to, sha256 }))];
    this.#save({
      head: { ...head, version },
      redacted: redaction.commit,
      lost: lost.sort((a, b) => a.from - b.from),
      counts: null,
      lastNudgeMs: 0,
    });
    this.#host.replaceTail(tail.value);
    this.#host.beginRebuildingAnew();
    parts.forgetTail();
    parts.forgetAllBut(wholeHead(this.#host.state()));
    parts.dropCopies(() => wholeHead(this.#host.state()));
    return ok(null);
  }

  /**
   * Of the head from now on: another one, so that proposals on the head before are stale. A head that stays as it is
   * goes into the store under it, for an object that loses its state; one with shards that go is followed by another.
   */
  async #nextVersion(): Promise<number> {
    const { store, scope } = this.#host.ports;
    const state = this.#host.state();
    let version = state.head.version + 1;
    if (state.head.covered === 0 || goneFrom(state).length > 0) return version;
    const put = () => {
      const head = { ...state.head, version, redacted: state.redaction?.commit ?? state.redacted };
      return store.create(headKey(scope.entity, version), storedBytes(storedHead(head)));
    };
    while (!(await put())) version += 1;
    return version;
  }

  /** Whatever is not of the head as it is now was built of segments as they were. */
  async #deleteDerived(): Promise<Result<null>> {
    const { ports } = this.#host;
    const { entity } = ports.scope;
    let cursor: string | null = null;
    do {
      const page = await ports.store.list(indexesPrefix(entity), cursor);
      const state = this.#host.state();
      if (state.redaction === null) return fail(ERASED);
      const kept = new Set(wholeHead(state).shards.map(({ sha256 }) => shardKey(entity, sha256)));
      const keys = page.objects.map(({ key }) => key).filter((key) => !kept.has(key));
      if (keys.length > 0) await ports.store.delete(keys);
      cursor = page.cursor;
    } while (cursor !== null);
    const rolled = await this.#deleteRollups();
    if (!rolled.ok) return rolled;
    // What reads the store by itself finds no head until the next one is there.
    await ports.store.delete([headHintKey(entity)]);
    const blobs = (this.#host.state().redaction?.blobs ?? []).map((sha256) => blobKey(entity, sha256));
    if (blobs.length > 0) await ports.store.delete(blobs);
    return ok(null);
  }

  /** They hold segments as they were; those that are now are rolled up again. */
  async #deleteRollups(): Promise<Result<null>> {
    const { ports } = this.#host;
    let cursor: string | null = null;
    do {
      const page = await ports.store.list(rollupsPrefix(ports.scope.entity), cursor);
      if (this.#host.state().redaction === null) return fail(ERASED);
      const keys = page.objects.map(({ key }) => key);
      if (keys.length > 0) await ports.store.delete(keys);
      cursor = page.cursor;
    } while (cursor !== null);
    return ok(null);
  }

  /** A put that was under way when the redaction began has landed by now. */
  async #sweepAgain(atMs: number, incarnation: number): Promise<Result<null>> {
    // Counted anew from a clock that was set back: the index waits for it.
    if (this.#putsLandedMs() < atMs) this.#advance({ sweepAtMs: this.#putsLandedMs() });
    if (this.#host.ports.clock.now() < atMs) return ok(null);
    const steps = [() => this.#deleteDerived(), () => this.#mark(false)];
    for (const step of steps) {
      const done = await step();
      if (!done.ok || this.#host.state().incarnation !== incarnation) return done;
    }
    this.#save({ redaction: null, lastNudgeMs: 0 });
    return ok(null);
  }

  // --- model outputs ---

  /** What a model made of the lines goes; a file that does not fit its lines goes as a whole, and is made again. */
  async #rewriteOutputs(): Promise<Result<null>> {
    const { redaction, incarnation } = this.#host.state();
    const { ports } = this.#host;
    if (redaction === null || redaction.outputsDone) return ok(null);
    let cursor: string | null = null;
    do {
      const page = await ports.store.list(allOutputsPrefix(ports.scope.entity), cursor);
      for (const { key } of page.objects) {
        const name = parseOutputsKey(key);
        const isOf = name?.incarnation === incarnation && redaction.lines.some(({ commit }) => holds(name, commit));
        if (name === null || !isOf) continue;
        const rewritten = await this.#rewriteOutput(key, name, redaction.lines);
        if (!rewritten.ok) return rewritten;
      }
      cursor = page.cursor;
    } while (cursor !== null);
    this.#advance({ outputsDone: true });
    return ok(null);
  }

  async #rewriteOutput(key: string, name: RangeName, redacted: readonly RedactedLines[]): Promise<Result<null>> {
    const { ports } = this.#host;
    const stored = await ports.store.get(key);
    if (stored === null) return ok(null);
    const kept = await this.#keptDocuments(name, redacted);
    if (!kept.ok) return this.#deleteOutput(key, kept.failure);
    const vectors = decodeVectors(stored.bytes, key, ports.compression);
    const left = kept.value.filter(Boolean).length;
    if (vectors.ok && vectors.value.length === left) return ok(null);
    if (vectors.ok && vectors.value.length === kept.value.length) {
      const those = vectors.value.filter((_, document) => kept.value[document]);
      await ports.store.put(key, encodeVectors(those, ports.compression));
    } else await ports.store.delete([key]);
    return ok(null);
  }

  /** Which of it stays is not known where a segment of its range is damaged. */
  async #deleteOutput(key: string, failure: Failure): Promise<Result<null>> {
    if (failure.reason !== "corrupt") return fail(failure);
    await this.#host.ports.store.delete([key]);
    return ok(null);
  }

  /** Of each document of a range, whether it stays. */
  async #keptDocuments({ from, to }: RangeName, redacted: readonly RedactedLines[]): Promise<Result<boolean[]>> {
    const { ports } = this.#host;
    const { incarnation, lastDayMs } = this.#host.state();
    const kept: boolean[] = [];
    for await (const segment of segmentsOf(ports, { incarnation, firstDayMs: null, lastDayMs })) {
      if (segment.commit < from) continue;
      if (segment.commit > to) break;
      const read = await readSegmentOf(ports, segment);
      if (!read.ok) return read;
      const gone = new Set(redacted.find(({ commit }) => commit === segment.commit)?.lines ?? []);
      read.value.lines.forEach((line, index) => {
        const documents = chunkTexts([{ ...read.value.facts, lines: [line] }]).length;
        for (let document = 0; document < documents; document += 1) kept.push(!gone.has(index));
      });
    }
    return ok(kept);
  }
}

const ERASED = {
  reason: "unavailable",
  what: "The entity was erased meanwhile.",
  retryAfterSeconds: 1,
} as const;

function holds({ from, to }: { readonly from: number; readonly to: number }, commit: number): boolean {
  return from <= commit && commit <= to;
}

function planned(ids: readonly string[], found: readonly FoundLine[], parts: readonly Part[]): Redaction {
  const lines = new Map<number, number[]>();
  for (const { commit, index } of found) lines.set(commit, [...(lines.get(commit) ?? []), index]);
  const segments = new Map(parts.flatMap((part) => part.commits.map(({ commit, segment }) => [commit, segment])));
  return {
    ids,
    lines: [...lines].map(([commit, which]) => ({ commit, segment: segments.get(commit) ?? "", lines: which })),
    blobs: orphanedBlobs(found, parts),
    commit: null,
    outputsDone: false,
    sweepAtMs: null,
  };
}

/** Shards of the head over lines that are redacted. */
function goneFrom({ head, redaction }: EntityState): Head["shards"] {
  const lines = redaction?.lines ?? [];
  return head.shards.filter((shard) => lines.some(({ commit }) => holds(shard, commit)));
}

/** The digest that an event of a document names. */
function blobOf({ kind, attributes }: ReturnType<typeof parseLine>): string | null {
  const { sha256 } = attributes ?? {};
  if (kind !== "document") return null;
  return typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256) ? sha256 : null;
}

/** Blobs that no other line of the log names. */
function orphanedBlobs(found: readonly FoundLine[], parts: readonly Part[]): readonly string[] {
  const going = new Map<string, number>();
  for (const { blob } of found) if (blob !== null) going.set(blob, (going.get(blob) ?? 0) + 1);
  return [...going].filter(([blob, count]) => holdersOf(blob, parts) <= count).map(([blob]) => blob);
}

function holdersOf(sha256: string, parts: readonly Part[]): number {
  let holders = 0;
  for (const part of parts) {
    const column = part.columns.get("attributes.sha256");
    const code = (column?.values.indexOf(sha256) ?? -1) + 1;
    if (column === undefined || code === 0) continue;
    for (const own of column.codes) holders += Number(own === code);
  }
  return holders;
}
