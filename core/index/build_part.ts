/**
 * Builds the bytes of a part: a pure function of its source, so a merge, a rebuild and a fresh build of one range are
 * equal byte for byte (given one zstd library), and a shard can be named by its SHA-256.
 *
 * Documents: every event but a tombstone gives its text's chunks; an event with a vector and no text gives one empty
 * document. Whether an event has documents depends on that event alone, never on the range.
 *
 * Vectors: up to two spaces a part, because a range may hold commits from before and from after the first vector that
 * came with an event, and a snapshot searches one or the other (`spaceOfView`).
 *
 *   commits     n    n+1   n+2   n+3        n+2 is the first of the range that supplies a vector
 *   embedded    ───────╴                    recorded, else the local embedder's, else none
 *   supplied                ╶───────        each belongs to its event's first document
 *
 * Vectors of other dimensions than the first of their space do not count. Embedded vectors of n+2 and later would never
 * be searched: whoever sees these commits searches the supplied ones.
 *
 * Of parts that are merged the vectors are taken over as they are encoded, which is what encoding them again would give:
 * a code depends on its vector alone. Their lines have no digits to encode again.
 */
import { type IdHash, idHash } from "../log/event_id.ts";
import { eventTimeMs, isWhole, keptLine, parseLine, TOMBSTONE_KIND, withdrawalTarget } from "../log/line.ts";
import type {
  Checksum,
  Compression,
  Digest,
  KernelBuilder,
  LocalEmbedder,
  Metric,
  VectorPiece,
  VectorSections,
} from "../ports.ts";
import type { KeptEvent } from "../schema/event.ts";
import { type Chunk, chunkText } from "./chunker.ts";
import { ColumnsWriter } from "./columns.ts";
import { writeIdFilter } from "./id_filter.ts";
import { HASH_WORDS } from "./id_hashes.ts";
import { commitsOf } from "./open_part.ts";
import type { CommitLines, Part, PartSource, PartVectors } from "./part.ts";
import { type VectorsSummary, writeSummary } from "./part_summary.ts";
import { revisionOf } from "./revision.ts";
import { fileOrder, SECTION, type SectionName } from "./sections.ts";
import { templateKeys } from "./segment_templates.ts";
import { type ShardIdentity, type ShardSection, shardFileBytes, writeShardFile } from "./shard_file.ts";
import { LinesWriter } from "./stored_lines.ts";
import { writeStringTable } from "./string_table.ts";
import { bytesOf } from "./typed_section.ts";

/** The model of vectors that came with their events. */
export const SUPPLIED_MODEL = "supplied";

export interface BuildTools {
  readonly builder: KernelBuilder;
  readonly compression: Compression;
  readonly digest: Digest;
  readonly checksum: Checksum;
  /** The revision's embedder when it is local; null otherwise. */
  readonly embedder: LocalEmbedder | null;
}

type Sections = Partial<Record<SectionName, Uint8Array>>;

type VectorKind = "embedded" | "supplied";

/** The vectors of a part by kind, as the kernel searches them. */
export type VectorsByKind = Readonly<Record<VectorKind, VectorSections | null>>;

/** A part but for its vectors, which may yet be given graphs. */
export interface PartDraft {
  readonly identity: ShardIdentity;
  readonly documents: number;
  readonly sections: Readonly<Sections>;
  readonly vectors: VectorsByKind;
  /** 0 where there are none. */
  readonly dimensions: Readonly<Record<VectorKind, number>>;
}

/** A part without graphs: every search of it is exact. */
export function buildPart(source: PartSource, tools: BuildTools): Uint8Array {
  const draft = draftPart(source, tools);
  return finishPart(draft, draft.vectors, tools.checksum);
}

export function draftPart(source: PartSource, tools: BuildTools): PartDraft {
  const commits = [...source.merged.flatMap(commitsOf), ...source.commits];
  const revision = revisionOf(source.revision, tools.digest);
  assertSource(source, revision, commits, tools);
  const gathered = gather(commits, tools);
  const documents = gathered.documentTexts.length;
  const vectors = vectorsOf(source, commits, gathered, tools.embedder);
  const { text, postings } = tools.builder.textSections(gathered.documentTexts, null);
  const sections: Sections = {
    summary: writeSummary({
      rows: gathered.ids.length,
      documents,
      times: gathered.times,
      vectors,
      columnsComplete: gathered.columns.complete,
    }),
    ...commitSections(commits, gathered.commitFirstRows),
    ...rowSections(gathered),
    ...documentSections(gathered),
    ...idSections(gathered.ids, tools.digest),
    ...gathered.columns.finish(gathered.ids.length),
    ...gathered.lines.finish(),
    text,
    postings,
  };
  const { from, to } = rangeOf(commits);
  return {
    identity: { incarnation: source.incarnation, from, to, revision },
    documents,
    sections,
    vectors: vectorSections(vectors, source.revision.metric, tools.builder),
    dimensions: {
      embedded: vectors.embedded?.space.dimensions ?? 0,
      supplied: vectors.supplied?.space.dimensions ?? 0,
    },
  };
}

/** `vectors` are the draft's, or the same with graphs. */
export function finishPart(draft: PartDraft, vectors: VectorsByKind, checksum: Checksum): Uint8Array {
  return writeShardFile(draft.identity, sectionsWith(draft, vectors), checksum);
}

/** Bytes of the part that the draft is without graphs. */
export function finishedBytes(draft: PartDraft): number {
  return shardFileBytes(sectionsWith(draft, draft.vectors));
}

function sectionsWith(draft: PartDraft, { embedded, supplied }: VectorsByKind): readonly ShardSection[] {
  return inFileOrder({
    ...draft.sections,
    ...(embedded && { embeddedCodes: embedded.codes, embeddedResiduals: embedded.residuals }),
    ...(embedded?.graph && { embeddedGraph: embedded.graph }),
    ...(supplied && { suppliedCodes: supplied.codes, suppliedResiduals: supplied.residuals }),
    ...(supplied?.graph && { suppliedGraph: supplied.graph }),
  });
}

/** Texts of the documents of `commits`, in document order: what a remote embedder is asked to embed. */
export function chunkTexts(commits: readonly CommitLines[]): readonly string[] {
  return commits.flatMap(({ lines }) => lines.flatMap((line) => documentsOf(parseLine(line)).map(({ text }) => text)));
}

function documentsOf(event: KeptEvent): readonly Chunk[] {
  if (event.kind === TOMBSTONE_KIND) return [];
  const chunks = chunkText(event.text ?? "");
  return chunks.length === 0 && event.vector !== undefined ? [{ text: "", from: 0, to: 0 }] : chunks;
}

/** `id`: of the source's revision. */
function assertSource(
  { revision, merged }: PartSource,
  id: string,
  commits: readonly CommitLines[],
  tools: BuildTools,
): void {
  const { from } = rangeOf(commits);
  if (commits.some(({ commit }, index) => commit !== from + index)) throw new Error("commits of a part are contiguous");
  if (merged.some((part) => part.revision !== id)) throw new Error("parts of another revision to merge");
  const { analyzer, embedder } = revision;
  if (tools.builder.analyzer !== analyzer)
    throw new Error(`analyzer ${tools.builder.analyzer} in a build of ${analyzer}`);
  if (tools.embedder !== null && tools.embedder.id !== embedder)
    throw new Error(`embedder ${tools.embedder.id} in a build of ${embedder}`);
}

function rangeOf(commits: readonly CommitLines[]): { from: number; to: number } {
  const first = commits[0];
  if (first === undefined) throw new Error("a part has at least one commit");
  return { from: first.commit, to: first.commit + commits.length - 1 };
}

// --- Gathering ------------------------------------------------------------------------------

/** Everything that one pass over the lines collects; parsed events are not kept. */
interface Gathered {
  readonly commitFirstRows: number[];
  readonly ids: string[];
  readonly rowTimes: number[];
  times: { min: number; max: number } | null;
  readonly withdrawalRows: number[];
  readonly withdrawalTargets: string[];
  readonly documentTexts: string[];
  readonly documentRows: number[];
  readonly documentChunks: number[];
  readonly documentFroms: number[];
  readonly documentTos: number[];
  /** Of the documents whose line has one with its digits. */
  readonly supplied: Map<number, Float32Array>;
  readonly columns: ColumnsWriter;
  readonly lines: LinesWriter;
}

function gather(commits: readonly CommitLines[], { compression, digest }: BuildTools): Gathered {
  const gathered: Gathered = {
    commitFirstRows: [],
    ids: [],
    rowTimes: [],
    times: null,
    withdrawalRows: [],
    withdrawalTargets: [],
    documentTexts: [],
    documentRows: [],
    documentChunks: [],
    documentFroms: [],
    documentTos: [],
    supplied: new Map(),
    columns: new ColumnsWriter(),
    lines: new LinesWriter(compression),
  };
  for (const { lines } of commits) {
    gathered.commitFirstRows.push(gathered.ids.length);
    for (const line of lines) gatherLine(gathered, line, digest);
  }
  return gathered;
}

function gatherLine(gathered: Gathered, line: string, digest: Digest): void {
  const event = parseLine(line);
  const row = gathered.ids.push(event.id) - 1;
  const time = eventTimeMs(event);
  gathered.rowTimes.push(time);
  gathered.columns.addRow(row, event);
  gathered.lines.add(keptLine(line, digest));
  if (event.kind !== TOMBSTONE_KIND) {
    const { min, max } = gathered.times ?? { min: time, max: time };
    gathered.times = { min: Math.min(min, time), max: Math.max(max, time) };
  }
  const target = withdrawalTarget(event);
  if (target !== null) {
    gathered.withdrawalRows.push(row);
    gathered.withdrawalTargets.push(target);
  }
  gatherDocuments(gathered, row, event);
}

function gatherDocuments(gathered: Gathered, row: number, event: KeptEvent): void {
  documentsOf(event).forEach(({ text, from, to }, chunk) => {
    const document = gathered.documentTexts.push(text) - 1;
    gathered.documentRows.push(row);
    gathered.documentChunks.push(chunk);
    gathered.documentFroms.push(from);
    gathered.documentTos.push(to);
    const { vector } = event;
    if (chunk === 0 && vector !== undefined && isWhole(vector))
      gathered.supplied.set(document, Float32Array.from(vector));
  });
}

// --- Vectors --------------------------------------------------------------------------------

interface ChosenVectors extends VectorsSummary {
  /** Of all documents. */
  readonly pieces: readonly VectorPiece[];
}

interface VectorsOfPart {
  readonly supplied: ChosenVectors | null;
  readonly embedded: ChosenVectors | null;
}

function vectorsOf(
  source: PartSource,
  commits: readonly CommitLines[],
  gathered: Gathered,
  embedder: LocalEmbedder | null,
): VectorsOfPart {
  const { merged } = source;
  const before = merged.reduce((sum, { documents }) => sum + documents, 0);
  const texts = gathered.documentTexts.slice(before);
  const commitOf = (document: number): number => commitOfDocument(before + document, commits, gathered);
  const given = texts.map((_, document) => gathered.supplied.get(before + document) ?? null);
  const suppliedBefore = merged.map(({ documents, vectors }) => ({ documents, vectors: vectors.supplied }));
  const supplied = inOneSpace(SUPPLIED_MODEL, suppliedBefore, given, commitOf);
  const isSearched = ({ from }: Part): boolean => supplied === null || from <= supplied.from;
  const embeddedBefore = merged.map((part) => ({
    documents: part.documents,
    vectors: isSearched(part) ? part.vectors.embedded : null,
  }));
  const end = supplied === null ? texts.length : documentsBefore(supplied.from, commits, gathered) - before;
  const made = embeddedVectors(source, texts, Math.max(0, end), embedder);
  return { supplied, embedded: inOneSpace(source.revision.embedder, embeddedBefore, made, commitOf) };
}

/** Of the new documents: null from `end` on, and where there is nobody to make them. */
function embeddedVectors(
  { recorded }: PartSource,
  texts: readonly string[],
  end: number,
  embedder: LocalEmbedder | null,
): readonly (Float32Array | null)[] {
  if (recorded !== null && recorded.length !== texts.length)
    throw new Error(`${recorded.length} recorded vectors for ${texts.length} documents`);
  const made = recorded?.slice(0, end) ?? embedder?.embed(texts.slice(0, end)) ?? [];
  return texts.map((_, document) => made[document] ?? null);
}

/** Vectors of one kind that a merged part has. */
interface TakenVectors {
  readonly documents: number;
  readonly vectors: PartVectors | null;
}

/**
 * Only vectors of the first one's dimensions that have a finite direction count; null when there are none.
 * `commitOf` a new document.
 */
function inOneSpace(
  model: string,
  taken: readonly TakenVectors[],
  fresh: readonly (Float32Array | null)[],
  commitOf: (document: number) => number,
): ChosenVectors | null {
  const usable = fresh.map((vector) => (vector !== null && hasDirection(vector) ? vector : null));
  const firstTaken = taken.find(({ vectors }) => vectors !== null)?.vectors;
  const firstFresh = usable.findIndex((vector) => vector !== null);
  const dimensions = firstTaken?.space.dimensions ?? usable[firstFresh]?.length;
  if (dimensions === undefined) return null;
  return {
    space: { model, dimensions },
    from: firstTaken?.from ?? commitOf(firstFresh),
    pieces: [
      ...taken.map(
        ({ documents, vectors }): VectorPiece =>
          vectors?.space.dimensions === dimensions
            ? { sections: vectors.sections, documents }
            : { vectors: Array.from({ length: documents }, () => null) },
      ),
      { vectors: usable.map((vector) => (vector?.length === dimensions ? vector : null)) },
    ],
  };
}

function commitOfDocument(document: number, commits: readonly CommitLines[], gathered: Gathered): number {
  const row = gathered.documentRows[document] ?? 0;
  const index = gathered.commitFirstRows.findLastIndex((firstRow) => firstRow <= row);
  return rangeOf(commits).from + index;
}

/** How many documents stand in commits before `commit`. */
function documentsBefore(commit: number, commits: readonly CommitLines[], gathered: Gathered): number {
  const firstRow = gathered.commitFirstRows[commit - rangeOf(commits).from] ?? 0;
  const count = gathered.documentRows.findIndex((row) => row >= firstRow);
  return count === -1 ? gathered.documentRows.length : count;
}

function hasDirection(vector: Float32Array): boolean {
  return vector.every(Number.isFinite) && vector.some((x) => x !== 0);
}

// --- Sections -------------------------------------------------------------------------------

function commitSections(commits: readonly CommitLines[], firstRows: readonly number[]): Sections {
  const { templates, indexes } = templateKeys(commits);
  return {
    commitFirstRows: bytesOf(Uint32Array.from(firstRows)),
    commitArrivals: bytesOf(Float64Array.from(commits, ({ arrivalMs }) => arrivalMs)),
    commitTemplates: bytesOf(indexes),
    segmentTemplates: writeStringTable(templates),
  };
}

function rowSections(gathered: Gathered): Sections {
  return {
    rowTimes: bytesOf(Float64Array.from(gathered.rowTimes)),
    withdrawalRows: bytesOf(Uint32Array.from(gathered.withdrawalRows)),
    withdrawalTargets: writeStringTable(gathered.withdrawalTargets),
  };
}

function documentSections(gathered: Gathered): Sections {
  return {
    documentRows: bytesOf(Uint32Array.from(gathered.documentRows)),
    documentChunks: bytesOf(Uint32Array.from(gathered.documentChunks)),
    documentFroms: bytesOf(Uint32Array.from(gathered.documentFroms)),
    documentTos: bytesOf(Uint32Array.from(gathered.documentTos)),
  };
}

function vectorSections(vectors: VectorsOfPart, metric: Metric, builder: KernelBuilder): VectorsByKind {
  const sectionsOf = (chosen: ChosenVectors | null): VectorSections | null =>
    chosen && builder.vectorSections(chosen.pieces, chosen.space.dimensions, metric);
  return { embedded: sectionsOf(vectors.embedded), supplied: sectionsOf(vectors.supplied) };
}

function idSections(ids: readonly string[], digest: Digest): Sections {
  const sorted = ids.map((id, row) => ({ hash: idHash(id, digest), row })).sort(byHashThenRow);
  const hashes = new Uint32Array(sorted.length * HASH_WORDS);
  sorted.forEach(({ hash }, index) => {
    hashes[index * HASH_WORDS] = hash.low;
    hashes[index * HASH_WORDS + 1] = hash.high;
  });
  return {
    idHashes: bytesOf(hashes),
    idRows: bytesOf(Uint32Array.from(sorted, ({ row }) => row)),
    ids: writeStringTable(ids),
    idFilter: writeIdFilter(hashes),
  };
}

function byHashThenRow(a: HashedRow, b: HashedRow): number {
  return a.hash.high - b.hash.high || a.hash.low - b.hash.low || a.row - b.row;
}

interface HashedRow {
  readonly hash: IdHash;
  readonly row: number;
}

function inFileOrder(sections: Sections): readonly ShardSection[] {
  return fileOrder(sections.columnValues?.length ?? 0).flatMap(({ name, hot }) => {
    const bytes = sections[name];
    return bytes === undefined ? [] : [{ type: SECTION[name], hot, required: true, bytes }];
  });
}
