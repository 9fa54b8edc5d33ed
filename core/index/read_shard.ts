/**
 * Reads of a shard in the store what a search needs: a small one whole, in one request; of a larger one its start,
 * then the ranges that plan_ranges.ts names, side by side, and the lines of hits when those are known.
 *
 *   up to SHARD_WHOLE_READ_BYTES   1 request
 *   larger                         1 · at most SHARD_RANGES_MAX · for lines at most SHARD_RANGES_MAX
 *
 * Every byte is verified before it is used, by sections or by pages. What is asked of the part must have been asked
 * for; the rest of it is not there, and of postings none but those of the asked terms.
 */
import { fail, ok, type Result } from "../errors.ts";
import { SHARD_WHOLE_READ_BYTES } from "../limits.ts";
import type { KernelBuilder, PostingsPiece, PostingsPlace, SectionPlace, TenantStore } from "../ports.ts";
import { assemblePart, type FileBytes, type OpenTools, openPart } from "./open_part.ts";
import type { Part } from "./part.ts";
import { readSummary } from "./part_summary.ts";
import { type ByteRange, neededBytes, neededSections, planRanges, type ShardNeeds } from "./plan_ranges.ts";
import { SECTION, SECTION_KINDS, type SectionName } from "./sections.ts";
import { corrupt, type HotShard, readHotShard } from "./shard_file.ts";
import type { StoredLines } from "./stored_lines.ts";

/** A shard in the store, as the head lists it. */
export interface StoredShard {
  readonly key: string;
  readonly bytes: number;
  readonly hotBytes: number;
}

/** A part that answers what it was read for. */
export interface ReadShard {
  readonly part: Part;
  /** Brings the lines of these rows within reach of `part.lineOfRow`. The needs said `lines`. */
  readLines(rows: readonly number[]): Promise<Result<null>>;
}

export interface ReadTools extends OpenTools {
  /** Knows from the start of a shard where the postings of terms lie. */
  readonly builder: Pick<KernelBuilder, "postingsPlaces">;
}

/** A shard that is damaged, missing or not as long as the head says is refused by name. A store fault rejects. */
export async function readShardForSearch(
  store: TenantStore,
  shard: StoredShard,
  needs: ShardNeeds,
  tools: ReadTools,
): Promise<Result<ReadShard>> {
  if (shard.bytes <= SHARD_WHOLE_READ_BYTES) return readWhole(store, shard, tools);
  const start = await readRange(store, shard, { offset: 0, length: shard.hotBytes });
  if (!start.ok) return start;
  const hot = readHotShard(start.value, SECTION_KINDS, tools.checksum);
  if (!hot.ok) return hot;
  if (hot.value.fileBytes !== shard.bytes) return fail(corrupt(`${shard.key}: it is not as long as the head says`));
  const file = new ShardRanges(store, shard, hot.value, start.value, new Set(neededSections(needs)));
  const places = needs.terms.length === 0 ? ok([]) : tools.builder.postingsPlaces(file.hotSection("text"), needs.terms);
  if (!places.ok) return places;
  const needed = neededOf(file, needs, places.value);
  if (!needed.ok) return needed;
  const read = await file.read(needed.value);
  if (!read.ok) return read;
  file.takePostings(places.value);
  const assembled = assemblePart(hot.value, file, tools);
  if (!assembled.ok) return assembled;
  const { part, lines } = assembled.value;
  return ok({ part, readLines: (rows) => file.read(placesOfLines(file, lines, rows)) });
}

async function readWhole(store: TenantStore, { key }: StoredShard, tools: OpenTools): Promise<Result<ReadShard>> {
  const stored = await store.get(key);
  if (stored === null) return fail(missing(key));
  const part = openPart(stored.bytes, tools);
  return part.ok ? ok({ part: part.value, readLines: async () => ok(null) }) : part;
}

function missing(key: string) {
  return corrupt(`${key}: it is missing`);
}

function neededOf(
  file: ShardRanges,
  needs: ShardNeeds,
  postings: readonly PostingsPlace[],
): Result<readonly ByteRange[]> {
  const summary = readSummary(file.hotSection("summary"));
  if (!summary.ok) return summary;
  const { rows } = summary.value;
  const columnNames = file.hotSection("columnNames");
  const columnEntries = file.hotSection("columnEntries");
  return neededBytes({ directory: file.directory, rows, columnNames, columnEntries }, needs, postings);
}

function placesOfLines(file: ShardRanges, lines: StoredLines | null, rows: readonly number[]): readonly ByteRange[] {
  if (lines === null) throw new RangeError("lines were not asked for");
  const start = file.directory.places.get(SECTION.frames)?.offset ?? 0;
  return lines.framePlaces(rows).map(({ offset, length }) => ({ offset: start + offset, length }));
}

/** What was read of a file so far: its start, and verified ranges of its cold area. */
class ShardRanges implements FileBytes {
  readonly proven = false;
  readonly directory: HotShard;
  readonly #store: TenantStore;
  readonly #shard: StoredShard;
  readonly #start: Uint8Array;
  readonly #wanted: ReadonlySet<SectionName>;
  readonly #ranges: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  #postings: readonly PostingsPiece[] = [];

  constructor(
    store: TenantStore,
    shard: StoredShard,
    directory: HotShard,
    start: Uint8Array,
    wanted: ReadonlySet<SectionName>,
  ) {
    this.#store = store;
    this.#shard = shard;
    this.directory = directory;
    this.#start = start;
    this.#wanted = wanted;
  }

  at(offset: number, length: number): Uint8Array | null {
    const end = offset + length;
    if (length === 0 || end <= this.#start.length) return this.#start.subarray(offset, end);
    const range = this.#ranges.find((one) => one.offset <= offset && end <= one.offset + one.bytes.length);
    return range?.bytes.subarray(offset - range.offset, end - range.offset) ?? null;
  }

  each(places: readonly SectionPlace[]): readonly Uint8Array[] | null {
    const read = places.map(({ offset, length }) => this.at(offset, length)).filter((bytes) => bytes !== null);
    return read.length === places.length ? read : null;
  }

  pieces(offset: number, length: number): readonly Uint8Array[] | null {
    const bytes = this.at(offset, length);
    return bytes && [bytes];
  }

  get heldBytes(): number {
    return this.#ranges.reduce((sum, { bytes }) => sum + bytes.length, this.#start.length);
  }

  get postings(): readonly PostingsPiece[] {
    return this.#postings;
  }

  /** Of postings that were read. */
  takePostings(places: readonly PostingsPlace[]): void {
    const start = this.directory.places.get(SECTION.postings)?.offset ?? 0;
    this.#postings = places.map(({ offset, length }) => {
      const bytes = this.at(start + offset, length);
      if (bytes === null) throw new RangeError("postings were not read");
      return { offset, bytes };
    });
  }

  isRead(name: SectionName): boolean {
    const place = this.directory.places.get(SECTION[name]);
    return place !== undefined && (place.offset < this.#start.length || this.#wanted.has(name));
  }

  /** Empty when the file has none of this name in its start. */
  hotSection(name: SectionName): Uint8Array {
    const place = this.directory.places.get(SECTION[name]);
    return this.#start.subarray(place?.offset ?? 0, (place?.offset ?? 0) + (place?.length ?? 0));
  }

  /** One wave: what of `needed` is not there yet. */
  async read(needed: readonly ByteRange[]): Promise<Result<null>> {
    const absent = needed.filter(({ offset, length }) => this.at(offset, length) === null);
    const planned = planRanges(absent, this.directory);
    const read = await Promise.all(planned.map((range) => readRange(this.#store, this.#shard, range)));
    for (const [index, bytes] of read.entries()) {
      if (!bytes.ok) return bytes;
      const { offset } = planned[index] ?? { offset: 0 };
      const verified = this.directory.verifyPages(offset, bytes.value);
      if (!verified.ok) return verified;
      this.#ranges.push({ offset, bytes: bytes.value });
    }
    return ok(null);
  }
}

/** Exactly the range, or why not: `corrupt` when the shard is missing or ends before it. A store fault rejects. */
export async function readRange(
  store: TenantStore,
  { key, bytes }: Pick<StoredShard, "key" | "bytes">,
  { offset, length }: ByteRange,
): Promise<Result<Uint8Array>> {
  const cutShort = corrupt(`${key}: it is not as long as the head says`);
  try {
    const range = await store.getRange(key, offset, length);
    if (range === null) return fail(missing(key));
    return range.length === length ? ok(range) : fail(cutShort);
  } catch (cause) {
    // A store refuses a range beyond the end of an object as it reports any fault: the listing tells the two apart.
    const { objects } = await store.list(key);
    if (objects.some((object) => object.key === key && object.bytes !== bytes)) return fail(cutShort);
    throw cause;
  }
}
