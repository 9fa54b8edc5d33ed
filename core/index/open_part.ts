/**
 * Opens the bytes of a part. Every checksum and every structure is verified first: a part that opens answers without
 * failing, and a damaged one is refused by the name of the section that is wrong. Arrays are views of the bytes, which
 * must not change afterwards.
 */
import { fail, ok, type Result } from "../errors.ts";
import { idHash } from "../log/event_id.ts";
import { parseLine } from "../log/line.ts";
import type { Compression, Digest } from "../ports.ts";
import { COLUMN_SECTIONS, readColumns } from "./columns.ts";
import type { CommitLines, Part, PartCommit, PartVectors, Withdrawal } from "./part.ts";
import { type PartSummary, readSummary, type VectorsSummary } from "./part_summary.ts";
import { MAY_BE_ABSENT, SECTION, SECTION_NAMES, type SectionName } from "./sections.ts";
import { keyOf, parseTemplate } from "./segment_templates.ts";
import { corrupt, readShardFile, type ShardIdentity } from "./shard_file.ts";
import { LINE_SECTIONS, readLines } from "./stored_lines.ts";
import { readStringTable } from "./string_table.ts";
import { float64View, uint32View, uint64View } from "./typed_section.ts";

interface OpenTools {
  readonly compression: Compression;
  readonly digest: Digest;
}

type SectionOf = (name: SectionName) => Uint8Array;

export function openPart(bytes: Uint8Array, tools: OpenTools): Result<Part> {
  const file = readShardFile(bytes, SECTION_NAMES);
  if (!file.ok) return file;
  const { identity, sections } = file.value;
  const absent = [...SECTION_NAMES.values()].find((name) => !sections.has(SECTION[name]) && !MAY_BE_ABSENT.has(name));
  if (absent !== undefined) return fail(corrupt(`${absent} (absent)`));
  const sectionOf: SectionOf = (name) => sections.get(SECTION[name]) ?? NO_BYTES;
  const summary = readSummary(sectionOf("summary"));
  if (!summary.ok) return summary;
  const vectors = readVectors(sections, identity, summary.value);
  if (vectors === null) return fail(corrupt("vectors"));
  const tables = readTables(sectionOf, identity, summary.value, tools);
  if (!tables.ok) return tables;
  const { rows, documents, times } = summary.value;
  const said = { ...identity, rows, documents, times, bytes: bytes.length };
  return ok({ ...said, ...tables.value, text: sectionOf("text"), vectors });
}

type Tables = Omit<Part, keyof ShardIdentity | keyof PartSummary | "text" | "vectors" | "bytes">;

function readTables(
  sectionOf: SectionOf,
  identity: ShardIdentity,
  summary: PartSummary,
  tools: OpenTools,
): Result<Tables> {
  const { rows, documents } = summary;
  const commits = readCommits(sectionOf, identity, rows);
  if (commits === null) return fail(corrupt("commits"));
  const rowTimes = float64View(sectionOf("rowTimes"));
  if (rowTimes === null || rowTimes.length !== rows || !rowTimes.every(Number.isInteger))
    return fail(corrupt("rowTimes"));
  const withdrawals = readWithdrawals(sectionOf, rows);
  if (withdrawals === null) return fail(corrupt("withdrawals"));
  const documentTable = readDocuments(sectionOf, rows, documents);
  if (documentTable === null) return fail(corrupt("documents"));
  const ids = readIds(sectionOf, rows, tools.digest);
  if (ids === null) return fail(corrupt("ids"));
  const lines = readLines(pick(sectionOf, LINE_SECTIONS), rows, tools.compression);
  if (lines === null) return fail(corrupt("lines"));
  const eventOfRow = summary.columnsComplete ? null : (row: number) => parseLine(lines.at(row));
  const columns = readColumns(pick(sectionOf, COLUMN_SECTIONS), rows, eventOfRow);
  if (columns === null) return fail(corrupt("columns"));
  return ok({ commits, rowTimes, withdrawals, columns, ...documentTable, ...ids, lineOfRow: (row) => lines.at(row) });
}

function pick<Name extends SectionName>(sectionOf: SectionOf, names: readonly Name[]): Record<Name, Uint8Array> {
  return Object.fromEntries(names.map((name) => [name, sectionOf(name)])) as Record<Name, Uint8Array>;
}

const NO_BYTES = new Uint8Array(0);

/** The commits of a part as the log holds them: what a merge builds from instead of segments. */
export function commitsOf(part: Part): readonly CommitLines[] {
  return part.commits.map(({ commit, segment, arrivalMs, firstRow }, index) => {
    const end = part.commits[index + 1]?.firstRow ?? part.rows;
    const lines = Array.from({ length: end - firstRow }, (_, line) => part.lineOfRow(firstRow + line));
    return { commit, segment, arrivalMs, lines };
  });
}

// --- Vectors --------------------------------------------------------------------------------

/** null when summary and sections do not agree. What is inside a section is checked by the kernel that loads it. */
function readVectors(
  sections: ReadonlyMap<number, Uint8Array>,
  identity: ShardIdentity,
  { vectors }: PartSummary,
): Part["vectors"] | null {
  const of = (codes: number, residuals: number, graph: number): StoredVectors => ({
    codes: sections.get(codes),
    residuals: sections.get(residuals),
    graph: sections.get(graph),
  });
  const ofSupplied = of(SECTION.suppliedCodes, SECTION.suppliedResiduals, SECTION.suppliedGraph);
  const ofEmbedded = of(SECTION.embeddedCodes, SECTION.embeddedResiduals, SECTION.embeddedGraph);
  const supplied = withSections(vectors.supplied, ofSupplied, identity);
  const embedded = withSections(vectors.embedded, ofEmbedded, identity);
  if (supplied === undefined || embedded === undefined) return null;
  const overlap = supplied !== null && embedded !== null && embedded.from >= supplied.from;
  return overlap ? null : { supplied, embedded };
}

interface StoredVectors {
  readonly codes: Uint8Array | undefined;
  readonly residuals: Uint8Array | undefined;
  readonly graph: Uint8Array | undefined;
}

/** undefined when codes, residuals or a graph are there without what they belong to, or the vectors begin outside of the part. */
function withSections(
  summary: VectorsSummary | null,
  { codes, residuals, graph }: StoredVectors,
  { from, to }: ShardIdentity,
): PartVectors | null | undefined {
  const isAbsent = codes === undefined && residuals === undefined && graph === undefined;
  if (summary === null) return isAbsent ? null : undefined;
  if (codes === undefined || residuals === undefined || summary.from < from || summary.from > to) return undefined;
  return { ...summary, sections: { codes, residuals, graph: graph ?? null } };
}

// --- Tables ---------------------------------------------------------------------------------

function readCommits(sectionOf: SectionOf, { from, to }: ShardIdentity, rows: number): readonly PartCommit[] | null {
  const firstRows = uint32View(sectionOf("commitFirstRows"));
  const arrivals = float64View(sectionOf("commitArrivals"));
  const templateIndexes = uint32View(sectionOf("commitTemplates"));
  const templates = readTemplates(sectionOf("segmentTemplates"));
  if (firstRows === null || arrivals === null || templateIndexes === null || templates === null) return null;
  const count = to - from + 1;
  if (firstRows.length !== count || arrivals.length !== count || templateIndexes.length !== count) return null;
  if (firstRows[0] !== 0 || !ascends(firstRows) || !within(firstRows, rows + 1)) return null;
  if (!within(templateIndexes, templates.length) || !arrivals.every(Number.isInteger)) return null;
  return Array.from({ length: count }, (_, index) => {
    const commit = from + index;
    const template = templates[templateIndexes[index] ?? 0] ?? [""];
    const segment = keyOf(template, commit);
    return { commit, segment, arrivalMs: arrivals[index] ?? 0, firstRow: firstRows[index] ?? 0 };
  });
}

function readTemplates(bytes: Uint8Array): readonly (readonly [string, string] | readonly [string])[] | null {
  const table = readStringTable(bytes);
  if (table === null) return null;
  const templates = Array.from({ length: table.count }, (_, index) => parseTemplate(table.at(index)));
  return templates.every((template) => template !== null) ? templates : null;
}

function readWithdrawals(sectionOf: SectionOf, rows: number): readonly Withdrawal[] | null {
  const tombstones = uint32View(sectionOf("withdrawalRows"));
  const targets = readStringTable(sectionOf("withdrawalTargets"));
  if (tombstones === null || targets === null || tombstones.length !== targets.count) return null;
  if (!ascends(tombstones) || !within(tombstones, rows)) return null;
  return Array.from(tombstones, (row, index) => ({ row, target: targets.at(index) }));
}

function readDocuments(
  sectionOf: SectionOf,
  rows: number,
  documents: number,
): Pick<Part, "rowOfDocument" | "chunkOfDocument" | "chunkFrom" | "chunkTo"> | null {
  const rowOfDocument = uint32View(sectionOf("documentRows"));
  const chunkOfDocument = uint32View(sectionOf("documentChunks"));
  const chunkFrom = uint32View(sectionOf("documentFroms"));
  const chunkTo = uint32View(sectionOf("documentTos"));
  if (rowOfDocument === null || chunkOfDocument === null || chunkFrom === null || chunkTo === null) return null;
  const lengths = [rowOfDocument, chunkOfDocument, chunkFrom, chunkTo].map(({ length }) => length);
  if (lengths.some((length) => length !== documents)) return null;
  if (!ascends(rowOfDocument) || !within(rowOfDocument, rows)) return null;
  for (let document = 0; document < documents; document++) {
    const continues = document > 0 && rowOfDocument[document] === rowOfDocument[document - 1];
    const chunk = continues ? (chunkOfDocument[document - 1] ?? 0) + 1 : 0;
    const from = chunkFrom[document] ?? 0;
    const begins = continues ? (chunkTo[document - 1] ?? 0) : 0;
    if (chunkOfDocument[document] !== chunk || from < begins || from > (chunkTo[document] ?? 0)) return null;
  }
  return { rowOfDocument, chunkOfDocument, chunkFrom, chunkTo };
}

function readIds(
  sectionOf: SectionOf,
  rows: number,
  digest: Digest,
): Pick<Part, "idHashes" | "idRows" | "idOfRow" | "rowOfId"> | null {
  const idHashes = uint64View(sectionOf("idHashes"));
  const idRows = uint32View(sectionOf("idRows"));
  const ids = readStringTable(sectionOf("ids"));
  if (idHashes === null || idRows === null || ids === null) return null;
  if (ids.count !== rows || idHashes.length !== rows || idRows.length !== rows || !within(idRows, rows)) return null;
  for (let index = 1; index < rows; index++) {
    const [before, hash] = [idHashes[index - 1] ?? 0n, idHashes[index] ?? 0n];
    if (before > hash || (before === hash && (idRows[index - 1] ?? 0) >= (idRows[index] ?? 0))) return null;
  }
  const rowOfId = (id: string): number => {
    const hash = idHash(id, digest);
    for (let index = lowerBound(idHashes, hash); idHashes[index] === hash; index++) {
      const row = idRows[index] ?? 0;
      if (ids.at(row) === id) return row;
    }
    return -1;
  };
  return { idHashes, idRows, idOfRow: (row) => ids.at(row), rowOfId };
}

/** The first index whose hash is not below `hash`. */
function lowerBound(hashes: BigUint64Array, hash: bigint): number {
  let low = 0;
  let high = hashes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((hashes[middle] ?? 0n) < hash) low = middle + 1;
    else high = middle;
  }
  return low;
}

function ascends(numbers: Uint32Array): boolean {
  return numbers.every((number, index) => index === 0 || number >= (numbers[index - 1] ?? 0));
}

function within(numbers: Uint32Array, end: number): boolean {
  return numbers.every((number) => number < end);
}
