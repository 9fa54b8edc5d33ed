/**
 * Plans the range reads of a shard. Pure: what the start of the file says and what a query needs go in, ranges come
 * out, the same ones every time.
 *
 *   wave 1   [0, hotBytes)                 nothing to plan: the head knows how long that is
 *   wave 2   what the search needs         at most SHARD_RANGES_MAX ranges
 *   wave 3   the frames of the hits' lines likewise
 *
 *   needed     ▪▪   ▪      ▪▪▪                ▪        bytes
 *   pages    [    ][    ][      ]          [    ]      out to pages, since those are what can be verified
 *   ranges   ╰─────────────────╯          ╰────╯      gaps below SHARD_RANGE_GAP_BYTES are read along
 *
 * Where more ranges are left than a wave may have, the two with the least between them become one, and so on: the
 * fewest extra bytes for each request saved.
 */
import { fail, ok, type Result } from "../errors.ts";
import { SHARD_RANGE_GAP_BYTES, SHARD_RANGES_MAX } from "../limits.ts";
import type { AskedTerm, PostingsPlace } from "../ports.ts";
import { placesOfColumns } from "./columns.ts";
import { SECTION, type SectionName, VECTOR_SECTIONS } from "./sections.ts";
import { corrupt, SHARD_PAGE_BYTES, type ShardDirectory } from "./shard_file.ts";

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What a search reads of a shard beyond its start. */
export interface ShardNeeds {
  /** The terms that are searched for; none when nothing is searched by text. */
  readonly terms: readonly AskedTerm[];
  readonly vectors: "embedded" | "supplied" | null;
  /** Columns whose codes and values are asked for. */
  readonly columns: readonly string[];
  readonly rowTimes: boolean;
  /** Ids of rows, and rows of ids. */
  readonly ids: boolean;
  /** Where lines lie, so that `lineOfRow` can be prepared for: the lines themselves are a wave of their own. */
  readonly lines: boolean;
}

/** The start of a shard, as far as planning looks into it. */
interface PlannedShard {
  readonly directory: ShardDirectory;
  /** Rows of the shard. */
  readonly rows: number;
  readonly columnNames: Uint8Array;
  readonly columnEntries: Uint8Array;
}

/**
 * The bytes of the file that a search needs, sections one by one.
 * @param postings where the postings of its terms lie, as the section `text` says
 */
export function neededBytes(
  shard: PlannedShard,
  needs: ShardNeeds,
  postings: readonly PostingsPlace[],
): Result<readonly ByteRange[]> {
  const { directory } = shard;
  const codes = placesOfColumns(
    {
      names: shard.columnNames,
      entries: shard.columnEntries,
      codesBytes: directory.places.get(SECTION.columnCodes)?.length ?? 0,
    },
    shard.rows,
    needs.columns,
  );
  if (codes === null) return fail(corrupt("columns"));
  const postingsBytes = directory.places.get(SECTION.postings)?.length ?? 0;
  if (postings.some(({ offset, length }) => offset + length > postingsBytes)) return fail(corrupt("postings (range)"));
  const whole = neededSections(needs).flatMap((name) => directory.places.get(SECTION[name]) ?? []);
  return ok([...whole, ...within(directory, "columnCodes", codes), ...within(directory, "postings", postings)]);
}

/** Those that are read whole. */
export function neededSections(needs: ShardNeeds): readonly SectionName[] {
  return [
    ...(needs.vectors === null ? [] : Object.values(VECTOR_SECTIONS[needs.vectors])),
    ...chosen(needs.rowTimes, ["rowTimes"]),
    ...chosen(needs.columns.length > 0, ["columnValues"]),
    ...chosen(needs.ids, ["idHashes", "idRows", "ids"]),
    ...chosen(needs.lines, ["lineOffsets", "frameRawOffsets", "frameOffsets"]),
  ];
}

function chosen(wanted: boolean, names: readonly SectionName[]): readonly SectionName[] {
  return wanted ? names : [];
}

/** Pieces of a section as bytes of the file. */
function within(directory: ShardDirectory, name: SectionName, pieces: readonly ByteRange[]): readonly ByteRange[] {
  const start = directory.places.get(SECTION[name])?.offset ?? 0;
  return pieces.map(({ offset, length }) => ({ offset: start + offset, length }));
}

/**
 * Few ranges of whole pages that cover `needed`, in ascending order, at most SHARD_RANGES_MAX. What lies in the hot
 * area is left out: wave 1 has read it.
 */
export function planRanges(
  needed: readonly ByteRange[],
  { hotBytes, fileBytes }: Pick<ShardDirectory, "hotBytes" | "fileBytes">,
): readonly ByteRange[] {
  const cold = needed.filter(({ offset, length }) => length > 0 && offset >= hotBytes);
  const paged = cold
    .map((range) => pagesAround(range, { hotBytes, fileBytes }))
    .map(({ offset, length }) => ({ from: offset, to: offset + length }))
    .sort((a, b) => a.from - b.from);
  const spans: Span[] = [];
  for (const span of paged) {
    const last = spans.at(-1);
    if (last !== undefined && span.from - last.to < SHARD_RANGE_GAP_BYTES) last.to = Math.max(last.to, span.to);
    else spans.push(span);
  }
  while (spans.length > SHARD_RANGES_MAX) mergeNearest(spans);
  return spans.map(({ from, to }) => ({ offset: from, length: to - from }));
}

interface Span {
  readonly from: number;
  to: number;
}

/** The pages of the cold area that hold a range of it: what can be verified. */
export function pagesAround(
  { offset, length }: ByteRange,
  { hotBytes, fileBytes }: Pick<ShardDirectory, "hotBytes" | "fileBytes">,
): ByteRange {
  const from = hotBytes + Math.floor((offset - hotBytes) / SHARD_PAGE_BYTES) * SHARD_PAGE_BYTES;
  const to = hotBytes + Math.ceil((offset + length - hotBytes) / SHARD_PAGE_BYTES) * SHARD_PAGE_BYTES;
  return { offset: from, length: Math.min(to, fileBytes) - from };
}

/** Of equal gaps the first. */
function mergeNearest(spans: Span[]): void {
  let nearest = 1;
  for (let index = 2; index < spans.length; index++)
    if (gapBefore(spans, index) < gapBefore(spans, nearest)) nearest = index;
  const [second] = spans.splice(nearest, 1);
  const first = spans[nearest - 1];
  if (first !== undefined && second !== undefined) first.to = second.to;
}

function gapBefore(spans: readonly Span[], index: number): number {
  return (spans[index]?.from ?? 0) - (spans[index - 1]?.to ?? 0);
}
