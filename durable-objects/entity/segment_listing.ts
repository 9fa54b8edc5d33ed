/**
 * The log as the store lists it, in pieces: whoever reads it holds a page at a time, however long the log is.
 *
 * A straggler of an earlier instance may lie under an earlier day than the segment of the same commit that was
 * acknowledged. Keys come in order of day, so of one commit the last that is listed is ours, and a segment is given only
 * when the next one is of a later commit.
 */
import { fail, ok, type Result } from "../../core/errors.ts";
import { BUILD_COMMITS_MAX, BUILD_RAW_BYTES_MAX, STORE_CONCURRENCY_MAX } from "../../core/limits.ts";
import { parseSegmentKey, type SegmentName, segmentsPrefix, segmentsPrefixesBetween } from "../../core/log/keys.ts";
import { readSegment } from "../../core/log/segment.ts";
import type { EntityPorts } from "./ports.ts";
import { parseMetadata, tailCommit } from "./segment_facts.ts";
import type { TailCommit } from "./state.ts";

export interface SegmentRef {
  readonly commit: number;
  readonly key: string;
}

/** Where to look: from the day on (null: the first there is) to that of the newest commit. */
export interface ListedDays {
  readonly incarnation: number;
  readonly firstDayMs: number | null;
  readonly lastDayMs: number;
}

/** Segments of an incarnation in commit order, each commit once. */
export async function* segmentsOf(ports: EntityPorts, days: ListedDays): AsyncGenerator<SegmentRef> {
  let held: SegmentRef | null = null;
  for await (const { key, name } of segmentKeys(ports, days)) {
    if (name.incarnation !== days.incarnation) continue;
    if (held !== null && name.commit > held.commit) yield held;
    held = { commit: name.commit, key };
  }
  if (held !== null) yield held;
}

/** Every segment's key, in order of day, incarnation, commit. */
export async function* segmentKeys(
  ports: EntityPorts,
  { firstDayMs, lastDayMs }: Pick<ListedDays, "firstDayMs" | "lastDayMs">,
): AsyncGenerator<{ readonly key: string; readonly name: SegmentName }> {
  const { entity } = ports.scope;
  const prefixes =
    firstDayMs === null ? [segmentsPrefix(entity)] : segmentsPrefixesBetween(entity, firstDayMs, lastDayMs);
  for (const prefix of prefixes) {
    let cursor: string | null = null;
    do {
      const page = await ports.store.list(prefix, cursor);
      for (const { key } of page.objects) {
        const name = parseSegmentKey(key);
        if (name !== null) yield { key, name };
      }
      cursor = page.cursor;
    } while (cursor !== null);
  }
}

/** Commits of one look at the log, and why there are no more although there should be. */
export interface FoundCommits {
  readonly commits: readonly TailCommit[];
  readonly damage: string | null;
}

/**
 * What the metadata of segments says, as many commits as one build may take: from the commit after `covered` to `last`,
 * without a gap. The listing goes on where the last call left it, or begins again after a restart.
 */
export class SegmentFacts {
  readonly #ports: EntityPorts;
  #listing: {
    readonly incarnation: number;
    readonly segments: AsyncGenerator<SegmentRef>;
    at: SegmentRef | null;
  } | null = null;

  constructor(ports: EntityPorts) {
    this.#ports = ports;
  }

  async after(covered: number, last: number, days: ListedDays): Promise<FoundCommits> {
    const commits: TailCommit[] = [];
    let rawBytes = 0;
    while (commits.length < BUILD_COMMITS_MAX && rawBytes < BUILD_RAW_BYTES_MAX) {
      const next = covered + commits.length + 1;
      const refs = await this.#refs(next, Math.min(last, next + STORE_CONCURRENCY_MAX - 1), days);
      if (refs.length === 0) {
        return { commits, damage: next <= last ? `the log: the segment of commit ${next} is missing` : null };
      }
      for (const facts of await Promise.all(refs.map((ref) => this.#factsOf(ref)))) {
        if (!facts.ok) return { commits, damage: facts.failure };
        commits.push(facts.value);
        rawBytes += facts.value.rawBytes;
      }
    }
    return { commits, damage: null };
  }

  /** Forgets where the listing was. */
  forget(): void {
    this.#listing = null;
  }

  /** Commits `from` to `to`, up to the first that is not there. */
  async #refs(from: number, to: number, days: ListedDays): Promise<SegmentRef[]> {
    if (from > to) return [];
    const listing = await this.#listingAt(from, days);
    const refs: SegmentRef[] = [];
    while (listing.at?.commit === from + refs.length && listing.at.commit <= to) {
      refs.push(listing.at);
      listing.at = (await listing.segments.next()).value ?? null;
    }
    return refs;
  }

  async #listingAt(commit: number, days: ListedDays) {
    const known = this.#listing;
    if (known?.incarnation === days.incarnation && known.at?.commit === commit) return known;
    const segments = segmentsOf(this.#ports, days);
    const listing = { incarnation: days.incarnation, segments, at: (await segments.next()).value ?? null };
    while (listing.at !== null && listing.at.commit < commit) listing.at = (await segments.next()).value ?? null;
    this.#listing = listing;
    return listing;
  }

  async #factsOf({
    commit,
    key,
  }: SegmentRef): Promise<{ ok: true; value: TailCommit } | { ok: false; failure: string }> {
    const stored = await this.#ports.store.get(key);
    if (stored === null) return { ok: false, failure: `${key}: it is missing` };
    const metadata = parseMetadata(stored.metadata);
    if (metadata === null) return { ok: false, failure: `${key}: its metadata` };
    return { ok: true, value: tailCommit(commit, key, metadata) };
  }
}

export interface ReadSegment {
  readonly facts: TailCommit;
  readonly bytes: Uint8Array;
  readonly lines: readonly string[];
}

/** A segment, verified against its own metadata. Damage is named. */
export async function readSegmentOf(ports: EntityPorts, { commit, key }: SegmentRef): Promise<Result<ReadSegment>> {
  const stored = await ports.store.get(key);
  if (stored === null) return fail({ reason: "corrupt", what: `${key}: it is missing` });
  const metadata = parseMetadata(stored.metadata);
  if (metadata === null) return fail({ reason: "corrupt", what: `${key}: its metadata` });
  const lines = readSegment(key, stored.bytes, ports, metadata);
  return lines.ok ? ok({ facts: tailCommit(commit, key, metadata), bytes: stored.bytes, lines: lines.value }) : lines;
}
