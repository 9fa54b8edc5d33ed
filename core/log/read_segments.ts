/**
 * Reads many segments in few requests: those that are rolled up by their rollups, the others one by one, as many at once
 * as may wait for the store. Every segment is verified by its digest; one that a rollup does not have as it should is
 * read itself. A failure names the segment.
 */
import { fail, ok, type Result } from "../errors.ts";
import { ROLLUP_LIST_SPARES_MIN, ROLLUP_SPARES_MIN, STORE_CONCURRENCY_MAX } from "../limits.ts";
import type { TenantStore } from "../ports.ts";
import { type SegmentFacts, type SegmentMetadata, segmentMetadataSchema } from "../schema/stored.ts";
import { parseRollupKey, parseSegmentKey, type RangeName, rollupKey, rollupsPrefix } from "./keys.ts";
import { type RollupSlice, readRollup } from "./rollup.ts";
import { readSegment, type SegmentPorts } from "./segment.ts";
import { hex } from "./text_encoding.ts";

export interface ReadPorts extends SegmentPorts {
  readonly store: TenantStore;
}

export interface WantedSegment {
  readonly commit: number;
  readonly segment: string;
  /** What is known of it already; else its own metadata, or the rollup, has to say. */
  readonly expected?: Pick<SegmentMetadata, "sha256" | "lines">;
}

export interface FoundSegment {
  readonly wanted: WantedSegment;
  /** As they are stored. */
  readonly bytes: Uint8Array;
  readonly lines: readonly string[];
  /** null when its metadata was lost: frame checksums are all that vouches for it. */
  readonly facts: SegmentFacts | null;
}

/** One request: for a rollup, or for a segment. */
interface Read {
  readonly rollup: string | null;
  readonly wanted: readonly WantedSegment[];
}

/**
 * `wanted`, of one incarnation and in commit order, are yielded in that order. A failure does not end it: whoever cannot
 * do without stops.
 */
export async function* readSegments(
  ports: ReadPorts,
  wanted: readonly WantedSegment[],
): AsyncGenerator<Result<FoundSegment>> {
  const reads = planReads(wanted, await listRollups(ports, wanted));
  for (let start = 0; start < reads.length; start += STORE_CONCURRENCY_MAX) {
    const wave = reads.slice(start, start + STORE_CONCURRENCY_MAX);
    const stored = await Promise.all(
      wave.map(({ rollup, wanted: [one] }) => ports.store.get(rollup ?? one?.segment ?? "")),
    );
    for (const [index, read] of wave.entries()) {
      const object = stored[index] ?? null;
      if (read.rollup === null) yield* read.wanted.map((one) => found(ports, one, object));
      else yield* slicesOf(ports, read.wanted, object && readRollup(object.bytes, ports.compression));
    }
  }
}

type NamedRollup = RangeName & { readonly key: string };

async function listRollups({ store }: ReadPorts, wanted: readonly WantedSegment[]): Promise<readonly NamedRollup[]> {
  const first = parseSegmentKey(wanted[0]?.segment ?? "");
  if (first === null || wanted.length < ROLLUP_LIST_SPARES_MIN) return [];
  const rollups: NamedRollup[] = [];
  let cursor: string | null = null;
  do {
    const page = await store.list(rollupsPrefix(first.entity), cursor);
    for (const { key } of page.objects) {
      const name = parseRollupKey(key);
      if (name?.incarnation !== first.incarnation) continue;
      rollups.push({ ...name, key: rollupKey(first.entity, name.incarnation, name.from, name.to) });
    }
    cursor = page.cursor;
  } while (cursor !== null);
  return rollups;
}

/** `rollups` ascend. At each commit the one that reaches farthest is taken, if it spares enough requests. */
function planReads(wanted: readonly WantedSegment[], rollups: readonly NamedRollup[]): readonly Read[] {
  const reads: Read[] = [];
  let open: NamedRollup | null = null;
  let next = 0;
  for (let at = 0; at < wanted.length; ) {
    const one = wanted[at] as WantedSegment;
    for (let rollup = rollups[next]; rollup !== undefined && rollup.from <= one.commit; rollup = rollups[++next])
      if (rollup.to > (open?.to ?? 0)) open = rollup;
    const { to = 0, key = null } = open ?? {};
    let end = at;
    while ((wanted[end]?.commit ?? Number.POSITIVE_INFINITY) <= to) end += 1;
    const isWorth = end - at >= ROLLUP_SPARES_MIN;
    reads.push({ rollup: isWorth ? key : null, wanted: isWorth ? wanted.slice(at, end) : [one] });
    at = isWorth ? end : at + 1;
  }
  return reads;
}

async function* slicesOf(
  ports: ReadPorts,
  wanted: readonly WantedSegment[],
  slices: readonly RollupSlice[] | null,
): AsyncGenerator<Result<FoundSegment>> {
  const usable = new Map<string, RollupSlice>();
  for (const slice of slices ?? []) if (isWhole(slice, ports)) usable.set(slice.segment, slice);
  const sliceOf = (one: WantedSegment) => {
    const slice = usable.get(one.segment);
    return slice !== undefined && isOf(slice, one) ? slice : null;
  };
  const missed = wanted.filter((one) => sliceOf(one) === null);
  const itself = new Map<WantedSegment, Result<FoundSegment>>();
  for (let start = 0; start < missed.length; start += STORE_CONCURRENCY_MAX) {
    const wave = missed.slice(start, start + STORE_CONCURRENCY_MAX);
    const stored = await Promise.all(wave.map(({ segment }) => ports.store.get(segment)));
    for (const [index, one] of wave.entries()) itself.set(one, found(ports, one, stored[index] ?? null));
  }
  for (const one of wanted) {
    const slice = sliceOf(one);
    yield slice === null ? (itself.get(one) ?? found(ports, one, null)) : decoded(ports, one, slice);
  }
}

function isWhole({ content, facts }: RollupSlice, { digest }: ReadPorts): boolean {
  return hex(digest.sha256(content)) === facts.sha256;
}

function isOf({ facts }: RollupSlice, { commit, expected }: WantedSegment): boolean {
  return facts.commit === commit && (expected === undefined || expected.sha256 === facts.sha256);
}

function decoded(ports: ReadPorts, wanted: WantedSegment, { content, facts }: RollupSlice): Result<FoundSegment> {
  const lines = readSegment(wanted.segment, content, ports, facts);
  return lines.ok ? ok({ wanted, bytes: content, lines: lines.value, facts }) : lines;
}

function found(
  ports: ReadPorts,
  wanted: WantedSegment,
  stored: Awaited<ReturnType<TenantStore["get"]>>,
): Result<FoundSegment> {
  const { segment } = wanted;
  if (stored === null) return fail({ reason: "corrupt", what: `Segment ${segment}: it is missing` });
  const metadata = segmentMetadataSchema.safeParse(stored.metadata);
  const facts = metadata.success ? metadata.data : null;
  const lines = readSegment(segment, stored.bytes, ports, wanted.expected ?? facts);
  return lines.ok ? ok({ wanted, bytes: stored.bytes, lines: lines.value, facts }) : lines;
}
